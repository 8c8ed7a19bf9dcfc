"""How a pair's peak rate is found, and what is left to train for it.

`Size.rungs` says what is spent on the peaks; what wins a rung is decided here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from lehr.lab.plan import Flight, Pair, Plan
from lehr.lab.store.store import Store
from lehr.lab.trial import Outcome, Trial

__all__ = ["choose_peak", "named", "next_flight", "outcomes", "tuned", "validation"]


def named(plan: Plan, pair: Pair, store: Store) -> list[Trial]:
    """The trials of a pair that can be named yet: those that tune it; once tuned, all."""
    rung: dict[float, list[Trial]] = {}
    trials: dict[Trial, None] = {}
    for rung in _rungs(plan, pair, store):
        trials |= dict.fromkeys(trial for tried in rung.values() for trial in tried)
    if store.missing(trials):
        return list(trials)
    peak = _best(rung, store, 1)[0]
    scoring = [trial for steps in plan.lengths for trial in plan.scoring(pair, peak, steps)]
    return [*trials, *scoring]


def next_flight(plan: Plan, pair: Pair, store: Store) -> Flight | None:
    """What to train next for a pair: its tuning, then its scoring; None once it is finished."""
    missing = store.missing(named(plan, pair, store))
    if not missing:
        return None
    # Only runs of one length can be trained side by side. The usual one comes first.
    steps = plan.size.steps
    if all(trial.steps != steps for trial in missing):
        steps = missing[0].steps
    return Flight(pair, [trial for trial in missing if trial.steps == steps])


def choose_peak(tried: Mapping[float, Sequence[Outcome]]) -> float:
    """The peak of the last rung with the best mean validation score; of equals, the lowest.

    Arguments:
        tried: What came of each peak, in ascending order, as `tuned` gives it.
    """
    most = max(map(len, tried.values()))
    last = {peak: validation(found) for peak, found in tried.items() if len(found) == most}
    return max(last, key=last.__getitem__)


def tuned(plan: Plan, pair: Pair, store: Store) -> dict[float, list[Outcome]]:
    """What came of each peak, over all the tuning seeds that were spent on it."""
    found: dict[float, list[Outcome]] = {}
    for rung in _rungs(plan, pair, store):
        found |= {peak: outcomes(store, trials) for peak, trials in rung.items()}
    return found


def _rungs(plan: Plan, pair: Pair, store: Store) -> Iterator[dict[float, list[Trial]]]:
    """The trials of each rung, by peak in ascending order, as far as they can be named yet."""
    rung: dict[float, list[Trial]] = {}
    for count, seeds in plan.size.rungs:
        if rung and store.missing(trial for trials in rung.values() for trial in trials):
            return
        peaks = sorted(_best(rung, store, count)) if rung else plan.size.peaks
        rung = {peak: plan.tuning(pair, peak)[:seeds] for peak in peaks}
        yield rung


def _best(rung: dict[float, list[Trial]], store: Store, count: int) -> list[float]:
    """The peaks of a finished rung that have the best mean validation scores, best first; of
    equals, the lower."""
    scores = {peak: validation(outcomes(store, trials)) for peak, trials in rung.items()}
    return sorted(rung, key=lambda peak: (-scores[peak], peak))[:count]


def outcomes(store: Store, trials: Sequence[Trial]) -> list[Outcome]:
    """What came of these trials, all of them finished."""
    return [store[trial].outcome for trial in trials]


def validation(found: Sequence[Outcome]) -> float:
    """The mean validation score."""
    return math.fsum(outcome.validation for outcome in found) / len(found)
