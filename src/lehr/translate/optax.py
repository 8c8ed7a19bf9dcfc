"""optax: every schedule function, with its own arguments.

The values are rates. A warmup is part of ``decay_steps``; at a boundary the later value counts; and
past the end a schedule holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from lehr.catalogue.decay.elementary import exponential
from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.translate.pieces import (
    concatenated,
    go,
    one_of,
    piecewise,
    power_ease,
    rates,
    schedules_of,
    staircase,
    then,
)
from lehr.translate.registry import Translation, translates

_KINDS: Final = ("linear", "cosine")


@translates("optax", "constant_schedule")
def _constant(*, value: float) -> Translation:
    return rates(hold(at=value))


@translates("optax", "polynomial_schedule")
def _polynomial(
    *,
    init_value: float,
    end_value: float,
    power: float,
    transition_steps: int,
    transition_begin: int = 0,
) -> Translation:
    length = _count("transition_steps", transition_steps)
    begin = max(_count("transition_begin", transition_begin), 0)
    if length <= 0:
        return rates(hold(at=init_value))
    ease = power_ease("power", power)
    fall = go(length, frm=init_value, to=end_value, ease=ease)
    return rates(hold(begin, at=init_value) >> fall if begin else fall)


@translates("optax", "linear_schedule")
def _linear(
    *, init_value: float, end_value: float, transition_steps: int, transition_begin: int = 0
) -> Translation:
    return _polynomial(
        init_value=init_value,
        end_value=end_value,
        power=1,
        transition_steps=transition_steps,
        transition_begin=transition_begin,
    )


@translates("optax", "piecewise_constant_schedule")
def _piecewise_constant(
    *, init_value: float, boundaries_and_scales: Mapping[int, float] | None = None
) -> Translation:
    boundaries, values = _levels(init_value, boundaries_and_scales)
    return rates(staircase([max(boundary, 0) for boundary in boundaries], values))


@translates("optax", "piecewise_interpolate_schedule")
def _piecewise_interpolate(
    *,
    interpolate_type: str,
    init_value: float,
    boundaries_and_scales: Mapping[int, float] | None = None,
) -> Translation:
    one_of("interpolate_type", interpolate_type, _KINDS)
    boundaries, values = _levels(init_value, boundaries_and_scales)
    return rates(piecewise(list(zip([0, *boundaries], values, strict=True)), interpolate_type))


@translates("optax", "exponential_decay")
def _exponential(
    *,
    init_value: float,
    transition_steps: int,
    decay_rate: float,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
) -> Translation:
    length = _count("transition_steps", transition_steps)
    begin = max(_count("transition_begin", transition_begin), 0)
    if length <= 0 or decay_rate == 0:
        return rates(hold(at=init_value))
    body = exponential(decay_rate, every=length, start=init_value)
    if staircase:
        body = body.every(length)
    if begin:
        body = hold(begin, at=init_value) >> body
    if end_value is not None:
        body = body.clip(low=end_value) if decay_rate < 1 else body.clip(high=end_value)
    return rates(body)


@translates("optax", "cosine_decay_schedule")
def _cosine(
    *, init_value: float, decay_steps: float, alpha: float = 0.0, exponent: float = 1.0
) -> Translation:
    length = Fraction(str(number("decay_steps", decay_steps, above=0)))
    ease = "cosine" if exponent == 1 else f"cosine-power({number('exponent', exponent, above=0)!r})"
    return rates(go(length, frm=init_value, to=init_value * alpha, ease=ease))


@translates("optax", "linear_onecycle_schedule")
def _linear_onecycle(
    *,
    transition_steps: int,
    peak_value: float,
    pct_start: float = 0.3,
    pct_final: float = 0.85,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Translation:
    total = whole("transition_steps", transition_steps, at_least=1)
    number("final_div_factor", final_div_factor, above=0)
    return _piecewise_interpolate(
        interpolate_type="linear",
        init_value=peak_value / number("div_factor", div_factor, above=0),
        # In a run so short that two boundaries are one, the later scale is the only one.
        boundaries_and_scales={
            int(number("pct_start", pct_start) * total): div_factor,
            int(number("pct_final", pct_final) * total): 1.0 / div_factor,
            total: 1.0 / final_div_factor,
        },
    )


@translates("optax", "cosine_onecycle_schedule")
def _cosine_onecycle(
    *,
    transition_steps: int,
    peak_value: float,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Translation:
    total = whole("transition_steps", transition_steps, at_least=1)
    number("final_div_factor", final_div_factor, above=0)
    return _piecewise_interpolate(
        interpolate_type="cosine",
        init_value=peak_value / number("div_factor", div_factor, above=0),
        boundaries_and_scales={
            int(number("pct_start", pct_start) * total): div_factor,
            total: 1.0 / (div_factor * final_div_factor),
        },
    )


@translates("optax", "warmup_constant_schedule")
def _warmup_constant(
    *, init_value: float, peak_value: float, warmup_steps: int, faithful: bool = False
) -> Translation:
    if _count("warmup_steps", warmup_steps) > 0 or faithful:
        return _linear(init_value=init_value, end_value=peak_value, transition_steps=warmup_steps)
    return rates(
        hold(at=peak_value),
        f"without warmup steps optax stays at init_value={init_value!r} indefinitely; "
        "here it is at the peak",
    )


@translates("optax", "warmup_cosine_decay_schedule")
def _warmup_cosine(
    *,
    init_value: float,
    peak_value: float,
    warmup_steps: int,
    decay_steps: int,
    end_value: float = 0.0,
    exponent: float = 1.0,
) -> Translation:
    rise = max(_count("warmup_steps", warmup_steps), 0)
    if decay_steps <= rise:
        raise ScheduleError(
            f"decay_steps={decay_steps!r} includes the warmup: more than warmup_steps={rise}"
        )
    alpha = end_value / peak_value if peak_value else 0.0
    decay = _cosine(
        init_value=peak_value, decay_steps=decay_steps - rise, alpha=alpha, exponent=exponent
    ).schedule
    return rates(go(rise, frm=init_value, to=peak_value) >> decay if rise else decay)


@translates("optax", "warmup_exponential_decay_schedule")
def _warmup_exponential(
    *,
    init_value: float,
    peak_value: float,
    warmup_steps: int,
    transition_steps: int,
    decay_rate: float,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
) -> Translation:
    rise = max(_count("warmup_steps", warmup_steps), 0)
    decay = _exponential(
        init_value=peak_value,
        transition_steps=transition_steps,
        decay_rate=decay_rate,
        transition_begin=transition_begin,
        staircase=staircase,
        end_value=end_value,
    ).schedule
    return rates(go(rise, frm=init_value, to=peak_value) >> decay if rise else decay)


@translates("optax", "sgdr_schedule")
def _sgdr(*, cosine_kwargs: Sequence[Mapping[str, Any]]) -> Translation:
    parts = [_warmup_cosine(**kwargs).schedule for kwargs in cosine_kwargs]
    if not parts:
        raise ScheduleError("cosine_kwargs=[] is empty; write one dict a cycle")
    return rates(then(parts))


@translates("optax", "join_schedules")
def _join(*, schedules: Sequence[Schedule | Translation], boundaries: Sequence[int]) -> Translation:
    parts = schedules_of("schedules", schedules)
    if len(parts) != len(boundaries) + 1:
        raise ScheduleError(
            f"boundaries={list(boundaries)!r} must be one less than the {len(parts)} schedules"
        )
    begins = [0, *(_count("boundaries", boundary) for boundary in boundaries)]
    if sorted(begins) != begins:
        raise ScheduleError(f"boundaries={list(boundaries)!r} must be in rising order, from 0")
    return rates(concatenated(parts, begins[1:]))


def _count(name: str, value: Any) -> int:
    return whole(name, value, at_least=-(2**62))


def _levels(
    init_value: float, boundaries_and_scales: Mapping[int, float] | None
) -> tuple[list[int], list[float]]:
    """Return the boundaries in order, and the level before each and after the last."""
    pairs = sorted((boundaries_and_scales or {}).items())
    values = [init_value]
    for boundary, scale in pairs:
        values.append(values[-1] * number(f"scale at {boundary}", scale, at_least=0))
    return [_count("boundary", boundary) for boundary, _ in pairs], values
