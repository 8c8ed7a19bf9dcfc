"""The time that training side by side saves on a GPU, against plain torch loops in turn.

    python benchmarks/population_gpu.py [--quick] [--json]

The task is `digits-conv`: two small convolutions and a linear layer, batches of 32 images. Both
sides make whole updates (batch, forward, backward, the optimizer's step at a scheduled rate) of the
same networks with the same optimizer:

* the loop is a plain torch loop over batches that were gathered before and lie on the device, with
  a rate from a list; on the GPU and on the processor, in each form of the optimizer, and
  on the GPU also as one captured graph of the whole update. The fastest counts;
* the population is what `lehr compare --device cuda` trains.

All is measured in one run, in turn, in wall-clock time to the end of the GPU's work, and each
contender's fastest turn counts. The answers are compared, too: the losses of the first updates of
networks in a population against those of the same networks alone.
"""

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch.nn import functional

from lehr.lab.optimizers import find_optimizer
from lehr.lab.plan import Pair, Plan
from lehr.lab.tasks.registry import find_task
from lehr.lab.tasks.seeding import network
from lehr.lab.training.loop import batches
from lehr.lab.training.population import exact
from lehr.lab.training.single import SingleNetwork
from lehr.lab.training.stacked import Stack
from lehr.lab.trial import Trial

TASK = find_task("digits-conv")
OPTIMIZERS = ("momentum", "adam")
FORMS: dict[str, dict[str, bool]] = {
    "plain": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
}
LOOP_UPDATES = 100
COMPARED = 50  # updates, of so many networks:
NETWORKS = 8
Turn = Callable[[], float]


def trials_of(optimizer: str, count: int, steps: int) -> list[Trial]:
    """Return trials that differ in the seed, the peak rate and the schedule."""
    kinds = [
        Plan(task=TASK.name).scoring(Pair(optimizer, s), 1.0)[0]
        for s in ("cosine", "linear", "constant")
    ]
    return [
        replace(kinds[i % 3], steps=steps, seed=i % 64, peak=0.01 * (1 + i / count))
        for i in range(count)
    ]


class Loop:
    """A network in training by a plain loop."""

    def __init__(self, optimizer: str, device: str, options: dict[str, bool]) -> None:
        data, drawn = TASK.load().train.to(device), batches(TASK, 0)
        chosen = [next(drawn).to(device) for _ in range(LOOP_UPDATES)]
        self.ready = [(data.inputs[rows], data.targets[rows]) for rows in chosen]
        times = range(LOOP_UPDATES)
        self.rates = [0.01 * (1 + math.cos(math.pi * i / LOOP_UPDATES)) / 2 for i in times]
        self.model = network(TASK, 0).to(device)
        self.made = find_optimizer(optimizer).make(self.model.parameters(), 0.01, **options)
        (self.group,) = self.made.param_groups

    def update(self, inputs: torch.Tensor, targets: torch.Tensor) -> None:
        self.made.zero_grad()
        functional.cross_entropy(self.model(inputs), targets).backward()
        self.made.step()

    def run(self) -> None:
        for (inputs, targets), rate in zip(self.ready, self.rates, strict=True):
            self.group["lr"] = rate
            self.update(inputs, targets)


class Captured(Loop):
    """The same as one graph, which is captured once and replayed for each update."""

    def __init__(self, optimizer: str, device: str) -> None:
        # Of SGD's forms only the fused one can be captured with a rate in a tensor.
        capturable = {"capturable": True} if optimizer.startswith("adam") else {}
        super().__init__(optimizer, device, {"fused": True, **capturable})
        self.group["lr"] = torch.tensor(0.01, device=device)
        self.inputs, self.targets = (tensor.clone() for tensor in self.ready[0])
        side = torch.cuda.Stream()
        with torch.cuda.stream(side):
            for _ in range(3):
                self.update(self.inputs, self.targets)
        side.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.update(self.inputs, self.targets)

    def run(self) -> None:
        for (inputs, targets), rate in zip(self.ready, self.rates, strict=True):
            self.group["lr"].fill_(rate)
            self.inputs.copy_(inputs)
            self.targets.copy_(targets)
            self.graph.replay()


