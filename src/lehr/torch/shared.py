"""Boards: what all schedulers of one optimizer say, together.

An optimizer has one board, which knows its schedulers without keeping them alive. A number of a
group is the base that the group was given, or what the one scheduler says that does not care for
the base; times the ratios of all others:

    value = base * ratio_1 * ratio_2 * ...

Whoever moves, the board writes. A scheduler that is alone on its optimizer writes by itself,
through the board's lanes, and meets the board only where its values run out.

torch's own ``SequentialLR`` builds its children first, and then undoes the step that they made
(``last_epoch -= 1``). Schedulers that are undone together are a family: of a family, the one that
moved last speaks.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor
from torch.optim import Optimizer

from lehr.torch.binding import Group, Place, Slot, Voice, plain, together
from lehr.torch.writers import Each, Lane

if TYPE_CHECKING:
    from lehr.torch.driver import Driver

__all__ = ["STAMP", "Board", "Change", "Family", "Updates", "board_of"]

STAMP: Final = "scheduled_lr"
"""In a saved optimizer, the rate that a scheduler had left in the group: where another one stands
there when the next scheduler is built, the user has set it since."""

_BOARDS: weakref.WeakKeyDictionary[Optimizer, Board] = weakref.WeakKeyDictionary()

Change = tuple[Slot, int, float]
"""A slot, the index of a group, and what somebody else has put there."""

Heard = list[tuple["Driver", Voice]]
"""Who says what on one number of one group."""


class Updates:
    """Counts the updates of an optimizer; its hook, which must not know the optimizer.

    A fused optimizer is told by the gradient scaler, in a tensor, whether to skip an update, and
    never tells anybody. Reading it waits for the device; so a scheduler reads it when it moves,
    since it must know, and nobody does while the optimizer works.

    Attributes:
        count: The updates that were made for certain.
        skipped: Whether an update was skipped since the last of them, as far as that was read.
        captured: Whether a CUDA graph has captured one: it is replayed without anybody's knowing.
    """

    __slots__ = ("_unread", "captured", "count", "skipped")

    def __init__(self) -> None:
        self.count = 0
        self.skipped = self.captured = False
        self._unread: Tensor | None = None

    def __call__(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing():
            self.captured = True
        if self._unread is not None:
            # Nobody asked, so nobody moves by it.
            self.count += 1
        found = getattr(optimizer, "found_inf", None)
        self._unread = found if isinstance(found, Tensor) else None
        if self._unread is None:
            self.count += 1
        self.skipped = False

    def read(self) -> bool:
        """Read whether the last update was skipped, where that is still to be read.

        Returns:
            Whether it turns out to have been made.
        """
        if self._unread is None:
            return False
        self.skipped = bool(self._unread.item())
        self._unread = None
        self.count += not self.skipped
        return not self.skipped


class Family:
    """Schedulers of which only the one that moved last speaks."""

    speaker: int = 0


def board_of(optimizer: Any) -> Board:
    """Return the board of an optimizer, or of the one that it wraps."""
    while isinstance(inner := getattr(optimizer, "optimizer", None), Optimizer):
        optimizer = inner
    if optimizer not in _BOARDS:
        _BOARDS[optimizer] = Board(optimizer)
    return _BOARDS[optimizer]


class Board:
    """The schedulers of one optimizer, and the lanes through which they write."""

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = weakref.ref(optimizer)
        self._members: list[weakref.ref[Driver]] = []
        self.lanes: dict[Place, Lane] = {}
        self._forming: Family | None = None
        self._moves = 0
        self.updates: Updates | None = None
        # Wrappers of optimizers may lack what torch's own constructor makes.
        if hasattr(optimizer, "_optimizer_step_post_hooks"):
            self.updates = Updates()
            optimizer.register_step_post_hook(self.updates)
            optimizer.register_load_state_dict_post_hook(_after_load)
            optimizer.register_state_dict_pre_hook(_before_save)
            optimizer.register_state_dict_post_hook(_stamp)

    @property
    def groups(self) -> list[Group]:
        """The optimizer's groups: never kept, since loading an optimizer makes new ones."""
        optimizer = self._optimizer()
        return [] if optimizer is None else optimizer.param_groups

    @property
    def members(self) -> list[Driver]:
        """The schedulers that are alive, in the order in which they came."""
        return [member for ref in self._members if (member := ref()) is not None]

    # ----- who is there -------------------------------------------------------------------------

    def join(self, driver: Driver) -> None:
        """Take in a scheduler."""
        if all(member is not driver for member in self.members):
            self._members.append(weakref.ref(driver, self._lost))
        for member in self.members:
            member._settle()

    def leave(self, driver: Driver) -> None:
        """Let a scheduler go: it is part of another one now, or has been replaced."""
        self._members = [ref for ref in self._members if ref() is not driver]

    def clear(self) -> None:
        """Let all schedulers go: the next one goes on in their place."""
        self._members = []

    def _lost(self, dead: weakref.ref[Driver]) -> None:
        """Write again without a scheduler that is no more, as when a notebook's cell ran again."""
        self._members = [ref for ref in self._members if ref is not dead]
        if self._members and self._optimizer() is not None:
            self.notice()
            self.write()

    def undone(self, driver: Driver) -> None:
        """Note that a container has undone a scheduler's step: it is silent until it moves."""
        if self._forming is None:
            self._forming = Family()
        driver._family = self._forming
        # The container has put the rates back by itself.
        self.forget()

    def moved(self, driver: Driver) -> None:
        """Note that a scheduler has moved."""
        self._forming = None
        self._moves += 1
        driver._turn = self._moves
        if driver._family is not None:
            driver._family.speaker = id(driver)

    def _speaking(self) -> Iterator[Driver]:
        for member in self.members:
            family = member._family
            if not member._silent and (family is None or family.speaker == id(member)):
                yield member

    # ----- writing ------------------------------------------------------------------------------

    def lane(self, slot: Slot, kind: type[Lane]) -> Lane:
        """Return the lane of a slot, made anew where it was of another kind."""
        lane = self.lanes.get(slot.place)
        if lane is None or type(lane) is not kind:
            lane = self.lanes[slot.place] = kind(slot)
        return lane

    def write(self) -> None:
        """Write what all schedulers say together, at their present positions."""
        if len(self._members) == 1:
            alone = self._members[0]()
            if alone is not None and not alone._silent and alone._fill(self):
                return
        groups, said = self.groups, self._said()
        for member in self.members:
            member._settle()
        for slot, heard in said.values():
            voices = [together([voice for _, voice in pairs]) if pairs else None for pairs in heard]
            self.lane(slot, Each).write(groups, [voice and voice.value for voice in voices])

    def _said(self) -> dict[Place, tuple[Slot, list[Heard]]]:
        """Return for each slot, group by group, which scheduler says what."""
        size = len(self.groups)
        found: dict[Place, tuple[Slot, list[Heard]]] = {}
        # Those that do not care for the base come by their last move: the newest one speaks.
        for member in sorted(self._speaking(), key=lambda m: m._turn if m._is_absolute else 0):
            for slot, voices in member._voices():
                _, heard = found.setdefault(slot.place, (slot, [[] for _ in range(size)]))
                for index, voice in voices.items():
                    heard[index].append((member, voice))
        return found

    def forget(self) -> None:
        """Take whatever stands in the groups as written by the schedulers."""
        for lane in self.lanes.values():
            lane.forget()

    # ----- what somebody else has changed -------------------------------------------------------

    def notice(self) -> list[Change]:
        """Adopt what the user has set by hand since the last write.

        The new value takes the old one's place in the schedule: the base becomes the one from which
        the schedule would have come to it. What a scheduler says without a base is left; it will be
        written again at the next step.

        Returns:
            What was changed.
        """
        groups, changes = self.groups, []
        said: dict[Place, tuple[Slot, list[Heard]]] | None = None
        for place, lane in self.lanes.items():
            for index, value in lane.changed(groups):
                said = self._said() if said is None else said
                changes.append((lane.slot, index, value))
                heard = said[place][1][index] if place in said else []
                self._adopt(lane.slot, index, value, heard)
        return changes

    def _adopt(self, slot: Slot, index: int, value: float, heard: Heard) -> None:
        if not heard or any(voice.absolute for _, voice in heard):
            return
        first = heard[0][0]
        others = math.prod(voice.ratio for member, voice in heard if member is not first)
        base = first._base_for(slot, index, value / others if others else value)
        if base is None:
            return
        self.groups[index][f"initial_{slot.name}"] = base
        for member in self.members:
            member._rebase(slot, index, base)

    # ----- loading and saving -------------------------------------------------------------------

    def loaded(self) -> None:
        """Write again after the optimizer was loaded: its groups and their tensors are new."""
        groups = self.groups
        for group in groups:
            group.pop(STAMP, None)
        for lane in self.lanes.values():
            lane.put_back(groups)
            lane.forget()
        for member in self.members:
            member._settle()
            member._take_bases()
        self.write()
        # The next step is looked at: is there an update before it?
        for member in self.members:
            member._settle()

    def find_bases(self) -> None:
        """Let what the user has set since the last scheduler wrote be the groups' base."""
        if self.members:
            if self.notice():
                self.write()
            return
        for group in self.groups:
            left = group.pop(STAMP, None)
            if left is not None and "initial_lr" in group and not _same(group["lr"], left):
                group["initial_lr"] = plain(group["lr"])
        for lane in self.lanes.values():
            for index, value in lane.changed(self.groups):
                self.groups[index][f"initial_{lane.slot.name}"] = value
            lane.forget()


def _same(value: Any, left: float) -> bool:
    if isinstance(value, Tensor):
        return float(value.item()) == float(value.new_tensor(left).item())
    return float(value) == left


# The optimizer's hooks are functions of the module: they keep nothing alive.
def _after_load(optimizer: Optimizer) -> None:
    board = _BOARDS.get(optimizer)
    if board is not None:
        board.loaded()


def _before_save(optimizer: Optimizer) -> None:
    board = _BOARDS.get(optimizer)
    if board is not None and board.notice():
        board.write()


def _stamp(optimizer: Optimizer, state_dict: dict[str, Any]) -> None:
    board = _BOARDS.get(optimizer)
    if board is None or ("lr", None) not in board.lanes:
        return
    for group in state_dict["param_groups"]:
        if "initial_lr" in group:
            group[STAMP] = plain(group["lr"])
