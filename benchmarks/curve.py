"""The cost of a curve: lehr against the bare NumPy expression and against stepping torch.

    python benchmarks/curve.py [--quick] [--json]

Every line is a ratio of two times measured in this run, the smallest of several, taken in turn.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from collections.abc import Callable

import numpy as np

import lehr


def fastest(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the smallest time of each call in seconds; they alternate, so noise hits all alike."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            begun = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - begun)
    return best


def many_pieces(count: int, steps: int) -> lehr.Schedule:
    """Return a zigzag of `count` lines."""
    size = steps // count
    pieces = [lehr.linear(size, to=0.5 + 0.5 * (i % 2)) for i in range(count)]
    return functools.reduce(lambda a, b: a >> b, pieces)


def step_torch(steps: int) -> None:
    """Step torch's own warmup and cosine through the run."""
    import torch
    from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    warm = LinearLR(optimizer, 1e-3, total_iters=steps // 100)
    fall = CosineAnnealingLR(optimizer, steps - steps // 100)
    scheduler = SequentialLR(optimizer, [warm, fall], [steps // 100])
    optimizer.step()
    for _ in range(steps):
        scheduler.step()


def measure(quick: bool) -> dict[str, float]:
    steps, rounds = 1_000_000, 3 if quick else 9
    warm = steps // 100
    t = np.arange(steps)
    shuffled = np.random.default_rng(0).permutation(t)
    curve = (lehr.warmup(warm) >> lehr.cosine()).over(steps)
    zigzag = many_pieces(1_000, steps)
    hundred = many_pieces(100, steps)
    grown = lehr.linear(warm, start=16, to=256) >> lehr.hold()
    horizon = lehr.Horizon(f"{lehr.Horizon(1, batch=grown).samples_before(steps)}sa", batch=grown)
    counted = (lehr.warmup(warm) >> lehr.cosine()).over(horizon)
    few, thousand = (lehr.multistep(range(1, n + 1), gamma=0.999) for n in (10, 1_000))

    def bare() -> np.ndarray:
        fall = (1 + np.cos(np.pi * (t - warm) / (steps - warm))) / 2
        return np.where(t < warm, t / warm, fall)

    def scalar(schedule: lehr.Schedule, step: int) -> Callable[[], object]:
        return lambda: [schedule(step) for _ in range(1_000)]

    arrays = fastest(
        {
            "bare": bare,
            "curve": lambda: curve(t),
            "shuffled": lambda: curve(shuffled),
            "zigzag": lambda: zigzag(t),
            "counted": lambda: counted(t),
        },
        rounds,
    )
    numbers = fastest(
        {
            "early": scalar(hundred, 5),
            "late": scalar(hundred, steps - 5),
            "ten": scalar(few, 5),
            "counted": scalar(counted, steps - 5),
            "thousand": scalar(thousand, 500),
        },
        rounds,
    )
    stepped = steps // (20 if quick else 5)
    torch_time = fastest({"torch": lambda: step_torch(stepped)}, 1)["torch"] * steps / stepped
    return {
        "warmup + cosine, 1e6 steps / bare NumPy": arrays["curve"] / arrays["bare"],
        "the same, steps in random order / bare NumPy": arrays["shuffled"] / arrays["bare"],
        "1,000 pieces, 1e6 steps / bare NumPy of two": arrays["zigzag"] / arrays["bare"],
        "by the samples of 240 sizes of batches, 1e6 steps / by the step": (
            arrays["counted"] / arrays["curve"]
        ),
        "stepping torch 1e6 times / warmup + cosine": torch_time / arrays["curve"],
        "one late step of 100 pieces / one early step": numbers["late"] / numbers["early"],
        "1,000 milestones / 10 milestones, one step": numbers["thousand"] / numbers["ten"],
        "one step of 100 pieces, in microseconds": numbers["late"] * 1_000,
        "one step by samples, in microseconds": numbers["counted"] * 1_000,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the cost of a curve.")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    ratios = measure(options.quick)
    if options.json:
        print(json.dumps(ratios))
        return
    for name, value in ratios.items():
        print(f"{value:10.2f}  {name}")


if __name__ == "__main__":
    main()
