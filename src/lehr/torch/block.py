# pyright: basic
"""Blocks: the values of many steps, computed at once and laid out as the lanes write them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lehr.errors import ScheduleError
from lehr.torch.lanes import Each, Even, Lane, Rows
from lehr.torch.track import Binding, Group, Place, Track

if TYPE_CHECKING:
    from lehr.torch.board import Board

__all__ = ["LONG", "SHORT", "Block", "fill"]

# Steps computed at once: few enough to stay in the cache, enough that their cost vanishes; fewer
# where each group has values of its own, and after a position was sought, which may be left again.
LONG: Final = 1024
SHORT: Final = 32
_NUMBERS: Final = 65_536
_FEWEST: Final = 16


@dataclass(slots=True)
class Block:
    """The steps that follow a position.

    Attributes:
        lanes: What writes them, one lane a slot.
        entries: What the lanes write, the last step first, so that the next one is popped from the
            end; a tuple with an entry for each lane, or, with the one lane ``lane``, its entries.
        lane: The only lane, where the only number driven is the same float in every group.
    """

    lanes: list[Lane]
    entries: list[Any]
    lane: Even | None

    def put(self, groups: Sequence[Group], entry: Any) -> bool:
        """Write the next entry, unless somebody else has changed what was written last."""
        if self.lane is not None:
            return self.lane.put(groups, entry)
        for lane, value in zip(self.lanes, entry):  # noqa: B905, SIM110  (twice the time)
            if not lane.put(groups, value):
                return False
        return True


def fill(
    tracks: Sequence[Track],
    position: int,
    last: float,
    groups: Sequence[Group],
    board: Board,
    size: int = LONG,
) -> Block:
    """Compute the values from a position on, write the first of them, and return the rest.

    Arguments:
        tracks: What is driven.
        position: The first step.
        last: The last step that has a value.
        groups: The optimizer's.
        board: Its board, which keeps the lanes.
        size: How many steps, at most.

    Raises:
        ScheduleError: If there is no finite value at the position; nothing is written then.
    """
    together = _by_place(tracks)
    if not all(_is_even(driving, groups) for driving in together):
        size = min(size, max(_FEWEST, _NUMBERS // max(len(groups), 1)))
    # A user's function may have no values past the run: it is not asked ahead of time.
    if any(track.schedule.calls for track in tracks):
        size = 1
    steps = np.arange(position, position + int(min(size, last - position + 1)))
    levels = _levels(tracks, steps)
    lanes: list[Lane] = []
    columns: list[list[Any]] = []
    for driving in together:
        kind = _kind(driving, groups)
        lanes.append(board.lane(driving[0].slot, kind))
        columns.append(_entries(driving, levels, kind, len(groups)))
    lane = lanes[0] if len(lanes) == 1 and isinstance(lanes[0], Even) else None
    for each, column in zip(lanes, columns, strict=True):
        each.write(groups, column[0])
    entries = columns[0][:0:-1] if lane else list(zip(*columns, strict=True))[:0:-1]
    return Block(lanes, entries, lane)


def _by_place(tracks: Sequence[Track]) -> list[list[Track]]:
    found: dict[Place, list[Track]] = {}
    for track in tracks:
        found.setdefault(track.slot.place, []).append(track)
    return list(found.values())


def _levels(tracks: Sequence[Track], steps: NDArray[Any]) -> dict[int, NDArray[np.float64]]:
    """Return each track's levels, cut where one is no longer finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        blocks = [np.asarray(track.schedule(steps), dtype=np.float64) for track in tracks]
    finite = np.logical_and.reduce([np.isfinite(block) for block in blocks])
    count = len(steps) if finite.all() else int(finite.argmin())
    if count == 0:
        raise ScheduleError(f"the schedule has no finite value at position {steps[0]}")
    return {id(track): block[:count] for track, block in zip(tracks, blocks, strict=True)}


def _is_even(driving: Sequence[Track], groups: Sequence[Group]) -> bool:
    """Return whether all groups get the same value."""
    bindings = driving[0].bindings
    return len(driving) == 1 and len(set(bindings)) == 1 and len(bindings) == len(groups)


def _kind(driving: Sequence[Track], groups: Sequence[Group]) -> type[Lane]:
    slot = driving[0].slot
    driven = sum(len(track.groups) for track in driving)
    if slot.index is not None or driven < len(groups):
        return Each
    if any(isinstance(group[slot.key], Tensor) for group in groups):
        return Each
    return Even if _is_even(driving, groups) else Rows


def _entries(
    driving: Sequence[Track],
    levels: dict[int, NDArray[np.float64]],
    kind: type[Lane],
    groups: int,
) -> list[Any]:
    """Return what a lane writes, step by step."""
    if kind is Even:
        track = driving[0]
        binding = track.bindings[0]
        assert isinstance(binding, Binding)
        values = track.scale * (binding.offset + binding.gain * levels[id(track)])
        return values.tolist()
    rows = np.zeros((len(levels[id(driving[0])]), groups))
    undriven = set(range(groups))
    for track in driving:
        level = levels[id(track)]
        for index in track.groups:
            binding = track.bindings[index]
            assert binding is not None
            rows[:, index] = track.scale * (binding.offset + binding.gain * level)
            undriven.discard(index)
    entries: list[list[Any]] = rows.tolist()
    for index in undriven:
        for row in entries:
            row[index] = None
    return entries
