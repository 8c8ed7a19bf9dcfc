"""Writers of numbers that are not floats: tensors, and one number of a tuple."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from lehr.torch.binding import Group
from lehr.torch.writers import SlotWriter, has_mark, mark_of


def _arrays(tensors: Sequence[Tensor]) -> list[NDArray[Any]]:
    """Return arrays that share the tensors' memory; none if one tensor has no array."""
    ordinary = all(
        type(tensor) is Tensor
        and tensor.device.type == "cpu"
        and tensor.dtype in (torch.float32, torch.float64)
        for tensor in tensors
    )
    return [tensor.detach().numpy() for tensor in tensors] if ordinary else []


class TensorFill(SlotWriter):
    """A tensor in every group, filled with ``offset + gain * entry``.

    A change by hand is recognized by the tensor's version, which each fill raises by one, without
    waiting for a device. Tensors in CPU memory are filled through NumPy, in a tenth of the time,
    and keep their versions.
    """

    _tensors: Sequence[Tensor] = ()

    def put(self, groups: Sequence[Group], before: int, index: int) -> bool:
        if len(groups) != len(self._held):
            return False
        key, count = self.key, self._count
        for group, tensor, version in zip(groups, self._tensors, self._versions):  # noqa: B905  (twice the time)
            if group[key] is not tensor or tensor._version != version + count:
                return False
        # If memory is shared between processes later, the tensor moves and leaves the array behind.
        for tensor, place in zip(self._tensors if self._addresses else (), self._addresses):  # noqa: B905
            if tensor.data_ptr() != place:
                return False
        entry = self._entries[index]
        if self._arrays:
            for array, (offset, gain) in zip(self._arrays, self._lines, strict=True):
                array[()] = offset + gain * entry
        else:
            self._fill(entry)
            self._count = count + 1
        return True

    def _fill(self, entry: float) -> None:
        """Fill each tensor once, which raises its version by one."""
        # Detached, rather than under no_grad(): an interrupt at its end would leave that on.
        for index, tensor in self._once.values():
            offset, gain = self._lines[index]
            tensor.detach().fill_(offset + gain * entry)

    def write(self, groups: Sequence[Group], entry: float) -> None:
        if len(set(self._lines)) > 1:
            self._separate(groups)
        super().write(groups, entry)

    def _assign(self, groups: Sequence[Group], entry: float) -> None:
        self._tensors = [group[self.key] for group in groups]
        self._once = {id(tensor): (index, tensor) for index, tensor in enumerate(self._tensors)}
        self._fill(entry)
        self._versions = [tensor._version for tensor in self._tensors]
        self._arrays = _arrays(self._tensors)
        self._addresses = [tensor.data_ptr() for tensor in self._tensors] if self._arrays else []
        self._count = 0

    def _is_own(self, current: Any, index: int) -> bool:
        if not self._before:
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

    _marks: Sequence[Any] = ()

    def put(self, groups: Sequence[Group], before: int, index: int) -> bool:
        if len(groups) != len(self._held):
            return False
        read = self.slot.read
        for group, mark in zip(groups, self._marks):  # noqa: B905  (twice the time)
            if mark is not None and not has_mark(read(group), mark):
                return False
        self._assign(groups, self._entries[index])
        return True

    def write(self, groups: Sequence[Group], entry: Sequence[float | None]) -> None:
        if len(self._held) != len(groups):
            self._separate(groups)
        super().write(groups, entry)

    def _assign(self, groups: Sequence[Group], entry: Sequence[float | None]) -> None:
        marks: list[Any] = [None] * len(groups)
        for index, (group, value) in enumerate(zip(groups, entry, strict=True)):
            if value is not None:
                self.slot.write(group, value)
                marks[index] = mark_of(self.slot.read(group))
        self._marks = marks

    def _value(self, entry: Sequence[float | None], index: int) -> float | None:
        return entry[index]

    def _is_own(self, current: Any, index: int) -> bool:
        marked = index < len(self._marks) and has_mark(current, self._marks[index])
        return marked or super()._is_own(current, index)

    def _tensor(self, index: int) -> Tensor | None:
        mark = self._marks[index] if index < len(self._marks) else None
        return mark[0] if isinstance(mark, tuple) else None
