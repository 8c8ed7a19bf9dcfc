"""Intervals and ties, against scipy, closed forms and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lehr.lab.statistics import interval, p_value, ties

SAMPLES = [[0.91, 0.94], [0.5, 0.9, 0.7], [0.9, 0.95, 0.93, 0.97, 0.92, 0.9, 0.99]]


@pytest.mark.parametrize("values", SAMPLES)
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_interval_is_students(values: list[float], confidence: float) -> None:
    found = interval(values, confidence)
    low, high = stats.t.interval(
        confidence, len(values) - 1, loc=np.mean(values), scale=stats.sem(values)
    )
    assert found.mean == pytest.approx(np.mean(values), rel=1e-14)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)


def test_interval_of_two_values_in_closed_form() -> None:
    # With one degree of freedom Student's t is Cauchy's: its 97.5% quantile is tan(0.475 pi).
    found = interval([0.2, 0.6])
    half = math.tan(0.475 * math.pi) * 0.2
    assert found == pytest.approx((0.4, 0.4 - half, 0.4 + half), rel=1e-12)


def test_one_value_has_no_ends() -> None:
    assert interval([0.7]) == (0.7, None, None)


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert interval([0.25, 0.25, 0.25]) == (0.25, 0.25, 0.25)


def test_interval_covers_the_mean_as_often_as_it_says() -> None:
    draws = np.random.default_rng(5).normal(0.9, 0.01, (4000, 5))
    found = [interval(draw.tolist(), 0.9) for draw in draws]
    held = np.mean([f.low <= 0.9 <= f.high for f in found])
    assert held == pytest.approx(0.9, abs=4 * math.sqrt(0.9 * 0.1 / 4000))


@pytest.mark.parametrize(("values", "confidence"), [([], 0.95), ([1.0, 2.0], 1.0), ([1.0], 0.0)])
def test_interval_refuses(values: list[float], confidence: float) -> None:
    with pytest.raises(ValueError, match=r"values is empty|confidence=.* is not between 0 and 1"):
        interval(values, confidence)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=12).filter(
        lambda pairs: np.std([a - b for a, b in pairs]) > 1e-6
    )
)
def test_p_value_is_that_of_the_paired_test(pairs: list[tuple[float, float]]) -> None:
    first, second = zip(*pairs, strict=True)
    expected = stats.ttest_rel(first, second).pvalue
    assert p_value(first, second) == pytest.approx(expected, rel=1e-9)
    assert p_value(second, first) == p_value(first, second)


def test_p_value_without_spread() -> None:
    assert p_value([0.5, 0.7], [0.5, 0.7]) == 1.0
    assert p_value([0.5, 0.7], [0.4, 0.6]) == 0.0
    # The same difference of 7 out of 450 everywhere, though not in floating point.
    low = [k / 450 for k in (401, 417, 423, 431)]
    assert p_value([(450 * v + 7) / 450 for v in low], low) == 0.0


def test_one_seed_tells_nothing() -> None:
    assert p_value([1.0], [0.0]) == 1.0
    assert ties([[1.0], [0.5], [0.0]]).all()


@pytest.mark.parametrize(("first", "second"), [([], []), ([0.1], [0.1, 0.2])])
def test_p_value_refuses_scores_that_are_not_paired(
    first: list[float], second: list[float]
) -> None:
    with pytest.raises(ValueError, match="same seeds on both sides"):
        p_value(first, second)


def test_ties_share_the_level_among_the_comparisons_of_a_contender() -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(0.9, 0.01, (5, 8)) + np.linspace(0, 0.03, 5)[:, None]
    expected = [
        [i == j or stats.ttest_rel(a, b).pvalue >= 0.05 / 4 for j, b in enumerate(scores)]
        for i, a in enumerate(scores)
    ]
    assert ties(scores.tolist()).tolist() == expected
    assert 5 < np.sum(expected) < 25  # the case has both


def test_a_lone_contender_ties_with_itself() -> None:
    assert ties([[0.3, 0.4]]).tolist() == [[True]]
    assert ties([]).shape == (0, 0)


def test_equals_are_seldom_told_apart() -> None:
    # Equals whose scores share what the seed brings. One of them is told apart from any other at
    # most as often as the level says, and not so seldom that nothing ever would be.
    rng, rounds, contenders, seeds = np.random.default_rng(11), 1500, 6, 10
    wrong = 0
    for _ in range(rounds):
        scores = rng.normal(0, 1, (contenders, seeds)) + rng.normal(0, 3, seeds)
        wrong += not ties(scores.tolist(), 0.9)[0].all()
    rate, slack = wrong / rounds, 4 * math.sqrt(0.1 * 0.9 / rounds)
    assert 0.04 < rate < 0.1 + slack


def test_a_real_difference_is_found_because_seeds_are_paired() -> None:
    rng, found = np.random.default_rng(3), 0
    for _ in range(200):
        seed = rng.normal(0, 0.05, 12)
        better, worse = (seed + rng.normal(mean, 0.004, 12) for mean in (0.01, 0.0))
        found += not ties([better.tolist(), worse.tolist()])[0, 1]
    assert found > 190
