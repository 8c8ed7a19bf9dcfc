"""Made-up results for the tests: curves, ties, a pair that diverges, numbers that are null."""

import copy
import math
from typing import Any

import numpy as np
import pytest

OPTIMIZERS = {
    "sgd": "SGD(momentum=0.9)",
    "nesterov": "SGD(momentum=0.9, nesterov=True)",
    "rmsprop": "RMSprop(alpha=0.99)",
    "adam": "Adam(betas=(0.9, 0.999))",
    "adamw": "AdamW(betas=(0.9, 0.999), weight_decay=0.01)",
}

SHAPES = {
    "constant": ("constant()", lambda u: np.ones_like(u)),
    "step": ("step(every='30%', factor=0.1)", lambda u: 0.1 ** np.floor(u / 0.3)),
    "exponential": ("exponential(to=0.01)", lambda u: 0.01**u),
    "linear": ("linear(to=0.0)", lambda u: 1 - u),
    "polynomial": ("polynomial(power=2.0, to=0.0)", lambda u: (1 - u) ** 2),
    "cosine": ("cosine(to=0.0)", lambda u: (1 + np.cos(np.pi * u)) / 2),
    "warm_restarts": (
        "warm_restarts(T_0='25%', T_mult=1)",
        lambda u: (1 + np.cos(np.pi * ((4 * u) % 1))) / 2,
    ),
    "triangular": ("triangular(half='12.5%', low=0.1)", lambda u: 1 - 0.9 * abs((4 * u) % 2 - 1)),
    "trapezoid": (
        "trapezoid(warmup='10%', decay='30%')",
        lambda u: np.minimum(1, np.minimum(u / 0.1, (1 - u) / 0.3)),
    ),
    "one_cycle": (
        "one_cycle(rise='30%')",
        lambda u: np.where(
            u < 0.3,
            0.04 + 0.96 * (1 - np.cos(np.pi * u / 0.3)) / 2,
            (1 + np.cos(np.pi * np.clip((u - 0.3) / 0.7, 0, 1))) / 2,
        ),
    ),
    "wsd": (
        "warmup('5%') >> hold() >> one_minus_sqrt('20%', to=0.0)",
        lambda u: np.where(
            u < 0.05, u / 0.05, np.where(u < 0.8, 1, 1 - np.sqrt(np.clip((u - 0.8) / 0.2, 0, 1)))
        ),
    ),
}

PEAKS = [3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3]
STEPS, SEEDS = 900, 10
LENGTHS = [300, STEPS, 2700]
TARGET = 0.925


def _pair(
    rng: np.random.Generator, i: int, j: int, optimizer: str, schedule: str
) -> dict[str, Any]:
    diverges = optimizer == "rmsprop" and schedule == "constant"
    quality = 0.945 + 0.006 * i - 0.004 * (schedule == "constant") + 0.0022 * j
    centre = [-1.3, -1.4, -3.0, -2.8, -2.7][i]
    peaks, mean, low, high = [], [], [], []
    for peak in PEAKS:
        distance = math.log10(peak) - centre
        value: float | None = quality - (0.05 if distance < 0 else 0.12) * distance**2
        if distance > 1.4 or (diverges and peak > 1e-4):
            value = None
        elif distance > 1.0:
            value = 0.1 + 0.2 * rng.random()
        spread = 0.004 + 0.01 * abs(distance)
        peaks.append(peak)
        mean.append(value)
        low.append(None if value is None else value - spread)
        high.append(None if value is None else min(1.0, value + spread))
    best = max((m, k) for k, m in enumerate(mean) if m is not None)[1]
    scores = [float(np.clip(quality + 0.004 * rng.standard_normal(), 0, 1)) for _ in range(SEEDS)]
    if diverges:
        scores = [0.1 + 0.02 * float(rng.random()) for _ in range(SEEDS)]
    steps = list(range(30, STEPS + 1, 30))
    u = np.array(steps) / STEPS
    rate = SHAPES[schedule][1](u)
    loss = 2.3 * np.exp(-5 * u**0.6) + 0.02 + 0.08 * rate * (0.6 + 0.1 * i)
    accuracy = quality - 0.8 * np.exp(-14 * u) - 0.02 * rate
    loss = loss * np.exp(0.05 * rng.standard_normal(len(u)))
    accuracy = accuracy + 0.003 * rng.standard_normal(len(u))
    if diverges:
        loss, accuracy = 2.3 + 0 * u, 0.1 + 0 * u
    score = sum(scores) / SEEDS
    half = 2.26 * float(np.std(scores, ddof=1)) / math.sqrt(SEEDS)
    return {
        "optimizer": optimizer,
        "schedule": schedule,
        "rank": 0,
        "peak": PEAKS[best],
        "score": score,
        "low": score - half,
        "high": score + half,
        "standing": "behind",
        "standing_in_optimizer": "behind",
        "not_separated": [],
        "diverged": SEEDS if diverges else 0,
        "scores": scores,
        "validation": quality,
        "at_edge": best in (0, len(PEAKS) - 1) or diverges,
        "test_loss": float(loss[-1]),
        "behind": None,
        "target": {"updates": None, "reached": 0}
        if diverges
        else {"updates": 300.0 + 30 * j, "reached": SEEDS - (j == 3)},
        "lengths": [
            {
                "steps": steps,
                "score": score - loss,
                "low": score - loss - half,
                "high": score - loss + half,
                "standing": "tie" if j > 7 else "behind",
                "scores": [s - loss for s in scores],
            }
            for steps, loss in zip(LENGTHS, (0.05, 0.0, -0.01), strict=True)
        ],
        "peaks": peaks,
        "peak_seeds": [3] * len(peaks),
        "sensitivity": {"mean": mean, "low": low, "high": high},
        "width": 0.4 + 0.1 * j,
        "steps": steps,
        "loss": _band(loss, 0.08 * loss),
        "validations": _band(accuracy, 0.004 + 0.02 * np.exp(-8 * u)),
        "ranks": (1, 1),
        "code": f"from torch.optim import SGD\n\n# {optimizer}, {schedule}",
        "seconds": 1.5 + i + 0.1 * j,
        "numbers": {"norm": {"mean": 2.0 + j, "low": 1.0, "high": 3.0}},
    }


