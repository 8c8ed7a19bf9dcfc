"""The edge of a curve of short runs.

Rates are whole quarters of a decade: rung n of a curve is the rate ``10 ** (n / 4)``. A curve has,
for each rung, the loss at the end of its run, which is infinite if the run was stopped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from statistics import fmean, median

QUARTERS = 4
"""Rungs in a decade."""

EDGE, SOFT, HALF_LOST = 0.3, 0.1, 0.5
"""Shares of the progress: lost at the edge, lost where losing begins, and half."""

_UNHARMED = 0.05  # share of the progress
_LEAST_BROKEN, _BROKEN = 0.04, 0.15  # shares of the progress at which a broken network may end
_SEEN = 2.5  # times the scatter, for a loss that clearly exceeds it


def rate_of(rung: int) -> float:
    """Return the rate at a rung."""
    return 10 ** (rung / QUARTERS)


def best(curve: Mapping[int, float]) -> int:
    """Return the rung with the lowest loss; on a tie, the lowest rung."""
    return min(sorted(curve), key=curve.__getitem__)


def lost(curve: Mapping[int, float], low: float, progress: float) -> dict[int, float]:
    """Return the share of the progress that is lost at each rung, in ascending order of rungs.

    Nothing is lost at the loss ``low``, and everything ``progress`` above it.

    Example:
        >>> lost({0: 1.0, 1: 1.5, 2: math.inf}, 1.0, 1.0)
        {0: 0.0, 1: 0.5, 2: 1.0}
    """
    return {
        rung: min(1.0, max(0.0, (loss - low) / progress)) if math.isfinite(loss) else 1.0
        for rung, loss in sorted(curve.items())
    }


def crossing(shares: Mapping[int, float], level: float) -> float | None:
    """Return where the lost share first reaches a level, right of the best rung.

    It is interpolated between rungs; None if the level is never reached.

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


def reach(shares: Mapping[int, float], level: float) -> float:
    """Return up to which rung rates keep their progress.

    It is the area under the share kept, to the right of the best rung, where a rate counts as
    keeping nothing once twice the level is lost. If the loss rises evenly, this is the point where
    it crosses the level; but no single run decides, and a small change in a loss moves the edge
    only a little. Above the highest rung everything counts as lost, so if the budget ends before
    the edge, the edge is placed as near as possible.

    Example:
        >>> reach({0: 0.0, 1: 0.3, 2: 0.6}, 0.3), reach({0: 0.0, 2: 1.0}, 0.3), reach({0: 0.0}, 0.3)
        (1.0, 1.0, 0.5)
    """
    rungs = sorted(shares)
    low = min(rungs, key=shares.__getitem__)
    kept = {rung: max(0.0, 1 - shares[rung] / (2 * level)) for rung in rungs if rung >= low}
    kept[rungs[-1] + 1] = 0.0
    return low + sum((b - a) * (kept[a] + kept[b]) / 2 for a, b in pairwise(kept))


def pooled(parts: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """Return the mean share at each rung, over the batches on which it was measured."""
    return {
        rung: fmean(shares[rung] for shares in parts if rung in shares)
        for rung in sorted({rung for shares in parts for rung in shares})
    }


def ramp(value: float, full: float, none: float) -> float:
    """Return 1 at ``full`` or beyond, 0 at ``none`` or beyond, and a straight line in between.

    Example:
        >>> ramp(2.0, 1.0, 3.0), ramp(0.5, 1.0, 3.0), ramp(9.0, 1.0, 3.0)
        (0.5, 1.0, 0.0)
    """
    return 1.0 if full == none else min(1.0, max(0.0, (value - none) / (full - none)))


def breaks_at_once(parts: Sequence[Mapping[int, float]], exploded: Callable[[int], bool]) -> float:
    """Return, from 0 to 1, how abruptly runs go from working at one rung to exploding at the next.

    It is 1 if almost nothing is lost below the explosion on most batches, and 0 if more is lost or
    nothing explodes. ``parts`` are the lost shares on each set of batches; ``exploded`` returns
    whether the run at a rung exploded on the first set.
    """
    edge = crossing(parts[0], EDGE)
    if edge is None:
        return 0.0
    below = max(rung for rung in parts[0] if rung < edge)
    if below + 1 not in parts[0] or not exploded(below + 1):
        return 0.0
    return median(
        ramp(part[below], _UNHARMED, 2 * _UNHARMED) * (part.get(below + 1, 1.0) >= EDGE)
        for part in parts
        if below in part
    )


def early(shorter: Mapping[int, float], noise: float) -> tuple[float, int]:
    """Return how close shorter runs come to longer ones, and the lowest rung that comes as far.

    The first is 1 if they get as far to within a tenth and the noise, and 0 if they fall short by
    twice as much. ``shorter`` is the share of the longer runs' progress by which the shorter ones
    fall short, and ``noise`` the scatter of the loss between batches as a share of that progress.
    """
    least, near = min(shorter.values()), SOFT + noise
    degree = ramp(least, near, 2 * near)
    return degree, min(rung for rung, share in shorter.items() if share <= max(least, near))


def of_the_rest(
    shares: Mapping[int, float], highest: float, scatter: float, degree: float
) -> dict[int, float]:
    """Return the lost shares of the progress beyond that of a broken network.

    If a network begins far from the mean of its targets, learning that mean is nearly all of its
    progress, and even a network broken by a high rate learns it. So only the rest counts, to a
    degree from 0 to 1: ``highest`` is the highest share among runs above the best rate that end
    below where they began, and ``scatter`` the scatter of the losses at the end of the best run, as
    a share.
    """
    degree *= ramp(highest, _BROKEN, EDGE) * ramp(highest, 1.5 * _SEEN * scatter, _SEEN * scatter)
    scale = min(1.0, max(highest, _LEAST_BROKEN)) ** degree
    return {rung: min(1.0, share / scale) for rung, share in shares.items()}
