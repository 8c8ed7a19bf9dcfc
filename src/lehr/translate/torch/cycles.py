"""The schedulers of torch that go up and down: restarts, ``CyclicLR``, ``OneCycleLR``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from lehr.catalogue.cyclic import exp_range, triangular, triangular2, warm_restarts
from lehr.catalogue.decay.elementary import constant, linear
from lehr.catalogue.warmup import warmup
from lehr.errors import ScheduleError, number
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import formula, hold
from lehr.translate.arguments import Count, NotNegative, steps
from lehr.translate.one_cycle import OneCycle, OneCyclePhases
from lehr.translate.registry import Translation, translates
from lehr.translate.torch.common import (
    GroupRates,
    TorchBase,
    after,
    from_state,
    levels,
    many,
    of_group,
    place,
    plain,
)

ScaleFunction = Callable[[float], float]


@translates(
    "torch",
    "CosineAnnealingWarmRestarts",
    state=from_state("T_0", "T_mult", "eta_min", "T_cur", "T_i"),
)
def warm_restarts_lr(
    base: TorchBase,
    T_0: Count,
    T_mult: Count = 1,
    eta_min: NotNegative = 0.0,
    T_cur: float | None = None,
    T_i: int | None = None,
    faithful: bool = False,
) -> Translation:
    """Cosines from the base rate to ``eta_min``, each ``T_mult`` as long as the one before.

    ``lr`` is needed where ``eta_min`` is not 0. ``T_cur`` and ``T_i`` are those of a saved state:
    where torch lost its place among the restarts they do not belong to its epoch.
    """
    pairs, absolute = levels(base.lr, "eta_min", eta_min)
    lost, epoch = None, -1 if base.last_epoch is None else base.last_epoch + 1
    if T_cur is not None and T_i is not None and epoch >= 0:
        lost = (T_cur, T_i) if _cycle(epoch, T_0, T_mult) != (T_cur, T_i) else None
    curves, notes = [_restarts(T_0, T_mult, peak, floor) for peak, floor in pairs], []
    if lost and faithful:
        curves = [
            after(curve[:epoch], _lost(*lost, T_mult, peak, floor)) if peak != floor else curve
            for curve, (peak, floor) in zip(curves, pairs, strict=True)
        ]
    elif lost:
        notes = [
            f"torch lost its place: at epoch {epoch} it is {lost[0]} epochs "
            f"into a cycle of {lost[1]}; here it restarts where it should"
        ]
    return base.answer(curves, absolute=absolute, notes=notes)


def _restarts(first: int, mult: int, peak: float, floor: float) -> Schedule:
    if peak == floor:
        return constant(peak)
    return warm_restarts(first, mult, floor=floor, peak=peak)


def _cycle(position: int, first: int, mult: int) -> tuple[int, int]:
    """Return how far into its cycle a position is, and how long that is."""
    if mult == 1:
        return position % first, first
    begin, length = 0, first
    while position >= begin + length:
        begin, length = begin + length, length * mult
    return position - begin, length


def _lost(cur: float, length: int, mult: int, peak: float, floor: float) -> Schedule:
    """Return torch's curve from a place in a cycle that it got wrong."""
    here: Schedule | None = None
    if cur >= length:
        # Past the end of the cycle, it looks for the next restart only at the next step.
        value = floor + (peak - floor) * (1 + math.cos(math.pi * cur / length)) / 2
        here = hold(1, at=value)
        cur, length = (cur + 1) % length, length * mult
    rest = _restarts(length, mult, peak, floor)[Fraction(str(cur)) :]
    return rest if here is None else after(here, rest)


# ----- CyclicLR ---------------------------------------------------------------------------------


def _cyclic_state(state: Mapping[str, Any]) -> dict[str, Any]:
    total = float(state["total_size"])
    up = total * float(state["step_ratio"])
    # The product of a quotient has a rounding error: what was whole is made whole again.
    up = round(up) if abs(up - round(up)) < 1e-9 * total else up
    found = from_state("mode", "gamma", "scale_mode", "cycle_momentum")(state)
    found |= {
        "base_lr": [plain(rate) for rate in state["base_lrs"]],
        "max_lr": [plain(rate) for rate in state["max_lrs"]],
        "step_size_up": up,
        "step_size_down": total - up,
    }
    if found["cycle_momentum"]:
        found["base_momentum"] = list(state["base_momentums"])
        found["max_momentum"] = list(state["max_momentums"])
    return found


