"""The ranks that a test leaves open, and the interval of a score."""

from __future__ import annotations

import numpy as np
import pytest

from lehr.lab.analysis.finished import score_of
from lehr.lab.analysis.standings import open_ranks, with_best
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


SHARE = Metric.score("accuracy", guess=0.1)
BEST = [0.9 + 0.001 * seed for seed in range(10)]


def behind(*gaps: float) -> list[float]:
    """Scores that are behind the best ones by these gaps, again and again."""
    return [best - gaps[i % len(gaps)] for i, best in enumerate(BEST)]


def test_a_tie_stays_within_the_margin_to_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    # How many seeds would decide takes seconds to find, and does not matter here.
    monkeypatch.setattr("lehr.lab.analysis.standings.seeds_to_decide", lambda *_: None)
    open_to_all = np.ones((2, 2), dtype=bool)
    for rare, standing in ((-0.03, "tie"), (-0.04, "undecided")):
        # The mean is near 0, but the interval reaches below it by a third of the rare lead.
        own = behind(*[-rare / 9 + 1e-4] * 9, rare)
        (none, best), (gap, found) = with_best([BEST, own], open_to_all, [0, 1], SHARE)
        assert (none, best) == (None, "best")
        assert gap is not None
        assert gap.low is not None
        assert gap.high is not None
        assert gap.mean == pytest.approx(9e-5)
        assert gap.high < 0.01
        assert (-gap.low <= 0.01) == (standing == "tie")
        assert found == standing


def test_no_tie_is_further_from_the_best_than_one_that_is_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lehr.lab.analysis.standings.seeds_to_decide", lambda *_: None)
    rows = [BEST, behind(0.002, 0.0015), behind(0.004, 0.0041), behind(0.006, 0.0055)]
    tied = np.ones((4, 4), dtype=bool)
    tied[0, 2] = tied[2, 0] = False
    found = with_best(rows, tied, range(4), SHARE)
    assert [standing for _, standing in found] == ["best", "tie", "behind", "undecided"]
    tied[:] = True
    found = with_best(rows, tied, range(4), SHARE)
    assert [standing for _, standing in found] == ["best", "tie", "tie", "tie"]
