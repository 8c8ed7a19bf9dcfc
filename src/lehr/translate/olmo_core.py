"""OLMo-core: every scheduler that it registers, with its own fields.

The values are factors of the optimizer's rate, ``lr``, which is needed where a field is a rate
itself (``warmup_min_lr``, ``decay_min_lr``, ``end_lr``). ``t_max`` is the run's length, in steps or
in tokens; the schedule's steps have the same unit. They are OLMo-core's own count, in which the
first update is step 1, so its updates see ``schedule[1:]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lehr.catalogue.decay.elementary import inverse
from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.translate.arguments import Count, Negative, NotNegative, one_of, schedules_of, share_of
from lehr.translate.pieces import differing, go, line, then
from lehr.translate.registry import Translation, ignores, translates

_BELOW: Final = (
    "past the end OLMo-core goes on down the line, below 0; here the rate stays where it ended"
)
_UNDIVIDED: Final = (
    "without steps to decay in, OLMo-core divides by zero at the last step; here the rate holds"
)
_SHAPES: Final = ("linear", "cosine")
# Fields that name the keys of a group, and the class.
ignores("olmo_core", "lr_field", "initial_lr_field", "type")


@dataclass(frozen=True, kw_only=True)
class OlmoRun:
    """The run: its length, the optimizer's rate, and the unit in which everything is counted."""

    t_max: Count | None = None
    lr: float | None = None
    units: str = "steps"
    faithful: bool = False

    def __post_init__(self) -> None:
        one_of("units", self.units, ("steps", "tokens"))

    def share(self, **rate: float) -> float:
        """Return a rate as a factor of the optimizer's."""
        return share_of(self.lr, **rate)[0]

    @property
    def steps(self) -> int:
        return whole("t_max", self.t_max, at_least=1)

    def translation(self, schedule: Schedule, *notes: str) -> Translation:
        """Return the translation, with a note if its steps are tokens."""
        unit = "a step of the schedule is a token" if self.units == "tokens" else ""
        return differing(schedule, unit, *notes)

    def ending(
        self, before: Schedule, start: float, length: int, decay_min_lr: float, begun: int = 0
    ) -> Translation:
        """Return a schedule with a line down to the floor; or, if faithful, on below it.

        The first ``begun`` steps of the line's ``length`` lie under the schedule and are not seen.
        """
        floor = self.share(decay_min_lr=decay_min_lr)
        if length == 0:
            return self.translation(before, _UNDIVIDED)
        if self.faithful:
            return self.translation(before >> line(start, (floor - start) / length)[begun:])
        fall = go(length, frm=start, to=floor)
        left = fall[begun:] if begun < length else hold(at=floor)
        return self.translation(before >> left, _BELOW)


@dataclass(frozen=True, kw_only=True)
class OlmoWarmup:
    """The fields of a warmup."""

    warmup: int | None = None
    warmup_steps: int | None = None
    warmup_fraction: float | None = None
    warmup_min_lr: float = 0.0

    def length(self, t_max: int | None) -> int:
        given = self.warmup_steps if self.warmup is None else self.warmup
        return _length("warmup", given, self.warmup_fraction, t_max)

    def left(self, run: OlmoRun) -> int:
        """Return the steps of the run after the warmup; 0 if that is longer."""
        return max(run.steps - self.length(run.t_max), 0)

    def rise(self, run: OlmoRun, *, to: float = 1.0) -> Schedule:
        """Return the warmup up to a level."""
        start = run.share(warmup_min_lr=self.warmup_min_lr)
        return go(self.length(run.t_max), frm=start, to=to)


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
            f"{name}={given!r}, {name}_fraction={fraction!r}: give exactly one"
            + ("" if given is None else f"; write {name}_fraction=None to give {name}")
        )
    if given is not None:
        return whole(name, given, at_least=0)
    if t_max is None:
        raise ScheduleError(f"{name}_fraction={fraction!r} is of the run: give t_max")
    return round(t_max * number(f"{name}_fraction", fraction, at_least=0, at_most=1))


