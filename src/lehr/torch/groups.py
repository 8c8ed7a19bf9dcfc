"""What a schedule's numbers mean to the groups of an optimizer, and which group gets which."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lehr.errors import ScheduleError, number
from lehr.schedule.base import Schedule
from lehr.torch.binding import Group

__all__ = ["REST", "Chooser", "Given", "Meaning", "absolute", "factor"]

REST: Final = "*"
"""The key of a mapping that stands for all groups that no other key names."""

Floors = float | tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Meaning:
    """A schedule together with what its numbers mean: made by :func:`absolute`, :func:`factor`.

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

    def saved(self, is_factor: bool) -> Any:
        """Return it in plain types: the schedule's text, where it means what its kind does.

        Arguments:
            is_factor: Whether schedules of its kind are factors, unless told otherwise.
        """
        if self.is_factor == is_factor and self.floor is None:
            return repr(self.schedule)
        floor = list(self.floor) if isinstance(self.floor, tuple) else self.floor
        kind = "factor" if self.is_factor else "absolute"
        return {"schedule": repr(self.schedule), "as": kind, "floor": floor}

    @classmethod
    def load(cls, saved: Any, is_factor: bool) -> Meaning:
        """Return the meaning that :meth:`saved` gave.

        Raises:
            ScheduleError: If its text is none of a schedule.
        """
        from lehr.notation import parse

        if isinstance(saved, str):
            return cls(parse(saved), is_factor)
        floor = saved["floor"]
        return cls(
            parse(saved["schedule"]),
            saved["as"] == "factor",
            tuple(floor) if isinstance(floor, list) else floor,
        )


Given = (
    Schedule
    | Meaning
    | Sequence[Schedule | Meaning | None]
    | Mapping[int | str, Schedule | Meaning | None]
    | Callable[[Group], Schedule | Meaning | None]
)


def absolute(schedule: Schedule) -> Meaning:
    """Say that a schedule's values are to be used as they are.

    Example:
        >>> import lehr, torch
        >>> from lehr.torch import Scheduler
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
        >>> rates = lehr.trapezoid(5, hold_for=5, floor=0.001, peak=0.006)
        >>> scheduler = Scheduler(optimizer, lr=absolute(rates))
        >>> scheduler.get_last_lr()
        [0.001]
    """
    return Meaning(schedule, is_factor=False)


def factor(schedule: Schedule, *, floor: float | Sequence[float] | None = None) -> Meaning:
    """Say that a schedule's values are factors of what each group was given.

    Formula: ``floor + (base - floor) * schedule(t)``, where ``base`` is what the group was given.

    Arguments:
        schedule: The curve; 1 is the base, 0 is the floor.
        floor: A rate of at least 0, for all groups or a list with one for each; 0 without it.

    Raises:
        ScheduleError: If a floor is negative or no number.

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
        return Meaning(schedule, is_factor=True)
    if isinstance(floor, Sequence):
        floors = tuple(number(f"floor[{i}]", value, at_least=0) for i, value in enumerate(floor))
        return Meaning(schedule, is_factor=True, floor=floors)
    return Meaning(schedule, is_factor=True, floor=number("floor", floor, at_least=0))


class Chooser:
    """Which group gets which schedule.

    Arguments:
        name: What is driven, for messages.
        given: A schedule for all groups; a list with one for each; a mapping from indices and
            names of groups, and ``"*"`` for the rest; or a function of the group. None stands for
            a group that is left alone.
        is_factor: Whether bare schedules are factors.

    Raises:
        ScheduleError: If it is nothing of these.
    """

    def __init__(self, name: str, given: Given, is_factor: bool) -> None:
        self._name, self._is_factor = name, is_factor
        self._given = given
        if isinstance(given, Schedule | Meaning):
            self._meaning(given)
        elif isinstance(given, Mapping):
            for value in given.values():
                self._meaning(value)
        elif isinstance(given, Sequence) and not isinstance(given, str):
            for value in given:
                self._meaning(value)
        elif not callable(given):
            raise ScheduleError(f"{name}={given!r} is not a schedule; write constant({given!r})")

    def of(self, index: int, group: Group) -> Meaning | None:
        """Return what a group gets, or None where it is left alone.

        Raises:
            ScheduleError: If a list or a mapping says nothing of the group.
        """
        given = self._given
        if isinstance(given, Schedule | Meaning):
            return self._meaning(given)
        if isinstance(given, Mapping):
            return self._meaning(self._named(given, index, group))
        if isinstance(given, Sequence):
            if index >= len(given):
                raise ScheduleError(
                    f"{self._name} is a list of {len(given)} schedules, which has none for group "
                    f"{index}; write one for each group, or a mapping with '*' for the rest"
                )
            return self._meaning(given[index])
        return self._meaning(given(group))

    def check_used(self, groups: Sequence[Group]) -> None:
        """Refuse a list or mapping that speaks of groups that there are not.

        Raises:
            ScheduleError: If it does.
        """
        given = self._given
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
            f"{self._name} says nothing of group {index}"
            + (f" ({group['name']!r})" if "name" in group else "")
            + "; add '*': a schedule for the rest, or '*': None to leave the rest alone"
        )

    def _meaning(self, value: Any) -> Meaning | None:
        if value is None or isinstance(value, Meaning):
            return value
        if isinstance(value, Schedule):
            return Meaning(value, self._is_factor)
        raise ScheduleError(f"{self._name}={value!r} is not a schedule; write constant({value!r})")
