"""The outcomes of a pair whose trials are all finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lehr.lab.analysis.pair_result import FoundPeak, present
from lehr.lab.analysis.statistics import interval
from lehr.lab.metric import Metric
from lehr.lab.plan import Pair
from lehr.lab.trial import Outcome, Trial

Scores = Sequence[float | None]
"""The score of each seed; None for a run without one."""


@dataclass(frozen=True)
class FinishedPair:
    """The outcomes of a pair.

    Attributes:
        tried: The outcomes of the tuning runs at each peak, in ascending order.
        scored: The outcomes of the scoring runs, by their number of updates.
        trial: The first scoring run over the usual number of updates.
        seconds: The mean cost of such a run.
        first: The peaks that were tried first.
        tuned: The chosen value of each tuned number beside the peak, as text.
        choices: Each combination of these values, with the outcomes at each peak.
        found: The outcome of the short runs, if the comparison has any.
    """

    pair: Pair
    peak: float
    tried: Mapping[float, Sequence[Outcome]]
    scored: Mapping[int, Sequence[Outcome]]
    trial: Trial
    seconds: float
    first: tuple[float, ...]
    tuned: Mapping[str, str] = field(default_factory=dict[str, str])
    choices: Sequence[tuple[Mapping[str, str], Mapping[float, Sequence[Outcome]]]] = ()
    found: FoundPeak | None = None


def tests(scored: Sequence[Outcome]) -> Scores:
    return [outcome.test for outcome in scored]


def mean_of(values: Scores) -> tuple[float | None, float | None, float | None]:
    """Return the mean of the values that are present, and the ends of its interval."""
    found = present(values)
    return interval(found) if found else (None, None, None)


def score_of(scores: Scores, metric: Metric) -> tuple[float | None, float | None, float | None]:
    """Return the mean score and the ends of its interval, kept within 0 and 1 for a share."""
    mean, low, high = mean_of(scores)
    if metric.is_share and low is not None and high is not None:
        low, high = max(0.0, low), min(1.0, high)
    return mean, low, high
