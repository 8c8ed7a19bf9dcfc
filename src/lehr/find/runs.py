"""The short runs of a search: their schedule, and the loss at their end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from lehr.schedule.base import Schedule
from lehr.schedule.horizon import Horizon, HorizonLike

LOST, EXPLODED = 100.0, 1_000.0
"""How far a loss rises in a run that has lost its progress, and in one that explodes: times the
scatter between batches."""


def squeezed(schedule: Schedule, steps: HorizonLike, updates: int) -> list[float]:
    """Return the factors of a schedule over a run, squeezed into fewer updates.

    Each is the value in the middle of its share of the run, so that a short warmup is kept in
    proportion and no update is lost to a rate of 0.

    Example:
        >>> import lehr
        >>> squeezed(lehr.warmup(200) >> lehr.hold(), 1_000, 5)
        [0.5, 1.0, 1.0, 1.0, 1.0]
    """
    horizon = Horizon.of(steps)
    run, total = schedule.over(horizon), horizon.steps
    return [run((2 * i + 1) * total // (2 * updates)) for i in range(updates)]


@dataclass(frozen=True)
class ShortRun:
    """A run that a search needs.

    Attributes:
        rate: The peak rate; 0 measures the losses before training.
        updates: The number of updates over which the schedule is squeezed.
        batches: Which batches to use: 0, or a number from 1 for a repetition with others.
    """

    rate: float
    updates: int
    batches: int = 0


def end_of(losses: Sequence[float]) -> float:
    """Return the mean of the last fifth of some losses."""
    return fmean(losses[-max(2, round(len(losses) / 5)) :])


@dataclass(frozen=True)
class Before:
    """The losses of some batches before training.

    Attributes:
        losses: The losses; none before they are measured.
    """

    losses: tuple[float, ...] = ()

    @property
    def start(self) -> float:
        """The loss of the batches that a short run ends on."""
        return end_of(self.losses) if self.losses else math.nan

    @property
    def noise(self) -> float:
        """The scatter of the loss between batches."""
        return pstdev(self.losses)

    def is_above(self, loss: float, times: float) -> bool:
        """Return whether a loss is not finite, or this many times the scatter above the start.

        The scale is that of the batches, not of the progress: which runs are stopped must not
        depend on those before them. Where all batches are alike, only the loss itself is left.
        """
        if not math.isfinite(loss) or not self.losses:
            return not math.isfinite(loss)
        return loss - self.start > times * (self.noise or abs(self.start) / LOST)