@translates("olmo_core", "constant", "ConstantScheduler")
def _constant(run: OlmoRun) -> Translation:
    return run.translation(hold(at=1.0))


@translates("olmo_core", "constant_with_warmup", "ConstantWithWarmup")
def _constant_with_warmup(run: OlmoRun, warmup: OlmoWarmup) -> Translation:
    return run.translation(warmup.rise(run) >> hold(at=1.0))


@translates("olmo_core", "wsd", "WSD")
def _wsd(run: OlmoRun, warmup: OlmoWarmup, decay: OlmoDecay) -> Translation:
    return _decaying(run, warmup, decay, hold(at=1.0), 1.0)


@translates("olmo_core", "power_lr", "PowerLR")
def _power(run: OlmoRun, warmup: OlmoWarmup, decay: OlmoDecay, b: Negative = -0.51) -> Translation:
    rise = warmup.length(run.t_max)
    if rise == 0:
        raise ScheduleError("warmup is the time scale of the power: write at least 1 step")
    body = inverse(rise, power=-b, start=1.0)
    begin = run.steps - decay.length(run.t_max)
    # The power has a value where the decay begins, even under the warmup.
    start = (begin / rise) ** b if begin else 0j
    if isinstance(start, complex):
        raise ScheduleError(
            f"decay={run.steps - begin} leaves no step before it: write less than t_max={run.t_max}"
        )
    if start <= run.share(decay_min_lr=decay.decay_min_lr):
        raise ScheduleError(
            f"decay_min_lr={decay.decay_min_lr!r} is not below the rate where the decay begins, "
            f"{start:.6g} of lr; write less"
        )
    return _decaying(run, warmup, decay, body, start)


@translates("olmo_core", "linear_with_warmup", "LinearWithWarmup")
def _linear(run: OlmoRun, warmup: OlmoWarmup, alpha_f: float = 0.1) -> Translation:
    return run.translation(warmup.rise(run) >> go(warmup.left(run), frm=1.0, to=alpha_f))


@translates("olmo_core", "cos_with_warmup", "CosWithWarmup")
def _cosine(run: OlmoRun, warmup: OlmoWarmup, alpha_f: float = 0.1) -> Translation:
    fall = go(warmup.left(run), frm=1.0, to=alpha_f, ease="cosine")
    return run.translation(warmup.rise(run) >> fall)


@translates("olmo_core", "half_cos_with_warmup", "HalfCosWithWarmup")
def _half_cosine(run: OlmoRun, warmup: OlmoWarmup, alpha_f: float = 0.1) -> Translation:
    # It warms up to half the height, where the second half of the cosine begins.
    middle = alpha_f + (1.0 - alpha_f) / 2
    fall = go(warmup.left(run), frm=middle, to=alpha_f, ease="second-half-cosine")
    return run.translation(warmup.rise(run, to=middle) >> fall)


@translates("olmo_core", "cos_with_warmup_and_linear_decay", "CosWithWarmupAndLinearDecay")
def _cosine_then_linear(
    run: OlmoRun, warmup: OlmoWarmup, decay: OlmoDecay, alpha_f: float = 0.1
) -> Translation:
    fall = decay.length(run.t_max)
    if fall > run.steps:
        # The line begins before the run, at the level that the warmup has there, if it has one.
        rise, low = warmup.length(run.t_max), run.share(warmup_min_lr=warmup.warmup_min_lr)
        level = low + (1.0 - low) * (run.steps - fall) / rise if rise else 0.0
        if level <= run.share(decay_min_lr=decay.decay_min_lr):
            raise ScheduleError(
                f"decay={fall} is longer than the run, and OLMo-core fails where it begins: write "
                f"at most {run.steps}"
            )
        return run.ending(hold(0, at=level), level, fall, decay.decay_min_lr, fall - run.steps)
    before = _cosine(run, warmup, alpha_f=alpha_f).schedule[: run.steps - fall]
    return run.ending(before, before.end, fall, decay.decay_min_lr)


