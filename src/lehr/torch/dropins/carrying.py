"""Recursive rates: each is computed from the one before, as torch's classes do.

A drop-in assigns the values of its plan as long as nothing else has a say in them. What torch's
classes read at each step can change in between: an attribute of the scheduler, a rate that is
written by hand, a group that was added, a subclass with a ``get_lr`` of its own. From then on the
drop-in carries its rates: each step hands them to torch's own ``get_lr``, in a view of the groups,
and writes what comes back. A jump (``seek``, ``step(n)``, a loaded position) ends this.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, ClassVar

from torch.optim import Optimizer

from lehr.errors import ScheduleError, number
from lehr.torch.binding import LR, Group, Slot, check_optimizer, plain
from lehr.torch.copies import attributes_of, set_attributes
from lehr.torch.driver import Driver
from lehr.torch.groups import origins
from lehr.torch.lookahead import NOTHING
from lehr.torch.plan import Contribution
from lehr.torch.shared import Membership, Shared
from lehr.torch.writers import Mixed

__all__ = ["Carried", "Carrying", "Fixed", "View", "copied"]


@dataclass(frozen=True, slots=True)
class Carried:
    """The present numbers of a drop-in that goes on from them.

    Attributes:
        rates: One for each group.
        others: The values of other numbers that it drives, one for each group.
    """

    rates: tuple[float, ...]
    others: tuple[tuple[Slot, tuple[float | None, ...]], ...] = ()

    def at(self, index: int, rate: float) -> Carried:
        """Return it with another rate in a group."""
        return Carried((*self.rates[:index], rate, *self.rates[index + 1 :]), self.others)


class View:
    """An optimizer as ``get_lr`` sees it: its groups are copies that hold a drop-in's own rates."""

    def __init__(self, optimizer: Any, groups: list[Group]) -> None:
        self.param_groups = groups
        self._optimizer = optimizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._optimizer, name)


