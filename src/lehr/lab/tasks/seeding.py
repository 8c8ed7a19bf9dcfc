"""Randomness from a seed: a network's starting weights."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import nn

from lehr.lab.tasks.base import Task

__all__ = ["network", "seeded"]


@contextmanager
def seeded(seed: int) -> Generator[None]:
    """Seed torch's own randomness for the length of a block, and restore it afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


# Weights draw from even numbers and batches from odd ones: the two never share a stream.
def network(task: Task, seed: int) -> nn.Module:
    """Return a network with this seed's starting weights."""
    with seeded(2 * seed):
        return task.model(torch.Generator().manual_seed(2 * seed))
