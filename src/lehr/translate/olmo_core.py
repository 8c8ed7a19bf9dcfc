"""OLMo-core: every scheduler that it registers, with its own fields.

The values are factors of the optimizer's rate, ``lr``, which is needed where a field is a rate
itself (``warmup_min_lr``, ``decay_min_lr``, ``end_lr``). ``t_max`` is the run's length, in steps or
in tokens: that is the unit of the schedule's steps. It is OLMo-core's own count, in which the first
update is step 1: its updates see ``schedule[1:]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lehr.catalogue.decay.elementary import inverse
from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.translate.pieces import differing, go, line, one_of, schedules_of, share_of, then
from lehr.translate.registry import Translation, ignores, translates

_BELOW: Final = (
    "past the end OLMo-core goes on down the line, below 0; here the rate holds what it ended at"
)
_SHAPES: Final = ("linear", "cosine")
# Fields that name the keys of a group, and the class.
ignores("olmo_core", "lr_field", "initial_lr_field", "type")


@dataclass(frozen=True, kw_only=True)
class OlmoRun:
    """The run: its length, the optimizer's rate, and the unit that all is counted in."""

    t_max: int | None = None
    lr: float | None = None
    units: str = "steps"
    faithful: bool = False

    def __post_init__(self) -> None:
        one_of("units", self.units, ("steps", "tokens"))

    def share(self, **rate: float) -> float:
        """Return a rate as a factor of the optimizer's."""
        return share_of(self.lr, **rate)[0]

    def left(self, *taken: int) -> int:
        """Return the steps of the run that phases leave."""
        left = whole("t_max", self.t_max, at_least=1) - sum(taken)
        if left < 0:
            raise ScheduleError(
                f"t_max={self.t_max!r} is less than the {sum(taken)} steps of its phases"
            )
        return left

    def translation(self, schedule: Schedule, *notes: str) -> Translation:
        """Return the translation, with a note if its steps are tokens."""
        unit = "a step of the schedule is a token" if self.units == "tokens" else ""
        return differing(schedule, unit, *notes)

    def ending(
        self, before: Schedule, start: float, length: int, decay_min_lr: float
    ) -> Translation:
        """Return a schedule with a line down to the floor; or, if faithful, on below it."""
        floor = self.share(decay_min_lr=decay_min_lr)
        if length == 0:
            return self.translation(before)
        if self.faithful:
            return self.translation(before >> line(start, (floor - start) / length))
        return self.translation(before >> go(length, frm=start, to=floor), _BELOW)


@dataclass(frozen=True, kw_only=True)
class OlmoWarmup:
    """The fields of a warmup."""

    warmup: int | None = None
    warmup_steps: int | None = None
    warmup_fraction: float | None = None
    warmup_min_lr: float = 0.0

    def length(self, t_max: int | None, *, scale: str = "") -> int:
        """Return its steps; at least 1 if it is the time scale of the decay."""
        given = self.warmup_steps if self.warmup is None else self.warmup
        length = _length("warmup", given, self.warmup_fraction, t_max)
        if scale and length == 0:
            raise ScheduleError(f"warmup is the time scale of the {scale}: at least 1")
        return length

    def rise(self, run: OlmoRun, *, scale: str = "", to: float = 1.0) -> Schedule:
        """Return the warmup up to a level."""
        start = run.share(warmup_min_lr=self.warmup_min_lr)
        return go(self.length(run.t_max, scale=scale), frm=start, to=to)


@dataclass(frozen=True, kw_only=True)
class OlmoDecay:
    """The fields of a decay at the end of the run."""

    decay: int | None = None
    decay_steps: int | None = None
    decay_fraction: float | None = 0.1
    decay_min_lr: float = 0.0

    def length(self, t_max: int | None) -> int:
        given = self.decay_steps if self.decay is None else self.decay
        return _length("decay", given, self.decay_fraction, t_max)


def _length(name: str, given: int | None, fraction: float | None, t_max: int | None) -> int:
    # As in OLMo-core, a default fraction gives way only to None.
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


@translates("olmo_core", "constant", "ConstantScheduler")
def _constant(run: OlmoRun, /) -> Translation:
    return run.translation(hold(at=1.0))


@translates("olmo_core", "constant_with_warmup", "ConstantWithWarmup")
def _constant_with_warmup(run: OlmoRun, warmup: OlmoWarmup, /) -> Translation:
    return run.translation(warmup.rise(run) >> hold(at=1.0))


