"""How a comparison searches: peaks, rungs and scoring, with made-up outcomes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from lehr.lab import Plan, Size, Store
from lehr.lab.comparison import Comparison
from lehr.lab.metric import Metric
from lehr.lab.peak_grid import PeakGrid
from lehr.lab.study import Search, recall
from lehr.lab.trial import FinishedTrial, Outcome, Trial, evaluation_steps

SIZE = Size(
    steps=4,
    seeds=3,
    tuning_seeds=8,
    peaks=(0.01, 0.02, 0.05, 0.1, 0.2),
    halving=True,
    lengths=(2, 8),
)
PLAN = Plan(optimizers=("sgd",), schedules=("step",), size=SIZE)
PAIR = PLAN.pairs[0]


def finished(score: float, steps: int = SIZE.steps) -> FinishedTrial:
    points = len(evaluation_steps(steps))
    return FinishedTrial(Outcome(None, (1.0,) * points, (score,) * points, score, score, 1.0), 0.5)


def finish(search: Search, score: Callable[[Trial], float]) -> list[list[Trial]]:
    """Give a search all outcomes that it asks for; return the trials of each time it asked."""
    rounds: list[list[Trial]] = []
    while needed := list(search.next()):
        for trial in needed:
            search.tell(trial, finished(score(trial), trial.steps))
        rounds.append(needed)
    return rounds


def near(best: float) -> Callable[[Trial], float]:
    """A score that falls with the distance from a peak, as a share."""
    return lambda trial: 1 / (1 + abs(trial.peak - best))


def grid(size: Size = SIZE) -> PeakGrid:
    return PeakGrid(
        size.peaks,
        size.rungs,
        lambda peak: dataclasses.replace(PLAN, size=size).tuning(PAIR, peak),
        Metric.score(),
    )


def test_rungs_halve_the_peaks_and_double_the_seeds() -> None:
    assert SIZE.rungs == [(5, 2), (3, 4), (2, 8)]
    search = grid()
    rounds = finish(search, near(0.05))
    # The two nearest, then the lower one of two at the same distance.
    assert [sorted({t.peak for t in trials}) for trials in rounds] == [
        [0.01, 0.02, 0.05, 0.1, 0.2],
        [0.01, 0.02, 0.05],
        [0.02, 0.05],
    ]
    assert [len(trials) for trials in rounds] == [5 * 2, 3 * 2, 2 * 4]
    assert sum(map(len, rounds)) == search.total
    assert search.peak == 0.05
    counts = {peak: len(outcomes) for peak, outcomes in search.tried().items()}
    assert counts == {0.01: 4, 0.02: 8, 0.05: 8, 0.1: 2, 0.2: 2}
    assert list(counts) == sorted(counts)


def test_a_search_yields_a_trial_until_its_outcome_is_there() -> None:
    search = grid()
    first, *others = list(search.next())
    search.tell(first, finished(0.5))
    assert list(search.next()) == others
    assert list(search.next()) == others


def test_then_the_pair_is_scored_at_each_length_the_usual_one_first() -> None:
    rounds = finish(Comparison(PLAN, Metric.score()), near(0.05))
    scoring = rounds[3]
    assert len(rounds) == 4
    assert [t.steps for t in scoring] == [4] * 3 + [2] * 3 + [8] * 3
    assert {t.peak for t in scoring} == {0.05}
    assert [t.seed for t in scoring] == [0, 1, 2] * 3


@pytest.mark.parametrize("halving", [True, False])
@pytest.mark.parametrize("peaks", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("tuning_seeds", [1, 2, 6])
def test_every_pair_gets_the_same_budget_which_is_known_beforehand(
    halving: bool, peaks: int, tuning_seeds: int
) -> None:
    size = dataclasses.replace(
        SIZE,
        halving=halving,
        tuning_seeds=tuning_seeds,
        peaks=tuple(0.01 * (i + 1) for i in range(peaks)),
    )
    plan = dataclasses.replace(PLAN, size=size, schedules=("step", "cosine(to=0.1)"))
    search = Comparison(plan, Metric.score())
    best = {
        repr(plan.scoring(p, 1.0)[0].schedule): b
        for p, b in zip(plan.pairs, (0.01, 0.07), strict=True)
    }
    asked = [
        trial
        for trials in finish(search, lambda t: near(best[repr(t.schedule)])(t))
        for trial in trials
    ]
    spent = [sum(repr(t.schedule) == schedule for t in asked) for schedule in best]
    assert len({t.digest for t in asked}) == len(asked) == search.total
    assert spent == [search.total // 2] * 2


def test_equal_schedules_are_searched_once() -> None:
    twice = dataclasses.replace(PLAN, schedules=("cosine", "cosine(to=0.0)"))
    assert Comparison(twice, Metric.score()).total == Comparison(PLAN, Metric.score()).total


def test_halving_trains_nothing_that_a_full_tuning_would_not(tmp_path: Path) -> None:
    full = Comparison(
        dataclasses.replace(PLAN, size=dataclasses.replace(SIZE, halving=False)), Metric.score()
    )
    halved = Comparison(PLAN, Metric.score())
    with Store(tmp_path / "trials.db", write=True) as store:
        for trials in finish(full, near(0.1)):
            store.add((trial, finished(near(0.1)(trial), trial.steps)) for trial in trials)
        assert recall(halved, store) == halved.total
    assert list(halved.next()) == []


def test_a_peak_that_is_dropped_by_its_first_seeds_does_not_come_back() -> None:
    def late(trial: Trial) -> float:
        first = trial.seed % 1_000_000 < 2
        return 0.1 if trial.peak == 0.2 and first else near(0.2)(trial)

    search = grid()
    finish(search, late)
    assert search.peak == 0.1


def test_of_equal_peaks_the_lowest_is_chosen() -> None:
    search = grid()
    finish(search, lambda _: 0.5)
    assert search.peak == 0.01
