"""transformers: every schedule of ``get_scheduler`` that follows the time.

The values are factors of the optimizer's rate. The warmup begins at 0 and is part of
``num_training_steps``. An absolute ``lr_end`` or ``min_lr`` becomes a factor by ``lr``, the
optimizer's own rate; transformers, too, uses that one rate for all groups. ``get_scheduler`` passes
step counts to every schedule; those that a schedule ignores make no difference here either.

``reduce_lr_on_plateau`` and ``greedy`` follow a metric, not the time: the error names their rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from lehr.catalogue.decay.elementary import constant, cosine, inverse
from lehr.catalogue.warmup import warmup
from lehr.errors import ScheduleError, number
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold, ramp
from lehr.translate.arguments import (
    Natural,
    NotNegative,
    Positive,
    StepCount,
    one_of,
    only_one,
    power_ease,
    share_of,
    steps,
)
from lehr.translate.pieces import differing, go
from lehr.translate.plateau import ReduceOnPlateau, follows_a_metric, rule_text
from lehr.translate.registry import Translation, ignores, translate, translates

ignores("transformers", "last_epoch")

_REBOUND: Final = (
    "past num_training_steps transformers follows the cosine back up to the full rate; "
    "here the rate stays where it ended"
)
_RISES: Final = {"linear": "linear", "cosine": "cosine", "1-sqrt": "power(0.5)"}
_COUNTS: Final = ("num_warmup_steps", "num_training_steps")
_NAMED_BY_LR: Final = (
    *("cosine_with_min_lr", "cosine_warmup_with_min_lr", "polynomial"),
    *("reduce_lr_on_plateau", "greedy"),
)
_DECAYS: Final = ("linear", "cosine", "1-sqrt")


@dataclass(frozen=True, kw_only=True)
class TransformersSteps:
    """The steps of the warmup, and of the run, which include it."""

    num_warmup_steps: StepCount
    num_training_steps: StepCount

    @property
    def left(self) -> int | Fraction:
        """The steps after the warmup."""
        return max(self.num_training_steps - self.num_warmup_steps, 0)


@dataclass(frozen=True, kw_only=True)
class TransformersFloor:
    """The lowest rate, as a rate or as a factor of the optimizer's."""

    min_lr: float | None = None
    min_lr_rate: NotNegative | None = None
    lr: float | None = None

    @property
    def factor(self) -> float:
        only_one(min_lr=self.min_lr, min_lr_rate=self.min_lr_rate)
        if self.min_lr_rate is not None:
            return self.min_lr_rate
        return share_of(self.lr, min_lr=self.min_lr or 0.0)[0]


@translates("transformers", "get_scheduler")
def _by_name(
    name: str,
    num_warmup_steps: Any = None,
    num_training_steps: Any = None,
    scheduler_specific_kwargs: Mapping[str, Any] | None = None,
    lr: float | None = None,
    faithful: bool = False,
) -> Translation:
    given: dict[str, Any] = dict(scheduler_specific_kwargs or {})
    counts = {"num_warmup_steps": num_warmup_steps, "num_training_steps": num_training_steps}
    given |= {key: value for key, value in counts.items() if value is not None}
    known = _NAMED_BY_LR if lr is not None else ()
    own = {"lr": lr} if name in known else {}
    return translate("transformers", name, faithful=faithful, **given, **own)


@translates("transformers", "constant", "get_constant_schedule", ignores=_COUNTS)
def _constant() -> Schedule:
    return constant()


@translates(
    "transformers",
    "constant_with_warmup",
    "get_constant_schedule_with_warmup",
    ignores=("num_training_steps",),
)
def _constant_with_warmup(num_warmup_steps: StepCount) -> Schedule:
    return warmup(num_warmup_steps) >> hold()


@translates("transformers", "linear", "get_linear_schedule_with_warmup")
def _linear(run: TransformersSteps) -> Schedule:
    return warmup(run.num_warmup_steps) >> ramp(run.left)


@translates("transformers", "cosine", "get_cosine_schedule_with_warmup")
def _cosine(run: TransformersSteps, num_cycles: float = 0.5, faithful: bool = False) -> Translation:
    return _waves(run, num_cycles, 0.0, faithful)


@translates("transformers", "cosine_with_min_lr", "get_cosine_with_min_lr_schedule_with_warmup")
def _cosine_with_min_lr(
    run: TransformersSteps,
    floor: TransformersFloor,
    num_cycles: float = 0.5,
    faithful: bool = False,
) -> Translation:
    return _waves(run, num_cycles, floor.factor, faithful)


@translates(
    "transformers",
    "cosine_warmup_with_min_lr",
    "get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
)
def _cosine_warmup_with_min_lr(
    floor: TransformersFloor,
    num_warmup_steps: Natural,
    num_training_steps: Natural,
    num_cycles: float = 0.5,
    warmup_lr_rate: float | None = None,
    faithful: bool = False,
) -> Translation:
    rise = num_warmup_steps
    left = max(1, num_training_steps - rise)
    # Both legs count from 1: the peak is the last step of the warmup, the floor the run's last.
    decay = _wave(left, num_cycles, floor.factor, faithful)[1:]
    note = "" if faithful else _REBOUND.replace("past num_training_steps", "past its last step")
    if rise == 0:
        return differing(decay, note)
    if warmup_lr_rate is None:
        before = warmup(rise)[1:] >> hold(1)
    elif rise == 1:
        before = hold(1, at=warmup_lr_rate) >> hold(0, at=1.0)
    else:
        before = go(rise - 1, frm=warmup_lr_rate, to=1.0) >> hold(1)
    return differing(before >> decay, note)


