"""keras: every schedule of ``keras.optimizers.schedules``, with its own arguments.

The values are rates. ``CosineDecay`` counts its ``decay_steps`` from the end of the warmup;
``PiecewiseConstantDecay`` keeps a value up to its boundary and that step included; the staircases
fall at each multiple of ``decay_steps``. keras computes with 32 bits; these do not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from lehr.catalogue.cyclic import polynomial_cycle, warm_restarts
from lehr.catalogue.decay.elementary import inverse
from lehr.errors import ScheduleError, number, whole
from lehr.schedule.leaves import hold
from lehr.translate import pieces
from lehr.translate.pieces import decayed, go, polynomial, rates
from lehr.translate.registry import Translation, ignores, translates

ignores("keras", "name")

_MISSES: Final = (
    "keras looks for restarts with 32 bits and, when t_mul is not whole, misses on some of its "
    "backends one that falls on a whole step: that step then has the end of the cycle before; "
    "here the new cycle begins"
)


@translates("keras", "ExponentialDecay")
def _exponential(
    *, initial_learning_rate: float, decay_steps: float, decay_rate: float, staircase: bool = False
) -> Translation:
    length = _length("decay_steps", decay_steps)
    start = initial_learning_rate
    return rates(decayed(decay_rate, every=length, start=start, stairs=staircase))


@translates("keras", "PiecewiseConstantDecay")
def _piecewise_constant(*, boundaries: Sequence[float], values: Sequence[float]) -> Translation:
    if not boundaries or len(values) != len(boundaries) + 1:
        raise ScheduleError(
            f"boundaries={list(boundaries)!r}, values={list(values)!r}: write one value more, and "
            "at least one boundary"
        )
    if sorted(boundaries) != list(boundaries):
        raise ScheduleError(f"boundaries={list(boundaries)!r} must be in rising order")
    after = [math.floor(number("boundaries", boundary)) + 1 for boundary in boundaries]
    return rates(pieces.staircase([max(begin, 0) for begin in after], values))


@translates("keras", "PolynomialDecay")
def _polynomial(
    *,
    initial_learning_rate: float,
    decay_steps: float,
    end_learning_rate: float = 1e-4,
    power: float = 1.0,
    cycle: bool = False,
) -> Translation:
    length = _length("decay_steps", decay_steps)
    if cycle and power != 0 and initial_learning_rate != end_learning_rate:
        return rates(
            polynomial_cycle(
                whole("decay_steps", decay_steps, at_least=1),
                power=power,
                floor=end_learning_rate,
                peak=initial_learning_rate,
            )
        )
    start, to = initial_learning_rate, end_learning_rate
    return rates(polynomial(length, power, frm=start, to=to))


@translates("keras", "InverseTimeDecay")
def _inverse_time(
    *, initial_learning_rate: float, decay_steps: float, decay_rate: float, staircase: bool = False
) -> Translation:
    length = _length("decay_steps", decay_steps)
    rate = number("decay_rate", decay_rate, at_least=0)
    if rate == 0:
        return rates(hold(at=initial_learning_rate))
    body = inverse(Fraction(length) / Fraction(str(rate)), power=1.0, start=initial_learning_rate)
    return rates(body.every(length) if staircase else body)


@translates("keras", "CosineDecay")
def _cosine(
    *,
    initial_learning_rate: float,
    decay_steps: float,
    alpha: float = 0.0,
    warmup_target: float | None = None,
    warmup_steps: float = 0,
) -> Translation:
    length = _length("decay_steps", decay_steps)
    if warmup_target is None:
        floor = initial_learning_rate * alpha
        return rates(go(length, frm=initial_learning_rate, to=floor, ease="cosine"))
    rise = pieces.steps("warmup_steps", warmup_steps)
    before = go(rise, frm=initial_learning_rate, to=warmup_target)
    return rates(before >> go(length, frm=warmup_target, to=warmup_target * alpha, ease="cosine"))


@translates("keras", "CosineDecayRestarts")
def _cosine_restarts(
    *,
    initial_learning_rate: float,
    first_decay_steps: float,
    t_mul: float = 2.0,
    m_mul: float = 1.0,
    alpha: float = 0.0,
) -> Translation:
    first = _length("first_decay_steps", first_decay_steps)
    if alpha == 1 or initial_learning_rate == 0:
        return rates(hold(at=initial_learning_rate))
    # m_mul lowers the height above the floor, not the floor.
    floor = initial_learning_rate * alpha
    if m_mul == 0:
        return rates(go(first, frm=initial_learning_rate, to=floor, ease="cosine"))
    body = warm_restarts(first, t_mul, decay=m_mul, floor=floor, peak=initial_learning_rate)
    return rates(body) if t_mul == int(t_mul) else rates(body, _MISSES)


def _length(name: str, value: float) -> int | Fraction:
    length = pieces.steps(name, value)
    if length == 0:
        raise ScheduleError(f"{name}={value!r} must be greater than 0")
    return length
