# pyright: basic
"""Drop-ins that drive the momentum too: ``CyclicLR`` and ``OneCycleLR``."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal

from torch.optim import Optimizer

from lehr.catalogue.decay import exponential, linear
from lehr.catalogue.warmup import warmup
from lehr.errors import ScheduleError, number, whole
from lehr.leaves import formula, hold, ramp
from lehr.schedule import Schedule
from lehr.torch.driver import Binding, Group, Slot, Track, plain
from lehr.torch.dropin import DropIn, per_group, real_steps

__all__ = ["CyclicLR", "OneCycleLR", "momentum_slot", "warn_unsaved"]


def momentum_slot(optimizer: Optimizer) -> Slot:
    """Return where an optimizer keeps its momentum: the first beta, where it has betas.

    Raises:
        ValueError: If it has neither.
    """
    if "betas" in optimizer.defaults:
        return Slot("momentum", "betas", 0)
    if "momentum" in optimizer.defaults:
        return Slot("momentum", "momentum")
    raise ValueError(
        "optimizer must support momentum or beta1 with `cycle_momentum` option enabled; "
        f"{type(optimizer).__name__} does not: write cycle_momentum=False"
    )


def warn_unsaved(name: str, function: Callable[..., Any], stacklevel: int = 3) -> None:
    """Say, when a state is saved, that a function is not part of it."""
    warnings.warn(
        f"{name}={function!r} cannot be saved in a state; build the scheduler with the same "
        "function before you load it. (The attributes of a callable object are saved.)",
        UserWarning,
        stacklevel=stacklevel + 1,
    )


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
        step_size_down: Batches on the way down; as many as up without it.
        mode: ``"triangular"`` (scale 1), ``"triangular2"`` (half each cycle) or ``"exp_range"``
            (``gamma ** batch``).
        gamma: The factor of ``"exp_range"``, greater than 0.
        scale_fn: The scale, in place of a mode: any function of one number.
        scale_mode: Whether ``scale_fn`` is handed the ``"cycle"`` (from 1) or ``"iterations"``.
        cycle_momentum: Whether to drive ``momentum``, or the first beta.
        base_momentum: Its lower bound, one for all groups or a list.
        max_momentum: Its upper bound, likewise.
        last_epoch: The last batch done, or -1.

    Raises:
        ValueError: If the mode is unknown, a list has the wrong length, a size is not positive, or
            the optimizer has no momentum to cycle.

    Source: Smith (2015), arXiv:1506.01186.
    """

    _saved = (
        *("max_lrs", "step_size_up", "step_size_down", "mode", "gamma", "scale_mode"),
        *("cycle_momentum", "base_momentums", "max_momentums"),
    )
    _per_group = ("max_lrs", "base_momentums", "max_momentums")
    _absolute = True

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
        self.mode, self.gamma, self.scale_mode = mode, gamma, scale_mode
        self._scale_fn_custom = scale_fn
        self.cycle_momentum = cycle_momentum
        self.base_momentums = per_group("base_momentum", base_momentum, optimizer)
        self.max_momentums = per_group("max_momentum", max_momentum, optimizer)
        if cycle_momentum:
            momentum_slot(optimizer)
        # Everything is checked before the optimizer is touched.
        self._shape()
        if last_epoch == -1:
            for lr, group in zip(self._given_base, optimizer.param_groups, strict=True):
                Slot("lr", "lr").write(group, lr)
        super().__init__(optimizer, last_epoch)

    def _initial_step(self) -> None:
        # The bounds are the user's, whatever another scheduler left in the groups.
        self.base_lrs = list(self._given_base)
        if self.cycle_momentum:
            for group, low, high in zip(
                self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True
            ):
                group["base_momentum"], group["max_momentum"] = low, high
        super()._initial_step()

    def _shape(self) -> Schedule:
        up = real_steps("step_size_up", self.step_size_up)
        down = real_steps("step_size_down", self.step_size_down)
        triangle = warmup(up) >> linear(down)
        custom = self._scale_fn_custom
        if custom is None and self.mode not in ("triangular", "triangular2", "exp_range"):
            raise ValueError(
                "mode is invalid and scale_fn is None: "
                f"mode={self.mode!r} must be 'triangular', 'triangular2' or 'exp_range'"
            )
        if self.scale_mode not in ("cycle", "iterations"):
            raise ScheduleError(f"scale_mode={self.scale_mode!r} must be 'cycle' or 'iterations'")
        if custom is not None:
            per = up + down if self.scale_mode == "cycle" else None
            return triangle.repeat() * formula(custom, per=per)
        if self.mode == "triangular2":
            return triangle.repeat(scale=0.5)
        if self.mode == "exp_range":
            return triangle.repeat() * exponential(self.gamma)
        return triangle.repeat()

    def _plan(self) -> list[Track]:
        shape = self._shape()
        tracks = [Track(Slot("lr", "lr"), shape)]
        if self.cycle_momentum:
            tracks.append(Track(momentum_slot(self.optimizer), shape))
        return tracks

    def _bind(self, slot: Slot, index: int, group: Group) -> Binding:
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

    @property
    def step_ratio(self) -> float:
        """The share of a cycle that goes up."""
        return float(self.step_size_up) / self.total_size

    def scale_fn(self, x: float) -> float:
        """Return the height's factor, at a cycle or a batch as ``scale_mode`` says."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular2":
            return 2.0 ** (1 - x)
        return self.gamma**x if self.mode == "exp_range" else 1.0

    def state_dict(self) -> dict[str, Any]:
        """Return the position and the parameters; a function says that it is not among them."""
        state = super().state_dict()
        state["_scale_fn_custom"] = saved_function("scale_fn", self._scale_fn_custom)
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a saved position with its parameters; torch's own states are read as well."""
        state = dict(state_dict)
        if "step_size_up" not in state and {"total_size", "step_ratio"} <= state.keys():
            state["step_size_up"] = state["total_size"] * state["step_ratio"]
            state["step_size_down"] = state["total_size"] - state["step_size_up"]
        for name in ("base_momentums", "max_momentums"):
            state.setdefault(name, getattr(self, name))
        function = state.pop("_scale_fn_custom", None)
        super().load_state_dict(state)
        if restore_function(self._scale_fn_custom, function):
            self._resume(self.last_epoch + self._fraction, self._step_count)