def _band(mean: np.ndarray, half: np.ndarray) -> dict[str, list[float | None]]:
    return {
        "mean": mean.tolist(),
        "low": (mean - half).tolist(),
        "high": (mean + half).tolist(),
    }


def make_results(optimizers: int = 5, schedules: int = 11) -> dict[str, Any]:
    """A finished comparison of the first so many optimizers and schedules."""
    rng = np.random.default_rng(7)
    chosen = dict(list(OPTIMIZERS.items())[:optimizers])
    drawn = dict(list(SHAPES.items())[:schedules])
    pairs = [
        _pair(rng, i, j, optimizer, schedule)
        for i, optimizer in enumerate(chosen)
        for j, schedule in enumerate(drawn)
    ]
    pairs.sort(key=lambda pair: -pair["score"])
    for rank, pair in enumerate(pairs, start=1):
        pair["rank"] = rank
        pair["not_separated"] = [
            f"{other['optimizer']}/{other['schedule']}"
            for other in pairs
            if other is not pair and abs(other["score"] - pair["score"]) < 0.0035
        ]
        pair["ranks"] = (max(1, rank - 7), min(len(pairs), rank + 9))
    for pair in pairs[1:]:
        gap = pairs[0]["score"] - pair["score"]
        pair["behind"] = {"mean": gap, "low": gap - 0.004, "high": gap + 0.004, "seeds": None}
        pair["standing"] = "tie" if gap < 0.0035 else "undecided" if gap < 0.01 else "behind"
    pairs[0]["standing"] = "best"
    for at in pairs[0]["lengths"]:
        at["standing"] = "best"
    if len(pairs) > 4:
        # Null wherever null may be: a curve that breaks, runs that diverged.
        pairs[-1]["test_loss"] = None
        for row in pairs[-1]["loss"].values():
            row[20:] = [None] * len(row[20:])
    u = np.linspace(0, 1, 181)
    steps = (u * STEPS).round().astype(int).tolist()
    best = pairs[0]
    return {
        "format": 6,
        "lehr": "0.1.0",
        "task": {
            "name": "digits",
            "summary": "Handwritten digits, 8 by 8 pixels, ten classes.",
            "train": 1077,
            "validation": 360,
            "test": 360,
            "network": "two hidden layers of 64 with ReLU",
            "batch_size": 64,
            "metric": {
                "name": "accuracy",
                "unit": "share",
                "higher": True,
                "guess": 0.1,
                "tolerance": None,
            },
        },
        "settings": {
            "steps": STEPS,
            "seeds": SEEDS,
            "tuning_seeds": 3,
            "peaks": PEAKS,
            "rungs": [[9, 1], [5, 1], [3, 2], [2, 3]],
            "lengths": LENGTHS,
            "target": TARGET,
            "confidence": 0.95,
            "versions": {"python": "3.11.2", "torch": "2.13.0", "numpy": "2.1.0"},
            "seconds": 2531.4,
            "trials": len(pairs) * (len(PEAKS) * 3 + SEEDS),
            "complete": True,
            "command": "lehr compare --task digits --out results",
            "finished": 1_790_000_000.0,
        },
        "optimizers": chosen,
        "schedules": {
            name: {
                "name": name,
                "text": text,
                "summary": f"The rate follows a {name.replace('_', ' ')} over the run.",
                "rate": [steps, shape(u).tolist()],
                "momentum": [steps, (0.95 - 0.1 * shape(u)).tolist()]
                if name == "one_cycle"
                else None,
            }
            for name, (text, shape) in drawn.items()
        },
        "summary": [
            f"{best['optimizer']} with {best['schedule']} did best: "
            f"{100 * best['score']:.1f} % of the test images right.",
            "Other pairs tie with it.",
            "The choice of the peak rate moved the score more than the choice of the schedule.",
        ],
        "pairs": pairs,
        "failed": [],
        "influences": [
            {
                "name": name,
                "spread": spread,
                "low": spread / 2,
                "high": spread * 2,
                "share": spread / 0.02,
                "share_low": spread / 0.04,
                "share_high": spread / 0.01,
            }
            for name, spread in (("optimizer", 0.01), ("schedule", 0.004), ("seed", 0.006))
        ],
        "serving": ["linear"],
    }


@pytest.fixture(scope="session")
def full() -> dict[str, Any]:
    return make_results()


@pytest.fixture
def results(full: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(full)


@pytest.fixture
def single() -> dict[str, Any]:
    return make_results(1, 1)


@pytest.fixture
def partial(results: dict[str, Any]) -> dict[str, Any]:
    """The same comparison, stopped early: seven pairs."""
    results["settings"]["complete"] = False
    results["pairs"] = results["pairs"][::8]
    return results