class Fixed:
    """A parameter that is given once: setting it again is refused."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, scheduler: Any, owner: type | None = None) -> Any:
        return self if scheduler is None else vars(scheduler)[self._name]

    def __set__(self, scheduler: Any, value: Any) -> None:
        if self._name in vars(scheduler):
            kind = type(scheduler).__name__
            raise ScheduleError(
                f"{self._name}={value!r} cannot be set on a {kind} that is built: build another "
                f"one with {self._name}={value!r} and last_epoch=scheduler.last_epoch"
            )
        vars(scheduler)[self._name] = value


def copied(value: Any) -> Any:
    """Return parameters with copies of the lists and dicts that people change in place."""
    if isinstance(value, tuple):
        return tuple(copied(item) for item in value)
    return copy(value) if isinstance(value, list | dict) else value


class Carrying(Driver):
    """A driver that can go on from its present rates by torch's rule."""

    _torch: ClassVar[Any] = None
    """Torch's class, whose ``get_lr`` is the rule."""

    _recursive: ClassVar[bool] = True
    """Whether the rule goes on from the rate that is there; others discard it."""

    _carries_changes: ClassVar[bool] = True
    """Whether a changed parameter holds from here on; otherwise the whole formula changes."""

    _watched: ClassVar[tuple[str, ...]] = ("base_lrs",)
    """The attributes that torch reads at each step."""

    _present: ClassVar[Any] = attrgetter("base_lrs", "optimizer")
    """Gives the values of these attributes."""

    __slots__ = (
        *("_apart", "_carried", "_from", "_seen"),
        *("_get_lr_called_within_step", "_is_initial"),
    )

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "_saved" in cls.__dict__ and "_watched" not in cls.__dict__:
            cls._watched = tuple(dict.fromkeys((*cls._watched, *cls.__dict__["_saved"])))
        if isinstance(cls._present, attrgetter) and len(cls._watched) > 1:
            cls._present = attrgetter(*cls._watched)

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        before = [dict(group) for group in optimizer.param_groups]
        try:
            super().__init__(optimizer, last_epoch)
        except BaseException:
            for group, entries in zip(optimizer.param_groups, before, strict=True):
                group.clear()
                group.update(entries)
            shared: Shared | None = getattr(self, "_shared", None)
            if shared is not None:
                shared.leave(self)
            raise

    def _start_at(self, last_epoch: int) -> None:
        super()._start_at(last_epoch)
        self._carried: Carried | None = None
        self._apart = False
        # The position before a move that is being made.
        self._from: float | None = None
        self._seen: Any = None
        # What torch's methods look at.
        self._is_initial, self._get_lr_called_within_step = False, True

    @property
    def _has_rule(self) -> bool:
        """Whether a subclass has a ``get_lr`` of its own, which is called at each step."""
        return not getattr(type(self).get_lr, "__module__", "").startswith("lehr.torch.")

    def _initial_step(self) -> None:
        if self._has_rule:
            self._carried = Carried(tuple(self._rates_in_groups()))
        self._is_initial = True
        try:
            super()._initial_step()
        finally:
            self._is_initial = False

    # ----- changed parameters -------------------------------------------------------------------

    def step(self, epoch: float | None = None) -> None:
        """Go to the next position and assign its values; call it after ``optimizer.step()``.

        Arguments:
            epoch: A position to go to instead, as torch's schedulers take it.
        """
        if self._present(self) != self._seen:
            self._on_parameters()
        super().step(epoch)

    def _replan(self) -> None:
        super()._replan()
        self._note_parameters()

    def _note_parameters(self) -> None:
        """Remember the parameters of the present plan."""
        self._seen = copied(self._present(self))

    def _on_parameters(self) -> None:
        """Follow parameters that were changed since the plan was resolved."""
        plan = self._resolve()
        if self._carries_changes:
            self._carry()
        self.plan = plan
        self.settle()
        self._note_parameters()

    # ----- carrying -----------------------------------------------------------------------------

    def _rates_in_groups(self) -> list[float]:
        return [plain(group.get("lr", math.nan)) for group in self.groups]

    def _own_rates(self) -> list[float]:
        """Return the rates that its plan gives at its position."""
        position = self.last_epoch + self._fraction
        found = [plain(group.get("lr", math.nan)) for group in self._known]
        if position >= 0 and not self.membership.silent:
            for slot, index, share in self.plan.contributions(position):
                if slot.place == LR.place:
                    found[index] = share.value
        return found

    def _others_at(self, position: float) -> tuple[tuple[Slot, tuple[float | None, ...]], ...]:
        """Return what its plan gives the other numbers at a position."""
        if position < 0:
            return ()
        found: dict[Any, tuple[Slot, list[float | None]]] = {
            slot.place: (slot, [None] * len(self._known)) for slot in self.plan.slots
        }
        for slot, index, share in self.plan.contributions(position):
            found[slot.place][1][index] = share.value
        return tuple(
            (slot, tuple(values)) for slot, values in found.values() if slot.place != LR.place
        )

    def _carry(self) -> Carried:
        """Go on from the present rates, from now on."""
        if self._carried is None:
            self._carried = Carried(tuple(self._own_rates()))
            self.settle()
        return self._carried

    def base_for(self, slot: Slot, group: Group, value: float) -> float | None:
        """Go on from a rate that was written by hand, where torch's does; it is never a base."""
        index = self._index(group)
        if slot.place == LR.place and index is not None and (self._recursive or self._has_rule):
            self._carried = self._carry().at(index, value)
        return None

    def _regroup(self, old: list[int | None]) -> None:
        if self._carried is not None or (None in old and self._recursive):
            carried = self._carry()
            self._carried = Carried(
                tuple(
                    plain(group.get("lr", math.nan)) if origin is None else carried.rates[origin]
                    for origin, group in zip(old, self.groups, strict=True)
                )
            )
        super()._regroup(old)

    def _recognize_groups(self) -> None:
        # What is known of the groups is kept while there are none.
        if self.groups:
            super()._recognize_groups()

    def read_bases(self) -> None:
        """Use the bases, and the rates to go on from, that a loaded optimizer brought."""
        super().read_bases()
        if self._carried is not None and len(self._attach().members) == 1:
            self._carried = Carried(tuple(self._rates_in_groups()))

    def _move(self, position: float) -> None:
        goes_on = position == self.last_epoch + 1 and not self._fraction
        if self._carried is not None and not goes_on and not self._has_rule:
            self._carried = None
            self._replan()
        before = self._position, self._uncounted, self._lag
        self._from = self._position
        try:
            super()._move(position)
        except BaseException:
            if self._carried is not None and self._from is not None:
                # Its rates are still those of the step before.
                self._position, self._uncounted, self._lag = before
            raise
        finally:
            self._from = None

    def write_alone(self) -> bool:
        """Write its values, and compute those of the next steps where they are known."""
        if self._carried is None:
            return super().write_alone()
        groups = self.groups
        if origins(self._known, groups) != list(range(len(self._known))):
            return False
        carried, shared = self._advanced(), self._attach()
        for slot, values in ((LR, carried.rates), *carried.others):
            shared.writer(slot, Mixed).write(groups, list(values))
        self.settle()
        return True

    def contributions(self) -> list[tuple[Slot, Group, Contribution]]:
        """Return its share in each number at its position."""
        if self._carried is None:
            return super().contributions()
        return list(self._shares(self._advanced()))

    def _shares(self, carried: Carried) -> Iterator[tuple[Slot, Group, Contribution]]:
        groups = self.groups
        present = dict(zip(origins(self._known, groups), groups, strict=True))
        for slot, values in ((LR, carried.rates), *carried.others):
            for index, value in enumerate(values):
                if value is None or index not in present:
                    continue
                base = plain(self.base_lrs[index]) if slot is LR else 1.0
                ratio = value / base if base else 1.0
                yield slot, present[index], Contribution(value, ratio, self.is_absolute)

    def _advanced(self) -> Carried:
        """Return the present numbers, having made the step that is due."""
        carried = self._carry()
        if self._from is None or self._from == self._position:
            return carried
        view = [
            {**group, "lr": rate} for group, rate in zip(self._known, carried.rates, strict=True)
        ]
        rates = self._next_rates(view)
        self._carried = Carried(
            tuple(rates),
            tuple(
                (slot, tuple(plain(slot.read(g)) if slot.exists_in(g) else None for g in view))
                for slot in self.plan.slots
                if slot.place != LR.place
            ),
        )
        self._from = None
        return self._carried

    def _next_rates(self, view: list[Group]) -> list[float]:
        """Return the rates at the present position, from those before it.

        Arguments:
            view: Copies of the groups, with the rates before; other numbers are written there.
        """
        optimizer, uncounted = self.optimizer, self._uncounted
        self.optimizer, self._uncounted = View(optimizer, view), 1
        try:
            values = list(self.get_lr())
        finally:
            self.optimizer, self._uncounted = optimizer, uncounted
        if len(values) != len(view):
            raise ScheduleError(
                f"{type(self).__name__}.get_lr() must return one rate for each of the "
                f"{len(view)} groups; it returned {len(values)}"
            )
        return [number("get_lr()", plain(value)) for value in values]

    def _begin(self, view: list[Group]) -> list[float]:
        """Return the rates at its position 0, as the child of a container whose turn has come."""
        self._carried = None
        self._replan()
        if self._has_rule and not hasattr(self._torch, "_get_closed_form_lr"):
            return self._next_rates(view)
        shares = {(slot.place, i): (slot, v) for slot, i, v in self.plan.contributions(0)}
        for (place, index), (slot, share) in shares.items():
            if place != LR.place:
                slot.write(view[index], share.value)
        return [shares[LR.place, index][1].value for index in range(len(view))]

    def get_lr(self) -> list[Any]:
        """Return the rate of each group at the present position.

        A subclass may override it: it is called once at each step, as torch calls it, and
        ``super().get_lr()`` in it is torch's rule.
        """
        if not isinstance(self.optimizer, View):
            return self.get_last_lr()
        if self._torch is None:
            return self._own_rates()
        return self._torch.get_lr(self)

    # ----- copies -------------------------------------------------------------------------------

    def __copy__(self) -> Any:
        """Return a scheduler that writes into the same optimizer beside this one, as torch's does.

        This one meets the rates that the copy has written as if they were written by hand.
        """
        twin = type(self).__new__(type(self))
        set_attributes(twin, attributes_of(self))
        twin._known, twin._observer = list(self._known), copy(self._observer)
        twin._ahead, twin._owner = NOTHING, None
        twin.membership = Membership(silent=False)
        twin._apart, twin._shared = True, self._attach().beside()
        twin._shared.join(twin)
        if self._recursive or self._has_rule:
            twin._carried = Carried(tuple(self._rates_in_groups()))
        return twin

    def _attach(self) -> Shared:
        if self._apart and self._shared is not None:
            return self._shared
        return super()._attach()

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: all but the values, which are computed again."""
        return {**super().__getstate__(), "_apart": False}
