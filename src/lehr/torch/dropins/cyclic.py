"""Drop-in: ``CyclicLR``, up and down between two bounds."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any, Literal

from torch.optim import Optimizer, lr_scheduler

from lehr.catalogue.decay.elementary import exponential, linear
from lehr.catalogue.warmup import warmup
from lehr.errors import ScheduleError, number
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import formula
from lehr.torch.binding import LR, Binding, Slot, flag, plain
from lehr.torch.dropins.arguments import (
    momentum_slot,
    number_of,
    per_group,
    real_steps,
    restore_function,
    saved_function,
)
from lehr.torch.dropins.base import DropIn
from lehr.torch.dropins.parameters import Parameter


class CyclicLR(DropIn):
    """Take the rate up and down between two bounds, and the momentum the other way.

    Formula: with ``cycle = floor(1 + batch / (step_size_up + step_size_down))`` and ``x`` from 0 to
    1 on the way up and back to 0 on the way down,
    ``base_lr + (max_lr - base_lr) * x * scale(cycle or batch)``, and
    ``max_momentum - (max_momentum - base_momentum) * x * scale(...)``.

    Arguments:
        optimizer: The optimizer to drive; its own rate is overridden.
        base_lr: The lower bound, one for all groups or a list.
        max_lr: The upper bound, likewise.
        step_size_up: Batches on the way up, greater than 0.
        step_size_down: Batches on the way down; by default as many as on the way up.
        mode: ``"triangular"`` (scale 1), ``"triangular2"`` (half each cycle) or ``"exp_range"``
            (``gamma ** batch``).
        gamma: The factor of ``"exp_range"``, greater than 0.
        scale_fn: The scale, in place of a mode: any function of one number.
        scale_mode: Whether ``scale_fn`` is called with the ``"cycle"`` (from 1) or
            ``"iterations"``. A value set on a live scheduler is saved; torch's class forgets it
            when the state is loaded.
        cycle_momentum: Whether to drive ``momentum``, or the first beta.
        base_momentum: Its lower bound, one for all groups or a list.
        max_momentum: Its upper bound, likewise.
        last_epoch: The last batch done, or -1.

    Raises:
        ValueError: If the mode is unknown, a list has the wrong length, a size is not positive, or
            the optimizer has no momentum to cycle.

    Source: Smith (2015), arXiv:1506.01186.
    """

    _torch = lr_scheduler.CyclicLR
    _recursive = _carries_changes = False
    _absolute = _own_base = True

    max_lrs: Any = Parameter(per_group=True)
    step_size_up: Any = Parameter()
    step_size_down: Any = Parameter()
    mode: Any = Parameter(fixed=True)
    gamma: Any = Parameter()
    scale_mode: Any = Parameter()
    cycle_momentum: Any = Parameter(fixed=True)
    base_momentums: Any = Parameter(per_group=True)
    max_momentums: Any = Parameter(per_group=True)

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: float = 2000,
        step_size_down: float | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[Any], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        self._given_base = per_group("base_lr", base_lr, optimizer)
        self.max_lrs = per_group("max_lr", max_lr, optimizer)
        self.step_size_up = step_size_up
        self.step_size_down = step_size_up if step_size_down is None else step_size_down
        self.mode, self.gamma, self.scale_mode = mode, number_of("gamma", gamma), scale_mode
        if scale_fn is not None and not callable(scale_fn):
            raise TypeError(f"scale_fn={scale_fn!r} must be a function of one number")
        if not isinstance(mode, str):
            raise ScheduleError(f"mode={mode!r} must be a string, such as 'triangular'")
        self._scale_fn_custom = scale_fn
        if scale_fn is None and scale_mode in ("cycle", "iterations"):
            # Each mode has a scale_mode of its own; the argument is ignored, as in torch.
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = flag("cycle_momentum", cycle_momentum)
        self.base_momentums = per_group("base_momentum", base_momentum, optimizer)
        self.max_momentums = per_group("max_momentum", max_momentum, optimizer)
        if self.cycle_momentum:
            momentum_slot(optimizer)
        # Everything is checked before the optimizer is touched.
        self._shape()
        super().__init__(optimizer, last_epoch)

    def _initial_step(self) -> None:
        # The bounds are the arguments, even if another scheduler left others in the groups.
        self.base_lrs = list(self._given_base)
        if self.cycle_momentum:
            for group, low, high in zip(
                self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True
            ):
                group["base_momentum"], group["max_momentum"] = low, high
                if self._has_rule:
                    # A user's own get_lr may leave it where torch's constructor puts it.
                    momentum_slot(self.optimizer).write(group, high)
        super()._initial_step()

    def _shape(self) -> Schedule:
        up = real_steps("step_size_up", self.step_size_up)
        triangle, down = warmup(up), Fraction(0)
        if number_of("step_size_down", self.step_size_down) != 0:
            down = real_steps("step_size_down", self.step_size_down)
            triangle = triangle >> linear(down)
        custom = self._scale_fn_custom
        if custom is None and self.mode not in ("triangular", "triangular2", "exp_range"):
            raise ValueError(
                "mode is invalid and scale_fn is None: "
                f"mode={self.mode!r} must be 'triangular', 'triangular2' or 'exp_range'"
            )
        if self.scale_mode not in ("cycle", "iterations"):
            raise ScheduleError(f"scale_mode={self.scale_mode!r} must be 'cycle' or 'iterations'")
        if custom is None and self.scale_mode != (
            "iterations" if self.mode == "exp_range" else "cycle"
        ):
            # It was set after the scheduler was built.
            custom = self._scale_fn_ref
        if custom is not None:
            per = up + down if self.scale_mode == "cycle" else None
            return triangle.repeat() * formula(custom, per=per)
        if self.mode == "triangular2":
            return triangle.repeat(scale=0.5)
        if self.mode == "exp_range":
            return triangle.repeat() * exponential(self.gamma)
        return triangle.repeat()

    def _shapes(self) -> list[tuple[Slot, Schedule]]:
        slots = [LR, momentum_slot(self.optimizer)] if self.cycle_momentum else [LR]
        shape = self._shape()
        return [(slot, shape) for slot in slots]

    def _bind(self, slot: Slot, index: int) -> Binding:
        if slot.name == "momentum":
            low, high = self.base_momentums[index], self.max_momentums[index]
            return Binding(gain=low - high, offset=high)
        low, high = plain(self.base_lrs[index]), self.max_lrs[index]
        return Binding(gain=high - low, offset=low)

    @property
    def use_beta1(self) -> bool:
        """Whether the momentum that is cycled is the first beta."""
        return "betas" in self.optimizer.defaults

    @property
    def total_size(self) -> float:
        """Batches in a cycle."""
        return float(self.step_size_up) + float(self.step_size_down)

    @total_size.setter
    def total_size(self, batches: float) -> None:
        self._divide(number("total_size", batches, above=0), self.step_ratio)

    @property
    def step_ratio(self) -> float:
        """The share of a cycle that goes up."""
        return float(self.step_size_up) / self.total_size

    @step_ratio.setter
    def step_ratio(self, share: float) -> None:
        self._divide(self.total_size, number("step_ratio", share, above=0, at_most=1))

    def _divide(self, total: float, share: float) -> None:
        up = total * share
        self.step_size_up, self.step_size_down = up, total - up

    def scale_fn(self, x: float) -> float:
        """Return the factor of the height at a cycle or a batch, depending on ``scale_mode``."""
        return (self._scale_fn_custom or self._scale_fn_ref)(x)

    @property
    def _scale_fn_ref(self) -> Callable[[float], float]:
        # Torch's name for a mode's function; torch's own tests read it.
        if self.mode == "exp_range":
            return partial(pow, self.gamma)
        return _halved if self.mode == "triangular2" else _unscaled

    def state_dict(self) -> dict[str, Any]:
        """Return the position and the parameters, and warn that a function is not saved."""
        state = super().state_dict()
        state["_scale_fn_custom"] = saved_function("scale_fn", self._scale_fn_custom)
        return state

    def _load(self, state: dict[str, Any]) -> None:
        if "step_size_up" not in state and {"total_size", "step_ratio"} <= state.keys():
            # torch's own state.
            state["step_size_up"] = state["total_size"] * state["step_ratio"]
            state["step_size_down"] = state["total_size"] - state["step_size_up"]
        for name in ("base_momentums", "max_momentums"):
            state.setdefault(name, getattr(self, name))
        saved = state.pop("_scale_fn_custom", None)
        restore_function("_scale_fn_custom", self._scale_fn_custom, saved)
        super()._load(state)

    def callables(self) -> dict[str, list[Any]]:
        """Return the scaling function if it is the user's."""
        return {"_scale_fn_custom": [self._scale_fn_custom]}


def _unscaled(_cycle: float) -> float:
    return 1.0


def _halved(cycle: float) -> float:
    return 2.0 ** (1 - cycle)
