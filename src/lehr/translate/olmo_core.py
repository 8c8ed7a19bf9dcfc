"""OLMo-core: every scheduler that it registers, with its own fields.

The values are factors of the optimizer's rate; where a field is a rate itself (``warmup_min_lr``,
``decay_min_lr``, ``end_lr``), ``lr`` says what that is. ``t_max`` is the run's length, in steps or
in tokens: those are what a step of the schedule is. It is OLMo-core's own count, in which the first
update is step 1: ``schedule[1:]`` is what its updates see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lehr.catalogue.decay.elementary import inverse
from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.translate.pieces import differing, go, line, one_of, schedule_of, share_of, steps, then
from lehr.translate.registry import Translation, translates

_BELOW: Final = (
    "past the end OLMo-core goes on down the line, below 0; here the rate holds what it ended at"
)
_SHAPES: Final = ("linear", "cosine")


@translates("olmo_core", "constant", also=("ConstantScheduler",))
def _constant() -> Schedule:
    return hold(at=1.0)


@translates("olmo_core", "constant_with_warmup", also=("ConstantWithWarmup",))
def _constant_with_warmup(
    *,
    warmup: int | None = None,
    warmup_fraction: float | None = None,
    warmup_min_lr: float = 0.0,
    t_max: int | None = None,
    lr: float | None = None,
) -> Schedule:
    rise = _length("warmup", warmup, warmup_fraction, t_max)
    return _rise(rise, warmup_min_lr, lr) >> hold(at=1.0)


@translates("olmo_core", "wsd", also=("WSD",))
def _wsd(
    *,
    t_max: int,
    warmup: int | None = None,
    warmup_fraction: float | None = None,
    decay: int | None = None,
    decay_fraction: float | None = 0.1,
    warmup_min_lr: float = 0.0,
    decay_min_lr: float = 0.0,
    lr: float | None = None,
    faithful: bool = False,
) -> Translation:
    rise = _length("warmup", warmup, warmup_fraction, t_max)
    fall = _length("decay", decay, decay_fraction, t_max)
    stable = _room(t_max, rise, fall)
    before = _rise(rise, warmup_min_lr, lr) >> hold(stable, at=1.0)
    return _ending(before, 1.0, fall, decay_min_lr, lr, faithful)


@translates("olmo_core", "power_lr", also=("PowerLR",))
def _power(
    *,
    t_max: int,
    b: float = -0.51,
    warmup: int | None = None,
    warmup_fraction: float | None = None,
    decay: int | None = None,
    decay_fraction: float | None = 0.1,
    warmup_min_lr: float = 0.0,
    decay_min_lr: float = 0.0,
    lr: float | None = None,
    faithful: bool = False,
) -> Translation:
    rise = _length("warmup", warmup, warmup_fraction, t_max)
    fall = _length("decay", decay, decay_fraction, t_max)
    if rise == 0:
        raise ScheduleError("warmup is the time scale of the power: at least 1")
    stable = _room(t_max, rise, fall)
    body = inverse(rise, power=-number("b", b), start=1.0)[:stable]
    before = _rise(rise, warmup_min_lr, lr) >> body
    return _ending(before, body.end, fall, decay_min_lr, lr, faithful)


@translates("olmo_core", "linear_with_warmup", also=("LinearWithWarmup",))
def _linear(
    *,
    t_max: int,
    alpha_f: float = 0.1,
    warmup: int | None = None,
    warmup_fraction: float | None = None,
    warmup_min_lr: float = 0.0,
    lr: float | None = None,
) -> Schedule:
    rise = _length("warmup", warmup, warmup_fraction, t_max)
    return _rise(rise, warmup_min_lr, lr) >> go(_room(t_max, rise), frm=1.0, to=alpha_f)


@translates("olmo_core", "cos_with_warmup", also=("CosWithWarmup",))
def _cosine(
    *,
    t_max: int,
    alpha_f: float = 0.1,
    warmup: int | None = None,
    warmup_fraction: float | None = None,
    warmup_min_lr: float = 0.0,
    lr: float | None = None,
) -> Schedule:
    rise = _length("warmup", warmup, warmup_fraction, t_max)
    fall = go(_room(t_max, rise), frm=1.0, to=alpha_f, ease="cosine")
    return _rise(rise, warmup_min_lr, lr) >> fall


@translates("olmo_core", "half_cos_with_warmup", also=("HalfCosWithWarmup",))
def _half_cosine(
    *,
    t_max: int,
    alpha_f: float = 0.1,
    warmup: int | None = None,
    warmup_fraction: float | None = None,
    warmup_min_lr: float = 0.0,
    lr: float | None = None,
) -> Schedule:
    rise = _length("warmup", warmup, warmup_fraction, t_max)
    # It warms up to half the height, where the second half of the cosine begins.
    middle = alpha_f + (1.0 - alpha_f) / 2
    fall = go(_room(t_max, rise), frm=middle, to=alpha_f, ease="second-half-cosine")
    return _rise(rise, warmup_min_lr, lr, to=middle) >> fall


@translates("olmo_core", "cos_with_warmup_and_linear_decay", also=("CosWithWarmupAndLinearDecay",))
def _cosine_then_linear(
    *,
    t_max: int,
    alpha_f: float = 0.1,
    warmup: int | None = None,
    warmup_fraction: float | None = None,
    decay: int | None = None,
    decay_fraction: float | None = 0.1,
    warmup_min_lr: float = 0.0,
    decay_min_lr: float = 0.0,
    lr: float | None = None,
    faithful: bool = False,
) -> Translation:
    fall = _length("decay", decay, decay_fraction, t_max)
    whole_curve = _cosine(
        t_max=t_max,
        alpha_f=alpha_f,
        warmup=warmup,
        warmup_fraction=warmup_fraction,
        warmup_min_lr=warmup_min_lr,
        lr=lr,
    )
    before = whole_curve[: _room(t_max, fall)]
    return _ending(before, before.end, fall, decay_min_lr, lr, faithful)


@translates("olmo_core", "inv_sqrt_with_warmup", also=("InvSqrtWithWarmup",))
def _inverse_sqrt(
    *,
    alpha_f: float = 0.1,
    warmup: int | None = None,
    warmup_fraction: float | None = None,
    warmup_min_lr: float = 0.0,
    t_max: int | None = None,
    lr: float | None = None,
) -> Schedule:
    rise = _length("warmup", warmup, warmup_fraction, t_max)
    if rise == 0:
        raise ScheduleError("warmup is the time scale of the root: at least 1")
    number("alpha_f", alpha_f, at_least=0)
    if alpha_f == 1:
        return _rise(rise, warmup_min_lr, lr) >> hold(at=1.0)
    body = inverse(rise, power=0.5, start=1.0 - alpha_f)
    return _rise(rise, warmup_min_lr, lr) >> (body + alpha_f if alpha_f else body)


@translates("olmo_core", "exponential", also=("ExponentialScheduler",))
def _exponential(*, t_max: int, lr: float, lr_min: float = 1e-9) -> Schedule:
    (low,) = share_of(lr, lr_min=lr_min)
    return go(steps("t_max", t_max), frm=number("lr_min", low, above=0), to=1.0, log=True)


@translates("olmo_core", "wsds", also=("WSDS",))
def _wsds(
    *,
    period_lengths: Sequence[int],
    period_lr_multipliers: Sequence[float] | None = None,
    warmup: int | None = None,
    warmup_fraction: float | None = None,
    decay: int | None = None,
    decay_fraction: float | None = None,
    warmup_min_lr: float = 0.0,
    decay_min_lr: float = 0.0,
    t_max: int | None = None,
    lr: float | None = None,
) -> Schedule:
    lengths = [whole("period_lengths", length, at_least=1) for length in period_lengths]
    peaks = [1.0] * len(lengths) if period_lr_multipliers is None else list(period_lr_multipliers)
    if not lengths or len(peaks) != len(lengths):
        raise ScheduleError(
            f"period_lr_multipliers={peaks!r}: write one for each of period_lengths={lengths!r}"
        )
    (low,) = share_of(lr, decay_min_lr=decay_min_lr)
    rise = _length("warmup", warmup, warmup_fraction, lengths[0])
    parts = [_rise(rise, warmup_min_lr, lr, to=peaks[0])]
    lengths[0], first = lengths[0] - rise, lengths[0]
    for index, (length, peak) in enumerate(zip(lengths, peaks, strict=True)):
        fall = _length("decay", decay, decay_fraction, first if index == 0 else length)
        if fall > length:
            raise ScheduleError(f"decay={fall} is more than period {index} has: {length}")
        parts += [hold(length - fall, at=peak), go(fall, frm=peak, to=low)]
    # A period ends with the step that reaches the floor: the next peak comes one step later.
    return then([parts[0], *_late(parts[1:], low)])


@translates("olmo_core", "composable", also=("ComposableScheduler",))
def _composable(
    *,
    stages: Sequence[Mapping[str, Any]],
    override_decay: Mapping[str, Any] | None = None,
    t_max: int | None = None,
    lr: float | None = None,
) -> Schedule:
    if not stages:
        raise ScheduleError("stages=[] is empty; write at least one dict")
    parts: list[Schedule] = []
    at = 1.0
    for stage in stages:
        start = _target(stage, "start", lr)
        end = _target(stage, "end", lr)
        if end is None:
            raise ScheduleError(f"stage {dict(stage)!r}: give end_lr or end_lr_fraction")
        begin = at if start is None else start
        parts.append(_stage(stage, begin, end))
        at = end
    return _overridden(then(parts), override_decay, lr)


@translates("olmo_core", "sequential", also=("SequentialScheduler",))
def _sequential(
    *,
    schedulers: Sequence[Schedule | Translation],
    schedulers_max: Sequence[int],
    override_decay: Mapping[str, Any] | None = None,
    t_max: int | None = None,
    lr: float | None = None,
) -> Schedule:
    """Each scheduler is made for its own share of the run, and goes on from the rate before it."""
    made = [schedule_of(f"schedulers[{i}]", part) for i, part in enumerate(schedulers)]
    lengths = [whole("schedulers_max", length, at_least=1) for length in schedulers_max]
    lengths = lengths[: len(made) - 1]
    if len(lengths) != len(made) - 1:
        raise ScheduleError(
            f"schedulers_max={list(schedulers_max)!r}: write one for each scheduler but the last"
        )
    parts: list[Schedule] = []
    height, skip = 1.0, 0
    for index, part in enumerate(made):
        body = part if height == 1 else part * height
        if index == len(lengths):
            parts.append(body[skip:])
            break
        # A scheduler also speaks at its last step; the next one then begins with its step 1.
        parts.append(body[skip : lengths[index] + 1])
        height, skip = body(lengths[index]), 1
    return _overridden(then(parts), override_decay, lr)


def _length(name: str, given: int | None, fraction: float | None, t_max: int | None) -> int:
    # A default fraction gives way only where it is taken back, as in OLMo-core.
    if (given is None) == (fraction is None):
        raise ScheduleError(
            f"{name}={given!r}, {name}_fraction={fraction!r}: give exactly one; "
            f"write {name}_fraction=None to give {name}"
        )
    if given is not None:
        return whole(name, given, at_least=0)
    if t_max is None:
        raise ScheduleError(f"{name}_fraction={fraction!r} is of the run: give t_max")
    return round(
        number("t_max", t_max) * number(f"{name}_fraction", fraction, at_least=0, at_most=1)
    )


def _room(t_max: int, *taken: int) -> int:
    left = whole("t_max", t_max, at_least=1) - sum(taken)
    if left < 0:
        raise ScheduleError(f"t_max={t_max!r} is less than the {sum(taken)} steps of its phases")
    return left


def _rise(length: int, low: float, lr: float | None, to: float = 1.0) -> Schedule:
    (start,) = share_of(lr, warmup_min_lr=low)
    return go(length, frm=start, to=to)


def _ending(
    before: Schedule, start: float, length: int, low: float, lr: float | None, faithful: bool
) -> Translation:
    """Return what comes before with a line down to the floor, or on below it."""
    (floor,) = share_of(lr, decay_min_lr=low)
    if length == 0:
        return differing(before)
    if faithful:
        return differing(before >> line(start, (floor - start) / length))
    return differing(before >> go(length, frm=start, to=floor), _BELOW)


def _late(parts: list[Schedule], low: float) -> list[Schedule]:
    """Return the phases of periods with the floor held for one step more at each boundary."""
    late: list[Schedule] = []
    for index in range(0, len(parts), 2):
        period = parts[index] >> parts[index + 1]
        late.append(hold(1, at=low) >> period[1:] if index else period)
    return late


def _target(stage: Mapping[str, Any], which: str, lr: float | None) -> float | None:
    rate, fraction = stage.get(f"{which}_lr"), stage.get(f"{which}_lr_fraction")
    if rate is not None and fraction is not None:
        raise ScheduleError(f"{which}_lr={rate!r}, {which}_lr_fraction={fraction!r}: give one")
    if rate is not None:
        return share_of(lr, **{f"{which}_lr": rate})[0]
    return None if fraction is None else number(f"{which}_lr_fraction", fraction, at_least=0)


def _stage(stage: Mapping[str, Any], start: float, end: float) -> Schedule:
    shape = one_of("shape", stage.get("shape", "linear"), _SHAPES)
    length = whole("duration", stage.get("duration"), at_least=1)
    return go(length, frm=start, to=end, ease=str(shape))


def _overridden(main: Schedule, override: Mapping[str, Any] | None, lr: float | None) -> Schedule:
    if override is None:
        return main
    start = whole("start", override.get("start"), at_least=0)
    end = _target(override, "end", lr)
    if end is None:
        raise ScheduleError(f"override_decay={dict(override)!r}: give end_lr or end_lr_fraction")
    return main[:start] >> _stage(override, main(start), end)
