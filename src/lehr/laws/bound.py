"""The convex bound on the loss of a schedule, and the peak rates that it favours.

Schaipp et al. 2025, arXiv 2501.18965, in a form whose terms are all positive:

    Omega(T) = D^2 / (2 S_T) + q_T / (2 eta_T) + 1/2 sum_{k<T} q_k / (S_T - S_k)

bounds the excess over the minimum, after T updates, of the last iterate of (sub)gradient descent on
a convex function, with eta_k the rate of update k, S_T the sum of the rates up to update T, ``q_k =
eta_k^2 G_k^2``, G_k the norm of the gradient at update k and D the distance to the minimum. With
``eta = gamma h`` it is ``t1 / gamma + gamma t2``, so the best peak is ``sqrt(t1 / t2)``, where the
bound is ``2 sqrt(t1 t2)``. It ranks schedules and compares their best peaks; it does not predict a
loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lehr.laws.runs import Floats, Ints, LawError, rates_of
from lehr.schedule.base import Schedule

_LEAF = 192
"""The number of updates that are summed one by one."""

_NODES = 12
"""The number of nodes that replace the updates of a sufficiently distant block."""

_FAR = 0.5
"""The sufficient distance, as a fraction of the block's extent."""


@dataclass(frozen=True, eq=False)
class Bound:
    """The convex bound of a schedule.

    Arguments:
        steps: The numbers of updates after which it was evaluated: those with a rate above 0.
        distance: t1 after each of them, at peak 1.
        noise: t2 after each of them, at peak 1.
    """

    steps: Ints
    distance: Floats
    noise: Floats

    @property
    def best_peak(self) -> float:
        """The peak rate that is best at the end, for D = G = 1."""
        return float(np.sqrt(self.distance[-1] / self.noise[-1]))

    @property
    def best(self) -> float:
        """The bound at the end with that peak."""
        return float(2 * np.sqrt(self.distance[-1] * self.noise[-1]))

    def curve(self, peak: float | None = None) -> Floats:
        """Return the bound after each step, for the given or the best peak rate."""
        peak = self.best_peak if peak is None else peak
        return self.distance / peak + peak * self.noise

    def relative_peak(self, other: Bound) -> float:
        """Return the ratio of the best peak to another schedule's."""
        return self.best_peak / other.best_peak


def bound(
    schedule: str | Schedule | Floats,
    steps: int | None = None,
    *,
    norms: ArrayLike | None = None,
    whole: bool = True,
) -> Bound:
    """Return the convex bound of a schedule.

    Arguments:
        schedule: A schedule or its text; or the rate of every update.
        steps: The number of updates.
        norms: The norm of the gradient at every update, in any unit; by default all equal.
        whole: Whether to evaluate it after every update, which takes T log T operations, or only
            after the last, which takes T.

    Raises:
        LawError: If the schedule gives no rates, or the norms are not above 0 or not one per
            update.

    Example:
        >>> import lehr.laws
        >>> linear = lehr.laws.bound("linear()", 1000, whole=False)
        >>> cosine = lehr.laws.bound("cosine()", 1000, whole=False)
        >>> round(cosine.relative_peak(linear), 2)
        0.97
    """
    rates = rates_of(schedule, steps, 1.0)
    peak = float(rates.max())
    updates = np.flatnonzero(rates > 1e-12 * peak)
    if not len(updates):
        raise LawError("the schedule has no rate above 0")
    h = rates[updates] / peak
    sums = np.cumsum(h)
    masses = h**2 * _squares(norms, len(rates))[updates]
    if whole:
        tails = _tails(sums, masses)
    else:
        updates, tails = updates[-1:], np.array([np.sum(masses[:-1] / (sums[-1] - sums[:-1]))])
        sums, h, masses = sums[-1:], h[-1:], masses[-1:]
    return Bound(updates + 1, 1 / (2 * sums), masses / h / 2 + tails / 2)


def _squares(norms: ArrayLike | None, count: int) -> Floats:
    """Return the squares of the norms, with a mean of 1."""
    if norms is None:
        return np.ones(count)
    found = np.asarray(norms, np.float64)
    if found.shape != (count,):
        raise LawError(f"norms has {found.size} numbers for {count} updates")
    if not np.isfinite(found).all() or (found <= 0).any():
        raise LawError("norms must be finite and above 0")
    return found**2 / np.mean(found**2)


def _tails(sums: Floats, masses: Floats) -> Floats:
    """Return sum_{k<T} masses[k] / (sums[T] - sums[k]) for every T.

    Blocks of updates that lie far behind T, compared with their extent, are replaced by a few nodes
    (barycentric weights at Chebyshev points, as in a fast multipole method); near updates are
    summed one by one.
    """
    count = len(sums)
    tree = _Blocks(sums, masses)
    result = np.empty(count)
    for low in range(0, count, _LEAF):
        high = min(count, low + _LEAF)
        nodes, weights, first = tree.before(low)
        targets = sums[low:high]
        total = (1 / (targets[:, None] - nodes)) @ weights
        total += (1 / (targets[:, None] - sums[first:low])) @ masses[first:low]
        gaps = targets[:, None] - targets
        near = np.tril(np.ones_like(gaps, dtype=bool), -1)
        total += np.divide(1.0, gaps, out=np.zeros_like(gaps), where=near) @ masses[low:high]
        result[low:high] = total
    return result


class _Blocks:
    """Blocks of updates, each replaced by a few nodes."""

    def __init__(self, sums: Floats, masses: Floats) -> None:
        self._sums = sums
        self._masses = masses
        angles = np.pi * (2 * np.arange(_NODES) + 1) / (2 * _NODES)
        self._points = np.cos(angles)
        self._signs = (-1.0) ** np.arange(_NODES) * np.sin(angles)
        self._known: dict[tuple[int, int], tuple[Floats, Floats]] = {}

    def before(self, target: int) -> tuple[Floats, Floats, int]:
        """Return nodes and weights for the updates before a target, up to the first near one."""
        nodes, weights = [np.empty(0)], [np.empty(0)]
        first = 0
        while size := self._largest(first, target):
            node, weight = self._block(first, first + size)
            nodes.append(node)
            weights.append(weight)
            first += size
        return np.concatenate(nodes), np.concatenate(weights), first

    def _largest(self, first: int, target: int) -> int:
        """Return the size of the largest far block that begins at an update; 0 if there is none."""
        size = _LEAF // 8
        best = 0
        while first % size == 0 and first + size <= target:
            begin, end = self._sums[first], self._sums[first + size - 1]
            if self._sums[target] - end < _FAR * (end - begin):
                break
            best = size
            size *= 2
        return best

    def _block(self, first: int, last: int) -> tuple[Floats, Floats]:
        """Return the nodes of a block, and the weight of each."""
        if (first, last) not in self._known:
            sums, masses = self._sums[first:last], self._masses[first:last]
            middle, half = (sums[0] + sums[-1]) / 2, max((sums[-1] - sums[0]) / 2, 1e-300)
            gaps = (sums - middle)[:, None] / half - self._points
            hit = np.abs(gaps) < 1e-14
            gaps = np.where(hit, 1e-14, gaps)
            shares = self._signs / gaps
            shares /= shares.sum(axis=1, keepdims=True)
            self._known[first, last] = (middle + half * self._points, masses @ shares)
        return self._known[first, last]
