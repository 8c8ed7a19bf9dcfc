"""Writers: write driven numbers into all groups, and notice changes made by hand.

A writer remembers the value that it wrote into each group. Before it writes the next one it checks
each group; if it finds another value, user code has changed it, and nothing is written.

A step may be interrupted between any two groups. During a step, both the old and the new values
count as the writer's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

from torch import Tensor

from lehr.torch.binding import Group, Slot, plain
from lehr.torch.groups import KnownGroups

Check = Callable[[Sequence[Group], int], bool]
"""Called with the groups and an entry's index; returns whether that entry may be written."""


class Step(ABC):
    """Writes the values of a step, with one or several writers."""

    @abstractmethod
    def put(self, groups: Sequence[Group], before: int, index: int) -> bool:
        """Write an entry and return True; or False if user code has changed a value.

        Arguments:
            groups: The groups.
            before: The index of the last written entry.
            index: The index of the entry to write.
        """


class Cursor:
    """A mark of the last written entry.

    Attributes:
        at: The index of the last written entry.
        interrupted: Whether the next entry may be partly written.
    """

    __slots__ = ("at", "interrupted")

    def __init__(self) -> None:
        self.at, self.interrupted = 0, False


def mark_of(value: Any) -> Any:
    """Return a mark by which a value is recognized later, without waiting for a device."""
    return (value, _version(value)) if isinstance(value, Tensor) else value


def _version(tensor: Tensor) -> Any:
    """Return a tensor's version, which each write raises; in inference mode, its content."""
    return tensor.tolist() if tensor.is_inference() else tensor._version


def has_mark(value: Any, mark: Any) -> bool:
    """Return whether a value is the one that was marked, unchanged."""
    if isinstance(value, Tensor):
        return isinstance(mark, tuple) and mark[0] is value and mark[1] == _version(value)
    return value is mark


class SlotWriter(Step):
    """Writes one slot; a value other than the one it wrote last is a change by hand."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.key = slot.key
        self._held = KnownGroups()
        self._lines: Sequence[tuple[float, float]] = ()
        self.forget()

    def forget(self) -> None:
        """Treat the current values as its own until the next write."""
        self._entries: Sequence[Any] = ()
        self._cursor = Cursor()
        self._before: list[Any] = []

    def set_lines(self, lines: Sequence[tuple[float, float]]) -> None:
        """Set each group's offset and gain; the current values are its own from now on."""
        self.forget()
        self._lines = lines

    def follow(self, cursor: Cursor, entries: Sequence[Any]) -> None:
        """Continue with these entries, the first of which is already written."""
        self._entries, self._cursor = entries, cursor

    @property
    def last(self) -> Any:
        """The entry that was written last."""
        return self._entries[self._cursor.at]

    @property
    def even(self) -> bool:
        """Whether each entry is itself the value for all groups, as a float."""
        return False

    def write(self, groups: Sequence[Group], entry: Any) -> None:
        """Write an entry, whatever the current values are."""
        self.hold(groups)
        self._entries = [entry]
        self._assign(groups, entry)
        self._before = []

    def _value(self, entry: Any, index: int) -> float | None:
        """Return a group's value for an entry; None if it is not driven."""
        offset, gain = self._lines[index]
        return offset + gain * entry

    @abstractmethod
    def _assign(self, groups: Sequence[Group], entry: Any) -> Any:
        """Write an entry into all groups."""

    def changed(self, groups: Sequence[Group]) -> list[tuple[int, float]]:
        """Return the groups whose current value it did not write, with that value."""
        found: list[tuple[int, float]] = []
        if not self._entries and not self._before:
            return found
        for index, origin in enumerate(self._held.origins(groups)):
            if origin is None or not self.slot.exists_in(groups[index]):
                continue
            current = self.slot.read(groups[index])
            if not self._is_own(current, origin):
                found.append((index, plain(current)))
        return found

    def _is_own(self, current: Any, index: int) -> bool:
        if self._before and has_mark(current, self._before[index]):
            return True
        at = self._cursor.at
        end = min(at + 1 + self._cursor.interrupted, len(self._entries))
        for entry in (self._entries[i] for i in range(at, end)):
            value = self._value(entry, index)
            if value is None:
                return True
            if isinstance(current, Tensor):
                value = current.new_tensor(value).item()
            if plain(current) == value:
                return True
        return False

    def copy(self) -> SlotWriter:
        """Return a writer that continues as this one would."""
        twin = copy(self)
        twin._cursor = copy(self._cursor)
        return twin

    def hold(self, groups: Sequence[Group]) -> None:
        """Treat the current values as its own, and anything written from now on as a change."""
        exists, read = self.slot.exists_in, self.slot.read
        before = [mark_of(read(group)) if exists(group) else None for group in groups]
        self.forget()
        self._held, self._before = KnownGroups(groups), before

    def was_replaced(self, groups: Sequence[Group]) -> bool:
        """Return whether a known group has become another dict, as happens in a load."""
        present = self._held.present(groups)
        return any(self._held[index] is not group for index, group in present.items())

    def restore_tensors(self, groups: Sequence[Group]) -> None:
        """Put the last filled tensors back into groups that now hold others."""
        for index, origin in enumerate(self._held.origins(groups)):
            if origin is None or (tensor := self._tensor(origin)) is None:
                continue
            current = self.slot.read(groups[index])
            if (
                isinstance(current, Tensor)
                and current is not tensor
                and (current.shape, current.dtype) == (tensor.shape, tensor.dtype)
            ):
                self.slot.put_tensor(groups[index], tensor)

    def _tensor(self, index: int) -> Tensor | None:
        """Return the tensor of a group that was filled last."""
        return None

    def _separate(self, groups: Sequence[Group]) -> None:
        """Give each group a tensor of its own.

        An optimizer built with a tensor puts the same one into all its groups.
        """
        seen: set[int] = set()
        for group in groups:
            current = self.slot.read(group) if self.slot.exists_in(group) else None
            if isinstance(current, Tensor):
                if id(current) in seen:
                    self.slot.put_tensor(group, current.clone())
                seen.add(id(current))


