"""Intervals and ties, against scipy, closed forms and simulation."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from lehr.lab.analysis.statistics import (
    FEW,
    interval,
    intervals,
    p_value,
    seeds_to_decide,
    separable,
    ties,
)

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


@pytest.mark.parametrize("runs", [8, 30])
def test_interval_is_that_of_scipys_bootstrap(runs: int) -> None:
    values = np.random.default_rng(runs).beta(20, 2, runs)
    # The expanded percentiles, written out: t's quantile, stretched, as a share of the normal.
    t = stats.t(runs - 1).ppf(0.975) * math.sqrt(runs / (runs - 1))
    low, high = stats.bootstrap(
        (values,),
        np.mean,
        confidence_level=1 - 2 * stats.norm.sf(t),
        method="percentile",
        n_resamples=40_000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    found = interval(values.tolist())
    assert found.mean == pytest.approx(values.mean(), rel=1e-14)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.05 * (high - low))


def test_intervals_are_those_of_each_column_and_stay_within_the_runs() -> None:
    values = np.random.default_rng(0).beta(30, 1, (12, 5))
    found = intervals(values)
    for column, one in zip(values.T, found, strict=True):
        assert one == pytest.approx(interval(column.tolist()), rel=1e-14)
    for column, (mean, low, high) in zip(values.T, found, strict=True):
        assert column.min() <= low < mean < high <= column.max()
    assert intervals(values[:, :0]) == []


@pytest.mark.parametrize("runs", [2, FEW, 30])
def test_runs_that_agree_leave_no_width(runs: int) -> None:
    assert interval([0.3] * runs) == pytest.approx((0.3, 0.3, 0.3), abs=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("runs", [3, 8, 12, 16, 30])
@pytest.mark.parametrize(
    ("noise", "truth", "least"),
    [("normal", 0.0, 0.925), ("shares", 0.95, 0.925), ("skewed", 1.0, 0.88)],
)
def test_intervals_hold_the_mean_as_often_as_they_say(
    runs: int, noise: str, truth: float, least: float
) -> None:
    # An exponential's skew is not to be seen in a dozen runs: no interval makes up for all of it.
    # Student's is below 0.9 there, too.
    rng, shape = np.random.default_rng(5), (runs, 3000)
    values = {
        "normal": lambda: rng.normal(0, 1, shape),
        "shares": lambda: rng.binomial(450, 0.95, shape) / 450,
        "skewed": lambda: rng.exponential(1, shape),
    }[noise]()
    held = np.mean([low <= truth <= high for _, low, high in intervals(values)])
    assert least < held < 0.975


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


def test_few_seeds_share_the_level_among_all_comparisons() -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(0.9, 0.01, (5, FEW - 1)) + np.linspace(0, 0.06, 5)[:, None]
    expected = [
        [i == j or stats.ttest_rel(a, b).pvalue >= 0.05 / 10 for j, b in enumerate(scores)]
        for i, a in enumerate(scores)
    ]
    assert ties(scores.tolist()).tolist() == expected
    assert 5 < np.sum(expected) < 25  # the case has both


@pytest.mark.parametrize("gap", np.linspace(0.2, 1.4, 13))
def test_two_contenders_are_told_apart_as_scipy_flips_their_signs(gap: float) -> None:
    first, second = np.random.default_rng(8).normal([[gap], [0.0]], 0.7, (2, 10))
    # scipy takes either tail apart and doubles it: with signs, both are the same size.
    found = stats.permutation_test(
        (first - second,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert ties([first.tolist(), second.tolist()])[0, 1] == (found.pvalue >= 0.05)


def test_all_comparisons_together_as_written_out() -> None:
    scores = np.random.default_rng(4).normal([[0], [0.5], [1.5], [3]], 1, (4, 9))
    compared = [(i, j) for i in range(4) for j in range(i)]
    largest = []
    for signs in itertools.product([1, -1], repeat=9):
        sums = [np.dot(signs, d := scores[i] - scores[j]) / np.sqrt(d @ d) for i, j in compared]
        largest.append(np.abs(sums).max())
    assert len(set(np.round(largest, 9))) > 100
    for confidence in (0.5, 0.9, 0.95):
        tied = ties(scores.tolist(), confidence)
        for i, j in compared:
            d = scores[i] - scores[j]
            chance = np.mean(np.array(largest) >= abs(d.sum()) / np.sqrt(d @ d) - 1e-9)
            assert tied[i, j] == tied[j, i] == (chance >= 1 - confidence)


def test_equal_scores_tie_and_a_steady_difference_does_not() -> None:
    low = [k / 450 for k in range(401, 411)]
    other = [(450 * v + 7) / 450 for v in low]
    assert ties([low, other, low]).tolist() == [
        [True, False, True],
        [False, True, False],
        [True, False, True],
    ]
    assert ties([[0.1] * 9, [0.1] * 9]).all()


def test_rows_of_other_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"rows of \[8, 9\] scores"):
        ties([[0.1] * 8, [0.1] * 9])


def test_a_lone_contender_ties_with_itself() -> None:
    assert ties([[0.3, 0.4]]).tolist() == [[True]]
    assert ties([]).shape == (0, 0)


@pytest.mark.parametrize("seeds", [5, 10])
def test_equals_are_seldom_told_apart(seeds: int) -> None:
    # Equals whose scores share what the seed brings. Any two of them are told apart at most as
    # often as the level says, and not so seldom that nothing ever would be.
    assert_seldom(seeds, 400, lambda rng: rng.normal(0, 1, (6, seeds)))


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 8, 16, 30])
@pytest.mark.parametrize("noise", ["normal", "shares", "long tails"])
def test_equals_are_seldom_told_apart_whatever_the_noise(seeds: int, noise: str) -> None:
    draw = {
        "normal": lambda rng: rng.normal(0, 1, (6, seeds)),
        "shares": lambda rng: rng.binomial(450, 0.95, (6, seeds)) / 4.5,
        "long tails": lambda rng: rng.standard_t(3, (6, seeds)),
    }[noise]
    assert_seldom(seeds, 2000, draw, least=0.03)


def assert_seldom(
    seeds: int,
    rounds: int,
    draw: Callable[[np.random.Generator], NDArray[np.float64]],
    least: float = 0.04,
) -> None:
    """At a confidence of 90%, equals are told apart in a tenth of the cases or somewhat fewer."""
    rng, wrong = np.random.default_rng(11), 0
    for _ in range(rounds):
        scores = draw(rng) + rng.normal(0, 3, seeds)
        wrong += not ties(scores.tolist(), 0.9).all()
    rate, slack = wrong / rounds, 4 * math.sqrt(0.1 * 0.9 / rounds)
    assert least < rate < 0.1 + slack


def test_a_real_difference_is_found_because_seeds_are_paired() -> None:
    rng, found = np.random.default_rng(3), 0
    for _ in range(200):
        seed = rng.normal(0, 0.05, 12)
        better, worse = (seed + rng.normal(mean, 0.004, 12) for mean in (0.01, 0.0))
        found += not ties([better.tolist(), worse.tolist()])[0, 1]
    assert found > 190


@pytest.mark.parametrize("seeds", [8, 20, 40])
@pytest.mark.parametrize("gap", [0.5, 1.0])
def test_so_many_seeds_do_decide(seeds: int, gap: float) -> None:
    """Normal differences with a mean of `gap` spreads are separated with the seeds it says."""
    needed = [
        seeds_to_decide((gap + rng.standard_normal(seeds)).tolist(), 5, margin=1e-9)
        for rng in map(np.random.default_rng, range(200))
    ]
    # The statistic is sqrt(n) * mean / rms: it reaches the quantile of 1 - 0.05 / 20 at this n.
    expected = (stats.norm.ppf(1 - 0.05 / 20) / gap) ** 2 * (1 + gap**2)
    many = [n for n in needed if n is not None]
    assert min(many) > seeds
    assert np.median(many) == pytest.approx(max(expected, seeds + 1), rel=0.5)


def test_few_seeds_separate_what_the_t_test_of_one_comparison_does() -> None:
    # Four contenders are compared in six ways.
    half = stats.t.ppf(1 - 0.05 / 6 / 2, 4) / 5**0.5
    assert separable(5, 4, 0.02) == pytest.approx(0.02 * half)


def test_what_separates_sooner_than_it_ties_needs_the_fewer_seeds() -> None:
    differences = [0.004, 0.014, 0.006, 0.012]
    apart = seeds_to_decide(differences, 2, margin=1e-9)
    assert apart == FEW
    # A tie just below the margin would take hundreds.
    assert seeds_to_decide(differences, 2, margin=0.0095) == apart


def test_seeds_that_would_show_a_tie() -> None:
    # The interval of a mean of 0 and a spread of 0.02 is 1.96 * 0.02 / sqrt(n) wide to each side.
    spread = [0.02 * (-1) ** i for i in range(10)]
    sd = float(np.std(spread, ddof=1))
    expected = np.ceil((stats.norm.ppf(0.975) * sd / 0.01) ** 2)
    assert seeds_to_decide(spread, 5, margin=0.01) == expected == 18
    assert seeds_to_decide([0.1], 5, margin=0.01) is None
    assert seeds_to_decide([1.0, -1.0], 5, margin=1e-6) is None