def saved_function(name: str, function: Callable[..., Any] | None) -> dict[str, Any] | None:
    """Return what of a function goes into a state: a callable object's attributes."""
    if function is None:
        return None
    if isinstance(function, types.FunctionType | types.BuiltinFunctionType):
        warn_unsaved(name, function, stacklevel=3)
        return None
    return dict(vars(function))


def restore_function(function: Callable[..., Any] | None, saved: dict[str, Any] | None) -> bool:
    """Put a callable object's saved attributes back; return whether there were any."""
    if not saved or function is None:
        return False
    vars(function).update(saved)
    return True


class OneCycleLR(DropIn):
    """Take the rate up to ``max_lr`` and far down again, once, and the momentum the other way.

    Formula: by the anneal strategy from ``max_lr / div_factor`` to ``max_lr`` at the step
    ``pct_start * total_steps - 1``, then to ``max_lr / div_factor / final_div_factor`` at the step
    ``total_steps - 1``; with three phases, back to ``max_lr / div_factor`` in between.

    Where torch's goes back up (or below zero) at the step ``total_steps``, this one stays at its
    minimum; where torch's divides by zero (a phase of no length), this one is at its end.

    Arguments:
        optimizer: The optimizer to drive; its own rate is overridden.
        max_lr: The highest rate, one for all groups or a list.
        total_steps: The steps of the cycle, a whole number of at least 1; or give the next two.
        epochs: The epochs to train for.
        steps_per_epoch: The steps in an epoch.
        pct_start: The share of the cycle that rises, a float from 0 to 1.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        cycle_momentum: Whether to drive ``momentum``, or the first beta.
        base_momentum: The lowest momentum, where the rate is highest; one for all or a list.
        max_momentum: The highest momentum, likewise.
        div_factor: ``max_lr`` over the rate at the start.
        final_div_factor: The rate at the start over the lowest.
        three_phase: Whether to come back to the start before going down to the lowest.
        last_epoch: The last batch done, or -1.

    Raises:
        ValueError: If an argument is out of its range, the optimizer has no momentum to cycle, or,
            at a step, the cycle is over.

    Source: Smith and Topin (2017), arXiv:1708.07120.
    """

    _saved = (
        *("total_steps", "pct_start", "anneal_strategy", "three_phase"),
        *("max_lrs", "div_factor", "final_div_factor"),
        *("cycle_momentum", "base_momentums", "max_momentums"),
    )
    _per_group = ("max_lrs", "base_momentums", "max_momentums")

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
        self.pct_start, self.anneal_strategy, self.three_phase = (
            pct_start,
            anneal_strategy,
            three_phase,
        )
        self.div_factor, self.final_div_factor = div_factor, final_div_factor
        self.cycle_momentum = cycle_momentum
        self.max_lrs = per_group("max_lr", max_lr, optimizer)
        self.base_momentums = per_group("base_momentum", base_momentum, optimizer)
        self.max_momentums = per_group("max_momentum", max_momentum, optimizer)
        if cycle_momentum:
            momentum_slot(optimizer)
        # Everything is checked before the optimizer is touched.
        self._legs()
        if last_epoch == -1:
            self._mark_groups(optimizer)
        super().__init__(optimizer, last_epoch)

    def _mark_groups(self, optimizer: Optimizer) -> None:
        """Write the bounds into the groups, where torch keeps them and people read them."""
        for i, group in enumerate(optimizer.param_groups):
            group["initial_lr"] = self.max_lrs[i] / self.div_factor
            group["max_lr"] = self.max_lrs[i]
            group["min_lr"] = group["initial_lr"] / self.final_div_factor
            if self.cycle_momentum:
                group["max_momentum"] = self.max_momentums[i]
                group["base_momentum"] = self.base_momentums[i]

    def _legs(self) -> list[Fraction]:
        """Return the lengths of the phases, in steps."""
        if not isinstance(self.pct_start, float) or not 0 <= self.pct_start <= 1:
            raise ValueError(
                f"Expected float between 0 and 1 pct_start, but got {self.pct_start!r}"
            )
        if self.anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                "anneal_strategy must be one of 'cos' or 'linear', "
                f"instead got {self.anneal_strategy!r}"
            )
        number("div_factor", self.div_factor, above=0)
        number("final_div_factor", self.final_div_factor, above=0)
        total = Fraction(whole("total_steps", self.total_steps, at_least=1))
        share = Fraction(str(self.pct_start))
        zero = Fraction(0)
        peak = min(max(share * total - 1, zero), total - 1)
        if not self.three_phase:
            return [peak, total - 1 - peak]
        back = max(2 * share * total - 2, peak)
        if back > total - 1:
            raise ValueError(
                f"pct_start={self.pct_start!r} leaves no third phase in {total} steps; "
                "write at most 0.5 with three_phase=True"
            )
        return [peak, back - peak, total - 1 - back]

    def _path(self, levels: list[float]) -> Schedule:
        """Return the path through the levels, one leg a phase."""
        ease = "cosine" if self.anneal_strategy == "cos" else "linear"
        path, legs = hold(0, at=levels[0]), self._legs()
        if legs[-1] == 0 and legs[-2] > 0:
            legs.pop()  # the last step is the peak's own: there is nothing after it to go down in
        for length, start, to in zip(legs, levels, levels[1:], strict=False):
            moves = start != to
            path = path >> (ramp(length, to=to, ease=ease) if moves else hold(length, at=to))
        return path

    def _plan(self) -> list[Track]:
        start = 1 / self.div_factor
        end = start / self.final_div_factor
        rate = self._path([start, 1.0, start, end] if self.three_phase else [start, 1.0, end])
        tracks = [Track(Slot("lr", "lr"), rate)]
        if self.cycle_momentum:
            dip = self._path([0.0, 1.0, 0.0, 0.0])
            tracks.append(Track(momentum_slot(self.optimizer), dip))
        return tracks

    def _bind(self, slot: Slot, index: int, group: Group) -> Binding:
        if slot.name == "momentum":
            low, high = self.base_momentums[index], self.max_momentums[index]
            return Binding(gain=low - high, offset=high)
        return Binding(gain=self.max_lrs[index])

    def _join(self) -> None:
        super()._join()
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
    def use_beta1(self) -> bool:
        """Whether the momentum that is cycled is the first beta."""
        return "betas" in self.optimizer.defaults

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a saved position with its parameters.

        A state of torch's own class lacks most of them; what it lacks stays as it was built.
        """
        state = {name: getattr(self, name) for name in self._saved}
        state.update(state_dict)
        state["anneal_strategy"] = state.pop("_anneal_func_type", state["anneal_strategy"])
        if phases := state.pop("_schedule_phases", None):
            state["three_phase"] = len(phases) == 3
            state["pct_start"] = (phases[0]["end_step"] + 1) / state["total_steps"]
        super().load_state_dict(state)


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
