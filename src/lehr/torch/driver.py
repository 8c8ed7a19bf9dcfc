"""Driving an optimizer: what the scheduler and the drop-ins have in common.

A driver holds a position and nothing else that matters. At each step it *assigns*

    value of group g = offset_g + gain_g * schedule(position)

and never multiplies into what was there; so it makes no difference in which order an optimizer and
its scheduler are built and loaded, and a position can be sought. Values are computed a block of
steps at a time, so that a step costs little more than the assignment. Several drivers of one
optimizer meet on its board (:mod:`lehr.torch.shared`).
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from sys import getrefcount
from typing import Any, Final

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import EPOCH_DEPRECATION_WARNING

from lehr.errors import PastEnd, ScheduleError
from lehr.torch.binding import Group, Track, check_optimizer, plain, warn
from lehr.torch.lookahead import LONG, SHORT, Block, Levels, fill
from lehr.torch.member import Member
from lehr.torch.shared import Board, Change, Family, Updates, board_of
from lehr.torch.writers import FEW, OWN, Even, Pair

__all__ = ["Driver"]

# The attributes that hold what is computed ahead, what else is there, and where it stands.
_COMPUTED: Final = ("_block", "_lane", "_pair", "_put", "_groups")
_LINKED: Final = ("_board", "_family", "_owner", "_watched", "_stepped")
_PLACE: Final = ("_tracks", "_stop", "_shift", "_fraction", "_ahead", "_few", "_size", "_next")


class Driver(Member):
    """A torch scheduler that assigns the values of schedules.

    Subclasses say what is driven by :meth:`_plan`, which is asked once at the start and again
    whenever their parameters change.
    """

    _deprecates_epoch = False
    """Whether ``step(epoch)`` warns, as torch's own schedulers do."""

    # What is worked with is no attribute that people see in ``vars(scheduler)``, or compare there.
    __slots__ = (*_COMPUTED, *_LINKED, *_PLACE, "_silent", "_turn", "_seen", "_replaces")

    # torch's constructor is not called: it would wrap the optimizer's step, which slows it and
    # fails on a compiled one.
    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        self._tracks: list[Track] = []
        self._begin_at(last_epoch)
        board = board_of(optimizer)
        board.find_bases()
        self.base_lrs: list[Any] = self._find_base_lrs(last_epoch)
        self._replaces = last_epoch >= 0
        self._initial_step()

    def _begin_at(self, position: int) -> None:
        """Set all that is not the plan to where a new scheduler stands."""
        self._stop, self._shift, self._fraction = position, 0, 0.0
        self._ahead: Any = []
        self._block: Block | None = None
        self._lane: Even | None = None
        self._pair: Pair | None = None
        self._put: Callable[[list[Group], Any], bool] | None = None
        self._few = True
        self._groups: list[Group] | None = None
        self._size = 0
        self._next = SHORT
        self._silent = True
        self._turn = 0
        self._family: Family | None = None
        self._board: Board | None = None
        self._owner: weakref.ref[Driver] | None = None
        self._watched: Updates | None = None
        self._stepped: Any = None
        self._seen = -1

    def _find_base_lrs(self, last_epoch: int) -> list[Any]:
        """Return the rate that each group was given, and note it in the group as torch does."""
        for index, group in enumerate(self.optimizer.param_groups):
            if last_epoch >= 0 and "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{index}] when resuming "
                    f"scheduler with last_epoch >= 0 (here {last_epoch}): load the optimizer's "
                    "state first, or write group.setdefault('initial_lr', group['lr'])"
                )
            lr = group["lr"]
            group.setdefault("initial_lr", lr.clone() if isinstance(lr, Tensor) else lr)
        return [
            lr.clone() if isinstance(lr, Tensor) else lr
            for lr in (group["initial_lr"] for group in self.optimizer.param_groups)
        ]

    def _attach(self) -> Board:
        """Return the optimizer's board, with this driver on it."""
        board = board_of(self.optimizer)
        if self._board is not board:
            self._board = board
            if self._replaces:
                # It goes on where another one was: they do not speak at once.
                board.clear()
                self._replaces = False
            if self._owner is None or self._owner() is None:
                board.join(self)
        return board

    def _plan(self) -> list[Track]:
        """Return what is driven; ``base_lrs`` is known by then."""
        raise NotImplementedError

    def _replan(self) -> None:
        """Ask for the plan again, and forget the values computed by the old one."""
        tracks = self._plan()
        groups = self.optimizer.param_groups
        for track in tracks:
            track.join(groups, self._bind)
        self._tracks = tracks
        self._settle()

    def _last_position(self) -> float:
        """Return the last position that has a value; drop-ins with an end override it."""
        return min((track.limit for track in self._tracks), default=math.inf)

    def _check_position(self, position: float) -> None:
        """Refuse a position that has no value."""
        if not 0 <= position < math.inf:
            raise ScheduleError(f"position {position!r} must be a finite number of at least 0")
        if position > self._last_position():
            raise PastEnd(
                f"position {position!r} is after the run's {self._last_position():g} steps"
            )

    # ----- moving -------------------------------------------------------------------------------

    def _initial_step(self) -> None:
        self._replan()
        self._step_count = 0
        self._move(self.last_epoch + 1)
        self._step_count = 1
        # The first step is looked at: is there an update before it?
        self._settle()

    def step(self, epoch: float | None = None) -> None:
        """Go to the next position and assign its values; call it after ``optimizer.step()``.

        Arguments:
            epoch: In place of the next position, the one to go to: see :meth:`seek`.
        """
        # Nearly every call ends here: nothing but the assignments, from values computed before.
        # What even lanes do is written out, since calls would cost as much again: few groups are
        # looked at on the way; of many, the holders of their number are counted.
        groups, ahead = self.optimizer.param_groups, self._ahead
        if ahead and epoch is None and groups is self._groups and len(groups) == self._size:
            watched = self._watched
            if watched is None or watched.count == self._seen + 1:
                if watched is not None:
                    self._seen += 1
                lane = self._lane
                if lane is not None:
                    key, last, value = lane.key, lane.last, ahead.pop()
                    if self._few:
                        for group in groups:
                            if group[key] is not last:
                                break
                            group[key] = value
                        else:
                            lane.last = value
                            return
                        lane.take_back(groups, value)
                    elif (held := getrefcount(last) == self._size + OWN) or lane.stands(groups):
                        for group in groups:
                            group[key] = value
                        lane.last = value
                        if held and getrefcount(last) >= OWN:
                            self._overwrote(lane)
                        return
                    ahead.append(value)
                elif (pair := self._pair) is not None:
                    one, two, seconds = pair
                    key, other, last, latest = one.key, two.key, one.last, two.last
                    value, second = ahead.pop(), seconds.pop()
                    if self._few:
                        for group in groups:
                            if group[key] is not last or group[other] is not latest:
                                break
                            group[key] = value
                            group[other] = second
                        else:
                            one.last, two.last = value, second
                            return
                        one.take_back(groups, value)
                        two.take_back(groups, second)
                    elif (held := getrefcount(last) == getrefcount(latest) == self._size + OWN) or (
                        one.stands(groups) and two.stands(groups)
                    ):
                        for group in groups:
                            group[key] = value
                            group[other] = second
                        one.last, two.last = value, second
                        if held and getrefcount(last) >= OWN:
                            self._overwrote(one)
                        return
                    seconds.append(second)
                    ahead.append(value)
                elif (put := self._put) is not None and put(groups, ahead[-1]):
                    ahead.pop()
                    return
                if watched is not None:
                    self._seen -= 1
        self._step_slowly(epoch)

    def _overwrote(self, lane: Even) -> None:
        """Tell that a group had another number: as many held the old one as held it before."""
        name, place = lane.slot.name, lane.slot.place
        # What does not care for the groups' base is assigned again in any case.
        if any(track.slot.place == place and not track.absolute for track in self._tracks):
            self._tell(
                "conflict",
                f"the {name} of a group was set by hand while a variable still held what stood "
                "there, which hid it: it has been overwritten. Set it again",
            )

    def _tell(self, name: str, message: str) -> None:
        """Tell of a mistake that the guard of a name looks for."""
        warn(message)

    def _step_slowly(self, epoch: float | None) -> None:
        self._check_free()
        if epoch is not None and self._deprecates_epoch:
            warn(EPOCH_DEPRECATION_WARNING)
        if epoch is None and self._step_count == 1:
            self._warn_of_order()
        self._update_lr(epoch)
        self._step_count += 1

    def seek(self, position: float) -> None:
        """Go to a position and assign its values, at once and from anywhere.

        Arguments:
            position: How many updates came before, at least 0; between two, where a real number.

        Raises:
            ScheduleError: If it is negative or not finite.
        """
        self._update_lr(position)

    def _update_lr(self, epoch: float | None = None) -> None:
        position = self.last_epoch + 1 if epoch is None else plain(epoch)
        self._check_position(position)
        self._move(position)

    def _undo(self) -> None:
        """Be silent until the next move: a container of torch's undoes the first step."""
        owner = self._owned_by()
        if owner is not None:
            owner._undo()
            return
        self._silent = True
        self._attach().undone(self)

    def _resume(self, position: float, step_count: int) -> None:
        """Take up a saved position. At -1, a child whose turn has not come, nothing is assigned."""
        if (owner := self._owned_by()) is not None:
            owner._changed()
            return
        # What stands in the groups is of another time: it is no change by hand.
        self._attach().forget()
        self._settle()
        if position < 0:
            self._stop, self._fraction, self._silent = -1, 0.0, True
        else:
            self._move(position)
        self._step_count = step_count

    def _move(self, position: float) -> None:
        """Go to a position, with the step count as it is, and have the values written."""
        self._check_free()
        board = self._attach()
        if changes := board.notice():
            # More may follow: not much is computed ahead.
            self._block = None
        self._noticed(changes)
        self._join()
        before = self._stop, self._ahead, self._shift, self._fraction, self._silent
        self._place(position)
        board.moved(self)
        try:
            board.write()
        except Exception:
            self._stop, self._ahead, self._shift, self._fraction, self._silent = before
            raise

    def _place(self, position: float) -> None:
        """Set the position, without writing."""
        whole = math.floor(position)
        went_on = self._block is not None and not self._ahead and position == self.last_epoch + 1
        self._next = LONG if went_on else SHORT
        self._shift += self.last_epoch - whole
        self._stop, self._ahead, self._fraction = whole, [], position - whole
        self._silent = False

    def _fill(self, board: Board) -> bool:
        """Write its values and compute those of the next steps; return whether that can be done.

        The board asks for it where nobody else has anything to say.
        """
        if self._fraction:
            return False
        position = self.last_epoch
        groups = self.optimizer.param_groups
        end, size = self._block_end(position), self._next
        asks = self._level_of if self._may_ask() else None
        block = fill(self._tracks, position, end, groups, board, size, asks, self._look)
        self._ahead = block.entries
        self._stop = position + len(block.entries)
        self._groups, self._size, self._few = groups, len(groups), len(groups) <= FEW
        self._block, self._put = block, block.put
        self._lane, self._pair = block.lane, block.pair
        return True

    def _block_end(self, position: int) -> float:
        """Return the last step to compute ahead from a position."""
        return self._last_position()

    def _may_ask(self) -> bool:
        """Return whether users' functions may be asked in each step; else each step is slow."""
        return True

    def _level_of(self, track: Track) -> Callable[[int], float]:
        """Return what gives a track's level at a position, where it is asked in each step."""
        return track.level

    def _look(self, levels: Levels) -> None:
        """Be shown the levels of each track from the position on, before they are used."""

    def _noticed(self, changes: list[Change]) -> None:
        """Be told what somebody else has changed since the last write."""

    def _join(self) -> None:
        """Take in the groups that were added since."""
        groups = self.optimizer.param_groups
        for group in groups[len(self.base_lrs) :]:
            self.base_lrs.append(group.setdefault("initial_lr", plain(group["lr"])))
        for track in self._tracks:
            track.join(groups, self._bind)

    def _warn_of_order(self) -> None:
        """Tell of a scheduler that moves before the optimizer did."""

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: all but the values, which are computed again."""
        dropped: dict[str, Any] = dict.fromkeys((*_COMPUTED, *_LINKED))
        settled = {"_ahead": [], "_stop": self.last_epoch}
        return {**self._snapshot(), **dropped, **settled}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._restore(state)
        self._attach()
