"""Curves over the seeds: means with their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from lehr.lab.metric import Metric
from lehr.lab.pair_result import Band, Row
from lehr.lab.statistics import intervals
from lehr.lab.trial import Outcome


def band(runs: Sequence[Sequence[float | None]]) -> Band:
    """Return the interval at each point of some curves, one row per run.

    A point at which a run has no value has no interval.
    """
    columns = list(zip(*runs, strict=True))
    whole = [i for i, column in enumerate(columns) if None not in column]
    values = np.array([[row[i] for i in whole] for row in runs], dtype=np.float64)
    found = dict(zip(whole, intervals(values), strict=True))
    points = [found.get(i, (None, None, None)) for i in range(len(columns))]
    return Band(*(tuple(short(value) for value in row) for row in zip(*points, strict=True)))


def sensitivity(tried: Mapping[float, Sequence[Outcome]]) -> Band:
    """Return the validation metric by peak; a peak at which every run diverged has none."""
    bands = [
        band([[None if all(o.diverged for o in found) else o.validation] for o in found])
        for found in tried.values()
    ]
    return Band(
        mean=tuple(band.mean[0] for band in bands),
        low=tuple(band.low[0] for band in bands),
        high=tuple(band.high[0] for band in bands),
    )


def width(peaks: Sequence[float], means: Row, metric: Metric) -> float:
    """Return how many decades of peak rate around the best stay within its margin."""
    costs = [math.inf if mean is None else metric.cost(mean) for mean in means]
    first = last = costs.index(min(costs))
    enough = min(costs) + metric.margin(min(costs))
    while first > 0 and costs[first - 1] <= enough < math.inf:
        first -= 1
    while last < len(peaks) - 1 and costs[last + 1] <= enough < math.inf:
        last += 1
    return math.log10(peaks[last] / peaks[first])


def short(value: float | None) -> float | None:
    """Round to enough digits for drawing, which keeps the files small."""
    return None if value is None else float(f"{value:.6g}")
