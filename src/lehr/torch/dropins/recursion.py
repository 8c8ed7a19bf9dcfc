"""Torch's rule: each rate is computed from the one before.

A drop-in assigns the values of its plan until something else decides about them as well: torch's
classes read more at each step, and that can change in between. It may be an attribute of the
scheduler, a rate that is written by hand, an added group, a subclass with a ``get_lr`` of its own.
From then on the drop-in carries its numbers: each step passes them to torch's own ``get_lr``, in a
view of the groups, and writes its result. A jump (``seek``, ``step(n)``, a loaded position) ends
this.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

from lehr.errors import ScheduleError, number
from lehr.torch import membership
from lehr.torch.binding import LR, Group, Slot, plain
from lehr.torch.groups import origins
from lehr.torch.plan import Contribution, DrivePlan
from lehr.torch.tensor_writers import Mixed
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
    """The present numbers of a drop-in that goes on from them.

    Attributes:
        rates: One for each group.
        others: The values of other numbers that it drives, one for each group; None for a group
            that lacks the number.
    """

    rates: tuple[float, ...]
    others: tuple[tuple[Slot, tuple[float | None, ...]], ...] = ()

    @classmethod
    def of_plan(cls, plan: DrivePlan, position: float, groups: Sequence[Group]) -> Carried:
        """Return a plan's numbers at a position; the current rate where it has none."""
        found: dict[Any, tuple[Slot, list[float | None]]] = {
            slot.place: (slot, [None] * len(groups)) for slot in plan.slots
        }
        found[LR.place] = LR, [*rates_in(groups)]
        for slot, index, share in plan.contributions(position):
            found[slot.place][1][index] = share.value
        rates = tuple(rate for rate in found.pop(LR.place)[1] if rate is not None)
        return cls(rates, tuple((slot, tuple(values)) for slot, values in found.values()))

    def at(self, index: int, rate: float) -> Carried:
        """Return it with another rate in a group."""
        return replace(self, rates=(*self.rates[:index], rate, *self.rates[index + 1 :]))

    def regrouped(self, old: Sequence[int | None], groups: Sequence[Group]) -> Carried:
        """Return it for other groups: each with its index among the old ones, or None if new."""
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
        seen: These, group by group.
    """

    lists: Sequence[Any] = ()
    noted: Sequence[Any] = ()
    keys: Sequence[str] = ()
    read: Callable[[Group], Any] = len
    seen: Sequence[Any] = ()

    @classmethod
    def now(cls, lists: list[Any], keys: Sequence[str], groups: Sequence[Group]) -> Watched:
        """Return it with the present values."""
        watched = cls(lists, [copy(each) for each in lists], keys)
        if not keys:
            return watched
        watched = replace(watched, read=itemgetter(*keys))
        return replace(watched, seen=watched._values(groups))

    def unchanged(self, groups: Sequence[Group]) -> bool:
        """Return whether none of it was changed."""
        return self.lists == self.noted and not self.keys_changed(groups)

    def guarding(self, step: Step) -> Step:
        """Return a step that is left undone if one of the values was changed."""
        return Unchanged(step, self) if self.lists or self.keys else step

    def keys_changed(self, groups: Sequence[Group]) -> bool:
        """Return whether one of the keys was changed in one of the groups, which are as many."""
        same = bool(self.keys) and len(groups) == len(self.seen)
        return same and self._values(groups) != self.seen

    def _values(self, groups: Sequence[Group]) -> list[Any]:
        try:
            return list(map(self.read, groups))
        except KeyError:
            return [list(map(group.get, self.keys)) for group in groups]


class Unchanged(Step):
    """A step that is left undone if a watched value was changed."""

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


# ----- as a drop-in follows the rule: its methods ------------------------------------------------


def advanced(drop_in: Any) -> Carried:
    """Return the present numbers, having made the step that is due."""
    carried = drop_in._carry()
    if drop_in._from is None or drop_in._from == drop_in._position:
        return carried
    view = [{**g, "lr": rate} for g, rate in zip(drop_in._known, carried.rates, strict=True)]
    rates = drop_in._next_rates(view)
    others = [slot for slot in drop_in.plan.slots if slot.place != LR.place]
    drop_in._carried = Carried(
        tuple(rates),
        tuple(
            (slot, tuple(plain(slot.read(g)) if slot.exists_in(g) else None for g in view))
            for slot in others
        ),
    )
    drop_in._from = None
    return drop_in._carried


def next_rates(drop_in: Any, view: list[Group]) -> list[float]:
    """Return the rates at the present position, from those before it in a view of the groups.

    Other numbers are written into the view.
    """
    optimizer, uncounted = drop_in.optimizer, drop_in._uncounted
    drop_in.optimizer, drop_in._uncounted = View(optimizer, view), 1
    try:
        values = list(drop_in.get_lr())
    finally:
        drop_in.optimizer, drop_in._uncounted = optimizer, uncounted
    if len(values) != len(view):
        raise ScheduleError(
            f"{type(drop_in).__name__}.get_lr() must return one rate for each of the "
            f"{len(view)} groups; it returned {len(values)}"
        )
    return [number("get_lr()", plain(value)) for value in values]


def write_carried(drop_in: Any) -> bool:
    """Write the numbers that it carries; return False where its groups are others now."""
    groups = drop_in.groups
    if origins(drop_in._known, groups) != list(range(len(drop_in._known))):
        return False
    carried, shared = drop_in._advanced(), drop_in._attach()
    for slot, values in carried.numbers:
        shared.writer(slot, Mixed).write(groups, list(values))
    drop_in.settle()
    return True


def begin(drop_in: Any, view: list[Group]) -> list[float]:
    """Return the rates at its position 0, as the child of a container whose turn has come."""
    drop_in._carried = None
    drop_in._replan()
    if drop_in._has_rule and not hasattr(drop_in._torch, "_get_closed_form_lr"):
        return drop_in._next_rates(view)
    first = Carried.of_plan(drop_in.plan, 0, view)
    for slot, values in first.others:
        for group, value in zip(view, values, strict=True):
            if value is not None:
                slot.write(group, value)
    return list(first.rates)


def contributions(drop_in: Any) -> list[tuple[Slot, Group, Contribution]]:
    """Return its share in each number at its position."""
    if drop_in._carried is None:
        return membership.contributions(drop_in)
    groups, carried = drop_in.groups, drop_in._advanced()
    present = dict(zip(origins(drop_in._known, groups), groups, strict=True))
    found: list[tuple[Slot, Group, Contribution]] = []
    for slot, values in carried.numbers:
        for index, value in enumerate(values):
            if value is not None and index in present:
                base = plain(drop_in.base_lrs[index]) if slot is LR else 1.0
                share = Contribution(value, value / base if base else 1.0, drop_in.is_absolute)
                found.append((slot, present[index], share))
    return found
