"""Values of the next steps, computed together in the form that writers use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lehr.errors import ScheduleError
from lehr.torch.binding import Group, SlotKey
from lehr.torch.guards import Guards
from lehr.torch.plan import Driven, DrivePlan
from lehr.torch.shared import Shared
from lehr.torch.tensor_writers import Mixed, TensorFill
from lehr.torch.updates import JointUpdates, Updates
from lehr.torch.writers import (
    Check,
    Checked,
    Cursor,
    FloatPair,
    FloatWriter,
    Several,
    SlotWriter,
    Step,
)

# Steps computed together: enough to make their cost negligible, few enough for an unnoticeable
# pause; fewer if each group has its own values, or after a seek, which another may follow.
LONG: Final = 16_384
SHORT: Final = 32
GROWTH: Final = 8

_NUMBERS: Final = 65_536
_FEWEST: Final = 16

LevelAt = Callable[[int], float]
"""Gives the level at a position."""


class Lookahead:
    """The position of a driver, and the entries of the next steps.

    Attributes:
        start: The position of the first entry, which is already written.
        cursor: Marks the last written entry.
        size: The number of entries; if it is one, the next step computes more.
        step: Writes an entry.
        updates: Counts updates; each entry waits for one more. With None, nothing waits.
        expected: The count for the first entry.
    """

    __slots__ = ("cursor", "expected", "size", "start", "step", "updates")

    def __init__(self, start: float) -> None:
        self.start, self.cursor, self.size = start, Cursor(), 1
        self.step: Step = Several(())
        self.updates: Updates | JointUpdates | None = None
        self.expected = 0

    @property
    def position(self) -> float:
        """The position of the entry that was written last."""
        return self.start + self.cursor.at

    @property
    def seen(self) -> int:
        """The count of updates when the last step was made."""
        return self.expected + (0 if self.updates is None else self.cursor.at)

    def await_updates(self, updates: Updates | JointUpdates | None, seen: int) -> None:
        """Let the next entry wait for one update more than ``seen``, and so on."""
        self.updates, self.expected = updates, seen if updates is None else seen - self.cursor.at

    def emptied(self, position: float) -> Lookahead:
        """Return a lookahead for a position, without any further entries."""
        other = Lookahead(position)
        other.await_updates(self.updates, self.seen)
        return other

    def interrupt(self) -> None:
        """Note that the next entry may be partly written; the next step recomputes everything."""
        self.cursor.interrupted, self.size = True, self.cursor.at + 1


def look_ahead(
    plan: DrivePlan,
    ahead: Lookahead,
    groups: Sequence[Group],
    shared: Shared,
    guards: Guards,
    *,
    size: int,
    last: float,
) -> Lookahead:
    """Write a plan's values at a position, and compute those of the next steps.

    Arguments:
        plan: What is driven.
        ahead: The position, without any further entries.
        groups: The groups of the plan.
        shared: Provides the writers.
        guards: Inspect the levels before they are used.
        size: The number of steps to compute.
        last: The last step to compute.

    Raises:
        ScheduleError: If the value at the position is not finite.
    """
    position, by_slot = int(ahead.position), _by_slot(plan.driven)
    if any(_kind(driven, groups) is Mixed for driven in by_slot):
        size = min(size, max(_FEWEST, _NUMBERS // max(len(groups), 1)))
    size = int(min(size, last - position + 1))
    one_by_one = any(driven.levels.one_by_one for driven in plan.driven)
    # Fast steps can call a user's function, but do not know the elapsed time.
    asked = int(min(LONG, last - position)) if one_by_one and not plan.follows_time else 0
    blocks = _blocks(plan.driven, np.arange(position, position + (1 if one_by_one else size)))
    guards.on_levels(position, plan, blocks)
    by_driven = {id(driven): block for driven, block in zip(plan.driven, blocks, strict=True)}
    columns: list[tuple[SlotWriter, Sequence[Any]]] = []
    checks: list[Check] = []
    for driving in by_slot:
        kind = _kind(driving, groups)
        writer = shared.writer(driving[0].slot, kind)
        lines = [] if kind is Mixed else [driving[0].line(index) for index in range(len(groups))]
        even = kind is FloatWriter and len(set(driving[0].bindings)) == 1
        writer.set_lines([] if even else lines)
        column = _column(driving, by_driven, lines, even, len(groups))
        if asked:
            column = _Asked(position, column[0], _asking(driving, lines, even, guards.level_of))
            checks.append(column)
        columns.append((writer, column))
    for writer, column in columns:
        writer.write(groups, column[0])
    for writer, column in columns:
        writer.follow(ahead.cursor, column)
    ahead.size = asked + 1 if asked else len(blocks[0]) if blocks else size
    step = _joined([writer for writer, _ in columns])
    ahead.step = Checked(step, checks) if checks else step
    return ahead


def _joined(writers: Sequence[SlotWriter]) -> Step:
    """Return one step of several writers."""
    if len(writers) == 1:
        return writers[0]
    floats = [each for each in writers if isinstance(each, FloatWriter) and each.even]
    return FloatPair(*floats) if len(writers) == len(floats) == 2 else Several(writers)


class _Asked(Sequence[Any]):
    """Entries computed one at a time, by being called as a check before each is written.

    Arguments:
        start: The position of the first entry.
        first: The first entry.
        ask: Gives the entry at a position.
    """

    def __init__(self, start: int, first: Any, ask: Callable[[int], Any]) -> None:
        self._start, self._ask, self._known = start, ask, {0: first}

    def __call__(self, groups: Sequence[Group], index: int) -> bool:
        self._known = {index - 1: self._known[index - 1], index: self._ask(self._start + index)}
        return True

    def __len__(self) -> int:
        return max(self._known) + 1

    def __getitem__(self, index: Any) -> Any:
        return self._known[index]


def _asking(
    driving: Sequence[Driven],
    lines: Sequence[tuple[float, float]],
    even: bool,
    level_of: Callable[[Driven], LevelAt],
) -> Callable[[int], Any]:
    """Return a function from the position to a writer's entry."""
    first = level_of(driving[0])
    if even:
        offset, gain = lines[0]
        return lambda position: offset + gain * first(position)
    if lines:
        return first
    bound = [
        (first if index == 0 else level_of(driven), [(i, *driven.line(i)) for i in driven.groups])
        for index, driven in enumerate(driving)
    ]
    size = len(driving[0].bindings)

    def entry(position: int) -> list[float | None]:
        values: list[float | None] = [None] * size
        for level_at, places in bound:
            level = level_at(position)
            for index, offset, gain in places:
                values[index] = offset + gain * level
        return values

    return entry


