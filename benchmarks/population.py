"""The time that training side by side saves, against plain torch loops one after another.

    python benchmarks/population.py [--quick] [--json]

The task is `digits`: a perceptron of 2,410 weights, batches of 32. Both sides make whole updates
(batch, forward, backward, the optimizer's step at a scheduled rate) of the same networks with the
same optimizer:

* the loop is a plain torch loop over batches that were gathered before, with a rate from a list; of
  torch's forms of the optimizer (plain, foreach, fused) and of one and two threads, the fastest;
* the population is what `lehr compare` trains in each of its processes, on one thread. With two
  processes on two processors it is twice as fast again, which is not counted here.

All is measured in one run, in turn, over and over, in the processor's time, and each contender's
fastest turn counts: what else the machine does then disturbs all alike. Two threads are reckoned
never to be idle, which flatters them. The numbers to read are the ratios. Without --quick it shows
what a trial's update costs from 16 to 1,024 trials, what memory they take, and that a bound holds.
"""

import argparse
import json
import math
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from lehr.lab.optimizers import find_optimizer
from lehr.lab.plan import Pair, Plan
from lehr.lab.resources import own_bytes
from lehr.lab.tasks.base import Task
from lehr.lab.tasks.registry import find_task
from lehr.lab.tasks.seeding import network
from lehr.lab.training.footprint import MOST, footprint
from lehr.lab.training.loop import batches
from lehr.lab.training.population import train_population
from lehr.lab.training.stacked import Stack
from lehr.lab.trial import Trial

OPTIMIZERS = ("momentum", "adam")
SIZES = (64, 256)
FORMS: dict[str, dict[str, bool]] = {
    "plain": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
}
LOOP_UPDATES = 50
MEBI = 2**20
Turn = Callable[[], float]


def trials_of(optimizer: str, count: int, steps: int = 1_000_000) -> list[Trial]:
    """Return trials that differ in the seed, the peak rate and the schedule."""
    kinds = [Plan().scoring(Pair(optimizer, s), 1.0)[0] for s in ("cosine", "linear", "constant")]
    return [
        replace(kinds[i % 3], steps=steps, seed=i % 64, peak=0.01 * (1 + i / count))
        for i in range(count)
    ]


def loop_turn(optimizer: str, form: dict[str, bool], threads: int) -> Turn:
    """Return a function that makes some updates by a plain loop and returns the seconds of one."""
    task = find_task("digits")
    data, model, drawn = task.load().train, network(task, 0), batches(task, 0)
    chosen = [next(drawn) for _ in range(LOOP_UPDATES)]
    ready = [(data.inputs[rows], data.targets[rows]) for rows in chosen]
    rates = [0.01 * (1 + math.cos(math.pi * i / LOOP_UPDATES)) / 2 for i in range(LOOP_UPDATES)]
    made = find_optimizer(optimizer).make(model.parameters(), 0.01, **form)
    (group,) = made.param_groups

    def turn() -> float:
        torch.set_num_threads(threads)
        begin = time.process_time()
        for (inputs, targets), rate in zip(ready, rates, strict=True):
            group["lr"] = rate
            made.zero_grad()
            functional.cross_entropy(model(inputs), targets).backward()
            made.step()
        return (time.process_time() - begin) / threads / LOOP_UPDATES

    return turn


