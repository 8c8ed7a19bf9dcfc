"""Noise: the right distribution, the same numbers everywhere, and nothing else."""

from __future__ import annotations

import copy
import pickle

import mpmath
import numpy as np
import pytest
from mpmath import mpf
from scipy import stats

import lehr
from lehr import ScheduleError

STEPS = np.arange(20_000)


@pytest.mark.parametrize("seed", [0, 1, 42, 2**31 - 1])
@pytest.mark.parametrize("pct", [0.05, 0.67, 1.0])
def test_shares_are_uniform(pct: float, seed: int) -> None:
    shares = lehr.noise(pct, seed=seed)(STEPS) - 1
    assert abs(shares).max() < pct
    assert stats.kstest(shares, stats.uniform(-pct, 2 * pct).cdf).pvalue > 1e-3


@pytest.mark.parametrize("seed", [0, 42])
@pytest.mark.parametrize(("pct", "std"), [(0.67, 1.0), (0.3, 0.1), (0.9, 0.3)])
def test_shares_are_normal_where_a_deviation_is_given(pct: float, std: float, seed: int) -> None:
    shares = lehr.noise(pct, std=std, seed=seed)(STEPS) - 1
    assert abs(shares).max() <= pct
    cut_off = stats.truncnorm(-pct / std, pct / std, scale=std)
    assert stats.kstest(shares, cut_off.cdf).pvalue > 1e-3


def test_steps_and_seeds_are_independent() -> None:
    series = [lehr.noise(0.5, seed=seed)(STEPS) - 1 for seed in (0, 1, 2, 1000)]
    limit = 4.5 / np.sqrt(len(STEPS))
    for one in series:
        for lag in (1, 2, 3, 7, 64, 1024):
            assert abs(np.corrcoef(one[lag:], one[:-lag])[0, 1]) < limit
    correlations = np.corrcoef(series) - np.eye(len(series))
    assert abs(correlations).max() < limit


def test_far_steps_are_as_random_as_the_first() -> None:
    shares = lehr.noise(1.0)(STEPS + 2_000_000_000) - 1
    assert stats.kstest(shares, stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert len(np.unique(shares)) > 0.999 * len(STEPS)


# The hash is made of integers, so uniform noise is the same to the last bit; the logarithm in that
# of a deviation is each library's own.
@pytest.mark.parametrize(("std", "off"), [(None, 0.0), (0.1, 2e-16), (0.004, 2e-16)])
def test_a_number_an_array_and_a_tensor_give_the_same(std: float | None, off: float) -> None:
    torch = pytest.importorskip("torch")
    s = lehr.noise(0.2, std=std)
    for steps in (STEPS[:500], STEPS[:500] + 2**31 - 250, STEPS[:500] * 10**12):
        one_by_one = np.asarray([s(int(t)) for t in steps])
        np.testing.assert_allclose(s(steps), one_by_one, rtol=off, atol=off)
        np.testing.assert_allclose(s(torch.as_tensor(steps)), one_by_one, rtol=off, atol=off)
        np.testing.assert_array_equal(s(steps[::-1]), s(steps)[::-1])
    singles = s(STEPS.astype(np.float32))
    assert singles.dtype == np.float32
    np.testing.assert_allclose(singles, s(STEPS), rtol=2e-7, atol=0)


def test_the_hash_is_the_one_that_is_documented() -> None:
    """The bits of the noise, computed once more in integers without end."""

    def bits(t: int, seed: int) -> int:
        x = (t + seed * 0x1E3779B1 + 0x5BD1E995) % 2**31
        for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39), (14, 0x1B56C4E9)):
            x = (x ^ x >> shift) * factor % 2**31
        return x ^ x >> 16

    for seed in (0, 42, 2**31 - 1):
        uniform, normal = lehr.noise(0.5, seed=seed), lehr.noise(0.5, std=0.3, seed=seed)
        for t in (*range(200), 2**31 - 1, 2**31, 10**15):
            share = (mpf(bits(t, seed)) + mpf("0.5")) / 2**31
            assert abs(uniform(t) - (1 + (2 * share - 1) / 2)) < 3e-16
            beyond = mpmath.ncdf(-mpf("0.5") / mpf("0.3"))
            probability = beyond + (1 - 2 * beyond) * share
            exact = 1 + mpf("0.3") * mpmath.sqrt(2) * mpmath.erfinv(2 * probability - 1)
            assert abs(normal(t) - exact) < 1e-15


def test_rare_shares_are_exact_too() -> None:
    """Far out in the tail of a deviation that is small against the cut."""
    wide = lehr.noise(1.0, std=0.1)
    steps = np.arange(1_000_000)
    shares = wide(steps) - 1
    sigmas = np.abs(shares).max() / 0.1
    # The largest of a million normal numbers lies between these but once in a thousand times.
    assert 4.3 < sigmas < 6.5
    assert stats.kstest(shares, stats.norm(scale=0.1).cdf).pvalue > 1e-3


def test_it_shakes_another_schedule() -> None:
    run = (lehr.cosine(to=0.1) * lehr.noise(0.1, seed=3)).over(1_000)
    smooth = lehr.cosine(to=0.1).over(1_000).values()
    shares = run.values() / smooth - 1
    assert abs(shares).max() < 0.1
    assert abs(shares).max() > 0.09
    low, high = run.bounds
    assert low >= 0
    assert high <= 1.1 + 1e-15


def test_it_can_be_kept_to_a_part_of_the_run() -> None:
    only = lehr.hold(10, at=1.0) >> lehr.noise(0.1)[10:20] >> lehr.hold(at=1.0)
    values = only(np.arange(30))
    assert (values[:10] == 1).all()
    assert (values[20:] == 1).all()
    np.testing.assert_array_equal(values[10:20], lehr.noise(0.1)(np.arange(10, 20)))


def test_equal_noise_is_equal_and_survives_copies() -> None:
    s = lehr.noise(0.1, seed=5)
    assert s == lehr.noise(0.1, seed=5)
    assert s != lehr.noise(0.1, seed=6)
    assert hash(s) == hash(lehr.noise(0.1, seed=5))
    assert pickle.loads(pickle.dumps(s)) == s
    assert copy.deepcopy(s) == s
    assert eval(repr(s), vars(lehr)) == s


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"pct": 0.0}, "pct=0.0"),
        ({"pct": 1.5}, "pct=1.5"),
        ({"std": 0.0}, "std=0.0"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 2**31}, "seed=2147483648"),
        ({"seed": 1.5}, "seed=1.5"),
    ],
)
def test_what_is_refused(arguments: dict[str, float], says: str) -> None:
    with pytest.raises(ScheduleError, match=says):
        lehr.noise(**arguments)


def test_bounds_that_leave_some_of_it_out_are_refused() -> None:
    text = "formula('noise(0.2, 42)'"
    assert lehr.parse(f"{text}, low=0.5, high=1.2)").bounds == (0.8, 1.2)
    with pytest.raises(ScheduleError, match=r"noise\(0.2, 42\) lies between 0.8 and 1.2"):
        lehr.parse(f"{text}, low=0.9)")


def test_it_can_be_drawn_once_for_several_steps() -> None:
    s, single = lehr.parse("formula('noise(0.2, 42)', per=10)"), lehr.noise(0.2)
    expected = [single(1 + t // 10) for t in range(50)]
    np.testing.assert_array_equal(s(np.arange(50)), expected)
    assert [s(t) for t in range(50)] == expected
