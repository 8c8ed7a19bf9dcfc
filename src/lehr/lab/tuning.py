"""How a pair's peak rate is found, and what is left to train for it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lehr.lab.plan import Flight, Pair, Plan
from lehr.lab.store import Store
from lehr.lab.trial import Outcome, Trial

__all__ = ["choose_peak", "named", "next_flight", "outcomes", "validation"]


def named(plan: Plan, pair: Pair, store: Store) -> list[Trial]:
    """The trials of a pair that can be named yet: those that tune it; once tuned, all."""
    tuning = [trial for peak in plan.size.peaks for trial in plan.tuning(pair, peak)]
    if store.missing(tuning):
        return tuning
    return tuning + plan.scoring(pair, choose_peak(plan, pair, store))


def next_flight(plan: Plan, pair: Pair, store: Store) -> Flight | None:
    """What to train next for a pair: its tuning, then its scoring; None once it is finished."""
    missing = store.missing(named(plan, pair, store))
    return Flight(pair, missing) if missing else None


def choose_peak(plan: Plan, pair: Pair, store: Store) -> float:
    """The peak with the best mean validation score over the tuning seeds; of equals, the lowest."""

    def score(peak: float) -> float:
        return validation(outcomes(store, plan.tuning(pair, peak)))

    return max(plan.size.peaks, key=score)


def outcomes(store: Store, trials: Sequence[Trial]) -> list[Outcome]:
    """What came of these trials, all of them finished."""
    return [store[trial].outcome for trial in trials]


def validation(found: Sequence[Outcome]) -> float:
    """The mean validation score."""
    return math.fsum(outcome.validation for outcome in found) / len(found)