@translates(
    "transformers", "cosine_with_restarts", "get_cosine_with_hard_restarts_schedule_with_warmup"
)
def _cosine_with_restarts(run: TransformersSteps, num_cycles: NotNegative = 1) -> Schedule:
    rise, left = run.num_warmup_steps, run.left
    count = Fraction(str(num_cycles))
    if count == 0:
        return warmup(rise) >> hold(left or 1, at=1.0) >> hold(at=0.0)
    period = Fraction(left or 1) / count
    if count == 1:
        return warmup(rise) >> cosine(period)
    if count.denominator == 1:
        return warmup(rise) >> cosine(period).repeat(count.numerator)
    return warmup(rise) >> cosine(period).repeat()[: left or 1] >> hold(at=0.0)


@translates("transformers", "polynomial", "get_polynomial_decay_schedule_with_warmup")
def _polynomial(
    run: TransformersSteps, lr: float, lr_end: float = 1e-7, power: float = 1.0
) -> Schedule:
    (floor,) = share_of(lr, lr_end=lr_end)
    if floor >= 1:
        raise ScheduleError(f"lr_end={lr_end!r} must be less than lr={lr!r}")
    if power == 0:
        # Its last step is part of the decay.
        until = max(run.num_training_steps + 1 - run.num_warmup_steps, 0)
        return warmup(run.num_warmup_steps) >> hold(until, at=1.0) >> hold(at=floor)
    return warmup(run.num_warmup_steps) >> ramp(run.left, to=floor, ease=power_ease("power", power))


@translates(
    "transformers", "inverse_sqrt", "get_inverse_sqrt_schedule", ignores=("num_training_steps",)
)
def _inverse_sqrt(num_warmup_steps: StepCount, timescale: Positive | None = None) -> Schedule:
    scale: int | Fraction = num_warmup_steps or 10_000
    if timescale is not None:
        scale = steps("timescale", timescale)
    return warmup(num_warmup_steps) >> inverse(scale, power=0.5)


@translates("transformers", "warmup_stable_decay", "get_wsd_schedule")
def _warmup_stable_decay(
    num_warmup_steps: StepCount,
    num_decay_steps: StepCount,
    num_training_steps: StepCount | None = None,
    num_stable_steps: StepCount | None = None,
    warmup_type: str = "linear",
    decay_type: str = "cosine",
    min_lr_ratio: NotNegative = 0.0,
    num_cycles: float = 0.5,
) -> Schedule:
    one_of("warmup_type", warmup_type, list(_RISES))
    one_of("decay_type", decay_type, _DECAYS)
    rise, fall, floor = num_warmup_steps, num_decay_steps, min_lr_ratio
    if num_stable_steps is not None:
        stable = num_stable_steps
    elif num_training_steps is not None:
        stable = num_training_steps - rise - fall
    else:
        raise ScheduleError("give num_training_steps or num_stable_steps")
    before = go(rise, frm=floor, to=1.0, ease=_RISES[warmup_type])
    if decay_type == "cosine":
        decay = hold(fall, at=floor)
        if fall and floor != 1:
            decay = _wave(fall, num_cycles, floor, faithful=False)[:fall]
    else:
        decay = go(fall, frm=1.0, to=floor, ease=decay_type)
    # Where the phases do not fit, the decay has begun before the warmup ends.
    rest = hold(stable, at=1.0) >> decay if stable >= 0 else decay[-stable:]
    return before >> rest >> hold(at=floor)


@translates(
    "transformers", "reduce_lr_on_plateau", "get_reduce_on_plateau_schedule", ignores=_COUNTS
)
def _reduce_on_plateau(given: ReduceOnPlateau) -> Schedule:
    raise given.error("transformers reduce_lr_on_plateau")


@dataclass(frozen=True, kw_only=True)
class GreedyArguments:
    """The arguments of ``GreedyLR``."""

    mode: str = "min"
    factor: float = 0.95
    patience: int = 10
    threshold: float = 1e-6
    threshold_mode: str = "abs"
    cooldown: int = 0
    warmup: int = 0
    smooth: bool = False
    window_size: int = 50
    reset_start: int = 500


@translates(
    "transformers", "greedy", "get_greedy_schedule", "GreedyLR", ignores=(*_COUNTS, "verbose")
)
def _greedy(
    given: GreedyArguments,
    min_lr: float = 1e-3,
    max_lr: float = 1.0,
    eps: float | None = None,
    lr: float | None = None,
) -> Schedule:
    bounds = {"floor": min_lr, "ceiling": max_lr}
    rule = rule_text("greedy", lr, bounds, eps=eps, **vars(given))
    raise follows_a_metric("transformers greedy", rule)


def _waves(run: TransformersSteps, num_cycles: float, floor: float, faithful: bool) -> Translation:
    wave = _wave(run.left or 1, num_cycles, floor, faithful)
    return differing(warmup(run.num_warmup_steps) >> wave, "" if faithful else _REBOUND)


def _wave(length: int | Fraction, count: float, floor: float, faithful: bool) -> Schedule:
    """Return ``count`` cosine waves in ``length`` steps, held after them unless faithful."""
    # A cosine is the same forwards and backwards.
    count = abs(number("num_cycles", count))
    if floor == 1 or count == 0:
        return hold(at=1.0)
    half = Fraction(length) / (2 * Fraction(str(count)))
    down = cosine(half, to=floor)
    waves = (down >> cosine(half, to=1.0)).repeat()
    if faithful:
        return waves
    return down if half == length else waves[:length]
