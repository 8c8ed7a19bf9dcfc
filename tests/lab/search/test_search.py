"""How a comparison searches: peaks, rungs and scoring, with made-up outcomes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from lehr.lab import Plan, Size, Store
from lehr.lab.analysis.evaluation import evaluate
from lehr.lab.analysis.results import TaskFacts
from lehr.lab.comparison import Comparison
from lehr.lab.metric import Metric
from lehr.lab.peak_grid import PeakGrid, further_peaks
from lehr.lab.study import TrialSearch, recall
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
SHARE = Metric.score("accuracy", guess=0.1)


def finished(score: float, steps: int = SIZE.steps) -> FinishedTrial:
    points = len(evaluation_steps(steps))
    return FinishedTrial(Outcome(None, (1.0,) * points, (score,) * points, score, score, 1.0), 0.5)


def finish(search: TrialSearch, score: Callable[[Trial], float]) -> list[list[Trial]]:
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
        size.peaks or (),
        size.rungs,
        lambda peak: dataclasses.replace(PLAN, size=size).tuning(PAIR, peak),
        Metric.score(),
        size.further_peaks,
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


@pytest.mark.parametrize("halving", [True, False])
@pytest.mark.parametrize(
    ("best", "further", "found"),
    [
        (0.05, 4, [0.032, 0.071, 0.04, 0.06]),  # halfway to both neighbours, and again
        (5.0, 2, [0.4, 0.8]),
        (5.0, 4, [0.4, 0.8, 1.6, 3.2]),
        (0.001, 3, [0.0025, 0.005, 0.0013]),
    ],
)
def test_further_peaks_are_around_the_best_or_beyond_the_edge(
    halving: bool, best: float, further: int, found: list[float]
) -> None:
    size = dataclasses.replace(SIZE, halving=halving, further=further)
    search = grid(size)
    rounds = finish(search, lambda t: 1 / (1 + abs(math.log(t.peak / best))))
    on_grid = len(size.rungs)
    tried = [peak for trials in rounds[on_grid:] for peak in sorted({t.peak for t in trials})]
    assert tried == found
    assert {
        len([t for t in ts if t.peak == p]) for ts in rounds[on_grid:] for p in {t.peak for t in ts}
    } == {8}
    assert sum(map(len, rounds)) == search.total
    assert search.peak == min(search.tried(), key=lambda p: abs(math.log(p / best)))
    assert list(search.tried()) == sorted(search.tried())


@pytest.mark.parametrize(("best", "beyond"), [(0.05, 0), (0.08, 0), (0.001, 4), (5.0, 4)])
def test_peaks_beyond_the_first_grid_are_counted(best: float, beyond: int) -> None:
    plan = dataclasses.replace(PLAN, size=dataclasses.replace(SIZE, lengths=(), further=4))
    search = Comparison(plan, SHARE)
    finish(search, lambda t: 1 / (1 + abs(math.log(t.peak / best))))
    ((pair, each),) = search._pairs
    finished = each.finished(pair)
    assert finished is not None
    facts = TaskFacts("digits", "", "", 1, 1, 1, 1, SHARE)
    found = evaluate(plan, [finished], task=facts, command="", versions={}, seconds=[])
    (row,) = found.pairs
    assert row.beyond == sum(not 0.01 <= peak <= 0.2 for peak in row.peaks) == beyond


def test_a_single_peak_is_widened_to_both_sides() -> None:
    assert further_peaks([0.3], 0.3, 2) == [0.1, 0.9]
    assert further_peaks([0.1000001, 0.1000002], 0.1000001, 2) != []
    # Two digits would not be between the neighbours.
    assert further_peaks([0.1, 0.11, 0.12], 0.11, 2) == pytest.approx(
        [math.sqrt(0.1 * 0.11), math.sqrt(0.11 * 0.12)]
    )
    assert further_peaks([1e-15, 1.0], 1e-15, 2) == [pytest.approx(10**-7.5, rel=0.1)]


def test_every_pair_gets_the_same_budget_wherever_its_best_peak_is() -> None:
    size = dataclasses.replace(SIZE, peaks=None, halving=False, lengths=())
    plan = Plan(optimizers=("sgd", "adam"), schedules=("step",), size=size)
    search = Comparison(plan, Metric.score())
    best = {"sgd": 1000.0, "adam": 0.01}
    asked = [
        trial
        for trials in finish(search, lambda t: 1 / (1 + abs(math.log(t.peak / best[t.optimizer]))))
        for trial in trials
    ]
    spent = {name: sum(t.optimizer == name for t in asked) for name in best}
    assert spent == {"sgd": search.total // 2, "adam": search.total // 2}


TUNED = dataclasses.replace(
    PLAN,
    optimizers=("sgd", "adam"),
    schedules=("step", "cosine(to=0.1)"),
    tune=("momentum=0.5,0.9", "cosine.to=0,0.1"),
    size=dataclasses.replace(SIZE, lengths=(), further=2),
)


def test_tuned_numbers_are_chosen_with_the_peak_and_the_same_budget() -> None:
    def score(trial: Trial) -> float:
        value = near(0.05)(trial)
        value += 0.3 * (trial.optimizer == "sgd(momentum=0.5)")
        return value + 0.1 * (repr(trial.schedule) == "cosine(to=0.0)")

    search = Comparison(TUNED, Metric.score())
    asked = [trial for trials in finish(search, score) for trial in trials]
    assert len({t.digest for t in asked}) == len(asked) == search.total
    finished = {str(pair): each.finished(pair) for pair, each in search._pairs}
    assert {name: dict(each.tuned) for name, each in finished.items() if each} == {
        "sgd/step": {"momentum": "0.5"},
        "sgd/cosine(to=0.1)": {"momentum": "0.5", "cosine.to": "0"},
        "adam/step": {},
        "adam/cosine(to=0.1)": {"cosine.to": "0"},
    }
    best = finished["sgd/cosine(to=0.1)"]
    assert best is not None
    assert best.peak == 0.05
    assert len(best.choices) == 4
    scoring = [t for t in asked if t.seed < SIZE.seeds]
    assert {t.optimizer for t in scoring} == {"sgd(momentum=0.5)", "adam"}
    assert {repr(t.schedule) for t in scoring} >= {"cosine(to=0.0)"}
    spent = {
        name: sum(t.optimizer.startswith(name) for t in asked if t.seed >= SIZE.seeds)
        for name in TUNED.optimizers
    }
    assert spent["sgd"] == spent["adam"]


def test_pairs_whose_tuned_numbers_meet_share_the_trials(tmp_path: Path) -> None:
    plan = dataclasses.replace(
        TUNED,
        optimizers=("adam",),
        schedules=("cosine", "cosine(to=0.1)"),
        tune=("cosine.to=0,0.1",),
    )
    once = dataclasses.replace(plan, schedules=("cosine",))
    assert Comparison(plan, Metric.score()).total == Comparison(once, Metric.score()).total
    # A tuned pair and a plain one that is among its choices.
    plan = dataclasses.replace(plan, schedules=("cosine", "hold() >> linear('20%')"))
    plan = dataclasses.replace(plan, optimizers=("adam", "adam(eps=1e-08)"))
    search = Comparison(plan, Metric.score())
    finish(search, near(0.05))
    assert all(each.finished(pair) for pair, each in search._pairs)
