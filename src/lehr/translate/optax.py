"""optax: every schedule function, with its own arguments.

The values are rates. A warmup is part of ``decay_steps``; at a boundary the later value counts;
past the end a schedule holds its last value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from lehr.catalogue.decay.elementary import exponential
from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.translate.arguments import (
    LEAST,
    Count,
    Integer,
    Positive,
    cosine_ease,
    one_less,
    one_of,
    schedules_of,
)
from lehr.translate.pieces import go, joined, piecewise, polynomial, rates, staircase, then
from lehr.translate.registry import Translation, translate, translates

_KINDS: Final = ("linear", "cosine")


@translates("optax", "constant_schedule")
def _constant(value: float) -> Translation:
    return rates(hold(at=value))


@translates("optax", "polynomial_schedule")
def _polynomial(
    init_value: float,
    end_value: float,
    power: float,
    transition_steps: Integer,
    transition_begin: Integer = 0,
) -> Translation:
    if transition_steps <= 0:
        return rates(hold(at=init_value))
    fall = polynomial(transition_steps, power, frm=init_value, to=end_value)
    return rates(_begun(transition_begin, init_value, fall))


@translates("optax", "linear_schedule")
def _linear(
    init_value: float, end_value: float, transition_steps: Integer, transition_begin: Integer = 0
) -> Translation:
    return _polynomial(init_value, end_value, 1, transition_steps, transition_begin)


@translates("optax", "piecewise_constant_schedule")
def _piecewise_constant(
    init_value: float, boundaries_and_scales: Mapping[int, float] | None = None
) -> Translation:
    boundaries, values = _levels(init_value, boundaries_and_scales)
    return rates(staircase([max(boundary, 0) for boundary in boundaries], values))


@translates("optax", "piecewise_interpolate_schedule")
def _piecewise_interpolate(
    interpolate_type: str,
    init_value: float,
    boundaries_and_scales: Mapping[int, float] | None = None,
) -> Translation:
    one_of("interpolate_type", interpolate_type, _KINDS)
    boundaries, values = _levels(init_value, boundaries_and_scales)
    points = list(zip([0, *boundaries], values, strict=True))
    # The initial value is that of step 0 only where no boundary lies before it.
    before = bool(boundaries) and boundaries[0] < 0
    return rates(piecewise(points[1:] if before else points, interpolate_type))


@dataclass(frozen=True, kw_only=True)
class OptaxDecay:
    """The arguments of an exponential decay, except the value that it begins at."""

    transition_steps: Integer
    decay_rate: float
    transition_begin: Integer = 0
    staircase: bool = False
    end_value: float | None = None

    def decay(self, start: float) -> Schedule:
        """Return the decay from a value."""
        length = self.transition_steps
        if length <= 0 or self.decay_rate == 0:
            return hold(at=start)
        body = exponential(self.decay_rate, every=length, start=start)
        if self.staircase:
            body = body.every(length)
        body = _begun(self.transition_begin, start, body)
        if self.end_value is None:
            return body
        return body.clip(**{"low" if self.decay_rate < 1 else "high": self.end_value})


@translates("optax", "exponential_decay")
def _exponential(given: OptaxDecay, init_value: float) -> Translation:
    return rates(given.decay(init_value))


@translates("optax", "cosine_decay_schedule")
def _cosine(
    init_value: float, decay_steps: Positive, alpha: float = 0.0, exponent: float = 1.0
) -> Translation:
    if exponent == 0:
        return rates(hold(at=init_value))
    ease = cosine_ease("exponent", exponent)
    length = Fraction(str(decay_steps))
    return rates(go(length, frm=init_value, to=init_value * alpha, ease=ease))


@dataclass(frozen=True, kw_only=True)
class OptaxOneCycle:
    """The arguments that both one-cycles have."""

    transition_steps: Count
    peak_value: float
    pct_start: float = 0.3
    div_factor: Positive = 25.0
    final_div_factor: Positive = 1e4

    def translation(self, kind: str, pct_final: float | None = None) -> Translation:
        """Return the cycle, by way of its initial value at a share of the steps, if given."""
        total, div, final = self.transition_steps, self.div_factor, self.final_div_factor
        # In a run so short that two boundaries are one, the later scale is the only one.
        scales = {int(self.pct_start * total): div}
        if pct_final is None:
            scales[total] = 1.0 / (div * final)
        else:
            scales |= {int(pct_final * total): 1.0 / div, total: 1.0 / final}
        return _piecewise_interpolate(kind, self.peak_value / div, scales)


@translates("optax", "linear_onecycle_schedule")
def _linear_onecycle(cycle: OptaxOneCycle, pct_final: float = 0.85) -> Translation:
    return cycle.translation("linear", pct_final)


@translates("optax", "cosine_onecycle_schedule")
def _cosine_onecycle(cycle: OptaxOneCycle) -> Translation:
    return cycle.translation("cosine")


@dataclass(frozen=True, kw_only=True)
class OptaxWarmup:
    """The arguments of a warmup."""

    init_value: float
    peak_value: float
    warmup_steps: Integer

    def before(self, body: Schedule) -> Translation:
        """Return the warmup, if it has steps, with a schedule after it."""
        rise = go(max(self.warmup_steps, 0), frm=self.init_value, to=self.peak_value)
        return rates(joined([(0, rise), (self.warmup_steps, body)]))


@translates("optax", "warmup_constant_schedule")
def _warmup_constant(warmup: OptaxWarmup, faithful: bool = False) -> Translation:
    if warmup.warmup_steps > 0:
        return warmup.before(hold(at=warmup.peak_value))
    if faithful:
        return rates(hold(at=warmup.init_value))
    return rates(
        hold(at=warmup.peak_value),
        f"without warmup steps optax stays at init_value={warmup.init_value!r} indefinitely; "
        "here it is at the peak",
    )


@translates("optax", "warmup_cosine_decay_schedule")
def _warmup_cosine(
    warmup: OptaxWarmup, decay_steps: float, end_value: float = 0.0, exponent: float = 1.0
) -> Translation:
    rise, peak = warmup.warmup_steps, warmup.peak_value
    if decay_steps <= rise:
        raise ScheduleError(
            f"decay_steps={decay_steps!r} includes the warmup: more than warmup_steps={rise}"
        )
    alpha = end_value / peak if peak else 0.0
    return warmup.before(_cosine(peak, decay_steps - rise, alpha, exponent).schedule)


@translates("optax", "warmup_exponential_decay_schedule")
def _warmup_exponential(warmup: OptaxWarmup, given: OptaxDecay) -> Translation:
    return warmup.before(given.decay(warmup.peak_value))


@translates("optax", "sgdr_schedule")
def _sgdr(cosine_kwargs: Sequence[Mapping[str, Any]]) -> Translation:
    parts = [
        translate("optax", "warmup_cosine_decay_schedule", **kwargs).schedule
        for kwargs in cosine_kwargs
    ]
    if not parts:
        raise ScheduleError("cosine_kwargs=[] is empty; write one dict a cycle")
    return rates(then(parts))


@translates("optax", "join_schedules")
def _join(schedules: Sequence[Schedule | Translation], boundaries: Sequence[int]) -> Translation:
    parts = schedules_of("schedules", schedules)
    one_less("boundaries", boundaries, parts, "schedules")
    begins = [0, *(whole("boundaries", boundary, at_least=LEAST) for boundary in boundaries)]
    return rates(joined(list(zip(begins, parts, strict=True))))


def _begun(begin: int, start: float, body: Schedule) -> Schedule:
    return hold(begin, at=start) >> body if begin > 0 else body


def _levels(
    init_value: float, boundaries_and_scales: Mapping[int, float] | None
) -> tuple[list[int], list[float]]:
    """Return the boundaries in order, and the level before each and after the last."""
    pairs = sorted((boundaries_and_scales or {}).items())
    values = [init_value]
    for boundary, scale in pairs:
        values.append(values[-1] * number(f"scale at {boundary}", scale, at_least=0))
    return [whole("boundary", boundary, at_least=LEAST) for boundary, _ in pairs], values
