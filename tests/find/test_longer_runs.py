"""The rest of a large budget is spent on longer runs, which move the peak only by evidence."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from itertools import pairwise

import pytest

import lehr
from lehr.find import Ladder, Suggestion, updates_of
from lehr.find.longer import REPEATS, SIDE, LongerRuns, longest

STEPS = 20_000


def searched(
    value: Callable[[float], float],
    *,
    budget: int = 4_000,
    noise: float = 0.0,
    validated: bool = False,
    seed: int = 0,
) -> tuple[Suggestion, Suggestion]:
    """Return a ladder's suggestion and that of longer runs.

    Arguments:
        value: The value of a longer run by the logarithm of its rate over the one that the ladder
            suggests for its length.
    """
    ladder = Ladder(lehr.cosine(), STEPS, start=0.01, family="sgd")
    while (run := ladder.next()) is not None:
        loss = 2 - min(1, 10 * run.rate) if run.rate < 0.3 else math.inf
        ladder.tell([2.0] * (run.updates - 8) + [loss] * 8)
    least = (lambda _: 1e-4) if validated else None
    longer, draw = LongerRuns(ladder, budget, least), random.Random(seed)
    while needed := longer.next():
        for run in needed:
            assert run.updates == longer.updates
            found = value(math.log10(run.rate / ladder.peak_over(run.updates)))
            found += noise * draw.gauss(0, 1)
            lost = not math.isfinite(found)
            given = found if validated and not lost else None
            longer.tell(run, 1.0 if validated and not lost else found, run.updates, given)
    return ladder.suggestion(), longer.suggestion()


def bowl(best: float) -> Callable[[float], float]:
    return lambda decades: (decades - best) ** 2


@pytest.mark.parametrize("validated", [False, True])
@pytest.mark.parametrize(("best", "moves"), [(-0.25, -1), (0.05, 0), (0.25, 1), (0.5, 1)])
def test_the_peak_moves_to_the_rate_that_is_better(
    best: float, moves: int, validated: bool
) -> None:
    before, after = searched(bowl(best), noise=1e-4, validated=validated)
    assert before.peak is not None
    assert after.peak == pytest.approx(before.peak * SIDE**moves)
    assert after.decided_by == ("runs" if moves else before.decided_by)
    assert before.as_good is not None
    assert after.as_good == pytest.approx([rate * SIDE**moves for rate in before.as_good])
    # The range that holds the best rate still holds what it held.
    assert before.best_within is not None
    low, high = before.best_within
    assert after.best_within == pytest.approx(
        (low / SIDE if moves < 0 else low, high * SIDE if moves > 0 else high)
    )
    assert before.spent < after.spent <= 4_000
    assert after.spent == sum(run.spent for run in after.curve)
    # The rate beyond was better still.
    assert any("may be too low" in text for text in after.warnings) == (best == 0.5)


@pytest.mark.parametrize("validated", [False, True])
def test_a_gain_that_is_next_to_nothing_does_not_count(validated: bool) -> None:
    """As on a plateau, where the least difference is sure, and means nothing."""
    gain = 5e-5 if validated else 0.005
    before, after = searched(lambda decades: 1 - gain * decades / 0.255, validated=validated)
    assert after.peak == before.peak
    before, after = searched(lambda decades: 1 - 4 * gain * decades / 0.255, validated=validated)
    assert after.peak != before.peak


def test_chance_does_not_move_the_peak() -> None:
    """A twentieth on each side, and a little more where both are tried."""
    moved = [searched(lambda _: 1.0, noise=0.1, seed=seed) for seed in range(200)]
    assert sum(a.peak != b.peak for a, b in moved) < 0.15 * 200


def test_a_small_gain_in_much_noise_does_not_move_it() -> None:
    moved = [searched(bowl(0.25), noise=0.3, seed=seed) for seed in range(100)]
    assert sum(a.peak != b.peak for a, b in moved) < 25


def test_a_run_that_breaks_is_worse() -> None:
    before, after = searched(lambda decades: math.inf if decades > 0.1 else 1.0)
    assert after.peak == before.peak
    before, after = searched(lambda decades: math.inf if decades > -0.1 else 1.0)
    assert before.peak is not None
    assert after.peak == pytest.approx(before.peak / SIDE)


@pytest.mark.parametrize(("beyond", "moves"), [(1.0, 1), (1.09, 1), (1.11, 0), (math.inf, 0)])
def test_the_peak_moves_up_only_below_a_rate_that_works(beyond: float, moves: int) -> None:
    """The longer a run is, the lower are the rates at which it breaks."""
    before, after = searched(
        lambda decades: beyond if decades > 0.4 else 0.9 if decades > 0.1 else 1.0
    )
    assert before.peak is not None
    assert after.peak == pytest.approx(before.peak * SIDE**moves)
    assert after.decided_by == ("runs" if moves else before.decided_by)


@pytest.mark.parametrize("budget", [400, 1_200])
def test_too_small_a_rest_is_not_spent(budget: int) -> None:
    before, after = searched(bowl(1.0), budget=budget)
    assert after.peak == before.peak
    assert after.spent == before.spent
    assert any("too few for longer runs" in text for text in after.warnings) == (budget > 400)
    assert after.confidence == before.confidence


def test_the_updates_that_longer_runs_take_are_those_of_the_planned_one_if_it_is_short() -> None:
    ladder = Ladder(lehr.cosine(), 50, start=0.01, family="sgd")
    while (run := ladder.next()) is not None:
        loss = 2 - min(1, 10 * run.rate) if run.rate < 0.3 else math.inf
        ladder.tell([2.0] * (run.updates - 8) + [loss] * 8)
    text = LongerRuns(ladder, 500).suggestion().warnings[-1]
    assert "too few for longer runs: they take 600" in text
    assert longest(600, 50) == 50


def test_longer_runs_are_never_longer_than_the_planned_one() -> None:
    assert longest(10**9, 500) == 500
    assert longest(12 * 80, 10_000) == 80
    assert longest(12 * 80 - 1, 10_000) == 0
    assert longest(12 * 50, 50) == 50


def test_nothing_is_trained_without_a_suggestion() -> None:
    ladder = Ladder(lehr.cosine(), STEPS, start=0.01)
    assert ladder.next() is not None
    ladder.tell([math.nan])
    longer = LongerRuns(ladder, 10_000)
    assert longer.next() == []
    assert longer.suggestion().peak is None


def test_each_rate_is_tried_on_the_same_batches() -> None:
    ladder = Ladder(lehr.cosine(), STEPS, start=0.01, family="sgd")
    while (run := ladder.next()) is not None:
        loss = 2 - min(1, 10 * run.rate) if run.rate < 0.3 else math.inf
        ladder.tell([2.0] * (run.updates - 8) + [loss] * 8)
    needed = LongerRuns(ladder, 4_000).next()
    rates = sorted({run.rate for run in needed})
    assert [b / a for a, b in pairwise(rates)] == pytest.approx([SIDE, SIDE])
    assert sorted((run.rate, run.batches) for run in needed) == [
        (rate, batches) for rate in rates for batches in range(REPEATS)
    ]


def test_budgets() -> None:
    assert updates_of(400, 10) == 400
    assert updates_of("400", 10) == 400
    assert updates_of("10%", 4_000) == 400
    assert updates_of("200%", 4_000) == 8_000


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ("10%", "is 200 of 2000 updates, and short runs alone may take 400: write budget=400, or"),
        (59, "at least 60 updates; write budget=400"),
        ("2ep", "not a number of updates: write 400, or '10%' of the run"),
        ("", "not a number of updates"),
        (None, "not a number of updates"),
        (True, "not a number of updates"),
        (-1, "not a number of updates"),
        ([400], "not a number of updates"),
    ],
)
def test_budgets_that_are_refused(budget: object, words: str) -> None:
    with pytest.raises(lehr.ScheduleError, match=words) as error:
        updates_of(budget, 2_000)  # type: ignore[arg-type]
    # What is advised is accepted.
    for advised in re.findall(r"'(\d+%)' or more", str(error.value)):
        assert updates_of(advised, 2_000) >= 400
