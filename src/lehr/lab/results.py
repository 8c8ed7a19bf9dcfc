"""Results: from finished trials to what the report and the reader get."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from statistics import median
from typing import Any

import numpy as np

from lehr import Schedule, __version__
from lehr.lab.optimizers import find_optimizer
from lehr.lab.plan import Pair, Plan
from lehr.lab.schedules import find_contender
from lehr.lab.search import choose_peak, named, next_flight, outcomes, tuned, validation
from lehr.lab.statistics import CONFIDENCE, interval, intervals, ties
from lehr.lab.store.store import Store
from lehr.lab.summary import summarize
from lehr.lab.tasks.base import find_task
from lehr.lab.trial import Outcome, looks

__all__ = ["FORMAT", "results"]

FORMAT = 1
"""The version of the results' shape."""

_POINT = 0.01
_DRAWN = 400  # points of a schedule's curve, at most


def results(plan: Plan, store: Store) -> dict[str, Any]:
    """Say what the finished pairs show, in JSON's types: a number that does not exist is None.

    Arguments:
        plan: What was to be trained. Pairs of which trials are missing are left out.
        store: The finished trials.
    """
    finished = [pair for pair in plan.pairs if not next_flight(plan, pair, store)]
    found: dict[str, Any] = {
        "format": FORMAT,
        "lehr": __version__,
        "task": _task(plan),
        "settings": _settings(plan, store, complete=len(finished) == len(plan.pairs)),
        "optimizers": {name: {"text": find_optimizer(name).text} for name in plan.optimizers},
        "schedules": {name: _schedule(name, plan.size.steps) for name in plan.schedules},
        "pairs": _compared(_ranked([_pair(plan, pair, store) for pair in finished])),
    }
    return found | {"summary": summarize(found)}


def _task(plan: Plan) -> dict[str, Any]:
    task = find_task(plan.pinned)
    return {
        "name": task.name,
        "summary": task.summary,
        "train": task.train,
        "validation": task.validation,
        "test": task.test,
        "network": task.network,
        "batch_size": task.batch_size,
        "score": task.score_name,
    }


def _settings(plan: Plan, store: Store, *, complete: bool) -> dict[str, Any]:
    kept = store.kept(trial for pair in plan.pairs for trial in named(plan, pair, store))
    packages = ("torch", "numpy", "scipy", "scikit-learn")
    return {
        "steps": plan.size.steps,
        "seeds": plan.size.seeds,
        "tuning_seeds": plan.size.tuning_seeds,
        "peaks": list(plan.size.peaks),
        "rungs": [list(rung) for rung in plan.size.rungs],
        "lengths": plan.lengths,
        "target": plan.target,
        "confidence": CONFIDENCE,
        "versions": {"python": platform.python_version()} | {p: version(p) for p in packages},
        "seconds": round(math.fsum(k.seconds for k in kept), 1),
        "trials": len(kept),
        "complete": complete,
        "command": plan.command(),
    }


def _schedule(name: str, steps: int) -> dict[str, Any]:
    schedule, momentum, summary = find_contender(name)
    return {
        "text": repr(schedule),
        "summary": summary,
        "rate": _drawn(schedule, steps),
        "momentum": None if momentum is None else _drawn(momentum, steps),
    }


def _drawn(schedule: Schedule, steps: int) -> list[list[float]]:
    at = np.unique(np.linspace(0, steps - 1, min(steps, _DRAWN)).round().astype(np.int64))
    return [at.tolist(), [_short(value) for value in schedule.over(steps)(at)]]


def _pair(plan: Plan, pair: Pair, store: Store) -> dict[str, Any]:
    peaks, tried = plan.size.peaks, tuned(plan, pair, store)
    peak = choose_peak(tried)
    scored = outcomes(store, plan.scoring(pair, peak))
    score, low, high = interval([o.test for o in scored])
    return {
        "optimizer": pair.optimizer,
        "schedule": pair.schedule,
        "peak_lr": peak,
        "score": score,
        "low": low,
        "high": high,
        "seeds": len(scored),
        "scores": [o.test for o in scored],
        "diverged": sum(o.diverged is not None for o in scored),
        "validation": validation(tried[peak]),
        "at_edge": peak in (peaks[0], peaks[-1]),
        "test_loss": _band([[o.test_loss] for o in scored])["mean"][0],
        "sensitivity": _sensitivity(tried),
        "target": None if plan.target is None else _reached(plan.target, plan.size.steps, scored),
        "lengths": _at_lengths(plan, pair, peak, store),
        "curves": {
            "step": looks(plan.size.steps),
            "loss": _band([o.loss for o in scored]),
            "accuracy": _band([o.accuracy for o in scored]),
        },
    }


