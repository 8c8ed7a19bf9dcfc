"""What the drop-ins have in common: torch's interface, and a state of parameters."""

from __future__ import annotations

import inspect
import math
import types
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, ClassVar, Literal

from torch.optim import Optimizer

from lehr.errors import ScheduleError, number
from lehr.schedule.base import Schedule
from lehr.torch.binding import LR, Binding, Slot, check_optimizer, plain, warn
from lehr.torch.checkpoint import loading, short
from lehr.torch.dropins.carrying import Carried, Carrying
from lehr.torch.plan import Driven, DrivePlan, StepLevels

__all__ = [
    "DropIn",
    "check_state",
    "counted",
    "listed",
    "momentum_slot",
    "naming",
    "number_of",
    "per_group",
    "plain_copy",
    "rates_of",
    "real_steps",
    "restore_function",
    "saved_function",
]


def real_steps(name: str, value: float) -> Fraction:
    """Return a number of steps that need not be whole, exactly as it was written.

    Raises:
        ScheduleError: If it is not a finite number greater than 0.
    """
    given: Any = value
    item = given.item() if hasattr(given, "item") and getattr(given, "ndim", 0) == 0 else given
    number(name, item, above=0)
    return Fraction(str(item))


def listed(value: Any) -> list[Any] | None:
    """Return the members of a list, of another sequence or of an array; None for one value."""
    if isinstance(value, list | tuple):
        return list(value)
    if (
        isinstance(value, str | bytes)
        or not hasattr(value, "__len__")
        or getattr(value, "ndim", 1) == 0
    ):
        return None
    return list(value) if hasattr(value, "__getitem__") else None


def number_of(name: str, value: Any) -> float:
    """Return a number, a NumPy scalar or a tensor of one number as a finite float.

    Raises:
        ScheduleError: If it is anything else.
    """
    item = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    return number(name, item)


def per_group(name: str, value: Any, optimizer: Optimizer) -> list[float]:
    """Return one float a group, from one for all or a list.

    Raises:
        TypeError: If ``optimizer`` is not an optimizer.
        ValueError: If a list has another length than there are groups.
    """
    check_optimizer(optimizer)
    groups = len(optimizer.param_groups)
    members = listed(value)
    values = [value] * groups if members is None else members
    if len(values) != groups:
        raise ValueError(
            f"{name} must have one number for each of the optimizer's {groups} param_groups, or "
            f"be one number for all; {name}={value!r} has {len(values)}"
        )
    return [number_of(name, item) for item in values]


def counted(name: str, value: Any, *, at_least: int) -> int:
    """Return a count of steps as an int, whatever kind of number it is: 5, 5.0 or a tensor of 5.

    Raises:
        ScheduleError: If it is not a whole number from ``at_least`` to 2**53.
    """
    item = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    found = number(name, item, at_least=at_least, at_most=2**53 - 1)
    if found != math.floor(found):
        raise ScheduleError(f"{name}={value!r} must be a whole number (an int)")
    return int(found)


def check_state(scheduler: Any, state: Any) -> None:
    """Raise ScheduleError unless a state is a dict."""
    if not isinstance(state, dict):
        kind = type(scheduler).__name__
        raise ScheduleError(f"the state of a {kind} is a dict, not {short(state)}")


@contextmanager
def naming(state: dict[str, Any]) -> Generator[None]:
    """Load a state in the block: an error that names none of its keys is given all of them.

    Raises:
        ScheduleError: For an error that a value of the state has raised.
    """
    try:
        yield
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        if isinstance(error, ScheduleError) and any(
            str(k).lstrip("_") in str(error) for k in state
        ):
            raise
        shown = ", ".join(f"{key}={short(value)}" for key, value in state.items())
        raise ScheduleError(f"the state does not fit: {error}; it has {shown}") from None


def rates_of(name: str, values: Any) -> list[float]:
    """Return saved numbers, one a group, none of which is below zero.

    Raises:
        ScheduleError: If it is not a list of such numbers.
    """
    if not isinstance(values, list | tuple):
        raise ScheduleError(f"{name}={values!r} must be a list with one number for each group")
    return [number(name, value, at_least=0) for value in values]


def plain_copy(value: Any) -> Any:
    """Return a value in plain types, sharing nothing with what is still in use."""
    if isinstance(value, dict):
        return {key: plain_copy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_copy(item) for item in value]
    return value.item() if hasattr(value, "item") else value