class FloatWriter(SlotWriter):
    """A float in every group, ``offset + gain * entry``."""

    @property
    def even(self) -> bool:
        return not self._lines

    @property
    def column(self) -> tuple[str, Sequence[float]]:
        """The key and the entries."""
        return self.key, self._entries

    @property
    def groups(self) -> int:
        """The number of groups that it writes."""
        return len(self._held)

    def set_lines(self, lines: Sequence[tuple[float, float]]) -> None:
        super().set_lines(lines)
        self._gains = [gain for _, gain in lines]
        self._has_offsets = any(offset for offset, _ in lines)

    def put(self, groups: Sequence[Group], before: int, index: int) -> bool:
        if len(groups) != len(self._held):
            return False
        last, entry = self._entries[before], self._entries[index]
        if self._lines:
            return self._put_lines(groups, last, entry)
        key = self.key
        for group in groups:
            if group[key] is last:
                group[key] = entry
            else:
                return self.take_back(groups, group)
        return True

    def _put_lines(self, groups: Sequence[Group], last: float, entry: float) -> bool:
        key = self.key
        if not self._has_offsets:
            for group, gain in zip(groups, self._gains):  # noqa: B905  (twice the time)
                if group[key] == gain * last:
                    group[key] = gain * entry
                else:
                    return self.take_back(groups, group)
            return True
        for group, (offset, gain) in zip(groups, self._lines, strict=True):
            if group[key] == offset + gain * last:
                group[key] = offset + gain * entry
            else:
                return self.take_back(groups, group)
        return True

    def take_back(self, groups: Sequence[Group], stop: Group) -> bool:
        """Write the previous values back into the groups before ``stop``; return False."""
        for index, group in enumerate(groups):
            if group is stop:
                break
            group[self.key] = self._value(self.last, index)
        return False

    def _value(self, entry: float, index: int) -> float | None:
        return super()._value(entry, index) if self._lines else entry

    def _assign(self, groups: Sequence[Group], entry: float) -> None:
        for index, group in enumerate(groups):
            group[self.key] = self._value(entry, index)


class FloatPair(Step):
    """Two floats, such as a rate and a momentum, each the same in every group.

    One loop over the groups for both takes less time than one for each.

    Arguments:
        first: Writes one of them.
        second: Writes the other.
    """

    __slots__ = ("_columns", "_writers")

    def __init__(self, first: FloatWriter, second: FloatWriter) -> None:
        self._writers = first, second
        self._columns = *first.column, *second.column, first.groups

    def put(self, groups: Sequence[Group], before: int, index: int) -> bool:
        key, values, other, others, count = self._columns
        if len(groups) != count:
            return False
        last, value = values[before], values[index]
        latest, further = others[before], others[index]
        for group in groups:
            if group[key] is last and group[other] is latest:
                group[key] = value
                group[other] = further
            else:
                first, second = self._writers
                return first.take_back(groups, group) or second.take_back(groups, group)
        return True


class Several(Step):
    """Several numbers, one writer each."""

    def __init__(self, writers: Sequence[SlotWriter]) -> None:
        self._writers = writers

    def put(self, groups: Sequence[Group], before: int, index: int) -> bool:
        for count, writer in enumerate(self._writers):
            if not writer.put(groups, before, index):
                for done in self._writers[:count]:
                    done.write(groups, done.last)
                return False
        return True


class Checked(Step):
    """A step that is made only if all checks allow it."""

    def __init__(self, step: Step, checks: Sequence[Check]) -> None:
        self._step, self._checks = step, checks

    def put(self, groups: Sequence[Group], before: int, index: int) -> bool:
        for check in self._checks:
            if not check(groups, index):
                return False
        return self._step.put(groups, before, index)
