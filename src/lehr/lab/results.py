"""The results of a comparison: typed values that report, terminal and JSON share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import Any, Literal

from lehr.lab import records
from lehr.lab.influence import Influence
from lehr.lab.metric import Metric
from lehr.provided import PROVIDED

__all__ = [
    "Band",
    "ComparedSchedule",
    "FailedRun",
    "Gap",
    "LengthScore",
    "PairResult",
    "Results",
    "Row",
    "Settings",
    "Standing",
    "TargetUpdates",
    "TaskFacts",
    "Tried",
    "present",
]

FORMAT = 5
"""The version of the JSON form."""

Row = tuple[float | None, ...]
"""Numbers at successive points; None where there is none."""

Standing = Literal["best", "tie", "undecided", "behind"]
"""How a pair compares with the best one.

A pair is ``behind`` if the test separates it from the best. If not, it is a ``tie`` if the interval
of the difference stays within the metric's margin, and no pair that is nearer to the best is
behind; else it is ``undecided``. A pair in which more runs lack a score than in the best is
``behind`` without a test.
"""


def present(row: Row) -> list[float]:
    """Return the numbers of a row without the missing ones."""
    return [value for value in row if value is not None]


@dataclass(frozen=True)
class Band:
    """A curve with an interval at each point.

    Attributes:
        mean: The means; None at a point that a run did not reach.
        low: The lower ends of the intervals; None if there is one run only.
        high: The upper ends.
    """

    mean: Row
    low: Row
    high: Row

    def times(self, gain: float) -> Band:
        """Return the band in another unit: shares times 100 are percent."""
        rows = (self.mean, self.low, self.high)
        return Band(*(tuple(None if v is None else gain * v for v in row) for row in rows))


@dataclass(frozen=True)
class Gap:
    """A mean difference from the best pair, seed by seed, with its interval.

    Seeds for which a run lacks a value are left out.

    Attributes:
        mean: The mean, in the metric's unit: 0 or more if all runs have a value.
        low: The lower end of the interval; None if there is one seed only.
        high: The upper end.
        seeds: About how many seeds would decide an undecided difference; None if that is unknown
            or the difference is decided.
    """

    mean: float
    low: float | None
    high: float | None
    seeds: int | None = None


@dataclass(frozen=True)
class Mean:
    """A mean over the seeds and its interval, without ends if there is one seed only."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class LengthScore:
    """A pair's score over another number of updates, and its standing there."""

    steps: int
    score: float | None
    low: float | None
    high: float | None
    scores: tuple[float | None, ...]
    standing: Standing


@dataclass(frozen=True)
class TargetUpdates:
    """The updates until a target score.

    Attributes:
        updates: The median over the seeds; None if it is more than the run has.
        reached: How many seeds reach the target.
    """

    updates: float | None
    reached: int


@dataclass(frozen=True)
class Tried:
    """A setting that was tried in tuning.

    Attributes:
        values: The value of each tuned number beside the peak, as text.
        peak: The peak rate.
        seeds: The number of tuning runs.
        validation: The mean of their validation metric; None if none of them has a number.
    """

    values: Mapping[str, str]
    peak: float
    seeds: int
    validation: float | None


