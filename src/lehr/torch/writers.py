"""Writers: how one driven number reaches all groups, and how a change by hand is noticed.

A writer remembers the value that it wrote into each group. Before it writes the next one it looks
at every group; where it finds another value, user code has changed it, and nothing is written.

A step may be interrupted between any two groups. The values that are about to be written are noted
first, so that afterwards the old ones and the new ones are both known for the writer's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from typing import Any

from torch import Tensor

from lehr.torch.binding import Group, Slot, plain
from lehr.torch.groups import origins

__all__ = [
    "FloatPair",
    "Line",
    "PerGroupFloat",
    "Several",
    "SharedFloat",
    "SlotWriter",
    "Step",
    "has_mark",
    "mark_of",
]

Line = tuple[float, float]
"""A group's offset and gain."""


class Step(ABC):
    """Writes the values of a step, with one or several writers."""

    @abstractmethod
    def put(self, groups: Sequence[Group], entries: Any, index: int) -> bool:
        """Write one of some entries and return True; or False if user code has changed a value."""

    @abstractmethod
    def write(self, groups: Sequence[Group], entry: Any) -> None:
        """Write an entry, whatever the current values are."""


def mark_of(value: Any) -> Any:
    """Return a mark by which a value is recognized later, without waiting for a device."""
    return (value, _version(value)) if isinstance(value, Tensor) else value


def _version(tensor: Tensor) -> Any:
    """Return a tensor's version, which each write raises; in inference mode, its content."""
    return tensor.tolist() if tensor.is_inference() else tensor._version


def has_mark(value: Any, mark: Any) -> bool:
    """Return whether a value is the one that a mark was made of, unchanged."""
    if isinstance(value, Tensor):
        return isinstance(mark, tuple) and mark[0] is value and mark[1] == _version(value)
    return value is mark


class SlotWriter(Step):
    """Writes one slot; what it wrote last is its own, anything else is a change by hand."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.key = slot.key
        self.held: list[Group] = []
        self.last: Any = None
        self.pending: Any = None
        self._before: list[Any] = []

    @abstractmethod
    def _value(self, written: Any, index: int) -> float | None:
        """Return a group's value of what ``last`` or ``pending`` is; None if it is not driven."""

    @abstractmethod
    def _assign(self, groups: Sequence[Group], entry: Any) -> Any:
        """Write an entry into all groups."""

    def write(self, groups: Sequence[Group], entry: Any) -> None:
        self.hold(groups)
        self.pending = entry
        self._assign(groups, entry)
        self.last, self.pending, self._before = entry, None, []

    def changed(self, groups: Sequence[Group]) -> list[tuple[int, float]]:
        """Return the groups whose value is not its own, with the value."""
        found: list[tuple[int, float]] = []
        if self.last is None and self.pending is None and not self._before:
            return found
        for index, origin in enumerate(origins(self.held, groups)):
            if origin is None or not self.slot.exists_in(groups[index]):
                continue
            current = self.slot.read(groups[index])
            if not self._is_own(current, origin):
                found.append((index, plain(current)))
        return found

    def _is_own(self, current: Any, index: int) -> bool:
        if self._before and has_mark(current, self._before[index]):
            return True
        for written in (self.last, self.pending):
            if written is None:
                continue
            value = self._value(written, index)
            if value is None:
                return True
            if isinstance(current, Tensor):
                value = current.new_tensor(value).item()
            if plain(current) == value:
                return True
        return False

    def _take_back(self, groups: Sequence[Group], stop: Group) -> bool:
        """Put the last values back into the groups before one; return False."""
        for index, group in enumerate(groups):
            if group is stop:
                break
            group[self.key] = self._value(self.last, index)
        self.pending = None
        return False

    def copy(self) -> SlotWriter:
        """Return a writer that goes on as this one."""
        return copy(self)

    def forget(self) -> None:
        """Treat the current values as its own until the next write."""
        self.last, self.pending, self._before = None, None, []

    def hold(self, groups: Sequence[Group]) -> None:
        """Treat the current values as its own, and what is written from now on as a change."""
        exists, read = self.slot.exists_in, self.slot.read
        before = [mark_of(read(group)) if exists(group) else None for group in groups]
        self.held, self._before, self.pending, self.last = list(groups), before, None, None

    def restore_tensors(self, groups: Sequence[Group]) -> None:
        """Put the tensors that were filled last into groups that now hold others."""
        for index, origin in enumerate(origins(self.held, groups)):
            if origin is None or (tensor := self._tensor(origin)) is None:
                continue
            current = self.slot.read(groups[index])
            if (
                isinstance(current, Tensor)
                and current is not tensor
                and (current.shape, current.dtype) == (tensor.shape, tensor.dtype)
            ):
                self.slot.place_tensor(groups[index], tensor)

    def _tensor(self, index: int) -> Tensor | None:
        """Return the tensor of a group that was filled last."""
        return None

    def separate(self, groups: Sequence[Group]) -> None:
        """Give each group a tensor of its own.

        An optimizer that is built with a tensor puts the same one into all its groups.
        """
        seen: set[int] = set()
        for group in groups:
            current = self.slot.read(group) if self.slot.exists_in(group) else None
            if isinstance(current, Tensor):
                if id(current) in seen:
                    self.slot.place_tensor(group, current.clone())
                seen.add(id(current))


