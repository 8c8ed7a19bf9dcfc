"""What is driven: a place in the parameter groups, a schedule, and what it means for each."""

from __future__ import annotations

import math
import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from lehr.errors import ScheduleError
from lehr.schedule.base import Schedule
from lehr.schedule.times import Over

__all__ = [
    "Binding",
    "Group",
    "Place",
    "Slot",
    "Track",
    "Voice",
    "check_optimizer",
    "plain",
    "together",
    "warn",
]

# One number of a tuple: a name of the groups' and an index.
_NUMBERED = re.compile(r"(?P<key>\w+)\[(?P<index>\d{1,3})\]")

Group = dict[str, Any]
Place = tuple[str, int | None]


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
    def find(cls, name: str, optimizer: Optimizer, groups: Sequence[Group] | None = None) -> Slot:
        """Return the place that ``name`` means for an optimizer.

        Arguments:
            name: ``"lr"`` or any other key of its groups; ``"momentum"``, which is the first beta
                where the optimizer has betas; ``"beta1"`` or ``"beta2"``; or one number of any
                tuple, as in ``"nus[1]"``.
            groups: Those that must have it; all without it.

        Raises:
            ScheduleError: If its groups have no such number.
        """
        first = optimizer.param_groups[0]
        slot = cls(name, name)
        if (match := _NUMBERED.fullmatch(name)) is not None:
            slot = cls(name, match["key"], int(match["index"]))
        if name in ("momentum", "beta1", "beta2") and name not in first and "betas" in first:
            slot = cls(name, "betas", 1 if name == "beta2" else 0)
        asked = {id(group) for group in (optimizer.param_groups if groups is None else groups)}
        for index, group in enumerate(optimizer.param_groups):
            if id(group) in asked and not slot.stands_in(group):
                known = [key for key in group if cls(key, key).stands_in(group)]
                betas = ["beta1", "beta2"] if "betas" in group else []
                known += [f"{key}[0]" for key in group if cls(key, key, 0).stands_in(group)]
                raise ScheduleError(
                    f"group {index} of {type(optimizer).__name__} has no number {name!r} to drive; "
                    f"it has {', '.join([*known, *betas])}"
                )
        return slot

    @property
    def place(self) -> Place:
        """Where it is, by whatever name it was found."""
        return self.key, self.index

    def stands_in(self, group: Group) -> bool:
        """Return whether a group has a number there."""
        value = None if self.key == "params" else group.get(self.key)
        if self.index is not None:
            if not isinstance(value, tuple | list) or len(value) <= self.index:
                return False
            value = value[self.index]
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
        else:
            self._replace(group, value)

    def place_tensor(self, group: Group, tensor: Tensor) -> None:
        """Put a tensor there, filled with what stands there."""
        tensor.copy_(self.read(group))
        self._replace(group, tensor)

    def _replace(self, group: Group, value: Any) -> None:
        if self.index is None:
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

    @property
    def base(self) -> float:
        """The value where the schedule is 1."""
        return self.offset + self.gain