def timed(run: Callable[[], object], updates: int) -> Turn:
    """Return a function that times one update in seconds, to the end of the device's work."""

    def turn() -> float:
        torch.cuda.synchronize()
        begin = time.perf_counter()
        run()
        torch.cuda.synchronize()
        return (time.perf_counter() - begin) / updates

    return turn


def stack_turn(optimizer: str, count: int) -> Turn:
    stack = Stack(trials_of(optimizer, count, 1_000_000), TASK, "cuda")
    updates = max(4, 2048 // count)

    def run() -> None:
        for _ in range(updates):
            stack.update()

    return timed(run, updates * count)


def speedups(sizes: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """Return, for each optimizer, microseconds a trial's update and how they compare."""
    found: dict[str, Any] = {}
    for optimizer in OPTIMIZERS:
        loops = {
            f"loop, {device}, {name}": timed(Loop(optimizer, device, form).run, LOOP_UPDATES)
            for device in ("cuda", "cpu")
            for name, form in FORMS.items()
        }
        loops["loop, cuda, captured"] = timed(Captured(optimizer, "cuda").run, LOOP_UPDATES)
        stacks = {f"{n} trials": stack_turn(optimizer, n) for n in sizes}
        best = dict.fromkeys([*loops, *stacks], math.inf)
        for _ in range(rounds):
            for name, turn in (loops | stacks).items():
                best[name] = min(best[name], turn())
        loop = min(best[name] for name in loops)
        uncaptured = min(best[name] for name in loops if "captured" not in name)
        found[optimizer] = {
            "microseconds": {name: 1e6 * seconds for name, seconds in best.items()},
            "speedup": {str(n): uncaptured / best[f"{n} trials"] for n in sizes},
            "speedup over a captured loop": {str(n): loop / best[f"{n} trials"] for n in sizes},
        }
    return found


def differences(optimizer: str) -> float:
    """Return by how much losses side by side differ from those alone, at most, in parts."""
    trials = trials_of(optimizer, NETWORKS, COMPARED)
    stack = Stack(trials, TASK, "cuda")
    together = torch.stack([stack.update() for _ in range(COMPARED)], 1).cpu()
    alone = torch.stack(
        [
            torch.cat([run.update() for _ in range(COMPARED)])
            for run in (SingleNetwork(trial, TASK, "cpu") for trial in trials)
        ]
    )
    return float(((together - alone).abs() / alone).max())


def main() -> None:
    parser = argparse.ArgumentParser(description="What training side by side saves on a GPU.")
    parser.add_argument("--quick", action="store_true", help="fewer sizes and rounds")
    parser.add_argument("--json", action="store_true", help="print the numbers for programs")
    options = parser.parse_args()
    sizes = (256, 1024) if options.quick else (64, 256, 1024, 4096)
    with exact():
        result = {
            "device": torch.cuda.get_device_name(),
            "torch": torch.__version__,
            "optimizers": speedups(sizes, rounds=3 if options.quick else 10),
            "differences": {optimizer: differences(optimizer) for optimizer in OPTIMIZERS},
        }
    if options.json:
        print(json.dumps(result))
        return
    print(f"{result['device']}, torch {result['torch']}")
    for optimizer, found in result["optimizers"].items():
        print(f"{optimizer}: microseconds of one trial's update")
        for name, value in found["microseconds"].items():
            print(f"  {name:<34}{value:>9.1f}")
        for size, ratio in found["speedup"].items():
            other = found["speedup over a captured loop"][size]
            print(f"  {size} trials: {ratio:.0f} times the fastest loop, {other:.0f} times if that")
            print("      is captured as a graph")
        print(f"  losses differ by {result['differences'][optimizer]:.1e} in {COMPARED} updates")


if __name__ == "__main__":
    main()
