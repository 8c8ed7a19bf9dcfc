"""keras: every schedule of ``keras.optimizers.schedules``, with its own arguments.

The values are rates. ``CosineDecay`` counts its ``decay_steps`` from the end of the warmup;
``PiecewiseConstantDecay`` keeps a value up to and including its boundary; the staircases fall at
each multiple of ``decay_steps``. keras computes with 32 bits; these do not.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Final

from lehr.catalogue.cyclic import polynomial_cycle, warm_restarts
from lehr.catalogue.decay.elementary import inverse
from lehr.errors import ScheduleError, number
from lehr.schedule.leaves import hold
from lehr.translate import pieces
from lehr.translate.arguments import NotNegative, StepCount, steps
from lehr.translate.pieces import decayed, go, polynomial, rates
from lehr.translate.registry import Translation, ignores, translates

ignores("keras", "name")


def _period(name: str, value: float) -> int | Fraction:
    number(name, value, above=0)
    return steps(name, value)


Period = Annotated[int | Fraction, _period]

_MISSES: Final = (
    "keras looks for restarts with 32 bits; when t_mul is not whole, some of its backends miss one "
    "that falls on a whole step, which then has the end of the cycle before; here the new cycle "
    "begins"
)
_ROUNDED: Final = (
    "keras counts cycles with 32 bits; when decay_steps is not whole, it may begin one late (if it "
    "begins on a whole step) or early; here each ends on its last step"
)


@translates("keras", "ExponentialDecay")
def _exponential(
    initial_learning_rate: float,
    decay_steps: Period,
    decay_rate: float,
    staircase: bool = False,
) -> Translation:
    start = initial_learning_rate
    return rates(decayed(decay_rate, every=decay_steps, start=start, stairs=staircase))


@translates("keras", "PiecewiseConstantDecay")
def _piecewise_constant(
    boundaries: Sequence[float], values: Sequence[float], faithful: bool = False
) -> Translation:
    if not boundaries or len(values) != len(boundaries) + 1:
        raise ScheduleError(
            f"boundaries={list(boundaries)!r}, values={list(values)!r}: write one value more, and "
            "at least one boundary"
        )
    # keras cuts them to whole steps, and a value counts from the step after its boundary.
    begins = [math.trunc(number("boundaries", boundary)) + 1 for boundary in boundaries]
    if sorted(boundaries) == list(boundaries):
        return rates(pieces.staircase([max(begin, 0) for begin in begins], values))
    if not faithful:
        raise ScheduleError(
            f"boundaries={list(boundaries)!r} are not in rising order, and keras adds values up or "
            "drops them; sort them with their values, or write faithful=True"
        )
    changes = sorted({begin for begin in begins if begin > 0})
    levels = [_summed(begins, values, step) for step in (0, *changes)]
    return rates(pieces.staircase(changes, levels))


def _summed(begins: Sequence[int], values: Sequence[float], step: int) -> float:
    """Return the sum of the values whose intervals a step is in."""
    first = values[0] if step < begins[0] else 0.0
    last = values[-1] if step >= begins[-1] else 0.0
    middle = zip(itertools.pairwise(begins), values[1:-1], strict=True)
    return first + sum(value for (low, high), value in middle if low <= step < high) + last


@translates("keras", "PolynomialDecay")
def _polynomial(
    initial_learning_rate: float,
    decay_steps: Period,
    end_learning_rate: float = 1e-4,
    power: float = 1.0,
    cycle: bool = False,
) -> Translation:
    length = decay_steps
    start, to = initial_learning_rate, end_learning_rate
    if not cycle or power == 0 or start == to:
        return rates(polynomial(length, power, frm=start, to=to))
    if isinstance(length, int):
        return rates(polynomial_cycle(length, power=power, floor=to, peak=start))
    once = polynomial(length, power, frm=1.0, to=0.0).repeat()
    heights = inverse(length, power=power).every(length)
    # A cycle ends on its last step, where the next one of the same length would begin.
    whole = length.numerator
    ends = hold(1, at=1.0) >> (hold(whole - 1, at=1.0) >> hold(1, at=0.0)).repeat()
    # Halves and quarters are exact in 32 bits.
    inexact = length.denominator & (length.denominator - 1)
    return rates(once * heights * ends * (start - to) + to, _ROUNDED if inexact else "")


@translates("keras", "InverseTimeDecay")
def _inverse_time(
    initial_learning_rate: float,
    decay_steps: Period,
    decay_rate: NotNegative,
    staircase: bool = False,
) -> Translation:
    if decay_rate == 0:
        return rates(hold(at=initial_learning_rate))
    tau = Fraction(decay_steps) / Fraction(str(decay_rate))
    body = inverse(tau, power=1.0, start=initial_learning_rate)
    return rates(body.every(decay_steps) if staircase else body)


@translates("keras", "CosineDecay")
def _cosine(
    initial_learning_rate: float,
    decay_steps: Period,
    alpha: float = 0.0,
    warmup_target: float | None = None,
    warmup_steps: StepCount = 0,
) -> Translation:
    peak = initial_learning_rate if warmup_target is None else warmup_target
    fall = go(decay_steps, frm=peak, to=peak * alpha, ease="cosine")
    if warmup_target is None:
        return rates(fall)
    return rates(go(warmup_steps, frm=initial_learning_rate, to=peak) >> fall)


@translates("keras", "CosineDecayRestarts")
def _cosine_restarts(
    initial_learning_rate: float,
    first_decay_steps: Period,
    t_mul: float = 2.0,
    m_mul: float = 1.0,
    alpha: float = 0.0,
) -> Translation:
    if alpha == 1 or initial_learning_rate == 0:
        return rates(hold(at=initial_learning_rate))
    # m_mul lowers the height above the floor, not the floor.
    floor = initial_learning_rate * alpha
    if m_mul == 0:
        return rates(go(first_decay_steps, frm=initial_learning_rate, to=floor, ease="cosine"))
    peak = initial_learning_rate
    body = warm_restarts(first_decay_steps, t_mul, decay=m_mul, floor=floor, peak=peak)
    return rates(body, "" if t_mul == int(t_mul) else _MISSES)