@translates("olmo_core", "wsd", "WSD")
def _wsd(run: OlmoRun, warmup: OlmoWarmup, decay: OlmoDecay, /) -> Translation:
    rise, fall = warmup.length(run.t_max), decay.length(run.t_max)
    before = warmup.rise(run) >> hold(run.left(rise, fall), at=1.0)
    return run.ending(before, 1.0, fall, decay.decay_min_lr)


@translates("olmo_core", "power_lr", "PowerLR")
def _power(
    run: OlmoRun, warmup: OlmoWarmup, decay: OlmoDecay, /, *, b: float = -0.51
) -> Translation:
    rise, fall = warmup.length(run.t_max, scale="power"), decay.length(run.t_max)
    body = inverse(rise, power=-number("b", b), start=1.0)[: run.left(rise, fall)]
    return run.ending(warmup.rise(run) >> body, body.end, fall, decay.decay_min_lr)


@translates("olmo_core", "linear_with_warmup", "LinearWithWarmup")
def _linear(run: OlmoRun, warmup: OlmoWarmup, /, *, alpha_f: float = 0.1) -> Translation:
    left = run.left(warmup.length(run.t_max))
    return run.translation(warmup.rise(run) >> go(left, frm=1.0, to=alpha_f))


@translates("olmo_core", "cos_with_warmup", "CosWithWarmup")
def _cosine(run: OlmoRun, warmup: OlmoWarmup, /, *, alpha_f: float = 0.1) -> Translation:
    left = run.left(warmup.length(run.t_max))
    return run.translation(warmup.rise(run) >> go(left, frm=1.0, to=alpha_f, ease="cosine"))


@translates("olmo_core", "half_cos_with_warmup", "HalfCosWithWarmup")
def _half_cosine(run: OlmoRun, warmup: OlmoWarmup, /, *, alpha_f: float = 0.1) -> Translation:
    # It warms up to half the height, where the second half of the cosine begins.
    middle = alpha_f + (1.0 - alpha_f) / 2
    left = run.left(warmup.length(run.t_max))
    fall = go(left, frm=middle, to=alpha_f, ease="second-half-cosine")
    return run.translation(warmup.rise(run, to=middle) >> fall)


@translates("olmo_core", "cos_with_warmup_and_linear_decay", "CosWithWarmupAndLinearDecay")
def _cosine_then_linear(
    run: OlmoRun, warmup: OlmoWarmup, decay: OlmoDecay, /, *, alpha_f: float = 0.1
) -> Translation:
    fall = decay.length(run.t_max)
    before = _cosine(run, warmup, alpha_f=alpha_f).schedule[: run.left(fall)]
    return run.ending(before, before.end, fall, decay.decay_min_lr)


@translates("olmo_core", "inv_sqrt_with_warmup", "InvSqrtWithWarmup")
def _inverse_sqrt(run: OlmoRun, warmup: OlmoWarmup, /, *, alpha_f: float = 0.1) -> Translation:
    number("alpha_f", alpha_f, at_least=0)
    rise = warmup.rise(run, scale="root")
    if alpha_f == 1:
        return run.translation(rise >> hold(at=1.0))
    body = inverse(warmup.length(run.t_max), power=0.5, start=1.0 - alpha_f)
    return run.translation(rise >> (body + alpha_f if alpha_f else body))


@translates("olmo_core", "exponential", "ExponentialScheduler")
def _exponential(run: OlmoRun, /, *, lr_min: float = 1e-9) -> Translation:
    low = number("lr_min", run.share(lr_min=lr_min), above=0)
    return run.translation(go(run.left(), frm=low, to=1.0, log=True))


@translates("olmo_core", "wsds", "WSDS")
def _wsds(
    run: OlmoRun,
    warmup: OlmoWarmup,
    /,
    *,
    period_lengths: Sequence[int],
    period_lr_multipliers: Sequence[float] | None = None,
    decay: int | None = None,
    decay_fraction: float | None = None,
    decay_min_lr: float = 0.0,
) -> Translation:
    lengths = [whole("period_lengths", length, at_least=1) for length in period_lengths]
    peaks = [1.0] * len(lengths) if period_lr_multipliers is None else list(period_lr_multipliers)
    if not lengths or len(peaks) != len(lengths):
        raise ScheduleError(
            f"period_lr_multipliers={peaks!r}: write one for each of period_lengths={lengths!r}"
        )
    low = run.share(decay_min_lr=decay_min_lr)
    # A fraction is of the first period.
    rise = warmup.length(lengths[0])
    parts = [warmup.rise(replace(run, t_max=lengths[0]), to=peaks[0])]
    lengths[0], first = lengths[0] - rise, lengths[0]
    for index, (length, peak) in enumerate(zip(lengths, peaks, strict=True)):
        fall = _length("decay", decay, decay_fraction, first if index == 0 else length)
        if fall > length:
            raise ScheduleError(f"decay={fall} is more than period {index} has: {length}")
        parts += [hold(length - fall, at=peak), go(fall, frm=peak, to=low)]
    # A period ends with the step that reaches the floor: the next peak comes one step later.
    return run.translation(then([parts[0], *_late(parts[1:], low)]))


