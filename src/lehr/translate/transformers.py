"""transformers: every schedule of ``get_scheduler`` that follows the time.

The values are factors of the optimizer's rate. The warmup begins at 0 and is part of
``num_training_steps``. An absolute ``lr_end`` or ``min_lr`` becomes a factor by ``lr``, the
optimizer's own rate; transformers, too, uses that one rate for all groups.

``reduce_lr_on_plateau`` and ``greedy`` follow a metric, not the time: the error names their rule.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from lehr.catalogue.decay.elementary import constant, cosine, inverse
from lehr.catalogue.warmup import warmup
from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold, ramp
from lehr.translate.pieces import differing, follows_a_metric, go, one_of, share_of, steps
from lehr.translate.registry import Translation, translates

_REBOUND: Final = (
    "past num_training_steps transformers follows the cosine back up to the full rate; "
    "here the rate stays where it ended"
)
_RISES: Final = {"linear": "linear", "cosine": "cosine", "1-sqrt": "power(0.5)"}
_DECAYS: Final = ("linear", "cosine", "1-sqrt")


@translates("transformers", "constant", also=("get_constant_schedule",))
def _constant() -> Schedule:
    return constant()


@translates("transformers", "constant_with_warmup", also=("get_constant_schedule_with_warmup",))
def _constant_with_warmup(*, num_warmup_steps: float) -> Schedule:
    return warmup(steps("num_warmup_steps", num_warmup_steps)) >> hold()


@translates("transformers", "linear", also=("get_linear_schedule_with_warmup",))
def _linear(*, num_warmup_steps: float, num_training_steps: float) -> Schedule:
    rise, left = _phases(num_warmup_steps, num_training_steps)
    return warmup(rise) >> ramp(left)


@translates("transformers", "cosine", also=("get_cosine_schedule_with_warmup",))
def _cosine(
    *,
    num_warmup_steps: float,
    num_training_steps: float,
    num_cycles: float = 0.5,
    faithful: bool = False,
) -> Translation:
    return _waves(num_warmup_steps, num_training_steps, num_cycles, 0.0, faithful)


@translates(
    "transformers",
    "cosine_with_min_lr",
    also=("get_cosine_with_min_lr_schedule_with_warmup",),
)
def _cosine_with_min_lr(
    *,
    num_warmup_steps: float,
    num_training_steps: float,
    num_cycles: float = 0.5,
    min_lr: float | None = None,
    min_lr_rate: float | None = None,
    lr: float | None = None,
    faithful: bool = False,
) -> Translation:
    floor = _floor(min_lr, min_lr_rate, lr)
    return _waves(num_warmup_steps, num_training_steps, num_cycles, floor, faithful)


@translates(
    "transformers",
    "cosine_warmup_with_min_lr",
    also=("get_cosine_with_min_lr_schedule_with_warmup_lr_rate",),
)
def _cosine_warmup_with_min_lr(
    *,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: float = 0.5,
    min_lr: float | None = None,
    min_lr_rate: float | None = None,
    warmup_lr_rate: float | None = None,
    lr: float | None = None,
    faithful: bool = False,
) -> Translation:
    rise = whole("num_warmup_steps", num_warmup_steps, at_least=0)
    left = max(1, whole("num_training_steps", num_training_steps, at_least=1) - rise)
    # Both legs count from 1: the peak is the last step of the warmup, the floor the run's last.
    decay = _wave(left, num_cycles, _floor(min_lr, min_lr_rate, lr), faithful)[1:]
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
    "transformers",
    "cosine_with_restarts",
    also=("get_cosine_with_hard_restarts_schedule_with_warmup",),
)
def _cosine_with_restarts(
    *,
    num_warmup_steps: float,
    num_training_steps: float,
    num_cycles: float = 1,
) -> Schedule:
    rise, left = _phases(num_warmup_steps, num_training_steps)
    count = Fraction(str(number("num_cycles", num_cycles, above=0)))
    period = Fraction(left or 1) / count
    if count == 1:
        return warmup(rise) >> cosine(period)
    if count.denominator == 1:
        return warmup(rise) >> cosine(period).repeat(count.numerator)
    return warmup(rise) >> cosine(period).repeat()[: left or 1] >> hold(at=0.0)


@translates("transformers", "polynomial", also=("get_polynomial_decay_schedule_with_warmup",))
def _polynomial(
    *,
    num_warmup_steps: float,
    num_training_steps: float,
    lr: float,
    lr_end: float = 1e-7,
    power: float = 1.0,
) -> Schedule:
    rise, left = _phases(num_warmup_steps, num_training_steps)
    (floor,) = share_of(lr, lr_end=lr_end)
    if floor >= 1:
        raise ScheduleError(f"lr_end={lr_end!r} must be less than lr={lr!r}")
    power = number("power", power, above=0)
    return warmup(rise) >> ramp(left, to=floor, ease="linear" if power == 1 else f"power({power})")


@translates("transformers", "inverse_sqrt", also=("get_inverse_sqrt_schedule",))
def _inverse_sqrt(*, num_warmup_steps: float, timescale: float | None = None) -> Schedule:
    rise = steps("num_warmup_steps", num_warmup_steps)
    scale = (rise or 10_000) if timescale is None else steps("timescale", timescale)
    return warmup(rise) >> inverse(scale, power=0.5)


@translates("transformers", "warmup_stable_decay", also=("get_wsd_schedule",))
def _warmup_stable_decay(
    *,
    num_warmup_steps: float,
    num_decay_steps: float,
    num_training_steps: float | None = None,
    num_stable_steps: float | None = None,
    warmup_type: str = "linear",
    decay_type: str = "cosine",
    min_lr_ratio: float = 0.0,
    num_cycles: float = 0.5,
) -> Schedule:
    if num_training_steps is None and num_stable_steps is None:
        raise ScheduleError("give num_training_steps or num_stable_steps")
    one_of("warmup_type", warmup_type, list(_RISES))
    one_of("decay_type", decay_type, _DECAYS)
    rise = steps("num_warmup_steps", num_warmup_steps)
    fall = steps("num_decay_steps", num_decay_steps)
    if num_stable_steps is not None:
        stable = steps("num_stable_steps", num_stable_steps)
    else:
        assert num_training_steps is not None
        stable = steps("num_training_steps", num_training_steps) - rise - fall
    floor = number("min_lr_ratio", min_lr_ratio, at_least=0)
    before = go(rise, frm=floor, to=1.0, ease=_RISES[warmup_type])
    if decay_type == "cosine":
        decay = _wave(fall, num_cycles, floor, faithful=False) if fall else hold(0, at=floor)
    else:
        decay = go(fall, frm=1.0, to=floor, ease=decay_type)
    # Where the phases do not fit, the decay has begun before the warmup ends.
    rest = hold(stable, at=1.0) >> decay if stable >= 0 else decay[-stable:]
    return before >> rest >> hold(at=floor)


@translates("transformers", "reduce_lr_on_plateau", also=("get_reduce_on_plateau_schedule",))
def _reduce_on_plateau(
    *, lr: float | None = None, min_lr: float = 0.0, **arguments: Any
) -> Schedule:
    label = "transformers reduce_lr_on_plateau"
    raise follows_a_metric(label, "plateau", lr, {"floor": min_lr}, **arguments)


@translates("transformers", "greedy", also=("get_greedy_schedule",))
def _greedy(
    *, lr: float | None = None, min_lr: float = 1e-3, max_lr: float = 1.0, **arguments: Any
) -> Schedule:
    rates = {"floor": min_lr, "ceiling": max_lr}
    raise follows_a_metric("transformers greedy", "greedy", lr, rates, **arguments)


def _phases(
    num_warmup_steps: float, num_training_steps: float
) -> tuple[int | Fraction, int | Fraction]:
    rise = steps("num_warmup_steps", num_warmup_steps)
    total = steps("num_training_steps", num_training_steps)
    return rise, max(total - rise, 0)


def _floor(min_lr: float | None, min_lr_rate: float | None, lr: float | None) -> float:
    if (min_lr is None) == (min_lr_rate is None):
        raise ScheduleError(f"min_lr={min_lr!r}, min_lr_rate={min_lr_rate!r}: give one of them")
    if min_lr is None:
        return number("min_lr_rate", min_lr_rate, at_least=0)
    return share_of(lr, min_lr=min_lr)[0]


def _waves(
    num_warmup_steps: float,
    num_training_steps: float,
    num_cycles: float,
    floor: float,
    faithful: bool,
) -> Translation:
    rise, left = _phases(num_warmup_steps, num_training_steps)
    wave = _wave(left or 1, num_cycles, floor, faithful)
    return differing(warmup(rise) >> wave, "" if faithful else _REBOUND)


def _wave(length: int | Fraction, count: float, floor: float, faithful: bool) -> Schedule:
    """Return ``count`` cosine waves in ``length`` steps, going on for ever or held after them."""
    half = Fraction(length) / (2 * Fraction(str(number("num_cycles", count, above=0))))
    if floor == 1:
        return hold(at=1.0)
    down = cosine(half, to=floor)
    waves = (down >> cosine(half, to=1.0)).repeat()
    if faithful:
        return waves
    return down if half == length else waves[:length]
