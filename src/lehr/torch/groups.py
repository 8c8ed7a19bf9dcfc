"""Parameter groups: which one is which, which gets which schedule, and how it is to be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from lehr.errors import ScheduleError, number
from lehr.schedule.base import Schedule
from lehr.schedule.tree import from_dict
from lehr.torch.binding import Group

__all__ = [
    "REST",
    "Chooser",
    "EachChooser",
    "Given",
    "Interpreted",
    "Place",
    "absolute",
    "chooser_of",
    "factor",
    "origins",
]

REST: Final = "*"
"""The key of a mapping that stands for all groups that no other key names."""

Floors = float | tuple[float, ...] | None


def origins(known: Sequence[Group], groups: Sequence[Group]) -> list[int | None]:
    """Return for each group its index among those that were known; None for a new one.

    A group is the same if it is the same dict. Loading an optimizer makes new dicts that keep their
    lists of parameters, so these identify a group as well, then its first parameter. If no group is
    recognized and their number is the same, they are taken to be in the same order.
    """
    if len(known) == len(groups) and all(a is b for a, b in zip(known, groups, strict=True)):
        return list(range(len(groups)))
    by_dict = {id(group): index for index, group in enumerate(known)}
    by_list = {id(group.get("params")): index for index, group in enumerate(known)}
    by_first = {_first_parameter(group): index for index, group in enumerate(known)}
    found: list[int | None] = [
        by_dict.get(id(group), by_list.get(id(group.get("params")), by_first.get(first)))
        for group in groups
        for first in (_first_parameter(group),)
    ]
    if len(known) == len(groups) and not any(index is not None for index in found):
        return list(range(len(groups)))
    return found


def _first_parameter(group: Group) -> int:
    """Return the identity of a group's first parameter, or of the group."""
    parameters = group.get("params")
    return id(parameters[0]) if isinstance(parameters, list) and parameters else id(group)


@dataclass(frozen=True, slots=True)
class Interpreted:
    """A schedule and how its numbers are read: made by :func:`absolute` and :func:`factor`.

    Attributes:
        schedule: The curve.
        is_factor: Whether its numbers are factors of what a group was given.
        floor: The value where the curve is 0: one for all groups, or a tuple with one for each.
    """

    schedule: Schedule
    is_factor: bool
    floor: Floors = None

    def floor_of(self, index: int) -> float:
        """Return the floor of a group.

        Raises:
            ScheduleError: If there is a list of floors that ends before the group.
        """
        if not isinstance(self.floor, tuple):
            return self.floor or 0.0
        if index >= len(self.floor):
            raise ScheduleError(
                f"floor={list(self.floor)!r} has no value for group {index}; write one for each "
                "group, or one number for all"
            )
        return self.floor[index]

    def for_group(self, index: int) -> Interpreted:
        """Return it with the floor of one group in place of a list of floors."""
        return replace(self, floor=self.floor_of(index) or None)

    def to_dict(self, is_factor: bool) -> Any:
        """Return it in plain types.

        It is the schedule's dict form; within a dict that says how it is read where that is not the
        default for its number. A function without a name has no dict form: there it is a text,
        which can be compared but not read back.

        Arguments:
            is_factor: Whether schedules of this number are factors by default.
        """
        try:
            written: Any = self.schedule.to_dict()
        except ScheduleError:
            written = repr(self.schedule)
        if self.is_factor == is_factor and self.floor is None:
            return written
        kind = "factor" if self.is_factor else "absolute"
        return {"schedule": written, "as": kind, "floor": self.floor}

    @classmethod
    def from_dict(cls, saved: Any, is_factor: bool) -> Interpreted:
        """Return what :meth:`to_dict` wrote.

        Raises:
            ScheduleError: If it is not the dict form of a schedule.
        """
        floor = None
        if isinstance(saved, dict) and "schedule" in saved:
            is_factor, floor = saved["as"] == "factor", saved["floor"]
            saved = saved["schedule"]
        if isinstance(saved, str):
            raise ScheduleError(
                f"the saved schedule {saved} calls a function without a name, and cannot be read "
                "back; write lehr.register('mine')(function) before it is saved"
            )
        return cls(from_dict(saved), is_factor, floor)


Given = (
    Schedule
    | Interpreted
    | Sequence[Any]
    | Mapping[int | str, Schedule | Interpreted | None]
    | Callable[[Group], Schedule | Interpreted | None]
)


def absolute(schedule: Schedule) -> Interpreted:
    """Use a schedule's values as they are, independent of what the groups were given.

    Example:
        >>> import lehr, torch
        >>> from lehr.torch import Scheduler
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
        >>> rates = lehr.trapezoid(5, hold_for=5, floor=0.001, peak=0.006)
        >>> scheduler = Scheduler(optimizer, lr=absolute(rates))
        >>> scheduler.get_last_lr()
        [0.001]
    """
    return Interpreted(schedule, is_factor=False)


def factor(schedule: Schedule, *, floor: float | Sequence[float] | None = None) -> Interpreted:
    """Use a schedule's values as factors of what each group was given.

    Formula: ``floor + (base - floor) * schedule(t)``, where ``base`` is what the group was given.

    Arguments:
        schedule: The curve; 1 is the base, 0 is the floor.
        floor: A rate of at least 0, for all groups or a list with one for each; 0 without it.

    Raises:
        ScheduleError: If a floor is negative or not a number.

    Example:
        >>> import lehr, torch
        >>> from lehr.torch import Scheduler
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
        >>> scheduler = Scheduler(optimizer, lr=factor(lehr.linear(10), floor=0.02))
        >>> scheduler.seek(10)
        >>> scheduler.get_last_lr()
        [0.02]
    """
    if floor is None:
        return Interpreted(schedule, is_factor=True)
    if isinstance(floor, Sequence):
        floors = tuple(number(f"floor[{i}]", value, at_least=0) for i, value in enumerate(floor))
        return Interpreted(schedule, is_factor=True, floor=floors)
    return Interpreted(schedule, is_factor=True, floor=number("floor", floor, at_least=0))