@translates("olmo_core", "composable", "ComposableScheduler")
def _composable(
    run: OlmoRun,
    /,
    *,
    stages: Sequence[Mapping[str, Any]],
    override_decay: Mapping[str, Any] | None = None,
) -> Translation:
    if not stages:
        raise ScheduleError("stages=[] is empty; write at least one dict")
    parts: list[Schedule] = []
    at = 1.0
    for stage in stages:
        start = _target(stage, "start", run)
        end = _target(stage, "end", run)
        if end is None:
            raise ScheduleError(f"stage {dict(stage)!r}: give end_lr or end_lr_fraction")
        begin = at if start is None else start
        parts.append(_stage(stage, begin, end))
        at = end
    return _overridden(then(parts), override_decay, run)


@translates("olmo_core", "sequential", "SequentialScheduler")
def _sequential(
    run: OlmoRun,
    /,
    *,
    schedulers: Sequence[Schedule | Translation],
    schedulers_max: Sequence[int] | None = None,
    schedulers_max_steps: Sequence[int] | None = None,
    override_decay: Mapping[str, Any] | None = None,
) -> Translation:
    """Translate schedulers made for their own shares of the run.

    Each goes on from the rate that the one before it left.
    """
    made = schedules_of("schedulers", schedulers)
    given = schedulers_max_steps if schedulers_max is None else schedulers_max
    if given is None:
        raise ScheduleError("schedulers_max is missing: write one for each scheduler")
    lengths = [whole("schedulers_max", length, at_least=1) for length in given]
    lengths = lengths[: len(made) - 1]
    if len(lengths) != len(made) - 1:
        raise ScheduleError(
            f"schedulers_max={list(given)!r}: write one for each scheduler but the last"
        )
    parts: list[Schedule] = []
    height, skip = 1.0, 0
    for index, part in enumerate(made):
        body = part if height == 1 else part * height
        if index == len(lengths):
            parts.append(body[skip:])
            break
        # A scheduler also gives the value at its last step; the next one begins with its step 1.
        parts.append(body[skip : lengths[index] + 1])
        height, skip = body(lengths[index]), 1
    return _overridden(then(parts), override_decay, run)


def _late(parts: list[Schedule], low: float) -> list[Schedule]:
    """Return the phases of periods with the floor held for one step more at each boundary."""
    late: list[Schedule] = []
    for index in range(0, len(parts), 2):
        period = parts[index] >> parts[index + 1]
        late.append(hold(1, at=low) >> period[1:] if index else period)
    return late


def _target(stage: Mapping[str, Any], which: str, run: OlmoRun) -> float | None:
    rate, fraction = stage.get(f"{which}_lr"), stage.get(f"{which}_lr_fraction")
    if rate is not None and fraction is not None:
        raise ScheduleError(f"{which}_lr={rate!r}, {which}_lr_fraction={fraction!r}: give one")
    if rate is not None:
        return run.share(**{f"{which}_lr": rate})
    return None if fraction is None else number(f"{which}_lr_fraction", fraction, at_least=0)


def _stage(stage: Mapping[str, Any], start: float, end: float) -> Schedule:
    shape = one_of("shape", stage.get("shape", "linear"), _SHAPES)
    length = whole("duration", stage.get("duration"), at_least=1)
    return go(length, frm=start, to=end, ease=str(shape))


def _overridden(main: Schedule, override: Mapping[str, Any] | None, run: OlmoRun) -> Translation:
    if override is None:
        return run.translation(main)
    start = whole("start", override.get("start"), at_least=0)
    end = _target(override, "end", run)
    if end is None:
        raise ScheduleError(f"override_decay={dict(override)!r}: give end_lr or end_lr_fraction")
    return run.translation(main[:start] >> _stage(override, main(start), end))
