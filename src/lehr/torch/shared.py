"""Schedulers that share an optimizer: their factors multiply.

A number of a group is its base, or the value of the scheduler that is independent of the base if
there is one, times the ratios of all others:

    value = base * ratio_1 * ratio_2 * ...

When any scheduler moves, the shared object writes the product. A scheduler that is alone on its
optimizer writes directly, with the same writers.

torch's own ``SequentialLR`` builds its children first, then undoes their first step (``last_epoch
-= 1``). Schedulers that are undone together form a family, in which only the one that moved last
contributes.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer

from lehr.torch.binding import LR, Group, Slot, SlotKey, plain
from lehr.torch.groups import KnownGroups
from lehr.torch.plan import Contribution, combine
from lehr.torch.tensor_writers import Mixed
from lehr.torch.updates import Updates
from lehr.torch.writers import SlotWriter

# By identity, with a weak reference: an optimizer that defines __eq__ cannot be hashed.
_SHARED: dict[int, tuple[weakref.ref[Any], Shared]] = {}

Change = tuple[Slot, Group, float]
"""A slot, a group, and the value that user code wrote there."""

Shares = list[tuple[Any, Contribution]]
"""The schedulers that drive one number of one group, with their contributions."""

SharesBySlot = dict[SlotKey, tuple[Slot, dict[int, Shares]]]
"""For each slot, the shares in each group, by the group's identity."""


class Family:
    """A set of schedulers in which only the one that moved last contributes."""

    last: int = 0


@dataclass
class Membership:
    """A scheduler's standing among those of its optimizer.

    Attributes:
        silent: Whether it contributes nothing until its next move.
        turn: The number of its last move, counted over all schedulers.
        family: The family that it belongs to.
    """

    silent: bool = True
    turn: int = 0
    family: Family | None = None


def shared_of(optimizers: Sequence[Any]) -> Shared:
    """Return the object that these optimizers share, merging or making it as needed.

    Optimizers driven by one scheduler share one object.
    """
    known = [shared for optimizer in optimizers if (shared := _find(optimizer)) is not None]
    shared = known[0] if known else Shared()
    for other in known[1:]:
        if other is not shared:
            shared.absorb(other)
    for optimizer in optimizers:
        shared.include(optimizer)
        _register(optimizer, shared)
    return shared


def _find(optimizer: Any) -> Shared | None:
    found = _SHARED.get(id(optimizer))
    return None if found is None or found[0]() is not optimizer else found[1]


def _register(optimizer: Any, shared: Shared) -> None:
    key = id(optimizer)
    if _find(optimizer) is not None:
        _SHARED[key] = _SHARED[key][0], shared
        return

    def drop(dead: weakref.ref[Any]) -> None:
        if key in _SHARED and _SHARED[key][0] is dead:
            del _SHARED[key]

    _SHARED[key] = weakref.ref(optimizer, drop), shared


