"""The laws as their papers have them: sums over every update, one by one."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lehr.laws import LoggedRun

Floats = NDArray[np.float64]

PEAK = 1e-3
DECAY = 0.1
WARMUP = 50

TRUTH = {"L0": 3.0, "A": 0.3, "B": 0.25, "alpha": 0.5, "C": 0.1, "beta": 0.25, "gamma": 0.45}


def rates(kind: str, steps: int, peak: float = PEAK, warmup: int = WARMUP) -> Floats:
    """Return the rates of a run by formulas that are written out here."""
    t = np.arange(steps)
    left = (steps - t) / (steps - warmup)
    shape = {
        "constant": np.ones(steps),
        "linear": left,
        "cosine": 0.55 + 0.45 * np.cos(np.pi * (1 - left)),
        "wsd20": np.minimum(1.0, (steps - t) / (0.2 * steps)),
        "wsd40": np.minimum(1.0, (steps - t) / (0.4 * steps)),
        "step": np.where(t < steps // 2, 1.0, 0.3),
    }[kind]
    return peak * np.where(t < warmup, t / warmup, shape)


def effective_rates(eta: Floats, start: float = 0.2) -> Floats:
    """Return eta over the weights' norm, update by update."""
    v = start * eta.max() / (2 * DECAY)
    result = []
    for rate in eta:
        result.append(rate / math.sqrt(v))
        v = (1 - rate * DECAY) ** 2 * v + rate**2
    return np.array(result)


def power_gain(x: Floats, scale: float, shape: float) -> Floats:
    return 1 - (1 + scale * x) ** -shape


def loss(law: str, eta: Floats, t: int, unit: float, warmup: int = WARMUP) -> float:
    """Return the loss of a law after t updates."""
    p = TRUTH
    e = eta / PEAK
    jump, clock = 1.0, e
    if law == "effective-rate":
        e = effective_rates(eta) / math.sqrt(2 * DECAY * PEAK)
        jump, clock = 0.85, e
    elif law == "power-time":
        jump, clock = 0.85, e**0.75
    progress = clock[:t].sum()
    total = 0.0
    for k in range(warmup + 1, t):
        drop = e[k - 1] ** jump - e[k] ** jump
        behind = clock[k:t].sum()
        if law == "multi-power":
            gain = power_gain(behind * e[k] ** -p["gamma"], p["C"], p["beta"])
        elif law == "annealing":
            gain = 1 - 0.999 ** (t - k)
        else:
            gain = power_gain(behind, p["C"], p["beta"])
        total += drop * gain
    if law == "functional":
        total = -sum(e[k] ** 2 * (1 + eta[k:t].sum()) ** -0.8 for k in range(t))
    return p["L0"] + p["A"] * (progress / unit) ** -p["alpha"] - p["B"] * float(total)


def logged(
    kind: str,
    steps: int,
    law: str = "effective-rate",
    *,
    peak: float = PEAK,
    noise: float = 0.0,
    seed: int = 0,
    every: int = 0,
    unit: float = 1000.0,
    start: float = 0.2,
) -> LoggedRun:
    """Return a run whose losses are a law's, with the same noise for the same seed."""
    eta = rates(kind, steps, peak)
    at = np.arange(WARMUP + 10, steps + 1, every or max(1, steps // 60))
    values = curve(law, eta, at, unit, start)
    draw = np.random.default_rng(seed)
    values = values * np.exp(noise * draw.standard_normal(len(at)))
    return LoggedRun(kind, eta, at.astype(np.int64), values, WARMUP, "validation")


def curve(law: str, eta: Floats, at: NDArray[np.int64], unit: float, start: float = 0.2) -> Floats:
    """Return many losses at once, by the same sums with NumPy's help."""
    p = TRUTH
    assert law in ("effective-rate", "power-time")
    ratio = eta.max() / PEAK
    e = eta / eta.max()
    power, clock = 1.0, e**0.75
    pace = ratio**0.75
    if law == "effective-rate":
        e = effective_rates(eta, start) / math.sqrt(2 * DECAY * eta.max())
        power, clock, pace = 0.5, e, ratio**0.5
    noise = ratio ** (0.85 * power)
    sums = np.concatenate([[0.0], np.cumsum(clock)])
    drops = -np.diff(e**0.85)
    drops[:WARMUP] = 0.0
    k = np.arange(1, len(e))
    losses = []
    for t in at:
        progress = pace * sums[t]
        gain = power_gain(np.maximum(sums[t] - sums[k], 0.0), p["C"], p["beta"])
        more = 1.6 * (noise - 1) * power_gain(progress, p["C"], p["beta"])
        above = p["A"] * (progress / unit) ** -p["alpha"]
        losses.append(p["L0"] + above - p["B"] * (noise * drops @ gain - more))
    return np.array(losses)
