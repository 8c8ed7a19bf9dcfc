"""From the outcomes of finished trials to results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from lehr.lab.bands import band, sensitivity, short, width
from lehr.lab.effects import mattering
from lehr.lab.finished import FinishedPair, Scores, mean_of, score_of, tests
from lehr.lab.metric import Metric
from lehr.lab.optimizers import find_optimizer, label
from lehr.lab.pair_result import (
    Gap,
    LengthScore,
    Mean,
    PairResult,
    Row,
    Standing,
    TargetUpdates,
    Tried,
)
from lehr.lab.plan import Plan
from lehr.lab.recipe import recipe
from lehr.lab.results import FORMAT, ComparedSchedule, FailedRun, Results, Settings, TaskFacts
from lehr.lab.schedules import find_contender
from lehr.lab.standings import not_separated, open_ranks, with_best
from lehr.lab.statistics import CONFIDENCE, interval
from lehr.lab.summary import summarize
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
        searched: The updates of the short runs that find peaks.
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
    pairs = _ranked(plan, finished, task.metric)
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
    """Return the peaks at which pairs are tried first; those that are found, of finished pairs."""
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
    return tuple(at.tolist()), tuple(short(value) for value in values.tolist())


def _ranked(plan: Plan, finished: Sequence[FinishedPair], metric: Metric) -> tuple[PairResult, ...]:
    """Return the results of the pairs, best first."""
    scores = {each.pair: tests(each.scored[plan.size.steps]) for each in finished}
    ordered = sorted(finished, key=lambda each: metric.order(scores[each.pair]))
    names = [str(each.pair) for each in ordered]
    rows = [scores[each.pair] for each in ordered]
    tied = not_separated(rows)
    gaps, standings = with_best(rows, tied[0] if rows else (), metric)
    ranks = open_ranks(tied)
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
            ranks=ranks[i],
            behind=gaps[i],
            lengths=lengths[i],
        )
        for i, each in enumerate(ordered)
    )


def _standing_in_optimizer(
    ordered: Sequence[FinishedPair],
    rows: Sequence[Scores],
    tied: NDArray[np.bool_],
    place: int,
    metric: Metric,
) -> Standing:
    """Return how a pair compares with the best pair of its optimizer."""
    optimizer = ordered[place].pair.optimizer
    own = [i for i, each in enumerate(ordered) if each.pair.optimizer == optimizer]
    _, standings = with_best([rows[i] for i in own], [bool(tied[own[0], i]) for i in own], metric)
    return standings[own.index(place)]


def _result(
    plan: Plan,
    each: FinishedPair,
    metric: Metric,
    *,
    rank: int,
    standing: Standing,
    standing_in_optimizer: Standing,
    not_separated: tuple[str, ...],
    ranks: tuple[int, int],
    behind: Gap | None,
    lengths: tuple[LengthScore, ...],
) -> PairResult:
    steps, peaks, grid = plan.size.steps, tuple(each.tried), each.first
    scored = each.scored[steps]
    scores = tests(scored)
    score, low, high = score_of(scores, metric)
    by_peak = sensitivity(each.tried)
    return PairResult(
        optimizer=label(each.pair.optimizer),
        schedule=each.pair.schedule,
        rank=rank,
        standing=standing,
        standing_in_optimizer=standing_in_optimizer,
        not_separated=not_separated,
        ranks=ranks,
        peak=each.peak,
        at_edge=each.peak in (peaks[0], peaks[-1]),
        score=score,
        low=low,
        high=high,
        scores=tuple(scores),
        behind=behind,
        diverged=sum(o.diverged is not None for o in scored),
        validation=mean_of([o.validation for o in each.tried[each.peak]])[0],
        test_loss=band([[o.test_loss] for o in scored]).mean[0],
        peaks=tuple(each.tried),
        peak_seeds=tuple(len(found) for found in each.tried.values()),
        sensitivity=by_peak,
        width=width(list(each.tried), by_peak.mean, metric),
        target=None if plan.target is None else _reached(plan.target, steps, scored, metric),
        lengths=lengths,
        steps=tuple(evaluation_steps(steps)),
        loss=band([o.loss for o in scored]),
        validations=band([o.validations for o in scored]),
        code=recipe(each.trial),
        seconds=each.seconds,
        numbers=_numbers(scored),
        imported=sum(IMPORTED in outcome.numbers for outcome in scored),
        found=each.found,
        beyond=sum(not grid[0] <= peak <= grid[-1] for peak in peaks),
        tuned=each.tuned,
        choices=tuple(
            Tried(values, peak, len(found), mean_of([o.validation for o in found])[0])
            for values, tried in each.choices
            if each.tuned
            for peak, found in tried.items()
        ),
    )


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
        rows = [tests(each.scored[steps]) for each in ordered]
        by_score = sorted(range(len(rows)), key=lambda i: metric.order(rows[i]))
        tied = not_separated(rows)[by_score[0]]
        _, standings = with_best(
            [rows[i] for i in by_score], [bool(tied[i]) for i in by_score], metric
        )
        for i, standing in zip(by_score, standings, strict=True):
            found[i].append(
                LengthScore(steps, *score_of(rows[i], metric), tuple(rows[i]), standing)
            )
    return [tuple(row) for row in found]
