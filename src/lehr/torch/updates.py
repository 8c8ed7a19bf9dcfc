"""Updates: how many an optimizer made, and whether the last one was skipped."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor
from torch.optim import Optimizer

TOO_EARLY: Final = (
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`: the schedule's first value "
    "is never used. Call `optimizer.step()` first, then `lr_scheduler.step()`"
)
"""The warning of a step that comes before the first update, in torch's words."""


class Updates:
    """Counts an optimizer's updates. It is also the optimizer's hook, so it must not refer to it.

    The gradient scaler tells a fused optimizer in a tensor whether to skip an update. Reading it
    waits for the device; so a scheduler reads it when it moves, since it must know, and nothing
    reads it while the optimizer works.

    Attributes:
        count: The updates that are known to have been made.
        skipped: Whether an update was skipped since the last of them, as far as that was read.
        captured: Whether a CUDA graph has captured one; its replays run no hook.
    """

    __slots__ = ("_unread", "captured", "count", "skipped")

    def __init__(self) -> None:
        self.count = 0
        self.skipped = self.captured = False
        self._unread: Tensor | None = None

    def __call__(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing():
            self.captured = True
        if self._unread is not None:
            # No scheduler has read it, so none depends on it.
            self.count += 1
        found = getattr(optimizer, "found_inf", None)
        self._unread = found if isinstance(found, Tensor) else None
        if self._unread is None:
            self.count += 1
        self.skipped = False

    def read(self) -> bool:
        """Read whether the last update was skipped, if that is still unread.

        Returns:
            Whether it turns out to have been made.
        """
        if self._unread is None:
            return False
        self.skipped = bool(self._unread.item())
        self._unread = None
        self.count += not self.skipped
        return not self.skipped


class JointUpdates:
    """Counts the updates of several optimizers: a round in which any of them made one is one.

    Each reading of ``count`` that finds new updates ends a round, however many were made in it: a
    discriminator may be updated five times for each update of its generator. So each scheduler has
    a counter of its own.

    Arguments:
        parts: Those of the optimizers.
    """

    def __init__(self, parts: Sequence[Updates]) -> None:
        self.parts = list(parts)
        self._seen, self._count = 0, 0

    @property
    def count(self) -> int:
        """The rounds with an update that was made for certain."""
        made = sum(part.count for part in self.parts)
        if made != self._seen:
            self._seen = made
            self._count += 1
        return self._count

    @property
    def skipped(self) -> bool:
        """Whether one of the optimizers skipped its last update, as far as that was read."""
        return any(part.skipped for part in self.parts)

    @property
    def captured(self) -> bool:
        """Whether a CUDA graph has captured an update of any of them."""
        return any(part.captured for part in self.parts)

    def read(self) -> bool:
        """Read whether the last updates were skipped; return whether any turns out to be made."""
        made = [part.read() for part in self.parts]
        return True in made


def counter_of(
    parts: Sequence[Updates], before: Updates | JointUpdates | None
) -> Updates | JointUpdates | None:
    """Return a counter for the optimizers that are counted, if any: the one before, if it will do.

    Arguments:
        parts: The counters of the optimizers.
        before: What was returned last, to the same reader.
    """
    if len(parts) > 1:
        alike = isinstance(before, JointUpdates) and before.parts == parts
        return before if alike else JointUpdates(parts)
    return parts[0] if parts else None


def has_begun(optimizer: Any, updates: Updates | JointUpdates | None) -> bool:
    """Return whether an optimizer has made an update; True if that is unknown."""
    return updates is None or updates.count > 0 or getattr(optimizer, "_opt_called", False)


def own_step(optimizer: Any) -> Any:
    """Return the function with which an optimizer steps, inside all declared wrappers."""
    step = inspect.unwrap(optimizer.step)
    return getattr(step, "__func__", step)
