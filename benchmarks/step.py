"""The cost of a scheduler's step, against torch's own and against the assignment alone.

    python benchmarks/step.py [--quick] [--json FILE]

Everything is measured in one run, in turn, over and over, and the minimum of the processor's time
counts: what else the machine does then disturbs all alike. The numbers to read are the ratios.

* ``bare``: the lower bound, ``rate = formula(t)`` and ``for group in groups: group["lr"] = rate``.
* ``bare, bases``: the same with ``rate * base``, where every group has a base of its own.
* ``bare, 2 keys``: the same with the momentum.
* ``bare, tensors``: the same with ``group["lr"].fill_(rate)``, where rates are tensors.
* ``torch ...``: torch's own schedulers.
* ``lehr ...``: lehr's, under the same arguments; "bases" has another base rate in every group,
  "2 keys" a momentum beside the rate, and is held against torch's cosine, which drives one number.
"""

import argparse
import json
import math
import platform
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.optim.lr_scheduler as theirs

import lehr
import lehr.torch as ours
from lehr.torch.lookahead import LONG

TOTAL = 10_000_000  # steps of every schedule: more than are ever taken here
Step = Callable[[], None]


def make_optimizer(
    groups: int, own_bases: bool = False, tensors: bool = False
) -> torch.optim.Optimizer:
    """Return an optimizer of so many groups of one weight."""
    optimizer = torch.optim.SGD(
        [
            {
                "params": [torch.zeros(1, requires_grad=True)],
                "lr": torch.tensor(0.1) if tensors else 0.1 * (1 + i / groups * own_bases),
            }
            for i in range(groups)
        ],
        momentum=0.9,
    )
    optimizer.step()
    return optimizer


def bare(groups: int) -> Step:
    """Return a step written by hand, where all groups have the same rate."""
    optimizer = make_optimizer(groups)
    t = 0

    def step() -> None:
        nonlocal t
        t += 1
        rate = 0.05 * (1 + math.cos(math.pi * t / TOTAL))
        for group in optimizer.param_groups:
            group["lr"] = rate

    return step


def bare_bases(groups: int) -> Step:
    """Return a step written by hand, where every group has its own base."""
    optimizer = make_optimizer(groups, own_bases=True)
    bases = [group["lr"] for group in optimizer.param_groups]
    t = 0

    def step() -> None:
        nonlocal t
        t += 1
        height = 0.5 * (1 + math.cos(math.pi * t / TOTAL))
        # Nobody's loop says strict=True, which costs as much as all the rest of it.
        for group, base in zip(optimizer.param_groups, bases):  # noqa: B905
            group["lr"] = base * height

    return step


def bare_both(groups: int) -> Step:
    """Return a step written by hand, with the momentum."""
    optimizer = make_optimizer(groups)
    t = 0

    def step() -> None:
        nonlocal t
        t += 1
        height = 0.5 * (1 + math.cos(math.pi * t / TOTAL))
        rate, momentum = 0.1 * height, 0.95 - 0.1 * height
        for group in optimizer.param_groups:
            group["lr"] = rate
            group["momentum"] = momentum

    return step


def bare_tensors(groups: int) -> Step:
    """Return a step written by hand, where rates are tensors."""
    optimizer = make_optimizer(groups, tensors=True)
    t = 0

    def step() -> None:
        nonlocal t
        t += 1
        rate = 0.05 * (1 + math.cos(math.pi * t / TOTAL))
        for group in optimizer.param_groups:
            group["lr"].fill_(rate)

    return step


