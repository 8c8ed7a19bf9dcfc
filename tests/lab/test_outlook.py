"""A plan in advance: budgets, time, power, and what is known to be good."""

from __future__ import annotations

import dataclasses
import math
import re
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from lehr.lab import Metric, Pair, Plan, Progress, Size, Store, compare, sized, within
from lehr.lab.analysis.statistics import separable, ties
from lehr.lab.comparison import Comparison
from lehr.lab.outlook import Announcer, outlook, spread

PLAN = Plan(optimizers=("sgd", "adam"), schedules=("cosine", "wsd"))
SHARE = Metric.score("accuracy", guess=0.1)
SMALL = Size(steps=6, seeds=3, tuning_seeds=2, peaks=(0.1, 0.3))


@pytest.mark.parametrize("budget", [28, 60, 100, 251, 1000, 40_000])
@pytest.mark.parametrize("lengths", [(), (50, 400)])
@pytest.mark.parametrize("halving", [True, False])
def test_a_budget_is_kept_and_mostly_spent(
    budget: int, lengths: tuple[int, ...], halving: bool
) -> None:
    plan = dataclasses.replace(
        PLAN, size=dataclasses.replace(PLAN.size, lengths=lengths, halving=halving)
    )
    if budget // 4 < 5 + 2 * len(plan.lengths):
        with pytest.raises(ValueError, match="trials are too few for 4 pairs: give at least"):
            within(plan, budget)
        return
    found = within(plan, budget)
    total = Comparison(found, SHARE).total
    assert budget - 4 * (1 + len(lengths)) < total <= budget
    assert found.size.seeds >= 2
    assert (found.size.steps, found.size.lengths) == (200, lengths)


def test_the_least_budget_that_the_message_names_is_enough() -> None:
    plan = dataclasses.replace(PLAN, tune=("cosine.to=0,0.1",))
    with pytest.raises(ValueError, match="give at least 48") as caught:
        within(plan, 20)
    assert "budget=20 trials are too few for 4 pairs" in str(caught.value)
    assert Comparison(within(plan, 48), SHARE).total == 48


def test_what_can_be_told_apart_is_what_the_test_tells_apart() -> None:
    rng = np.random.default_rng(0)
    for seeds, rows in ((5, 3), (12, 3), (30, 4), (8, 24)):
        least = separable(seeds, rows, 1.0)
        assert least is not None
        shares = {}
        for factor in (0.5, 1.0, 1.6):
            told = 0
            for _ in range(60):
                noise = rng.normal(0, math.sqrt(0.5), (rows, seeds))
                noise[0] += factor * least
                told += not ties(noise.tolist())[0, 1]
            shares[factor] = told / 60
        assert shares[0.5] < 0.2
        assert 0.25 < shares[1.0] < 0.8
        assert shares[1.6] > 0.85


def test_one_seed_tells_nothing_apart() -> None:
    assert separable(1, 2, 0.1) is None
    plan = dataclasses.replace(Plan(), size=dataclasses.replace(SMALL, seeds=1))
    assert "With one seed nothing can be told apart" in outlook(plan, SHARE, 100)


def test_the_outlook_says_how_many_trials_and_what_will_tie() -> None:
    assert outlook(within(PLAN, 60), SHARE, 60) == (
        "4 pairs, each with 7 trials to tune and 8 others to score: 60 trials. With 8 seeds, "
        "differences under 1.3 points will not be told apart, if a pair's lead varies by 1.0 "
        "points from seed to seed (a guess)."
    )
    # Of an unknown unit nothing is guessed.
    assert outlook(within(PLAN, 60), Metric.loss("perplexity"), 60).endswith("60 trials.")
    one = Plan(optimizers=("sgd",), schedules=("cosine",), size=SMALL)
    assert outlook(one, SHARE, 7) == (
        "1 pair, each with 4 trials to tune and 3 others to score: 7 trials."
    )


def test_the_spread_is_that_of_a_difference_of_two_runs() -> None:
    rng = np.random.default_rng(1)
    runs = rng.normal(0.9, 0.03, (40, 25))
    found = spread([[*row, None] for row in runs.tolist()])
    assert found == pytest.approx((runs - runs[::-1]).std(), rel=0.1)
    assert spread([[0.5], []]) is None
    wild = rng.normal(0.9, 30.0, (10, 2))
    few = rng.normal(0.9, 0.03, (200, 2))
    found = spread([*few.tolist(), *wild.tolist()])
    assert found == pytest.approx(0.03 * math.sqrt(2), rel=0.25)


