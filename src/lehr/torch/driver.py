"""Driving optimizers: what the scheduler and the drop-ins have in common.

A driver has a plan and a position. At each step it *assigns*

    value of group g = offset_g + gain_g * schedule(position)

and never multiplies into the current value; so the order in which an optimizer and its scheduler
are built and loaded makes no difference, and any position can be sought. Values are computed
thousands of steps ahead, so that a step costs little more than the assignment. Several drivers can
share one optimizer (:mod:`lehr.torch.shared`).

A group's base is what it was given: for the rate, its ``"initial_lr"``, which an optimizer saves;
for other numbers, the first value that a scheduler found, which the shared object keeps. A driver
repeats the bases that it uses, in ``base_lrs`` and in the bindings of its plan, because a loaded
optimizer may lack them; ``rebase`` and ``use_loaded_bases`` bring them up to date.

A step first computes, then writes. If Ctrl-C interrupts it, at any line, the next step writes all
values of its own position.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, Final

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import EPOCH_DEPRECATION_WARNING, LRScheduler

from lehr.errors import PastEnd, ScheduleError
from lehr.torch.binding import LR, Group, Slot, flag, plain, python_number, warn
from lehr.torch.checkpoint import (
    attributes_of,
    groups_restored_on_error,
    kept,
    restored_on_error,
    set_attributes,
)
from lehr.torch.groups import KnownGroups, given_rates
from lehr.torch.guards import Guards
from lehr.torch.lookahead import GROWTH, LONG, SHORT, Lookahead, look_ahead
from lehr.torch.optimizers import Optimizers
from lehr.torch.plan import Contribution, DrivePlan
from lehr.torch.shared import Membership, Shared, shared_of
from lehr.torch.updates import JointUpdates, Updates, counter_of

# Attributes that pickling leaves out; they are found again.
_LINKED: Final = ("_shared", "_counter", "_owner", "_stepped")


class Driver(LRScheduler):
    """A torch scheduler that assigns the values of schedules.

    Subclasses provide the plan in :meth:`_resolve`, which is called at the start and whenever their
    parameters change.

    Attributes:
        plan: The numbers that are driven, as a frozen value.
        membership: This scheduler's standing among the schedulers of the optimizer.
    """

    keeps_loaded_values = False
    """Whether the values from a loaded optimizer are kept until the next step."""

    _deprecates_epoch = False
    """Whether ``step(epoch)`` warns, as torch's own schedulers do."""

    # In slots, to stay out of ``vars(scheduler)``, which users print and compare.
    __slots__ = (
        *("_optimizers", "_source", "_known", "_count_offset", "_ahead", "_size"),
        *("_guards", "_shared", "_apart", "_counter", "_owner", "_stepped", "_replaces"),
        *("plan", "membership"),
    )

    # torch's constructor is not called: it would wrap the optimizer's step, which slows it and
    # fails on a compiled one.
    def __init__(
        self,
        optimizer: Optimizer | Sequence[Optimizer],
        last_epoch: int = -1,
        *,
        any_optimizer: bool = False,
    ) -> None:
        given = list(optimizer) if isinstance(optimizer, list | tuple) else [optimizer]
        self._use(given, any_optimizer)
        self._start_at(last_epoch)
        try:
            with groups_restored_on_error(self.groups):
                shared_of(self._optimizers).prepare_bases()
                self._known = KnownGroups(self.groups)
                self._keep_bases(given_rates(self.groups, last_epoch))
                self._initial_step()
        except BaseException:
            shared_of(self._optimizers).leave(self)
            raise

    def _use(self, given: list[Any], any_optimizer: bool) -> None:
        self._optimizers = Optimizers(given, flag("any_optimizer", any_optimizer))
        # Kept here as well for the fast step.
        self._source = self._optimizers.source

    @property
    def optimizer(self) -> Any:
        """The optimizer that it was built with; the first if there are several."""
        return self._optimizers.given[0]

    @optimizer.setter
    def optimizer(self, optimizer: Any) -> None:
        self._use_wrapper(optimizer)

    def _use_wrapper(self, optimizer: Any) -> None:
        """Drive the optimizer inside a wrapper that a trainer has put in its place."""
        self._use([optimizer, *self._optimizers.given[1:]], any_optimizer=True)

    def _start_at(self, last_epoch: int) -> None:
        """Set everything but the parameters as in a scheduler that has not moved yet."""
        self._ahead = Lookahead(last_epoch)
        self._count_offset: float = 0
        self._size = SHORT
        self.plan = DrivePlan()
        self.membership = Membership()
        if not hasattr(self, "_guards"):
            self._guards = Guards("off")
        self._shared: Shared | None = None
        self._apart = False
        self._counter: Updates | JointUpdates | None = None
        self._owner: weakref.ref[Driver] | None = None
        self._stepped: Any = None
        self._replaces = last_epoch >= 0

    @property
    def groups(self) -> list[Group]:
        """The groups that it drives: those of its optimizer, or of all its optimizers in turn."""
        return self._source.param_groups

    def _attach(self) -> Shared:
        """Join the schedulers of the optimizer, and return the object that they share."""
        if self._apart and self._shared is not None:
            return self._shared
        shared = shared_of(self._optimizers)
        if self._shared is not shared:
            self._shared = shared
            if self._replaces:
                # It continues another scheduler's run, so their factors do not multiply.
                shared.clear()
                self._replaces = False
            if self._owner is None or self._owner() is None:
                shared.join(self)
        return shared

    @property
    def _updates(self) -> Updates | JointUpdates | None:
        """The counter of its optimizers' updates; None where they cannot be counted."""
        self._counter = counter_of(self._attach().counted, self._counter)
        return self._counter

    # ----- the plan -----------------------------------------------------------------------------

    def _resolve(self) -> DrivePlan:
        """Return the plan for the current parameters, bases and groups."""
        raise NotImplementedError

    def _replan(self) -> None:
        """Resolve the plan again, and forget the values computed from the old one."""
        self.plan = self._resolve()
        self.settle()

    def _last_position(self) -> float:
        """Return the last position that has values; drop-ins with an end override it."""
        return self.plan.limit

    def _check_loaded(self, position: float) -> None:
        """Raise ScheduleError, with the key of the state, unless a position has values."""
        try:
            self._check_position(position)
        except ScheduleError as error:
            raise type(error)(f"last_epoch={math.floor(position)}: {error}") from None

    def _check_position(self, position: float) -> None:
        """Raise ScheduleError unless a position has values."""
        if not 0 <= position < 2**53:
            raise ScheduleError(f"position {position!r} must be a finite number of at least 0")
        if position > self._last_position():
            raise PastEnd(
                f"position {position!r} is after the run's {self._last_position():g} steps"
            )

    # ----- the position -------------------------------------------------------------------------

    @property
    def last_epoch(self) -> int:
        """The number of updates made, as torch calls it."""
        owner = self._owned_by()
        if owner is not None:
            return owner._local(self, owner.last_epoch)
        return math.floor(self._position)

    @last_epoch.setter
    def last_epoch(self, position: int) -> None:
        before, there = self.last_epoch, self._read_position(position)
        if not abs(there) < 2**53:
            raise ScheduleError(f"last_epoch={there!r} must be a finite number")
        self._set_position(there)
        if there == before - 1:
            self._undo()

    @property
    def _position(self) -> float:
        """The number of updates made; between two steps, a real number."""
        return self._ahead.position

    @property
    def _fraction(self) -> float:
        """The fractional part of the position."""
        return self._position - math.floor(self._position)

    @property
    def _step_count(self) -> int:
        return self.last_epoch + int(self._count_offset)

    @_step_count.setter
    def _step_count(self, count: int) -> None:
        self._count_offset = count - self.last_epoch

    @property
    def _last_lr(self) -> list[float | Tensor]:
        # torch's containers read it from their children.
        return self.get_last_lr()

    def _set_position(self, position: float) -> None:
        """Set the position only; the step count does not change."""
        position = int(position) if position == math.floor(position) else position
        moved = math.floor(position) - math.floor(self._position)
        self._ahead, self._count_offset = self._ahead.emptied(position), self._count_offset - moved

    def _initial_step(self) -> None:
        self._replan()
        self._step_count = 0
        self._move(self.last_epoch + 1)
        self._step_count = 1
        # The first step must check that an update came before it.
        self.settle()

    def step(self, epoch: float | None = None) -> None:
        """Go to the next position and assign its values; call it after ``optimizer.step()``.

        Arguments:
            epoch: A position to go to instead, as in torch's schedulers.
        """
        ahead = self._ahead
        cursor = ahead.cursor
        before = cursor.at
        index = before + 1
        try:
            if (
                epoch is None
                and index < ahead.size
                and ((updates := ahead.updates) is None or updates.count == ahead.expected + index)
                and ahead.step.put(self._source.param_groups, before, index)
            ):
                cursor.at = index
                return
        except BaseException:
            ahead.interrupt()
            raise
        self._step_slowly(epoch)

    def _step_slowly(self, epoch: float | None) -> None:
        self._check_free()
        if epoch is not None and self._deprecates_epoch:
            warn(EPOCH_DEPRECATION_WARNING)
        if epoch is None and self._step_count == 1:
            self._check_order()
        count = self._step_count + 1
        self._update_lr(epoch)
        self._step_count = count

    def seek(self, position: float | str) -> None:
        """Go to a position and assign its values, at once and from anywhere.

        Arguments:
            position: How many updates came before, at least 0; a fraction lies between two updates.
                For a :class:`~lehr.torch.Scheduler` also a string in the units of its run, such as
                ``"64ksa"`` or ``"50%"``.

        Raises:
            ScheduleError: If it is negative, not finite, or not a position of this run. Nothing
                changes then.
        """
        self._update_lr(self._read_position(position))

    def _update_lr(self, epoch: float | None = None) -> None:
        position = self.last_epoch + 1 if epoch is None else self._read_position(epoch)
        self._check_position(position)
        self._move(position)

    def _read_position(self, given: Any) -> float:
        """Return a position as a Python number.

        Raises:
            ScheduleError: If it is not a real number.
        """
        try:
            value = given.item() if isinstance(given, Tensor) else python_number(given)
            if not isinstance(value, str | bytes | bool):
                return float(value)
        except (TypeError, ValueError, ArithmeticError, RuntimeError):
            pass  # refused below, like a string
        raise ScheduleError(f"position {given!r} must be a finite number of at least 0")

    def _move(self, position: float) -> None:
        """Go to a position and have its values written; the step count does not change."""
        self._check_free()
        shared = self._attach()
        changes = shared.notice()
        self._guards.on_changes(changes, self._position)
        self._recognize_groups()
        self._guards.on_move(self._position, position)
        # Another seek or change by hand may follow soon, so less is computed ahead.
        ends_here = self._ahead.cursor.at + 1 == self._ahead.size
        went_on = position == self.last_epoch + 1 and ends_here and self.membership.turn > 0
        before = self._position, self._count_offset, copy(self.membership)
        shared.moved(self)
        self._size = min(GROWTH * self._size, LONG) if went_on and not changes else SHORT
        self._set_position(position)
        self.membership.silent = False
        try:
            shared.write()
        except Exception:
            self._ahead = self._ahead.emptied(before[0])
            _, self._count_offset, self.membership = before
            raise

    def settle(self) -> None:
        """Drop the values that were computed ahead; the next step computes them again."""
        self._ahead = self._ahead.emptied(self._position)
        if (owner := self._owned_by()) is not None:
            owner.settle()

    def _resume(self, position: float, step_count: int) -> None:
        """Restore a saved position and write its values.

        At -1, the position of a child whose turn has not come, nothing is written.
        """
        if (owner := self._owned_by()) is not None:
            owner._on_child_change()
            return
        # The current values belong to another position; they are not changes by hand.
        self._attach().forget()
        self.settle()
        if position < 0:
            self._set_position(-1)
            self.membership.silent = True
        else:
            self._move(position)
        self._step_count = step_count

    def _undo(self) -> None:
        """Contribute nothing until the next move: a torch container undoes the first step."""
        owner = self._owned_by()
        if owner is not None:
            owner._undo()
            return
        self.membership.silent = True
        self._attach().undone(self)

    def _check_order(self) -> None:
        """Warn if the scheduler moves before the optimizer."""

    # ----- containers ---------------------------------------------------------------------------

    def _owned_by(self) -> Any:
        """Return the container that it is part of and that drives in its place, or None."""
        owner = getattr(self, "_owner", None)
        return None if owner is None else owner()

    def _check_free(self) -> None:
        """Raise ScheduleError if it is moved by a container."""
        owner = self._owned_by()
        if owner is not None:
            raise ScheduleError(
                f"this {type(self).__name__} is a part of a {type(owner).__name__}: step that one"
            )

    # ----- its groups ---------------------------------------------------------------------------

    def get_last_lr(self) -> list[Any]:
        """Return the current rate of each group."""
        return [python_number(group.get("lr", math.nan)) for group in self.groups]

    def get_lr(self) -> list[Any]:
        """Return the rate of each group at the current position, even before it is written.

        Frameworks that write the rates themselves set ``last_epoch`` and call this.
        """
        rates = self.get_last_lr()
        for slot, group, share in self.contributions() if self._position >= 0 else ():
            if slot.place == LR.place:
                index = next(i for i, each in enumerate(self.groups) if each is group)
                rate = rates[index]
                rates[index] = rate.fill_(share.value) if isinstance(rate, Tensor) else share.value
        return rates

    def logged(self) -> dict[str, float]:
        """Return the driven numbers, by name, for a logger.

        The names are those of the driven numbers, such as ``"lr"`` and ``"momentum"``; with several
        groups, ``"lr/0"`` or, where a group has a ``"name"``, ``"lr/head"``.

        Example:
            >>> import lehr, torch
            >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9)
            >>> from lehr.torch import Scheduler
            >>> Scheduler(optimizer, lehr.linear(10), momentum=lehr.constant(0.5)).logged()
            {'lr': 0.1, 'momentum': 0.5}
        """
        groups = self.groups
        return self.plan.numbers(self._known.present(groups), alone=len(groups) == 1)

    def _recognize_groups(self) -> None:
        """Follow groups that were added, removed or reordered since the last call.

        Raises:
            ScheduleError: If an added group cannot be driven. Nothing changes then.
        """
        groups = self.groups
        if not self._known.are(groups):
            with restored_on_error(self):
                self._regroup(self._known.origins(groups))
                self._known = KnownGroups(groups)
                self._replan()
        self._known = KnownGroups(groups)

    def _regroup(self, old: list[int | None]) -> None:
        """Reorder what is kept for each group.

        Arguments:
            old: For each group its index in the old order, or None if it was added.
        """
        pairs = zip(old, self.groups, strict=True)
        self._keep_bases(
            [_base_of_added(each) if i is None else self.base_lrs[i] for i, each in pairs]
        )

    def _keep_bases(self, bases: list[Any]) -> None:
        """Remember the rate that each group was given."""
        self.base_lrs = bases

    # ----- other schedulers of the optimizer ----------------------------------------------------

    @property
    def is_absolute(self) -> bool:
        """Whether its values are independent of the groups' bases."""
        return self.plan.is_absolute

    def contributions(self) -> list[tuple[Slot, Group, Contribution]]:
        """Return its contribution to each number at its position."""
        present = self._known.present(self.groups)
        shares = self.plan.contributions(self._position)
        return [(slot, present[index], share) for slot, index, share in shares if index in present]

    def base_for(self, slot: Slot, group: Group, value: float) -> float | None:
        """Return the base from which its schedule would have reached a value, or None."""
        index = self._known.index_of(group)
        driven = None if index is None else self.plan.of_slot(slot, index)
        if driven is None or index is None or self._position < 0:
            return None
        return driven.base_for(index, value, driven.levels.at(self._position))

    def rebase(self, slot: Slot, group: Group, base: float) -> None:
        """Use a new base for a number of a group."""
        index = self._known.index_of(group)
        if index is not None:
            self._set_base(slot, index, base)
            self._replan()

    carries = False
    """Whether it goes on from numbers of its own, rather than from the bases."""

    def scale_carried(self, group: Group, ratio: float) -> None:
        """Multiply the rate that it goes on from, if it has one that depends on the base."""

    def use_loaded_bases(self) -> None:
        """Use the bases of a loaded optimizer, and write any that it lacks."""
        present = self._known.present(self.groups)
        self._known = self._known.renewed(self.groups)
        for index, group in present.items():
            if "lr" in group:
                base = group.setdefault("initial_lr", self.base_lrs[index])
                if self._follows_bases():
                    self._set_base(LR, index, plain(base))
        self._replan()

    def _set_base(self, slot: Slot, index: int, base: float) -> None:
        if slot.place == LR.place:
            self.base_lrs[index] = base

    def _follows_bases(self) -> bool:
        """Return whether the bases of a loaded optimizer replace its own."""
        return True

    def write_alone(self) -> bool:
        """Write its values, and compute those of the next steps.

        Returns:
            Whether that could be done: between two steps, or if the groups are no longer the same,
            it is left to the shared object.

        Raises:
            ScheduleError: If the value at the position is not finite.
        """
        if self._fraction or not self._known.are(self.groups):
            return False
        self._ahead = look_ahead(
            self.plan,
            self._ahead.emptied(self._position),
            self.groups,
            self._attach(),
            self._guards,
            size=self._size,
            last=self._guards.block_end(self.last_epoch, self._last_position()),
        )
        return True

    # ----- copies -------------------------------------------------------------------------------

    def snapshot(self) -> Callable[[], None]:
        """Return a function that restores all attributes to their current values."""
        attributes = {
            **attributes_of(self),
            **{name: kept(value) for name, value in vars(self).items()},
            "_ahead": self._ahead.emptied(self._position),
            "_guards": copy(self._guards),
            "membership": copy(self.membership),
        }
        restore_shared = shared_of(self._optimizers).snapshot()

        def restore() -> None:
            set_attributes(self, attributes)
            restore_shared()

        return restore

    def __copy__(self) -> Any:
        """Return a scheduler that writes into the same optimizer alongside this one, as in torch.

        The original treats rates that the copy writes as if they were written by hand.
        """
        kind: Any = type(self)
        twin = kind.__new__(kind)
        set_attributes(twin, attributes_of(self))
        twin._guards = copy(self._guards)
        twin._ahead, twin._owner = self._ahead.emptied(self._position), None
        twin._counter, twin.membership = None, Membership(silent=False)
        twin._apart, twin._shared = True, self._attach().beside()
        twin._shared.join(twin)
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes to pickle: all but those that are computed or found again."""
        self._attach().notice()
        found_again = {"_apart": False, "_ahead": Lookahead(self._position)}
        return {**attributes_of(self), **dict.fromkeys(_LINKED), **found_again}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the pickled attributes, and treat the current values as written by it."""
        set_attributes(self, state)
        self._attach().hold(self.plan.slots)


def _base_of_added(group: Group) -> Any:
    if "lr" not in group:
        return math.nan
    return group.setdefault("initial_lr", plain(group["lr"]))
