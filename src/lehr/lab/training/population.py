"""A population: trials trained side by side where possible, and otherwise one by one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import torch

from lehr.lab.tasks.base import Task
from lehr.lab.tasks.registry import find_task
from lehr.lab.tasks.seeding import Randomness, seeded
from lehr.lab.training.footprint import fitting
from lehr.lab.training.loop import train
from lehr.lab.training.single import SingleNetwork
from lehr.lab.training.stacked import Stack, in_order
from lehr.lab.training.suitable import obstacle
from lehr.lab.trial import Outcome, Trial


def train_population(
    trials: Sequence[Trial],
    stopped: Callable[[], bool] = lambda: False,
    *,
    memory: int | None = None,
    device: str = "cpu",
) -> list[Outcome]:
    """Train trials of one task, optimizer and number of steps; return their outcomes in order.

    They are trained side by side, as many at a time as is fast and fits into memory, or one by one
    if `obstacle` returns a reason.

    Arguments:
        trials: At least one.
        stopped: Called before every update; StoppedError is raised once it returns True.
        memory: Bytes that this process may use, or its networks if they are on another device;
            None sets no bound.
        device: The device to train on, as torch names it.
    """
    kinds = {(t.task, t.optimizer, t.steps) for t in trials}
    if len(kinds) != 1:
        raise ValueError(
            f"trials has {len(kinds)} combinations of task, optimizer and steps: trials that are "
            "trained together must share one"
        )
    task = find_task(trials[0].task)
    with exact():
        if obstacle(trials[0].task, trials[0].optimizer):
            return [_train_single(trial, task, stopped, device) for trial in trials]
        order = in_order(trials)
        size = fitting(trials[0], task, memory, device)
        outcomes: dict[int, Outcome] = {}
        for places in _evenly(order, size):
            group = [trials[place] for place in places]
            found = train(group, task, Stack(group, task, device), stopped)
            outcomes.update(zip(places, found, strict=True))
    return [outcomes[place] for place in range(len(trials))]


def _train_single(trial: Trial, task: Task, stopped: Callable[[], bool], device: str) -> Outcome:
    # Randomness in the network, such as dropout, depends on the seed alone here.
    with seeded(trial.seed), Randomness(trial.seed).used():
        (outcome,) = train([trial], task, SingleNetwork(trial, task, device), stopped)
    return outcome


def _evenly(order: Sequence[int], most: int) -> list[Sequence[int]]:
    """Split into parts of about the same size, each at most `most` long."""
    count = -(-len(order) // most)
    ends = [round(len(order) * i / count) for i in range(count + 1)]
    return [order[a:b] for a, b in pairwise(ends)]


@contextmanager
def exact() -> Generator[None]:
    """Make torch compute on one thread and in full float32 for the duration of a block.

    Threads wait for one another at every small operation, which on a shared processor takes longer
    than the work itself; several stacks make better use of several processors. And a GPU would
    round the inputs of convolutions to ten bits (TF32) and add in any order, so a trial's outcome
    would depend on the trials beside it.
    """
    cudnn = torch.backends.cudnn
    before = torch.get_num_threads(), cudnn.allow_tf32, cudnn.deterministic
    torch.set_num_threads(1)
    cudnn.allow_tf32, cudnn.deterministic = False, True
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cudnn.allow_tf32, cudnn.deterministic = before[1:]
