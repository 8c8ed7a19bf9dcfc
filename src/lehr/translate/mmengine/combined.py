"""Several schedulers of mmengine on one number: each goes on from what the others left."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Sequence
from typing import Final

from lehr.schedule.base import Schedule
from lehr.schedule.leaves import formula, hold, table
from lehr.translate.mmengine.windows import Change, placed
from lehr.translate.pieces import scaled, then

__all__ = ["together"]

# Up to here, steps without a formula are written as a table.
_MANY: Final = 10_000


def together(changes: Sequence[Change]) -> Schedule:
    """Return what schedulers make of 1, in the order in which they are stepped.

    Those that only multiply are their product. Others are followed from one begin or end of a
    window to the next: a scheduler that acts alone has its own curve from the level that it finds,
    and where several act at once and one has a floor, the values are computed step by step.
    """
    factors = [change.factor for change in changes]
    if len(changes) == 1:
        curve = changes[0].alone(0, 1.0)
        assert curve is not None  # from its first step on each has a formula
        return placed(changes[0], curve)
    known = [factor for factor in factors if factor is not None]
    if len(known) == len(changes):
        return _product(
            [placed(change, factor) for change, factor in zip(changes, known, strict=True)]
        )
    parts: list[Schedule] = []
    level = 1.0
    for begin, end in itertools.pairwise([*_boundaries(changes), None]):
        assert begin is not None
        active = [
            change
            for change in changes
            if change.begin <= begin and (change.end is None or begin < change.end)
        ]
        curve = _stretch(active, begin, end, level)
        if end is not None:
            level = curve(end - begin - 1)
            curve = curve if curve.length == end - begin else curve[: end - begin]
        parts.append(curve)
    return then(parts)


def _boundaries(changes: Sequence[Change]) -> list[int]:
    """Return the steps at which a scheduler begins, begins anew or ends."""
    steps = {0}
    for change in changes:
        starts = (change.begin + start for start in change.starts)
        steps |= {start for start in starts if change.end is None or start < change.end}
        if change.end is not None:
            steps.add(change.end)
    return sorted(steps)


def _stretch(active: Sequence[Change], begin: int, end: int | None, level: float) -> Schedule:
    """Return the curve from one boundary to the next, from the level before it."""
    if not active:
        return hold(None if end is None else end - begin, at=level)
    if len(active) == 1:
        curve = active[0].alone(begin - active[0].begin, level)
        if curve is not None:
            return curve
    factors = [change.factor for change in active]
    known = [factor for factor in factors if factor is not None]
    if len(known) == len(active):
        return _multiplied(active, known, begin, level)
    values = _Stepped(active, begin, level)
    if end is None or end - begin > _MANY:
        return formula(values, low=0.0)
    return table([values(t) for t in range(end - begin)])


def _multiplied(
    active: Sequence[Change], factors: Sequence[Schedule], begin: int, level: float
) -> Schedule:
    since = [begin - change.begin for change in active]
    before = [factor(n - 1) if n else 1.0 for factor, n in zip(factors, since, strict=True)]
    left = functools.reduce(operator.mul, before)
    if left == 0:
        return hold(at=level)
    product = _product(
        [factor[n:] if n else factor for factor, n in zip(factors, since, strict=True)]
    )
    return scaled(product, level / left)


def _product(factors: Sequence[Schedule]) -> Schedule:
    return functools.reduce(operator.mul, factors)


class _Stepped:
    """The values of several schedulers, computed in turn as far as they are needed.

    Arguments:
        active: The schedulers, in the order in which they are stepped.
        begin: The first step.
        level: The value before it.
    """

    def __init__(self, active: Sequence[Change], begin: int, level: float) -> None:
        self._active, self._begin, self._level = list(active), begin, level
        self._values: list[float] = []

    def __call__(self, t: float) -> float:
        while len(self._values) <= t:
            value = self._values[-1] if self._values else self._level
            step = self._begin + len(self._values)
            for change in self._active:
                value = change.apply(step - change.begin, value)
            self._values.append(value)
        return self._values[int(t)]
