"""The memory that a stack of networks uses, and how many networks fit."""

from __future__ import annotations

import weakref
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from lehr.catalogue.decay.elementary import constant
from lehr.lab.errors import EngineError
from lehr.lab.resources import own_bytes
from lehr.lab.tasks.base import Task
from lehr.lab.training.stacked import MEASURED, Stack
from lehr.lab.trial import Trial

MOST = 256
"""The largest stack: more networks exceed the processor's cache, and are not faster."""

_MOST_ELSEWHERE = 4096  # on devices with thousands of cores

_USUAL = 2**30

_UPDATES = 2  # after the first, an optimizer has allocated all of its state

# For the workspace of torch's kernels (a convolution copies its inputs into another layout), and
# for the allocator's reserve.
_MARGIN = 2.0


class _Living(TorchDispatchMode):
    """Counts the bytes of live tensors that were made in its block."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        tree_map_only(torch.Tensor, self._note, result)
        return result

    def _note(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        name, size = storage._cdata, storage.nbytes()
        if name in self._known:
            return
        self._known.add(name)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._gone, name, size)

    def _gone(self, name: int, size: int) -> None:
        self._known.discard(name)
        self.now -= size


class Footprint(NamedTuple):
    """The peak bytes of a stack: fixed, per network, and per network evaluated at a time."""

    fixed: int
    training: int
    measuring: int

    def of(self, count: int) -> int:
        """Return the bytes of a stack of `count` networks."""
        return self.fixed + self.training * count + self.measuring * min(count, MEASURED)

    def most(self, memory: int, limit: int = MOST) -> int:
        """Return how many networks fit, from 0 to the limit."""
        return next((count for count in range(limit, 0, -1) if self.of(count) <= memory), 0)


@cache
def footprint(trial: Trial, task: Task, device: str) -> Footprint:
    """Return the memory of a stack of trials like this one.

    It is measured on stacks of two and of four, not computed: the memory that autograd needs for
    the backward pass depends on the network.
    """
    (two, two_measured), (four, four_measured) = (
        _most(trial, task, device, count) for count in (2, 4)
    )
    training = max(four - two, 2) // 2
    measuring = max(four_measured - two_measured - (four - two), 0) // 2
    fixed = max(two - 2 * training, 0)
    return Footprint(*(int(_MARGIN * part) for part in (fixed, training, measuring)))


def _most(trial: Trial, task: Task, device: str, count: int) -> tuple[int, int]:
    """Return the peak bytes after updates, and after an additional evaluation on all data."""
    data = task.load()
    with _Living() as living:
        stack = Stack([replace(trial, seed=seed) for seed in range(count)], task, device)
        for _ in range(_UPDATES):
            stack.update()
        trained = living.most
        stack.measure(data.validation)
        stack.measure(data.test)
    return trained, living.most


def fitting(trial: Trial, task: Task, memory: int | None, device: str = "cpu") -> int:
    """Return how many such networks to train at a time; raise EngineError if none fits.

    `memory` is the number of bytes that the process (on the CPU) or the networks (on another
    device) may use. None allows 1 GiB, or half of a GPU's free memory.
    """
    task.load()
    # Taken before the measurement, which itself uses memory.
    base = own_bytes() if memory is not None and device == "cpu" else 0
    usual = {"peak": 1.0, "seed": 0, "schedule": constant(), "momentum": None}
    alike = replace(trial, steps=max(trial.steps, _UPDATES), **usual)
    found = footprint(alike, task, device)
    limit = MOST if device == "cpu" else _MOST_ELSEWHERE
    count = found.most(_usual(device) if memory is None else memory - base, limit)
    if memory is None:
        return max(count, 1)
    if not count:
        need = base + found.of(1)
        raise EngineError(
            f"memory={memory:,} bytes are too little: one network of task {task.name!r} takes this "
            f"process to {need:,}; give at least {-(-need // 2**20)}MiB"
        )
    return count


def _usual(device: str) -> int:
    if torch.device(device).type != "cuda":
        return _USUAL
    free, _ = torch.cuda.mem_get_info(device)
    return free // 2
