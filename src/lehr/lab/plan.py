"""The plan of a comparison: which pairs, at which peaks, with which seeds."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from lehr.lab.optimizers import OPTIMIZERS, find_optimizer
from lehr.lab.own.naming import is_own, own_options
from lehr.lab.schedules import check_contender, find_contender
from lehr.lab.tasks.registry import TASKS, find_task, identity, pinned
from lehr.lab.trial import Trial

__all__ = ["FULL", "QUICK", "SCHEDULES", "Pair", "Plan", "Size"]

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
"""The schedules that are compared by default, by family."""

# The first tuning seed: far above the scoring seeds, so that the two never overlap.
_TUNING = 1_000_000


class Pair(NamedTuple):
    """An optimizer and a schedule, by name."""

    optimizer: str
    schedule: str

    def __str__(self) -> str:
        return f"{self.optimizer}/{self.schedule}"


@dataclass(frozen=True)
class Size:
    """How many runs each pair gets, and how long they are.

    Attributes:
        steps: Updates in a run, at least 2.
        seeds: Runs that score a pair at its chosen peak, at least 1.
        tuning_seeds: Runs at each peak that choose the peak, at least 1.
        peaks: The peak rates tried, above 0, in ascending order.
        halving: Whether the worse half of a pair's peaks is dropped repeatedly, before all tuning
            seeds are spent on them; see `rungs`.
        lengths: Other numbers of updates at which a pair is scored as well, each at least 2, in
            ascending order. The schedule is placed over each; the peak is the same.
    """

    steps: int
    seeds: int
    tuning_seeds: int
    peaks: tuple[float, ...]
    halving: bool = False
    lengths: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, least in (("steps", 2), ("seeds", 1), ("tuning_seeds", 1)):
            if not _whole(getattr(self, name), least):
                raise ValueError(
                    f"{name}={getattr(self, name)!r} must be a whole number of at least {least}"
                )
        if not all(_whole(length, 2) for length in self.lengths):
            raise ValueError(f"lengths={self.lengths!r} must be whole numbers of at least 2")
        if any(a >= b for a, b in pairwise(self.lengths)):
            raise ValueError(f"lengths={self.lengths!r} must be in ascending order, each once")
        if not self.peaks:
            raise ValueError("peaks=() is empty: write at least one peak rate")
        if not all(0 < peak < math.inf for peak in self.peaks):
            raise ValueError(f"peaks={self.peaks!r} must be finite and above 0")
        if any(a >= b for a, b in pairwise(self.peaks)):
            raise ValueError(f"peaks={self.peaks!r} must be in ascending order, each once")

    @property
    def rungs(self) -> list[tuple[int, int]]:
        """How many peaks are tried with how many tuning seeds, for each rung.

        Without halving there is one rung: all peaks, all tuning seeds. With halving, the better
        half of a rung's peaks, by mean validation metric, goes on to the next rung, with about
        twice the seeds; the last rung has two peaks and all seeds. The budget depends on the size
        alone, so every pair gets the same. Rungs differ in seeds, never in updates: a schedule cut
        short is another schedule, and one that decays late would look worse than it is.

        Source: successive halving (Jamieson and Talwalkar 2015, arXiv:1502.07943).

        Example:
            >>> from dataclasses import replace
            >>> FULL.rungs
            [(9, 6)]
            >>> replace(FULL, halving=True).rungs
            [(9, 1), (5, 2), (3, 3), (2, 6)]
        """
        if not self.halving:
            return [(len(self.peaks), self.tuning_seeds)]
        count = max(1, (len(self.peaks) - 1).bit_length())
        return [
            (-(-len(self.peaks) // 2**rung), -(-self.tuning_seeds // 2 ** (count - 1 - rung)))
            for rung in range(count)
        ]

    def differences(self, other: Size) -> list[str]:
        """Return the options that turn another size into this one."""
        words: list[str] = []
        for field in fields(self):
            value, option = getattr(self, field.name), "--" + field.name.replace("_", "-")
            if value == getattr(other, field.name):
                continue
            if isinstance(value, bool):
                words.append(option)
            else:
                several = field.name in ("peaks", "lengths")
                text = ",".join(map(repr, value)) if several else str(value)
                words += [option, text]
        return words


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


FULL = Size(
    steps=200,
    seeds=30,
    tuning_seeds=6,
    peaks=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0),
)
"""Two minutes for all pairs on a small machine. The runs are short enough for schedules to differ,
and there are enough tuning seeds that a pair seldom loses by an unlucky choice of its peak."""

QUICK = Size(steps=100, seeds=16, tuning_seeds=3, peaks=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0))
"""A first look: shorter runs, coarser peaks, wider intervals."""


@dataclass(frozen=True)
class Plan:
    """A comparison before it happens.

    Attributes:
        task: Name of the task, or of a training of one's own: ``train:FILE.py:FUNCTION``,
            ``command:TEXT``, or ``shell:TEXT`` for a command that a shell runs.
        optimizers: Names of optimizers, each once.
        schedules: Names in the catalogue, or texts that `lehr.parse` reads, each once.
        size: How much is trained for each pair.
        target: A value of the metric on the validation data; the results say how many updates
            each pair needs to reach it.
    """

    task: str = "digits"
    optimizers: tuple[str, ...] = tuple(OPTIMIZERS)
    schedules: tuple[str, ...] = SCHEDULES
    size: Size = FULL
    target: float | None = None

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
            for steps in (self.size.steps, *self.size.lengths):
                check_contender(name, steps)
        fixed = self.pinned  # raises if it cannot be trained
        if not is_own(self.task) and (fixed != self.task or self.task in TASKS):
            # A pinned name was found before, and its file may be gone.
            metric = find_task(fixed).metric
            if self.target is not None:
                metric.check("target", self.target)

    @cached_property
    def pinned(self) -> str:
        """The task as workers find it, with a hash of its file if it has one."""
        return pinned(self.task)

    @property
    def pairs(self) -> list[Pair]:
        """Every optimizer with every schedule."""
        return [Pair(o, s) for o in self.optimizers for s in self.schedules]

    @property
    def lengths(self) -> list[int]:
        """All numbers of updates at which pairs are scored, in ascending order."""
        return sorted({self.size.steps, *self.size.lengths})

    def tuning(self, pair: Pair, peak: float) -> list[Trial]:
        """Return the trials that tune a pair at a peak."""
        seeds = range(_TUNING, _TUNING + self.size.tuning_seeds)
        return self._trials(pair, peak, self.size.steps, seeds)

    def scoring(self, pair: Pair, peak: float, steps: int | None = None) -> list[Trial]:
        """Return the trials that score a pair at its peak, over `steps` or the usual updates."""
        steps = self.size.steps if steps is None else steps
        return self._trials(pair, peak, steps, range(self.size.seeds))

    def _trials(self, pair: Pair, peak: float, steps: int, seeds: Iterable[int]) -> list[Trial]:
        schedule, momentum, _ = find_contender(pair.schedule)
        if not find_optimizer(pair.optimizer).has_momentum:
            momentum = None
        return [
            Trial(
                task=self.pinned,
                optimizer=pair.optimizer,
                schedule=schedule,
                momentum=momentum,
                steps=steps,
                peak=peak,
                seed=seed,
                task_identity="" if self.task in TASKS else identity(self.pinned),
            )
            for seed in seeds
        ]

    def command(self) -> str:
        """Return the command of this comparison, without options on where to train and store."""
        words = ["lehr", "compare", *(own_options(self.task) or ["--task", self.task])]
        if self.optimizers != tuple(OPTIMIZERS):
            words += ["--optimizers", ",".join(self.optimizers)]
        if self.schedules != SCHEDULES:
            words += ["--schedules", ",".join(self.schedules)]
        if self.target is not None:
            words += ["--target", repr(self.target)]
        full = self.size.differences(FULL)
        quick = ["--quick", *self.size.differences(QUICK)]
        return shlex.join([*words, *min(full, quick, key=len)])
