# pyright: basic
"""Lanes: how one driven number gets into all groups, and how a change by hand is seen.

A lane writes one slot of the parameter groups and remembers what it wrote. Before it writes again
it looks whether that still stands there; if not, somebody else has changed it since, and nothing
is written. Looking costs as much as writing, so with more than ``FEW`` groups it looks at the
first and the last; the board looks at all of them at the edges of blocks, when a state is saved or
loaded, and when a position is sought.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

from torch import Tensor

from lehr.torch.track import Group, Slot, plain

__all__ = ["FEW", "Each", "Even", "Fill", "Lane", "Lines"]

FEW: Final = 8
"""Up to so many groups are looked at before each write."""


class Lane(ABC):
    """Writes one number of the groups; ``put`` says whether what it wrote last still stood."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.key = slot.key

    @abstractmethod
    def put(self, groups: Sequence[Group], entry: Any) -> bool:
        """Write an entry to all groups, unless what was written last has been changed since."""

    @abstractmethod
    def write(self, groups: Sequence[Group], entry: Any) -> None:
        """Write an entry, whatever stands there."""

    @abstractmethod
    def changed(self, groups: Sequence[Group]) -> list[tuple[int, float]]:
        """Return the groups whose number is not the one written last, with what stands there."""

    @abstractmethod
    def forget(self) -> None:
        """Take whatever stands there as written by itself, until it writes again."""

    def put_back(self, groups: Sequence[Group]) -> None:
        """Put the tensors that were filled last into groups that hold others in their place."""
        for index, tensor in self._filled():
            if index >= len(groups):
                continue
            current = self.slot.read(groups[index])
            if (
                isinstance(current, Tensor)
                and current is not tensor
                and (current.shape, current.dtype) == (tensor.shape, tensor.dtype)
            ):
                self.slot.place_tensor(groups[index], tensor)

    def _filled(self) -> list[tuple[int, Tensor]]:
        """Return the tensors that were filled last, with the groups that they belong to."""
        return []


class Even(Lane):
    """The same float in every group: what it writes is one number."""

    last: Any = None
    groups = 0

    def put(self, groups: Sequence[Group], entry: float) -> bool:
        key, last = self.key, self.last
        looked = groups if len(groups) <= FEW else (groups[0], groups[-1])
        for group in looked:
            if group[key] is not last:
                return False
        for group in groups:
            group[key] = entry
        self.last = entry
        return True

    def write(self, groups: Sequence[Group], entry: float) -> None:
        for group in groups:
            group[self.key] = entry
        self.last, self.groups = entry, len(groups)

    def take_back(self, groups: Sequence[Group], entry: float) -> None:
        """Put what was there before into the groups that an entry has reached."""
        for group in groups:
            if group[self.key] is entry:
                group[self.key] = self.last

    def changed(self, groups: Sequence[Group]) -> list[tuple[int, float]]:
        if self.last is None:
            return []
        return [
            (index, float(group[self.key]))
            for index, group in enumerate(groups[: self.groups])
            if group[self.key] != self.last
        ]

    def forget(self) -> None:
        self.last = None


class Lines(Lane):
    """A float of its own for each group, ``offset + gain * level``: what it writes is the level.

    Computing the product costs less than taking one that was computed before out of a table.
    """

    last: Any = None
    lines: Sequence[tuple[float, float]] = ()
    _plain = False

    def draw(self, lines: Sequence[tuple[float, float]]) -> None:
        """Take the offset and the gain of each group."""
        self.lines = lines
        self._gains = [gain for _, gain in lines]
        self._plain = not any(offset for offset, _ in lines)

    def put(self, groups: Sequence[Group], entry: float) -> bool:
        last, key, lines = self.last, self.key, self.lines
        if last is None:
            return False
        for index in range(len(groups)) if len(groups) <= FEW else (0, -1):
            offset, gain = lines[index]
            if groups[index][key] != offset + gain * last:
                return False
        if self._plain:
            for group, gain in zip(groups, self._gains):  # noqa: B905  (twice the time)
                group[key] = gain * entry
            self.last = entry
        else:
            self.write(groups, entry)
        return True

    def write(self, groups: Sequence[Group], entry: float) -> None:
        key = self.key
        for group, (offset, gain) in zip(groups, self.lines, strict=True):
            group[key] = offset + gain * entry
        self.last = entry

    def changed(self, groups: Sequence[Group]) -> list[tuple[int, float]]:
        if self.last is None:
            return []
        return [
            (index, float(group[self.key]))
            for index, (group, (offset, gain)) in enumerate(zip(groups, self.lines, strict=False))
            if group[self.key] != offset + gain * self.last
        ]

    def forget(self) -> None:
        self.last = None


