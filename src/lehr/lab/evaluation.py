"""From the outcomes of finished trials to results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from lehr.lab.optimizers import find_optimizer
from lehr.lab.peak_grid import mean_validation
from lehr.lab.plan import Pair, Plan
from lehr.lab.results import (
    FORMAT,
    Band,
    ComparedSchedule,
    FailedRun,
    Gap,
    LengthScore,
    PairResult,
    Results,
    Row,
    Settings,
    Standing,
    TargetUpdates,
    TaskFacts,
)
from lehr.lab.schedules import find_contender
from lehr.lab.statistics import CONFIDENCE, interval, intervals, seeds_to_decide, ties
from lehr.lab.summary import summarize
from lehr.lab.trial import Outcome, evaluation_steps
from lehr.lab.versions import LEHR
from lehr.schedule.base import Schedule

__all__ = ["FinishedPair", "evaluate"]

_POINT = 0.01
_DRAWN = 400  # points of a schedule's curve, at most


@dataclass(frozen=True)
class FinishedPair:
    """The outcomes of a pair.

    Attributes:
        pair: The optimizer and the schedule.
        peak: The chosen peak rate.
        tried: The outcomes of the tuning runs at each peak, in ascending order.
        scored: The outcomes of the scoring runs, by their number of updates.
    """

    pair: Pair
    peak: float
    tried: Mapping[float, Sequence[Outcome]]
    scored: Mapping[int, Sequence[Outcome]]


def evaluate(
    plan: Plan,
    finished: Sequence[FinishedPair],
    *,
    task: TaskFacts,
    command: str,
    versions: Mapping[str, str],
    seconds: Sequence[float],
    failed: Sequence[FailedRun] = (),
) -> Results:
    """Rank finished pairs, and say which of them can be told apart.

    Arguments:
        plan: The plan of the comparison.
        finished: The pairs whose trials are all finished.
        task: The facts about the task.
        command: The command that makes this comparison.
        versions: The versions that trained the trials.
        seconds: The cost of each finished trial.
        failed: The failed trials.
    """
    size = plan.size
    settings = Settings(
        steps=size.steps,
        seeds=size.seeds,
        tuning_seeds=size.tuning_seeds,
        peaks=size.peaks,
        rungs=tuple(size.rungs),
        lengths=tuple(plan.lengths),
        target=plan.target,
        confidence=CONFIDENCE,
        versions=versions,
        seconds=round(math.fsum(seconds), 1),
        trials=len(seconds),
        complete=len(finished) + len({run.pair for run in failed if run.is_lost})
        == len(plan.pairs),
        command=command,
    )
    results = Results(
        format=FORMAT,
        lehr=LEHR,
        task=task,
        settings=settings,
        optimizers={name: find_optimizer(name).text for name in plan.optimizers},
        schedules={name: _schedule(name, size.steps) for name in plan.schedules},
        pairs=_ranked(plan, finished),
        failed=tuple(failed),
    )
    return replace(results, summary=tuple(summarize(results)))


def _schedule(name: str, steps: int) -> ComparedSchedule:
    schedule, momentum, summary = find_contender(name)
    return ComparedSchedule(
        name=name,
        text=repr(schedule),
        summary=summary,
        rate=_curve(schedule, steps),
        momentum=None if momentum is None else _curve(momentum, steps),
    )


def _curve(schedule: Schedule, steps: int) -> tuple[Row, Row]:
    at = np.unique(np.linspace(0, steps - 1, min(steps, _DRAWN)).round().astype(np.int64))
    values = np.asarray(schedule.over(steps)(at), dtype=np.float64)
    return tuple(at.tolist()), tuple(_short(value) for value in values.tolist())


def _ranked(plan: Plan, finished: Sequence[FinishedPair]) -> tuple[PairResult, ...]:
    """Return the results of the pairs, best first."""
    scores = {each.pair: _tests(each.scored[plan.size.steps]) for each in finished}
    ordered = sorted(finished, key=lambda each: -interval(scores[each.pair]).mean)
    names = [str(each.pair) for each in ordered]
    rows = [scores[each.pair] for each in ordered]
    tied = ties(rows)
    gaps, standings = _compare(rows, tied[0] if rows else ())
    lengths = _at_lengths(plan, ordered)
    return tuple(
        _result(
            plan,
            each,
            rank=i + 1,
            standing=standings[i],
            standing_in_optimizer=_standing_in_optimizer(ordered, rows, tied, i),
            not_separated=tuple(name for j, name in enumerate(names) if tied[i, j] and j != i),
            behind=gaps[i],
            lengths=lengths[i],
        )
        for i, each in enumerate(ordered)
    )


def _standing_in_optimizer(
    ordered: Sequence[FinishedPair],
    rows: Sequence[Sequence[float]],
    tied: np.ndarray,
    place: int,
) -> Standing:
    """Return how a pair compares with the best pair of its optimizer."""
    optimizer = ordered[place].pair.optimizer
    own = [i for i, each in enumerate(ordered) if each.pair.optimizer == optimizer]
    _, standings = _compare([rows[i] for i in own], [bool(tied[own[0], i]) for i in own])
    return standings[own.index(place)]


def _compare(
    rows: Sequence[Sequence[float]], tied: Sequence[bool]
) -> tuple[list[Gap | None], list[Standing]]:
    """Compare pairs with the first of them, which is the best, seed by seed.

    Arguments:
        rows: The scores of each pair, best first, for the same seeds.
        tied: Whether the test leaves each pair unseparated from the first.

    Returns:
        The gap of each pair (None for the first), and its standing.
    """
    if len(rows) < 2:
        return [None] * len(rows), ["best"] * len(rows)
    differences = np.array([np.subtract(rows[0], row) for row in rows[1:]], dtype=np.float64)
    found = intervals(differences.T)
    behind = [gap.mean for gap, same in zip(found, tied[1:], strict=True) if not same]
    gaps: list[Gap | None] = [None]
    standings: list[Standing] = ["best"]
    for gap, same, difference in zip(found, tied[1:], differences, strict=True):
        near = gap.high is not None and gap.low is not None and max(gap.high, -gap.low) <= _POINT
        standing: Standing = "behind"
        if same:
            # No tie is further from the best than a pair that is behind it.
            standing = "tie" if near and gap.mean < min(behind, default=math.inf) else "undecided"
        comparisons = math.comb(len(rows), 2)
        seeds = (
            seeds_to_decide(difference.tolist(), comparisons, _POINT)
            if standing == "undecided"
            else None
        )
        gaps.append(Gap(gap.mean, gap.low, gap.high, seeds))
        standings.append(standing)
    return gaps, standings


def _result(
    plan: Plan,
    each: FinishedPair,
    *,
    rank: int,
    standing: Standing,
    standing_in_optimizer: Standing,
    not_separated: tuple[str, ...],
    behind: Gap | None,
    lengths: tuple[LengthScore, ...],
) -> PairResult:
    steps, peaks = plan.size.steps, plan.size.peaks
    scored = each.scored[steps]
    scores = _tests(scored)
    score, low, high = interval(scores)
    sensitivity = _sensitivity(each.tried)
    return PairResult(
        optimizer=each.pair.optimizer,
        schedule=each.pair.schedule,
        rank=rank,
        standing=standing,
        standing_in_optimizer=standing_in_optimizer,
        not_separated=not_separated,
        peak=each.peak,
        at_edge=each.peak in (peaks[0], peaks[-1]),
        score=score,
        low=low,
        high=high,
        scores=tuple(scores),
        behind=behind,
        diverged=sum(o.diverged is not None for o in scored),
        validation=mean_validation(each.tried[each.peak]),
        test_loss=_band([[o.test_loss] for o in scored]).mean[0],
        peaks=tuple(each.tried),
        peak_seeds=tuple(len(found) for found in each.tried.values()),
        sensitivity=sensitivity,
        width=_width(list(each.tried), sensitivity.mean),
        target=None if plan.target is None else _reached(plan.target, steps, scored),
        lengths=lengths,
        steps=tuple(evaluation_steps(steps)),
        loss=_band([o.loss for o in scored]),
        accuracy=_band([o.accuracy for o in scored]),
    )


def _tests(scored: Sequence[Outcome]) -> list[float]:
    return [outcome.test for outcome in scored]


def _reached(target: float, steps: int, scored: Sequence[Outcome]) -> TargetUpdates:
    """Return after how many updates runs reach a validation score: the median over the seeds.

    Runs are evaluated some twenty times, and a run counts with the first evaluation at which it
    has the score. A run that never has it counts as more than the run's length. If that leaves
    the median open, there is none.
    """
    never = math.inf
    at = evaluation_steps(steps)
    needed = [
        next((step for step, a in zip(at, o.accuracy, strict=True) if a >= target), never)
        for o in scored
    ]
    middle = median(needed)
    return TargetUpdates(
        updates=None if middle == never else float(middle),
        reached=sum(step < never for step in needed),
    )


def _at_lengths(plan: Plan, ordered: Sequence[FinishedPair]) -> list[tuple[LengthScore, ...]]:
    """Return the scores of each pair over each number of updates, if there are several."""
    found: list[list[LengthScore]] = [[] for _ in ordered]
    for steps in plan.lengths if len(plan.lengths) > 1 and ordered else ():
        rows = [_tests(each.scored[steps]) for each in ordered]
        scores = [interval(row) for row in rows]
        by_score = sorted(range(len(rows)), key=lambda i: -scores[i].mean)
        tied = ties(rows)[by_score[0]]
        _, standings = _compare([rows[i] for i in by_score], [bool(tied[i]) for i in by_score])
        for i, standing in zip(by_score, standings, strict=True):
            found[i].append(LengthScore(steps, *scores[i], tuple(rows[i]), standing))
    return [tuple(row) for row in found]


def _sensitivity(tried: Mapping[float, Sequence[Outcome]]) -> Band:
    """Return the validation score by peak; a peak at which every run diverged has none."""
    bands = [
        _band([[None if all(o.diverged for o in found) else o.validation] for o in found])
        for found in tried.values()
    ]
    return Band(
        mean=tuple(band.mean[0] for band in bands),
        low=tuple(band.low[0] for band in bands),
        high=tuple(band.high[0] for band in bands),
    )


def _width(peaks: Sequence[float], means: Row) -> float:
    """Return how many decades of peak rate around the best stay within a point of it."""
    known = [-math.inf if mean is None else mean for mean in means]
    first = last = known.index(max(known))
    enough = max(known) - _POINT
    while first > 0 and known[first - 1] >= enough > -math.inf:
        first -= 1
    while last < len(peaks) - 1 and known[last + 1] >= enough > -math.inf:
        last += 1
    return math.log10(peaks[last] / peaks[first])


def _band(runs: Sequence[Sequence[float | None]]) -> Band:
    """Return the interval at each point of some curves, one row per run.

    A point at which a run has no value has no interval.
    """
    columns = list(zip(*runs, strict=True))
    whole = [i for i, column in enumerate(columns) if None not in column]
    values = np.array([[row[i] for i in whole] for row in runs], dtype=np.float64)
    found = dict(zip(whole, intervals(values), strict=True))
    points = [found.get(i, (None, None, None)) for i in range(len(columns))]
    return Band(*(tuple(_short(value) for value in row) for row in zip(*points, strict=True)))


def _short(value: float | None) -> float | None:
    """Round to enough digits for drawing, which keeps the files small."""
    return None if value is None else float(f"{value:.6g}")
