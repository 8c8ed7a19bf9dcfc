"""The cost of a drop-in's step, against torch's class of the same name.

    python benchmarks/dropins.py [--quick] [--json]

Every line is torch's time over lehr's, the smallest of several in this run, taken in turn.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch.optim.lr_scheduler as theirs

import lehr.torch as ours

RUN = 1_000_000


def half_cosine(step: int) -> float:
    return (1 + math.cos(math.pi * min(step, RUN) / RUN)) / 2


BUILDS: dict[str, Callable[[Any, Any], Any]] = {
    "CosineAnnealingLR": lambda m, o: m.CosineAnnealingLR(o, RUN),
    "LambdaLR": lambda m, o: m.LambdaLR(o, half_cosine),
    "MultiplicativeLR": lambda m, o: m.MultiplicativeLR(o, half_cosine),
    "SequentialLR of two": lambda m, o: m.SequentialLR(
        o, [m.LinearLR(o, 0.01, total_iters=10), m.CosineAnnealingLR(o, RUN)], [10]
    ),
    "ChainedScheduler of two": lambda m, o: m.ChainedScheduler(
        [m.LinearLR(o, 0.01, total_iters=10), m.CosineAnnealingLR(o, RUN)]
    ),
}


def ratio(build: Callable[[Any, Any], Any], groups: int, rounds: int) -> float:
    """Return torch's time a step over lehr's, where each group has a rate of its own."""
    best: dict[Any, float] = {}
    schedulers: dict[Any, Any] = {}
    for module in (ours, theirs):
        parameters = [
            {"params": [torch.zeros(1, requires_grad=True)], "lr": 0.1 * (index + 1)}
            for index in range(groups)
        ]
        optimizer = torch.optim.SGD(parameters, lr=0.1)
        schedulers[module] = build(module, optimizer)
        optimizer.step()
    steps = 5_000 // groups + 500
    for _ in range(rounds):
        for module, scheduler in schedulers.items():
            begun = time.perf_counter()
            for _ in range(steps):
                scheduler.step()
            best[module] = min(best.get(module, math.inf), time.perf_counter() - begun)
    return best[theirs] / best[ours]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found = {
        f"{name}, {groups} group{'s' * (groups > 1)}": ratio(
            build, groups, 2 + 8 * (not options.quick)
        )
        for name, build in BUILDS.items()
        for groups in (1, 10, 100)
    }
    if options.json:
        print(json.dumps(found))
        return
    for name, times in found.items():
        print(f"{name:<36} torch / lehr {times:6.1f}")


if __name__ == "__main__":
    main()