@translates("olmo_core", "inv_sqrt_with_warmup", "InvSqrtWithWarmup")
def _inverse_sqrt(run: OlmoRun, warmup: OlmoWarmup, alpha_f: NotNegative = 0.1) -> Translation:
    length = warmup.length(run.t_max)
    if length == 0:
        # The root is that of 0 steps.
        return run.translation(hold(at=alpha_f))
    if alpha_f == 1:
        return run.translation(warmup.rise(run) >> hold(at=1.0))
    body = inverse(length, power=0.5, start=1.0 - alpha_f)
    return run.translation(warmup.rise(run) >> (body + alpha_f if alpha_f else body))


@translates("olmo_core", "exponential", "ExponentialScheduler")
def _exponential(run: OlmoRun, lr_min: float = 1e-9) -> Translation:
    low = number("lr_min", run.share(lr_min=lr_min), above=0)
    return run.translation(go(run.steps, frm=low, to=1.0, log=True))


@translates("olmo_core", "wsds", "WSDS")
def _wsds(
    run: OlmoRun,
    warmup: OlmoWarmup,
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
        period = hold(length - fall, at=peak) >> go(fall, frm=peak, to=low)
        # A period ends with the step that reaches the floor: the next peak comes one step later.
        parts.append(hold(1, at=low) >> period[1:] if index else period)
    return run.translation(then(parts))


@translates("olmo_core", "composable", "ComposableScheduler")
def _composable(
    run: OlmoRun,
    stages: Sequence[Mapping[str, Any]],
    override_decay: Mapping[str, Any] | None = None,
) -> Translation:
    if not stages:
        raise ScheduleError("stages=[] is empty; write at least one dict")
    parts: list[Schedule] = []
    at = 1.0
    for index, stage in enumerate(stages):
        start = _target(stage, "start", run)
        end = _end(f"stages[{index}]", stage, run)
        begin = at if start is None else start
        parts.append(_stage(stage, begin, end))
        at = end
    return _overridden(then(parts), override_decay, run)


@translates("olmo_core", "sequential", "SequentialScheduler")
def _sequential(
    run: OlmoRun,
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


def _decaying(
    run: OlmoRun, warmup: OlmoWarmup, decay: OlmoDecay, body: Schedule, start: float
) -> Translation:
    """Return a warmup, a body and a decay from a level, which may begin under the warmup."""
    rise = warmup.length(run.t_max)
    fall = decay.length(run.t_max)
    begin = run.steps - fall
    before, begun = warmup.rise(run), 0
    if begin > rise:
        before = before >> body[: begin - rise]
    elif begin < rise:
        # The warmup keeps its last step.
        before, begun = before >> hold(1, at=1.0), rise + 1 - begin
    return run.ending(before, start, fall, decay.decay_min_lr, begun)


def _target(stage: Mapping[str, Any], which: str, run: OlmoRun) -> float | None:
    rate, fraction = stage.get(f"{which}_lr"), stage.get(f"{which}_lr_fraction")
    if rate is not None and fraction is not None:
        raise ScheduleError(f"{which}_lr={rate!r}, {which}_lr_fraction={fraction!r}: give one")
    if rate is not None:
        return run.share(**{f"{which}_lr": rate})
    return None if fraction is None else number(f"{which}_lr_fraction", fraction, at_least=0)


def _end(what: str, stage: Mapping[str, Any], run: OlmoRun) -> float:
    end = _target(stage, "end", run)
    if end is None:
        raise ScheduleError(f"{what}={dict(stage)!r}: give end_lr or end_lr_fraction")
    return end


def _stage(stage: Mapping[str, Any], start: float, end: float) -> Schedule:
    shape = one_of("shape", stage.get("shape", "linear"), _SHAPES)
    length = whole("duration", stage.get("duration"), at_least=1)
    return go(length, frm=start, to=end, ease=str(shape))


def _overridden(main: Schedule, override: Mapping[str, Any] | None, run: OlmoRun) -> Translation:
    if override is None:
        return run.translation(main)
    start = whole("start", override.get("start"), at_least=0)
    end = _end("override_decay", override, run)
    return run.translation(main[:start] >> _stage(override, main(start), end))
