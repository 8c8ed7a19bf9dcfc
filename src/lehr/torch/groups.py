"""Parameter groups: which one is which, and how a schedule is read for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lehr.errors import ScheduleError, number
from lehr.notation import ScheduleLike, as_schedule
from lehr.schedule.base import Schedule
from lehr.schedule.tree import from_dict
from lehr.torch.binding import Group, python_number

Floors = float | tuple[float, ...] | None


class KnownGroups(tuple[Group, ...]):
    """The groups as last seen, by which later ones are recognized.

    A group is the same if it is the same dict. Loading an optimizer makes new dicts that keep their
    lists of parameters, so the list also identifies a group, and failing that its first parameter.
    If no group is recognized and their number is the same, they are assumed to be in the same
    order.
    """

    __slots__ = ()

    def origins(self, groups: Sequence[Group]) -> list[int | None]:
        """Return each group's index among the known ones; None for a new one."""
        if len(self) == len(groups) and all(a is b for a, b in zip(self, groups, strict=True)):
            return list(range(len(groups)))
        by_dict = {id(group): index for index, group in enumerate(self)}
        by_list = {id(group.get("params")): index for index, group in enumerate(self)}
        by_first = {_first_parameter(group): index for index, group in enumerate(self)}
        found: list[int | None] = [
            by_dict.get(id(group), by_list.get(id(group.get("params")), by_first.get(first)))
            for group in groups
            for first in (_first_parameter(group),)
        ]
        if len(self) == len(groups) and not any(index is not None for index in found):
            return list(range(len(groups)))
        return found

    def are(self, groups: Sequence[Group]) -> bool:
        """Return whether some groups are the known ones, in the same order."""
        return self.origins(groups) == list(range(len(self)))

    def present(self, groups: Sequence[Group]) -> dict[int, Group]:
        """Return the known groups among these, by their index."""
        pairs = zip(self.origins(groups), groups, strict=True)
        return {origin: group for origin, group in pairs if origin is not None}

    def renewed(self, groups: Sequence[Group]) -> KnownGroups:
        """Return the known groups, as the dicts by which a load has replaced them."""
        present = self.present(groups)
        return KnownGroups(present.get(index, group) for index, group in enumerate(self))

    def index_of(self, group: Group) -> int | None:
        """Return the index of a group, or None if it is not known."""
        for index, known in enumerate(self):
            if known is group or known["params"] is group["params"]:
                return index
        return None


def _first_parameter(group: Group) -> int:
    """Return the identity of a group's first parameter, or of the group itself."""
    parameters = group.get("params")
    return id(parameters[0]) if isinstance(parameters, list) and parameters else id(group)


def given_rates(groups: Sequence[Group], last_epoch: int) -> list[Any]:
    """Return the rate that each group was given, and note it in the group as torch does.

    Arguments:
        groups: The groups; a group without a rate has NaN in the result.
        last_epoch: The last epoch done: if a run continues, the rates must have been noted before.

    Raises:
        KeyError: If a run continues and a group has no noted rate.
    """
    found: list[Any] = []
    for index, group in enumerate(groups):
        if "lr" not in group:
            found.append(math.nan)
            continue
        if last_epoch >= 0 and "initial_lr" not in group:
            raise KeyError(
                f"param 'initial_lr' is not specified in param_groups[{index}] when resuming "
                f"scheduler with last_epoch >= 0 (here {last_epoch}): load the optimizer's state "
                "first, or write group.setdefault('initial_lr', group['lr'])"
            )
        group["initial_lr"] = python_number(group.get("initial_lr", group["lr"]))
        found.append(python_number(group["initial_lr"]))
    return found


@dataclass(frozen=True, slots=True)
class Interpreted:
    """A schedule and how its numbers are read: made by :func:`absolute` and :func:`factor`.

    Attributes:
        schedule: The curve.
        is_factor: Whether its numbers are factors of what a group was given.
        floor: The value at which the curve is 0: one for all groups, or a tuple with one for each.
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
        """Return a copy with the floor of one group in place of a list of floors."""
        return replace(self, floor=self.floor_of(index) or None)

    def to_dict(self, is_factor: bool) -> Any:
        """Return the schedule and how it is read, in plain types.

        This is the schedule's dict form, inside a dict that says how it is read if that is not the
        default for its number. A function without a name has no dict form; its text is used, which
        can be compared but not read back.

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
        """Return a schedule from the plain types of :meth:`to_dict`.

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


def absolute(schedule: ScheduleLike) -> Interpreted:
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
    return Interpreted(as_schedule("schedule", schedule), is_factor=False)


def factor(schedule: ScheduleLike, *, floor: float | Sequence[float] | None = None) -> Interpreted:
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
    curve = as_schedule("schedule", schedule)
    if floor is None:
        return Interpreted(curve, is_factor=True)
    if isinstance(floor, Sequence) and not isinstance(floor, str | bytes):
        floors = tuple(number(f"floor[{i}]", value, at_least=0) for i, value in enumerate(floor))
        return Interpreted(curve, is_factor=True, floor=floors)
    return Interpreted(curve, is_factor=True, floor=number("floor", floor, at_least=0))
