"""Reducing the rates of a run to what a law needs: progress, drops and distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lehr.laws.forms import Form
from lehr.laws.runs import Floats, Ints, LoggedRun, risen

START = 0.2
"""The weights' squared norm at the start, as a share of the equilibrium at the peak rate."""

LIFT = 1.6
"""The extra noise of a higher peak over that of a rise from the fitted one: within a run, the gain
of a drop is not yet complete (from 124M parameters at two peaks)."""

BLOCKS = 256
"""The number of blocks of nearly equal rate into which a run is cut, besides its jumps."""

_FAR = 1e100


@dataclass(frozen=True)
class Setting:
    """The setting that all runs of a law share; drops are measured relative to its peak rate.

    Measured effective rates are multiplied by ``measured``, which is 0 if they are not used.
    """

    form: Form
    weight_decay: float
    peak: float
    measured: float = 0.0


@dataclass(frozen=True, eq=False)
class Series:
    """A run in the form that a law needs, at ``n`` steps and with ``k`` drops.

    Arguments:
        progress: S at each step, shape (n,).
        behind: The distance of each step behind each drop, shape (n, k); 0 before it.
        mass: The drops, as shares of the peak at which the law was fitted, shape (k,).
        rate: The rate after each drop, as a share of the peak, shape (k,).
        lift: The noise of a peak above that of the law, in units of a drop from it to 0.
        peak: The logarithm of the peak over that of the law.
    """

    progress: Floats
    behind: Floats
    mass: Floats
    rate: Floats
    lift: float
    peak: float


def effective(rates: Floats, weight_decay: float, start: float) -> Floats:
    """Return the rate of every update over the weights' norm at that update.

    ``v' = (1 - rate wd)^2 v + rate^2``, from ``v = start``; ``e = rate / sqrt(v)``. In equilibrium,
    ``v = rate / (2 wd)`` and ``e = sqrt(2 rate wd)``, a rotation of the weights in radians.
    """
    shrinks = 2 * np.log1p(-np.minimum(rates * weight_decay, 0.5))
    result = np.empty_like(rates)
    low, v = 0, start
    while low < len(rates):
        # In pieces, so that the products do not underflow.
        sums = np.cumsum(shrinks[low:])
        high = low + max(1, int(np.searchsorted(-sums, 200.0)))
        sums = np.concatenate([[0.0], sums[: high - low]])
        added = np.concatenate([[0.0], np.cumsum(rates[low:high] ** 2 * np.exp(-sums[1:]))])
        norms = np.exp(sums) * (v + added)
        result[low:high] = rates[low:high] / np.sqrt(norms[:-1])
        low, v = high, float(norms[-1])
    return result


def scales(form: Form, ratio: float) -> tuple[float, float, float]:
    """Return the factors of progress, drops and noise at ``ratio`` times the law's peak."""
    power = 0.5 if form.effective else 1.0
    drops = ratio ** (power * form.jump * (2 if form.mass == "squares" else 1))
    return ratio ** (power * form.clock), drops, LIFT * (drops - 1) if form.relative else 0.0


def measured_unit(setting: Setting, runs: Sequence[LoggedRun]) -> float:
    """Return the ratio of modelled effective rates to measured ones, after the warmups."""
    modelled = measured = 0.0
    for run in runs:
        if run.effective is not None:
            modelled += float(_clocks(setting, run.rates)[0][run.warmup :].sum())
            measured += float(run.effective[run.warmup :].sum())
    return modelled / measured if measured else 0.0


def _clocks(setting: Setting, rates: Floats, logged: Floats | None = None) -> tuple[Floats, Floats]:
    """Return the rate summed as progress and the rate whose drops count, as shares of the peak."""
    form, peak = setting.form, float(rates.max())
    unit = rates / peak
    if form.effective and setting.measured and logged is not None:
        unit = logged * setting.measured
    elif form.effective:
        balance = np.sqrt(2 * setting.weight_decay * peak)
        start = START * peak / (2 * setting.weight_decay)
        unit = effective(rates, setting.weight_decay, start) / balance
    return unit**form.clock, unit**form.jump


def _edges(masses: Floats, warmup: int, count: int) -> Ints:
    """Return the edges of the blocks: an even grid, and a block for each jump."""
    length = len(masses)
    even = warmup + np.round((length - warmup) * np.linspace(0, 1, count + 1)).astype(np.int64)
    jumps = np.flatnonzero(np.abs(masses) > 2e-3 * max(1e-300, float(np.abs(masses).sum())))
    if len(jumps) > 2 * count:
        jumps = jumps[:: -(-len(jumps) // (2 * count))]
    edges = np.unique(np.concatenate([even, jumps, jumps + 1]))
    return edges[edges <= length]


def series(
    setting: Setting,
    rates: Floats,
    steps: Ints,
    warmup: int | None = None,
    blocks: int = BLOCKS,
    logged: Floats | None = None,
) -> Series:
    """Return a run in the form that a law needs, at the given numbers of updates.

    If the warmup is None it is found from the rates; ``blocks`` is the approximate number of
    blocks, and ``logged`` the effective rate of every update, if it was measured.
    """
    form = setting.form
    warmup = risen(rates) if warmup is None else min(warmup, len(rates) - 1)
    unit, jumping = _clocks(setting, rates, logged)
    pace, factor, lift = scales(form, float(rates.max()) / setting.peak)
    sums = np.concatenate([[0.0], np.cumsum(unit)])
    progress = pace * sums
    if form.behind == "progress":
        clock = sums if form.relative else progress
    elif form.behind == "steps":
        clock = np.arange(len(rates) + 1, dtype=np.float64)
    else:
        clock = np.concatenate([[0.0], np.cumsum(rates)])
    rise = warmup
    if form.mass == "drops":
        masses = np.zeros(len(rates))
        masses[warmup + 1 :] = -np.diff(jumping[warmup:])
    else:
        masses = jumping**2
        warmup = 0
    edges = _edges(masses, warmup, blocks)
    if form.mass == "squares":
        # The latest noise weighs most, so no block may contain noise from before and after a step.
        edges = np.unique(np.concatenate([edges, np.minimum(steps, len(rates))]))
    weights = np.abs(masses) + 1e-30
    sums = [
        np.concatenate([[0.0], np.cumsum(of)]) for of in (masses, weights, weights * clock[:-1])
    ]
    mass, weight, moment = (total[edges[1:]] - total[edges[:-1]] for total in sums)
    places = np.clip(moment / np.maximum(weight, 1e-300), clock[edges[:-1]], clock[edges[1:]])
    keep = np.abs(mass) > 1e-9 * max(1e-300, float(np.abs(mass).sum()))
    at = np.minimum(steps, len(rates))
    behind = clock[at][:, None] - places[keep]
    # Before a drop, nothing is gained by it; before an update, its noise counts as forgotten.
    behind = np.where(behind > 0, behind, 0.0 if form.mass == "drops" else _FAR)
    # No law describes the warmup: throughout it, the loss counts as that at its end.
    least = max(float(progress[max(1, rise)]), 1e-9 * float(progress[-1]))
    return Series(
        np.maximum(progress[at], least),
        behind,
        mass[keep] * factor,
        jumping[np.minimum(edges[1:], len(rates)) - 1][keep],
        lift,
        float(np.log(rates.max() / setting.peak)),
    )