class Fill(Lane):
    """A tensor in every group, filled with ``offset + gain * level``: what it writes is the level.

    That somebody else has changed a tensor is seen from its version, which each filling raises by
    one, without waiting for a device.
    """

    last: Any = None

    def draw(self, lines: Sequence[tuple[float, float]]) -> None:
        """Take the offset and the gain of each group."""
        self.lines = lines
        self._even = len(set(lines)) == 1
        self._offset, self._gain = lines[0]

    def put(self, groups: Sequence[Group], entry: float) -> bool:
        if self.last is None:
            return False
        key, filled = self.key, self._count
        looked = zip(groups, self._held, self._versions)  # noqa: B905  (twice the time)
        for group, tensor, version in looked if len(groups) <= FEW else self._ends(groups):
            if group[key] is not tensor or tensor._version != version + filled:
                return False
        try:
            if self._even:
                value = self._offset + self._gain * entry
                for group in groups:
                    group[key].fill_(value)
            else:
                self._fill(groups, entry)
        except AttributeError:
            # A number stands where a tensor stood.
            self.forget()
            return False
        self.last, self._count = entry, filled + 1
        return True

    def _ends(self, groups: Sequence[Group]) -> list[tuple[Group, Tensor, int]]:
        return [(groups[i], self._held[i], self._versions[i]) for i in (0, -1)]

    def _fill(self, groups: Sequence[Group], entry: float) -> None:
        for group, (offset, gain) in zip(groups, self.lines, strict=True):
            group[self.key].fill_(offset + gain * entry)

    def write(self, groups: Sequence[Group], entry: float) -> None:
        self._fill(groups, entry)
        self._held = [group[self.key] for group in groups]
        self._versions = [tensor._version for tensor in self._held]
        self.last, self._count = entry, 0

    def changed(self, groups: Sequence[Group]) -> list[tuple[int, float]]:
        if self.last is None:
            return []
        found: list[tuple[int, float]] = []
        for index, tensor in enumerate(self._held[: len(groups)]):
            current = groups[index][self.key]
            if current is tensor and tensor._version == self._versions[index] + self._count:
                continue
            offset, gain = self.lines[index]
            if plain(current) != plain(tensor.new_tensor(offset + gain * self.last)):
                found.append((index, plain(current)))
        return found

    def forget(self) -> None:
        self.last = None

    def _filled(self) -> list[tuple[int, Tensor]]:
        return list(enumerate(getattr(self, "_held", ())))


class Each(Lane):
    """Numbers of any kind, in any of the groups: floats, tensors, one number of a tuple.

    What it writes is a list with a float for each group, or None where a group is not driven. A
    tensor is filled and keeps its identity, which compiled steps and captured graphs hold on to;
    that somebody else has changed it is seen from its version, without waiting for a device.
    """

    def __init__(self, slot: Slot) -> None:
        super().__init__(slot)
        self.last: Sequence[float | None] = []
        self._tensors: dict[int, tuple[Tensor, int]] = {}

    def put(self, groups: Sequence[Group], entry: Sequence[float | None]) -> bool:
        if len(self.last) != len(groups) or not self._stands(groups):
            return False
        self.write(groups, entry)
        return True

    def _stands(self, groups: Sequence[Group]) -> bool:
        size = len(groups)
        for index in range(size) if size <= FEW else (0, size - 1):
            last = self.last[index]
            if last is None:
                continue
            current = self.slot.read(groups[index])
            if isinstance(current, Tensor):
                tensor, version = self._tensors.get(index, (None, -1))
                if tensor is not current or current._version != version:
                    return False
            elif current is not last:
                return False
        return True

    def write(self, groups: Sequence[Group], entry: Sequence[float | None]) -> None:
        read, key, single = self.slot.read, self.key, self.slot.index is None
        for index, (group, value) in enumerate(zip(groups, entry, strict=True)):
            if value is None:
                continue
            current = group[key] if single else read(group)
            if isinstance(current, Tensor):
                current.fill_(value)
                self._tensors[index] = current, current._version
            elif single:
                group[key] = value
            else:
                self.slot.write(group, value)
        self.last = entry

    def changed(self, groups: Sequence[Group]) -> list[tuple[int, float]]:
        found: list[tuple[int, float]] = []
        for index, (group, last) in enumerate(zip(groups, self.last, strict=False)):
            if last is None:
                continue
            current = self.slot.read(group)
            if not isinstance(current, Tensor):
                if current != last:
                    found.append((index, float(current)))
                continue
            tensor, version = self._tensors.get(index, (None, -1))
            if tensor is current and current._version == version:
                continue
            value = float(current.item())
            if value != float(current.new_tensor(last).item()):
                found.append((index, value))
        return found

    def forget(self) -> None:
        self.last = []

    def _filled(self) -> list[tuple[int, Tensor]]:
        return [(index, tensor) for index, (tensor, _) in self._tensors.items()]
