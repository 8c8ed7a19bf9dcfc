"""How peaks are chosen, with made-up outcomes: nothing is trained."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lehr.lab import Pair, Plan, Size, Store
from lehr.lab.search import choose_peak, named, next_flight, tuned
from lehr.lab.trial import Kept, Outcome, Trial

SIZE = Size(
    steps=4,
    seeds=3,
    tuning_seeds=8,
    peaks=(0.01, 0.02, 0.05, 0.1, 0.2),
    halving=True,
    lengths=(2, 8),
)
PLAN = Plan(optimizers=("sgd",), schedules=("step", "cosine(to=0.1)"), size=SIZE)
PAIR = PLAN.pairs[0]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "trials.db", write=True) as store:
        yield store


def outcome(score: float) -> Outcome:
    return Outcome(None, (1.0,), (score,), score, score, 1.0)


def finish(
    plan: Plan, pair: Pair, store: Store, score: Callable[[Trial], float]
) -> list[list[Trial]]:
    """Give every flight of a pair its outcomes; return the flights."""
    flights: list[list[Trial]] = []
    while flight := next_flight(plan, pair, store):
        store.add((trial, Kept(outcome(score(trial)), 0.0)) for trial in flight.trials)
        flights.append(flight.trials)
    return flights


def near(best: float) -> Callable[[Trial], float]:
    """A score that falls with the distance from a peak, as a share."""
    return lambda trial: 1 / (1 + abs(trial.peak - best))


def test_rungs_halve_the_peaks_and_double_the_seeds(store: Store) -> None:
    assert SIZE.rungs == [(5, 2), (3, 4), (2, 8)]
    flights = finish(PLAN, PAIR, store, near(0.05))
    peaks = [sorted({t.peak for t in flight}) for flight in flights]
    # The two that are nearest, then the lower one of two that are as far.
    assert peaks[:3] == [[0.01, 0.02, 0.05, 0.1, 0.2], [0.01, 0.02, 0.05], [0.02, 0.05]]
    assert [len(flight) for flight in flights[:3]] == [5 * 2, 3 * 2, 2 * 4]
    assert choose_peak(tuned(PLAN, PAIR, store)) == 0.05
    counts = {peak: len(found) for peak, found in tuned(PLAN, PAIR, store).items()}
    assert counts == {0.01: 4, 0.02: 8, 0.05: 8, 0.1: 2, 0.2: 2}
    assert list(counts) == sorted(counts)


def test_then_the_pair_is_scored_a_length_at_a_time(store: Store) -> None:
    flights = finish(PLAN, PAIR, store, near(0.05))[3:]
    assert [{t.steps for t in flight} for flight in flights] == [{4}, {2}, {8}]
    for flight in flights:
        assert {t.peak for t in flight} == {0.05}
        assert [t.seed for t in flight] == [0, 1, 2]


@pytest.mark.parametrize("halving", [True, False])
@pytest.mark.parametrize("peaks", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("tuning_seeds", [1, 2, 6])
def test_every_pair_gets_the_same_budget_and_it_is_told_beforehand(
    store: Store, halving: bool, peaks: int, tuning_seeds: int
) -> None:
    size = dataclasses.replace(
        SIZE,
        halving=halving,
        tuning_seeds=tuning_seeds,
        peaks=tuple(0.01 * (i + 1) for i in range(peaks)),
    )
    plan = dataclasses.replace(PLAN, size=size)
    spent = [
        sum(map(len, finish(plan, pair, store, near(best))))
        for pair, best in zip(plan.pairs, (0.01, 0.07), strict=True)
    ]
    assert spent == [size.runs] * 2
    assert plan.total == len(store) == 2 * size.runs
    assert all(len(named(plan, pair, store)) == size.runs for pair in plan.pairs)


def test_halving_trains_nothing_that_a_full_tuning_would_not(store: Store) -> None:
    full = dataclasses.replace(PLAN, size=dataclasses.replace(SIZE, halving=False))
    finish(full, PAIR, store, near(0.1))
    assert finish(PLAN, PAIR, store, near(0.1)) == []
    assert choose_peak(tuned(PLAN, PAIR, store)) == choose_peak(tuned(full, PAIR, store)) == 0.1


def test_a_peak_that_is_dropped_by_its_first_seeds_does_not_come_back(store: Store) -> None:
    def late(trial: Trial) -> float:
        first = trial.seed % 1_000_000 < 2
        return 0.1 if trial.peak == 0.2 and first else near(0.2)(trial)

    finish(PLAN, PAIR, store, late)
    assert choose_peak(tuned(PLAN, PAIR, store)) == 0.1


def test_of_equal_peaks_the_lowest_is_chosen(store: Store) -> None:
    finish(PLAN, PAIR, store, lambda _: 0.5)
    assert choose_peak(tuned(PLAN, PAIR, store)) == 0.01
