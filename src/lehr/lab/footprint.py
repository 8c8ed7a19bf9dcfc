# pyright: basic
"""How many networks are trained at a time: as many as is fast, and as the memory allows."""

from __future__ import annotations

import sys
import weakref
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from lehr.lab.stack import Stack
from lehr.lab.task import Task
from lehr.lab.trial import Trial

__all__ = ["MOST", "fitting", "network_bytes", "process_bytes"]

MOST = 256
"""Networks in a stack at most: more are not faster, because they leave the processor's cache."""

# What torch's kernels take for themselves, and what the allocator keeps back.
_MARGIN = 1.3


class _Living(TorchDispatchMode):
    """Counts the bytes of the tensors that are alive, made while it is entered."""

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


@cache
def network_bytes(trial: Trial, task: Task, device: str) -> int:
    """Return the bytes that one more network in a stack takes at most, while it is trained.

    It is measured, on stacks of two and of four of these trials, and not computed: what autograd
    keeps for the backward pass depends on the network.
    """
    two, four = (_most(trial, task, device, count) for count in (2, 4))
    return int(_MARGIN * max(four - two, 1) / 2) + 1


def _most(trial: Trial, task: Task, device: str, count: int) -> int:
    data = task.load()
    with _Living() as living:
        stack = Stack([replace(trial, seed=seed) for seed in range(count)], task, device)
        for _ in range(2):
            stack.update()
        stack.measure(data.validation)
        stack.measure(data.test)
    return living.most


@cache
def process_bytes() -> int:
    """Return the bytes that this process took at most until this was first asked.

    Raises:
        ValueError: Where the system does not tell.
    """
    if sys.platform == "win32":
        raise ValueError("memory cannot be bounded on Windows, which does not tell what is taken")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def fitting(trial: Trial, task: Task, memory: int | None, device: str = "cpu") -> int:
    """Return how many networks like this one to train at a time.

    Arguments:
        trial: One of them.
        task: Its task.
        memory: Bytes that the process (on the processor) or the networks (on another device) may
            take; None for no bound.
        device: Where they are trained.

    Raises:
        ValueError: If the memory does not suffice for one.
    """
    if memory is None:
        return MOST
    task.load()
    base = process_bytes() if device == "cpu" else 0
    each = network_bytes(replace(trial, peak=1.0, seed=0), task, device)
    count = (memory - base) // each
    if count < 1:
        need = base + each
        raise ValueError(
            f"memory={memory} is too little: this process takes {base:,} bytes by itself and a "
            f"network of task {task.name!r} {each:,}; give at least {-(-need // 2**20)}MiB"
        )
    return min(MOST, count)
