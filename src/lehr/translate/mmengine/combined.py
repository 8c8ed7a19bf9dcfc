"""Several schedulers of mmengine on one number: each goes on from what the others left."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Sequence
from typing import Final

from lehr.schedule.base import Schedule
from lehr.schedule.leaves import formula, hold, table
from lehr.translate.mmengine.windows import Effect, placed
from lehr.translate.pieces import scaled, then

# Up to this many steps without a formula are written as a table.
_MANY: Final = 10_000


def together(effects: Sequence[Effect]) -> Schedule:
    """Return 1 as the schedulers change it, in the order in which they are stepped.

    If all only multiply, that is their product. Others are followed from one start or end of a
    window to the next: a scheduler that acts alone has its own curve from the level that it finds,
    and where several act at once and one has a floor, the values are computed step by step.
    """
    factors = [effect.factor for effect in effects]
    if len(effects) == 1:
        curve = effects[0].alone(0, 1.0)
        assert curve is not None  # from its first step on each has a formula
        return placed(effects[0], curve)
    known = [factor for factor in factors if factor is not None]
    if len(known) == len(effects):
        return _product(
            [placed(effect, factor) for effect, factor in zip(effects, known, strict=True)]
        )
    parts: list[Schedule] = []
    level = 1.0
    for begin, end in itertools.pairwise([*_boundaries(effects), None]):
        assert begin is not None
        active = [
            effect
            for effect in effects
            if effect.begin <= begin and (effect.end is None or begin < effect.end)
        ]
        curve = _stretch(active, begin, end, level)
        if end is not None:
            level = curve(end - begin - 1)
            curve = curve if curve.length == end - begin else curve[: end - begin]
        parts.append(curve)
    return then(parts)


def _boundaries(effects: Sequence[Effect]) -> list[int]:
    """Return the steps at which a scheduler begins, begins anew or ends."""
    steps = {0}
    for effect in effects:
        starts = (effect.begin + start for start in effect.starts)
        steps |= {start for start in starts if effect.end is None or start < effect.end}
        if effect.end is not None:
            steps.add(effect.end)
    return sorted(steps)


def _stretch(active: Sequence[Effect], begin: int, end: int | None, level: float) -> Schedule:
    """Return the curve from one boundary to the next, from the level before it."""
    if not active:
        return hold(None if end is None else end - begin, at=level)
    if len(active) == 1:
        curve = active[0].alone(begin - active[0].begin, level)
        if curve is not None:
            return curve
    factors = [effect.factor for effect in active]
    known = [factor for factor in factors if factor is not None]
    if len(known) == len(active):
        product = _multiplied(active, known, begin, level)
        if product is not None:
            return product
    values = _SteppedValues(active, begin, level)
    if end is None or end - begin > _MANY:
        return formula(values, low=min(effect.low for effect in active))
    return table([values(t) for t in range(end - begin)])


def _multiplied(
    active: Sequence[Effect], factors: Sequence[Schedule], begin: int, level: float
) -> Schedule | None:
    """Return the product of factors on a level; None if one has multiplied by 0 before."""
    since = [begin - effect.begin for effect in active]
    before = [factor(n - 1) if n else 1.0 for factor, n in zip(factors, since, strict=True)]
    left = functools.reduce(operator.mul, before)
    if left == 0:
        return None
    product = _product(
        [factor[n:] if n else factor for factor, n in zip(factors, since, strict=True)]
    )
    return scaled(product, level / left)


def _product(factors: Sequence[Schedule]) -> Schedule:
    return functools.reduce(operator.mul, factors)


class _SteppedValues:
    """The values of several schedulers from a level on, computed as far as they are needed."""

    def __init__(self, active: Sequence[Effect], begin: int, level: float) -> None:
        self._active, self._begin, self._level = list(active), begin, level
        self._values: list[float] = []

    def __call__(self, t: float) -> float:
        while len(self._values) <= t:
            value = self._values[-1] if self._values else self._level
            step = self._begin + len(self._values)
            for effect in self._active:
                value = effect.apply(step - effect.begin, value)
            self._values.append(value)
        return self._values[int(t)]
