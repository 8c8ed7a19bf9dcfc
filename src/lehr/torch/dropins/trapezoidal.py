"""``TrapezoidalLR``: up, hold, down, as a torch scheduler with the Keras original's options."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal

from torch.optim import Optimizer

from lehr.catalogue.phases import trapezoid
from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.torch.binding import Binding, Slot, item_of, plain
from lehr.torch.checkpoint import restored_on_error, short
from lehr.torch.dropins.arguments import (
    counted,
    number_of,
    per_group,
    plain_copy,
    real_steps,
    restore_function,
    saved_function,
)
from lehr.torch.dropins.base import DropIn
from lehr.torch.dropins.parameters import Parameter
from lehr.torch.plan import DrivePlan


class TrapezoidalLR(DropIn):
    """Take the rate up to ``max_lr``, hold it, and take it down to ``base_lr``.

    Formula, with ``s = step_size`` and ``a = anneal_start_epoch``::

        base_lr + (max_lr - base_lr) * f(epoch / s)            epoch < s
        base_lr + (max_lr - base_lr) * f(1)                    s <= epoch < a
        base_lr + (max_lr - base_lr) * (1 - f((epoch - a)/s))  a <= epoch < a + s
        base_lr + (max_lr - base_lr) * (1 - f(1))              a + s <= epoch

    where ``f(x) = x`` unless ``scale_fn`` is given.

    Step it once per epoch; or once per batch, with ``steps_per_epoch`` (or with sizes given in
    batches). ``step(epoch)`` goes to a position from anywhere, so a loop may also call it at the
    start of each epoch.

    Arguments:
        optimizer: The optimizer to drive; its own rate is overridden.
        base_lr: The rate at both ends, at least 0; one for all groups or a list.
        max_lr: The rate in the middle, likewise.
        step_size: Epochs of each ramp, greater than 0.
        anneal_start_epoch: The epoch at which the second ramp begins, at least ``step_size``.
        scale_fn: A function from the progress of a ramp to the height, both from 0 to 1.
        scale_mode: ``"zero2one"`` calls it with the share of the ramp that is done;
            ``"iterations"`` with the steps since the ramp began.
        steps_per_epoch: Steps of this scheduler in an epoch: 1 if it is stepped once per epoch.
        last_epoch: The last position, or -1.

    Attributes:
        history: ``"iterations"`` and ``"lr"`` (of the first group) after each step, and whatever
            :meth:`record` was given.

    Raises:
        ScheduleError: If an argument is out of its range.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> s = TrapezoidalLR(optimizer, 0.001, 0.006, step_size=5, anneal_start_epoch=10)
        >>> rates = []
        >>> for epoch in range(16):
        ...     s.step(epoch)
        ...     rates.append(round(s.get_lr()[0], 4))
        >>> rates[0], rates[5], rates[9], rates[12], rates[15]
        (0.001, 0.006, 0.006, 0.004, 0.001)

    Source: Xing et al. (2018), A Walk with SGD, arXiv:1802.08770.
    """

    _deprecates_epoch = False
    _absolute = _own_base = True
    _recursive = _carries_changes = False

    max_lrs: Any = Parameter(per_group=True)
    step_size: Any = Parameter()
    anneal_start_epoch: Any = Parameter()
    scale_mode: Any = Parameter()
    steps_per_epoch: Any = Parameter()
    scale_fn: Any = Parameter(saved=False)

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float] = 0.001,
        max_lr: float | list[float] = 0.006,
        step_size: float = 5,
        anneal_start_epoch: float = 10,
        scale_fn: Callable[[Any], float] | None = None,
        scale_mode: Literal["zero2one", "iterations"] = "zero2one",
        *,
        steps_per_epoch: int = 1,
        last_epoch: int = -1,
    ) -> None:
        self._given_base = per_group("base_lr", base_lr, optimizer)
        self.max_lrs = per_group("max_lr", max_lr, optimizer)
        self.step_size, self.anneal_start_epoch = step_size, anneal_start_epoch
        self.scale_fn = scale_fn
        self.scale_mode = scale_mode
        self.steps_per_epoch = steps_per_epoch
        self.history: dict[str, list[Any]] = {"iterations": [], "lr": []}
        self.trn_iterations = 0
        self._shape()
        super().__init__(optimizer, last_epoch)

    def _initial_step(self) -> None:
        self.base_lrs = list(self._given_base)
        super()._initial_step()

    def _shape(self) -> Schedule:
        per_epoch = whole("steps_per_epoch", self.steps_per_epoch, at_least=1)
        size = real_steps("step_size", self.step_size) * per_epoch
        number("anneal_start_epoch", self.anneal_start_epoch, at_least=0)
        begin = number_of("anneal_start_epoch", self.anneal_start_epoch)
        anneal = Fraction(str(begin)) * per_epoch
        if anneal < size:
            raise ScheduleError(
                f"anneal_start_epoch={self.anneal_start_epoch!r} is before the first ramp's end at "
                f"step_size={self.step_size!r}; write at least that"
            )
        return trapezoid(
            size, hold_for=anneal - size, scale_fn=self.scale_fn, scale_mode=self.scale_mode
        )

    def _resolve(self) -> DrivePlan:
        plan = super()._resolve()
        for driven in plan.driven:
            driven.check_range(0.0, math.inf)
        return plan

    def _bind(self, slot: Slot, index: int) -> Binding:
        low, high = plain(self.base_lrs[index]), self.max_lrs[index]
        return Binding(gain=high - low, offset=low)

    def step(self, epoch: float | None = None) -> None:
        """Go to the next position, or to ``epoch``, and note it in the history."""
        super().step(epoch)
        self.trn_iterations += 1
        self.history["iterations"].append(self.trn_iterations)
        self.history["lr"].append(plain(self.optimizer.param_groups[0]["lr"]))

    def record(self, **values: float) -> None:
        """Add values to the history, as in ``record(loss=0.3)``: one list per name.

        Raises:
            ScheduleError: If a value is not a number. Nothing is recorded in that case.
        """
        for name, value in values.items():
            if not isinstance(item := item_of(value), float):  # such as a loss that is NaN
                number(f"record: {name}", item)
        for name, value in values.items():
            self.history.setdefault(name, []).append(plain(value))

    def reset(
        self,
        new_base_lr: float | list[float] | None = None,
        new_max_lr: float | list[float] | None = None,
        new_step_size: float | None = None,
        new_anneal_start_epoch: float | None = None,
    ) -> None:
        """Begin again at position 0, with new bounds if they are given.

        The history and its count of iterations continue.

        Raises:
            ScheduleError: If a bound is out of its range. Nothing changes then.
        """
        changes: dict[str, Any] = {}
        if new_base_lr is not None:
            changes["base_lrs"] = per_group("new_base_lr", new_base_lr, self.optimizer)
        if new_max_lr is not None:
            changes["max_lrs"] = per_group("new_max_lr", new_max_lr, self.optimizer)
        if new_step_size is not None:
            changes["step_size"] = new_step_size
        if new_anneal_start_epoch is not None:
            changes["anneal_start_epoch"] = new_anneal_start_epoch
        with restored_on_error(self):
            for name, value in changes.items():
                setattr(self, name, value)
            self.seek(0)

    def state_dict(self) -> dict[str, Any]:
        """Return the position, parameters and history, and warn that a function is not saved."""
        state = super().state_dict()
        state |= {"history": plain_copy(self.history), "trn_iterations": self.trn_iterations}
        state["scale_fn"] = saved_function("scale_fn", self.scale_fn)
        return state

    def _load(self, state: dict[str, Any]) -> None:
        history = state.get("history")
        if not isinstance(history, dict) or not all(isinstance(v, list) for v in history.values()):
            raise ScheduleError(f"not a state of a TrapezoidalLR: history={short(history)}")
        if missing := {"iterations", "lr"} - history.keys():
            raise ScheduleError(f"the state's history lacks {', '.join(sorted(missing))}")
        self.history = plain_copy(history)
        self.trn_iterations = counted("trn_iterations", state.get("trn_iterations"), at_least=0)
        restore_function("scale_fn", self.scale_fn, state.pop("scale_fn", None))
        super()._load(state)

    def callables(self) -> dict[str, list[Any]]:
        """Return the scaling function if it is the user's."""
        return {"scale_fn": [self.scale_fn]}
