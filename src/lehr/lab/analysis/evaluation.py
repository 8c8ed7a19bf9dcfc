"""From the outcomes of finished trials to results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

import numpy as np

from lehr.lab.analysis.effects import mattering
from lehr.lab.analysis.finished import FinishedPair, mean_of, score_of, tests
from lehr.lab.analysis.pair_result import (
    Band,
    LengthScore,
    Mean,
    PairResult,
    Row,
    Standing,
    TargetUpdates,
    Tried,
)
from lehr.lab.analysis.recipe import recipe
from lehr.lab.analysis.results import (
    FORMAT,
    ComparedSchedule,
    FailedRun,
    Results,
    Settings,
    TaskFacts,
)
from lehr.lab.analysis.standings import not_separated, open_ranks, with_best
from lehr.lab.analysis.statistics import CONFIDENCE, interval, intervals
from lehr.lab.analysis.summary import summarize
from lehr.lab.metric import Metric
from lehr.lab.optimizers import find_optimizer, label
from lehr.lab.plan import Plan
from lehr.lab.schedules import find_contender
from lehr.lab.trial import IMPORTED, Outcome, evaluation_steps
from lehr.lab.versions import LEHR
from lehr.schedule.base import Schedule

_DRAWN = 400  # points of a schedule's curve, at most


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
    searched: int = 0,
) -> Results:
    """Rank finished pairs, and find out which of them can be told apart.

    `seconds` is the cost of all finished trials, and `last` is when the last of them finished; for
    the other arguments see `Settings` and `Results`.
    """
    size = plan.size
    settings = Settings(
        steps=size.steps,
        seeds=size.seeds,
        tuning_seeds=size.tuning_seeds,
        peaks=_first_peaks(plan, finished),
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
        find=size.find,
        searched=searched,
    )
    pairs = _Ranking(plan, finished, task.metric).results()
    results = Results(
        format=FORMAT,
        lehr=LEHR,
        task=task,
        settings=settings,
        optimizers={
            label(name): find_optimizer(name, check=False).text for name in plan.optimizers
        },
        schedules={name: _schedule(name, size.steps) for name in plan.schedules},
        pairs=pairs,
        failed=tuple(failed),
        influences=mattering(plan, finished, task.metric),
        serving=_serving(plan, pairs),
    )
    return replace(results, summary=tuple(summarize(results)))


def _first_peaks(plan: Plan, finished: Sequence[FinishedPair]) -> tuple[float, ...]:
    """Return the peaks at which pairs are tried first; of those found, only finished pairs'."""
    first = (
        [each.first for each in finished]
        if plan.size.find
        else [plan.first_peaks(pair) for pair in plan.pairs]
    )
    return tuple(sorted({peak for peaks in first for peak in peaks}))


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


