"""What a comparison will train: which pairs, at which peaks, with which seeds."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import NamedTuple

from lehr.catalogue import find
from lehr.lab.optimizers import OPTIMIZERS, find_optimizer
from lehr.lab.task import find_task, pinned
from lehr.lab.trial import Trial

__all__ = ["FULL", "QUICK", "SCHEDULES", "Flight", "Pair", "Plan", "Size"]

SCHEDULES = (
    "constant",
    "step",
    "exponential",
    "linear",
    "polynomial",
    "cosine",
    "warm_restarts",
    "triangular",
    "trapezoid",
    "one_cycle",
    "wsd",
)
"""The schedules compared unless others are named: the catalogue's, by family."""

# Seeds that tune and seeds that score must never meet, however many there are of each.
_TUNING = 1_000_000


class Pair(NamedTuple):
    """An optimizer and a schedule, by name."""

    optimizer: str
    schedule: str

    def __str__(self) -> str:
        return f"{self.optimizer}/{self.schedule}"


class Flight(NamedTuple):
    """Trials of one pair that are trained together: they differ in peak and seed only."""

    pair: Pair
    trials: list[Trial]


@dataclass(frozen=True)
class Size:
    """How much is trained for each pair.

    Attributes:
        steps: Updates in a run, at least 2.
        seeds: Runs that score a pair, at its chosen peak; at least 1.
        tuning_seeds: Runs at every peak that choose it; at least 1.
        peaks: The peak rates tried, above 0, in ascending order.
    """

    steps: int
    seeds: int
    tuning_seeds: int
    peaks: tuple[float, ...]

    def __post_init__(self) -> None:
        for name, least in (("steps", 2), ("seeds", 1), ("tuning_seeds", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name}={value!r} must be a whole number of at least {least}")
        if not self.peaks:
            raise ValueError("peaks=() is empty: write at least one peak rate")
        if not all(0 < peak < math.inf for peak in self.peaks):
            raise ValueError(f"peaks={self.peaks!r} must be finite and above 0")
        if any(a >= b for a, b in zip(self.peaks, self.peaks[1:], strict=False)):
            raise ValueError(f"peaks={self.peaks!r} must be in ascending order, each once")

    def differences(self, other: Size) -> list[str]:
        """The options that make this size of another."""
        words: list[str] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != getattr(other, field.name):
                text = ",".join(map(repr, value)) if field.name == "peaks" else str(value)
                words += ["--" + field.name.replace("_", "-"), text]
        return words


FULL = Size(
    steps=200,
    seeds=30,
    tuning_seeds=6,
    peaks=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0),
)
"""Two minutes for all pairs on a small machine. The runs are short enough for schedules to differ,
and the tuning seeds many enough that a pair seldom loses by the luck of its peak."""

QUICK = Size(steps=100, seeds=16, tuning_seeds=3, peaks=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0))
"""A first look: shorter runs, coarser peaks, wider intervals."""


@dataclass(frozen=True)
class Plan:
    """A comparison before it happens.

    Attributes:
        task: Name of the task.
        optimizers: Names of optimizers, each once.
        schedules: Names in the catalogue, each once.
        size: How much is trained for each pair.
    """

    task: str = "digits"
    optimizers: tuple[str, ...] = tuple(OPTIMIZERS)
    schedules: tuple[str, ...] = SCHEDULES
    size: Size = FULL

    def __post_init__(self) -> None:
        for kind, names in (("optimizers", self.optimizers), ("schedules", self.schedules)):
            if not names:
                raise ValueError(f"{kind}=() is empty: name at least one")
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                raise ValueError(f"{kind} names {twice[0]!r} twice: name each once")
        for name in self.optimizers:
            find_optimizer(name)
        for name in self.schedules:
            find(name)
        find_task(self.pinned)

    @cached_property
    def pinned(self) -> str:
        """The task as workers find it; where it has a file, with the content that it had first."""
        return pinned(self.task)

    @property
    def pairs(self) -> list[Pair]:
        return [Pair(o, s) for o in self.optimizers for s in self.schedules]

    @property
    def total(self) -> int:
        """How many trials the comparison takes."""
        each = len(self.size.peaks) * self.size.tuning_seeds + self.size.seeds
        return each * len(self.pairs)

    def tuning(self, pair: Pair, peak: float) -> list[Trial]:
        """The trials that say how good a peak is for a pair."""
        return self._trials(pair, peak, range(_TUNING, _TUNING + self.size.tuning_seeds))

    def scoring(self, pair: Pair, peak: float) -> list[Trial]:
        """The trials that score a pair at its chosen peak."""
        return self._trials(pair, peak, range(self.size.seeds))

    def _trials(self, pair: Pair, peak: float, seeds: Iterable[int]) -> list[Trial]:
        entry = find(pair.schedule)
        schedule = entry.example
        momentum = entry.momentum if find_optimizer(pair.optimizer).cycles else None
        return [
            Trial(
                task=self.pinned,
                optimizer=pair.optimizer,
                schedule=schedule,
                momentum=momentum,
                steps=self.size.steps,
                peak=peak,
                seed=seed,
            )
            for seed in seeds
        ]

    def command(self) -> str:
        """What to type for this comparison, without where to keep it."""
        words = ["lehr", "compare", "--task", self.task]
        if self.optimizers != tuple(OPTIMIZERS):
            words += ["--optimizers", ",".join(self.optimizers)]
        if self.schedules != SCHEDULES:
            words += ["--schedules", ",".join(self.schedules)]
        full = self.size.differences(FULL)
        quick = ["--quick", *self.size.differences(QUICK)]
        return shlex.join([*words, *min(full, quick, key=len)])
