"""How strongly each choice of a comparison affects the score, from its pairs' outcomes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from lehr.lab.analysis.finished import FinishedPair, tests
from lehr.lab.analysis.influence import Influence, influences
from lehr.lab.analysis.pair_result import present
from lehr.lab.metric import Metric
from lehr.lab.plan import Pair, Plan
from lehr.lab.trial import Outcome

_HALF_DECADE = 0.5 + 1e-9


def mattering(
    plan: Plan, finished: Sequence[FinishedPair], metric: Metric
) -> tuple[Influence, ...]:
    """Return how strongly each choice affects the score, over schedules with a score everywhere."""
    rows = {each.pair: tests(each.scored[plan.size.steps]) for each in finished}
    scored = {
        pair: [metric.cost(value) for value in present(row)]
        for pair, row in rows.items()
        if None not in row
    }
    whole = [s for s in plan.schedules if all(Pair(o, s) in scored for o in plan.optimizers)]
    several = len(whole) * len(plan.optimizers) > 1
    if not whole or not (several or plan.tune):
        return ()
    table = np.array([[scored[Pair(o, s)] for s in whole] for o in plan.optimizers])
    found: dict[str, list[NDArray[np.float64]]] = {}
    for each in finished:
        if each.pair.schedule in whole:
            for name, rows in {"peak rate": _near(each, metric), **_tuned(each, metric)}.items():
                if len(rows) > 1:
                    found.setdefault(name, []).append(np.array(rows))
    return influences(table, found)


def _near(each: FinishedPair, metric: Metric) -> list[list[float]]:
    """Return the tuning runs at the peaks within half a decade of the best, a row for each peak.

    Halving gives peaks different numbers of seeds; only the first seeds, which all have, are kept.
    """
    found = [
        _costs(outcomes, metric)
        for peak, outcomes in each.tried.items()
        if abs(math.log10(peak / each.peak)) <= _HALF_DECADE
    ]
    return _alike([row for row in found if row])


def _tuned(each: FinishedPair, metric: Metric) -> dict[str, list[list[float]]]:
    """Return the tuning runs at each value of each tuned number beside the peak.

    Each value is taken at its own best peak. If there are several numbers, a row is the mean over
    the values of the others. Values for which no peak has a result are left out.
    """
    best = [
        (values, min((_costs(o, metric) for o in tried.values()), key=_mean, default=[]))
        for values, tried in each.choices
    ]
    found: dict[str, list[list[float]]] = {}
    for name in each.tuned:
        rows: dict[str, list[list[float]]] = {}
        for values, runs in best:
            rows.setdefault(values[name], []).append(runs)
        sound = [_alike(several) for several in rows.values() if all(several)]
        found[name] = _alike([list(map(fmean, zip(*s, strict=True))) for s in sound])
    return found


def _costs(outcomes: Sequence[Outcome], metric: Metric) -> list[float]:
    """Return the costs of tuning runs, or nothing if one has no value."""
    values = [outcome.validation for outcome in outcomes]
    return [] if None in values else [metric.cost(value) for value in present(values)]


def _mean(costs: Sequence[float]) -> float:
    return fmean(costs) if costs else math.inf


def _alike(rows: Sequence[list[float]]) -> list[list[float]]:
    """Cut rows to the first seeds, which all of them have."""
    seeds = min(map(len, rows), default=0)
    return [row[:seeds] for row in rows]
