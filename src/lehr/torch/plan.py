"""A driver's plan: which numbers of which groups follow which schedules, as a frozen value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lehr.errors import ScheduleError
from lehr.schedule.base import Schedule
from lehr.schedule.times import Over
from lehr.torch.binding import Binding, Group, Slot, plain
from lehr.walltime.wallclock import WallClock


@dataclass(frozen=True)
class StepLevels:
    """Levels that are a function of the position.

    Attributes:
        schedule: The schedule.
        name: The number that is driven, for messages.
        allowed: The range against which each level is checked when computed; None if the bounds of
            the schedule are known.
    """

    schedule: Schedule
    name: str = ""
    allowed: tuple[float, float] | None = None

    @property
    def bounds(self) -> tuple[float, float]:
        """The lower and the upper bound of the levels."""
        return self.schedule.bounds if self.allowed is None else self.allowed

    @property
    def limit(self) -> float:
        """The last position that has a level; finite if the schedule raises past its end."""
        schedule = self.schedule
        if isinstance(schedule, Over) and schedule.past == "raise":
            return schedule.length or math.inf
        return math.inf

    @property
    def one_by_one(self) -> bool:
        """Whether levels are computed for one step at a time.

        A user's function may have no values past the run, so it is not called ahead of time.
        """
        return self.schedule._has_callbacks

    def at(self, position: float) -> float:
        """Return the level at a position.

        Raises:
            ScheduleError: If it is not finite, or outside the allowed range.
        """
        whole = int(position)
        level = float(self.schedule(whole if whole == position else position))
        self._check(level, position)
        return level

    def over(self, steps: NDArray[Any]) -> NDArray[np.float64]:
        """Return the levels at some steps."""
        levels = np.asarray(self.schedule(steps), dtype=np.float64)
        if self.allowed is not None:
            for level, step in zip(levels.tolist(), steps.tolist(), strict=True):
                self._check(level, step)
        return levels

    def _check(self, level: float, position: float) -> None:
        if self.allowed is None or self.allowed[0] <= level <= self.allowed[1]:
            return
        low, high = self.allowed
        raise ScheduleError(
            f"{self.name}={self.schedule} gave {level!r} at step {position:g}; it must stay "
            f"between {low:g} and {high:g}"
        )


@dataclass(frozen=True)
class ClockLevels:
    """Levels that follow elapsed time: only the current one is known."""

    clock: WallClock
    one_by_one = True
    limit = math.inf

    @property
    def schedule(self) -> Schedule:
        """The schedule."""
        return self.clock.schedule

    @property
    def bounds(self) -> tuple[float, float]:
        """The lower and the upper bound of the levels."""
        return self.clock.bounds

    def at(self, position: float) -> float:
        """Return the current level, whatever the position."""
        return self.clock.value

    def over(self, steps: NDArray[Any]) -> NDArray[np.float64]:
        """Return the current level; never more than one step is computed."""
        return np.full(len(steps), self.clock.value)


class Contribution(NamedTuple):
    """One scheduler's contribution to one number of one group.

    Attributes:
        value: The number, if no other scheduler drives it.
        ratio: That number over the group's base.
        absolute: Whether the number is independent of the base.
    """

    value: float
    ratio: float
    absolute: bool


def combine(contributions: Sequence[Contribution]) -> float:
    """Return the joint value of several schedulers: their ratios multiply.

    If several are absolute, the most recent one wins.

    Arguments:
        contributions: At least one, the most recent last.
    """
    absolute = [each for each in contributions if each.absolute]
    lead = absolute[-1] if absolute else contributions[0]
    others = (e.ratio for e in contributions if e is not lead and not e.absolute)
    return lead.value * math.prod(others)


@dataclass(frozen=True)
class Driven:
    """A number that follows one schedule, in the groups that have a binding.

    Attributes:
        slot: The place that is driven.
        levels: The schedule's levels.
        bindings: One for each group, in the driver's order; None leaves a group alone.
        absolute: Whether the values are independent of the groups' bases; if so, a value set by
            hand lasts only until the next step.
        scale: A feedback rule's factor, applied to all values.
    """

    slot: Slot
    levels: StepLevels | ClockLevels
    bindings: tuple[Binding | None, ...]
    absolute: bool = False
    scale: float = 1.0

    @property
    def groups(self) -> list[int]:
        """The indices of the groups that it drives."""
        return [index for index, binding in enumerate(self.bindings) if binding is not None]

    def check_range(self, low: float, high: float) -> None:
        """Raise ScheduleError where a value could leave a range."""
        for binding in self.bindings:
            if binding is None:
                continue
            if binding.gain == 0:
                ends = [binding.offset]
            else:
                ends = [binding.offset + binding.gain * bound for bound in self.levels.bounds]
            if not (low <= min(ends) and max(ends) <= high):
                raise ScheduleError(
                    f"{self.slot.name}={self.levels.schedule} could give values from "
                    f"{min(ends):g} to {max(ends):g}; it must stay between {low:g} and {high:g}. "
                    "Write .clip(low=..., high=...) around it"
                )

    def line(self, index: int) -> tuple[float, float]:
        """Return a driven group's offset and gain, multiplied by the scale."""
        binding = self.bindings[index]
        assert binding is not None
        return self.scale * binding.offset, self.scale * binding.gain

    def value(self, index: int, level: float) -> float:
        """Return a driven group's value at a level."""
        offset, gain = self.line(index)
        return offset + gain * level

    def values(self, position: float) -> list[float]:
        """Return the value of each group that it drives, at a position."""
        level = self.levels.at(position)
        return [self.value(index, level) for index in self.groups]

    def contribution(self, index: int, level: float) -> Contribution:
        """Return the contribution to a driven group's value at a level."""
        binding = self.bindings[index]
        assert binding is not None
        value = self.value(index, level)
        ratio = value / binding.base if binding.base else self.scale * level
        return Contribution(value, ratio, self.absolute)

    def base_for(self, index: int, value: float, level: float) -> float | None:
        """Return the base with which a level gives this value; None if there is no base.

        At level 0, as at the start of a warmup, the base is the value itself.
        """
        binding = self.bindings[index]
        if binding is None or self.absolute or self.scale == 0:
            return None
        wanted = value / self.scale - binding.offset
        return binding.offset + (wanted / level if level else wanted)