class Shared:
    """The schedulers of an optimizer, the writers that they write with, and the groups' bases."""

    def __init__(self) -> None:
        self._optimizers: list[weakref.ref[Any]] = []
        self._members: list[weakref.ref[Any]] = []
        self.writers: dict[SlotKey, SlotWriter] = {}
        self._known = KnownGroups()
        self._bases: dict[SlotKey, dict[int, float]] = {}
        self._forming: Family | None = None
        self._moves = 0
        self.counted: list[Updates] = []

    def include(self, optimizer: Any) -> None:
        """Add an optimizer unless it is already included."""
        if any(ref() is optimizer for ref in self._optimizers):
            return
        self._optimizers.append(weakref.ref(optimizer))
        # Optimizer wrappers may lack attributes that torch's own constructor makes.
        if hasattr(optimizer, "_optimizer_step_post_hooks"):
            updates = Updates()
            optimizer.register_step_post_hook(updates)
            self.counted.append(updates)
            optimizer.register_load_state_dict_post_hook(_after_load)
            optimizer.register_state_dict_pre_hook(_before_save)

    def absorb(self, other: Shared) -> None:
        """Take over the optimizers and schedulers of another shared object."""
        self._recognize()
        known = len(self._known)
        self._known = KnownGroups((*self._known, *other._recognize()))
        for place, bases in other._bases.items():
            mine = self._bases.setdefault(place, {})
            mine.update({known + index: base for index, base in bases.items()})
        self.counted += other.counted
        for ref in other._optimizers:
            optimizer = ref()
            if optimizer is not None:
                self._optimizers.append(ref)
                _register(optimizer, self)
        # It is this object that writes again when one of them is deleted.
        for member in other.members:
            self.join(member)
        self.settle()

    @property
    def groups(self) -> list[Group]:
        """The optimizers' groups; never stored, since loading an optimizer makes new ones."""
        optimizers = [optimizer for ref in self._optimizers if (optimizer := ref()) is not None]
        if len(optimizers) == 1:
            return optimizers[0].param_groups
        return [group for optimizer in optimizers for group in optimizer.param_groups]

    @property
    def members(self) -> list[Any]:
        """The schedulers that are alive, in the order in which they were built."""
        return [member for ref in self._members if (member := ref()) is not None]

    # ----- members ------------------------------------------------------------------------------

    def join(self, member: Any) -> None:
        """Add a scheduler."""
        if all(other is not member for other in self.members):
            self._members.append(weakref.ref(member, self._lost))
        self.settle()

    def beside(self) -> Shared:
        """Return an empty object for the same optimizers; this one treats its writes as changes."""
        other = Shared()
        other._optimizers, other.counted = list(self._optimizers), list(self.counted)
        return other

    def leave(self, member: Any) -> None:
        """Remove a scheduler that has been replaced or is now part of another one."""
        self._members = [ref for ref in self._members if ref() is not member]

    def clear(self) -> None:
        """Detach all schedulers; the next one replaces them."""
        self._members = []

    def _lost(self, dead: weakref.ref[Any]) -> None:
        """Write again without a deleted scheduler, as after a notebook cell is rerun."""
        self._members = [ref for ref in self._members if ref is not dead]
        if self._members and any(ref() is not None for ref in self._optimizers):
            self.notice()
            self.write()

    def undone(self, member: Any) -> None:
        """Silence a scheduler whose step a torch container has undone."""
        if self._forming is None:
            self._forming = Family()
        member.membership.family = self._forming
        # The container has written the old rates by itself.
        self.forget()

    def moved(self, member: Any) -> None:
        """Note that a scheduler has moved: it is the most recent one now."""
        self._forming = None
        self._moves += 1
        member.membership.turn = self._moves
        if member.membership.family is not None:
            member.membership.family.last = id(member)

    def _contributing(self) -> Iterator[Any]:
        for member in self.members:
            family = member.membership.family
            if not member.membership.silent and (family is None or family.last == id(member)):
                yield member

    # ----- writing ------------------------------------------------------------------------------

    def writer(self, slot: Slot, kind: type[SlotWriter]) -> SlotWriter:
        """Return the writer of a slot; make a new one if it has another kind."""
        writer = self.writers.get(slot.place)
        if writer is None or type(writer) is not kind:
            writer = self.writers[slot.place] = kind(slot)
        return writer

    def write(self) -> None:
        """Write the joint values of all schedulers at their current positions."""
        members = self.members
        if len(members) == 1 and not members[0].membership.silent and members[0].write_alone():
            return
        groups, all_shares = self.groups, self._shares()
        self.settle()
        for slot, by_group in all_shares.values():
            shares = [by_group.get(id(group), []) for group in groups]
            values = [combine([share for _, share in each]) if each else None for each in shares]
            self.writer(slot, Mixed).write(groups, values)

    def _shares(self) -> SharesBySlot:
        """Return, for each slot and group, the schedulers and their contributions."""
        found: SharesBySlot = {}
        # Absolute ones in the order of their moves: the most recent one wins.
        order = sorted(
            self._contributing(), key=lambda m: m.membership.turn if m.is_absolute else 0
        )
        for member in order:
            for slot, group, contribution in member.contributions():
                _, by_group = found.setdefault(slot.place, (slot, {}))
                by_group.setdefault(id(group), []).append((member, contribution))
        return found

    def forget(self) -> None:
        """Treat the current values of all groups as written by the schedulers."""
        for writer in self.writers.values():
            writer.forget()
        self.settle()

    def settle(self) -> None:
        """Have all schedulers compute their values again at the next step."""
        for member in self.members:
            member.settle()

    def hold(self, slots: Iterable[Slot]) -> None:
        """Treat the current values as written by the schedulers, and later writes as changes."""
        for slot in slots:
            self.writer(slot, Mixed).hold(self.groups)

    # ----- bases and changes by hand ------------------------------------------------------------

    def _recognize(self) -> list[Group]:
        """Reorder the bases to match the current groups, and return the groups."""
        groups = self.groups
        if not self._known.are(groups):
            old = self._known.origins(groups)
            for place, bases in self._bases.items():
                self._bases[place] = {
                    new: bases[origin] for new, origin in enumerate(old) if origin in bases
                }
        self._known = KnownGroups(groups)
        return groups

    def base(self, slot: Slot, group: Group) -> float:
        """Return the base of a number of a group: its value before any scheduler drove it."""
        if slot.place == LR.place:
            return plain(group.setdefault("initial_lr", plain(group["lr"])))
        groups = self._recognize()
        index = next(i for i, each in enumerate(groups) if each is group)
        bases = self._bases.setdefault(slot.place, {})
        return bases.setdefault(index, plain(slot.read(group)))

    def set_base(self, slot: Slot, group: Group, base: float) -> None:
        """Set the base of a number of a group."""
        if slot.place == LR.place:
            group["initial_lr"] = base
            return
        for index, each in enumerate(self._recognize()):
            if each is group:
                self._bases.setdefault(slot.place, {})[index] = base

    def notice(self) -> list[Change]:
        """Adopt the values that were set by hand since the last write.

        The new value replaces the scheduled one: the base becomes the one from which the schedule
        would have reached it. A value without a base is left alone, and overwritten at the next
        step.

        Returns:
            The changes found.
        """
        if any(writer.was_replaced(self.groups) for writer in self.writers.values()):
            # The optimizer was loaded, and its hook was interrupted or does not exist.
            self.loaded()
        groups, changes = self.groups, list[Change]()
        all_shares: SharesBySlot | None = None
        all_found = [(*each, each[1].changed(groups)) for each in self.writers.items()]
        for place, writer, found in all_found:
            for index, value in found:
                group = groups[index]
                all_shares = self._shares() if all_shares is None else all_shares
                changes.append((writer.slot, group, value))
                by_group = all_shares[place][1] if place in all_shares else {}
                self._adopt(writer.slot, group, value, by_group.get(id(group), []))
            if found:
                # So that they are adopted only once, wherever the step is interrupted.
                writer.forget()
        if changes:
            self.settle()
        return changes

    def _adopt(self, slot: Slot, group: Group, value: float, shares: Shares) -> None:
        # If others drive it too, a number that is independent of the base has no base to find.
        if not shares or (len(shares) > 1 and any(share.absolute for _, share in shares)):
            return
        # One that goes on from its own rate would cancel a change of the base.
        first = next((member for member, _ in shares if member.carries), shares[0][0])
        others = math.prod(share.ratio for member, share in shares if member is not first)
        base = first.base_for(slot, group, value / others if others else value)
        if base is None:
            return
        self.set_base(slot, group, base)
        for member in self.members:
            member.rebase(slot, group, base)

    def prepare_bases(self) -> None:
        """Prepare the bases for a new scheduler: values set since the last write become bases."""
        if self.members:
            if self.notice():
                self.write()
            return
        groups = self.groups
        for writer in self.writers.values():
            for index, value in writer.changed(groups):
                self.set_base(writer.slot, groups[index], value)
            writer.forget()

    # ----- loading, saving, restoring -----------------------------------------------------------

    def loaded(self) -> None:
        """Write again after an optimizer was loaded, since its groups and their tensors are new."""
        groups, members = self._recognize(), self.members
        for writer in self.writers.values():
            writer.restore_tensors(groups)
        for member in members:
            member.settle()
            member.use_loaded_bases()
        for writer in self.writers.values():
            writer.hold(groups)
        if len(members) > 1 or not all(member.keeps_loaded_values for member in members):
            self.write()
        # The next step must check that an update came before it.
        self.settle()

    def snapshot(self) -> Callable[[], None]:
        """Return a function that restores everything that a write changes."""
        attributes = {
            "_members": list(self._members),
            "writers": {place: writer.copy() for place, writer in self.writers.items()},
            "_bases": {place: dict(bases) for place, bases in self._bases.items()},
            "_known": self._known,
        }

        def restore() -> None:
            vars(self).update(attributes)
            self.settle()

        return restore


# The optimizer's hooks are module-level functions, so they keep nothing alive.
def _after_load(optimizer: Optimizer) -> None:
    shared = _find(optimizer)
    if shared is not None:
        shared.loaded()


def _before_save(optimizer: Optimizer) -> None:
    shared = _find(optimizer)
    # Values that user code has written are saved unchanged.
    if shared is not None:
        shared.notice()
