"""Places in parameter groups, and how a schedule's level becomes the number there."""

from __future__ import annotations

import math
import os
import re
import sys
import warnings
from dataclasses import dataclass
from numbers import Real
from typing import Any, Final

import numpy as np
from torch import Tensor

from lehr import errors
from lehr.errors import ScheduleError

# One number of a tuple: a key and an index.
_NUMBERED: Final = re.compile(r"(?P<key>\w+)\[(?P<index>\d{1,3})\]")

Group = dict[str, Any]
SlotKey = tuple[str, int | None]


def plain(value: Any) -> float:
    """Return a number, or a tensor of one number, as a Python float."""
    return float(value.item()) if isinstance(value, Tensor) else float(value)


def item_of(value: Any) -> Any:
    """Return the number in a NumPy scalar or a tensor of one number; other values as they are."""
    if getattr(value, "is_meta", False):
        return None  # a tensor without content
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value


def flag(name: str, value: Any) -> bool:
    """Return a value, or the one in a tensor, as a bool; 0 and 1 are accepted.

    Raises:
        ScheduleError: If it is anything else.
    """
    return errors.flag(name, item_of(value))


def python_number(value: Any) -> Any:
    """Return a copy of a number: a tensor's clone, or a plain Python number for NumPy's.

    A NumPy number in a group would keep the optimizer's state from loading with
    ``weights_only=True``.
    """
    if isinstance(value, Tensor):
        return value.clone()
    return value.item() if isinstance(value, np.generic | np.ndarray) else value


def _fault(value: Any) -> str | None:
    """Return why a value cannot be driven, phrased to follow it in a message; None if it can."""
    if isinstance(value, str | bytes):
        return "is a string, not a number: write it without quotation marks"
    if isinstance(value, bool | np.bool_):
        return "is a bool, not a number"
    if isinstance(value, Tensor | np.ndarray):
        if value.shape not in ((), (1,)):
            return f"has the shape {tuple(value.shape)}: write a single number"
        if isinstance(value, Tensor) and not value.is_floating_point():
            kind = str(value.dtype).removeprefix("torch.")
            return f"is a tensor of {kind}, which holds no fractions: write torch.tensor(1.0)"
    elif not isinstance(value, Real):
        return f"is not a number but a {type(value).__name__}"
    try:
        # Reading a tensor of an accelerator would wait for it.
        finite = isinstance(value, Tensor) or math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return "is not a real number"
    return None if finite else "is not finite"


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a parameter group: ``group[key]``, or ``group[key][index]``."""

    name: str
    key: str
    index: int | None = None

    @classmethod
    def find(cls, name: str, group: Group) -> Slot:
        """Return the place that ``name`` means for a parameter group, whether or not it exists.

        Arguments:
            name: ``"lr"`` or any other key; ``"momentum"``, which is the first beta where the group
                has betas; ``"beta1"`` or ``"beta2"``; or one number of any tuple, as in
                ``"nus[1]"``.
            group: A parameter group.
        """
        if (match := _NUMBERED.fullmatch(name)) is not None:
            return cls(name, match["key"], int(match["index"]))
        if name in ("momentum", "beta1", "beta2") and name not in group and "betas" in group:
            return cls(name, "betas", 1 if name == "beta2" else 0)
        return cls(name, name)

    @classmethod
    def find_existing(cls, name: str, index: int, group: Group) -> Slot:
        """Return the place that ``name`` means for a parameter group.

        Raises:
            ScheduleError: If the group has no such number.
        """
        slot = cls.find(name, group)
        slot.check(index, group)
        return slot

    def check(self, index: int, group: Group) -> None:
        """Raise ScheduleError unless a group has a number in this place.

        Arguments:
            index: The group's index, for the message.
            group: The group.
        """
        value = self._value(group)
        fault = None if value is None else _fault(value)
        if value is not None and fault is None:
            return
        if fault is not None:
            raise ScheduleError(
                f"group {index} has no number {self.name!r} to drive: {self.name}={value!r} {fault}"
            )
        known = [key for key in group if Slot(key, key).exists_in(group)]
        betas = ["beta1", "beta2"] if "betas" in group else []
        known += [f"{key}[0]" for key in group if Slot(key, key, 0).exists_in(group)]
        raise ScheduleError(
            f"group {index} has no number {self.name!r} to drive; it has "
            f"{', '.join([*known, *betas])}"
        )

    def _value(self, group: Group) -> Any:
        """Return the value in this place, of any kind; None if it is missing."""
        value = None if self.key == "params" else group.get(self.key)
        if self.index is None:
            return value
        if isinstance(value, tuple | list) and len(value) > self.index:
            return value[self.index]
        return None

    @property
    def place(self) -> SlotKey:
        """The key and the index, regardless of the name they were found by."""
        return self.key, self.index

    def exists_in(self, group: Group) -> bool:
        """Return whether a group has a number in this place."""
        value = self._value(group)
        return value is not None and _fault(value) is None

    def read(self, group: Group) -> Any:
        """Return the current value: a number or a tensor."""
        value = group[self.key]
        return value if self.index is None else value[self.index]

    def write(self, group: Group, value: float) -> None:
        """Write a number; a tensor is filled, since compiled steps hold on to the object."""
        current = self.read(group)
        if isinstance(current, Tensor):
            current.fill_(value)
        else:
            self._replace(group, value)

    def put_tensor(self, group: Group, tensor: Tensor) -> None:
        """Put a tensor in this place, filled with the current value."""
        tensor.copy_(self.read(group))
        self._replace(group, tensor)

    def _replace(self, group: Group, value: Any) -> None:
        if self.index is None:
            group[self.key] = value
        else:
            values = list(group[self.key])
            values[self.index] = value
            group[self.key] = tuple(values)


LR: Final = Slot("lr", "lr")
"""The learning rate."""


@dataclass(frozen=True, slots=True)
class Binding:
    """The map from a level to a group's value: ``offset + gain * level``."""

    gain: float = 1.0
    offset: float = 0.0

    @property
    def base(self) -> float:
        """The value at level 1."""
        return self.offset + self.gain


def warn(message: str) -> None:
    """Warn, pointing at the line of the user's code that called into this package."""
    here = os.path.dirname(__file__)
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(here):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UserWarning, stacklevel=level)
