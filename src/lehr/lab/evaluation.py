"""From the outcomes of finished trials to results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from lehr.lab.influence import Influence, influences
from lehr.lab.letters import letters
from lehr.lab.metric import Metric
from lehr.lab.optimizers import find_optimizer, label
from lehr.lab.plan import Pair, Plan
from lehr.lab.recipe import recipe
from lehr.lab.results import (
    FORMAT,
    Band,
    ComparedSchedule,
    FailedRun,
    Gap,
    LengthScore,
    Mean,
    PairResult,
    Results,
    Row,
    Settings,
    Standing,
    TargetUpdates,
    TaskFacts,
    Tried,
)
from lehr.lab.schedules import find_contender
from lehr.lab.statistics import CONFIDENCE, interval, intervals, seeds_to_decide, ties
from lehr.lab.summary import summarize
from lehr.lab.trial import IMPORTED, Outcome, Trial, evaluation_steps
from lehr.lab.versions import LEHR
from lehr.schedule.base import Schedule

__all__ = ["FinishedPair", "evaluate"]

_Scores = Sequence[float | None]

_DRAWN = 400  # points of a schedule's curve, at most
_HALF_DECADE = 0.5 + 1e-9


@dataclass(frozen=True)
class FinishedPair:
    """The outcomes of a pair.

    Attributes:
        pair: The optimizer and the schedule.
        peak: The chosen peak rate.
        tried: The outcomes of the tuning runs at each peak, in ascending order.
        scored: The outcomes of the scoring runs, by their number of updates.
        trial: The first scoring run over the usual number of updates.
        seconds: The mean cost of such a run.
        tuned: The chosen value of each tuned number beside the peak, as text.
        choices: Each combination of such values, with the outcomes at each peak.
    """

    pair: Pair
    peak: float
    tried: Mapping[float, Sequence[Outcome]]
    scored: Mapping[int, Sequence[Outcome]]
    trial: Trial
    seconds: float
    tuned: Mapping[str, str] = field(default_factory=dict[str, str])
    choices: Sequence[tuple[Mapping[str, str], Mapping[float, Sequence[Outcome]]]] = ()


def evaluate(
    plan: Plan,
    finished: Sequence[FinishedPair],
    *,
    task: TaskFacts,
    command: str,
    versions: Mapping[str, str],
    seconds: Sequence[float],
    last: float | None = None,
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
        last: When the last of them finished, in seconds since 1970.
        failed: The failed trials.
    """
    size = plan.size
    settings = Settings(
        steps=size.steps,
        seeds=size.seeds,
        tuning_seeds=size.tuning_seeds,
        peaks=tuple(sorted({peak for pair in plan.pairs for peak in plan.first_peaks(pair)})),
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
        finished=last,
        further=size.further_peaks,
        tune=plan.tune,
    )
    pairs = _ranked(plan, finished, task.metric)
    results = Results(
        format=FORMAT,
        lehr=LEHR,
        task=task,
        settings=settings,
        optimizers={label(name): find_optimizer(name).text for name in plan.optimizers},
        schedules={name: _schedule(name, size.steps) for name in plan.schedules},
        pairs=pairs,
        failed=tuple(failed),
        influences=_influences(plan, finished, task.metric),
        serving=_serving(plan, pairs),
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


def _ranked(plan: Plan, finished: Sequence[FinishedPair], metric: Metric) -> tuple[PairResult, ...]:
    """Return the results of the pairs, best first."""
    scores = {each.pair: _tests(each.scored[plan.size.steps]) for each in finished}
    ordered = sorted(finished, key=lambda each: metric.order(scores[each.pair]))
    names = [str(each.pair) for each in ordered]
    rows = [scores[each.pair] for each in ordered]
    tied = _not_separated(rows)
    gaps, standings = _compare(rows, tied[0] if rows else (), metric)
    groups = letters(tied)
    lengths = _at_lengths(plan, ordered, metric)
    return tuple(
        _result(
            plan,
            each,
            metric,
            rank=i + 1,
            standing=standings[i],
            standing_in_optimizer=_standing_in_optimizer(ordered, rows, tied, i, metric),
            not_separated=tuple(name for j, name in enumerate(names) if tied[i, j] and j != i),
            letters=groups[i],
            behind=gaps[i],
            lengths=lengths[i],
        )
        for i, each in enumerate(ordered)
    )


def _not_separated(rows: Sequence[_Scores]) -> NDArray[np.bool_]:
    """Return which pairs the test does not separate, pairs by pairs.

    Pairs in which runs lack a score are not tested: they are separated from those with another
    number of such runs, and only from them.
    """
    lost = np.array([row.count(None) for row in rows], dtype=np.int64)
    tied = lost == lost[:, None]
    if whole := [i for i, row in enumerate(rows) if None not in row]:
        tied[np.ix_(whole, whole)] = ties([_known(rows[i]) for i in whole])
    return tied


def _standing_in_optimizer(
    ordered: Sequence[FinishedPair],
    rows: Sequence[_Scores],
    tied: NDArray[np.bool_],
    place: int,
    metric: Metric,
) -> Standing:
    """Return how a pair compares with the best pair of its optimizer."""
    optimizer = ordered[place].pair.optimizer
    own = [i for i, each in enumerate(ordered) if each.pair.optimizer == optimizer]
    _, standings = _compare([rows[i] for i in own], [bool(tied[own[0], i]) for i in own], metric)
    return standings[own.index(place)]


def _compare(
    rows: Sequence[_Scores], tied: Sequence[bool], metric: Metric
) -> tuple[list[Gap | None], list[Standing]]:
    """Compare pairs with the first of them, which is the best, seed by seed.

    Arguments:
        rows: The scores of each pair, best first, for the same seeds.
        tied: Whether the test leaves each pair unseparated from the first.
        metric: The metric of the scores.

    Returns:
        The gap of each pair (None for the first), and its standing.
    """
    if len(rows) < 2:
        return [None] * len(rows), ["best"] * len(rows)
    margin = metric.margin(_mean(rows[0])[0] or 0.0)
    differences = [
        [
            metric.cost(own) - metric.cost(best)
            for own, best in zip(row, rows[0], strict=True)
            if own is not None and best is not None
        ]
        for row in rows[1:]
    ]
    found = [_mean(row) for row in differences]
    whole = [len(row) == len(rows[0]) for row in differences]
    # No tie is further from the best than a pair that is behind it.
    nearest = min(
        (
            gap[0]
            for gap, same, all_ in zip(found, tied[1:], whole, strict=True)
            if gap[0] is not None and all_ and not same
        ),
        default=math.inf,
    )
    gaps: list[Gap | None] = [None]
    standings: list[Standing] = ["best"]
    for (mean, low, high), same, all_, row in zip(found, tied[1:], whole, differences, strict=True):
        near = high is not None and low is not None and max(high, -low) <= margin
        standing: Standing = "behind"
        if same:
            is_tie = all_ and near and mean is not None and mean < nearest
            standing = "tie" if is_tie else "undecided"
        seeds = (
            seeds_to_decide(row, len(rows), margin) if standing == "undecided" and all_ else None
        )
        gaps.append(None if mean is None else Gap(mean, low, high, seeds))
        standings.append(standing)
    return gaps, standings


def _result(
    plan: Plan,
    each: FinishedPair,
    metric: Metric,
    *,
    rank: int,
    standing: Standing,
    standing_in_optimizer: Standing,
    not_separated: tuple[str, ...],
    letters: str,
    behind: Gap | None,
    lengths: tuple[LengthScore, ...],
) -> PairResult:
    steps, peaks, grid = plan.size.steps, tuple(each.tried), plan.first_peaks(each.pair)
    scored = each.scored[steps]
    scores = _tests(scored)
    score, low, high = _mean(scores)
    sensitivity = _sensitivity(each.tried)
    return PairResult(
        optimizer=label(each.pair.optimizer),
        schedule=each.pair.schedule,
        rank=rank,
        standing=standing,
        standing_in_optimizer=standing_in_optimizer,
        not_separated=not_separated,
        letters=letters,
        peak=each.peak,
        at_edge=each.peak in (peaks[0], peaks[-1]),
        score=score,
        low=low,
        high=high,
        scores=tuple(scores),
        behind=behind,
        diverged=sum(o.diverged is not None for o in scored),
        validation=_mean([o.validation for o in each.tried[each.peak]])[0],
        test_loss=_band([[o.test_loss] for o in scored]).mean[0],
        peaks=tuple(each.tried),
        peak_seeds=tuple(len(found) for found in each.tried.values()),
        sensitivity=sensitivity,
        width=_width(list(each.tried), sensitivity.mean, metric),
        target=None if plan.target is None else _reached(plan.target, steps, scored, metric),
        lengths=lengths,
        steps=tuple(evaluation_steps(steps)),
        loss=_band([o.loss for o in scored]),
        validations=_band([o.validations for o in scored]),
        code=recipe(each.trial),
        seconds=each.seconds,
        numbers=_numbers(scored),
        imported=sum(IMPORTED in outcome.numbers for outcome in scored),
        beyond=sum(not grid[0] <= peak <= grid[-1] for peak in peaks),
        tuned=each.tuned,
        choices=tuple(
            Tried(values, peak, len(found), _mean([o.validation for o in found])[0])
            for values, tried in each.choices
            if each.tuned
            for peak, found in tried.items()
        ),
    )


def _influences(
    plan: Plan, finished: Sequence[FinishedPair], metric: Metric
) -> tuple[Influence, ...]:
    """Return how far each choice moves the score, over schedules with a score everywhere."""
    rows = {each.pair: _tests(each.scored[plan.size.steps]) for each in finished}
    scored = {
        pair: [metric.cost(value) for value in _known(row)]
        for pair, row in rows.items()
        if None not in row
    }
    whole = [s for s in plan.schedules if all(Pair(o, s) in scored for o in plan.optimizers)]
    if len(whole) * len(plan.optimizers) < 2:
        return ()
    table = np.array([[scored[Pair(o, s)] for s in whole] for o in plan.optimizers])
    peaks = [
        np.array(rows)
        for each in finished
        if each.pair.schedule in whole and len(rows := _near(each, metric)) > 1
    ]
    return influences(table, {"peak rate": peaks} if peaks else {})


def _near(each: FinishedPair, metric: Metric) -> list[list[float]]:
    """Return the tuning runs at the peaks within half a decade of the best, a row for each peak.

    Halving gives peaks different numbers of seeds; the first seeds, which all have, are kept.
    """
    found = [
        [metric.cost(o.validation) for o in outcomes if o.validation is not None]
        for peak, outcomes in each.tried.items()
        if abs(math.log10(peak / each.peak)) <= _HALF_DECADE
        and all(o.validation is not None for o in outcomes)
    ]
    seeds = min(map(len, found), default=0)
    return [row[:seeds] for row in found]


def _serving(plan: Plan, pairs: Sequence[PairResult]) -> tuple[str, ...]:
    """Return the schedules that are behind the best one of no optimizer."""
    found = {(p.optimizer, p.schedule): p.standing_in_optimizer for p in pairs}
    if len(found) < len(plan.pairs):
        return ()
    behind = {schedule for (_, schedule), standing in found.items() if standing == "behind"}
    return tuple(schedule for schedule in plan.schedules if schedule not in behind)


def _numbers(scored: Sequence[Outcome]) -> dict[str, Mean]:
    """Return the mean of each further number, over the runs that have it."""
    found: dict[str, list[float]] = {}
    for outcome in scored:
        for name, value in outcome.numbers.items():
            if name == IMPORTED:
                continue
            found.setdefault(name, []).append(value)
    return {name: Mean(*interval(values)) for name, values in sorted(found.items())}


def _tests(scored: Sequence[Outcome]) -> _Scores:
    return [outcome.test for outcome in scored]


def _known(values: _Scores) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: _Scores) -> tuple[float | None, float | None, float | None]:
    """Return the mean of the values that there are, and the ends of its interval."""
    known = _known(values)
    return interval(known) if known else (None, None, None)


