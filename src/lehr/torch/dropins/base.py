"""What the drop-ins have in common: torch's face, a state of parameters, one number a group."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from fractions import Fraction
from typing import Any, ClassVar

from torch.optim import Optimizer

from lehr.errors import ScheduleError, number
from lehr.schedule.base import Schedule
from lehr.torch.binding import Binding, Group, Slot, Track, check_optimizer, plain, warn
from lehr.torch.driver import Driver

__all__ = [
    "DropIn",
    "momentum_slot",
    "per_group",
    "plain_copy",
    "real_steps",
    "restore_function",
    "saved_function",
]


def real_steps(name: str, value: float) -> Fraction:
    """Return a number of steps that need not be whole, exactly as it was written.

    Raises:
        ScheduleError: If it is not a finite number greater than 0.
    """
    number(name, value, above=0)
    return Fraction(str(value))


def per_group(name: str, value: Any, optimizer: Optimizer) -> list[float]:
    """Return one float a group, from one for all or a list.

    Raises:
        TypeError: If ``optimizer`` is none.
        ValueError: If a list has another length than there are groups.
    """
    check_optimizer(optimizer)
    groups = len(optimizer.param_groups)
    values = list(value) if isinstance(value, list | tuple) else [value] * groups
    if len(values) != groups:
        raise ValueError(
            f"{name} must have one number for each of the optimizer's {groups} param_groups, or "
            f"be one number for all; {name}={value!r} has {len(values)}"
        )
    return [number(name, plain(item)) for item in values]


def plain_copy(value: Any) -> Any:
    """Return a value in plain types, sharing nothing with what is still in use."""
    if isinstance(value, dict):
        return {key: plain_copy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_copy(item) for item in value]
    return value.item() if hasattr(value, "item") else value


class DropIn(Driver):
    """A scheduler with torch's face: its state carries its parameters, and a loaded one wins."""

    _deprecates_epoch = True

    _saved: ClassVar[tuple[str, ...]] = ()
    """The attributes that its plan depends on; they are its state, beside the position."""

    _per_group: ClassVar[tuple[str, ...]] = ()
    """Those of them that are lists with one number a group."""

    _absolute: ClassVar[bool] = False
    """Whether the rates are the user's own numbers, whatever the optimizer was given."""

    def _shape(self) -> Schedule:
        """Return the factor of each group's base rate."""
        raise NotImplementedError

    def _plan(self) -> list[Track]:
        return [Track(Slot("lr", "lr"), self._shape(), absolute=self._absolute)]

    def _bind(self, slot: Slot, index: int, group: Group) -> Binding:
        return Binding(gain=plain(self.base_lrs[index]))

    def _join(self) -> None:
        groups = len(self.optimizer.param_groups)
        for name in self._per_group:
            values = getattr(self, name)
            if len(values) < groups and len(set(values)) > 1:
                raise ValueError(
                    f"group {len(values)} was added, but {name}={values!r} is a list for "
                    f"{len(values)} groups; build a new scheduler with a list for all"
                )
            setattr(self, name, [*values, *[values[0]] * (groups - len(values))])
        if self._absolute:
            self._share_base()
        super()._join()

    def _share_base(self) -> None:
        """Give the groups added later the others' base rate, in place of their own."""
        known = len(self.base_lrs)
        for group in self.optimizer.param_groups[known:]:
            if len({plain(lr) for lr in self.base_lrs}) > 1:
                raise ValueError(
                    f"group {known} was added, but base_lr is a list for {known} groups; build a "
                    "new scheduler with a list for all"
                )
            group["initial_lr"] = self.base_lrs[0]

    def _initial_step(self) -> None:
        self._stepped = _own_step(self.optimizer)
        super()._initial_step()

    def _warn_of_order(self) -> None:
        # torch's own warnings.
        if self._stepped not in (None, _own_step(self.optimizer)):
            warn(
                "`optimizer.step()` has been overridden since this scheduler was built: make sure "
                "that what stands there updates the weights, and before `lr_scheduler.step()`"
            )
        updates = self._attach().updates
        if updates is None or updates.count or getattr(self.optimizer, "_opt_called", False):
            return
        warn(
            "Detected call of `lr_scheduler.step()` before `optimizer.step()`: the schedule's "
            "first value is never used. Call `optimizer.step()` first, then `lr_scheduler.step()`; "
            "see https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"
        )

    def _step_slowly(self, epoch: float | None) -> None:
        if epoch is not None:
            # As in torch, an epoch says all: what stands in the groups does not matter.
            self._attach().forget()
        super()._step_slowly(epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return the position and the parameters, in plain types."""
        return {
            "last_epoch": self.last_epoch,
            "_step_count": self._step_count,
            **({"fraction": self._fraction} if self._fraction else {}),
            "base_lrs": [plain(lr) for lr in self.base_lrs],
            **{name: self._to_state(name) for name in self._saved},
        }

    def _to_state(self, name: str) -> Any:
        return plain_copy(getattr(self, name))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a saved position with its parameters, and assign its values at once.

        A state that torch's scheduler of the same name saved is read as well.

        Raises:
            ScheduleError: If the state lacks a parameter, or has another number of groups. Nothing
                is changed then.
        """
        missing = [n for n in ("last_epoch", "base_lrs", *self._saved) if n not in state_dict]
        if missing:
            raise ScheduleError(
                f"this is no state of a {type(self).__name__}: {', '.join(missing)} missing"
            )
        before = self._snapshot()
        try:
            position = plain(state_dict["last_epoch"]) + plain(state_dict.get("fraction", 0.0))
            self.base_lrs = [plain(lr) for lr in state_dict["base_lrs"]]
            for name in self._saved:
                self._from_state(name, plain_copy(state_dict[name]))
            self._check_groups()
            self._replan()
            if position != -1:
                self._check_position(position)
            if not self._absolute:
                for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
                    group["initial_lr"] = base
            self._resume(position, int(state_dict.get("_step_count", position + 1)))
        except Exception as error:
            self._restore(before)
            self._settle()
            if isinstance(error, TypeError | AttributeError):
                raise ScheduleError(
                    f"this is no state of a {type(self).__name__}: {error}"
                ) from None
            raise

    def _check_groups(self) -> None:
        groups = len(self.optimizer.param_groups)
        for name in ("base_lrs", *self._per_group):
            values = getattr(self, name)
            if not isinstance(values, list) or len(values) != groups:
                raise ScheduleError(
                    f"the state has {name}={values!r}; the optimizer has {groups} groups"
                )

    def _from_state(self, name: str, value: Any) -> None:
        setattr(self, name, value)

    def _get_closed_form_lr(self) -> list[float]:
        return self._tracks[0].at(self.last_epoch + self._fraction)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._saved)
        kind, optimizer = type(self).__name__, type(self.optimizer).__name__
        return f"{kind}({optimizer}, {given}, at {self.last_epoch + self._fraction:g})"


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


def saved_function(name: str, function: Callable[..., Any] | None) -> dict[str, Any] | None:
    """Return what of a function goes into a state: a callable object's attributes."""
    if function is None:
        return None
    if isinstance(function, types.FunctionType | types.BuiltinFunctionType):
        warn(
            f"{name}={function!r} cannot be saved in a state; build the scheduler with the same "
            "function before you load it. (The attributes of a callable object are saved.)"
        )
        return None
    return dict(vars(function))


def restore_function(function: Callable[..., Any] | None, saved: dict[str, Any] | None) -> bool:
    """Put a callable object's saved attributes back; return whether there were any."""
    if not saved or function is None:
        return False
    vars(function).update(saved)
    return True


def _own_step(optimizer: Any) -> Any:
    """Return the function that an optimizer steps by, within all that says what it wraps."""
    step = inspect.unwrap(optimizer.step)
    return getattr(step, "__func__", step)