class _Ranking:
    """Finished pairs, best first, and the test's comparisons between them."""

    def __init__(self, plan: Plan, finished: Sequence[FinishedPair], metric: Metric) -> None:
        self._plan, self._metric = plan, metric
        scores = {each.pair: tests(each.scored[plan.size.steps]) for each in finished}
        self._pairs = sorted(finished, key=lambda each: metric.order(scores[each.pair]))
        rows = [scores[each.pair] for each in self._pairs]
        self._tied = not_separated(rows)
        self._ranks = open_ranks(self._tied)
        self._best = with_best(rows, self._tied, range(len(rows)), metric)
        self._best_of_optimizer: dict[int, Standing] = {}
        for optimizer in plan.optimizers:
            own = [i for i, each in enumerate(self._pairs) if each.pair.optimizer == optimizer]
            for i, (_, standing) in zip(own, with_best(rows, self._tied, own, metric), strict=True):
                self._best_of_optimizer[i] = standing
        self._lengths = self._at_lengths()

    def results(self) -> tuple[PairResult, ...]:
        """Return the results of the pairs, best first."""
        return tuple(self._result(i, each) for i, each in enumerate(self._pairs))

    def _result(self, i: int, each: FinishedPair) -> PairResult:
        plan, metric, steps = self._plan, self._metric, self._plan.size.steps
        peaks, scored = list(each.tried), each.scored[steps]
        score, low, high = score_of(tests(scored), metric)
        by_peak = _sensitivity(each.tried)
        behind, standing = self._best[i]
        return PairResult(
            optimizer=label(each.pair.optimizer),
            schedule=each.pair.schedule,
            rank=i + 1,
            standing=standing,
            standing_in_optimizer=self._best_of_optimizer[i],
            not_separated=tuple(
                str(other.pair)
                for j, other in enumerate(self._pairs)
                if self._tied[i, j] and j != i
            ),
            ranks=self._ranks[i],
            peak=each.peak,
            at_edge=each.peak in (peaks[0], peaks[-1]),
            score=score,
            low=low,
            high=high,
            scores=tuple(tests(scored)),
            behind=behind,
            diverged=sum(o.diverged is not None for o in scored),
            validation=mean_of([o.validation for o in each.tried[each.peak]])[0],
            test_loss=_band([[o.test_loss] for o in scored]).mean[0],
            peaks=tuple(peaks),
            peak_seeds=tuple(len(found) for found in each.tried.values()),
            sensitivity=by_peak,
            width=_width(peaks, by_peak.mean, metric),
            target=None if plan.target is None else _reached(plan.target, steps, scored, metric),
            lengths=tuple(self._lengths[i]),
            steps=tuple(evaluation_steps(steps)),
            loss=_band([o.loss for o in scored]),
            validations=_band([o.validations for o in scored]),
            code=recipe(each.trial),
            seconds=each.seconds,
            numbers=_numbers(scored),
            imported=sum(IMPORTED in outcome.numbers for outcome in scored),
            found=each.found,
            beyond=sum(not each.first[0] <= peak <= each.first[-1] for peak in peaks),
            tuned=each.tuned,
            choices=tuple(
                Tried(values, peak, len(found), mean_of([o.validation for o in found])[0])
                for values, tried in each.choices
                if each.tuned
                for peak, found in tried.items()
            ),
        )

    def _at_lengths(self) -> list[list[LengthScore]]:
        """Return each pair's scores for each number of updates, if there are several."""
        plan, metric = self._plan, self._metric
        found: list[list[LengthScore]] = [[] for _ in self._pairs]
        for steps in plan.lengths if len(plan.lengths) > 1 else ():
            rows = [tests(each.scored[steps]) for each in self._pairs]
            by_score = sorted(range(len(rows)), key=lambda i: metric.order(rows[i]))
            compared = with_best(rows, not_separated(rows), by_score, metric)
            for i, (_, standing) in zip(by_score, compared, strict=True):
                score = score_of(rows[i], metric)
                found[i].append(LengthScore(steps, *score, tuple(rows[i]), standing))
        return found


def _serving(plan: Plan, pairs: Sequence[PairResult]) -> tuple[str, ...]:
    """Return the schedules that are not behind the best one with any optimizer."""
    found = {(p.optimizer, p.schedule): p.standing_in_optimizer for p in pairs}
    if len(found) < len(plan.pairs):
        return ()
    behind = {schedule for (_, schedule), standing in found.items() if standing == "behind"}
    return tuple(schedule for schedule in plan.schedules if schedule not in behind)


def _numbers(scored: Sequence[Outcome]) -> dict[str, Mean]:
    """Return the mean of each additional number, over the runs that have it."""
    found: dict[str, list[float]] = {}
    for outcome in scored:
        for name, value in outcome.numbers.items():
            if name == IMPORTED:
                continue
            found.setdefault(name, []).append(value)
    return {name: Mean(*interval(values)) for name, values in sorted(found.items())}


def _reached(target: float, steps: int, scored: Sequence[Outcome], metric: Metric) -> TargetUpdates:
    """Return the number of updates until a validation target: the median over the seeds.

    Runs are evaluated some twenty times; a run counts with its first evaluation that is as good as
    the target. A run without such an evaluation counts as needing more than its length. If that
    leaves the median open, there is none.
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


def _short(value: float | None) -> float | None:
    """Round to enough digits for drawing, which keeps the files small."""
    return None if value is None else float(f"{value:.6g}")
