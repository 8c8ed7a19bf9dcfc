"""Blocks: the values of many steps, computed at once and laid out as the lanes write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lehr.errors import ScheduleError
from lehr.torch.binding import Group, Place, Track
from lehr.torch.writers import Each, Even, Fill, Lane, Lines, Pair

if TYPE_CHECKING:
    from lehr.torch.shared import Board

__all__ = ["LONG", "SHORT", "Block", "Levels", "fill"]

# Steps computed at once: few enough to stay in the cache, enough that their cost vanishes; fewer
# where each group has values of its own, and after a position was sought, which may be left again.
LONG: Final = 8192
SHORT: Final = 32
Levels = list[NDArray[np.float64]]
"""The levels of each track, from a position on."""
Ask = Callable[[int], float]
"""Gives the level at a position."""

_NUMBERS: Final = 65_536
_FEWEST: Final = 16


@dataclass(slots=True)
class Block:
    """The steps that follow a position.

    Attributes:
        put: Writes an entry, unless somebody else has changed what was written last; None where
            it is a pair that writes.
        entries: What it writes, the last step first, so that the next one is popped from the end;
            or what is asked for as it is taken.
        lane: What writes, where it is one even lane.
        pair: What writes, where it is two of them.
    """

    put: Callable[[Sequence[Group], Any], bool] | None
    entries: list[Any] | Asked
    lane: Even | None = None
    pair: Pair | None = None


def fill(
    tracks: Sequence[Track],
    position: int,
    last: float,
    groups: Sequence[Group],
    board: Board,
    size: int = LONG,
    asks: Callable[[Track], Ask] | None = None,
    look: Callable[[Levels], object] = lambda _: None,
) -> Block:
    """Compute the values from a position on, write the first of them, and return the rest.

    Arguments:
        tracks: What is driven.
        position: The first step.
        last: The last step that has a value.
        groups: The optimizer's.
        board: Its board, which keeps the lanes.
        size: How many steps, at most.
        asks: Where schedules that call a function of the user's are asked step by step, rather
            than for one step only: what gives a track's level at a position.
        look: Is shown the levels of each track before anything is written.

    Raises:
        ScheduleError: If there is no finite value at the position; nothing is written then.
    """
    together = _by_place(tracks)
    if any(_kind(driving, groups) is Each for driving in together):
        size = min(size, max(_FEWEST, _NUMBERS // max(len(groups), 1)))
    one_by_one = any(track.one_by_one for track in tracks)
    left = int(min(LONG, last - position)) if one_by_one and asks else 0
    if one_by_one:
        size = 1
    steps = np.arange(position, position + int(min(size, last - position + 1)))
    levels = _levels(tracks, steps)
    look(levels)
    by_track = {id(track): level for track, level in zip(tracks, levels, strict=True)}
    lanes: list[Lane] = []
    columns: list[list[Any]] = []
    for driving in together:
        lane = board.lane(driving[0].slot, _kind(driving, groups))
        if isinstance(lane, Lines | Fill):
            lane.draw([driving[0].line(index) for index in range(len(groups))])
        lanes.append(lane)
        columns.append(_entries(driving, by_track, lane, len(groups)))
    for lane, column in zip(lanes, columns, strict=True):
        lane.write(groups, column[0])
    if asks and left:
        asked = [
            _asking(driving, lane, asks) for driving, lane in zip(together, lanes, strict=True)
        ]
        entry = asked[0] if len(lanes) == 1 else partial(_all, asked)
        entries: list[Any] | Asked = Asked(entry, position + 1, left)
    else:
        if len(lanes) == 2 and isinstance(lanes[0], Even) and isinstance(lanes[1], Even):
            one, two = (column[:0:-1] for column in columns)
            return Block(None, one, pair=(lanes[0], lanes[1], two))
        entries = (columns[0] if len(lanes) == 1 else list(zip(*columns, strict=True)))[:0:-1]
    if len(lanes) == 1:
        return Block(lanes[0].put, entries, lanes[0] if isinstance(lanes[0], Even) else None)
    return Block(partial(_put_all, lanes), entries)


class Asked:
    """Entries that are computed as they are taken, in the place of a list of them.

    Arguments:
        entry: Gives the entry of a step.
        first: The step of the next entry.
        left: How many there are.
    """

    __slots__ = ("_entry", "_first", "_kept", "_left")

    def __init__(self, entry: Callable[[int], Any], first: int, left: int) -> None:
        self._entry, self._first, self._left = entry, first, left
        self._kept: list[Any] = []

    def __len__(self) -> int:
        return self._left

    def pop(self) -> Any:
        """Take the next entry; where it cannot be computed, it is still to be taken."""
        entry = self._kept.pop() if self._kept else self._entry(self._first)
        self._first += 1
        self._left -= 1
        return entry

    def append(self, entry: Any) -> None:
        """Put an entry back that was taken."""
        self._kept.append(entry)
        self._first -= 1
        self._left += 1

    def __getitem__(self, index: int) -> Any:
        entry = self.pop()
        self.append(entry)
        return entry


def _all(asked: Sequence[Callable[[int], Any]], position: int) -> tuple[Any, ...]:
    return tuple(entry(position) for entry in asked)


def _asking(
    driving: Sequence[Track], lane: Lane, asks: Callable[[Track], Ask]
) -> Callable[[int], Any]:
    """Return what gives a lane's entry of a step, one at a time."""
    if isinstance(lane, Lines | Fill):
        return asks(driving[0])
    if isinstance(lane, Even):
        return partial(_on_line, asks(driving[0]), *driving[0].line(0))
    size = len(driving[0].bindings)
    lines = [
        (asks(track), [(index, *track.line(index)) for index in track.groups]) for track in driving
    ]
    return partial(_on_lines, lines, size)