def _reached(target: float, steps: int, scored: Sequence[Outcome], metric: Metric) -> TargetUpdates:
    """Return after how many updates runs reach a validation target: the median over the seeds.

    Runs are evaluated some twenty times, and a run counts with the first evaluation that is as
    good as the target. A run without one counts as more than the run's length. If that leaves
    the median open, there is none.
    """
    never = math.inf
    at = evaluation_steps(steps)
    needed = [
        next(
            (s for s, v in zip(at, o.validations, strict=True) if metric.reaches(v, target)), never
        )
        for o in scored
    ]
    middle = median(needed)
    return TargetUpdates(
        updates=None if middle == never else float(middle),
        reached=sum(step < never for step in needed),
    )


def _at_lengths(
    plan: Plan, ordered: Sequence[FinishedPair], metric: Metric
) -> list[tuple[LengthScore, ...]]:
    """Return the scores of each pair over each number of updates, if there are several."""
    found: list[list[LengthScore]] = [[] for _ in ordered]
    for steps in plan.lengths if len(plan.lengths) > 1 and ordered else ():
        rows = [_tests(each.scored[steps]) for each in ordered]
        by_score = sorted(range(len(rows)), key=lambda i: metric.order(rows[i]))
        tied = _not_separated(rows)[by_score[0]]
        _, standings = _compare(
            [rows[i] for i in by_score], [bool(tied[i]) for i in by_score], metric
        )
        for i, standing in zip(by_score, standings, strict=True):
            found[i].append(LengthScore(steps, *_mean(rows[i]), tuple(rows[i]), standing))
    return [tuple(row) for row in found]


def _sensitivity(tried: Mapping[float, Sequence[Outcome]]) -> Band:
    """Return the validation metric by peak; a peak at which every run diverged has none."""
    bands = [
        _band([[None if all(o.diverged for o in found) else o.validation] for o in found])
        for found in tried.values()
    ]
    return Band(
        mean=tuple(band.mean[0] for band in bands),
        low=tuple(band.low[0] for band in bands),
        high=tuple(band.high[0] for band in bands),
    )


def _width(peaks: Sequence[float], means: Row, metric: Metric) -> float:
    """Return how many decades of peak rate around the best stay within its margin."""
    costs = [math.inf if mean is None else metric.cost(mean) for mean in means]
    first = last = costs.index(min(costs))
    enough = min(costs) + metric.margin(min(costs))
    while first > 0 and costs[first - 1] <= enough < math.inf:
        first -= 1
    while last < len(peaks) - 1 and costs[last + 1] <= enough < math.inf:
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
