"""The arguments of drop-ins: numbers of every kind, one for each group, and functions."""

from __future__ import annotations

import math
import types
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from torch.optim import Optimizer

from lehr.errors import ScheduleError, number
from lehr.torch.binding import Slot, item_of, warn
from lehr.torch.checkpoint import short
from lehr.torch.optimizers import check_optimizer

_MOST_STEPS = 10**15


def real_steps(name: str, value: float) -> Fraction:
    """Return a number of steps that need not be whole, exactly as it was written."""
    item = item_of(value)
    number(name, item, above=0, at_least=1 / _MOST_STEPS, at_most=_MOST_STEPS)
    return Fraction(str(item))


def number_of(name: str, value: Any) -> float:
    """Return a number, a NumPy scalar or a tensor of one number as a finite float."""
    return number(name, item_of(value))


def counted(name: str, value: Any, *, at_least: int) -> int:
    """Return a count of steps as an int, from any kind of number: 5, 5.0 or a tensor of 5."""
    found = number(name, item_of(value), at_least=at_least, at_most=_MOST_STEPS)
    if found != math.floor(found):
        raise ScheduleError(f"{name}={short(value)} must be a whole number (an int)")
    return int(found)


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


def per_group(name: str, value: Any, optimizer: Optimizer) -> list[float]:
    """Return one float per group, from one for all or a list."""
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


def rates_of(name: str, values: Any) -> list[float]:
    """Return saved numbers, one per group, after checking that none is below zero."""
    if not isinstance(values, list | tuple):
        raise ScheduleError(f"{name}={short(values)} must be a list with one number for each group")
    return [number(name, value, at_least=0) for value in values]


def plain_copy(value: Any) -> Any:
    """Return a value in plain types, sharing nothing with objects still in use."""
    if isinstance(value, Counter):
        # Torch's class reads this form; a dict suits JSON and ``weights_only=True``.
        return Counter(value)
    if isinstance(value, dict):
        return {key: plain_copy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_copy(item) for item in value]
    if isinstance(value, Fraction | Decimal):
        return int(value) if value == int(value) else float(value)
    return value.item() if hasattr(value, "item") else value


def current(state: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a state without its outdated entries.

    Torch's classes keep every key that they have loaded. So a state with ``_last_lr``, which only
    they write, may have keys from an earlier drop-in whose values have not moved since.
    """
    ours = ("rates", "products", "fraction") if "_last_lr" in state else ()
    return {key: value for key, value in state.items() if key not in ours}


def momentum_slot(optimizer: Optimizer) -> Slot:
    """Return where an optimizer keeps its momentum: in the first beta if it has betas."""
    if "betas" in optimizer.defaults:
        return Slot("momentum", "betas", 0)
    if "momentum" in optimizer.defaults:
        return Slot("momentum", "momentum")
    raise ValueError(
        "optimizer must support momentum or beta1 with `cycle_momentum` option enabled; "
        f"{type(optimizer).__name__} does not: write cycle_momentum=False"
    )


def saved_function(name: str, function: Callable[..., Any] | None) -> dict[str, Any] | None:
    """Return the attributes of a callable object, for a state; None for a plain function."""
    if function is None:
        return None
    if isinstance(function, types.FunctionType | types.BuiltinFunctionType):
        warn(
            f"{name}={function!r} cannot be saved in a state; build the scheduler with the same "
            "function before you load it. (The attributes of a callable object are saved.)"
        )
        return None
    return dict(vars(function))


def restore_function(
    name: str, function: Callable[..., Any] | None, saved: dict[str, Any] | None
) -> None:
    """Put a callable object's saved attributes back."""
    if saved is None or function is None:
        return
    if not isinstance(saved, dict) or not hasattr(function, "__dict__"):
        raise ScheduleError(f"{name}={short(saved)}: {function!r} cannot have these attributes")
    vars(function).update(saved)