def _on_line(level: Ask, offset: float, gain: float, position: int) -> float:
    return offset + gain * level(position)


def _on_lines(
    lines: Sequence[tuple[Ask, Sequence[tuple[int, float, float]]]], size: int, position: int
) -> list[float | None]:
    entry: list[float | None] = [None] * size
    for ask, places in lines:
        level = ask(position)
        for index, offset, gain in places:
            entry[index] = offset + gain * level
    return entry


def _put_all(lanes: Sequence[Lane], groups: Sequence[Group], entry: Sequence[Any]) -> bool:
    for lane, value in zip(lanes, entry):  # noqa: B905, SIM110  (twice the time)
        if not lane.put(groups, value):
            return False
    return True


def _by_place(tracks: Sequence[Track]) -> list[list[Track]]:
    found: dict[Place, list[Track]] = {}
    for track in tracks:
        found.setdefault(track.slot.place, []).append(track)
    return list(found.values())


def _levels(tracks: Sequence[Track], steps: NDArray[Any]) -> Levels:
    """Return each track's levels, cut where one is no longer finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        blocks = [track.levels(steps) for track in tracks]
    finite = np.logical_and.reduce([np.isfinite(block) for block in blocks])
    count = len(steps) if finite.all() else int(finite.argmin())
    if count == 0:
        raise ScheduleError(f"the schedule has no finite value at position {steps[0]}")
    return [block[:count] for block in blocks]


def _is_even(driving: Sequence[Track], groups: Sequence[Group]) -> bool:
    """Return whether all groups get the same value."""
    bindings = driving[0].bindings
    return len(driving) == 1 and len(set(bindings)) == 1 and len(bindings) == len(groups)


def _kind(driving: Sequence[Track], groups: Sequence[Group]) -> type[Lane]:
    slot = driving[0].slot
    if len(driving) > 1 or slot.index is not None or len(driving[0].groups) < len(groups):
        return Each
    tensors = sum(isinstance(group[slot.key], Tensor) for group in groups)
    if tensors:
        return Fill if tensors == len(groups) else Each
    return Even if _is_even(driving, groups) else Lines


def _entries(
    driving: Sequence[Track], levels: dict[int, NDArray[np.float64]], lane: Lane, groups: int
) -> list[Any]:
    """Return what a lane writes, step by step."""
    if isinstance(lane, Lines | Fill):
        return levels[id(driving[0])].tolist()
    if isinstance(lane, Even):
        offset, gain = driving[0].line(0)
        with np.errstate(over="ignore"):
            return (offset + gain * levels[id(driving[0])]).tolist()
    rows = np.zeros((len(levels[id(driving[0])]), groups))
    undriven = set(range(groups))
    for track in driving:
        for index in track.groups:
            offset, gain = track.line(index)
            rows[:, index] = offset + gain * levels[id(track)]
            undriven.discard(index)
    entries: list[list[Any]] = rows.tolist()
    for index in undriven:
        for row in entries:
            row[index] = None
    return entries
