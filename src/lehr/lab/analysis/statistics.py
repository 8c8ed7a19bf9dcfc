"""Intervals and tests for a few runs.

Runs of two contenders with the same seed start from the same network and see the same batches, so
they are compared seed by seed. With one seed nothing can be told apart.

From `FEW` seeds on, the variation of a mean is estimated by resampling the seeds (for intervals) or
the signs of their differences (for ties). Fewer seeds have too few resamples: with 5, the interval
from the lowest to the highest of all their means contains the true mean in at most 15 of 16 cases.
For fewer, Student's formulas are used, which assume normal noise.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95

FEW = 8
"""The fewest seeds that are resampled; for fewer, Student's formulas are used."""

_RESAMPLES = 5_000
_MANY_SEEDS = 10_000
_LIKE_MANY = 64  # seeds beyond which the test's critical value hardly changes
_COMPARISONS = 300  # at least this many for a critical value
_SIGNS = 10_000  # of 2^29, where there are 30 seeds
_AT_ONCE = 500  # rows of signs; for a thousand comparisons they take a few megabytes

_NORMAL = NormalDist()

# Scores are ratios of small counts: a spread below this share of them is rounding.
_ROUNDING = 1e-12


class Interval(NamedTuple):
    """A mean and the ends of its interval, in the values' unit; no ends for a single value."""

    mean: float
    low: float | None
    high: float | None


def interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Return the interval of the mean of independent values: `intervals` of one column.

    Arguments:
        values: one finite number per run, at least one.
        confidence: the share of such intervals that contain the true mean, in (0, 1).

    Returns:
        The mean and both ends; the ends are None when there is one value.

    Raises:
        ValueError: For no values, or a confidence outside (0, 1).
    """
    return intervals(np.asarray(values, dtype=np.float64).reshape(-1, 1), confidence)[0]


def intervals(values: NDArray[np.float64], confidence: float = CONFIDENCE) -> list[Interval]:
    """Return the interval of each column's mean; rows are independent runs.

    From `FEW` runs on it is the expanded percentile bootstrap: the runs are resampled 5,000 times
    with replacement, and the interval leaves out the share `q` of the means at either end,

        q = Phi(-t * sqrt(n / (n - 1)))

    with `n` the runs, `t` Student's quantile with `n - 1` degrees of freedom for the confidence,
    and `Phi` the normal distribution. The plain percentiles `(1 - confidence) / 2` contain the true
    mean too seldom, because resampled runs spread by `sqrt((n - 1) / n)` less than new ones and an
    estimated spread has longer tails. The interval never leaves the range of the runs. The samples
    are the same at each call, and the same for every column. With fewer runs it is Student's
    interval. See "What Teachers Should Know about the Bootstrap" (Hesterberg 2014,
    arXiv:1411.5279).

    Arguments:
        values: finite numbers, (runs, columns), at least one run.
        confidence: the share of such intervals that contain the true mean, in (0, 1).

    Returns:
        One for each column; without ends when there is one run.

    Raises:
        ValueError: For no runs, or a confidence outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence!r} is not between 0 and 1: write 0.95")
    runs = len(values)
    if not runs:
        raise ValueError("values is empty: an interval needs at least one value")
    means = values.mean(0)
    if runs == 1 or not len(means):
        return [Interval(float(mean), None, None) for mean in means]
    if runs < FEW:
        half = _student(runs - 1, confidence) * values.std(0, ddof=1) / runs**0.5
        ends = np.stack([means - half, means + half])
    else:
        left_out = tail(runs, confidence)
        drawn = _draws(runs) @ (values - means) / runs
        ends = means + np.quantile(drawn, [left_out, 1 - left_out], axis=0)
    return [Interval(*map(float, column)) for column in zip(means, *ends, strict=True)]


def tail(runs: int, confidence: float = CONFIDENCE) -> float:
    """Return the share of resampled means that an interval leaves out at either end."""
    return _NORMAL.cdf(-_student(runs - 1, confidence) * (runs / (runs - 1)) ** 0.5)


def _student(freedom: int, confidence: float) -> float:
    """Return the half width of a two-sided interval of Student's t."""
    from scipy.special import stdtrit  # Loads SciPy.  # pyright: ignore[reportMissingTypeStubs]

    return float(stdtrit(freedom, 0.5 + confidence / 2))


@lru_cache
def _draws(runs: int) -> NDArray[np.float64]:
    """Return how often each run is drawn in each sample, (samples, runs)."""
    rng = np.random.default_rng(0)
    return rng.multinomial(runs, np.full(runs, 1 / runs), _RESAMPLES).astype(np.float64)


