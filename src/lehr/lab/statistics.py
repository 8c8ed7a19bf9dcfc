"""Intervals and ties: what a handful of runs can say, and what it cannot.

Runs of two contenders with the same seed start from the same network and see the same batches, so
they are compared seed by seed. With one seed nothing can be told apart.

From `FEW` seeds on, the seeds themselves say how far a mean could have come out otherwise: they
are drawn again (intervals), or the signs of their differences are (ties). Fewer than that have too
few ways to be drawn: of 5 seeds, the interval from the lowest to the highest of all those means
holds the true one in 15 cases of 16 at most. Student's formulas speak then, which lean on noise
that is normal.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtr, stdtrit  # pyright: ignore[reportMissingTypeStubs]

__all__ = ["CONFIDENCE", "FEW", "Interval", "interval", "intervals", "p_value", "ties"]

CONFIDENCE = 0.95

FEW = 8
"""So many seeds are enough to be drawn again; fewer are left to Student."""

_RESAMPLES = 5_000
_SIGNS = 10_000  # of 2^29, where there are 30 seeds
_AT_ONCE = 500  # rows of signs: a thousand comparisons of them take a few megabytes

# Scores are ratios of small counts: a spread below this share of them is rounding.
_ROUNDING = 1e-12


class Interval(NamedTuple):
    """A mean and the ends of its interval, in the values' unit; no ends for a single value."""

    mean: float
    low: float | None
    high: float | None


def interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """The interval of the mean of independent values: `intervals` of one column.

    Args:
        values: one finite number per run, at least one.
        confidence: the share of such intervals that hold the true mean, in (0, 1).

    Returns:
        The mean and both ends; the ends are None when there is one value.

    Raises:
        ValueError: for no values, or a confidence outside (0, 1).
    """
    return intervals(np.asarray(values, dtype=np.float64).reshape(-1, 1), confidence)[0]


