"""Members of a board: where a driver stands, what it says there, and what people ask it."""

from __future__ import annotations

import weakref
from typing import Any

from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from lehr.errors import ScheduleError
from lehr.torch.binding import Binding, Group, Slot, Track, Voice, plain

__all__ = ["Member"]


class Member(LRScheduler):
    """A scheduler that says what the numbers of the groups shall be, and lets its board write."""

    _tracks: list[Track]
    """What is driven."""
    _fraction: float
    """How far the position is past the last whole one."""
    base_lrs: list[Any]
    """The rate that each group was given."""
    _ahead: Any
    """The values of the steps that follow, as far as they are computed."""
    _stop: int
    """The position at which they run out."""
    _shift: int
    """By how much more steps were counted than the position tells."""
    _owner: weakref.ref[Any] | None
    """The container that it is a part of."""

    def _bind(self, slot: Slot, index: int, group: Group) -> Binding:
        """Return what a schedule means for a group: the one of this index."""
        raise NotImplementedError

    def _undo(self) -> None:
        """Be silent until the next move: a container of torch's undoes the first step."""
        raise NotImplementedError

    # ----- where it is --------------------------------------------------------------------------

    # What is left of the block counts the steps, so that a step has no counter to raise.

    @property
    def last_epoch(self) -> int:
        """The number of updates made, as torch calls it."""
        owner = self._owned_by()
        if owner is not None:
            return owner._local(self, owner.last_epoch)
        return self._stop - len(self._ahead)

    @last_epoch.setter
    def last_epoch(self, position: int) -> None:
        before = self.last_epoch
        self._settle()
        self._shift += before - position
        self._stop = position
        if position == before - 1:
            self._undo()

    @property
    def _step_count(self) -> int:
        return self.last_epoch + self._shift

    @_step_count.setter
    def _step_count(self, count: int) -> None:
        self._shift = count - self.last_epoch

    def _owned_by(self) -> Any:
        """Return the container that it is a part of, which drives in its place; or None."""
        return None if self._owner is None else self._owner()

    def _check_free(self) -> None:
        """Refuse to move where a container does."""
        owner = self._owned_by()
        if owner is not None:
            raise ScheduleError(
                f"this {type(self).__name__} is a part of a {type(owner).__name__}: step that one"
            )

    def _settle(self) -> None:
        """Drop the values computed ahead: the next step computes them again."""
        self._stop, self._ahead = self.last_epoch, []

    # ----- what it says -------------------------------------------------------------------------

    @property
    def _is_absolute(self) -> bool:
        """Whether it says numbers that do not care for the groups' base."""
        return any(track.absolute for track in self._tracks)

    def _voices(self) -> list[tuple[Slot, dict[int, Voice]]]:
        """Return what it says at its position: for each slot, on each group that it drives."""
        position = self.last_epoch + self._fraction
        said: list[tuple[Slot, dict[int, Voice]]] = []
        for track in self._tracks:
            level = track.level(position)
            said.append((track.slot, {index: track.voice(index, level) for index in track.groups}))
        return said

    def _base_for(self, slot: Slot, index: int, value: float) -> float | None:
        """Return the base from which it would have come to a value; None where it has no base."""
        position = self.last_epoch + self._fraction
        for track in self._tracks:
            if track.slot.place == slot.place and index in track.groups:
                return track.base_for(index, value, track.level(position))
        return None

    def _rebase(self, slot: Slot, index: int, base: float) -> None:
        """Take a new base for a number of a group; the group notes it already."""
        if slot.place == ("lr", None) and index < len(self.base_lrs):
            self.base_lrs[index] = base
        for track in self._tracks:
            if not track.absolute and index in track.groups:
                track.bindings[index] = self._bind(
                    track.slot, index, self.optimizer.param_groups[index]
                )
        self._settle()

    def _take_bases(self) -> None:
        """Take the bases that a loaded optimizer brought, and give it those that it lacks."""
        for index, group in enumerate(self.optimizer.param_groups[: len(self.base_lrs)]):
            self.base_lrs[index] = plain(group.setdefault("initial_lr", self.base_lrs[index]))
        for track in self._tracks:
            if not track.absolute:
                known = range(len(track.bindings))
                track.bindings = []
                track.join(self.optimizer.param_groups[: len(known)], self._bind)

    def get_lr(self) -> list[float | Tensor]:
        """Return the rate of each group at the present position."""
        return self.get_last_lr()

    def get_last_lr(self) -> list[float | Tensor]:
        """Return the rate of each group, as it stands in the optimizer."""
        return [
            lr.clone() if isinstance(lr, Tensor) else lr
            for lr in (group["lr"] for group in self.optimizer.param_groups)
        ]

    def logged(self) -> dict[str, float]:
        """Return what is driven, by name, for a logger.

        The names are those of the driven numbers, such as ``"lr"`` and ``"momentum"``; with several
        groups, ``"lr/0"`` or, where a group has a ``"name"``, ``"lr/head"``.

        Example:
            >>> import lehr, torch
            >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9)
            >>> from lehr.torch import Scheduler
            >>> Scheduler(optimizer, lehr.linear(10), momentum=lehr.constant(0.5)).logged()
            {'lr': 0.1, 'momentum': 0.5}
        """
        groups = self.optimizer.param_groups
        found: dict[str, float] = {}
        for slot, voices in self._voices():
            for index in voices:
                name = groups[index].get("name", index)
                label = slot.name if len(groups) == 1 else f"{slot.name}/{name}"
                found[label] = plain(slot.read(groups[index]))
        return found

    @property
    def _last_lr(self) -> list[float | Tensor]:
        # torch's containers read it from their children.
        return self.get_last_lr()

    def _snapshot(self) -> dict[str, Any]:
        """Return all attributes, to be restored where something fails."""
        slots = [name for kind in type(self).__mro__ for name in vars(kind).get("__slots__", ())]
        return {**vars(self), **{name: getattr(self, name) for name in slots}}

    def _restore(self, snapshot: dict[str, Any]) -> None:
        """Take all attributes back."""
        vars(self).clear()
        for name, value in snapshot.items():
            setattr(self, name, value)