class DropIn(Carrying):
    """A scheduler with torch's interface: its state has its parameters, which replace its own."""

    _deprecates_epoch = True

    _saved: ClassVar[tuple[str, ...]] = ()
    """The attributes that its plan depends on; they are its state, beside the position."""

    _per_group: ClassVar[tuple[str, ...]] = ()
    """Those of them that are lists with one number a group."""

    _absolute: ClassVar[bool] = False
    """Whether the values are independent of the groups' bases."""

    _own_base: ClassVar[bool] = False
    """Whether ``base_lrs`` are its arguments, in place of what the optimizer was given."""

    def _shape(self) -> Schedule:
        """Return the factor of each group's base rate."""
        raise NotImplementedError

    def _shapes(self) -> list[tuple[Slot, Schedule]]:
        """Return each number that is driven, with its schedule."""
        return [(LR, self._shape())]

    def _bind(self, slot: Slot, index: int) -> Binding:
        """Return how a level becomes a number of a group."""
        return Binding(gain=plain(self.base_lrs[index]))

    def _resolve(self) -> DrivePlan:
        indices = range(len(self._known))
        return DrivePlan(
            tuple(
                Driven(
                    slot,
                    StepLevels(schedule),
                    tuple(self._bind(slot, index) for index in indices),
                    self._absolute,
                )
                for slot, schedule in self._shapes()
            )
        )

    def _regroup(self, old: list[int | None]) -> None:
        known = len(self.base_lrs)
        for name in self._per_group:
            values = getattr(self, name)
            if None in old and len(set(values)) > 1:
                raise ValueError(
                    f"group {known} was added, but {name}={values!r} is a list for "
                    f"{known} groups; build a new scheduler with a list for all"
                )
            setattr(self, name, [values[0 if origin is None else origin] for origin in old])
        if self._own_base:
            self._share_base(old)
        super()._regroup(old)

    def _set_base(self, slot: Slot, index: int, base: float) -> None:
        if not self._own_base:
            super()._set_base(slot, index, base)

    def _share_base(self, old: list[int | None]) -> None:
        """Give the groups added later the others' base rate, in place of their own."""
        for group, origin in zip(self.groups, old, strict=True):
            if origin is not None:
                continue
            if len({plain(lr) for lr in self.base_lrs}) > 1:
                known = len(self.base_lrs)
                raise ValueError(
                    f"group {known} was added, but base_lr is a list for {known} groups; build a "
                    "new scheduler with a list for all"
                )
            group["initial_lr"] = self.base_lrs[0]

    def _initial_step(self) -> None:
        self._stepped = _own_step(self.optimizer)
        super()._initial_step()

    def _check_order(self) -> None:
        # torch's own warnings.
        if self._stepped not in (None, _own_step(self.optimizer)):
            warn(
                "`optimizer.step()` has been overridden since this scheduler was built: make sure "
                "that the new one updates the weights, and before `lr_scheduler.step()`"
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
            # As in torch, the value then depends on the epoch alone.
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
            **({} if self._carried is None else {"rates": list(self._carried.rates)}),
        }

    def _to_state(self, name: str) -> Any:
        return plain_copy(getattr(self, name))

    def load_state_dict(
        self, state_dict: dict[str, Any], *, adopt: Literal["saved", "here"] = "saved"
    ) -> None:
        """Restore a saved position with its parameters, and assign its values at once.

        A state that torch's scheduler of the same name saved is read as well.

        Arguments:
            state_dict: What :meth:`state_dict` returned.
            adopt: ``"saved"`` goes on with the saved parameters, as torch's does; ``"here"`` with
                those that the scheduler was built with, and restores the position only.

        Raises:
            ScheduleError: If the state lacks a parameter, a value in it cannot be, or it has
                another number of groups. Nothing is changed then.
        """
        if adopt not in ("saved", "here"):
            raise ScheduleError(f"adopt={adopt!r} must be 'saved' or 'here'")
        check_state(self, state_dict)
        with loading(self), naming(state_dict):
            self._recognize_groups()
            self._load(dict(state_dict) if adopt == "saved" else self._with_own(state_dict))

    def _with_own(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return a state with its position and this scheduler's own parameters."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            own = self.state_dict()
        own.pop("rates", None)
        position = ("last_epoch", "_step_count", "fraction")
        return {**own, **{name: state[name] for name in position if name in state}}

    def _load(self, state: dict[str, Any]) -> None:
        """Restore a state, of which nothing is kept when this fails."""
        missing = [n for n in ("last_epoch", "base_lrs", *self._saved) if n not in state]
        if missing:
            raise ScheduleError(
                f"not a state of a {type(self).__name__}: {', '.join(missing)} missing"
            )
        whole_steps = counted("last_epoch", state["last_epoch"], at_least=-1)
        position = whole_steps + number(
            "fraction", state.get("fraction", 0.0), at_least=0, at_most=1
        )
        count = counted("_step_count", state.get("_step_count", whole_steps + 1), at_least=0)
        self.base_lrs = rates_of("base_lrs", state["base_lrs"])
        for name in self._saved:
            self._read_parameter(name, state[name])
        self._check_groups()
        self._replan()
        if position != -1:
            self._check_position(position)
        if not self._own_base:
            for group, base in zip(self.groups, self.base_lrs, strict=True):
                group["initial_lr"] = base
        self._resume_from(state.get("rates"), position, count)

    def _resume_from(self, rates: Any, position: float, count: int) -> None:
        """Restore a position, and the rates to go on from where the state has them."""
        self._carried = None
        if rates is None and not self._has_rule:
            self._resume(position, count)
            return
        found = self._rates_in_groups() if rates is None else rates_of("rates", rates)
        if len(found) != len(self._known):
            raise ScheduleError(
                f"the state has rates={rates!r}; the optimizer has {len(self._known)} groups"
            )
        # A rule of the user's own says nothing of the other numbers: they stay as they are.
        others = () if self._has_rule else self._others_at(position)
        self._carried = Carried(tuple(found), others)
        self._attach().forget()
        self._place(position)
        self.membership.silent = position < 0
        self._step_count = count
        self._attach().write()

    def _read_parameter(self, name: str, value: Any) -> None:
        """Restore one saved parameter, whose kind is that of the present one."""
        try:
            self._from_state(name, self._checked(name, plain_copy(value)))
        except (TypeError, AttributeError, LookupError, ArithmeticError, ValueError) as error:
            if isinstance(error, ScheduleError) and name in str(error):
                raise
            raise ScheduleError(f"the state has {name}={short(value)}: {error}") from None

    def _checked(self, name: str, value: Any) -> Any:
        """Return a saved parameter, which must be of the kind of the present one."""
        present = getattr(self, name)
        if name in self._per_group:
            return rates_of(name, value)
        if isinstance(present, bool | str):
            if type(value) is not type(present):
                raise ScheduleError(f"{name}={short(value)} must be {type(present).__name__}")
        elif isinstance(present, int | float):
            number(name, value)
        return value

    def _check_groups(self) -> None:
        groups = len(self._known)
        for name in ("base_lrs", *self._per_group):
            values = getattr(self, name)
            if not isinstance(values, list) or len(values) != groups:
                raise ScheduleError(
                    f"the state has {name}={values!r}; the optimizer has {groups} groups"
                )

    def _callables(self) -> list[Any]:
        """Return the user's callable objects, whose attributes a state restores."""
        return []

    def snapshot(self) -> dict[str, Any]:
        """Return all attributes, and those of callable objects, for :meth:`restore`."""
        owned = [vars(each) for each in self._callables() if hasattr(each, "__dict__")]
        return {**super().snapshot(), "callables": [(each, dict(each)) for each in owned]}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Put all attributes back."""
        attributes = dict(snapshot)
        for owned, before in attributes.pop("callables"):
            owned.clear()
            owned.update(before)
        super().restore(attributes)

    def _from_state(self, name: str, value: Any) -> None:
        vars(self)[name] = value

    def _get_closed_form_lr(self) -> list[float]:
        return self.plan.driven[0].values(self._position)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._saved)
        kind, optimizer = type(self).__name__, type(self.optimizer).__name__
        return f"{kind}({optimizer}, {given}, at {self._position:g})"


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
    """Return the part of a function that a state holds: a callable object's attributes."""
    if function is None:
        return None
    if isinstance(function, types.FunctionType | types.BuiltinFunctionType):
        warn(
            f"{name}={function!r} cannot be saved in a state; build the scheduler with the same "
            "function before you load it. (The attributes of a callable object are saved.)"
        )
        return None
    return dict(vars(function))


def restore_function(function: Callable[..., Any] | None, saved: dict[str, Any] | None) -> None:
    """Put a callable object's saved attributes back."""
    if saved and function is not None:
        vars(function).update(saved)


def _own_step(optimizer: Any) -> Any:
    """Return the function that an optimizer steps by, within all that says what it wraps."""
    step = inspect.unwrap(optimizer.step)
    return getattr(step, "__func__", step)
