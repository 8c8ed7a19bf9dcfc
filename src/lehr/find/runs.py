"""The short runs of a search: their budget, their schedule, and the loss at their end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import fmean, pstdev

from lehr.errors import ScheduleError
from lehr.schedule.base import Schedule
from lehr.schedule.horizon import Horizon, HorizonLike
from lehr.time.duration import STEPS, Duration

BUDGET = 400
"""The default for the most updates that a search may take."""

LEAST = 60
"""The fewest updates that a search can do with."""

LOST, EXPLODED = 100.0, 1_000.0
"""How far the loss rises in a run that has lost its progress, and in one that explodes, in
multiples of the scatter between batches."""


def updates_of(budget: int | str, steps: int) -> int:
    """Return a budget in updates.

    Arguments:
        budget: A number of updates, or a share of the run: 400, ``"10%"``.
        steps: The length of the planned run.

    Raises:
        ScheduleError: If it is neither, is below 60, or is a share that the short runs alone may
            exceed.

    Example:
        >>> updates_of(400, 1_000), updates_of("10%", 20_000)
        (400, 2000)
    """
    given = int(budget) if isinstance(budget, str) and budget.isdecimal() else budget
    wanted = (
        f"budget={budget!r:.80} is not a number of updates: write {BUDGET}, or '10%' of the run"
    )
    try:
        length = Duration.of(given)
    except ScheduleError:
        raise ScheduleError(wanted) from None
    if not length.is_share and length.unit != STEPS:
        raise ScheduleError(wanted)
    updates = int(length.amount * (steps if length.is_share else Fraction(1)))
    if length.is_share and updates < BUDGET:
        raise ScheduleError(
            f"budget={budget!r} is {updates} of {steps} updates, and short runs alone may take "
            f"{BUDGET}: write budget={BUDGET}, or '{-(-100 * BUDGET // steps)}%' or more"
        )
    if updates < LEAST:
        raise ScheduleError(
            f"budget={budget!r} is too small: a search needs at least {LEAST} updates; write "
            f"budget={BUDGET}"
        )
    return updates


def squeezed(schedule: Schedule, steps: HorizonLike, updates: int) -> list[float]:
    """Return the factors of a schedule over a run, squeezed into fewer updates.

    Each is the value in the middle of its part of the run, so that a short warmup is kept in
    proportion and no update is wasted on a rate of 0.

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
        batches: Which batches to use: 0, or a number from 1 for a repetition with other batches.
    """

    rate: float
    updates: int
    batches: int = 0


def end_of(losses: Sequence[float]) -> float:
    """Return the mean of the last fifth of the losses."""
    return fmean(losses[-max(2, round(len(losses) / 5)) :])


@dataclass(frozen=True)
class Before:
    """The losses of batches before training.

    Attributes:
        losses: The losses; empty until they are measured.
    """

    losses: tuple[float, ...] = ()

    @property
    def start(self) -> float:
        """The loss on the batches with which a short run ends."""
        return end_of(self.losses) if self.losses else math.nan

    @property
    def noise(self) -> float:
        """The scatter of the loss between batches."""
        return pstdev(self.losses)

    def is_above(self, loss: float, times: float) -> bool:
        """Return whether a loss is not finite, or is this many times the scatter above the start.

        The scale is that of the batches, not of the progress, so that which runs are stopped does
        not depend on earlier runs. If all batches are alike, the loss itself is the scale.
        """
        if not math.isfinite(loss) or not self.losses:
            return not math.isfinite(loss)
        return loss - self.start > times * (self.noise or abs(self.start) / LOST)