def test_the_time_left_is_said_once_and_only_if_it_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 100.0, 200.0, 300.0])
    monkeypatch.setattr("lehr.lab.outlook.monotonic", lambda: next(clock))
    said: list[str] = []
    announcer = Announcer(PLAN, SHARE, lambda: 0.008, said.append)
    for trained in (0, 0, 2, 5, 9, 50):
        announcer.watch(Progress(0, trained, 100))
    assert len(said) == 2
    assert said[1].startswith(
        "5 of 100 trials: about 32 min left. With 30 seeds, differences under"
    )
    assert said[1].endswith("if leads vary from seed to seed by the 0.8 points seen so far.")


def test_a_plan_is_told_before_training_and_not_when_nothing_is_left(tmp_path: Path) -> None:
    plan = Plan(optimizers=("sgd",), schedules=("cosine", "linear"), size=SMALL)
    for expected in (1, 0):
        said: list[str] = []
        compare(plan, tmp_path / "out", notify=said.append)
        assert sum("2 pairs, each with 4 trials to tune and 3 others" in line for line in said) == (
            expected
        )


def test_hours_give_the_same_plan_when_they_are_asked_again(tmp_path: Path) -> None:
    plan = Plan(optimizers=("sgd", "adam"), schedules=("cosine",), size=SMALL)
    first = sized(plan, 0.01, tmp_path / "out")
    with Store(tmp_path / "out" / "trials.db") as store:
        assert len(list(store.records())) == 2
    assert sized(plan, 0.01, tmp_path / "out") == first
    assert {t.digest for pair in plan.pairs for t in plan.tuning(pair, 0.3)[:1]} <= {
        t.digest for pair in first.pairs for t in first.tuning(pair, 0.3)
    }
    with pytest.raises(ValueError, match="hours=0 must be above 0"):
        sized(plan, 0, tmp_path / "out")
    with pytest.raises(ValueError, match=r"hours=1e-09 are enough for 0 trials of .* s, too few f"):
        sized(plan, 1e-9, tmp_path / "out")


def test_the_hours_that_are_advised_are_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(optimizers=("sgd", "adam"), schedules=("cosine",), size=SMALL)
    sized(plan, 1.0, tmp_path / "out")
    with sqlite3.connect(tmp_path / "out" / "trials.db") as link:
        link.execute("UPDATE trials SET seconds = 100.0")
    link.close()
    with pytest.raises(ValueError, match=r"hours=0.1 .* give at least") as caught:
        sized(plan, 0.1, tmp_path / "out")
    advised = re.search(r"at least ([\d.]+)", str(caught.value))
    assert advised is not None
    found = sized(plan, float(advised[1]), tmp_path / "out")
    assert (found.size.tuning_seeds, found.size.seeds) == (1, 2)


def test_a_known_setting_is_trained_first_within_the_same_budget() -> None:
    plan = dataclasses.replace(PLAN, first=("adam/wsd=0.02",))
    assert plan.pairs[0] == Pair("adam", "wsd")
    assert plan.first_peaks(plan.pairs[0]) == (0.001, 0.003, 0.01, 0.02, 0.1)
    # The nearest is the one that differs by the least factor.
    lower = dataclasses.replace(PLAN, first=("adam/wsd=0.018",))
    assert lower.first_peaks(lower.pairs[0]) == (0.001, 0.003, 0.01, 0.018, 0.1)
    search = Comparison(plan, SHARE)
    first = next(search.next())
    assert (first.optimizer, first.peak) == ("adam", 0.02)
    assert search.total == Comparison(PLAN, SHARE).total
    assert "--first adam/wsd=0.02" in plan.command()


@pytest.mark.parametrize("text", ["adam/wsd", "adam/step=0.1", "adam/wsd=-1", "adam/wsd=x", "="])
def test_a_known_setting_is_one_of_the_comparison(text: str) -> None:
    with pytest.raises(ValueError, match=r"write sgd/cosine=0.01"):
        dataclasses.replace(PLAN, first=(text,))


def test_what_is_added_later_trains_only_what_is_new(tmp_path: Path) -> None:
    plan = Plan(optimizers=("sgd",), schedules=("cosine",), size=SMALL)
    trained: list[Progress] = []
    compare(plan, tmp_path / "out")
    more = dataclasses.replace(
        plan,
        optimizers=("sgd", "adam(eps=1e-07)"),
        schedules=("cosine", "wsd"),
        size=dataclasses.replace(SMALL, seeds=5),
    )
    compare(more, tmp_path / "out", watch=trained.append)
    assert trained[0].reused == 4 + 3
    assert trained[-1].trained == 4 * (4 + 5) - 7
