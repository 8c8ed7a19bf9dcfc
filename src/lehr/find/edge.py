"""The edge of a curve of short runs.

Rates are whole quarters of a decade: rung n of a curve is the rate ``10 ** (n / 4)``. A curve has
the loss at the end of the run at each rung, infinite for a run that was stopped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from statistics import fmean, median

QUARTERS = 4
"""Rungs in a decade."""

EDGE, SOFT, HALF_LOST = 0.3, 0.1, 0.5
"""Shares of the progress: lost at the edge, lost where it begins to be, and half."""

_UNHARMED = 0.05  # share of the progress
_LEAST_BROKEN, _BROKEN = 0.04, 0.15  # shares of the progress, at which a broken network may end
_SEEN = 2.5  # times the scatter: a loss that exceeds it clearly


def rate_of(rung: int) -> float:
    """Return the rate at a rung."""
    return 10 ** (rung / QUARTERS)


def best(curve: Mapping[int, float]) -> int:
    """Return the rung with the lowest loss, the lowest of several."""
    return min(sorted(curve), key=curve.__getitem__)


def lost(curve: Mapping[int, float], low: float, progress: float) -> dict[int, float]:
    """Return the share of some progress that is lost at each rung, by ascending rung.

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

    Between two rungs it is interpolated. None if the level is never reached.

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
    """Return how far up the rates keep their progress, in rungs.

    It is the area under the share that is kept, right of the best rung, where a rate keeps nothing
    once twice the level is lost. Where the loss rises evenly, that is where it crosses the level;
    but no single run decides, and a small change of a loss moves the edge by little. Above the
    highest rung all counts as lost: a search whose budget ends before the edge counts it at the
    nearest.

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
    """Return the mean share at each rung over the batches on which it was measured."""
    return {
        rung: fmean(shares[rung] for shares in parts if rung in shares)
        for rung in sorted({rung for shares in parts for rung in shares})
    }


def ramp(value: float, full: float, none: float) -> float:
    """Return 1 at one value or beyond, 0 at another, and between them a straight line.

    Example:
        >>> ramp(2.0, 1.0, 3.0), ramp(0.5, 1.0, 3.0), ramp(9.0, 1.0, 3.0)
        (0.5, 1.0, 0.0)
    """
    return 1.0 if full == none else min(1.0, max(0.0, (value - none) / (full - none)))


def breaks_at_once(parts: Sequence[Mapping[int, float]], exploded: Callable[[int], bool]) -> float:
    """Return how far runs work up to one rung, and explode at the next, from 0 to 1.

    It is 1 if next to nothing is lost below the explosion on most batches, and 0 if more is lost or
    nothing explodes. ``parts`` are the lost shares on each of the batches; ``exploded`` returns
    whether the run at a rung exploded on the first of them.
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
    """Return how nearly shorter runs get as far as longer ones, and the lowest rung that does.

    The first is 1 if they get as far but for a tenth and the noise, and 0 if they lack twice as
    much. ``shorter`` is the share of the longer runs' progress that the shorter ones lack, and
    ``noise`` the scatter of the loss between batches as a share of it.
    """
    least, near = min(shorter.values()), SOFT + noise
    degree = ramp(least, near, 2 * near)
    return degree, min(rung for rung, share in shorter.items() if share <= max(least, near))


def of_the_rest(
    shares: Mapping[int, float], highest: float, scatter: float, degree: float
) -> dict[int, float]:
    """Return the shares that are lost of what is learned beyond a broken network.

    A network that begins far from the mean of its targets falls by nearly all of its progress when
    it learns that mean, and so does one that a high rate has broken. Only the rest counts, all the
    more the higher the degree, from 0 to 1: ``highest`` is the highest share among runs above the
    best rate that end below where they began, and ``scatter`` that of the losses at the end of the
    best run, as a share.
    """
    degree *= ramp(highest, _BROKEN, EDGE) * ramp(highest, 1.5 * _SEEN * scatter, _SEEN * scatter)
    scale = min(1.0, max(highest, _LEAST_BROKEN)) ** degree
    return {rung: min(1.0, share / scale) for rung, share in shares.items()}
