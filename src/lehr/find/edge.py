"""The edge of a curve of short runs, and the peak below it.

Rates are whole quarters of a decade: rung n of a curve is the rate ``10 ** (n / 4)``. A curve has
the loss at the end of the run at each rung, infinite for a run that was stopped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from lehr.find.suggestion import DecidedBy

__all__ = ["EDGE", "HALF_LOST", "QUARTERS", "Curve", "Peak", "best", "crossing", "lost", "peak"]

QUARTERS = 4
"""Rungs in a decade."""

EDGE, SOFT, HALF_LOST = 0.3, 0.1, 0.5
"""Shares of the progress: lost at the edge, lost where it begins to be, and half."""

# Distances below the two edges, in decades; by decade of the run's length; for a steady rate.
_MARGIN, _SOFT_MARGIN, _DRIFT, _STEADY = 0.4, 0.3, 0.2, 0.3

Curve = Mapping[int, float]


def best(curve: Curve) -> int:
    """Return the rung with the lowest loss, the lowest of several."""
    return min(sorted(curve), key=curve.__getitem__)


def lost(curve: Curve, start: float) -> dict[int, float]:
    """Return the share of the progress that is lost at each rung, by ascending rung.

    Arguments:
        curve: The losses.
        start: The loss before training.

    Example:
        >>> lost({0: 1.0, 1: 1.5, 2: math.inf}, 2.0)
        {0: 0.0, 1: 0.5, 2: 1.0}
    """
    low = min(curve.values())
    progress = max(start - low, 1e-300)
    return {
        rung: min(1.0, max(0.0, (loss - low) / progress)) if math.isfinite(loss) else 1.0
        for rung, loss in sorted(curve.items())
    }


def crossing(shares: Mapping[int, float], level: float) -> float | None:
    """Return where the lost share first reaches a level, right of the best rung.

    Returns:
        The place in rungs, between two of them by a straight line; None if it is never reached.

    Example:
        >>> crossing({0: 0.5, 2: 0.0, 4: 0.2, 6: 0.4}, 0.3)
        5.0
    """
    rungs = sorted(shares)
    low = min(rungs, key=shares.__getitem__)
    for a, b in pairwise(rung for rung in rungs if rung >= low):
        if shares[a] < level <= shares[b]:
            return a + (b - a) * (level - shares[a]) / (shares[b] - shares[a])
    return None


class Peak(NamedTuple):
    """A peak in decades (the logarithm of the rate), and which edge decided."""

    decades: float
    decided_by: DecidedBy


def peak(edge: float, soft: float, stretch: float, *, decays: bool, adaptive: bool | None) -> Peak:
    """Return the peak below the two edges.

    The rate at which a long run breaks is lower than that of a short one, by about a fifth of a
    decade for each factor of ten in length. Under a steady rate, optimizers that divide by the
    scale of the gradients want another third of a decade; SGD does not.

    Arguments:
        edge: Where short runs lose their progress, in rungs.
        soft: Where they begin to, in rungs.
        stretch: The length of the planned run over that of the short ones, at least 1.
        decays: Whether the schedule ends below half of its peak.
        adaptive: Whether the optimizer divides by a scale of the gradients; None is as True.
    """
    steady = 0.0 if decays or adaptive is False else _STEADY
    hard = edge / QUARTERS - _MARGIN - _DRIFT * math.log10(stretch) - steady
    gentle = soft / QUARTERS - _SOFT_MARGIN
    return Peak(gentle, "soft edge") if gentle < hard else Peak(hard, "edge")
