"""Lookahead: the values of the next steps, computed at once and laid out as writers take them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lehr.errors import ScheduleError
from lehr.torch.binding import Group, Slot, SlotKey
from lehr.torch.plan import Driven, DrivePlan
from lehr.torch.tensor_writers import Mixed, TensorFill
from lehr.torch.writers import (
    FloatPair,
    PerGroupFloat,
    Several,
    SharedFloat,
    SlotWriter,
    Step,
)

__all__ = ["LONG", "NOTHING", "SHORT", "Lookahead", "compute"]

# Steps computed at once: enough that their cost vanishes, few enough that nobody notices the pause;
# fewer where each group has values of its own, and after a seek, which may be followed by another.
LONG: Final = 16_384
SHORT: Final = 32

_NUMBERS: Final = 65_536
_FEWEST: Final = 16

LevelAt = Callable[[int], float]
"""Gives the level at a position."""
WriterOf = Callable[[Slot, type[SlotWriter]], SlotWriter]
"""Gives the writer of a slot, which is of a kind."""


@dataclass(frozen=True, slots=True)
class Lookahead:
    """The entries of some steps, and what writes them.

    Attributes:
        start: The position of the first entry.
        end: The position after the last one.
        entries: What the writer writes, a step each; for several writers, the column of each.
        writer: Writes an entry into all groups.
        lists: Lists that the entries were computed from, and that user code may change in place.
        noted: What these were then.
    """

    start: int
    end: float
    entries: Sequence[Any]
    writer: Step
    lists: Sequence[Any] = ()
    noted: Sequence[Any] = ()


NOTHING: Final = Lookahead(0, -math.inf, (), Several(()))
"""No values are known: the next step computes them."""


def compute(
    plan: DrivePlan,
    position: int,
    last: float,
    groups: Sequence[Group],
    writer_of: WriterOf,
    size: int = LONG,
    level_of: Callable[[Driven], LevelAt] | None = None,
    inspect: Callable[[list[NDArray[np.float64]]], object] = lambda _: None,
) -> Lookahead:
    """Write the values of a position, and compute those of the next steps.

    Arguments:
        plan: What is driven.
        position: The first step.
        last: The last step that has a value.
        groups: The driver's groups.
        writer_of: Gives the writers.
        size: How many steps, at most.
        level_of: Gives a function from the position to a driven number's level, called at each
            step where a schedule calls a user's function; None computes one step only then.
        inspect: Called with the levels before they are used.

    Raises:
        ScheduleError: If there is no finite value at the position.
    """
    by_slot = _by_slot(plan.driven)
    if any(_kind(driven, groups) is Mixed for driven in by_slot):
        size = min(size, max(_FEWEST, _NUMBERS // max(len(groups), 1)))
    one_by_one = any(driven.levels.one_by_one for driven in plan.driven)
    left = int(min(LONG, last - position)) if one_by_one and level_of else 0
    if one_by_one:
        size = 1
    steps = np.arange(position, position + int(min(size, last - position + 1)))
    blocks = _blocks(plan.driven, steps)
    inspect(blocks)
    by_driven = {id(driven): block for driven, block in zip(plan.driven, blocks, strict=True)}
    writers: list[SlotWriter] = []
    columns: list[Sequence[Any]] = []
    for entries in by_slot:
        writer = writer_of(entries[0].slot, _kind(entries, groups))
        if isinstance(writer, PerGroupFloat | TensorFill):
            writer.set_lines([entries[0].line(index) for index in range(len(groups))])
        writers.append(writer)
        column: Sequence[Any] = _column(entries, by_driven, writer, len(groups))
        if level_of is not None and left:
            column = _Asked(position, column[0], left + 1, _asking(entries, writer, level_of))
        columns.append(column)
    size = len(columns[0]) if columns else len(steps)
    if len(writers) == 1:
        writers[0].write(groups, columns[0][0])
        return Lookahead(position, position + size, columns[0], writers[0])
    joined = _joined(writers)
    joined.write(groups, tuple(column[0] for column in columns))
    return Lookahead(position, position + size, columns, joined)


def _joined(writers: Sequence[SlotWriter]) -> Step:
    """Return one writer of several columns."""
    if len(writers) == 2:
        first, second = writers
        if isinstance(first, SharedFloat) and isinstance(second, SharedFloat):
            return FloatPair(first, second)
    return Several(writers)


class _Asked(Sequence[Any]):
    """Entries that are computed one at a time, when they are read.

    Arguments:
        start: The position of the first entry.
        first: The first entry.
        size: How many there are.
        ask: Gives the entry at a position.
    """

    def __init__(self, start: int, first: Any, size: int, ask: Callable[[int], Any]) -> None:
        self._start, self._size, self._ask = start, size, ask
        self._known = 0, first

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: Any) -> Any:
        known, entry = self._known
        if known != index:
            entry = self._ask(self._start + index)
            self._known = index, entry
        return entry


def _asking(
    driving: Sequence[Driven], writer: SlotWriter, level_of: Callable[[Driven], LevelAt]
) -> Callable[[int], Any]:
    """Return a function from the position to a writer's entry."""
    first = level_of(driving[0])
    if isinstance(writer, PerGroupFloat | TensorFill):
        return first
    if isinstance(writer, SharedFloat):
        offset, gain = driving[0].line(0)
        return lambda position: offset + gain * first(position)
    lines = [
        (first if index == 0 else level_of(driven), [(i, *driven.line(i)) for i in driven.groups])
        for index, driven in enumerate(driving)
    ]
    size = len(driving[0].bindings)

    def entry(position: int) -> list[float | None]:
        values: list[float | None] = [None] * size
        for level_at, bound in lines:
            level = level_at(position)
            for index, offset, gain in bound:
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
    """Return the levels of each number, cut where one of them is no longer finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        blocks = [each.levels.over(steps) for each in driven]
    finite = np.logical_and.reduce([np.isfinite(block) for block in blocks])
    count = len(steps) if finite.all() else int(finite.argmin())
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
        # Tensors of inference mode have no versions, by which filled ones are recognized.
        plain = len(tensors) == len(groups) and not any(each.is_inference() for each in tensors)
        return TensorFill if plain else Mixed
    return SharedFloat if len(set(bindings)) == 1 else PerGroupFloat


def _column(
    driving: Sequence[Driven],
    levels: dict[int, NDArray[np.float64]],
    writer: SlotWriter,
    groups: int,
) -> list[Any]:
    """Return a writer's entries, step by step."""
    first = levels[id(driving[0])]
    if isinstance(writer, PerGroupFloat | TensorFill):
        return first.tolist()
    with np.errstate(over="ignore"):
        if isinstance(writer, SharedFloat):
            offset, gain = driving[0].line(0)
            return (offset + gain * first).tolist()
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
