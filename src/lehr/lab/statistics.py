"""Intervals and ties: what a handful of runs can say, and what it cannot.

Runs of two contenders with the same seed start from the same network and see the same batches, so
they are compared seed by seed. With one seed nothing can be told apart.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit  # pyright: ignore[reportMissingTypeStubs]

CONFIDENCE = 0.95

# Scores are ratios of small counts: a spread below this share of them is rounding.
_ROUNDING = 1e-12


class Interval(NamedTuple):
    """A mean and the ends of its interval, in the values' unit; no ends for a single value."""

    mean: float
    low: float | None
    high: float | None


@lru_cache
def _quantile(runs: int, confidence: float) -> float:
    return float(stdtrit(runs - 1, 0.5 + confidence / 2))


def interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Student's interval for the mean of independent values.

    Args:
        values: one finite number per run, at least one.
        confidence: the share of such intervals that hold the true mean, in (0, 1).

    Returns:
        The mean and both ends; the ends are None when there is one value.

    Raises:
        ValueError: for no values, or a confidence outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence!r} is not between 0 and 1: write 0.95")
    sample = np.asarray(values, dtype=np.float64)
    if sample.size == 0:
        raise ValueError("values is empty: an interval needs at least one value")
    mean = float(sample.mean())
    if sample.size == 1:
        return Interval(mean, None, None)
    half = _quantile(sample.size, confidence) * float(sample.std(ddof=1)) / sample.size**0.5
    return Interval(mean, mean - half, mean + half)


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

    A contender meets each of the others once, so its level is shared among that many tests
    (Bonferroni): the chance that equals are told apart from it anywhere is at most
    `1 - confidence`.

    Args:
        scores: one row per contender, one score per seed; every row has the same seeds.
        confidence: in (0, 1).

    Returns:
        A symmetric matrix, contenders by contenders: True where two tie. Each ties with itself.
    """
    count = len(scores)
    tied = np.ones((count, count), dtype=np.bool_)
    level = (1 - confidence) / max(count - 1, 1)
    for i in range(count):
        for j in range(i):
            tied[i, j] = tied[j, i] = p_value(scores[i], scores[j]) >= level
    return tied
