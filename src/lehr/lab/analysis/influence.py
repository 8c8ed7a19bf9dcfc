"""How much of the scores' spread is due to each of optimizer, schedule, peak rate and seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lehr.lab.analysis.statistics import tail

SEED = "seed"

_DRAWS = 1000
_AT_ONCE = 256  # columns of resampled numbers; they take a few megabytes

_Numbers = NDArray[np.float64]
_Moment = Callable[[_Numbers, _Numbers], _Numbers]


@dataclass(frozen=True)
class Influence:
    """How strongly one of the choices affects the score.

    Attributes:
        name: The choice: "optimizer", "schedule", "optimizer x schedule" (how much the effect of
            one depends on the other), "peak rate", the name of another tuned number, or "seed".
        spread: The standard deviation of the score due to it, in the metric's unit.
        low: The lower end of its interval; None if there is one seed only.
        high: The upper end.
        share: Its share of the sum of all variances, from 0 to 1.
        share_low: The lower end of its interval.
        share_high: The upper end.
    """

    name: str
    spread: float
    low: float | None
    high: float | None
    share: float
    share_low: float | None
    share_high: float | None


def influences(scores: _Numbers, tuned: Mapping[str, Sequence[_Numbers]]) -> tuple[Influence, ...]:
    """Split the variance of the scores into the parts of each choice.

    With `m` the means over the seeds, the variance of all runs is exactly the sum of four parts:
    that of the optimizers' means, of the schedules' means, of the remainder of `m` after both, and
    of the runs of one pair around their mean. A mean over few seeds also varies by chance, so each
    of the first three is reduced by the variance of its means, `s^2 / n` with `s^2` that of the
    seeds' own values; a part that would be negative is 0. A tuned number's part is, on average over
    the pairs that have it, the variance of the means at its values, reduced in the same way.

    The intervals are bootstrapped: seeds are resampled, the same for all pairs, and the resampled
    parts are moved so that their mean is the part itself, because resampling adds the variance of
    the means once more. Their ends are those of `intervals`, expanded by Student's t.

    Arguments:
        scores: The scores, (optimizers, schedules, seeds); at least one.
        tuned: For each tuned number, by name, the tuning runs of each pair, (values, seeds).

    Returns:
        The parts, in the order of `Influence.name`; those with a single choice are left out.
    """
    if not scores.size:
        raise ValueError("scores is empty: it needs an optimizer, a schedule and a seed")
    by_optimizer, by_schedule = scores.mean(1), scores.mean(0)
    grand = by_optimizer.mean(0)
    both = (scores - by_optimizer[:, None] - by_schedule[None] + grand).reshape(-1, scores.shape[2])
    effects = {
        "optimizer": [by_optimizer - grand],
        "schedule": [by_schedule - grand],
        "optimizer x schedule": [both],
        **{name: [runs - runs.mean(0) for runs in pairs] for name, pairs in tuned.items()},
    }
    crossed = min(scores.shape[:2]) > 1
    parts = {
        name: _variance(found)
        for name, found in effects.items()
        if any(len(each) > 1 for each in found) and (crossed or name != "optimizer x schedule")
    }
    if scores.shape[2] > 1:
        parts[SEED] = _noise(scores.reshape(-1, scores.shape[2]))
    return _written(parts)


@dataclass(frozen=True)
class _Part:
    """A variance, its resampled values (centred on it), and the number of seeds it rests on."""

    value: float
    drawn: _Numbers | None
    seeds: int


def _variance(groups: Sequence[_Numbers]) -> _Part:
    """Return the variance of the mean effects in each group, on average over the groups.

    The effects of a group are (choices, seeds).
    """
    seeds = min(each.shape[1] for each in groups)
    if seeds < 2:
        return _Part(float(np.mean([(each.mean(1) ** 2).mean() for each in groups])), None, seeds)
    # One column for a choice; the groups weigh the same, however many choices they have.
    columns = np.concatenate([each[:, :seeds] for each in groups]).T
    weights = np.concatenate([np.full(len(g), 1 / len(g) / len(groups)) for g in groups])
    return _drawn(columns, weights, lambda mean, variance: mean**2 - variance / seeds)


def _noise(runs: _Numbers) -> _Part:
    """Return the variance of the runs of a pair, on average over the pairs, (pairs, seeds)."""
    return _drawn(runs.T, np.full(len(runs), 1 / len(runs)), lambda _, variance: variance)


def _drawn(columns: _Numbers, weights: _Numbers, of: _Moment) -> _Part:
    """Return a weighted mean over columns, (seeds, columns), with its values by resampling."""
    seeds = len(columns)
    value = float(_moments(np.ones((1, seeds)), columns, weights, of)[0])
    # Resampled runs spread by (n - 1) / n of the variance of new ones.
    drawn = _moments(_counts(seeds), columns, weights, of)
    return _Part(max(0.0, value), np.maximum(0.0, drawn - drawn.mean() + value), seeds)


def _moments(counts: _Numbers, columns: _Numbers, weights: _Numbers, of: _Moment) -> _Numbers:
    """Return the weighted mean over columns of a function of their mean and variance.

    `counts` says how often each seed is drawn, (draws, seeds).
    """
    seeds, found = len(columns), np.zeros(len(counts))
    for start in range(0, columns.shape[1], _AT_ONCE):
        some = columns[:, start : start + _AT_ONCE]
        middle = some.mean(0)
        mean = counts @ (some - middle) / seeds
        variance = (counts @ (some - middle) ** 2 / seeds - mean**2) * seeds / (seeds - 1)
        found += of(mean + middle, variance) @ weights[start : start + _AT_ONCE]
    return found


def _counts(seeds: int) -> _Numbers:
    rng = np.random.default_rng(seeds)
    return rng.multinomial(seeds, np.full(seeds, 1 / seeds), _DRAWS).astype(np.float64)


def _written(parts: Mapping[str, _Part]) -> tuple[Influence, ...]:
    total = math.fsum(part.value for part in parts.values())
    drawn = {name: part.drawn for name, part in parts.items() if part.drawn is not None}
    known = sum(part.value for part in parts.values() if part.drawn is None)
    every = np.sum(list(drawn.values()), axis=0) + known if drawn else None
    found: list[Influence] = []
    for name, part in parts.items():
        spread, share = part.value**0.5, part.value / total if total else 0.0
        if part.drawn is None or every is None:
            found.append(Influence(name, spread, None, None, share, None, None))
            continue
        left_out = tail(part.seeds)
        ends = left_out, 1 - left_out
        low, high = np.quantile(part.drawn, ends) ** 0.5
        shares = np.divide(part.drawn, every, out=np.zeros_like(every), where=every > 0)
        share_ends = map(float, np.quantile(shares, ends))
        found.append(Influence(name, spread, float(low), float(high), share, *share_ends))
    return tuple(found)