def _by_slot(driven: Sequence[Driven]) -> list[list[Driven]]:
    found: dict[SlotKey, list[Driven]] = {}
    for each in driven:
        if each.groups:
            found.setdefault(each.slot.place, []).append(each)
    return list(found.values())


def _blocks(driven: Sequence[Driven], steps: NDArray[Any]) -> list[NDArray[np.float64]]:
    """Return the levels of each number, cut off where one of them stops being finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        blocks = [each.levels.over(steps) for each in driven]
    finite = [np.isfinite(block) for block in blocks]
    count = min(
        (len(steps) if each.all() else int(each.argmin()) for each in finite), default=len(steps)
    )
    if count == 0:
        raise ScheduleError(f"the schedule has no finite value at position {steps[0]}")
    return [block[:count] for block in blocks]


def _kind(driving: Sequence[Driven], groups: Sequence[Group]) -> type[SlotWriter]:
    """Return the kind of writer for the entries of a slot."""
    slot, bindings = driving[0].slot, driving[0].bindings
    if len(driving) > 1 or slot.index is not None or None in bindings:
        return Mixed
    tensors = [value for group in groups if isinstance(value := group[slot.key], Tensor)]
    if tensors:
        # Tensors created in inference mode lack the versions that identify filled ones.
        plain = len(tensors) == len(groups) and not any(each.is_inference() for each in tensors)
        return TensorFill if plain else Mixed
    return FloatWriter


def _column(
    driving: Sequence[Driven],
    levels: dict[int, NDArray[np.float64]],
    lines: Sequence[tuple[float, float]],
    even: bool,
    groups: int,
) -> Sequence[Any]:
    """Return a writer's entries, one per step: a level, a value, or a list of values."""
    first = levels[id(driving[0])]
    with np.errstate(over="ignore"):
        if even:
            offset, gain = lines[0]
            return (offset + gain * first).tolist()
        if lines:
            return first.tolist()
        rows = np.zeros((len(first), groups))
        undriven = set(range(groups))
        for driven in driving:
            for index in driven.groups:
                offset, gain = driven.line(index)
                rows[:, index] = offset + gain * levels[id(driven)]
                undriven.discard(index)
    entries: list[list[Any]] = rows.tolist()
    for index in undriven:
        for row in entries:
            row[index] = None
    return entries
