"""Randomness from a seed: for a network's starting weights, and for data."""

from __future__ import annotations

import random
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from lehr.lab.tasks.base import Task


@contextmanager
def seeded(seed: int) -> Generator[None]:
    """Seed torch's global generator for the duration of a block, and restore it afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


# Weights use even seeds and batches odd ones, so the two never share a stream.
def network(task: Task, seed: int) -> nn.Module:
    """Return a network with this seed's starting weights."""
    with seeded(2 * seed):
        return task.model(torch.Generator().manual_seed(2 * seed))


class Randomness:
    """Separate random states of torch, Python's `random`, and NumPy's legacy functions.

    Augmentations may draw from any of them.
    """

    def __init__(self, seed: int) -> None:
        with self._kept():
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            self._states = self._read()

    @contextmanager
    def used(self) -> Generator[None]:
        """Let a block draw from it, continuing where the previous block stopped."""
        with self._kept():
            self._write(self._states)
            yield
            self._states = self._read()

    @contextmanager
    def _kept(self) -> Generator[None]:
        states = self._read()
        try:
            yield
        finally:
            self._write(states)

    def _read(self) -> tuple[Any, ...]:
        return torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002

    def _write(self, states: tuple[Any, ...]) -> None:
        torch.set_rng_state(states[0])
        random.setstate(states[1])
        np.random.set_state(states[2])  # noqa: NPY002
