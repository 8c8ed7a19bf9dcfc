"""The ranks that a test leaves open."""

from __future__ import annotations

import numpy as np
import pytest

from lehr.lab.standings import open_ranks


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