def intervals(values: NDArray[np.float64], confidence: float = CONFIDENCE) -> list[Interval]:
    """The interval of each column's mean; rows are independent runs.

    From `FEW` runs on it is the expanded percentile bootstrap: the runs are drawn again 5,000
    times, each time as many as there are and some more than once, and the interval is what the
    means of all but the share `q` at either end leave,

        q = Phi(-t * sqrt(n / (n - 1)))

    with `n` the runs, `t` Student's quantile with `n - 1` degrees of freedom for the confidence,
    and `Phi` the normal distribution: the plain percentiles `(1 - confidence) / 2` hold the true
    mean too seldom, because drawn runs spread by `sqrt((n - 1) / n)` less than new ones would and
    a spread that is estimated has longer tails. The interval never leaves the range of the runs.
    The draws are the same every time, and the same for every column. With fewer runs it is
    Student's interval. See "What Teachers Should Know about the Bootstrap" (Hesterberg 2014,
    arXiv:1411.5279).

    Args:
        values: finite numbers, (runs, columns), at least one run.
        confidence: the share of such intervals that hold the true mean, in (0, 1).

    Returns:
        One for each column; without ends when there is one run.

    Raises:
        ValueError: for no runs, or a confidence outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence!r} is not between 0 and 1: write 0.95")
    runs = len(values)
    if not runs:
        raise ValueError("values is empty: an interval needs at least one value")
    means = values.mean(0)
    if runs == 1 or not len(means):
        return [Interval(float(mean), None, None) for mean in means]
    t = float(stdtrit(runs - 1, 0.5 + confidence / 2))
    if runs < FEW:
        half = t * values.std(0, ddof=1) / runs**0.5
        ends = np.stack([means - half, means + half])
    else:
        tail = float(ndtr(-t * (runs / (runs - 1)) ** 0.5))
        drawn = _draws(runs) @ (values - means) / runs
        ends = means + np.quantile(drawn, [tail, 1 - tail], axis=0)
    return [Interval(*map(float, column)) for column in zip(means, *ends, strict=True)]


@lru_cache
def _draws(runs: int) -> NDArray[np.float64]:
    """How often each run is taken in each draw, (draws, runs)."""
    rng = np.random.default_rng(0)
    return rng.multinomial(runs, np.full(runs, 1 / runs), _RESAMPLES).astype(np.float64)


def p_value(first: Sequence[float], second: Sequence[float]) -> float:
    """How likely a difference this large is by chance: a paired t-test, two-sided.

    Args:
        first: one score per seed.
        second: the other contender's scores, for the same seeds in the same order.

    Returns:
        A probability in [0, 1]. Where every seed shows the same difference there is no spread to
        measure it against: 1.0 if that difference is nothing, else 0.0. With one seed it is 1.0,
        whatever the difference.

    Raises:
        ValueError: if the two do not have the same number of scores, or none.
    """
    if len(first) != len(second) or not first:
        raise ValueError(
            f"first has {len(first)} scores and second has {len(second)}: "
            "a paired test needs the same seeds on both sides, at least one"
        )
    if len(first) == 1:
        return 1.0
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    difference = a - b
    rounding = _ROUNDING * float(np.maximum(np.abs(a), np.abs(b)).max())
    mean, spread = float(difference.mean()), float(difference.std(ddof=1))
    if spread <= rounding:
        return 1.0 if abs(mean) <= rounding else 0.0
    statistic = abs(mean) / (spread / len(first) ** 0.5)
    return float(2 * stdtr(len(first) - 1, -statistic))


def ties(scores: Sequence[Sequence[float]], confidence: float = CONFIDENCE) -> NDArray[np.bool_]:
    """Which contenders cannot be told apart.

    All are compared with all, and the best with the rest after it has been seen which is the best.
    So the level covers all comparisons together: the chance that any two equals are told apart,
    anywhere, is at most `1 - confidence`.

    From `FEW` seeds on: were two contenders equals, each seed's difference could as well have had
    the other sign. A comparison's statistic is `|sum(d)| / sqrt(sum(d^2))`, with `d` its
    differences, seed by seed. It is set against the largest such statistic among all comparisons,
    under every way to choose the seeds' signs (or 10,000 ways, where there are more), the same
    signs for all comparisons at once: contenders that are much alike cost little. With fewer seeds
    than that it is the paired t-test, its level shared among all comparisons (Bonferroni). See
    "Resampling-Based Multiple Testing" (Westfall and Young 1993), the single-step max-T.

    Args:
        scores: one row per contender, one score per seed; every row has the same seeds.
        confidence: in (0, 1).

    Returns:
        A symmetric matrix, contenders by contenders: True where two tie. Each ties with itself.

    Raises:
        ValueError: if the contenders do not have the same number of scores, or none.
    """
    count = len(scores)
    tied = np.ones((count, count), dtype=np.bool_)
    compared = list(combinations(range(count), 2))
    if not compared:
        return tied
    lengths = sorted({len(row) for row in scores})
    if len(lengths) > 1:
        raise ValueError(
            f"scores has rows of {lengths} scores: paired comparisons need the same seeds in each"
        )
    if lengths[0] >= FEW:
        chances = _by_signs(np.asarray(scores, dtype=np.float64), compared)
    else:
        chances = [len(compared) * p_value(scores[i], scores[j]) for i, j in compared]
    for (i, j), chance in zip(compared, chances, strict=True):
        tied[i, j] = tied[j, i] = chance >= 1 - confidence
    return tied


def _by_signs(table: NDArray[np.float64], compared: Sequence[tuple[int, int]]) -> list[float]:
    """How likely each difference is by chance among so many comparisons, by the seeds' signs."""
    first, second = (table[[pair[side] for pair in compared]] for side in (0, 1))
    differences = first - second
    size = np.sqrt((differences**2).sum(1))
    rounding = _ROUNDING * np.maximum(np.abs(first), np.abs(second)).max(1)
    # Of equal scores nothing is left but rounding, which no sign makes larger.
    units = differences / np.where(size > rounding, size, np.inf)[:, None]
    seen = np.abs(units.sum(1))
    largest = sorted(
        largest
        for signs in _signs(table.shape[1])
        for largest in np.abs(signs @ units.T).max(1).tolist()
    )
    # The signs as they were seen are among these; added up in another order, they are as large.
    return [1 - bisect_left(largest, one * (1 - 1e-9)) / len(largest) for one in seen.tolist()]


def _signs(seeds: int) -> Iterator[NDArray[np.float64]]:
    """Rows of signs, (some, seeds), some at a time: all ways, or many. The first is all plus."""
    # All signs turned round give the same: the first seed keeps its own.
    ways = 2 ** (seeds - 1)
    if ways <= _SIGNS:
        bits = np.arange(ways, dtype=np.int64)[:, None] >> np.arange(seeds)[::-1] & 1
    else:
        bits = np.random.default_rng(0).integers(0, 2, (_SIGNS, seeds), dtype=np.int64)
        bits[0] = 0
    for start in range(0, len(bits), _AT_ONCE):
        yield 1.0 - 2.0 * bits[start : start + _AT_ONCE].astype(np.float64)
