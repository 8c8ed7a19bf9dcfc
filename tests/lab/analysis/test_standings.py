"""The ranks that a test leaves open, and the interval of a score."""

from __future__ import annotations

import numpy as np
import pytest

from lehr.lab.analysis.finished import score_of
from lehr.lab.analysis.standings import open_ranks
from lehr.lab.metric import Metric


@pytest.mark.parametrize("seed", range(5))
def test_each_pair_could_rank_behind_those_that_are_better_and_before_those_that_are_worse(
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    count = 12
    tied = rng.random((count, count)) < 0.6
    tied = tied | tied.T | np.eye(count, dtype=bool)
    for i, (first, last) in enumerate(open_ranks(tied)):
        assert first == 1 + sum(not tied[i, j] for j in range(i))
        assert last == count - sum(not tied[i, j] for j in range(i + 1, count))
        assert first <= i + 1 <= last


def test_nothing_told_apart_leaves_all_ranks_open() -> None:
    assert open_ranks(np.ones((3, 3), dtype=bool)) == [(1, 3)] * 3
    assert open_ranks(np.eye(3, dtype=bool)) == [(1, 1), (2, 2), (3, 3)]
    assert open_ranks(np.ones((0, 0), dtype=bool)) == []


def test_the_interval_of_a_share_ends_at_1() -> None:
    share, loss = Metric.score("accuracy", guess=0.1), Metric.loss("nats")
    assert score_of([0.98, 1.0], share) == (pytest.approx(0.99), pytest.approx(0.8629, abs=1e-4), 1)
    low, high = score_of([0.98, 1.0], loss)[1:]
    assert low is not None
    assert high is not None
    assert (high - low) / 2 == pytest.approx(0.1271, abs=1e-4)
