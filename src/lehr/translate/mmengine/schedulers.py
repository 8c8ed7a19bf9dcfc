"""mmengine's schedulers by their names, of the rate and of the momentum, and lists of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.translate.arguments import (
    Count,
    NotNegative,
    Share,
    one_of,
    only_one,
    power_ease,
    share_of,
)
from lehr.translate.mmengine.combined import together
from lehr.translate.mmengine.windows import Affine, Assigning, Effect, MMBase, MMWindow, Restarting
from lehr.translate.one_cycle import OneCycle, OneCyclePhases
from lehr.translate.pieces import decayed, falls, go, rates, scaled, staircase
from lehr.translate.plateau import ReduceOnPlateau
from lehr.translate.registry import Registered, Translation, ignores, translates

Build = Callable[..., Effect]
B = TypeVar("B", bound=Build)

_PARAM: Final = ("param_name",)
ignores("mmengine", *_PARAM)

_BUILDS: Final[dict[str, tuple[Registered, str]]] = {}
"""For each type in a configuration: what builds its effect, and the number that it acts on."""


def _scheduler(kind: str, *names: str) -> Callable[[B], B]:
    """Register the function below for the rate, and for the momentum if ``names`` say so."""

    def register(build: B) -> B:
        for name in names:
            drives = "momentum" if name.endswith("Momentum") else "lr"
            also = (f"{kind}ParamScheduler",) if drives == "lr" else ()
            for label in (name, *also):
                _BUILDS[label] = Registered.of(build, _PARAM, None), drives
            # With the signature of ``build``, which is what the arguments are checked against.
            alone = functools.wraps(build)(functools.partial(_alone, build, drives))
            translates("mmengine", name, *also)(alone)
        return build

    return register


def _alone(build: Build, drives: str, window: MMWindow, base: MMBase, /, **own: Any) -> Translation:
    effect = build(window, _base_of(base, drives), **own)
    return _translation({drives: [effect]}, base)


def _base_of(base: MMBase, drives: str) -> MMBase:
    """Return the base with the number that a scheduler acts on in place of the rate."""
    return base if drives == "lr" else replace(base, lr=_momentum(base))


def _momentum(base: MMBase) -> float:
    if base.momentum is None:
        raise ScheduleError(
            "the momentum is a factor of the optimizer's own: give momentum=0.9 (the first beta "
            "of an Adam)"
        )
    return number("momentum", base.momentum, above=0)


def _translation(effects: Mapping[str, Sequence[Effect]], base: MMBase) -> Translation:
    notes = [note for several in effects.values() for effect in several for note in effect.notes]
    factor = together(effects["lr"]) if effects.get("lr") else hold(at=1.0)
    momentum = None
    if effects.get("momentum"):
        momentum = scaled(together(effects["momentum"]), _momentum(base))
    return Translation(factor, notes=tuple(dict.fromkeys(notes)), momentum=momentum)


@_scheduler("Step", "StepLR", "StepMomentum")
def _step(window: MMWindow, base: MMBase, step_size: int, gamma: float = 0.1) -> Effect:
    # Only remainders of it count, and none in a window of one step.
    every = abs(whole("step_size", step_size)) * window.per
    if not window.last:
        return Affine(window, hold(at=1.0))
    if every == 0:
        raise ScheduleError("step_size=0: mmengine divides by zero; write at least 1")
    stairs = decayed(gamma, every=every, stairs=True)
    return Affine(window, stairs, zeroes=lambda n: gamma == 0 and n % every == 0)


@_scheduler("MultiStep", "MultiStepLR", "MultiStepMomentum")
def _multistep(
    window: MMWindow, base: MMBase, milestones: Sequence[int], gamma: float = 0.1
) -> Effect:
    times = sorted(whole("milestones", time) * window.per for time in milestones)
    # Those before the first step are never reached.
    times = [time for time in times if time >= 0]
    return Affine(window, falls(times, gamma), zeroes=lambda n: gamma == 0 and n in times)


@_scheduler("Constant", "ConstantLR", "ConstantMomentum")
def _constant(window: MMWindow, base: MMBase, factor: Share = 1.0 / 3) -> Effect:
    last = window.last
    note = f"mmengine divides by zero at step {window.first + last}, where the rate comes back"
    levels = staircase([last], [factor, 1.0]) if last else hold(at=factor)
    return Affine(window, levels, notes=[note if last and factor == 0 else ""])


@_scheduler("Exponential", "ExponentialLR", "ExponentialMomentum")
def _exponential(window: MMWindow, base: MMBase, gamma: float) -> Effect:
    # The conversion to steps leaves gamma as it is.
    return Affine(window, decayed(gamma), zeroes=lambda n: gamma == 0)


@_scheduler("Linear", "LinearLR", "LinearMomentum")
def _linear(
    window: MMWindow, base: MMBase, start_factor: Share = 1.0 / 3, end_factor: Share = 1.0
) -> Effect:
    if not window.last:
        return Affine(window, hold(at=start_factor))
    note = f"mmengine divides by zero at step {window.first + 1}; here the line goes on from 0"
    line = go(window.last, frm=start_factor, to=end_factor)
    return Affine(window, line, notes=[note if start_factor == 0 else ""])


@_scheduler("Poly", "PolyLR", "PolyMomentum")
def _poly(window: MMWindow, base: MMBase, eta_min: float = 0.0, power: float = 1.0) -> Effect:
    (low,) = share_of(base.lr, eta_min=eta_min)
    if not window.last or power == 0:
        return Affine(window, hold(at=1.0))
    return _falling(window, window.last, low, power_ease("power", power))


@_scheduler("CosineAnnealing", "CosineAnnealingLR", "CosineAnnealingMomentum")
def _cosine(
    window: MMWindow,
    base: MMBase,
    T_max: int | None = None,
    eta_min: float | None = None,
    eta_min_ratio: float | None = None,
) -> Effect:
    length = window.last + 1
    if T_max and window.last:
        # A cosine is the same forwards and backwards.
        length = abs(whole("T_max", T_max)) * window.per
    low = _floor(eta_min, eta_min_ratio, base.lr)
    if length >= window.last:
        return _falling(window, length, low, "cosine")
    if not base.faithful:
        note = "after T_max mmengine follows the cosine back up; here it stays at its floor"
        return _falling(window, length, low, "cosine", length=length + 1, notes=[note])

    def wave(top: float, floor: float = low) -> Schedule:
        up = go(length, frm=floor, to=1.0, ease="cosine")
        if top == 1:
            return (go(length, frm=1.0, to=floor, ease="cosine") >> up).repeat()
        down = go(length, frm=1.0, to=floor, ease="cosine")
        return go(length, frm=top, to=floor, ease="cosine") >> (up >> down).repeat()

    return Affine(window, wave(1.0, 0.0), low, wave, bounces=True)


def _falling(window: MMWindow, steps: int, low: float, ease: str, **more: Any) -> Effect:
    def shape(top: float) -> Schedule:
        return go(steps, frm=top, to=low, ease=ease)

    return Affine(window, go(steps, frm=1.0, to=0.0, ease=ease), low, shape, **more)


@_scheduler("CosineRestart", "CosineRestartLR", "CosineRestartMomentum")
def _cosine_restart(
    window: MMWindow,
    base: MMBase,
    periods: Sequence[int],
    restart_weights: Sequence[float] = (1,),
    eta_min: float | None = None,
    eta_min_ratio: float | None = None,
) -> Effect:
    only_one(eta_min=eta_min, eta_min_ratio=eta_min_ratio)
    if not periods or len(periods) != len(restart_weights):
        raise ScheduleError(
            f"restart_weights={list(restart_weights)!r}: write one for each of "
            f"periods={list(periods)!r}"
        )
    lengths = [whole("periods", period, at_least=0) * window.per for period in periods]
    levels = [number("restart_weights", weight, at_least=0) for weight in restart_weights]
    low = _floor(eta_min, eta_min_ratio, base.lr)
    # A period without steps is never reached.
    met = [(size, top) for size, top in zip(lengths, levels, strict=True) if size]
    if not met:
        return Affine(window, hold(at=1.0))
    return Restarting(window, [size for size, _ in met], [top for _, top in met], low)


def _floor(eta_min: float | None, eta_min_ratio: float | None, lr: float | None) -> float:
    if eta_min is not None and eta_min_ratio is not None:
        raise ScheduleError(
            f"eta_min={eta_min!r}, eta_min_ratio={eta_min_ratio!r}: give at most one"
        )
    if eta_min_ratio is not None:
        return number("eta_min_ratio", eta_min_ratio, at_least=0)
    return share_of(lr, eta_min=eta_min or 0.0)[0]


def _one_cycle(
    window: MMWindow,
    base: MMBase,
    cycle: OneCycle,
    eta_max: NotNegative,
    total_steps: Count | None = None,
) -> Assigning:
    """Return a one-cycle of rates, rather than of factors."""
    total = window.last + 1 if total_steps is None else total_steps * window.per
    phases = OneCyclePhases("mmengine", total, cycle)
    heights = cycle.heights(eta_max)
    curve = phases.path(heights, faithful=base.faithful)
    past = window.last >= total
    return Assigning(window, curve, phases.notes(heights, faithful=base.faithful, past=past))


@translates("mmengine", "OneCycleLR", "OneCycleParamScheduler")
@functools.wraps(_one_cycle)
def _one_cycle_alone(window: MMWindow, base: MMBase, cycle: OneCycle, **own: Any) -> Translation:
    effect = _one_cycle(window, base, cycle, **own)
    if not effect.begin:
        return rates(together([effect]), *effect.notes)
    if base.lr is None:
        raise ScheduleError(
            f"begin={window.begin!r}: before it the rate is the optimizer's own: give it, as in "
            "lr=0.1"
        )
    before = hold(effect.begin, at=number("lr", base.lr, at_least=0))
    return rates(before >> together([effect])[effect.begin :], *effect.notes)


@_scheduler("ReduceOnPlateau", "ReduceOnPlateauLR")
def _plateau(
    window: MMWindow,
    base: MMBase,
    monitor: str = "loss",
    rule: str = "less",
    factor: float = 0.1,
    patience: int = 10,
    threshold: float = 1e-4,
    threshold_rule: str = "rel",
    cooldown: int = 0,
    min_value: float | Sequence[float] = 0.0,
    eps: float | None = None,
) -> Effect:
    given = ReduceOnPlateau(
        mode="min" if one_of("rule", rule, ("less", "greater")) == "less" else "max",
        factor=factor,
        patience=patience,
        threshold=threshold,
        threshold_mode=threshold_rule,
        cooldown=cooldown,
        min_lr=min_value,
        eps=eps,
        lr=base.lr,
    )
    raise given.error("mmengine ReduceOnPlateauLR")


@translates("mmengine", "ReduceOnPlateauMomentum")
def _momentum_plateau(**arguments: Any) -> Translation:
    raise ScheduleError(
        "mmengine ReduceOnPlateauMomentum follows a metric, so its momentum is not a function of "
        "the step; lehr's feedback rules act on the rate alone"
    )


_BUILDS["ReduceOnPlateauMomentum"] = Registered.of(_momentum_plateau, (), None), "lr"
_ONE_CYCLES: Final = ("OneCycleLR", "OneCycleParamScheduler")
_BOUNDS: Final = ("eta_max", "div_factor", "final_div_factor")
for _label in _ONE_CYCLES:
    _BUILDS[_label] = Registered.of(_one_cycle, _PARAM, None), "lr"


@translates("mmengine", "param_scheduler")
def _list(base: MMBase, schedulers: Sequence[Mapping[str, Any]]) -> Translation:
    """Translate a list as in a configuration: each goes on from what the one before left."""
    if not schedulers:
        raise ScheduleError("schedulers=[] is empty; write at least one dict with its type")
    effects: dict[str, list[Effect]] = {"lr": [], "momentum": []}
    cycles = [config for config in schedulers if config.get("type") in _ONE_CYCLES]
    for config in schedulers:
        given = dict(config)
        kind = one_of("type", given.pop("type", None), list(_BUILDS))
        build, drives = _BUILDS[kind]
        if given.get("param_name") == "momentum":
            drives = "momentum"
        numbers = vars(_base_of(base, drives))
        effect: Effect = build.call(f"mmengine {kind}", {**numbers, **given})
        if any(isinstance(other, Assigning) for other in effects[drives]):
            _check_base(kind, given, effect)
        if isinstance(effect, Assigning):
            bounds = {name: cycles[-1][name] for name in _BOUNDS if name in cycles[-1]}
            own = {name: value for name, value in given.items() if name not in _BOUNDS}
            last: Assigning = build.call(f"mmengine {kind}", {**numbers, **own, **bounds})
            effect = _as_factor(kind, effect.overwritten(last, faithful=base.faithful), base)
        effects[drives].append(effect)
    units = {effect.by_epoch for several in effects.values() for effect in several}
    if len(units) > 1:
        raise ScheduleError(
            "schedulers: some count epochs and some steps; give epoch_length to those that count "
            "epochs, or by_epoch=False to all"
        )
    return _translation(effects, base)


def _as_factor(kind: str, effect: Assigning, base: MMBase) -> Effect:
    if base.lr is None:
        raise ScheduleError(f"{kind} sets rates, among factors: give the optimizer's, as in lr=0.1")
    return effect.scaled(1 / number("lr", base.lr, above=0))


def _check_base(kind: str, given: Mapping[str, Any], effect: Effect) -> None:
    """Raise an error if a scheduler depends on the base rate, which a OneCycleLR has replaced."""
    if effect.needs_base or given.get("eta_min_ratio") is not None:
        raise ScheduleError(
            f"{kind} after a OneCycleLR: in mmengine its base rate is then the OneCycleLR's first, "
            "eta_max / div_factor; put it before the OneCycleLR in the list"
        )