def _reached(target: float, steps: int, scored: Sequence[Outcome]) -> dict[str, Any]:
    """After how many updates runs have a validation score: the median, as far as it is known.

    A run is looked at a few times only, so it is said to need as many updates as it had at the
    first look that shows the score. A run that never shows it would need more than it has. Where
    that leaves the median open, there is none.
    """
    never = math.inf
    needed = [
        next((at for at, a in zip(looks(steps), o.accuracy, strict=True) if a >= target), never)
        for o in scored
    ]
    middle = median(needed)
    return {
        "updates": None if middle == never else middle,
        "reached": sum(at < never for at in needed),
    }


def _at_lengths(plan: Plan, pair: Pair, peak: float, store: Store) -> list[dict[str, Any]]:
    """The scores of a pair over each number of updates, if there are several, at its peak."""
    rows: list[dict[str, Any]] = []
    for steps in plan.lengths if len(plan.lengths) > 1 else ():
        scores = [o.test for o in outcomes(store, plan.scoring(pair, peak, steps))]
        mean, low, high = interval(scores)
        rows.append({"steps": steps, "score": mean, "low": low, "high": high, "scores": scores})
    return rows


def _sensitivity(tried: Mapping[float, Sequence[Outcome]]) -> dict[str, Any]:
    """The validation score by peak. A peak at which every run diverged has none."""
    band: dict[str, list[float | None]] = {"mean": [], "low": [], "high": []}
    for found in tried.values():
        lost = all(o.diverged for o in found)
        at = _band([[None if lost else o.validation] for o in found])
        for name, row in band.items():
            row += at[name]
    seeds = [len(found) for found in tried.values()]
    return {
        "peaks": list(tried),
        "seeds": seeds,
        **band,
        "width": _width(list(tried), band["mean"]),
    }


def _width(peaks: Sequence[float], means: Sequence[float | None]) -> float:
    """How many decades of peak rate around the best stay within a point of it."""
    known = [-math.inf if mean is None else mean for mean in means]
    first = last = known.index(max(known))
    enough = max(known) - _POINT
    while first > 0 and known[first - 1] >= enough > -math.inf:
        first -= 1
    while last < len(peaks) - 1 and known[last + 1] >= enough > -math.inf:
        last += 1
    return math.log10(peaks[last] / peaks[first])


def _band(runs: Sequence[Sequence[float | None]]) -> dict[str, list[float | None]]:
    """The interval at each point of some curves, one row per run; none where a run has no value."""
    columns = list(zip(*runs, strict=True))
    whole = [i for i, column in enumerate(columns) if None not in column]
    values = np.array([[row[i] for i in whole] for row in runs], dtype=np.float64)
    found = dict(zip(whole, intervals(values), strict=True))
    band: dict[str, list[float | None]] = {"mean": [], "low": [], "high": []}
    for i in range(len(columns)):
        at = found.get(i, (None, None, None))
        for row, value in zip(band.values(), at, strict=True):
            row.append(None if value is None else _short(value))
    return band


def _short(value: float) -> float:
    """Enough digits to draw with, and no more to keep."""
    return float(f"{value:.6g}")


def _ranked(pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pairs, best first, each with its rank and the names of those that it ties with."""
    pairs = sorted(pairs, key=lambda pair: -pair["score"])
    names = [str(Pair(pair["optimizer"], pair["schedule"])) for pair in pairs]
    tied = ties([pair["scores"] for pair in pairs])
    return [
        pair
        | {
            "rank": i + 1,
            "ties": [name for j, name in enumerate(names) if tied[i, j] and j != i],
        }
        for i, pair in enumerate(pairs)
    ]


def _compared(ranked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pairs with how far each is behind the best, seed by seed, and its standing at each
    length of the run."""
    if not ranked:
        return ranked
    for pair in ranked[1:]:
        gaps = [a - b for a, b in zip(ranked[0]["scores"], pair["scores"], strict=True)]
        pair["behind"] = dict(zip(("mean", "low", "high"), interval(gaps), strict=True))
    ranked[0]["behind"] = None
    for rows in zip(*(pair["lengths"] for pair in ranked), strict=True):
        best = max(range(len(rows)), key=lambda i: rows[i]["score"])
        tied = ties([row["scores"] for row in rows])[best]
        for i, row in enumerate(rows):
            row |= {"best": i == best, "ties": bool(tied[i])}
    return ranked
