"""Schedules drawn with matplotlib, for notebooks, papers and slides."""

# matplotlib leaves the types of its keyword arguments open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lehr.errors import ScheduleError, number
from lehr.extras import needs
from lehr.files import write_whole
from lehr.schedule.base import Schedule
from lehr.view.printable import printable
from lehr.view.scales import STEPS, Look, TimeUnit, own_steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


FORMATS = (".png", ".svg")

COLOURS = ("#1f62b5", "#b8430b", "#0b7a55", "#8a3ea8", "#8a6100", "#4a5568")
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))
INK, SOFT, LINE = "#1c2430", "#566072", "#e4e3df"

_MOST = 4000
"""The most points of a curve: more than any picture has columns."""

_RUN = 1000
"""The length of the run of a schedule that has none, unless the user gives another."""


def plot(
    schedule: Schedule,
    steps: int | None = None,
    *,
    axes: Axes | None = None,
    peak: float = 1.0,
    log: bool = False,
    **options: Any,
) -> Axes:
    """Draw a schedule into matplotlib axes; see :meth:`lehr.Schedule.plot`."""
    peak = number("peak", peak, above=0)
    if steps is None:
        steps = own_steps(schedule) or _RUN
    elif isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ScheduleError(f"steps={steps!r} must be a whole number of steps, at least 1")
    at, values = _sampled(schedule, steps)
    if axes is None:
        with needs("drawing", "plot", "matplotlib"):
            from matplotlib import pyplot  # Starts a window system.
        axes = pyplot.gca()
    drawn: dict[str, Any] = {"label": printable(repr(schedule)), **options}
    axes.plot(at, peak * values, **drawn)
    axes.set_xlabel("step")
    if log:
        axes.set_yscale("log")
    return axes


def _sampled(schedule: Schedule, steps: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    at = np.unique(np.linspace(0, steps - 1, min(steps, _MOST)).round().astype(np.int64))
    return at, schedule.over(steps)(at)


def draw(
    schedules: Mapping[str, Schedule],
    steps: int,
    path: str | Path | None = None,
    *,
    momentum: Mapping[str, Schedule] | None = None,
    look: Look = Look(),  # noqa: B008  it is immutable
) -> Figure:
    """Draw schedules over a run, one line each.

    The figure is built without pyplot, so it neither opens a window nor changes global state.

    Arguments:
        schedules: by the names that the legend gives them, at least one.
        steps: the run's length, at least 1.
        path: the file to write, `.png` or `.svg`; without it, nothing is written.
        momentum: the schedules of momentum, by the names of those above; drawn below them.
        look: the unit of time, the peak rate and the kind of axis.

    Returns:
        The matplotlib figure.

    Raises:
        ValueError: there is no schedule or no step, or the path ends in something else.
        MissingExtra: matplotlib is not installed.
        OSError: the file cannot be written; one that was there before is unchanged.
    """
    if not schedules:
        raise ValueError("schedules={} is empty: give at least one schedule to draw")
    if steps < 1:
        raise ValueError(f"steps={steps!r} must be at least 1")
    check_format(path)
    panels = [schedules, momentum] if momentum else [schedules]
    figure = new_figure(4.05 + 2.0 * (len(panels) - 1))
    names = list(schedules)
    for place, panel in enumerate(panels):
        axes: Axes = figure.add_subplot(len(panels), 1, place + 1)
        gain = look.peak if place == 0 else 1.0
        for name, schedule in panel.items():
            _curve(axes, names.index(name), name, schedule, steps, gain, look.time)
        if place == 0 and look.log:
            axes.set_yscale("log")
        if len(panels) > 1:
            axes.set_ylabel(("rate", "momentum")[place], color=SOFT)
        _label(axes, steps, tuple(panel) if place == 0 else (), look.time)
    if path is not None:
        write_figure(figure, Path(path))
    return figure


def _curve(
    axes: Axes,
    index: int,
    name: str,
    schedule: Schedule,
    steps: int,
    gain: float,
    time: TimeUnit,
) -> None:
    at, values = _sampled(schedule, steps)
    axes.plot(
        at if time == STEPS else at * time.per_step(steps),
        gain * values,
        label=printable(name),
        color=COLOURS[index % len(COLOURS)],
        linestyle=DASHES[index // len(COLOURS) % len(DASHES)],
        linewidth=2,
        solid_capstyle="round",
        # A run of one step is a point, which a line would not show.
        marker="o" if steps == 1 else None,
    )


def check_format(path: str | Path | None) -> None:
    """Raise ValueError if a picture cannot be written into a file of this name."""
    if path is not None and Path(path).suffix.lower() not in FORMATS:
        raise ValueError(f"path={str(path)!r} must end in {' or '.join(FORMATS)}")


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure; the same curves give the same file."""
    from matplotlib import rc_context  # Loads matplotlib.

    kind = path.suffix.lower().removeprefix(".")
    drawn = io.BytesIO()
    # Without the date and with the same seed for ids, the file depends on the curves only.
    undated = {"Date": None} if kind == "svg" else None
    with rc_context({"svg.hashsalt": "lehr"}):
        figure.savefig(drawn, format=kind, dpi=200, metadata=undated)
    write_whole(path, drawn.getvalue())


def new_figure(height: float) -> Figure:
    """Return an empty figure, without pyplot: no window opens and no global state changes."""
    with needs("drawing", "plot", "matplotlib"):
        from matplotlib.figure import Figure
    return Figure(figsize=(7.2, height), layout="constrained", facecolor="white")


def dress(axes: Axes) -> None:
    """Remove from the axes what does not help to read the curves."""
    axes.tick_params(which="both", colors=SOFT, length=0, pad=6)
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)


def _label(axes: Axes, steps: int, names: tuple[str, ...], time: TimeUnit) -> None:
    dress(axes)
    axes.set_xlabel(time.title, color=SOFT)
    axes.set_xlim(0, max(1, steps - 1) * time.per_step(steps))
    axes.margins(y=0.04)
    axes.xaxis.set_major_formatter(lambda value, _: time.label(value))
    if len(names) == 1:
        # A name is not a formula, although it may have two dollar signs.
        axes.set_title(
            printable(names[0]), loc="left", color=INK, fontweight="bold", pad=12, parse_math=False
        )
    if len(names) < 2:
        return
    options: dict[str, Any] = {"frameon": False, "labelcolor": INK, "handlelength": 1.8}
    # Given explicitly, labels that begin with an underscore are not left out.
    legend = axes.legend(
        axes.lines,
        list(map(printable, names)),
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        **options,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