class _Memory:
    """What was written last, and what is being written: a float, or a tuple with one a column."""

    __slots__ = ("last", "pending")

    def __init__(self) -> None:
        self.last: Any = None
        self.pending: Any = None


class SharedFloat(SlotWriter):
    """The same float in every group; an entry is that float.

    As one of a pair it has the memory in common with the other, and a column there.
    """

    def __init__(self, slot: Slot) -> None:
        self.memory, self.column = _Memory(), -1
        super().__init__(slot)

    @property
    def last(self) -> Any:
        return self._own(self.memory.last)

    @last.setter
    def last(self, entry: Any) -> None:
        self.memory.last = entry

    @property
    def pending(self) -> Any:
        return self._own(self.memory.pending)

    @pending.setter
    def pending(self, entry: Any) -> None:
        self.memory.pending = entry

    def _own(self, written: Any) -> Any:
        return written[self.column] if isinstance(written, tuple) else written

    def put(self, groups: Sequence[Group], entries: Sequence[float], index: int) -> bool:
        key, memory = self.key, self.memory
        # What an interrupt has left half-written is not a change by hand: see changed().
        if memory.pending is not None or len(groups) != len(self.held):
            return False
        last = memory.last
        entry = memory.pending = entries[index]
        for group in groups:
            if group[key] is not last:
                return self._take_back(groups, group)
            group[key] = entry
        memory.last, memory.pending = entry, None
        return True

    def write(self, groups: Sequence[Group], entry: float) -> None:
        self.memory = _Memory()
        super().write(groups, entry)

    def copy(self) -> SlotWriter:
        twin = copy(self)
        twin.memory = copy(self.memory)
        return twin

    def _value(self, written: float, index: int) -> float:
        return written

    def _assign(self, groups: Sequence[Group], entry: float) -> None:
        for group in groups:
            group[self.key] = entry


class FloatPair(Step):
    """Two floats, such as a rate and a momentum, each the same in every group.

    Arguments:
        first: Writes the first number of an entry.
        second: Writes the second.
    """

    def __init__(self, first: SharedFloat, second: SharedFloat) -> None:
        self._writers = first, second
        self._keys = first.key, second.key, -1
        self._memory = first.memory

    def put(self, groups: Sequence[Group], entries: Sequence[Any], index: int) -> bool:
        key, other, size = self._keys
        memory = self._memory
        if memory.last is None or memory.pending is not None or len(groups) != size:
            return False
        column, further = entries
        last, latest = memory.last
        row = memory.pending = value, more = column[index], further[index]
        for group in groups:
            if group[key] is not last or group[other] is not latest:
                first, second = self._writers
                return first._take_back(groups, group) or second._take_back(groups, group)
            group[key] = value
            group[other] = more
        memory.last, memory.pending = row, None
        return True

    def write(self, groups: Sequence[Group], entry: tuple[float, float]) -> None:
        for writer, number in zip(self._writers, entry, strict=True):
            writer.write(groups, number)
        memory = self._memory = _Memory()
        memory.last = entry
        for column, writer in enumerate(self._writers):
            writer.column, writer.memory = column, memory
        self._keys = *self._keys[:2], len(groups)


class PerGroupFloat(SlotWriter):
    """A float of its own in each group, ``offset + gain * level``; an entry is the level."""

    lines: Sequence[Line] = ()

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Set each group's offset and gain; the current values are its own from now on."""
        self.forget()
        self.lines = lines
        self._gains = [gain for _, gain in lines]
        self._has_offsets = any(offset for offset, _ in lines)

    def put(self, groups: Sequence[Group], entries: Sequence[float], index: int) -> bool:
        last = self.last
        if last is None or self.pending is not None or len(groups) != len(self.held):
            return False
        entry = self.pending = entries[index]
        if self._has_offsets:
            return self._put_lines(groups, entry)
        key = self.key
        for group, gain in zip(groups, self._gains):  # noqa: B905  (twice the time)
            if group[key] != gain * last:
                return self._take_back(groups, group)
            group[key] = gain * entry
        self.last, self.pending = entry, None
        return True

    def _put_lines(self, groups: Sequence[Group], entry: float) -> bool:
        key, last = self.key, self.last
        for group, (offset, gain) in zip(groups, self.lines, strict=True):
            if group[key] != offset + gain * last:
                return self._take_back(groups, group)
            group[key] = offset + gain * entry
        self.last, self.pending = entry, None
        return True

    def _value(self, written: float, index: int) -> float:
        offset, gain = self.lines[index]
        return offset + gain * written

    def _assign(self, groups: Sequence[Group], entry: float) -> None:
        for index, group in enumerate(groups):
            group[self.key] = self._value(entry, index)


class Several(Step):
    """Several numbers, one writer each; an entry is a tuple of theirs, some entries are columns."""

    def __init__(self, writers: Sequence[SlotWriter]) -> None:
        self._writers = writers
        self._last: Any = None

    def put(self, groups: Sequence[Group], entries: Sequence[Any], index: int) -> bool:
        for count, (writer, column) in enumerate(zip(self._writers, entries, strict=True)):
            if not writer.put(groups, column, index):
                for done, old in zip(self._writers[:count], self._last, strict=False):
                    done.write(groups, old)
                return False
        self._last = [column[index] for column in entries]
        return True

    def write(self, groups: Sequence[Group], entry: Sequence[Any]) -> None:
        for writer, value in zip(self._writers, entry, strict=True):
            writer.write(groups, value)
        self._last = entry