@translates("torch", "CyclicLR", state=_cyclic_state)
def cyclic_lr(
    base: TorchBase,
    base_lr: float | list[float],
    max_lr: float | list[float],
    step_size_up: float = 2000,
    step_size_down: float | None = None,
    mode: str = "triangular",
    gamma: NotNegative = 1.0,
    scale_fn: ScaleFunction | None = None,
    scale_mode: str = "cycle",
    cycle_momentum: bool = True,
    base_momentum: float | list[float] = 0.8,
    max_momentum: float | list[float] = 0.9,
    faithful: bool = False,
) -> Translation:
    """Triangles between ``base_lr`` and ``max_lr``; the optimizer's own ``lr`` is not used."""
    if scale_fn is None and mode not in ("triangular", "triangular2", "exp_range"):
        raise ScheduleError(
            f"mode={mode!r} must be 'triangular', 'triangular2' or 'exp_range', or give scale_fn"
        )
    if scale_mode not in ("cycle", "iterations"):
        raise ScheduleError(f"scale_mode={scale_mode!r} must be 'cycle' or 'iterations'")
    up = steps("step_size_up", step_size_up)
    down = up if step_size_down is None else steps("step_size_down", step_size_down)
    if up == 0:
        raise ScheduleError("step_size_up=0: torch divides by zero; write at least 1")

    def between(low: float, high: float) -> Schedule:
        low, high = number("low", low), number("high", high)
        if low == high or (scale_fn is None and mode == "exp_range" and gamma == 0):
            return constant(low)
        if scale_fn is not None:
            counted = up + down if scale_mode == "cycle" else None
            scale = formula(scale_fn, per=counted)
            path = (warmup(up) >> linear(down)).repeat() * scale * (high - low) + low
            return path if faithful else path.clip(low=0.0)
        if mode == "triangular2":
            return triangular2(up, down, floor=low, peak=high)
        if mode == "exp_range" and gamma != 1:
            return exp_range(up, down, gamma=gamma, floor=low, peak=high)
        return triangular(up, down, floor=low, peak=high)

    curves = [
        between(of_group(base_lr, i), of_group(max_lr, i)) for i in range(_count(base_lr, max_lr))
    ]
    momentum = None
    if cycle_momentum:
        momentum = between(of_group(max_momentum, 0), of_group(base_momentum, 0))
    notes = _one_momentum(cycle_momentum, base_momentum, max_momentum)
    if scale_fn is not None and not faithful:
        notes.append("where scale_fn makes the rate or the momentum negative, it is 0")
    return base.answer(curves, absolute=True, notes=notes, momentum=momentum)


def _count(*given: Any) -> int:
    """Return the number of groups in the arguments: 1 if none is a list."""
    return max((len(listed) for listed in map(many, given) if listed is not None), default=1)


def _one_momentum(cycle: bool, base: Any, top: Any) -> list[str]:
    lists = [listed for listed in map(many, (base, top)) if listed is not None]
    if cycle and any(len(set(listed)) > 1 for listed in lists):
        return ["its groups' momenta differ, and this is the first one's"]
    return []


# ----- OneCycleLR -------------------------------------------------------------------------------


def _one_cycle_state(state: Mapping[str, Any]) -> dict[str, Any]:
    phases, total = state["_schedule_phases"], int(state["total_steps"])
    end = float(phases[0]["end_step"])
    exact = (end + 1) / total
    shortest = (round(exact, digits) for digits in range(1, 17))
    pct_start = next((pct for pct in shortest if float(pct * total) - 1 == end), exact)
    placed = place(state)
    return {
        "total_steps": total,
        "pct_start": pct_start,
        "three_phase": len(phases) == 3,
        "anneal_strategy": state["_anneal_func_type"],
        "cycle_momentum": state["cycle_momentum"],
        "initial_lr": placed["lr"],
        **placed,
    }


@translates("torch", "OneCycleLR", state=_one_cycle_state)
def one_cycle_lr(
    base: TorchBase,
    cycle: OneCycle,
    max_lr: float | list[float],
    total_steps: Count | None = None,
    epochs: Count | None = None,
    steps_per_epoch: Count | None = None,
    cycle_momentum: bool = True,
    base_momentum: float | list[float] = 0.85,
    max_momentum: float | list[float] = 0.95,
    initial_lr: GroupRates = None,
    min_lr: GroupRates = None,
    faithful: bool = False,
) -> Translation:
    """Up to ``max_lr`` and far down; the optimizer's own ``lr`` is not used.

    ``initial_lr`` and ``min_lr`` are what torch keeps in the groups: give them in place of the
    two factors.
    """
    if total_steps is None:
        if epochs is None or steps_per_epoch is None:
            raise ScheduleError("torch OneCycleLR: give total_steps, or epochs and steps_per_epoch")
        total_steps = epochs * steps_per_epoch
    phases = OneCyclePhases("torch", total_steps, cycle)
    curves: list[Schedule] = []
    notes: list[str] = []
    for i in range(_count(max_lr, initial_lr, min_lr)):
        top = number("max_lr", of_group(max_lr, i))
        heights = cycle.heights(top, of_group(initial_lr, i), of_group(min_lr, i))
        curves.append(phases.path(heights, faithful=faithful))
        notes = notes or phases.notes(heights, faithful=faithful)
    momentum = None
    if cycle_momentum:
        high, low = of_group(max_momentum, 0), of_group(base_momentum, 0)
        momentum = phases.path([high, low, high, high][: len(phases.ends) + 1], faithful=faithful)
    return base.answer(
        curves,
        absolute=True,
        notes=[*notes, *_one_momentum(cycle_momentum, base_momentum, max_momentum)],
        momentum=momentum,
    )
