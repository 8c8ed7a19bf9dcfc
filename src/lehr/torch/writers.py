"""Lanes: how one driven number gets into all groups, and how a change by hand is seen.

A lane writes one slot of the parameter groups and remembers what it wrote. Before it writes again
it looks whether that still stands there; if not, somebody else has changed it since, and nothing
is written.

Looking costs as much as writing a float. Where more than ``FEW`` groups share one, the number of
its holders tells at once whether all of them still do. The board looks at all of them at the edges
of blocks, when a state is saved or loaded, and when a position is sought.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from sys import getrefcount
from types import SimpleNamespace
from typing import Any, Final

import torch
from numpy.typing import NDArray
from torch import Tensor

from lehr.torch.binding import Group, Slot, plain

__all__ = ["FEW", "OWN", "Each", "Even", "Fill", "Lane", "Lines", "Pair"]

FEW: Final = 8
"""Up to so many groups it is quicker to look at them than to count who holds their number."""


def _own() -> int:
    held = SimpleNamespace(last=object())
    last = held.last
    return getrefcount(last)


OWN: Final = _own()
"""Holders of an even lane's number besides the groups, where they are counted: the lane, a local
variable, and what calls and interpreters differ in."""


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

    def part(self, groups: Sequence[Group]) -> None:
        """Give each group a tensor of its own.

        An optimizer that is built with a tensor puts the same one into all its groups.
        """
        seen: set[int] = set()
        for group in groups:
            current = self.slot.read(group)
            if isinstance(current, Tensor):
                if id(current) in seen:
                    self.slot.place_tensor(group, current.clone())
                seen.add(id(current))


class Even(Lane):
    """The same float in every group: what it writes is one number."""

    last: Any = None
    groups = 0

    def put(self, groups: Sequence[Group], entry: float) -> bool:
        last = self.last
        if getrefcount(last) == len(groups) + OWN or self.stands(groups):
            self.write(groups, entry)
            return True
        return False

    def stands(self, groups: Sequence[Group]) -> bool:
        """Look whether what was written last still stands in all groups."""
        key, last = self.key, self.last
        for group in groups:  # noqa: SIM110  (a quarter of the time)
            if group[key] is not last:
                return False
        return True

    def write(self, groups: Sequence[Group], entry: float) -> None:
        key = self.key
        for group in groups:
            group[key] = entry
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


Pair = tuple[Even, Even, list[float]]
"""Two even lanes, such as a rate and a momentum, that are written in one pass; and the numbers of
the second, the last step first. (Pairs of numbers would have to be made.)"""


class Lines(Lane):
    """A float of its own for each group, ``offset + gain * level``: what it writes is the level.

    Computing the product costs less than taking one that was computed before out of a table. A
    group that takes another's place in the list is seen where it is the first or the last, and
    else when the lane is next told to write whatever stands there.
    """

    last: Any = None
    lines: Sequence[tuple[float, float]] = ()

    def draw(self, lines: Sequence[tuple[float, float]]) -> None:
        """Take the offset and the gain of each group."""
        self.lines = lines
        self._plain = not any(offset for offset, _ in lines)

    def put(self, groups: Sequence[Group], entry: float) -> bool:
        key, last, twos = self.key, self.last, self._twos
        if last is None or groups[0] is not twos[0][0] or groups[-1] is not twos[-1][2]:
            return False
        if not self._plain:
            if self.changed(groups):
                return False
            self.write(groups, entry)
            return True
        # Looks and writes in one pass; two at a time is a tenth faster.
        for group, gain, other, more in twos:
            if group[key] != gain * last or other[key] != more * last:
                self._take_back(groups, entry)
                return False
            group[key] = gain * entry
            other[key] = more * entry
        self.last = entry
        return True

    def _take_back(self, groups: Sequence[Group], entry: float) -> None:
        key, last = self.key, self.last
        for group, (_, gain) in zip(groups, self.lines, strict=True):
            if group[key] == gain * entry:
                group[key] = gain * last

    def write(self, groups: Sequence[Group], entry: float) -> None:
        key = self.key
        for group, (offset, gain) in zip(groups, self.lines, strict=True):
            group[key] = offset + gain * entry
        self.last = entry
        flat = [(group, gain) for group, (_, gain) in zip(groups, self.lines, strict=True)]
        if len(flat) % 2:
            flat.append(flat[-1])
        self._twos = [(*one, *two) for one, two in zip(flat[::2], flat[1::2], strict=True)]

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


def _arrays(tensors: Sequence[Tensor]) -> list[NDArray[Any]]:
    """Return the numbers of tensors as arrays in the same memory; none, where one has no such."""
    ordinary = all(
        type(tensor) is Tensor
        and tensor.device.type == "cpu"
        and tensor.dtype in (torch.float32, torch.float64)
        for tensor in tensors
    )
    return [tensor.detach().numpy() for tensor in tensors] if ordinary else []


class Fill(Lane):
    """A tensor in every group, filled with ``offset + gain * level``: what it writes is the level.

    That somebody else has changed a tensor is seen from its version, which each filling raises by
    one, without waiting for a device. Where all are in the processor's memory, they are written
    through NumPy, in a tenth of the time, and their versions stay.
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
        key = self.key
        if self._arrays:
            looked = zip(groups, self._held, self._versions, self._places)  # noqa: B905  (twice the time)
            for group, tensor, version, place in looked:
                if (
                    group[key] is not tensor
                    or tensor._version != version
                    # Memory that is shared later moves, and leaves the array behind.
                    or tensor.data_ptr() != place
                ):
                    return False
            self._assign(entry)
        else:
            filled = self._count
            looked = zip(groups, self._held, self._versions)  # noqa: B905  (twice the time)
            for group, tensor, version in looked:
                if group[key] is not tensor or tensor._version != version + filled:
                    return False
            self._fill(entry)
            self._count = filled + 1
        self.last = entry
        return True

    def _assign(self, entry: float) -> None:
        if self._even:
            value = self._offset + self._gain * entry
            for array in self._arrays:
                array[()] = value
        else:
            for array, (offset, gain) in zip(self._arrays, self.lines, strict=True):
                array[()] = offset + gain * entry

    def _fill(self, entry: float) -> None:
        if self._even:
            value = self._offset + self._gain * entry
            for tensor in self._once:
                tensor.fill_(value)
        else:
            for tensor, (offset, gain) in zip(self._held, self.lines, strict=True):
                tensor.fill_(offset + gain * entry)

    def write(self, groups: Sequence[Group], entry: float) -> None:
        if not self._even:
            self.part(groups)
        self._held = [group[self.key] for group in groups]
        self._once = list({id(tensor): tensor for tensor in self._held}.values())
        self._fill(entry)
        self._versions = [tensor._version for tensor in self._held]
        self._arrays = _arrays(self._held)
        self._places = [tensor.data_ptr() for tensor in self._held] if self._arrays else []
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
        for index, (group, last) in enumerate(zip(groups, self.last)):  # noqa: B905  (twice the time)
            if last is None:
                continue
            current = self.slot.read(group)
            if isinstance(current, Tensor):
                tensor, version = self._tensors.get(index, (None, -1))
                if tensor is not current or current._version != version:
                    return False
            elif current is not last:
                return False
        return True

    def write(self, groups: Sequence[Group], entry: Sequence[float | None]) -> None:
        if len(self.last) != len(groups):
            self.part(groups)
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
