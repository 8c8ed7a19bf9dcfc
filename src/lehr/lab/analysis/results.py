"""The results of a comparison: typed values that report, terminal and JSON share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

from lehr.lab import records
from lehr.lab.analysis.influence import Influence
from lehr.lab.analysis.pair_result import PairResult, Row
from lehr.lab.metric import Metric
from lehr.provided import PROVIDED

FORMAT = 6
"""The version of the JSON form."""


@dataclass(frozen=True)
class ComparedSchedule:
    """A schedule of the comparison, with its curves given as steps and values."""

    name: str
    text: str
    summary: str
    rate: tuple[Row, Row]
    momentum: tuple[Row, Row] | None


@dataclass(frozen=True)
class TaskFacts:
    """The facts about a task that a reader needs; see `Task` for the fields.

    For a user's own training only the name is known, and the sizes are 0.
    """

    name: str
    summary: str
    network: str
    train: int
    validation: int
    test: int
    batch_size: int
    metric: Metric


@dataclass(frozen=True)
class FailedRun:
    """A trial that has no outcome, because the code of its task failed.

    Attributes:
        pair: The name of its pair.
        trial: A description of the trial.
        reason: The error, in one line; the store has the traceback too.
        is_lost: Whether the pair has no result because such trials failed. If only some of its peak
            rates failed, it has the result of the best other rate.
    """

    pair: str
    trial: str
    reason: str
    is_lost: bool


@dataclass(frozen=True)
class Settings:
    """How the comparison was made; see `Size` and `Plan` for the first fields.

    Attributes:
        peaks: The peak rates of the first grids of all pairs; if they were found, those of the
            finished pairs.
        confidence: The confidence of all intervals.
        versions: The versions that trained the trials.
        seconds: The cost of all trials, in seconds of one core.
        trials: The number of finished trials.
        complete: Whether all pairs are finished, or have failed.
        command: The command that makes this comparison.
        finished: When the last of the trials finished, in seconds since 1970; None without trials.
        further: How many further peak rates each pair gets.
        tune: The numbers tuned in addition to the peak, with their values.
        find: Whether short runs found the peaks at which tuning began.
        searched: The number of updates that these made, for all pairs.
    """

    steps: int
    seeds: int
    tuning_seeds: int
    peaks: tuple[float, ...]
    rungs: tuple[tuple[int, int], ...]
    lengths: tuple[int, ...]
    target: float | None
    confidence: float
    versions: Mapping[str, str]
    seconds: float
    trials: int
    complete: bool
    command: str
    finished: float | None
    further: int = 0
    tune: tuple[str, ...] = ()
    find: bool = False
    searched: int = 0


@dataclass(frozen=True)
class Results:
    """The results of a comparison, finished or not.

    Attributes:
        format: The version of the JSON form.
        lehr: The version of lehr that made them.
        task: The task.
        settings: How the comparison was made.
        optimizers: The text of each optimizer, by name.
        schedules: The schedules, by name.
        pairs: The finished pairs, best first.
        summary: The results in plain sentences, the most important first.
        failed: The failed trials.
        influences: How strongly each choice affects the score. Schedules that lack a score with
            some optimizer are left out. Empty if that leaves a single pair, and only its peak is
            tuned.
        serving: The schedules that are not separated from the best one with any optimizer.
    """

    format: int
    lehr: str
    task: TaskFacts
    settings: Settings
    optimizers: Mapping[str, str]
    schedules: Mapping[str, ComparedSchedule]
    pairs: tuple[PairResult, ...]
    summary: tuple[str, ...] = ()
    failed: tuple[FailedRun, ...] = ()
    influences: tuple[Influence, ...] = ()
    serving: tuple[str, ...] = ()

    @property
    def lengths(self) -> tuple[int, ...]:
        """The numbers of updates at which pairs are scored, if there are several."""
        return self.settings.lengths if len(self.settings.lengths) > 1 else ()

    @property
    def metric(self) -> Metric:
        """The metric of the task."""
        return self.task.metric

    def find(self, optimizer: str, schedule: str) -> PairResult | None:
        """Return the result of a pair, or None if it is not finished."""
        found = (p for p in self.pairs if p.optimizer == optimizer and p.schedule == schedule)
        return next(found, None)

    @cached_property
    def order(self) -> tuple[list[str], list[str]]:
        """Optimizers and schedules, best first by their median score.

        While pairs are missing, they keep the order in which they were given: medians over
        different partners mean little.
        """
        optimizers, schedules = list(self.optimizers), list(self.schedules)
        costs = {
            (p.optimizer, p.schedule): math.inf if p.score is None else self.metric.cost(p.score)
            for p in self.pairs
        }
        if len(costs) < len(optimizers) * len(schedules):
            return optimizers, schedules
        return (
            sorted(optimizers, key=lambda o: median(costs[o, s] for s in schedules)),
            sorted(schedules, key=lambda s: median(costs[o, s] for o in optimizers)),
        )

    @property
    def numbers(self) -> list[str]:
        """The names of the additional numbers that runs have."""
        return sorted({name for pair in self.pairs for name in pair.numbers})

    def _repr_html_(self) -> str:
        return PROVIDED["results_html"](self)

    def to_json(self) -> dict[str, Any]:
        """Return the results in JSON's types."""
        return records.to_json(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Results:
        """Return the results from which `to_json` made this value.

        Arguments:
            value: The content of a `results.json`, as `json.load` returns it.

        Raises:
            ValueError: If it has another format, or is not the JSON form of results.
        """
        if value.get("format") != FORMAT:
            raise ValueError(
                f"results.format is {value.get('format')!r}, and this version of lehr reads "
                f"{FORMAT}: run `lehr results` on the store to make them again"
            )
        found = records.from_json(cls, value, "results")
        for i, pair in enumerate(found.pairs):
            if pair.optimizer not in found.optimizers or pair.schedule not in found.schedules:
                raise ValueError(
                    f"results.pairs[{i}] is {pair.name!r}, which is not among results.optimizers "
                    "and results.schedules"
                )
            pair.check_lengths(f"results.pairs[{i}]")
        return found
