"""Training one network as anyone would, with the rate written by hand at every step."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import islice

import torch
from torch import nn

from lehr.lab.optimizers import find_optimizer
from lehr.lab.tasks.base import Data, Split, Task
from lehr.lab.tasks.seeding import network
from lehr.lab.training.loop import batches
from lehr.lab.trial import Trial

ROUNDING = 1e-7
"""The difference that rounding may make in a short training in float64."""


def loop(trial: Trial, task: Task) -> Iterator[tuple[nn.Module, float]]:
    """Yield the network after each update, and the loss before it."""
    data, model = task.load().train, network(task, trial.seed)
    optimizer = find_optimizer(trial.optimizer).make(model.parameters(), trial.peak)
    (group,) = optimizer.param_groups
    rate = trial.schedule.over(trial.steps)
    for step, chosen in enumerate(islice(batches(task, trial.seed), trial.steps)):
        group["lr"] = trial.peak * rate(step)
        if trial.momentum is not None:
            value = trial.momentum.over(trial.steps)(step)
            if "betas" in group:
                group["betas"] = (value, group["betas"][1])
            else:
                group["momentum"] = value
        optimizer.zero_grad()
        loss = task.loss(model(data.inputs[chosen]), data.targets[chosen])
        loss.backward()
        optimizer.step()
        yield model, loss.item()


@contextmanager
def float64() -> Generator[None]:
    """Make torch compute in float64 for the length of a block.

    Training amplifies a rounding error, by as much as 1e4 in 50 updates, and the error depends on
    the processor. In float64 it starts at 1e-16, and a wrong update is off by 1e-3.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def in_float64(task: Task) -> Task:
    """Return the same task with data in float64; its networks follow torch's default type."""
    data = Data(*(Split(*map(_double, split)) for split in task.load()))
    return dataclasses.replace(task, load=lambda: data)


def _double(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor


def assert_rounding(actual: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    """Check that two tensors agree, relative to the largest number of the second."""
    scale = float(expected.abs().max())
    difference = float((actual - expected).abs().max())
    assert difference <= tolerance * scale, f"off by {difference / scale:.2g} of the largest"
