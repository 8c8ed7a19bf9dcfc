"""fvcore: its parameter schedulers, with their own arguments.

fvcore knows no steps, only the progress of the run, so these are in shares of the run, whose length
``over`` gives. The values are rates. Boundaries are not rounded to whole steps, and, as in fvcore,
come a millionth of the run early, which hides rounding errors of shorter runs.

Past the end (``where >= 1``) some of fvcore's classes raise an error and the others are undefined;
here the last value holds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.time.duration import Duration
from lehr.translate.arguments import Count, Positive, one_of, schedules_of
from lehr.translate.pieces import decayed, in_shares, polynomial, rates, then, whole_run
from lehr.translate.registry import Translation, translates

_EARLY: Final = Fraction(1, 10**6)
_SCALING: Final = ("rescaled", "fixed")


@translates("fvcore", "ConstantParamScheduler")
def _constant(value: float) -> Translation:
    return rates(hold(at=value))


@translates("fvcore", "CosineParamScheduler")
def _cosine(start_value: float, end_value: float) -> Translation:
    return rates(whole_run(start_value, end_value, "cosine"))


@translates("fvcore", "LinearParamScheduler")
def _linear(start_value: float, end_value: float) -> Translation:
    return rates(whole_run(start_value, end_value, "linear"))


@translates("fvcore", "ExponentialParamScheduler")
def _exponential(start_value: float, decay: float) -> Translation:
    return rates(decayed(decay, every="100%", start=start_value))


@translates("fvcore", "PolynomialDecayParamScheduler")
def _polynomial(base_value: float, power: float) -> Translation:
    return rates(polynomial("100%", power, frm=base_value, to=0.0))


@translates("fvcore", "StepParamScheduler")
def _step(num_updates: Positive, values: Sequence[float]) -> Translation:
    if not values:
        raise ScheduleError("values=[] is empty; write at least one")
    return rates(_stairs([Fraction(i, len(values)) for i in range(1, len(values))], values))


@translates("fvcore", "StepWithFixedGammaParamScheduler")
def _step_with_gamma(
    base_value: Positive, num_decays: Count, gamma: Positive, num_updates: Count
) -> Translation:
    return _step(num_updates, [base_value * gamma**index for index in range(num_decays + 1)])


@translates("fvcore", "MultiStepParamScheduler")
def _multistep(
    values: Sequence[float],
    num_updates: int | None = None,
    milestones: Sequence[int] | None = None,
) -> Translation:
    if milestones is None:
        if num_updates is None:
            raise ScheduleError("give num_updates or milestones")
        width = math.ceil(num_updates / len(values))
        milestones = [width * index for index in range(1, len(values))]
    elif num_updates is None and milestones:
        # Then the last milestone is the end of the run.
        *milestones, num_updates = milestones
    if len(milestones) != len(values) - 1:
        raise ScheduleError(
            f"milestones={list(milestones)!r}: {len(values)} values change {len(values) - 1} times"
        )
    if num_updates is None:
        raise ScheduleError("milestones=[] is empty; its last one is the end of the run")
    total = whole("num_updates", num_updates, at_least=max(1, len(values)))
    times = [whole("milestones", milestone, at_least=1) for milestone in milestones]
    if any(after <= before for before, after in itertools.pairwise([*times, total])):
        raise ScheduleError(f"milestones={times!r} must rise, and stay below {total}")
    return rates(_stairs([Fraction(time, total) for time in times], values))


@translates("fvcore", "CompositeParamScheduler")
def _composite(
    schedulers: Sequence[Schedule | Translation],
    lengths: Sequence[float],
    interval_scaling: Sequence[str],
) -> Translation:
    parts = schedules_of("schedulers", schedulers)
    shares = [Fraction(str(number("lengths", length, at_least=0))) for length in lengths]
    if not len(parts) == len(shares) == len(interval_scaling) > 0:
        raise ScheduleError(
            f"lengths={list(lengths)!r}, interval_scaling={list(interval_scaling)!r}: write one of "
            f"each for {len(parts)} schedulers"
        )
    if abs(sum(shares) - 1) >= Fraction(1, 1000):
        raise ScheduleError(f"lengths={list(lengths)!r} must sum to 1")
    shares[-1] = 1 - sum(shares[:-1], Fraction(0))
    begins = [Fraction(0), *itertools.accumulate(shares)]
    placed: list[Schedule] = []
    for part, scaling, (begin, end) in zip(
        parts, interval_scaling, itertools.pairwise(begins), strict=True
    ):
        one_of("interval_scaling", scaling, _SCALING)
        if begin == end:
            continue
        if scaling == "rescaled":
            placed.append(part.over(Duration(end - begin, "%")))
        else:
            placed.append(part.over("100%")[Duration(begin, "%") : Duration(end, "%")])
    # In a repeat, shares are not rounded to whole steps.
    return rates(then(placed).repeat(1))


def _stairs(boundaries: Sequence[Fraction], values: Sequence[float]) -> Schedule:
    if not boundaries:
        return hold(at=values[0])
    begins = [Fraction(0), *(boundary - _EARLY for boundary in boundaries)]
    lengths = [end - begin for begin, end in itertools.pairwise([*begins, Fraction(1)])]
    return in_shares([hold(at=value) for value in values], lengths)
