"""Noise: the right distribution, the same numbers everywhere, and nothing else."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
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


def test_a_number_an_array_and_a_tensor_give_the_same() -> None:
    torch = pytest.importorskip("torch")
    s = lehr.noise(0.2, std=0.1)
    steps = STEPS[:500]
    one_by_one = np.asarray([s(int(t)) for t in steps])
    np.testing.assert_array_equal(s(steps), one_by_one)
    np.testing.assert_array_equal(s(torch.as_tensor(steps)).numpy(), one_by_one)
    np.testing.assert_array_equal(s(steps[::-1]), one_by_one[::-1])


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