def p_value(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the probability of such a large difference by chance: a two-sided paired t-test.

    Arguments:
        first: one score per seed.
        second: the other contender's scores, for the same seeds in the same order.

    Returns:
        A probability in [0, 1]. If every seed has the same difference, it is 1.0 for a difference
        of zero, and otherwise 0.0. With one seed it is always 1.0.

    Raises:
        ValueError: If the two do not have the same number of scores, or none.
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
    from scipy.special import stdtr  # Loads SciPy.  # pyright: ignore[reportMissingTypeStubs]

    statistic = abs(mean) / (spread / len(first) ** 0.5)
    return float(2 * stdtr(len(first) - 1, -statistic))


def ties(scores: Sequence[Sequence[float]], confidence: float = CONFIDENCE) -> NDArray[np.bool_]:
    """Return which contenders the test does not separate.

    Every contender is compared with every other, and the best one is known only afterwards. So the
    level covers all comparisons together: the probability that any two equal contenders are
    separated is at most `1 - confidence`.

    From `FEW` seeds on it is a sign test: between equal contenders, each seed's difference is
    equally likely to have the opposite sign. The statistic of a comparison is
    `|sum(d)| / sqrt(sum(d^2))`, with `d` its differences, seed by seed. It is compared with the
    largest such statistic among all comparisons, for every choice of the seeds' signs (or 10,000
    choices, if there are more), with the same signs for all comparisons: similar contenders then
    cost little power. With fewer seeds it is the paired t-test, with its level divided among all
    comparisons (Bonferroni). See "Resampling-Based Multiple Testing" (Westfall and Young 1993), the
    single-step max-T.

    Arguments:
        scores: one row per contender, one score per seed; every row has the same seeds.
        confidence: in (0, 1).

    Returns:
        A symmetric matrix, contenders by contenders: True where two are not separated.

    Raises:
        ValueError: If the contenders do not have the same number of scores, or none.
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
    """Return the probability of each difference by chance, from random signs of the seeds."""
    first, second = (table[[pair[side] for pair in compared]] for side in (0, 1))
    differences = first - second
    size = np.sqrt((differences**2).sum(1))
    rounding = _ROUNDING * np.maximum(np.abs(first), np.abs(second)).max(1)
    # Equal scores differ by rounding only, which counts as no difference.
    units = differences / np.where(size > rounding, size, np.inf)[:, None]
    seen = np.abs(units.sum(1))
    largest = sorted(
        largest
        for signs in _signs(table.shape[1])
        for largest in np.abs(signs @ units.T).max(1).tolist()
    )
    # The observed signs are among these; summed in another order, they may be slightly smaller.
    return [1 - bisect_left(largest, one * (1 - 1e-9)) / len(largest) for one in seen.tolist()]


def _signs(seeds: int) -> Iterator[NDArray[np.float64]]:
    """Yield rows of signs, (some, seeds): all choices, or many of them. The first is all plus."""
    # Flipping all signs changes nothing, so the first seed keeps its own.
    ways = 2 ** (seeds - 1)
    if ways <= _SIGNS:
        bits = np.arange(ways, dtype=np.int64)[:, None] >> np.arange(seeds)[::-1] & 1
    else:
        bits = np.random.default_rng(0).integers(0, 2, (_SIGNS, seeds), dtype=np.int64)
        bits[0] = 0
    for start in range(0, len(bits), _AT_ONCE):
        yield 1.0 - 2.0 * bits[start : start + _AT_ONCE].astype(np.float64)


def separable(seeds: int, contenders: int, spread: float) -> float | None:
    """Return approximately the smallest mean difference that `ties` separates.

    A difference of this size is separated in half of all cases.

    Arguments:
        seeds: the number of seeds.
        contenders: the number of contenders, each compared with every other: at least 2.
        spread: the standard deviation of a difference, from seed to seed.

    Returns:
        The difference, in the unit of the spread; None if no difference is enough.

    Example:
        >>> round(separable(30, 4, 0.01), 3)
        0.005
    """
    if seeds < 2:
        return None
    if seeds < FEW:
        level = (1 - CONFIDENCE) / math.comb(contenders, 2)
        return _student(seeds - 1, 1 - level) * spread / seeds**0.5
    # The statistic is sqrt(n) * mean / rms, and at most sqrt(n).
    least = _critical(seeds, contenders)
    return spread * least * ((seeds - 1) / seeds / (seeds - least**2)) ** 0.5


@lru_cache
def _critical(seeds: int, contenders: int) -> float:
    """Return approximately the statistic above which `ties` separates contenders.

    With random signs, the largest of all comparisons exceeds it in a share `1 - CONFIDENCE` of
    cases, for contenders with equal and independent normal scores.
    """
    rng, seeds = np.random.default_rng(0), min(seeds, _LIKE_MANY)
    first, second = np.triu_indices(contenders, 1)
    largest: list[float] = []
    for _ in range(-(-_COMPARISONS // len(first))):
        table = rng.standard_normal((contenders, seeds))
        differences = table[first] - table[second]
        units = differences / np.sqrt((differences**2).sum(1))[:, None]
        signs = rng.choice((-1.0, 1.0), (_AT_ONCE, seeds))
        largest += np.abs(signs @ units.T).max(1).tolist()
    return float(np.quantile(largest, CONFIDENCE))


def seeds_to_decide(differences: Sequence[float], contenders: int, margin: float) -> int | None:
    """Return about how many seeds would be needed to separate two contenders, or to show a tie.

    This assumes that the mean and spread of the differences do not change. The statistic of `ties`
    is `sqrt(n) * |mean(d)| / rms(d)` for `n` seeds: two contenders are separated once it exceeds
    what random signs give for equal ones. They tie once the interval of the mean, with a standard
    error of `spread / sqrt(n)`, stays within the margin.

    Arguments:
        differences: the differences, seed by seed.
        contenders: the number of contenders, each compared with every other.
        margin: the largest difference that is still a tie, above 0.

    Returns:
        The smaller of the two numbers, at least one more than there are now; None with one seed, or
        if it is above 10,000.
    """
    count = len(differences)
    if count < 2:
        return None
    values = np.asarray(differences, dtype=np.float64)
    mean, spread = abs(float(values.mean())), float(values.std(ddof=1))
    needed = math.inf
    if mean > 0:
        ratio = float((values**2).mean()) / mean**2
        few = (n for n in range(FEW, _LIKE_MANY) if n >= ratio * _critical(n, contenders) ** 2)
        needed = next(few, ratio * _critical(_LIKE_MANY, contenders) ** 2)
    if mean < margin:
        z = -_NORMAL.inv_cdf((1 - CONFIDENCE) / 2)
        needed = min(needed, (z * spread / (margin - mean)) ** 2)
    return None if needed > _MANY_SEEDS else max(count + 1, math.ceil(needed))
