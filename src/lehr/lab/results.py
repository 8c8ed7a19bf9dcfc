"""Results: from finished trials to what the report and the reader get."""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from lehr import Schedule, __version__
from lehr.catalogue import find
from lehr.lab.optimizers import find_optimizer
from lehr.lab.plan import Pair, Plan
from lehr.lab.statistics import CONFIDENCE, interval, ties
from lehr.lab.store import Store
from lehr.lab.summary import summarize
from lehr.lab.task import find_task
from lehr.lab.trial import Outcome, looks
from lehr.lab.tuning import choose_peak, named, next_flight, outcomes, validation

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
        "pairs": _ranked([_pair(plan, pair, store) for pair in finished]),
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
        "confidence": CONFIDENCE,
        "versions": {"python": platform.python_version()} | {p: version(p) for p in packages},
        "seconds": round(math.fsum(k.seconds for k in kept), 1),
        "trials": len(kept),
        "complete": complete,
        "command": plan.command(),
    }


def _schedule(name: str, steps: int) -> dict[str, Any]:
    entry = find(name)
    return {
        "text": repr(entry.example),
        "summary": entry.summary,
        "rate": _drawn(entry.example, steps),
        "momentum": None if entry.momentum is None else _drawn(entry.momentum, steps),
    }


def _drawn(schedule: Schedule, steps: int) -> list[list[float]]:
    at = np.unique(np.linspace(0, steps - 1, min(steps, _DRAWN)).round().astype(np.int64))
    return [at.tolist(), [_short(value) for value in schedule.over(steps)(at)]]


def _pair(plan: Plan, pair: Pair, store: Store) -> dict[str, Any]:
    peaks = plan.size.peaks
    tuned = [outcomes(store, plan.tuning(pair, peak)) for peak in peaks]
    peak = choose_peak(plan, pair, store)
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
        "validation": validation(tuned[peaks.index(peak)]),
        "at_edge": peak in (peaks[0], peaks[-1]),
        "test_loss": _band([[o.test_loss] for o in scored])["mean"][0],
        "sensitivity": _sensitivity(peaks, tuned),
        "curves": {
            "step": looks(plan.size.steps),
            "loss": _band([o.loss for o in scored]),
            "accuracy": _band([o.accuracy for o in scored]),
        },
    }


def _sensitivity(peaks: Sequence[float], tuned: Sequence[Sequence[Outcome]]) -> dict[str, Any]:
    scores = [
        [None if all(o.diverged for o in found) else o.validation for o in found] for found in tuned
    ]
    band = _band(list(zip(*scores, strict=True)))
    return {"peaks": list(peaks), **band, "width": _width(peaks, band["mean"])}


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
    band: dict[str, list[float | None]] = {"mean": [], "low": [], "high": []}
    for column in zip(*runs, strict=True):
        values = [value for value in column if value is not None]
        at = interval(values) if len(values) == len(column) else (None, None, None)
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