def contenders(groups: int) -> dict[str, Step]:
    """Return one step of each, to be called again and again."""

    def scheduler(
        schedule: lehr.Schedule, momentum: lehr.Schedule | None = None, **kind: bool
    ) -> Step:
        # No optimizer moves here, so the guard of repeated steps would warn.
        driver = ours.Scheduler(
            make_optimizer(groups, **kind),
            schedule,
            over=TOTAL,
            momentum=momentum,
            guards={"repeated": "off"},
        )
        driver.optimizer.step()
        return driver.step

    def named(
        module: Any, name: str, own_bases: bool = False, tensors: bool = False, **arguments: Any
    ) -> Step:
        driver = getattr(module, name)(make_optimizer(groups, own_bases, tensors), **arguments)
        driver.optimizer.step()
        return driver.step

    one_cycle = {"max_lr": 1.0, "total_steps": TOTAL}
    return {
        "bare": bare(groups),
        "bare, bases": bare_bases(groups),
        "bare, 2 keys": bare_both(groups),
        "bare, tensors": bare_tensors(groups),
        "torch cosine": named(theirs, "CosineAnnealingLR", T_max=TOTAL),
        "torch tensors": named(theirs, "CosineAnnealingLR", tensors=True, T_max=TOTAL),
        "torch one cycle": named(theirs, "OneCycleLR", **one_cycle),
        "lehr Scheduler": scheduler(lehr.cosine()),
        "lehr Scheduler, 2 keys": scheduler(lehr.cosine(), 0.95 - 0.1 * lehr.cosine()),
        "lehr Scheduler, bases": scheduler(lehr.cosine(), own_bases=True),
        "lehr Scheduler, tensors": scheduler(lehr.cosine(), tensors=True),
        "lehr cosine": named(ours, "CosineAnnealingLR", T_max=TOTAL),
        "lehr cosine, bases": named(ours, "CosineAnnealingLR", own_bases=True, T_max=TOTAL),
        "lehr one cycle": named(ours, "OneCycleLR", **one_cycle),
    }


def against(name: str) -> tuple[str, str]:
    """Return the hand-written loop and the torch scheduler that a contender is held against."""
    if "one cycle" in name:
        return "bare, 2 keys", "torch one cycle"
    if "2 keys" in name:
        return "bare, 2 keys", "torch cosine"
    if "tensors" in name:
        return "bare, tensors", "torch tensors"
    return "bare, bases" if "bases" in name else "bare", "torch cosine"


def measure(groups: int, repeats: int, seconds: float) -> dict[str, float]:
    """Return each contender's microseconds a step: the minimum of its repeats.

    Arguments:
        groups: Parameter groups of the optimizer.
        repeats: How often each has its turn.
        seconds: About how long a turn takes.
    """
    steps = contenders(groups)
    calls: dict[str, int] = {}
    # Computing values ahead is part of what a step costs: with few groups a turn is some blocks of
    # them, with a thousand their share is too small to be seen.
    least = 2 * LONG if groups < 100 else LONG // 2 if groups < 1000 else 1_000
    for name, step in steps.items():
        turn(step, 50)
        once = turn(step, 50) / 50
        calls[name] = max(int(seconds / once), least if name.startswith("lehr") else 20)
    best = dict.fromkeys(steps, math.inf)
    for _ in range(repeats):
        for name, step in steps.items():
            best[name] = min(best[name], turn(step, calls[name]) / calls[name])
    return {name: 1e6 * value for name, value in best.items()}


def turn(step: Step, calls: int) -> float:
    """Return the processor's seconds that so many steps take."""
    times = range(calls)
    begin = time.process_time_ns()
    for _ in times:
        step()
    return (time.process_time_ns() - begin) / 1e9


def show(results: dict[int, dict[str, float]]) -> None:
    """Print microseconds, and how they compare."""
    sizes = list(results)
    print("microseconds a step (times the hand-written loop; how much faster than torch)\n")
    print(f"{'groups':<22}" + "".join(f"{size:>24,}" for size in sizes))
    for name in results[sizes[0]]:
        cells = []
        for size in sizes:
            row = results[size]
            floor, torchs = against(name)
            cell = f"{row[name]:.2f} ({row[name] / row[floor]:.1f}x"
            cell += f"; {row[torchs] / row[name]:.1f}x)" if name.startswith("lehr") else ")"
            cells.append(f"{cell:>24}")
        print(f"{name:<22}" + "".join(cells))


def main() -> None:
    parser = argparse.ArgumentParser(description="What a scheduler's step costs.")
    parser.add_argument("--quick", action="store_true", help="in less than 20 seconds, less exact")
    parser.add_argument("--json", metavar="FILE", help="write the numbers there too ('-': print)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    repeats, seconds = (8, 0.005) if options.quick else (30, 0.02)
    results: dict[int, dict[str, float]] = {}
    for groups in (1, 10, 100, 1000):
        if sys.stderr.isatty():
            print(f"{groups} groups ...", file=sys.stderr)
        # A turn of many groups is long by itself: fewer of them reach the same quiet minimum.
        results[groups] = measure(groups, max(3, repeats // (3 if groups == 1000 else 1)), seconds)
    data = {
        "unit": "microseconds a step, minimum",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "groups": {str(size): row for size, row in results.items()},
    }
    if options.json == "-":
        print(json.dumps(data, indent=1))
        return
    show(results)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(data, file, indent=1)


if __name__ == "__main__":
    main()
