"""Standings of pairs: which the test separates, and which ranks it leaves open to each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lehr.lab.analysis.finished import Scores, mean_of
from lehr.lab.analysis.pair_result import Gap, Standing, present
from lehr.lab.analysis.statistics import seeds_to_decide, ties
from lehr.lab.metric import Metric


def not_separated(rows: Sequence[Scores]) -> NDArray[np.bool_]:
    """Return which pairs the test does not separate, pairs by pairs.

    Pairs with runs that lack a score are not tested: they are separated only from pairs with a
    different number of such runs.
    """
    lost = np.array([row.count(None) for row in rows], dtype=np.int64)
    tied = lost == lost[:, None]
    if whole := [i for i, row in enumerate(rows) if None not in row]:
        tied[np.ix_(whole, whole)] = ties([present(rows[i]) for i in whole])
    return tied


def open_ranks(tied: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first and the last rank that the test leaves open to each pair, best first.

    A pair is behind all those that are better and separated from it, and ahead of all those that
    are worse and separated. Together, these ranges contain the true ranks with the confidence of
    the test.

    Source: "Simultaneous confidence sets for ranks using the partitioning principle" (Al Mohamad,
    van Zwet, Goeman and Solari 2017, arXiv:1708.02729), which uses Tukey's test here.

    Example:
        >>> open_ranks(np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]], dtype=bool))
        [(1, 2), (1, 3), (2, 3)]
    """
    count = len(tied)
    better = (~np.tril(tied) & np.tri(count, dtype=np.bool_)).sum(1)
    worse = (~np.triu(tied) & np.tri(count, dtype=np.bool_).T).sum(1)
    return [(1 + int(b), count - int(w)) for b, w in zip(better, worse, strict=True)]


def with_best(
    rows: Sequence[Scores], tied: NDArray[np.bool_], order: Sequence[int], metric: Metric
) -> list[tuple[Gap | None, Standing]]:
    """Return the gap and the standing of pairs against the best of them, seed by seed.

    `rows` has the scores of all pairs for the same seeds, and `tied` says which pairs the test does
    not separate. The pairs at the indices in `order` are compared, best first; the best has no gap.
    """
    if not order:
        return []
    first, *others = order
    best = rows[first]
    margin = metric.margin(mean_of(best)[0] or 0.0)
    differences = [
        [
            metric.cost(own) - metric.cost(its)
            for own, its in zip(rows[i], best, strict=True)
            if own is not None and its is not None
        ]
        for i in others
    ]
    gaps = [mean_of(row) for row in differences]
    # No tie is further from the best than a pair that is behind.
    nearest = min(
        (
            gap[0]
            for i, row, gap in zip(others, differences, gaps, strict=True)
            if gap[0] is not None and len(row) == len(best) and not tied[first, i]
        ),
        default=math.inf,
    )
    found: list[tuple[Gap | None, Standing]] = [(None, "best")]
    for i, row, (mean, low, high) in zip(others, differences, gaps, strict=True):
        standing: Standing = "undecided" if tied[first, i] else "behind"
        seeds = None
        if standing == "undecided" and len(row) == len(best):
            near = high is not None and low is not None and max(high, -low) <= margin
            if near and mean is not None and mean < nearest:
                standing = "tie"
            else:
                seeds = seeds_to_decide(row, len(order), margin)
        found.append((None if mean is None else Gap(mean, low, high, seeds), standing))
    return found
