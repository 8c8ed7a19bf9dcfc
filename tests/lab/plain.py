"""Training one network as anyone would, with the rate written by hand at every step."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import torch
from torch import nn

from lehr.lab.optimizers import find_optimizer
from lehr.lab.tasks.base import Task
from lehr.lab.tasks.seeding import network
from lehr.lab.training.loop import batches
from lehr.lab.trial import Trial


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


def assert_rounding(actual: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    """Check that two tensors agree, relative to the largest number of the second."""
    scale = float(expected.abs().max())
    difference = float((actual - expected).abs().max())
    assert difference <= tolerance * scale, f"off by {difference / scale:.2g} of the largest"
