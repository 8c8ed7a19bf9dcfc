"""Schedules drawn with matplotlib, for papers and slides."""

# matplotlib leaves the types of its keyword arguments open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lehr.schedule.base import Schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw"]

FORMATS = (".png", ".svg")

COLOURS = ("#1f62b5", "#b8430b", "#0b7a55", "#8a3ea8", "#8a6100", "#4a5568")
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))
INK, SOFT, LINE = "#1c2430", "#566072", "#e4e3df"

_MOST = 4000
"""How many points a curve gets at most: more than any picture has columns."""


def draw(schedules: Mapping[str, Schedule], steps: int, path: str | Path | None = None) -> Figure:
    """Draw schedules over a run, one line each.

    The figure is built without pyplot, so it neither opens a window nor changes global state.

    Arguments:
        schedules: by the names that the legend gives them, at least one.
        steps: the run's length, at least 1.
        path: where to save it, as `.png` or `.svg`; nothing is written without it.

    Returns:
        The matplotlib figure.

    Raises:
        ValueError: there is no schedule or no step, or the path ends in something else.
        ModuleNotFoundError: matplotlib is not installed.
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
            label=name,
            color=COLOURS[number % len(COLOURS)],
            linestyle=DASHES[number // len(COLOURS) % len(DASHES)],
            linewidth=2,
            solid_capstyle="round",
            # A run of one step is a point, which a line would not show.
            marker="o" if steps == 1 else None,
        )
    _dress(axes, steps, tuple(schedules))
    if path is not None:
        # Without the date, the same schedules give the same file.
        dated = Path(path).suffix.lower() == ".svg"
        figure.savefig(path, dpi=200, metadata={"Date": None} if dated else None)
    return figure


def _figure() -> Figure:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise ModuleNotFoundError(
            "drawing needs matplotlib: pip install 'lehr[plot]'", name="matplotlib"
        ) from None
    return Figure(figsize=(7.2, 4.05), layout="constrained", facecolor="white")


def _dress(axes: Axes, steps: int, names: tuple[str, ...]) -> None:
    """Leave only what helps to read the curves."""
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
        axes.set_title(names[0], loc="left", color=INK, fontweight="bold", pad=12)
        return
    options: dict[str, Any] = {"frameon": False, "labelcolor": INK, "handlelength": 1.8}
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), **options)