class Place(NamedTuple):
    """Where a new group was found.

    Attributes:
        index: How many groups were found before it, in all optimizers.
        optimizer: The index of its optimizer.
        within: How many groups of that optimizer were found before it.
    """

    index: int
    optimizer: int
    within: int


def chooser_of(name: str, given: Given, is_factor: bool, optimizers: int) -> Chooser | EachChooser:
    """Return what chooses the schedules of a number.

    For several optimizers, a list has one entry for each of them.

    Raises:
        ScheduleError: If ``given`` is not what a chooser takes, or a list has another length.
    """
    if optimizers == 1 or not isinstance(given, Sequence) or isinstance(given, str):
        return Chooser(name, given, is_factor)
    if len(given) != optimizers:
        raise ScheduleError(
            f"{name} is a list of {len(given)} for {optimizers} optimizers; write one schedule for "
            "all, or one for each optimizer (each of them a schedule, or a list or a mapping for "
            "the groups of that optimizer, or None)"
        )
    return EachChooser(
        [
            Chooser(f"{name}[{i}]", {REST: None} if each is None else each, is_factor)
            for i, each in enumerate(given)
        ]
    )


class EachChooser:
    """A chooser for each of several optimizers.

    Arguments:
        choosers: In the order of the optimizers.
    """

    def __init__(self, choosers: Sequence[Chooser]) -> None:
        self._choosers = choosers

    def index(self, place: Place) -> int:
        """Return the index of a group among those that a list is for."""
        return place.within

    def of(self, place: Place, group: Group) -> Interpreted | None:
        """Return a group's schedule, or None if it is left alone."""
        inside = Place(place.within, 0, place.within)
        return self._choosers[place.optimizer].of(inside, group)

    def check_used(self, groups: Sequence[Sequence[Group]]) -> None:
        """Raise ScheduleError if one of the choosers names groups that do not exist."""
        for chooser, each in zip(self._choosers, groups, strict=True):
            chooser.check_used([each])


class Chooser:
    """Which group gets which schedule.

    Arguments:
        name: What is driven, for messages.
        given: A schedule for all groups; a list with one for each; a mapping from indices and
            names of groups, and ``"*"`` for the rest; or a function of the group. None leaves a
            group alone.
        is_factor: Whether bare schedules are factors.

    Raises:
        ScheduleError: If ``given`` is none of these.
    """

    def __init__(self, name: str, given: Given, is_factor: bool) -> None:
        self._name, self._is_factor = name, is_factor
        self._given = given
        if isinstance(given, Schedule | Interpreted):
            self._interpret(given)
        elif isinstance(given, Mapping):
            for value in given.values():
                self._interpret(value)
        elif isinstance(given, Sequence) and not isinstance(given, str):
            for value in given:
                self._interpret(value)
        elif not callable(given):
            raise ScheduleError(f"{name}={given!r} is not a schedule; write constant({given!r})")

    def index(self, place: Place) -> int:
        """Return the index of a group among those that a list is for."""
        return place.index

    def of(self, place: Place, group: Group) -> Interpreted | None:
        """Return a group's schedule, or None if it is left alone.

        Raises:
            ScheduleError: If a list or a mapping has no entry for the group.
        """
        given, index = self._given, place.index
        if isinstance(given, Schedule | Interpreted):
            return self._interpret(given)
        if isinstance(given, Mapping):
            return self._interpret(self._named(given, index, group))
        if isinstance(given, Sequence):
            if index >= len(given):
                raise ScheduleError(
                    f"{self._name} is a list of {len(given)} schedules, which has none for group "
                    f"{index}; write one for each group, or a mapping with '*' for the rest"
                )
            return self._interpret(given[index])
        return self._interpret(given(group))

    def check_used(self, optimizers: Sequence[Sequence[Group]]) -> None:
        """Raise ScheduleError if a list or mapping names groups that do not exist.

        Arguments:
            optimizers: The groups of each optimizer.
        """
        given, groups = self._given, [group for each in optimizers for group in each]
        if isinstance(given, Mapping):
            known = {REST, *range(len(groups)), *(g["name"] for g in groups if "name" in g)}
            unknown = [key for key in given if key not in known]
            if unknown:
                raise ScheduleError(
                    f"{self._name}: there is no group {unknown[0]!r}; the groups are "
                    f"{', '.join(repr(g.get('name', i)) for i, g in enumerate(groups))}"
                )
        elif isinstance(given, Sequence) and len(given) > len(groups):
            raise ScheduleError(
                f"{self._name} is a list of {len(given)} schedules; the optimizer has "
                f"{len(groups)} groups"
            )

    def _named(self, given: Mapping[Any, Any], index: int, group: Group) -> Any:
        for key in (index, group.get("name"), REST):
            if key is not None and key in given:
                return given[key]
        raise ScheduleError(
            f"{self._name} has no entry for group {index}"
            + (f" ({group['name']!r})" if "name" in group else "")
            + "; add '*': a schedule for the rest, or '*': None to leave the rest alone"
        )

    def _interpret(self, value: Any) -> Interpreted | None:
        if value is None or isinstance(value, Interpreted):
            return value
        if isinstance(value, Schedule):
            return Interpreted(value, self._is_factor)
        raise ScheduleError(f"{self._name}={value!r} is not a schedule; write constant({value!r})")
