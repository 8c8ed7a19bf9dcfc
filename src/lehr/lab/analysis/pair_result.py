"""The result of one pair of a comparison, as typed values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

from lehr.find.suggestion import Confidence, DecidedBy, Suggestion

Row = tuple[float | None, ...]
"""Numbers at successive points; None where one is missing."""

Standing = Literal["best", "tie", "undecided", "behind"]
"""How a pair compares with the best one.

A pair is ``behind`` if the test separates it from the best. If not, it is a ``tie`` if the interval
of the difference stays within the metric's margin and no pair nearer to the best is behind;
otherwise it is ``undecided``. A pair with more runs without a score than the best pair is
``behind`` without a test.
"""


def present(row: Sequence[float | None]) -> list[float]:
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
        """Return the band in another unit; shares times 100 are percent."""
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
    """A mean over the seeds and its interval, without ends if there is only one seed."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class LengthScore:
    """A pair's score and standing after another number of updates."""

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
        updates: The median over the seeds; None if it exceeds the run's length.
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
class FoundPeak:
    """The peak that short runs suggested for a pair; see `Suggestion` for its fields.

    Attributes:
        spent: The number of updates that they made.
    """

    peak: float | None
    as_good: tuple[float, float] | None
    best_within: tuple[float, float] | None
    spent: int
    decided_by: DecidedBy
    confidence: Confidence
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, found: Suggestion) -> FoundPeak:
        """Return the part of a suggestion that results keep."""
        return cls(**{each.name: getattr(found, each.name) for each in fields(cls)})


@dataclass(frozen=True)
class PairResult:
    """The result of one optimizer with one schedule.

    Scores are values of the metric on the test data, whether higher or lower is better.

    Attributes:
        optimizer: The name of the optimizer.
        schedule: The name of the schedule.
        rank: From 1, by score.
        standing: Its standing against the best pair.
        standing_in_optimizer: Its standing against the best pair of its optimizer.
        not_separated: The names of the other pairs from which the test does not separate it.
        ranks: The first and the last rank that the test leaves possible for it.
        peak: The chosen peak rate.
        at_edge: Whether that is the lowest or the highest peak tried.
        score: The mean score at that peak over the runs that have one; None if none has.
        low: The lower end of its interval; None if fewer than two runs have a score.
        high: The upper end.
        scores: The score of each seed; None for a run that diverged, if the metric has no guess.
        behind: The difference from the best pair; None for the best pair, or if no seed has both.
        diverged: How many of the scoring runs diverged.
        validation: The mean validation metric of the tuning runs at that peak; None if all lack it.
        test_loss: The mean test loss; None if a run diverged.
        peaks: The peak rates tried, in ascending order.
        peak_seeds: The number of tuning seeds of each peak rate.
        sensitivity: The validation metric at each peak rate; None where every run diverged, or a
            run that diverged has no value.
        width: The range of peak rates within the metric's margin of the best, in decades.
        target: The updates until the target score, if the comparison has one.
        lengths: The scores over other numbers of updates, if the comparison has some.
        steps: The updates at which the curves have a point.
        loss: The training loss at the chosen peak.
        validations: The validation metric at the chosen peak.
        code: Python code that builds its optimizer and its scheduler.
        seconds: The mean cost of a scoring run, in seconds of one core.
        numbers: Additional numbers of the scoring runs, by name, over the runs that have them.
        beyond: How many of the peak rates tried are beyond the first grid.
        tuned: The chosen value of each tuned number beside the peak, as text.
        choices: Everything that was tried in tuning, if there are such numbers.
        imported: How many of the scoring runs were imported.
        found: The outcome of the short runs, with the chosen values of tuned numbers; None if the
            comparison has no short runs, or one of them failed.
    """

    optimizer: str
    schedule: str
    rank: int
    standing: Standing
    standing_in_optimizer: Standing
    not_separated: tuple[str, ...]
    ranks: tuple[int, int]
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
    found: FoundPeak | None = None

    @property
    def name(self) -> str:
        """The optimizer and the schedule as one word."""
        return f"{self.optimizer}/{self.schedule}"

    @property
    def seeds(self) -> int:
        """The number of scoring runs."""
        return len(self.scores)

    def check_lengths(self, where: str) -> None:
        """Raise ValueError unless each curve has a value for each of its points."""
        bands = {
            "loss": (self.loss, len(self.steps)),
            "validations": (self.validations, len(self.steps)),
            "sensitivity": (self.sensitivity, len(self.peaks)),
        }
        for name, (band, length) in bands.items():
            if any(len(row) != length for row in (band.mean, band.low, band.high)):
                raise ValueError(f"{where}.{name} needs {length} values in each row")
