"""Updates: how many an optimizer has made, and whether the last one was skipped."""

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
"""The warning about a step before the first update, in torch's words."""


class Updates:
    """Counts an optimizer's updates. It is also the optimizer's hook, so it must not refer to it.

    A gradient scaler passes a fused optimizer a tensor that says whether to skip an update. Reading
    it waits for the device, so a scheduler reads it only when it moves and must know, and nothing
    reads it while the optimizer works.

    Attributes:
        count: The number of updates known to have been made.
        skipped: Whether an update has been skipped since the last of these, as far as is known.
        captured: Whether a CUDA graph has captured an update; its replays run no hook.
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
            Whether it turns out that the update was made.
        """
        if self._unread is None:
            return False
        self.skipped = bool(self._unread.item())
        self._unread = None
        self.count += not self.skipped
        return not self.skipped


class JointUpdates:
    """Counts the updates of several optimizers: a round in which any of them updates counts once.

    A read of ``count`` that finds new updates ends a round, however many were made in it: a
    discriminator may be updated five times for each update of its generator. So each scheduler has
    its own counter.

    Arguments:
        parts: The counters of the optimizers.
    """

    def __init__(self, parts: Sequence[Updates]) -> None:
        self.parts = list(parts)
        self._seen, self._count = 0, 0

    @property
    def count(self) -> int:
        """The number of rounds in which an update was certainly made."""
        made = sum(part.count for part in self.parts)
        if made != self._seen:
            self._seen = made
            self._count += 1
        return self._count

    @property
    def skipped(self) -> bool:
        """Whether one of the optimizers skipped its last update, as far as is known."""
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
    """Return a counter for the counted optimizers, if any; reuse the previous one if it fits.

    Arguments:
        parts: The counters of the optimizers.
        before: The counter last returned to the same reader.
    """
    if len(parts) > 1:
        alike = isinstance(before, JointUpdates) and before.parts == parts
        return before if alike else JointUpdates(parts)
    return parts[0] if parts else None


def has_begun(optimizer: Any, updates: Updates | JointUpdates | None) -> bool:
    """Return whether an optimizer has made an update; True if that is unknown."""
    return updates is None or updates.count > 0 or getattr(optimizer, "_opt_called", False)


def own_step(optimizer: Any) -> Any:
    """Return an optimizer's step function, unwrapped from all declared wrappers."""
    step = inspect.unwrap(optimizer.step)
    return getattr(step, "__func__", step)