class Track:
    """One driven number: its slot, its schedule, and the binding of each group that it drives.

    Arguments:
        slot: The place that is driven.
        schedule: The curve, placed over its run.
        low: A number that no driven value may be below; minus infinity leaves it unchecked.
        high: A number that no driven value may be above.
        absolute: Whether the values are used as they are, whatever the groups were given; then a
            rate that is set by hand lasts until the next step only.
        takes: Which groups it drives, by index and group; all of them without it.
    """

    def __init__(
        self,
        slot: Slot,
        schedule: Schedule,
        low: float = -math.inf,
        high: float = math.inf,
        absolute: bool = False,
        takes: Callable[[int, Group], bool] | None = None,
    ) -> None:
        self.slot = slot
        self.schedule = schedule
        self.absolute = absolute
        self._low, self._high = low, high
        self._takes = takes
        self.bindings: list[Binding | None] = []
        self.scale = 1.0

    def join(self, groups: Sequence[Group], bind: Callable[[Slot, int, Group], Binding]) -> None:
        """Take in all groups, keeping the bindings of those that are known.

        Arguments:
            groups: The optimizer's.
            bind: Returns the binding of a group.

        Raises:
            ScheduleError: If a group has no such number, or a value could leave its range.
        """
        added: list[Binding | None] = []
        for index in range(len(self.bindings), len(groups)):
            if self._takes is not None and not self._takes(index, groups[index]):
                added.append(None)
                continue
            if not self.slot.stands_in(groups[index]):
                raise ScheduleError(f"group {index} has no number {self.slot.name!r} to drive")
            added.append(bind(self.slot, index, groups[index]))
        self.check(added)
        self.bindings = [*self.bindings[: len(groups)], *added]

    def check(self, bindings: Sequence[Binding | None]) -> None:
        """Refuse bindings by which a value could leave its range."""
        if self._low == -math.inf and self._high == math.inf:
            return
        for binding in bindings:
            if binding is None:
                continue
            ends = [binding.offset + binding.gain * bound for bound in self.bounds]
            if not (self._low <= min(ends) and max(ends) <= self._high):
                raise ScheduleError(
                    f"{self.slot.name}={self.schedule} could give values from {min(ends):g} to "
                    f"{max(ends):g}; it must stay between {self._low:g} and {self._high:g}. "
                    "Write .clip(low=..., high=...) around it"
                )

    @property
    def bounds(self) -> tuple[float, float]:
        """Two numbers that all levels lie between."""
        return self.schedule.bounds

    @property
    def one_by_one(self) -> bool:
        """Whether it is asked for one step at a time.

        A user's function may have no values past the run: it is not asked ahead of time.
        """
        return self.schedule.calls

    @property
    def limit(self) -> float:
        """The last position that has a value: finite where the schedule raises past its end."""
        schedule = self.schedule
        ends = isinstance(schedule, Over) and schedule.past == "raise"
        return schedule.length or math.inf if ends else math.inf

    @property
    def groups(self) -> list[int]:
        """The groups that it drives."""
        return [index for index, binding in enumerate(self.bindings) if binding is not None]

    def level(self, position: float) -> float:
        """Return the schedule's level at a position.

        Raises:
            ScheduleError: If it is not finite.
        """
        return float(self.schedule(int(position) if position == int(position) else position))

    def levels(self, steps: NDArray[Any]) -> NDArray[np.float64]:
        """Return the schedule's levels at some steps."""
        return np.asarray(self.schedule(steps), dtype=np.float64)

    def at(self, position: float) -> list[float]:
        """Return the value of each group that it drives, at a position."""
        level = self.level(position)
        return [self.value(index, level) for index in self.groups]

    def line(self, index: int) -> tuple[float, float]:
        """Return a driven group's offset and gain, with the scale in them."""
        binding = self.bindings[index]
        assert binding is not None
        return self.scale * binding.offset, self.scale * binding.gain

    def value(self, index: int, level: float) -> float:
        """Return a driven group's value where the schedule has a level."""
        offset, gain = self.line(index)
        return offset + gain * level

    def voice(self, index: int, level: float) -> Voice:
        """Return what it has to say on a driven group's value; see :class:`Voice`."""
        binding = self.bindings[index]
        assert binding is not None
        value = self.value(index, level)
        ratio = value / binding.base if binding.base else self.scale * level
        return Voice(value, ratio, self.absolute)

    def base_for(self, index: int, value: float, level: float) -> float | None:
        """Return the base from which the schedule would have come to a value of a group.

        Where the schedule stands at 0, as at the start of a warmup, it is the value itself.

        Arguments:
            index: A driven group.
            value: What stands there now, set by hand.
            level: The schedule's level now.
        """
        binding = self.bindings[index]
        if binding is None or self.absolute or self.scale == 0:
            return None
        wanted = value / self.scale - binding.offset
        return binding.offset + (wanted / level if level else wanted)


class Voice(NamedTuple):
    """What one scheduler has to say on one number of one group.

    Attributes:
        value: The number, were it alone.
        ratio: That number over the base that the group was given.
        absolute: Whether it does not care for the base.
    """

    value: float
    ratio: float
    absolute: bool


def together(voices: Sequence[Voice]) -> Voice:
    """Return what several have to say: their ratios multiply.

    Of several that do not care for the base the last one speaks.

    Arguments:
        voices: At least one, the one that moved last at the end.
    """
    absolute = [voice for voice in voices if voice.absolute]
    lead = absolute[-1] if absolute else voices[0]
    others = math.prod(v.ratio for v in voices if v is not lead and not v.absolute)
    return Voice(lead.value * others, lead.ratio * others, lead.absolute)


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
