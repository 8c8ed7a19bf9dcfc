"""Schedules drawn with matplotlib, for papers and slides."""

# matplotlib leaves the types of its keyword arguments open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lehr.extras import needs
from lehr.schedule.base import Schedule
from lehr.view.files import write_whole
from lehr.view.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw"]

FORMATS = (".png", ".svg")

COLOURS = ("#1f62b5", "#b8430b", "#0b7a55", "#8a3ea8", "#8a6100", "#4a5568")
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))
INK, SOFT, LINE = "#1c2430", "#566072", "#e4e3df"

_MOST = 4000
"""The most points of a curve: more than any picture has columns."""


def draw(schedules: Mapping[str, Schedule], steps: int, path: str | Path | None = None) -> Figure:
    """Draw schedules over a run, one line each.

    The figure is built without pyplot, so it neither opens a window nor changes global state.

    Arguments:
        schedules: by the names that the legend gives them, at least one.
        steps: the run's length, at least 1.
        path: the file to write, `.png` or `.svg`; without it, nothing is written.

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
    if path is not None and Path(path).suffix.lower() not in FORMATS:
        raise ValueError(f"path={str(path)!r} must end in {' or '.join(FORMATS)}")
    figure = _figure()
    axes: Axes = figure.add_subplot()
    at = np.unique(np.linspace(0, steps - 1, min(steps, _MOST)).round().astype(np.int64))
    for number, (name, schedule) in enumerate(schedules.items()):
        axes.plot(
            at,
            schedule.over(steps)(at),
            label=printable(name),
            color=COLOURS[number % len(COLOURS)],
            linestyle=DASHES[number // len(COLOURS) % len(DASHES)],
            linewidth=2,
            solid_capstyle="round",
            # A run of one step is a point, which a line would not show.
            marker="o" if steps == 1 else None,
        )
    _dress(axes, steps, tuple(schedules))
    if path is not None:
        from matplotlib import rc_context

        kind = Path(path).suffix.lower().removeprefix(".")
        drawn = io.BytesIO()
        # Without the date and with the same seed for ids, the same schedules give the same file.
        undated = {"Date": None} if kind == "svg" else None
        with rc_context({"svg.hashsalt": "lehr"}):
            figure.savefig(drawn, format=kind, dpi=200, metadata=undated)
        write_whole(Path(path), drawn.getvalue())
    return figure


def _figure() -> Figure:
    with needs("drawing", "plot", "matplotlib"):
        from matplotlib.figure import Figure
    return Figure(figsize=(7.2, 4.05), layout="constrained", facecolor="white")


def _dress(axes: Axes, steps: int, names: tuple[str, ...]) -> None:
    """Label the axes and remove what does not help to read the curves."""
    axes.set_xlabel("step", color=SOFT)
    axes.set_xlim(0, max(1, steps - 1))
    axes.margins(y=0.04)
    axes.tick_params(colors=SOFT, length=0, pad=6)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)
    if len(names) == 1:
        # A name is not a formula, although it may have two dollar signs.
        axes.set_title(
            printable(names[0]), loc="left", color=INK, fontweight="bold", pad=12, parse_math=False
        )
        return
    options: dict[str, Any] = {"frameon": False, "labelcolor": INK, "handlelength": 1.8}
    # With the labels given, one that begins with an underscore is not left out.
    legend = axes.legend(
        axes.lines,
        list(map(printable, names)),
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        **options,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
