"""How far each choice moves the score, against numbers worked out by hand and known spreads."""

from __future__ import annotations

import numpy as np
import pytest

from lehr.lab.influence import influences


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
