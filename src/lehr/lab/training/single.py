"""One network in an ordinary training loop.

This is the reference for a population, and trains networks and optimizers that cannot be stacked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from lehr.lab.optimizers import find_optimizer
from lehr.lab.optimizers.making import needs_closure, rates, set_training
from lehr.lab.tasks.base import Part, Split, Task
from lehr.lab.tasks.seeding import network
from lehr.lab.training.loop import batches
from lehr.lab.training.streaming import Stream, moved, pieces
from lehr.lab.trial import Trial
from lehr.torch import Scheduler


class SingleNetwork:
    """A network, its optimizer and lehr's scheduler."""

    def __init__(self, trial: Trial, task: Task, device: str = "cpu") -> None:
        self._task, self._device = task, device
        data = task.load().train
        self._next = (
            self._drawn(data, trial) if isinstance(data, Split) else self._streamed(data, trial)
        )
        self.network = network(task, trial.seed).to(device)
        entry = find_optimizer(trial.optimizer)
        self._optimizer: Any = entry.make(self.network, trial.peak)
        self._needs_closure = needs_closure(trial.optimizer)
        set_training(self._optimizer, True)
        self._scheduler = Scheduler(
            self._optimizer,
            lr=rates(entry, self._optimizer, trial.schedule),
            over=trial.steps,
            momentum=trial.momentum,
            # Whether an optimizer suits a schedule is for the comparison to find out.
            guards="off",
            any_optimizer=True,
        )

    def _drawn(self, data: Split, trial: Trial) -> Callable[[], tuple[Tensor, Tensor]]:
        """Return a source of batches of tensors."""
        whole, order = data.to(self._device), batches(self._task, trial.seed)

        def draw() -> tuple[Tensor, Tensor]:
            chosen = next(order).to(self._device)
            return whole.inputs[chosen], whole.targets[chosen]

        return draw

    def _streamed(self, data: Iterable[Any], trial: Trial) -> Callable[[], Any]:
        """Return a source of the batches of an iterable."""
        stream = Stream(data, 2 * trial.seed + 1)  # like the order of the batches of tensors
        return lambda: moved(stream.next(), self._device)

    def update(self) -> Tensor:
        """Make one update; return the loss before it, (1,)."""
        inputs, targets = self._next()

        def loss() -> Tensor:
            self._optimizer.zero_grad()
            found = self._task.loss(self.network(inputs), targets)
            found.backward()
            return found

        found = loss().detach()
        if self._needs_closure:
            self._optimizer.step(loss)
        else:
            self._optimizer.step()
        self._scheduler.step()
        return found.view(1)

    @torch.no_grad()
    def measure(self, part: Part) -> tuple[list[float], list[float]]:
        """Return the metric and the loss on this part of the data: means over its samples."""
        self.network.eval()
        set_training(self._optimizer, False)
        totals, samples = [0.0, 0.0], 0
        for inputs, targets, count in pieces(part, self._device):
            outputs = self.network(inputs)
            found = self._task.measures(outputs, targets)
            totals = [total + count * float(one) for total, one in zip(totals, found, strict=True)]
            samples += count
        set_training(self._optimizer, True)
        self.network.train()
        if not samples:
            raise ValueError("a part of the data has no batch: does its iterable start anew?")
        return [totals[0] / samples], [totals[1] / samples]

    def drop(self, lost: Sequence[int]) -> None:
        """Never called: a single run ends when it diverges."""
        raise AssertionError(f"the only run is not among {list(lost)}")
