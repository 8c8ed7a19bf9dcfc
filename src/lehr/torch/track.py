# pyright: basic
"""What is driven: a place in the parameter groups, a schedule, and what it means for each."""

from __future__ import annotations

import math
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from lehr.errors import ScheduleError
from lehr.operators import Over
from lehr.schedule import Schedule

__all__ = ["Binding", "Group", "Slot", "Track", "check_optimizer", "plain", "warn"]

Group = dict[str, Any]


def plain(value: Any) -> float:
    """Return a rate as a Python float, be it a number or a tensor of one."""
    return float(value.item()) if isinstance(value, Tensor) else float(value)


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a parameter group: ``group[key]``, or ``group[key][index]``."""

    name: str
    key: str
    index: int | None = None

    @classmethod
    def find(cls, name: str, optimizer: Optimizer) -> Slot:
        """Return the place that ``name`` means for an optimizer.

        Arguments:
            name: ``"lr"`` or any other key of its groups; ``"momentum"``, which is the first beta
                where the optimizer has betas; ``"beta1"`` or ``"beta2"``.

        Raises:
            ScheduleError: If its groups have no such number.
        """
        first = optimizer.param_groups[0]
        slot = cls(name, name)
        if name in ("momentum", "beta1", "beta2") and name not in first and "betas" in first:
            slot = cls(name, "betas", 1 if name == "beta2" else 0)
        for index, group in enumerate(optimizer.param_groups):
            if not slot.stands_in(group):
                known = [key for key in group if cls(key, key).stands_in(group)]
                betas = ["beta1", "beta2"] if "betas" in group else []
                raise ScheduleError(
                    f"group {index} of {type(optimizer).__name__} has no number {name!r} to drive; "
                    f"it has {', '.join([*known, *betas])}"
                )
        return slot

    def stands_in(self, group: Group) -> bool:
        """Return whether a group has a number there."""
        value = group.get(self.key)
        if self.index is not None:
            return isinstance(value, tuple | list) and len(value) > self.index
        return isinstance(value, int | float | Tensor) and not isinstance(value, bool)

    def read(self, group: Group) -> Any:
        """Return what stands there: a number or a tensor."""
        value = group[self.key]
        return value if self.index is None else value[self.index]

    def write(self, group: Group, value: float) -> None:
        """Put a number there; a tensor keeps its identity, which compiled steps hold on to."""
        current = self.read(group)
        if isinstance(current, Tensor):
            current.fill_(value)
        elif self.index is None:
            group[self.key] = value
        else:
            values = list(group[self.key])
            values[self.index] = value
            group[self.key] = tuple(values)


@dataclass(frozen=True, slots=True)
class Binding:
    """What a schedule means for one group: ``offset + gain * schedule(t)``."""

    gain: float = 1.0
    offset: float = 0.0


class Track:
    """One driven number: its slot, its schedule, and the binding of each group.

    Arguments:
        slot: The place that is driven.
        schedule: The curve, placed over its run.
        low: A number that no driven value may be below; minus infinity leaves it unchecked.
        high: A number that no driven value may be above.

    Attributes:
        bindings: That of each group.
        scale: A factor of all values, beside the schedule: that of a feedback rule.
    """

    def __init__(
        self,
        slot: Slot,
        schedule: Schedule,
        *,
        low: float = -math.inf,
        high: float = math.inf,
    ) -> None:
        self.slot, self.schedule = slot, schedule
        self._low, self._high = low, high
        self.bindings: list[Binding] = []
        self.scale = 1.0

    def join(self, groups: Sequence[Group], bind: Callable[[Slot, int, Group], Binding]) -> None:
        """Take in all groups, keeping the bindings of those that are known.

        Arguments:
            groups: The optimizer's.
            bind: Returns the binding of a group.

        Raises:
            ScheduleError: If a group has no such number, or a value could leave its range.
        """
        for index in range(len(self.bindings), len(groups)):
            if not self.slot.stands_in(groups[index]):
                raise ScheduleError(f"group {index} has no number {self.slot.name!r} to drive")
        new = range(len(self.bindings), len(groups))
        added = [bind(self.slot, index, groups[index]) for index in new]
        self.check(added)
        self.bindings = [*self.bindings[: len(groups)], *added]

    def check(self, bindings: Sequence[Binding]) -> None:
        """Refuse bindings by which a value could leave its range."""
        if self._low == -math.inf and self._high == math.inf:
            return
        for binding in bindings:
            ends = [binding.offset + binding.gain * bound for bound in self.schedule.bounds]
            if not (self._low <= min(ends) and max(ends) <= self._high):
                raise ScheduleError(
                    f"{self.slot.name}={self.schedule} could give values from {min(ends):g} to "
                    f"{max(ends):g}; it must stay between {self._low:g} and {self._high:g}. "
                    "Write .clip(low=..., high=...) around it"
                )

    @property
    def limit(self) -> float:
        """The last position that has a value: finite where the schedule raises past its end."""
        schedule = self.schedule
        ends = isinstance(schedule, Over) and schedule.past == "raise"
        return schedule.length or math.inf if ends else math.inf

    def at(self, position: float) -> list[float]:
        """Return the value of each group at a position."""
        return self.values(self.schedule(position))

    def values(self, level: float) -> list[float]:
        """Return the value of each group where the schedule has a level."""
        return [self.scale * (b.offset + b.gain * level) for b in self.bindings]

    def assign(self, level: float, groups: Sequence[Group]) -> None:
        """Assign the values that follow from a level of the schedule."""
        for group, value in zip(groups, self.values(level), strict=True):
            self.slot.write(group, value)

    def is_plain(self, groups: Sequence[Group]) -> bool:
        """Return whether what is driven is a plain number in every group: no tensor, no tuple."""
        return self.slot.index is None and not any(
            isinstance(group[self.slot.key], Tensor) for group in groups
        )

    @property
    def is_shared(self) -> bool:
        """Whether all groups get the same value."""
        return all(binding == self.bindings[0] for binding in self.bindings)


def check_optimizer(optimizer: Any) -> None:
    """Refuse what is no optimizer.

    Raises:
        TypeError: If it is none.
    """
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def warn(message: str) -> None:
    """Warn with the place in the user's own code, however deep in lehr the call came from."""
    here = os.path.dirname(__file__)
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(here):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UserWarning, stacklevel=level)