def stack_turn(optimizer: str, count: int) -> Turn:
    """Return a function that updates a population and returns the seconds of one trial's update."""
    stack = Stack(trials_of(optimizer, count), find_task("digits"))
    updates = max(4, 1024 // count)

    def turn() -> float:
        torch.set_num_threads(1)
        begin = time.process_time()
        for _ in range(updates):
            stack.update()
        return (time.process_time() - begin) / updates / count

    return turn


def fastest(turns: dict[str, Turn], rounds: int) -> dict[str, float]:
    """Return each contender's fastest turn; they take turns, so that all meet the same machine."""
    best = {name: min(turn(), turn()) for name, turn in turns.items()}
    # On a busy machine threads that wait for one another take long to lose.
    hopeless = 10 * min(best.values())
    for _ in range(rounds):
        for name, turn in turns.items():
            if "2 threads" not in name or best[name] < hopeless:
                best[name] = min(best[name], turn())
    return best


def speedups(rounds: int) -> dict[str, Any]:
    """Return, for each optimizer, microseconds a trial's update and how they compare."""
    found: dict[str, Any] = {}
    for optimizer in OPTIMIZERS:
        loops = {
            f"loop, {name}, {threads} thread{'s' if threads > 1 else ''}": loop_turn(
                optimizer, form, threads
            )
            for name, form in FORMS.items()
            for threads in (1, 2)
        }
        stacks = {f"{n} trials": stack_turn(optimizer, n) for n in SIZES}
        best = fastest({**loops, **stacks}, rounds)
        loop = min(best[name] for name in loops)
        found[optimizer] = {
            "microseconds": {name: 1e6 * seconds for name, seconds in best.items()},
            "speedup": {str(n): loop / best[f"{n} trials"] for n in SIZES},
        }
    return found


def costs(rounds: int) -> dict[str, float]:
    """Return microseconds of one trial's update, by how many trials there are.

    More than 256 are trained in stacks of 256, one after another; the last shows what one stack of
    them would cost.
    """
    turns: dict[str, Turn] = {}
    for count in (16, 64, 256, 1024):
        parts = [stack_turn("momentum", min(count, MOST)) for _ in range(-(-count // MOST))]
        turns[str(count)] = lambda parts=parts: sum(turn() for turn in parts) / len(parts)
    turns["1024 in one stack"] = stack_turn("momentum", 1024)
    return {name: 1e6 * seconds for name, seconds in fastest(turns, rounds).items()}


def taken(call: Callable[[], object]) -> tuple[int, int]:
    """Return the bytes that this process takes now, and at most while it calls (Linux tells)."""

    def told(name: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))

    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = told("VmRSS:")
    call()
    return before, told("VmHWM:")


def train_stack(count: int) -> tuple[int, int]:
    """Train so many networks in one stack for a little while."""
    task = find_task("digits")
    torch.set_num_threads(1)

    def train(networks: int) -> None:
        stack = Stack(trials_of("adam", networks, steps=20), task)
        for _ in range(10):
            stack.update()
        stack.measure(task.load().test)

    train(1)  # what is imported and kept for good is there then
    return taken(lambda: train(count))


def train_bounded(spare: int) -> tuple[int, int]:
    """Train 1,024 trials within so many bytes more than the process takes; tell bound and peak."""
    train_population(trials_of("adam", 1, steps=2))
    bound = own_bytes() + spare
    _, peak = taken(lambda: train_population(trials_of("adam", 1024, steps=10), memory=bound))
    return bound, peak


def expected(count: int) -> int:
    """Return the bytes that the engine reckons with for a stack."""
    task: Task = find_task("digits")
    return footprint(trials_of("adam", 1, steps=20)[0], task, "cpu").of(count)


def apart(call: Callable[[int], Any], argument: int) -> Any:
    """Call in a fresh process, whose memory nothing else has taken."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(call, (argument,))


def memory() -> dict[str, Any]:
    """Return megabytes by the number of networks in one stack, and under a bound."""
    found: dict[str, Any] = {"stacks": {}, "expected": {}, "bounded": {}}
    for count in (256, 1024, 4096):
        before, peak = apart(train_stack, count)
        found["stacks"][str(count)] = (peak - before) / MEBI
        found["expected"][str(count)] = apart(expected, count) / MEBI
    for spare in (16, 128):
        bound, peak = apart(train_bounded, spare * MEBI)
        found["bounded"][f"{bound / MEBI:.0f}"] = peak / MEBI
    return found


def show(result: dict[str, Any]) -> None:
    """Print what was measured."""
    for optimizer, found in result["optimizers"].items():
        print(f"{optimizer}: microseconds of one trial's update")
        for name, value in found["microseconds"].items():
            print(f"  {name:<34}{value:>9.1f}")
        for size, ratio in found["speedup"].items():
            print(f"  {size} trials: {ratio:.1f} times the fastest loop")
    if "costs" in result:
        print("one trial's update by the number of trials, microseconds, one processor")
        print("  " + ", ".join(f"{n}: {value:.1f}" for n, value in result["costs"].items()))
        found = result["memory"]
        print("memory by the number of networks in one stack")
        for n, used in found["stacks"].items():
            print(f"  {n}: {used:.0f} MiB; reckoned with {found['expected'][n]:.0f}")
        for bound, peak in found["bounded"].items():
            print(f"  1,024 trials, the whole process within {bound} MiB: took {peak:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="What training side by side saves.")
    parser.add_argument("--quick", action="store_true", help="the ratios alone, within a minute")
    parser.add_argument("--json", action="store_true", help="print the numbers for programs")
    options = parser.parse_args()
    found = speedups(rounds=10 if options.quick else 40)
    # The worst of the optimizers.
    ratio = {str(n): min(f["speedup"][str(n)] for f in found.values()) for n in SIZES}
    result: dict[str, Any] = {"speedup": ratio, "optimizers": found}
    if not options.quick:
        result |= {"costs": costs(rounds=40), "memory": memory()}
    if options.json:
        print(json.dumps({"speedup": ratio} if options.quick else result))
    else:
        show(result)


if __name__ == "__main__":
    main()
