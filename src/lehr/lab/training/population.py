"""Trials trained side by side where that can be, and one after another where it cannot."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import torch

from lehr.lab.tasks.base import Task, find_task
from lehr.lab.training.footprint import fitting
from lehr.lab.training.loop import StoppedError, batches, network, seeded, train
from lehr.lab.training.single import Alone
from lehr.lab.training.stacked import Stack, in_order
from lehr.lab.training.suitable import obstacle
from lehr.lab.trial import Outcome, Trial

__all__ = ["StoppedError", "batches", "exact", "network", "obstacle", "run"]


def run(
    trials: Sequence[Trial],
    stopped: Callable[[], bool] = lambda: False,
    *,
    memory: int | None = None,
    device: str = "cpu",
) -> list[Outcome]:
    """Train the networks of these trials.

    They are trained side by side, as many at a time as is fast and as fits into the memory. Where
    `obstacle` knows a reason against it, they are trained one after another.

    Arguments:
        trials: At least one, of one task, optimizer and number of steps.
        stopped: Asked before every update; once it says True, the training is given up.
        memory: Bytes that this process may take, or its networks where they are on another device;
            None leaves it to what is fast.
        device: Where to train, as torch names it.

    Returns:
        One outcome per trial, in their order.

    Raises:
        ValueError: For no trials, trials that differ in anything else, an unknown task or
            optimizer, or a schedule that gives a rate below 0.
        EngineError: If the memory is too little for one network.
        StoppedError: If ``stopped`` said so.
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
            return [_alone(trial, task, stopped, device) for trial in trials]
        order = in_order(trials)
        size = fitting(trials[0], task, memory, device)
        outcomes: dict[int, Outcome] = {}
        for places in _evenly(order, size):
            group = [trials[place] for place in places]
            found = train(group, task, Stack(group, task, device), stopped)
            outcomes.update(zip(places, found, strict=True))
    return [outcomes[place] for place in range(len(trials))]


def _alone(trial: Trial, task: Task, stopped: Callable[[], bool], device: str) -> Outcome:
    # Dropout and its like draw from torch's own stream, which the seed decides here.
    with seeded(trial.seed):
        (outcome,) = train([trial], task, Alone(trial, task, device), stopped)
    return outcome


def _evenly(order: Sequence[int], most: int) -> list[Sequence[int]]:
    """Cut into parts of about the same size, none above the largest that is allowed."""
    count = -(-len(order) // most)
    ends = [round(len(order) * i / count) for i in range(count + 1)]
    return [order[a:b] for a, b in pairwise(ends)]


@contextmanager
def exact() -> Generator[None]:
    """Let torch compute as a comparison needs it: in steps of its own, and in whole float32.

    Its threads wait for one another at every small step, and where the processor is shared that
    takes longer than the work; several processors are better used by several stacks. And a GPU
    would round what a convolution reads to ten bits (TF32), and add in any order: a trial would
    come out otherwise in other company.
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
