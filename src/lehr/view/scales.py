"""The axes of a drawing: the unit of time, the peak rate, and whether the values are logarithms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from lehr.errors import NeedsHorizon, ScheduleError, number
from lehr.schedule.base import Schedule
from lehr.schedule.horizon import Horizon
from lehr.view.numbers import plain

Unit = Literal["steps", "epochs", "samples", "tokens", "%"]
UNITS: Final[tuple[Unit, ...]] = ("steps", "epochs", "samples", "tokens", "%")


@dataclass(frozen=True)
class TimeUnit:
    """A unit of the axis of time.

    Attributes:
        name: The unit.
        amount: How many of the unit a step has; None for shares, which depend on the run.
    """

    name: Unit
    amount: float | None = 1.0

    @classmethod
    def of(cls, name: Unit, run: Horizon) -> TimeUnit:
        """Return the unit with this name.

        Arguments:
            name: One of `UNITS`.
            run: The run, with its epochs and batches; the batches must have one size.

        Raises:
            ScheduleError: If the run does not define how many of the unit a step has.
        """
        if name == "steps":
            return STEPS
        if name == "%":
            return cls(name, None)
        batch = run.batch if isinstance(run.batch, int) else None
        samples = float(batch) if batch else None
        amount = {
            "samples": samples,
            "tokens": samples and run.sequence and samples * run.sequence,
            "epochs": (1 / run.steps_per_epoch)
            if run.steps_per_epoch
            else (samples and run.samples_per_epoch and samples / run.samples_per_epoch),
        }[name]
        if not amount:
            missing = {
                "samples": "--batch 32",
                "tokens": "--batch 32 --sequence 1024",
                "epochs": "--steps-per-epoch 500, or --samples-per-epoch 50000 --batch 100",
            }[name]
            raise ScheduleError(f"units={name!r} are not known for this run: give {missing}")
        return cls(name, amount)

    @property
    def title(self) -> str:
        """The title of the axis."""
        return {"steps": "step", "epochs": "epoch", "%": "share of the run"}.get(
            self.name, self.name
        )

    def per_step(self, steps: int) -> float:
        """Return how many of this unit a step has, in a run of `steps` steps."""
        return 100.0 / steps if self.amount is None else self.amount

    def label(self, value: float) -> str:
        """Write a position on the axis."""
        text = f"{value:,.0f}" if value == round(value) and value < 1e6 else plain(value, 4)
        return f"{text}%" if self.name == "%" else text


STEPS: Final = TimeUnit("steps")


@dataclass(frozen=True)
class Look:
    """How curves are drawn.

    Attributes:
        time: The unit of the axis of time.
        peak: What 1 means: values are multiplied by it.
        log: Whether the axis of the values is logarithmic.
        from_zero: Whether an axis that is not logarithmic has 0 on it.
    """

    time: TimeUnit = STEPS
    peak: float = 1.0
    log: bool = False
    from_zero: bool = True

    def __post_init__(self) -> None:
        number("peak", self.peak, above=0)


def evenly(steps: int, count: int) -> list[int]:
    """Return `count` steps of a run, evenly spaced, from its first to its last."""
    if steps < 1:
        raise ValueError(f"steps={steps!r} must be at least 1")
    return [round(i * (steps - 1) / max(1, count - 1)) for i in range(count)]


def own_steps(schedule: Schedule) -> int | None:
    """Return the whole steps that a schedule takes without a run, at least 1.

    None if it has no end, or takes its length from a run.
    """
    try:
        length = schedule.length
    except NeedsHorizon:
        return None
    return None if length is None else max(1, math.ceil(length))
