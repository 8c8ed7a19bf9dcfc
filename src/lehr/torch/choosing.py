"""Choosing: which group gets which schedule, for each number that is driven."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lehr.errors import ScheduleError
from lehr.notation import ScheduleLike, as_schedule
from lehr.schedule.base import Schedule
from lehr.torch.assignment import Assignment, is_factor
from lehr.torch.binding import Group
from lehr.torch.groups import Interpreted

REST: Final = "*"
"""The key of a mapping that covers all groups not named by another key."""

Given = (
    ScheduleLike
    | Interpreted
    | Sequence[Any]
    | Mapping[int | str, ScheduleLike | Interpreted | None]
    | Callable[[Group], ScheduleLike | Interpreted | None]
)


def choosers_of(name: str, given: Given, optimizers: int) -> tuple[Chooser, ...]:
    """Return the choosers of a number, from the schedules that were given for it.

    There is one chooser for all optimizers, or one for each if a list is given for several.

    Raises:
        ScheduleError: If ``given`` is not a schedule, a list, a mapping or a function, or if a list
            has the wrong length.
    """
    if optimizers <= 1 or not isinstance(given, Sequence) or isinstance(given, str):
        return (Chooser(name, given, is_factor(name)),)
    if len(given) != optimizers:
        raise ScheduleError(
            f"{name} is a list of {len(given)} for {optimizers} optimizers; write one schedule for "
            "all, or one for each optimizer (each of them a schedule, or a list or a mapping for "
            "the groups of that optimizer, or None)"
        )
    return tuple(
        Chooser(f"{name}[{i}]", {REST: None} if each is None else each, is_factor(name))
        for i, each in enumerate(given)
    )


class Chooser:
    """Which group gets which schedule.

    Arguments:
        name: What is driven, for messages.
        given: A schedule for all groups, or its text; a list with one for each; a mapping from
            indices and names of groups, and ``"*"`` for the rest; or a function of the group. None
            leaves a group alone.
        is_factor: Whether bare schedules are factors.

    Raises:
        ScheduleError: If ``given`` is none of these.
    """

    def __init__(self, name: str, given: Given, is_factor: bool) -> None:
        self._name, self._is_factor = name, is_factor
        self._given: Given = given
        if isinstance(given, Schedule | Interpreted | str):
            self._given = self._read(given)
        elif isinstance(given, Mapping):
            for value in given.values():
                self._interpret(value)
        elif isinstance(given, Sequence):
            for value in given:
                self._interpret(value)
        elif not callable(given):
            as_schedule(name, given)

    def choose(self, index: int, group: Group) -> Interpreted | None:
        """Return a group's schedule, or None if it is left alone.

        Arguments:
            index: The group's index among those that a list covers.
            group: The group.

        Raises:
            ScheduleError: If a list or a mapping has no entry for the group.
        """
        given = self._given
        if isinstance(given, Interpreted):
            return given
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

    def check_used(self, groups: Sequence[Group]) -> None:
        """Raise ScheduleError if a list or mapping names groups that do not exist."""
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
            f"{self._name} has no entry for group {index}"
            + (f" ({group['name']!r})" if "name" in group else "")
            + "; add '*': a schedule for the rest, or '*': None to leave the rest alone"
        )

    def _interpret(self, value: Any) -> Interpreted | None:
        return None if value is None else self._read(value)

    def _read(self, value: Any) -> Interpreted:
        if isinstance(value, Interpreted):
            return value
        return Interpreted(as_schedule(self._name, value), self._is_factor)


@dataclass(frozen=True)
class Choosers:
    """The choosers of all numbers, and how many groups they have handled.

    Attributes:
        by_name: For each number, its choosers: one for the groups of all optimizers, or one for
            each optimizer.
        found: For each optimizer, how many groups have been found so far.
    """

    by_name: Mapping[str, tuple[Chooser, ...]]
    found: tuple[int, ...]

    @classmethod
    def of(cls, given: Mapping[str, Given], optimizers: int) -> Choosers:
        """Return the choosers of all numbers, from the schedules that were given for each.

        Raises:
            ScheduleError: If one of them is not a schedule, a list, a mapping or a function.
        """
        by_name = {name: choosers_of(name, value, optimizers) for name, value in given.items()}
        return cls(by_name, (0,) * optimizers)

    def check_used(self, optimizers: Sequence[Sequence[Group]]) -> None:
        """Raise ScheduleError if a list or a mapping names groups that do not exist."""
        together = [group for each in optimizers for group in each]
        for choosers in self.by_name.values():
            for chooser, groups in zip(
                choosers, optimizers if len(choosers) > 1 else [together], strict=True
            ):
                chooser.check_used(groups)

    def assign(
        self,
        assignment: Assignment,
        optimizers: Sequence[Sequence[Group]],
        old: Sequence[int | None],
        place: Callable[[str, Interpreted], Interpreted],
    ) -> tuple[Assignment, Choosers]:
        """Choose the schedules of new groups.

        Arguments:
            assignment: The schedules of the groups so far.
            optimizers: The groups of each optimizer.
            old: For each group its index among those assigned so far, or None for a new one.
            place: Places a number's schedule over the run.

        Returns:
            The schedules of all groups, and the choosers for the groups that are added later.
        """
        assignment, found = assignment.for_groups(old), list(self.found)
        # Groups usually share a schedule, so it is placed only once.
        placed: dict[tuple[str, Interpreted], Interpreted] = {}
        numbered = [(number, group) for number, each in enumerate(optimizers) for group in each]
        for index, (optimizer, group) in enumerate(numbered):
            if old[index] is not None:
                continue
            for name, choosers in self.by_name.items():
                several = len(choosers) > 1
                here = found[optimizer] if several else sum(found)
                chosen = choosers[optimizer if several else 0].choose(here, group)
                if chosen is None:
                    continue
                if (name, chosen) not in placed:
                    placed[name, chosen] = place(name, chosen)
                of_group = placed[name, chosen].for_group(here)
                assignment = assignment.with_schedule(name, index, of_group)
            found[optimizer] += 1
        return assignment, replace(self, found=tuple(found))
