"""Predicted loss curves drawn with matplotlib: curves, intervals, residuals."""

# matplotlib leaves the types of its keyword arguments open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lehr.laws import LoggedRun, Prediction
from lehr.view.plot import COLOURS, INK, SOFT, check_format, dress, new_figure, write_figure
from lehr.view.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Drawn:
    """A predicted curve, and the run that measured it.

    Arguments:
        name: The name in the legend.
        prediction: The predicted losses.
        measured: The measured ones, or None.
    """

    name: str
    prediction: Prediction
    measured: LoggedRun | None = None


def draw_predictions(curves: Sequence[Drawn], path: str | Path | None = None) -> Figure:
    """Draw predicted loss curves with their intervals; below, the residuals of measured runs.

    Arguments:
        curves: At least one.
        path: Where to save the picture, as `.png` or `.svg`; nothing is written without it.

    Returns:
        The matplotlib figure.

    Raises:
        ValueError: If there is no curve, or the path ends in something else.
        MissingExtra: If matplotlib is not installed.
        OSError: If the file cannot be written; one that existed is unchanged then.
    """
    if not curves:
        raise ValueError("curves=[] is empty: give at least one curve to draw")
    check_format(path)
    measured = any(curve.measured is not None for curve in curves)
    figure = new_figure(6.0 if measured else 4.05)
    panels: Sequence[Axes] = np.atleast_1d(
        figure.subplots(2 if measured else 1, 1, sharex=True, height_ratios=[3, 1][: 1 + measured])
    ).tolist()
    for number, curve in enumerate(curves):
        _draw(panels, curve, COLOURS[number % len(COLOURS)])
    losses = np.concatenate([c.prediction.loss[len(c.prediction.loss) // 10 :] for c in curves])
    low, high = float(losses.min()), float(losses.max())
    panels[0].set_ylim(low - 0.15 * (high - low), high + 0.1 * (high - low))
    panels[0].set_ylabel("loss (nats)", color=SOFT)
    panels[0].legend(frameon=False, labelcolor=INK)
    if measured:
        panels[1].set_ylabel("measured - predicted", color=SOFT)
        panels[1].axhline(0, color=SOFT, linewidth=0.8)
    for axes in panels:
        dress(axes)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    panels[-1].set_xlabel("step", color=SOFT)
    if path is not None:
        write_figure(figure, Path(path))
    return figure


def _draw(panels: Sequence[Axes], curve: Drawn, colour: str) -> None:
    seen, run = curve.prediction, curve.measured
    panels[0].fill_between(seen.steps, seen.low, seen.high, color=colour, alpha=0.15, linewidth=0)
    panels[0].plot(seen.steps, seen.loss, color=colour, linewidth=2, label=printable(curve.name))
    if run is None:
        return
    panels[0].plot(run.steps, run.losses, ".", color=colour, markersize=3, alpha=0.6)
    at = np.interp(run.steps, seen.steps, seen.loss)
    panels[1].plot(run.steps, run.losses - at, color=colour, linewidth=1)
