"""timm: the schedulers of its factory by their names, and its classes by theirs.

The values are factors of the optimizer's rate; where an argument is a rate itself (``min_lr``,
``warmup_lr``, ``lr_min``, ``warmup_lr_init``), ``lr`` says what that is. A step of the schedule is
a step of timm's own counter: an epoch by default, an update with ``step_on_epochs=False`` or
``t_in_epochs=False``.

Unless ``warmup_prefix`` is given, the decay runs under the warmup, and the rate jumps down to it
when the warmup ends. That is timm's default, and is kept.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from lehr.catalogue.decay.elementary import inverse, step
from lehr.curves.easing import Ease, EaseLike
from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold, ramp
from lehr.translate._parts import (
    follows_a_metric,
    go,
    one_of,
    share_of,
    staircase,
    steps,
)
from lehr.translate._timm_cycles import Cycles, Warmup
from lehr.translate.registry import Translation, translates

_STABLE: Final = ("constant", "rsqrt", "power")
_DECAY: Final = ("linear", "1-sqrt", "cosine", "power", "exp")


@translates("timm", "CosineLRScheduler")
def _cosine(
    *,
    t_initial: float,
    lr_min: float = 0.0,
    cycle_mul: float = 1.0,
    cycle_decay: float = 1.0,
    cycle_limit: int = 1,
    warmup_t: float = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = False,
    t_in_epochs: bool = True,
    noise_range_t: Any = None,
    k_decay: float = 1.0,
    lr: float | None = None,
    faithful: bool = False,
) -> Translation:
    _refuse_noise(noise_range_t)
    ease = "cosine" if k_decay == 1 else f"k-cosine({number('k_decay', k_decay, above=0)!r})"
    (floor,) = share_of(lr, lr_min=lr_min)
    cycles = Cycles(
        steps("t_initial", t_initial, at_least=1), cycle_mul, cycle_decay, cycle_limit, floor, ease
    )
    rise = Warmup.of(warmup_t, warmup_lr_init, warmup_prefix, lr)
    return cycles.translation(rise, faithful)


@translates("timm", "TanhLRScheduler")
def _tanh(
    *,
    t_initial: float,
    lb: float = -7.0,
    ub: float = 3.0,
    lr_min: float = 0.0,
    cycle_mul: float = 1.0,
    cycle_decay: float = 1.0,
    cycle_limit: int = 1,
    warmup_t: float = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = False,
    t_in_epochs: bool = True,
    noise_range_t: Any = None,
    lr: float | None = None,
    faithful: bool = False,
) -> Translation:
    _refuse_noise(noise_range_t)
    low = number("lb", lb, at_most=math.nextafter(0, -1))
    high = number("ub", ub, above=0, at_most=20)
    (floor,) = share_of(lr, lr_min=lr_min)
    cycles = Cycles(
        steps("t_initial", t_initial, at_least=1),
        cycle_mul,
        cycle_decay,
        cycle_limit,
        floor,
        f"tanh({-low!r}, {high!r})",
        # (1 - tanh x) / 2 is a little less than 1 at the start, a little more than 0 at the end.
        top=1 / (1 + math.exp(2 * low)),
        bottom=1 / (1 + math.exp(2 * high)),
    )
    rise = Warmup.of(warmup_t, warmup_lr_init, warmup_prefix, lr)
    return cycles.translation(rise, faithful, meet=True)


@translates("timm", "PolyLRScheduler")
def _poly(
    *,
    t_initial: float,
    power: float = 0.5,
    lr_min: float = 0.0,
    cycle_mul: float = 1.0,
    cycle_decay: float = 1.0,
    cycle_limit: int = 1,
    warmup_t: float = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = False,
    t_in_epochs: bool = True,
    noise_range_t: Any = None,
    k_decay: float = 1.0,
    lr: float | None = None,
    faithful: bool = False,
) -> Translation:
    _refuse_noise(noise_range_t)
    power, k = number("power", power, above=0), number("k_decay", k_decay, above=0)
    ease = f"power({power!r})" if k == 1 else f"k-power({k!r}, {power!r})"
    (floor,) = share_of(lr, lr_min=lr_min)
    cycles = Cycles(
        steps("t_initial", t_initial, at_least=1), cycle_mul, cycle_decay, cycle_limit, floor, ease
    )
    rise = Warmup.of(warmup_t, warmup_lr_init, warmup_prefix, lr)
    return cycles.translation(rise, faithful)


@translates("timm", "StepLRScheduler")
def _step(
    *,
    decay_t: float,
    decay_rate: float = 1.0,
    warmup_t: float = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = True,
    t_in_epochs: bool = True,
    noise_range_t: Any = None,
    lr: float | None = None,
) -> Schedule:
    _refuse_noise(noise_range_t)
    body = hold(at=1.0) if decay_rate == 1 else step(steps("decay_t", decay_t), decay_rate)
    return Warmup.of(warmup_t, warmup_lr_init, warmup_prefix, lr).before(body)


@translates("timm", "MultiStepLRScheduler")
def _multistep(
    *,
    decay_t: Sequence[float],
    decay_rate: float = 1.0,
    warmup_t: float = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = True,
    t_in_epochs: bool = True,
    noise_range_t: Any = None,
    lr: float | None = None,
) -> Schedule:
    _refuse_noise(noise_range_t)
    # timm compares milestones with t + 1: each falls a step before the one that it names.
    falls = [max(steps("decay_t", milestone) - 1, 0) for milestone in decay_t]
    if sorted(falls) != falls:
        raise ScheduleError(f"decay_t={list(decay_t)!r} must be in rising order")
    rate = number("decay_rate", decay_rate, above=0, at_most=1e6)
    body = staircase(falls, [rate**count for count in range(len(falls) + 1)])
    return Warmup.of(warmup_t, warmup_lr_init, warmup_prefix, lr).before(body)


@translates("timm", "WSDLRScheduler")
def _wsd(
    *,
    t_initial: float,
    decay_t: float,
    lr_min: float = 0.0,
    stable_fn: str = "constant",
    stable_timescale: float | None = None,
    stable_power: float = 0.5,
    decay_fn: str | Callable[[float], float] = "1-sqrt",
    decay_power: float = 0.5,
    decay_ratio: float = 0.1,
    warmup_t: float = 0,
    warmup_lr_init: float = 0.0,
    t_in_epochs: bool = True,
    noise_range_t: Any = None,
    lr: float | None = None,
) -> Schedule:
    _refuse_noise(noise_range_t)
    one_of("stable_fn", stable_fn, _STABLE)
    total, fall = steps("t_initial", t_initial), steps("decay_t", decay_t)
    if not 0 < fall <= total:
        raise ScheduleError(f"decay_t={decay_t!r} must be above 0 and at most {t_initial}")
    (floor,) = share_of(lr, lr_min=lr_min)
    ease = _wsd_ease(decay_fn, decay_power, decay_ratio)
    rise = Warmup.of(warmup_t, warmup_lr_init, True, lr)
    if stable_fn == "constant":
        top = max(1.0, floor)
        return rise.before(hold(total - fall, at=top) >> go(fall, frm=top, to=floor, ease=ease))
    tau = steps(
        "warmup_t" if stable_timescale is None else "stable_timescale",
        warmup_t if stable_timescale is None else stable_timescale,
    )
    power = 0.5 if stable_fn == "rsqrt" else number("stable_power", stable_power, above=0)
    stable = inverse(tau, power=power, start=1.0)
    if floor:
        stable = stable.clip(low=floor)
    body = stable * (hold(total - fall, at=1.0) >> ramp(fall, to=0.0, ease=ease))
    if floor:
        body = body + (hold(total - fall, at=0.0) >> ramp(fall, to=floor, ease=ease))
    return rise.before(body[:total])


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


def _create(
    sched: str,
    *,
    num_epochs: int = 300,
    decay_epochs: float | None = None,
    decay_milestones: Sequence[float] = (90, 180, 270),
    cooldown_epochs: int = 0,
    decay_rate: float = 0.1,
    min_lr: float = 0.0,
    warmup_lr: float = 1e-5,
    warmup_epochs: float = 0,
    warmup_prefix: bool = False,
    noise: Any = None,
    cycle_mul: float = 1.0,
    cycle_decay: float = 0.1,
    cycle_limit: int = 1,
    k_decay: float = 1.0,
    decay_fn: str | Callable[[float], float] | None = None,
    stable_timescale: float | None = None,
    step_on_epochs: bool = True,
    updates_per_epoch: int = 0,
    lr: float | None = None,
    faithful: bool = False,
) -> Translation | Schedule:
    per = 1 if step_on_epochs else whole("updates_per_epoch", updates_per_epoch, at_least=1)
    total = number("num_epochs", num_epochs, above=0) * per
    rise = number("warmup_epochs", warmup_epochs, at_least=0) * per
    common: dict[str, Any] = {
        "warmup_t": rise,
        "warmup_lr_init": warmup_lr,
        "noise_range_t": noise,
        "lr": lr,
    }
    if sched == "constant":
        return _step(decay_t=1, decay_rate=1.0, warmup_prefix=warmup_prefix, **common)
    if sched == "step":
        every = (90 if decay_epochs is None else decay_epochs) * per
        return _step(decay_t=every, decay_rate=decay_rate, warmup_prefix=warmup_prefix, **common)
    if sched == "multistep":
        falls = [milestone * per for milestone in decay_milestones]
        return _multistep(
            decay_t=falls, decay_rate=decay_rate, warmup_prefix=warmup_prefix, **common
        )
    if sched in ("wsd", "rsqrt"):
        # Here the warmup always comes first: without the prefix, the rest has to make room for it.
        left = total if warmup_prefix else total - rise
        fall = 0.2 if decay_epochs is None else number("decay_epochs", decay_epochs, above=0)
        return _wsd(
            t_initial=left,
            decay_t=round(fall * left if 0 < fall < 1 else fall * per),
            lr_min=min_lr,
            stable_fn="rsqrt" if sched == "rsqrt" else "constant",
            stable_timescale=None if stable_timescale is None else stable_timescale * per,
            decay_fn=decay_fn or ("linear" if sched == "rsqrt" else "1-sqrt"),
            **common,
        )
    common |= {
        "t_initial": total,
        "lr_min": min_lr,
        "cycle_mul": cycle_mul,
        "cycle_decay": cycle_decay,
        "cycle_limit": cycle_limit,
        "warmup_prefix": warmup_prefix,
        "faithful": faithful,
    }
    if sched == "tanh":
        return _tanh(**common)
    if sched == "poly":
        # The factory hands its decay_rate on as the power.
        return _poly(power=decay_rate, k_decay=k_decay, **common)
    return _cosine(k_decay=k_decay, **common)


for _name in ("cosine", "tanh", "step", "constant", "multistep", "poly", "wsd", "rsqrt"):
    translates("timm", _name)(functools.partial(_create, _name))


@translates("timm", "plateau")
def _plateau(
    *,
    decay_rate: float = 0.1,
    patience_epochs: int = 10,
    min_lr: float = 0.0,
    plateau_mode: str = "max",
    lr: float | None = None,
    **arguments: Any,
) -> Schedule:
    raise follows_a_metric(
        "timm plateau",
        "plateau",
        lr,
        {"floor": min_lr},
        mode=plateau_mode,
        factor=decay_rate,
        patience=patience_epochs,
    )


@translates("timm", "PlateauLRScheduler")
def _plateau_class(
    *,
    decay_rate: float = 0.1,
    patience_t: int = 10,
    lr_min: float = 0.0,
    mode: str = "max",
    lr: float | None = None,
    **arguments: Any,
) -> Schedule:
    return _plateau(
        decay_rate=decay_rate,
        patience_epochs=patience_t,
        min_lr=lr_min,
        plateau_mode=mode,
        lr=lr,
    )


@translates("timm", "none")
def _none() -> Schedule:
    return hold(at=1.0)


def _refuse_noise(noise: Any) -> None:
    if noise is not None:
        raise ScheduleError(
            f"noise={noise!r}: timm draws it at random, which a schedule does not; leave it out"
        )
