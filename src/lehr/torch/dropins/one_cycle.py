"""Drop-in: ``OneCycleLR``, up and far down, once."""

from __future__ import annotations

import math
import operator
from fractions import Fraction
from functools import reduce
from typing import Any, Final, Literal

from torch.optim import Optimizer, lr_scheduler

from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold, ramp
from lehr.torch.binding import LR, Binding, Group, Slot, flag
from lehr.torch.dropins.arguments import counted, momentum_slot, number_of, per_group
from lehr.torch.dropins.base import DropIn
from lehr.torch.dropins.parameters import Parameter
from lehr.torch.groups import given_rates

_RATES: Final = ("max_lr", "min_lr", "initial_lr")
_MOMENTUMS: Final = ("max_momentum", "base_momentum")
_LEAST_FACTOR: Final = 1e-150
_LEAST_SHARE: Final = 1e-15


class OneCycleLR(DropIn):
    """Take the rate up to ``max_lr`` and far down again, once, and the momentum the other way.

    Formula: by the anneal strategy from ``max_lr / div_factor`` to ``max_lr`` at the step
    ``pct_start * total_steps - 1``, then to ``max_lr / div_factor / final_div_factor`` at the step
    ``total_steps - 1``; with three phases, back to ``max_lr / div_factor`` in between.

    A phase that would end before step 0 is skipped, and so is the part of the next one before step
    0: ``pct_start=0.0`` begins a little below ``max_lr``, as in torch. At the step ``total_steps``
    torch's class goes back up (or below zero); this one keeps its last value. If a phase ends at
    step 0, torch divides by zero; this one begins at the phase's end.

    Torch's class can read this one's state if it is built after the optimizer was loaded: its
    constructor writes its start rate into the groups' ``initial_lr``, where this one keeps the base
    rate.

    Arguments:
        optimizer: The optimizer to drive; its own rate is overridden.
        max_lr: The highest rate, one for all groups or a list.
        total_steps: The steps of the cycle, a whole number of at least 1; or give ``epochs`` and
            ``steps_per_epoch``.
        epochs: The epochs to train for.
        steps_per_epoch: The steps in an epoch.
        pct_start: The share of the cycle that rises, a float from 0 to 1.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        cycle_momentum: Whether to drive ``momentum``, or the first beta.
        base_momentum: The lowest momentum, where the rate is highest; one for all or a list.
        max_momentum: The highest momentum, likewise.
        div_factor: ``max_lr`` over the rate at the start.
        final_div_factor: The rate at the start over the lowest.
        three_phase: Whether to return to the starting rate before going down to the lowest.
        last_epoch: The last batch done, or -1.

    Raises:
        ValueError: If an argument is out of its range, the optimizer has no momentum to cycle, or,
            at a step, the cycle is over.

    Source: Smith and Topin (2017), arXiv:1708.07120.
    """

    _torch = lr_scheduler.OneCycleLR
    _recursive = _carries_changes = False
    _absolute = True

    total_steps: Any = Parameter(fixed=True)
    pct_start: Any = Parameter()
    anneal_strategy: Any = Parameter()
    three_phase: Any = Parameter()
    max_lrs: Any = Parameter(per_group=True)
    div_factor: Any = Parameter()
    final_div_factor: Any = Parameter()
    cycle_momentum: Any = Parameter(fixed=True)
    base_momentums: Any = Parameter(per_group=True)
    max_momentums: Any = Parameter(per_group=True)

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        self.pct_start, self.anneal_strategy = pct_start, anneal_strategy
        self.three_phase = flag("three_phase", three_phase)
        self.div_factor = number_of("div_factor", div_factor)
        self.final_div_factor = number_of("final_div_factor", final_div_factor)
        self.cycle_momentum = flag("cycle_momentum", cycle_momentum)
        self.max_lrs = per_group("max_lr", max_lr, optimizer)
        self.base_momentums = per_group("base_momentum", base_momentum, optimizer)
        self.max_momentums = per_group("max_momentum", max_momentum, optimizer)
        if self.cycle_momentum:
            momentum_slot(optimizer)
        # Everything is checked before the optimizer is touched.
        self._ends()
        super().__init__(optimizer, last_epoch)

    def _initial_step(self) -> None:
        if self.last_epoch == -1:
            self._mark_groups(self.optimizer)
            self.base_lrs = given_rates(self.groups, -1)
        super()._initial_step()

    def _follows_bases(self) -> bool:
        # Torch's rule does not read the bases: they only show whether a group's start was set.
        return True

    def _keys(self) -> tuple[str, ...]:
        return _RATES + _MOMENTUMS if self.cycle_momentum else _RATES

    def _next_rates(self, view: list[Group]) -> list[float]:
        for index, group in enumerate(view):
            start = self.max_lrs[index] / self.div_factor
            # Torch keeps its start rate there; here it is the base rate until user code sets it.
            if group.get("initial_lr") == self.base_lrs[index]:
                group["initial_lr"] = start
        return super()._next_rates(view)

    def _anneal_func(self, start: float, end: float, pct: float) -> float:
        way = self._annealing_cos if self.anneal_strategy == "cos" else self._annealing_linear
        return way(start, end, pct)

    def _mark_groups(self, optimizer: Optimizer) -> None:
        """Write the bounds into the groups, where torch keeps them and users read them.

        Torch's class also writes its start rate as the group's ``initial_lr``, which another
        scheduler would take for the base rate.
        """
        for i, group in enumerate(optimizer.param_groups):
            group["max_lr"] = self.max_lrs[i]
            if self._has_rule:
                group["initial_lr"] = self.max_lrs[i] / self.div_factor
                if self.cycle_momentum:
                    momentum_slot(optimizer).write(group, self.max_momentums[i])
            group["min_lr"] = self.max_lrs[i] / self.div_factor / self.final_div_factor
            if self.cycle_momentum:
                group["max_momentum"] = self.max_momentums[i]
                group["base_momentum"] = self.base_momentums[i]

    def _ends(self) -> list[Fraction]:
        """Return the step at which each phase ends; the first may end before the first step."""
        if not isinstance(self.pct_start, float) or not 0 <= self.pct_start <= 1:
            raise ValueError(
                f"Expected float between 0 and 1 pct_start, but got {self.pct_start!r}"
            )
        if self.anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                "anneal_strategy must be one of 'cos' or 'linear', "
                f"instead got {self.anneal_strategy!r}"
            )
        number("div_factor", self.div_factor, at_least=_LEAST_FACTOR)
        number("final_div_factor", self.final_div_factor, at_least=_LEAST_FACTOR)
        total = counted("total_steps", self.total_steps, at_least=1)
        rise = Fraction(str(self.pct_start) if self.pct_start > _LEAST_SHARE else 0) * total
        peaks = [rise - 1, 2 * rise - 2] if self.three_phase else [rise - 1]
        return [*peaks, Fraction(total - 1)]

    def _path(self, levels: list[float]) -> Schedule:
        """Return the path through the levels, one leg per phase.

        Only the part of a phase from step 0 to the last step is kept: with ``pct_start=0.0`` the
        rate is already on its way down at step 0, as in torch.
        """
        ease = "cosine" if self.anneal_strategy == "cos" else "linear"
        ends, begin, last = self._ends(), Fraction(0), Fraction(self.total_steps - 1)
        legs: list[Schedule] = []
        for end, start, to in zip(ends, levels, levels[1:], strict=False):
            first, stop = max(begin, Fraction(0)), min(end, last)
            if first < stop:
                length = end - begin
                leg = hold(length, at=to)
                if start != to:
                    leg = ramp(length, start=start, to=to, ease=ease)
                legs.append(leg[first - begin : stop - begin])
            elif end == 0 and not legs:
                legs.append(hold(0, at=to))  # torch divides by zero: this is where the phase ends
            begin = end
        return reduce(operator.rshift, legs)

    def _shapes(self) -> list[tuple[Slot, Schedule]]:
        self._anneal_func_type = self.anneal_strategy
        start = 1 / self.div_factor
        end = start / self.final_div_factor
        rate = self._path([start, 1.0, start, end] if self.three_phase else [start, 1.0, end])
        if not self.cycle_momentum:
            return [(LR, rate)]
        return [(LR, rate), (momentum_slot(self.optimizer), self._path([0.0, 1.0, 0.0, 0.0]))]

    def _bind(self, slot: Slot, index: int) -> Binding:
        if slot.name == "momentum":
            low, high = self.base_momentums[index], self.max_momentums[index]
            return Binding(gain=low - high, offset=high)
        return Binding(gain=self.max_lrs[index])

    def _regroup(self, old: list[int | None]) -> None:
        super()._regroup(old)
        self._mark_groups(self.optimizer)

    def _last_position(self) -> float:
        return self.total_steps

    def _check_position(self, position: float) -> None:
        if position > self.total_steps:
            raise ScheduleError(
                f"Tried to step {position} times. The specified number of total steps is "
                f"{self.total_steps}"
            )
        super()._check_position(position)

    @property
    def _schedule_phases(self) -> list[dict[str, Any]]:
        # The phases in torch's own form: where each ends, and the names of its bounds.
        rates = ["initial_lr", "max_lr", *(["initial_lr"] if self.three_phase else []), "min_lr"]
        momenta = ["max_momentum", "base_momentum", "max_momentum", "max_momentum"]
        return [
            {
                "end_step": float(end),
                "start_lr": rates[phase],
                "end_lr": rates[phase + 1],
                "start_momentum": momenta[phase],
                "end_momentum": momenta[phase + 1],
            }
            for phase, end in enumerate(self._ends())
        ]

    @staticmethod
    def _annealing_cos(start: float, end: float, pct: float) -> float:
        return end + (start - end) * (1 + math.cos(math.pi * pct)) / 2

    @staticmethod
    def _annealing_linear(start: float, end: float, pct: float) -> float:
        return start + (end - start) * pct

    @property
    def use_beta1(self) -> bool:
        """Whether the momentum that is cycled is the first beta."""
        return "betas" in self.optimizer.defaults

    def _load(self, state: dict[str, Any]) -> None:
        # A state of torch's class lacks most parameters; those keep their built values.
        state = {**{name: getattr(self, name) for name in self._parameters.saved}, **state}
        # Older torch versions put the function itself into the state.
        if (function := state.pop("anneal_func", None)) is not None:
            state["anneal_strategy"] = str(getattr(function, "__name__", "")).rpartition("_")[2]
        state["anneal_strategy"] = state.pop("_anneal_func_type", state["anneal_strategy"])
        if phases := state.pop("_schedule_phases", None):
            state["three_phase"] = len(phases) == 3
            state["pct_start"] = (phases[0]["end_step"] + 1) / state["total_steps"]
        super()._load(state)


def _total_steps(total_steps: Any, epochs: Any, steps_per_epoch: Any) -> int:
    if total_steps is not None:
        return whole(
            "Expected positive integer total_steps, but total_steps", total_steps, at_least=1
        )
    if epochs is None or steps_per_epoch is None:
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    return whole("epochs", epochs, at_least=1) * whole(
        "steps_per_epoch", steps_per_epoch, at_least=1
    )
