"""The edge of a curve of short runs, and the peak below it.

Rates are whole quarters of a decade: rung n of a curve is the rate ``10 ** (n / 4)``. A curve has
the loss at the end of the run at each rung, infinite for a run that was stopped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from lehr.find.suggestion import DecidedBy

__all__ = [
    "EDGE",
    "HALF_LOST",
    "QUARTERS",
    "Curve",
    "Edges",
    "Peak",
    "as_far",
    "best",
    "breaks_at_once",
    "crossing",
    "edge_near",
    "lost",
    "rate_of",
]

QUARTERS = 4
"""Rungs in a decade."""

EDGE, SOFT, HALF_LOST = 0.3, 0.1, 0.5
"""Shares of the progress: lost at the edge, lost where it begins to be, and half."""

# Distances below the two edges, in decades; by decade of the run's length; for other cases.
_MARGIN, _SOFT_MARGIN, _DRIFT = 0.6, 0.3, 0.2
_STEADY_PLAIN, _STABLE = 0.1, 0.3

_UNHARMED = 0.15  # share of the progress

Curve = Mapping[int, float]


def rate_of(rung: int) -> float:
    """Return the rate at a rung."""
    return 10 ** (rung / QUARTERS)


def best(curve: Curve) -> int:
    """Return the rung with the lowest loss, the lowest of several."""
    return min(sorted(curve), key=curve.__getitem__)


def lost(curve: Curve, start: float, low: float | None = None) -> dict[int, float]:
    """Return the share of the progress that is lost at each rung, by ascending rung.

    Arguments:
        curve: The losses.
        start: The loss before training.
        low: The loss at which nothing is lost; by default, the lowest of the curve.

    Example:
        >>> lost({0: 1.0, 1: 1.5, 2: math.inf}, 2.0)
        {0: 0.0, 1: 0.5, 2: 1.0}
    """
    low = min(curve.values()) if low is None else low
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


def edge_near(shares: Mapping[int, float]) -> float:
    """Return the edge of a few neighbouring rungs, in rungs.

    Beyond them a run is taken to work below, and to lose everything above: a search whose budget
    ends before it reaches the edge counts it where it can be at the nearest.

    Example:
        >>> edge_near({0: 0.0, 1: 0.6}), edge_near({0: 0.1}), edge_near({0: 0.6})
        (0.5, 0.2222222222222222, -0.5)
    """
    low, high = min(shares), max(shares)
    below = {low - 1: 0.0} if shares[low] >= EDGE else {}
    above = {high + 1: 1.0} if shares[high] < EDGE else {}
    edge = crossing({**below, **shares, **above}, EDGE)
    assert edge is not None
    return edge


def breaks_at_once(shares: Mapping[int, float], exploded: Callable[[int], bool]) -> bool:
    """Return whether runs work up to one rung, and explode at the next.

    Arguments:
        shares: The share of the progress that is lost at each rung.
        exploded: Whether the run at a rung did.
    """
    edge = crossing(shares, EDGE)
    if edge is None:
        return False
    below = max(rung for rung in shares if rung < edge)
    return shares[below] < _UNHARMED and below + 1 in shares and exploded(below + 1)


def as_far(shorter: Curve, longer: Curve, start: float, noise: float) -> int | None:
    """Return the lowest rung at which a shorter run gets as far as the longer ones; None if none.

    Arguments:
        shorter: The losses of the shorter runs.
        longer: Those of the longer ones.
        start: The loss before training.
        noise: The scatter of the loss between batches, of which the end of a run has two or more.
    """
    low = min(longer.values())
    near = low + SOFT * (start - low) + noise / math.sqrt(2)
    return min((rung for rung, loss in shorter.items() if loss < near), default=None)


class Peak(NamedTuple):
    """A peak in decades (the logarithm of the rate), and which edge decided."""

    decades: float
    decided_by: DecidedBy


@dataclass(frozen=True)
class Edges:
    """The edges of a network under a schedule.

    Attributes:
        hard: Where short runs lose their progress, in rungs.
        soft: Where they begin to, in rungs.
        at_once: Whether they work up to the edge, and explode just above it.
        decays: Whether the schedule ends below half of its peak.
        adaptive: Whether the optimizer divides by a scale of the gradients; None is as True.
    """

    hard: float
    soft: float
    at_once: bool
    decays: bool
    adaptive: bool | None

    def peak(self, stretch: float) -> Peak:
        """Return the peak below the edges.

        The rate at which a long run breaks is lower than that of a short one, by about a fifth of a
        decade for each factor of ten in length. Plain SGD wants less room where the rate is steady:
        its short runs find the edge lower then. It wants still less where runs explode at once, as
        those with a squared loss do: that is the limit of stability, 2 over the curvature for plain
        gradient descent, which does not depend on the length of a run.

        Arguments:
            stretch: The length of the planned run over that of the short ones, at least 1.
        """
        margin = _MARGIN + _DRIFT * math.log10(stretch)
        if self.adaptive is False:
            margin -= _STABLE if self.at_once else 0.0 if self.decays else _STEADY_PLAIN
        hard, gentle = self.hard / QUARTERS - margin, self.soft / QUARTERS - _SOFT_MARGIN
        return Peak(gentle, "soft edge") if gentle < hard else Peak(hard, "edge")
