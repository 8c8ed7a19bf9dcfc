"""The schedules of a scheduler's groups, as a frozen value, and how they are bound to numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from lehr.errors import ScheduleError
from lehr.schedule.base import Schedule
from lehr.schedule.horizon import Horizon
from lehr.schedule.times import Over
from lehr.time.duration import SECONDS
from lehr.torch.binding import Binding, Group, Slot
from lehr.torch.groups import Interpreted
from lehr.torch.plan import ClockLevels, Driven, DrivePlan, StepLevels
from lehr.torch.plan_edits import RevisedSchedule, changed
from lehr.walltime.wallclock import WallClock


def is_factor(name: str) -> bool:
    """Return whether bare schedules of a number are factors of the group's base.

    Momentums and betas are used as they are, and stay below 1.
    """
    return not (name in ("momentum", "beta1", "beta2") or name.startswith("betas["))


@dataclass(frozen=True)
class Assignment:
    """Each group's schedule, for each number that is driven, and the changes of plan so far.

    Attributes:
        schedules: For each number, a schedule for each group, placed over the run; None leaves a
            group alone.
        coupled: The numbers that move in proportion to the rate.
        bases: For each number, what each group was given; None where it is not driven.
        changes: The changes of plan, in plain types.
    """

    schedules: Mapping[str, tuple[Interpreted | None, ...]]
    coupled: tuple[str, ...] = ()
    bases: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    changes: tuple[Mapping[str, Any], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all numbers that are driven."""
        return (*self.schedules, *self.coupled)

    def of(self, name: str) -> tuple[Interpreted | None, ...]:
        """Return the schedules that a number follows: its own, or the rate's."""
        return self.schedules["lr" if name in self.coupled else name]

    def revised(self, name: str) -> dict[Schedule, RevisedSchedule]:
        """Return a number's schedules with the changes of plan."""
        found: dict[Schedule, RevisedSchedule] = {}
        for interpreted in self.of(name):
            if interpreted is None or interpreted.schedule in found:
                continue
            revised = RevisedSchedule(interpreted.schedule)
            for change in self.changes:
                if change["of"] == ("lr" if name in self.coupled else name):
                    revised = changed(revised, change)
            found[interpreted.schedule] = revised
        return found

    def with_changes(self, changes: Sequence[Mapping[str, Any]]) -> Assignment:
        """Return a copy with the changes of plan of a saved state.

        Raises:
            ScheduleError: If one of them cannot be made.
        """
        found = replace(self, changes=tuple(changes))
        try:
            for name in self.schedules:
                found.revised(name)
        except ScheduleError as error:
            raise ScheduleError(f"changes: {error}") from None
        return found

    @property
    def run(self) -> float:
        """The steps of the run that the rate was given, or infinity."""
        ends = [
            revised.begin + revised.now.length
            for revised in (self.revised("lr").values() if "lr" in self.schedules else ())
            if isinstance(revised.now, Over) and revised.now.length is not None
        ]
        return max(ends, default=math.inf)

    @property
    def horizon(self) -> Horizon | None:
        """The run that the schedules were placed over, or None."""
        for schedules in self.schedules.values():
            for interpreted in schedules:
                if interpreted is not None and isinstance(interpreted.schedule, Over):
                    return interpreted.schedule.horizon
        return None

    @property
    def end(self) -> Fraction | None:
        """Where the run ends, with the changes of plan; None if it was given no run."""
        horizon = self.horizon
        if horizon is None or horizon.length.unit == SECONDS:
            return None
        ends = [
            revised.begin + revised.now.length
            for given, revised in (self.revised("lr") if "lr" in self.schedules else {}).items()
            if isinstance(given, Over) and revised.now.length is not None
        ]
        return Fraction(max(ends, default=horizon.steps))

    # ----- groups -------------------------------------------------------------------------------

    def for_groups(self, origins: Sequence[int | None]) -> Assignment:
        """Return a copy for other groups, each with its old index, or None if new."""

        def moved(values: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(None if origin is None else values[origin] for origin in origins)

        return replace(
            self,
            schedules={name: moved(values) for name, values in self.schedules.items()},
            bases={name: moved(values) for name, values in self.bases.items()},
        )

    def with_schedule(self, name: str, index: int, interpreted: Interpreted | None) -> Assignment:
        """Return a copy with another schedule for a number of a group."""
        schedules = list(self.schedules[name])
        schedules[index] = interpreted
        return replace(self, schedules={**self.schedules, name: tuple(schedules)})

    def with_base(self, name: str, index: int, base: float) -> Assignment:
        """Return a copy with another base for a number of a group."""
        bases = list(self.bases[name])
        bases[index] = base
        return replace(self, bases={**self.bases, name: tuple(bases)})

    # ----- binding ------------------------------------------------------------------------------

    def plan(
        self, groups: Sequence[Group], clocks: Mapping[Schedule, WallClock], scale: float
    ) -> DrivePlan:
        """Return the plan of a driver: each number's levels, bound to each group.

        Arguments:
            groups: The groups, in order.
            clocks: The clocks of the schedules that follow elapsed time.
            scale: The factor by which the feedback rule multiplies the rate.

        Raises:
            ScheduleError: If nothing is driven, a number is driven twice or does not exist, or a
                value could leave its range.
        """
        driven = [each for name in self.names for each in self._driven(name, groups, clocks, scale)]
        if not driven and groups:
            raise ScheduleError("nothing is driven: no group is given a schedule")
        names: dict[tuple[Any, int], str] = {}
        for each in driven:
            for index in each.groups:
                other = names.setdefault((each.slot.place, index), each.slot.name)
                if other != each.slot.name:
                    raise ScheduleError(
                        f"{other} and {each.slot.name} are the same number of this optimizer; "
                        "give one of them"
                    )
        return DrivePlan(tuple(driven))

    def _driven(
        self, name: str, groups: Sequence[Group], clocks: Mapping[Schedule, WallClock], scale: float
    ) -> list[Driven]:
        """Return an entry for each schedule and place of a number."""
        found: dict[tuple[Schedule, bool, Slot], list[Binding | None]] = {}
        for index, interpreted in enumerate(self.of(name)):
            if interpreted is None:
                continue
            slot = Slot.find_existing(name, index, groups[index])
            absolute = not interpreted.is_factor and name not in self.coupled
            kind = interpreted.schedule, absolute, slot
            bindings = found.setdefault(kind, [None] * len(groups))
            bindings[index] = self._binding(name, index, interpreted)
        high = math.inf if is_factor(name) else math.nextafter(1.0, 0)
        revised = self.revised(name)
        driven: list[Driven] = []
        for (schedule, absolute, slot), bindings in found.items():
            levels = (
                ClockLevels(clocks[schedule])
                if schedule in clocks
                else _levels(name, revised[schedule].schedule, bindings, high)
            )
            follows_rate = name == "lr" or name in self.coupled
            entry = Driven(slot, levels, tuple(bindings), absolute, scale if follows_rate else 1.0)
            entry.check_range(0.0, high)
            driven.append(entry)
        return driven

    def _binding(self, name: str, index: int, interpreted: Interpreted) -> Binding:
        """Return how a level becomes the number of a group."""
        coupled = name in self.coupled
        if not coupled and not interpreted.is_factor:
            return Binding()
        base, floor = self.bases[name][index], interpreted.floor_of(index)
        assert base is not None
        if not coupled:
            return Binding(base - floor, floor)
        rate = self.bases["lr"][index]
        assert rate is not None
        of_rate = base / rate if rate else 0.0
        gain = rate - floor if interpreted.is_factor else 1.0
        return Binding(gain * of_rate, floor * of_rate)

    # ----- plain types --------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return the schedules before any change, in plain types.

        A number has one entry if all groups have the same schedule, otherwise a list; the entry is
        ``"lr"`` if the number moves in proportion to the rate.
        """
        found: dict[str, Any] = {}
        for name, schedules in self.schedules.items():
            known: dict[Interpreted | None, Any] = {None: None}
            for interpreted in schedules:
                if interpreted is not None and interpreted not in known:
                    known[interpreted] = interpreted.to_dict(is_factor(name))
            written = [known[interpreted] for interpreted in schedules]
            found[name] = written[0] if len(set(schedules)) == 1 else written
        return {**found, **dict.fromkeys(self.coupled, "lr")}

    def with_saved(self, saved: Mapping[str, Any], groups: int) -> Assignment:
        """Return a copy with the schedules that :meth:`to_dict` wrote.

        Raises:
            ScheduleError: If one of them is not the dict form of a schedule.
        """
        schedules: dict[str, tuple[Interpreted | None, ...]] = {}
        for name in self.schedules:
            each = saved[name] if isinstance(saved[name], list) else [saved[name]] * groups
            if len(each) != groups:
                raise ScheduleError(
                    f"the state has {len(each)} schedules of {name}; there are {groups} groups"
                )
            known: dict[int, Interpreted] = {}
            for item in each:
                if item is not None and id(item) not in known:
                    known[id(item)] = Interpreted.from_dict(item, is_factor(name))
            schedules[name] = tuple(None if item is None else known[id(item)] for item in each)
        return replace(self, schedules=schedules)

    def __str__(self) -> str:
        texts: list[str] = []
        for name, schedules in self.schedules.items():
            revised = {s: repr(r.schedule) for s, r in self.revised(name).items()}
            each = [None if i is None else revised[i.schedule] for i in schedules]
            texts.append(f"{name}={each[0] if len(set(each)) == 1 and each[0] else each}")
        return ", ".join([*texts, *(f"{name}='lr'" for name in self.coupled)])


def _levels(
    name: str, schedule: Schedule, bindings: Sequence[Binding | None], high: float
) -> StepLevels:
    """Return a schedule's levels, which check themselves where its bounds are unknown.

    Arguments:
        name: The number that is driven.
        schedule: The schedule.
        bindings: How a level becomes the number of each group.
        high: The highest value that the number may have.
    """
    low_bound, high_bound = schedule.bounds
    if not schedule._has_callbacks or (low_bound > -math.inf and high_bound < math.inf):
        return StepLevels(schedule)
    gains = [(b.offset, b.gain) for b in bindings if b is not None and b.gain > 0]
    allowed = (
        max((-offset / gain for offset, gain in gains), default=-math.inf),
        min(((high - offset) / gain for offset, gain in gains), default=math.inf),
    )
    return StepLevels(schedule, name, (max(low_bound, allowed[0]), min(high_bound, allowed[1])))
