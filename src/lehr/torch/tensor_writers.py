"""Writers of numbers that are not floats: tensors, and one number of a tuple."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from lehr.torch.binding import Group, Slot
from lehr.torch.writers import Line, SlotWriter, has_mark, mark_of

__all__ = ["Mixed", "TensorFill"]


def _arrays(tensors: Sequence[Tensor]) -> list[NDArray[Any]]:
    """Return tensors' numbers as arrays in the same memory; nothing if one of them has no array."""
    ordinary = all(
        type(tensor) is Tensor
        and tensor.device.type == "cpu"
        and tensor.dtype in (torch.float32, torch.float64)
        for tensor in tensors
    )
    return [tensor.detach().numpy() for tensor in tensors] if ordinary else []


class TensorFill(SlotWriter):
    """A tensor in every group, filled with ``offset + gain * level``; an entry is the level.

    A change by hand is noticed by the tensor's version, which each filling raises by one, without
    waiting for a device. Tensors in the processor's memory are filled through NumPy, in a tenth of
    the time, and keep their versions.
    """

    lines: Sequence[Line] = ()
    _tensors: Sequence[Tensor] = ()

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Set each group's offset and gain; the current values are its own from now on."""
        self.forget()
        self.lines = lines
        self._even = len(set(lines)) == 1

    def put(self, groups: Sequence[Group], entries: Sequence[float], index: int) -> bool:
        if self.last is None or len(groups) != len(self.held):
            return False
        key, count = self.key, self._count
        for group, tensor, version in zip(groups, self._tensors, self._versions):  # noqa: B905  (twice the time)
            if group[key] is not tensor or tensor._version != version + count:
                return False
        # Memory that is shared between processes later moves, and leaves the array behind.
        for tensor, place in zip(self._tensors if self._places else (), self._places):  # noqa: B905
            if tensor.data_ptr() != place:
                return False
        entry = self.pending = entries[index]
        if self._arrays:
            self._fill_arrays(entry)
            self.last = entry
        else:
            self._fill(entry)
            self.last, self._count = entry, count + 1
        return True

    def _fill_arrays(self, entry: float) -> None:
        for array, (offset, gain) in zip(self._arrays, self.lines, strict=True):
            array[()] = offset + gain * entry

    def _fill(self, entry: float) -> None:
        """Fill each tensor once, which raises its version by one."""
        with torch.no_grad():
            for index, tensor in self._once.values():
                offset, gain = self.lines[index]
                tensor.fill_(offset + gain * entry)

    def write(self, groups: Sequence[Group], entry: float) -> None:
        if not self._even:
            self.separate(groups)
        super().write(groups, entry)

    def _assign(self, groups: Sequence[Group], entry: float) -> None:
        self._tensors = [group[self.key] for group in groups]
        self._once = {id(tensor): (index, tensor) for index, tensor in enumerate(self._tensors)}
        self._fill(entry)
        self._versions = [tensor._version for tensor in self._tensors]
        self._arrays = _arrays(self._tensors)
        self._places = [tensor.data_ptr() for tensor in self._tensors] if self._arrays else []
        self._count = 0

    def _value(self, written: float, index: int) -> float:
        offset, gain = self.lines[index]
        return offset + gain * written

    def _is_own(self, current: Any, index: int) -> bool:
        if self.last is not None:
            mark = self._tensors[index], self._versions[index] + self._count
            if has_mark(current, mark):
                return True
        return super()._is_own(current, index)

    def _tensor(self, index: int) -> Tensor | None:
        return self._tensors[index] if index < len(self._tensors) else None


class Mixed(SlotWriter):
    """Numbers of any kind, in any of the groups: floats, tensors, one number of a tuple.

    An entry is a list with a float for each group, or None for a group that is not driven.
    """

    def __init__(self, slot: Slot) -> None:
        super().__init__(slot)
        self._marks: list[Any] = []

    def put(self, groups: Sequence[Group], entries: Sequence[Any], index: int) -> bool:
        if self.last is None or len(groups) != len(self.last):
            return False
        read = self.slot.read
        for group, mark in zip(groups, self._marks):  # noqa: B905  (twice the time)
            if mark is not None and not has_mark(read(group), mark):
                return False
        entry = self.pending = entries[index]
        self._assign(groups, entry)
        self.last = entry
        return True

    def write(self, groups: Sequence[Group], entry: Sequence[float | None]) -> None:
        if len(self.held) != len(groups):
            self.separate(groups)
        super().write(groups, entry)

    def _assign(self, groups: Sequence[Group], entry: Sequence[float | None]) -> None:
        marks: list[Any] = [None] * len(groups)
        for index, (group, value) in enumerate(zip(groups, entry, strict=True)):
            if value is not None:
                self.slot.write(group, value)
                marks[index] = mark_of(self.slot.read(group))
        self._marks = marks

    def _value(self, written: Sequence[float | None], index: int) -> float | None:
        return written[index]

    def _is_own(self, current: Any, index: int) -> bool:
        if self.last is not None and has_mark(current, self._marks[index]):
            return True
        return super()._is_own(current, index)

    def _tensor(self, index: int) -> Tensor | None:
        mark = self._marks[index] if index < len(self._marks) else None
        return mark[0] if isinstance(mark, tuple) else None