@dataclass(frozen=True)
class PairResult:
    """The result of one optimizer with one schedule.

    Scores are values of the metric on the test data, whether more or less of it is better.

    Attributes:
        optimizer: The name of the optimizer.
        schedule: The name of the schedule.
        rank: From 1, by score.
        standing: Its standing against the best pair.
        standing_in_optimizer: Its standing against the best pair of its optimizer.
        not_separated: The names of the other pairs from which the test does not separate it.
        letters: Its groups. Two pairs share a letter unless the test separates them.
        peak: The chosen peak rate.
        at_edge: Whether that is the lowest or the highest one tried.
        score: The mean score at that peak, of the runs that have one; None if none has.
        low: The lower end of its interval; None if fewer than two runs have a score.
        high: The upper end.
        scores: The score of each seed; None for a run that diverged, if the metric has no guess.
        behind: The difference from the best pair; None for the best pair, and if no seed has both.
        diverged: How many of the scoring runs diverged.
        validation: The mean validation metric of the tuning runs at that peak; None if all lack it.
        test_loss: The mean test loss; None if a run diverged.
        peaks: The peak rates tried, in ascending order.
        peak_seeds: The number of tuning seeds of each peak rate.
        sensitivity: The validation metric at each peak rate; None where every run diverged, or one
            without a value.
        width: The range of peak rates within the metric's margin of the best, in decades.
        target: The updates until the target score, if the comparison has one.
        lengths: The scores over other numbers of updates, if the comparison has some.
        steps: The updates at which the curves have a point.
        loss: The training loss at the chosen peak.
        validations: The validation metric at the chosen peak.
        code: Python code that builds its optimizer and its scheduler.
        seconds: The mean cost of a scoring run, in seconds of one core.
        numbers: The further numbers of the scoring runs, by name; of those runs that have them.
        beyond: How many of the peak rates tried are beyond the first grid.
        tuned: The chosen value of each tuned number beside the peak, as text.
        choices: All that was tried in tuning, if there are such numbers.
        imported: How many of the scoring runs were imported.
    """

    optimizer: str
    schedule: str
    rank: int
    standing: Standing
    standing_in_optimizer: Standing
    not_separated: tuple[str, ...]
    letters: str
    peak: float
    at_edge: bool
    score: float | None
    low: float | None
    high: float | None
    scores: tuple[float | None, ...]
    behind: Gap | None
    diverged: int
    validation: float | None
    test_loss: float | None
    peaks: tuple[float, ...]
    peak_seeds: tuple[int, ...]
    sensitivity: Band
    width: float
    target: TargetUpdates | None
    lengths: tuple[LengthScore, ...]
    steps: tuple[int, ...]
    loss: Band
    validations: Band
    code: str
    seconds: float
    numbers: Mapping[str, Mean]
    beyond: int = 0
    tuned: Mapping[str, str] = field(default_factory=dict[str, str])
    choices: tuple[Tried, ...] = ()
    imported: int = 0

    @property
    def name(self) -> str:
        """The optimizer and the schedule in one word."""
        return f"{self.optimizer}/{self.schedule}"

    @property
    def seeds(self) -> int:
        """The number of scoring runs."""
        return len(self.scores)


@dataclass(frozen=True)
class ComparedSchedule:
    """A schedule of the comparison, with its curves as steps and values."""

    name: str
    text: str
    summary: str
    rate: tuple[Row, Row]
    momentum: tuple[Row, Row] | None


@dataclass(frozen=True)
class TaskFacts:
    """The facts about a task that a reader needs; see `Task` for the parts.

    Of a training of one's own only the name is known: its sizes are 0.
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
        trial: What was trained.
        reason: The error, in one line; the store has the traceback too.
        is_lost: Whether the pair has no result for want of such trials. It has one if only
            some of its peak rates failed; the best of the others is taken then.
    """

    pair: str
    trial: str
    reason: str
    is_lost: bool


@dataclass(frozen=True)
class Settings:
    """How the comparison was made; see `Size` and `Plan` for the first parts.

    Attributes:
        peaks: The peak rates of the first grids of all pairs.
        confidence: The confidence of all intervals.
        versions: The versions that trained the trials.
        seconds: The cost of all trials, in seconds of one core.
        trials: The number of finished trials.
        complete: Whether all pairs are finished, or have failed.
        command: The command that makes this comparison.
        finished: When the last of the trials finished, in seconds since 1970; None without trials.
        further: How many further peak rates each pair gets.
        tune: The numbers beside the peak that are tuned, with their values.
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
        influences: How far each choice moves the score. Schedules that lack a score with an
            optimizer are left out; there are none if that leaves a single pair.
        serving: The schedules that no test separates from the best one of any optimizer.
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
        """Return a pair, or None if it is not finished."""
        found = (p for p in self.pairs if p.optimizer == optimizer and p.schedule == schedule)
        return next(found, None)

    @cached_property
    def order(self) -> tuple[list[str], list[str]]:
        """Optimizers and schedules, best first by their median score.

        While pairs are missing, they are in the order in which they were given: medians over
        different partners say little.
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
        """The names of the further numbers that runs have."""
        return sorted({name for pair in self.pairs for name in pair.numbers})

    def _repr_html_(self) -> str:
        return PROVIDED["results_html"](self)

    def to_json(self) -> dict[str, Any]:
        """Return the results in JSON's types."""
        return records.to_json(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Results:
        """Return the results that `to_json` made this value from.

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
            _check_lengths(pair, f"results.pairs[{i}]")
        return found


def _check_lengths(pair: PairResult, where: str) -> None:
    bands = {
        "loss": len(pair.steps),
        "validations": len(pair.steps),
        "sensitivity": len(pair.peaks),
    }
    for name, length in bands.items():
        band: Band = getattr(pair, name)
        if any(len(row) != length for row in (band.mean, band.low, band.high)):
            raise ValueError(f"{where}.{name} needs {length} values in each row")
