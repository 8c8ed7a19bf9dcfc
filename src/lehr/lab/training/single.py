"""One network in an ordinary training loop.

It is the reference for a population, and trains the networks and optimizers that cannot be stacked.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lehr.lab.optimizers import find_optimizer
from lehr.lab.tasks.base import Split, Task
from lehr.lab.tasks.seeding import network
from lehr.lab.training.loop import batches
from lehr.lab.trial import Trial
from lehr.torch import Scheduler

__all__ = ["SingleNetwork"]


class SingleNetwork:
    """A network, torch's optimizer and lehr's scheduler."""

    def __init__(self, trial: Trial, task: Task, device: str = "cpu") -> None:
        self._task, self._device = task, device
        self._data = task.load().train.to(device)
        self._batches = batches(task, trial.seed)
        self.network = network(task, trial.seed).to(device)
        self._optimizer = find_optimizer(trial.optimizer).make(
            self.network.parameters(), trial.peak
        )
        self._scheduler = Scheduler(
            self._optimizer, lr=trial.schedule, over=trial.steps, momentum=trial.momentum
        )

    def update(self) -> Tensor:
        """Make one update; return the loss before it, (1,)."""
        chosen = next(self._batches).to(self._device)
        inputs, targets = self._data.inputs[chosen], self._data.targets[chosen]

        def loss() -> Tensor:
            self._optimizer.zero_grad()
            found = self._task.loss(self.network(inputs), targets)
            found.backward()
            return found

        # All of torch's optimizers accept a closure, and some need one.
        found = self._optimizer.step(loss)  # pyright: ignore[reportCallIssue, reportArgumentType]
        self._scheduler.step()
        return torch.as_tensor(found).detach().view(1)

    @torch.no_grad()
    def measure(self, split: Split) -> tuple[list[float], list[float]]:
        """Return the metric and the loss on this part of the data."""
        inputs, targets = split.to(self._device)
        self.network.eval()
        outputs = self.network(inputs)
        self.network.train()
        value, loss = self._task.measures(outputs, targets)
        return [float(value)], [float(loss)]

    def drop(self, lost: Sequence[int]) -> None:
        """Never called: a single run ends when it diverges."""
        raise AssertionError(f"the only run is not among {list(lost)}")
