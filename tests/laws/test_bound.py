"""The convex bound: against the direct sums, and against what is known of it."""

import numpy as np
import pytest

from lehr.laws import LawError, bound

T = 3000
t = np.arange(T)

SCHEDULES = {
    "constant": np.ones(T),
    "linear": 1 - t / T,
    "cosine": (1 + np.cos(np.pi * t / T)) / 2,
    "wsd": np.minimum(1.0, (T - t) / (0.2 * T)),
    "a drop to a ten-thousandth": np.where(t < 0.8 * T, 1.0, 1e-4),
    "exponential": np.exp(-12 * t / T),
    "noise": np.random.default_rng(0).uniform(1e-6, 1.0, T),
    "warmup": np.minimum(1.0, (t + 1) / 300),
}


def direct(h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bound's two terms after every update, each by its own sum."""
    sums = np.cumsum(h)
    tails = [np.sum(h[:k] ** 2 / (sums[k] - sums[:k])) for k in range(len(h))]
    return 1 / (2 * sums), h / 2 + np.array(tails) / 2


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_curve_is_the_direct_sum(name: str) -> None:
    h = SCHEDULES[name]
    found = bound(h)
    distance, noise = direct(h / h.max())
    assert found.distance == pytest.approx(distance, rel=1e-12)
    assert found.noise == pytest.approx(noise, rel=1e-7)
    last = bound(h, whole=False)
    assert last.best_peak == pytest.approx(found.best_peak, rel=1e-7)
    assert last.steps.tolist() == [T]


def test_the_best_peak_minimises_the_bound() -> None:
    found = bound("linear()", 500)
    best = found.curve()[-1]
    assert best == pytest.approx(found.best)
    for factor in (0.9, 1.1):
        assert found.curve(factor * found.best_peak)[-1] > best


def test_it_does_not_depend_on_the_unit_of_the_rate() -> None:
    h = SCHEDULES["cosine"]
    assert bound(3e-4 * h).best_peak == pytest.approx(bound(h).best_peak, rel=1e-9)


def test_for_one_update_it_is_the_textbook_bound() -> None:
    # D^2 / (2 eta) + eta G^2 / 2 for each of a constant's first steps.
    found = bound(np.ones(2))
    assert found.distance[0] + found.noise[0] == pytest.approx(1.0)


def test_the_best_peak_falls_as_one_over_the_root_of_the_run() -> None:
    ratio = bound("linear()", 16_000, whole=False).relative_peak(
        bound("linear()", 1000, whole=False)
    )
    assert ratio == pytest.approx(1 / 4, rel=0.03)


def test_steps_without_a_rate_are_left_out() -> None:
    h = np.array([0.0, 1.0, 0.5, 0.0])
    assert bound(h).steps.tolist() == [2, 3]


@pytest.mark.parametrize("rates", [[0.0, 0.0], [1.0], [1.0, float("nan")], [1.0, -1.0]])
def test_rates_that_are_none_are_refused(rates: list[float]) -> None:
    with pytest.raises(LawError, match="rates"):
        bound(np.array(rates))


def as_the_paper_has_it(h: np.ndarray, norms: np.ndarray, last: int) -> float:
    """The noise term as arXiv 2501.18965 has it, before summing by parts."""
    masses = h**2 * norms**2
    total = masses[: last + 1].sum() / h[: last + 1].sum()
    for k in range(last):
        rest = h[k + 1 : last + 1].sum()
        total += h[k] / rest * masses[k : last + 1].sum() / h[k : last + 1].sum()
    return total / 2


@pytest.mark.parametrize("name", ["constant", "wsd", "cosine"])
def test_measured_norms_of_the_gradients_count(name: str) -> None:
    h = SCHEDULES[name][::10]
    norms = 1 + 3 * np.exp(-np.arange(len(h)) / 40)
    found = bound(h, norms=norms)
    scale = np.mean(norms**2)
    for last in (5, 100, len(h) - 1):
        expected = as_the_paper_has_it(h / h.max(), norms, last) / scale
        assert found.noise[last] == pytest.approx(expected, rel=1e-6)
    assert bound(h, norms=norms, whole=False).noise[0] == pytest.approx(found.noise[-1], rel=1e-6)
    same = bound(h, norms=np.full(len(h), 7.0))
    assert same.noise == pytest.approx(bound(h).noise, rel=1e-12)


@pytest.mark.parametrize("norms", [[1.0], [1.0, 0.0], [1.0, float("inf")]])
def test_norms_that_are_none_are_refused(norms: list[float]) -> None:
    with pytest.raises(LawError, match="norms"):
        bound(np.ones(2), norms=norms)
