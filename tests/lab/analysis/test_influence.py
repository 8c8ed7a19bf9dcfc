"""How far each choice moves the score, against numbers worked out by hand and known spreads."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import lehr
from lehr.lab.analysis.effects import mattering
from lehr.lab.analysis.finished import FinishedPair
from lehr.lab.analysis.influence import influences
from lehr.lab.metric import Metric
from lehr.lab.plan import Pair, Plan, Size
from lehr.lab.trial import Outcome, Trial


def by_hand() -> np.ndarray:
    """Two optimizers (+-2), two schedules (+-1), together +-0.5, and two seeds (+-1)."""
    a, b, c = np.meshgrid([-1, 1], [-1, 1], [-1, 1], indexing="ij")
    return 10 + 2.0 * a + b + 0.5 * a * b + c


def test_a_table_worked_out_by_hand() -> None:
    # Each seed has the same effects, so no variance is due to chance but that of the seeds:
    # ((10 - 9)^2 + (10 - 11)^2) / (2 - 1) = 2. The peaks 1 and 3, 2 and 4 are 1 from their mean.
    peaks = [np.array([[1.0, 2.0], [3.0, 4.0]])] * 3
    found = influences(by_hand(), {"peak rate": peaks})
    assert [each.name for each in found] == [
        *("optimizer", "schedule", "optimizer x schedule", "peak rate", "seed")
    ]
    variances = [4.0, 1.0, 0.25, 1.0, 2.0]
    assert [each.spread**2 for each in found] == pytest.approx(variances)
    assert [each.share for each in found] == pytest.approx([v / 8.25 for v in variances])
    for each in found[:4]:
        assert (each.low, each.high) == pytest.approx((each.spread, each.spread))


def test_chance_is_taken_off() -> None:
    # The optimizer's effects are +-1 with one seed and +-3 with the other: +-2 in the mean, whose
    # square is 4, less the variance of the mean, ((1 - 2)^2 + (3 - 2)^2) / 2 = 1.
    scores = np.array([[[1.0, 3.0]], [[-1.0, -3.0]]])
    first = influences(scores, {})[0]
    assert first.name == "optimizer"
    assert first.spread**2 == pytest.approx(3.0)


def test_choices_without_an_alternative_are_left_out() -> None:
    assert [each.name for each in influences(np.ones((1, 1, 3)), {})] == ["seed"]
    names = [each.name for each in influences(np.arange(6.0).reshape(1, 2, 3), {})]
    assert names == ["schedule", "seed"]


def test_one_seed_has_no_interval() -> None:
    first, second = influences(np.array([[[1.0], [3.0]], [[1.0], [3.0]]]), {})[:2]
    assert (first.spread, first.low) == (0.0, None)
    assert (second.spread, second.high, second.share) == (1.0, None, 1.0)
    with pytest.raises(ValueError, match="scores is empty"):
        influences(np.ones((0, 2, 2)), {})


def test_intervals_hold_the_true_spread_in_about_95_of_100_cases() -> None:
    rng = np.random.default_rng(0)
    optimizers, schedules = np.array([-1.0, 0.0, 0.3, 0.7]), np.array([-0.3, 0.1, 0.2])
    truth = {"optimizer": optimizers.std(), "schedule": schedules.std(), "seed": 1.0}
    held = dict.fromkeys(truth, 0)
    for _ in range(200):
        noise = rng.normal(size=(4, 3, 12))
        for each in influences(optimizers[:, None, None] + schedules[:, None] + noise, {}):
            if each.name in truth:
                assert each.low is not None
                assert each.high is not None
                held[each.name] += each.low <= truth[each.name] <= each.high
    assert all(180 <= count <= 200 for count in held.values()), held


DECAYS, MOMENTA, SEEDS = ("0", "0.01", "0.1"), ("0.5", "0.9"), 6


def outcomes(values: np.ndarray) -> list[Outcome]:
    return [Outcome(None, (1.0,), (v,), v, v, 1.0) for v in values.tolist()]


def tuned(pair: Pair, table: np.ndarray) -> FinishedPair:
    """Return a pair whose best peak has these losses, (decays, momenta, seeds), another worse."""
    choices = [
        (
            {"weight_decay": decay, "momentum": momentum},
            {0.1: outcomes(table[i, j]), 1.0: outcomes(table[i, j] + 1)},
        )
        for (i, decay), (j, momentum) in product(enumerate(DECAYS), enumerate(MOMENTA))
    ]
    trial = Trial("digits", "momentum", lehr.cosine(), None, steps=10, peak=0.1, seed=0)
    scored = {10: outcomes(table[0, 0])}
    return FinishedPair(
        pair, 0.1, choices[0][1], scored, trial, 1.0, (0.1,), choices[0][0], choices
    )


def variances(table: np.ndarray) -> list[float]:
    """Return the components of both numbers by the mean squares of a table of variance.

    The seeds are blocks: a factor of k levels has (MS - MS of factor x seeds) (k - 1) / (k n) in
    the table that is averaged over the other factor.
    """
    found: list[float] = []
    for rows in (table.mean(1), table.mean(0)):
        levels, seeds = rows.shape
        grand, row, column = rows.mean(), rows.mean(1), rows.mean(0)
        between = seeds * ((row - grand) ** 2).sum() / (levels - 1)
        rest = rows - row[:, None] - column + grand
        within = (rest**2).sum() / (levels - 1) / (seeds - 1)
        found.append(max(0.0, (between - within) * (levels - 1) / levels / seeds))
    return found


def test_tuned_numbers_have_the_parts_of_a_table_of_variance() -> None:
    rng = np.random.default_rng(1)
    decay, momentum = np.array([-0.5, 0.0, 0.7]), np.array([-0.2, 0.2])
    tables = [
        10 + decay[:, None, None] + momentum[:, None] + 0.3 * rng.normal(size=(3, 2, SEEDS))
        for _ in range(2)
    ]
    size = Size(steps=10, seeds=SEEDS, tuning_seeds=SEEDS, peaks=(0.1, 1.0))
    tune = ("weight_decay=0,0.01,0.1", "momentum=0.5,0.9")
    plan = Plan(optimizers=("momentum",), schedules=("cosine", "linear"), size=size, tune=tune)
    pairs = [tuned(pair, table) for pair, table in zip(plan.pairs, tables, strict=True)]
    found = {each.name: each for each in mattering(plan, pairs, Metric.loss(unit="nats"))}
    expected = np.mean([variances(table) for table in tables], axis=0)
    assert found["weight_decay"].spread ** 2 == pytest.approx(expected[0])
    assert found["momentum"].spread ** 2 == pytest.approx(expected[1])
    # The effects themselves: their variances are 0.2422 and 0.04.
    for name, effects in (("weight_decay", decay), ("momentum", momentum)):
        each = found[name]
        assert each.low is not None
        assert each.high is not None
        assert each.low <= effects.std() <= each.high
    assert found["weight_decay"].share > 3 * found["momentum"].share > 0


def test_a_tuned_number_matters_in_a_single_pair_too() -> None:
    size = Size(steps=10, seeds=SEEDS, tuning_seeds=SEEDS, peaks=(0.1, 1.0))
    plan = Plan(
        optimizers=("momentum",),
        schedules=("cosine",),
        size=size,
        tune=("weight_decay=0,0.01,0.1", "momentum=0.5,0.9"),
    )
    effects = np.array([1.0, 2.0, 3.0])[:, None, None] + np.zeros((3, 2, SEEDS))
    pair = tuned(plan.pairs[0], effects)
    found = {each.name: each for each in mattering(plan, [pair], Metric.loss(unit="nats"))}
    # The mean square of -1, 0 and 1 about their mean is 2 / 3; the momentum moves nothing.
    assert found["weight_decay"].spread ** 2 == pytest.approx(2 / 3)
    assert found["momentum"].spread == 0
