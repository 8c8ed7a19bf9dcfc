"""timm's scheduler classes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final

from lehr.catalogue.decay.elementary import inverse
from lehr.curves.easing import Ease, EaseLike
from lehr.errors import ScheduleError, number
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold, ramp
from lehr.translate.arguments import Negative, Positive, one_of, steps
from lehr.translate.pieces import decayed, differing, falls, go
from lehr.translate.plateau import ReduceOnPlateau
from lehr.translate.registry import Translation, translates
from lehr.translate.timm.cycles import TimmCycles, TimmWarmup

_STABLE: Final = ("constant", "rsqrt", "power")
_DECAY: Final = ("linear", "1-sqrt", "cosine", "power", "exp")


@translates("timm", "CosineLRScheduler")
def cosine(cycles: TimmCycles, warmup: TimmWarmup, k_decay: Positive = 1.0) -> Translation:
    """Translate cosines down to ``lr_min``."""
    return cycles.translation(warmup, "cosine" if k_decay == 1 else f"k-cosine({k_decay!r})")


@translates("timm", "TanhLRScheduler")
def tanh(
    cycles: TimmCycles, warmup: TimmWarmup, lb: Negative = -7.0, ub: float = 3.0
) -> Translation:
    """Translate hyperbolic tangents down to ``lr_min``."""
    high = number("ub", ub, above=0, at_most=20)
    # (1 - tanh x) / 2 is a little less than 1 at the start, a little more than 0 at the end.
    top, bottom = (1 / (1 + math.exp(2 * bound)) for bound in (lb, high))
    return cycles.translation(warmup, f"tanh({-lb!r}, {high!r})", top, bottom)


@translates("timm", "PolyLRScheduler")
def poly(
    cycles: TimmCycles, warmup: TimmWarmup, power: float = 0.5, k_decay: Positive = 1.0
) -> Translation:
    """Translate polynomials down to ``lr_min``."""
    if power == 0:
        return cycles.translation(warmup, "linear", bottom=1.0)
    power = number("power", power, above=0)
    ease = f"power({power!r})" if k_decay == 1 else f"k-power({k_decay!r}, {power!r})"
    return cycles.translation(warmup, ease)


@translates("timm", "StepLRScheduler")
def steps_down(
    warmup: TimmWarmup,
    decay_t: float,
    decay_rate: float = 1.0,
    warmup_prefix: bool = True,
    faithful: bool = False,
) -> Translation:
    """Translate a staircase with regular steps."""
    size, note = steps("decay_t", number("decay_t", decay_t, above=0)), ""
    if Fraction(decay_t) > size:
        note = f"timm rounds when it divides by decay_t={decay_t!r}, and falls a step late"
    body = hold(at=1.0) if decay_rate == 1 else decayed(decay_rate, every=size, stairs=True)
    if note and faithful:
        # Delayed by less than any whole step is away from a fall between steps.
        body = hold(Fraction(1, 2 * size.denominator), at=1.0) >> body
    return differing(warmup.before(body, warmup_prefix), "" if faithful else note)


@translates("timm", "MultiStepLRScheduler")
def multistep(
    warmup: TimmWarmup,
    decay_t: Sequence[float],
    decay_rate: float = 1.0,
    warmup_prefix: bool = True,
) -> Schedule:
    """Translate a staircase with its own milestones."""
    # timm compares milestones with t + 1, so each fall comes a step before its milestone.
    times = [max(steps("decay_t", milestone) - 1, 0) for milestone in decay_t]
    rate = number("decay_rate", decay_rate, at_least=0, at_most=1e6)
    return warmup.before(falls(times, rate), warmup_prefix)


@translates("timm", "WSDLRScheduler")
def wsd(
    warmup: TimmWarmup,
    t_initial: float,
    decay_t: float,
    lr_min: float = 0.0,
    stable_fn: str = "constant",
    stable_timescale: float | None = None,
    stable_power: float = 0.5,
    decay_fn: str | Callable[[float], float] = "1-sqrt",
    decay_power: float = 0.5,
    decay_ratio: float = 0.1,
) -> Schedule:
    """Translate a warmup, a stable phase and a decay."""
    one_of("stable_fn", stable_fn, _STABLE)
    total, fall = steps("t_initial", t_initial), steps("decay_t", decay_t)
    if not 0 < fall <= total:
        raise ScheduleError(f"decay_t={decay_t!r} must be above 0 and at most {t_initial}")
    floor = warmup.floor(lr_min)
    ease = _wsd_ease(decay_fn, decay_power, decay_ratio)
    if stable_fn == "constant":
        top = max(1.0, floor)
        body = hold(total - fall, at=top) >> go(fall, frm=top, to=floor, ease=ease)
        return warmup.before(body, prefix=True)
    tau = warmup.length if stable_timescale is None else steps("stable_timescale", stable_timescale)
    power = 0.5 if stable_fn == "rsqrt" else number("stable_power", stable_power, above=0)
    stable = inverse(tau, power=power, start=1.0)
    if floor:
        stable = stable.clip(low=floor)
    body = stable * (hold(total - fall, at=1.0) >> ramp(fall, to=0.0, ease=ease))
    if floor:
        body = body + (hold(total - fall, at=0.0) >> ramp(fall, to=floor, ease=ease))
    return warmup.before(body[:total], prefix=True)


def _wsd_ease(
    decay_fn: str | Callable[[float], float], decay_power: float, decay_ratio: float
) -> EaseLike:
    if callable(decay_fn):
        own = decay_fn
        return Ease.by(lambda u: 1.0 - own(u))
    one_of("decay_fn", decay_fn, _DECAY)
    if decay_fn == "power":
        return f"complement({number('decay_power', decay_power, above=0)!r})"
    if decay_fn == "exp":
        return f"exponential({number('decay_ratio', decay_ratio, above=0)!r})"
    return decay_fn


@translates("timm", "PlateauLRScheduler")
def plateau(
    warmup: TimmWarmup,
    decay_rate: float = 0.1,
    patience_t: int = 10,
    threshold: float = 1e-4,
    cooldown_t: int = 0,
    lr_min: float = 0.0,
    mode: str = "max",
) -> Schedule:
    """Raise an error: it follows a metric."""
    given = ReduceOnPlateau(
        mode=mode,
        factor=decay_rate,
        patience=patience_t,
        threshold=threshold,
        cooldown=cooldown_t,
        min_lr=lr_min,
        lr=warmup.lr,
    )
    raise given.error("timm PlateauLRScheduler")
