"""Torch's rule: each rate is computed from the one before.

A drop-in assigns the values of its plan until something else affects them: torch's classes read
more than the position at each step, and that can change between steps. It may be an attribute of
the scheduler, a rate written by hand, an added group, or a subclass with its own ``get_lr``. From
then on the drop-in carries its numbers: each step passes them to torch's own ``get_lr``, in a view
of the groups, and writes the result. A jump (``seek``, ``step(n)``, a loaded position) ends this.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

from lehr.torch.binding import LR, Group, Slot, plain
from lehr.torch.plan import DrivePlan
from lehr.torch.writers import Step


class View:
    """An optimizer as ``get_lr`` sees it: its groups are copies that hold a drop-in's own rates."""

    def __init__(self, optimizer: Any, groups: list[Group]) -> None:
        self.param_groups = groups
        self._optimizer = optimizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._optimizer, name)


def rates_in(groups: Sequence[Group]) -> tuple[float, ...]:
    """Return the current rate of each group."""
    return tuple(plain(group.get("lr", math.nan)) for group in groups)


@dataclass(frozen=True, slots=True)
class Carried:
    """The current numbers of a drop-in that continues from them.

    Attributes:
        rates: One for each group.
        others: The values of other numbers that it drives, one for each group; None for a group
            that lacks the number.
    """

    rates: tuple[float, ...]
    others: tuple[tuple[Slot, tuple[float | None, ...]], ...] = ()

    @classmethod
    def of_plan(cls, plan: DrivePlan, position: float, groups: Sequence[Group]) -> Carried:
        """Return a plan's numbers at a position; the current rate for groups without one."""
        found: dict[Any, tuple[Slot, list[float | None]]] = {
            slot.place: (slot, [None] * len(groups)) for slot in plan.slots
        }
        found[LR.place] = LR, [*rates_in(groups)]
        for slot, index, share in plan.contributions(position):
            found[slot.place][1][index] = share.value
        rates = tuple(rate for rate in found.pop(LR.place)[1] if rate is not None)
        return cls(rates, tuple((slot, tuple(values)) for slot, values in found.values()))

    def at(self, index: int, rate: float) -> Carried:
        """Return a copy with another rate for a group."""
        return replace(self, rates=(*self.rates[:index], rate, *self.rates[index + 1 :]))

    def regrouped(self, old: Sequence[int | None], groups: Sequence[Group]) -> Carried:
        """Return a copy for other groups, each with its old index, or None if new."""
        rates = zip(old, rates_in(groups), strict=True)
        return Carried(tuple(rate if i is None else self.rates[i] for i, rate in rates))

    @property
    def numbers(self) -> list[tuple[Slot, tuple[float | None, ...]]]:
        """Each number with its values."""
        return [(LR, self.rates), *self.others]


@dataclass(frozen=True, slots=True)
class Watched:
    """Values that user code may change in place, and their copies from when the plan was resolved.

    Attributes:
        lists: Lists among the parameters.
        noted: Their copies.
        keys: The keys that torch reads from the groups at each step.
        read: Returns their values in a group.
        seen: The values when noted, group by group.
    """

    lists: Sequence[Any] = ()
    noted: Sequence[Any] = ()
    keys: Sequence[str] = ()
    read: Callable[[Group], Any] = len
    seen: Sequence[Any] = ()

    @classmethod
    def now(cls, lists: list[Any], keys: Sequence[str], groups: Sequence[Group]) -> Watched:
        """Return a copy with the current values."""
        watched = cls(lists, [copy(each) for each in lists], keys)
        if not keys:
            return watched
        watched = replace(watched, read=itemgetter(*keys))
        return replace(watched, seen=watched._values(groups))

    def unchanged(self, groups: Sequence[Group]) -> bool:
        """Return whether none of the values was changed."""
        return self.lists == self.noted and not self.keys_changed(groups)

    def guarding(self, step: Step) -> Step:
        """Return a step that is not made if one of the values was changed."""
        return Unchanged(step, self) if self.lists or self.keys else step

    def keys_changed(self, groups: Sequence[Group]) -> bool:
        """Return whether a key was changed in a group; the number of groups must be the same."""
        same = bool(self.keys) and len(groups) == len(self.seen)
        return same and self._values(groups) != self.seen

    def _values(self, groups: Sequence[Group]) -> list[Any]:
        try:
            return list(map(self.read, groups))
        except KeyError:
            return [list(map(group.get, self.keys)) for group in groups]


class Unchanged(Step):
    """A step that is not made if a watched value was changed."""

    def __init__(self, step: Step, watched: Watched) -> None:
        self._put, self._lists, self._noted = step.put, watched.lists, watched.noted
        self._read, self._seen = watched.read if watched.keys else None, watched.seen

    def put(self, groups: Sequence[Group], before: int, index: int) -> bool:
        if self._lists != self._noted:
            return False
        if (read := self._read) is not None:
            try:
                if list(map(read, groups)) != self._seen:
                    return False
            except KeyError:
                return False
        return self._put(groups, before, index)