@dataclass(frozen=True)
class DrivePlan:
    """Everything that a driver drives; it determines the values at any position."""

    driven: tuple[Driven, ...] = ()

    @property
    def limit(self) -> float:
        """The last position that has values."""
        return min((driven.levels.limit for driven in self.driven), default=math.inf)

    @property
    def is_absolute(self) -> bool:
        """Whether some of its values are independent of the groups' bases."""
        return any(driven.absolute for driven in self.driven)

    @property
    def follows_time(self) -> bool:
        """Whether some of its values follow elapsed time."""
        return any(isinstance(driven.levels, ClockLevels) for driven in self.driven)

    @property
    def slots(self) -> list[Slot]:
        """The places that it drives, each once."""
        return list({driven.slot.place: driven.slot for driven in self.driven}.values())

    def of_slot(self, slot: Slot, index: int) -> Driven | None:
        """Return the entry that drives a number of a group, or None."""
        for driven in self.driven:
            if driven.slot.place == slot.place and driven.bindings[index] is not None:
                return driven
        return None

    def numbers(self, groups: Mapping[int, Group], *, alone: bool) -> dict[str, float]:
        """Return the current driven numbers by name, with the group's if there are several groups.

        Arguments:
            groups: The present groups, by their index in the plan.
            alone: Whether there is one group only.
        """
        found: dict[str, float] = {}
        for driven in self.driven:
            for place, (index, group) in enumerate(groups.items()):
                if driven.bindings[index] is not None:
                    name = driven.slot.name
                    label = name if alone else f"{name}/{group.get('name', place)}"
                    found[label] = plain(driven.slot.read(group))
        return found

    def contributions(self, position: float) -> list[tuple[Slot, int, Contribution]]:
        """Return its contribution to each number that it drives, with the index of the group."""
        found: list[tuple[Slot, int, Contribution]] = []
        for driven in self.driven:
            level = driven.levels.at(position)
            found += [(driven.slot, i, driven.contribution(i, level)) for i in driven.groups]
        return found
