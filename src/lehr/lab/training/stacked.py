"""Networks trained side by side, in one set of tensors.

A small network spends its time on call overhead, not on arithmetic, so training dozens at once
costs little more than training one. The weights of all are stacked along a first axis, `torch.vmap`
runs one forward and one backward pass, and one torch optimizer updates all networks, each at its
own rate. A trial's outcome does not depend on the trials beside it, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from lehr.catalogue.decay.elementary import constant
from lehr.errors import ScheduleError
from lehr.lab.optimizers import find_optimizer
from lehr.lab.tasks.base import Part, Split, Task
from lehr.lab.tasks.seeding import network
from lehr.lab.training.convolution import Products
from lehr.lab.training.loop import Batches, stacked
from lehr.lab.training.unit_step import UnitStep
from lehr.lab.trial import Trial
from lehr.schedule.base import Schedule

TensorsByName = dict[str, Tensor]

_BLOCK = 1024  # schedule values computed at a time
MEASURED = 16
"""Networks evaluated at a time: more would not fit into the processor's cache."""


def in_order(trials: Sequence[Trial]) -> list[int]:
    """Return the order of these trials in a stack, in which equal momenta are neighbours."""
    return sorted(range(len(trials)), key=lambda place: _momentum(trials[place]))


def _momentum(trial: Trial) -> str:
    return repr(trial.momentum)


class _Curves:
    """The values of several schedules over one run, a block of updates at a time."""

    def __init__(self, schedules: Sequence[Schedule | None], steps: int) -> None:
        self._runs = [(schedule or constant()).over(steps) for schedule in schedules]
        self._steps, self._first = steps, 0
        self._block: NDArray[np.float64] = np.empty((0, 0))

    def at(self, step: int) -> NDArray[np.float64]:
        """Return the value of each schedule at this update."""
        row = step - self._first
        if row >= len(self._block):
            self._first, row = step, 0
            steps = np.arange(step, min(step + _BLOCK, self._steps))
            self._block = np.stack([np.asarray(run(steps), np.float64) for run in self._runs], 1)
        return self._block[row]


def _check(trials: Sequence[Trial]) -> None:
    for name, least, most in (("schedule", 0.0, math.inf), ("momentum", 0.0, math.nextafter(1, 0))):
        for schedule in {getattr(t, name) for t in trials} - {None}:
            low, high = schedule.over(trials[0].steps).bounds
            if low < least or high > most:
                raise ScheduleError(
                    f"{name}={schedule} reaches from {low:g} to {high:g}: a rate must stay at 0 or "
                    "above, and a momentum must stay below 1, too"
                )


class Stack:
    """Networks in training, of trials in the order of `in_order`.

    Attributes:
        weights: Every trained tensor by name, (trials, ...).
    """

    def __init__(self, trials: Sequence[Trial], task: Task, device: str = "cpu") -> None:
        self._task, self._device, self._made = task, device, 0
        self._convolving: Callable[[], AbstractContextManager[Any]] = (
            Products if torch.device(device).type == "cuda" else nullcontext
        )
        data = task.load().train
        assert isinstance(data, Split)  # others are trained one by one
        self._data = data.to(device)
        weights, others = stacked([network(task, t.seed) for t in trials])
        tensors = {name: t.detach().to(device) for name, t in (weights | others).items()}
        trained = [name for name, tensor in weights.items() if tensor.requires_grad]
        self.weights = {name: tensors.pop(name).requires_grad_() for name in trained}
        self._others = tensors

        self._drawn = list(dict.fromkeys(t.seed for t in trials))
        self._batches = Batches(task, self._drawn, trials[0].steps)
        self._schedules = list(dict.fromkeys(s for t in trials for s in (t.schedule, t.momentum)))
        _check(trials)
        self._curves = _Curves(self._schedules, trials[0].steps)
        self._arrange(list(trials))
        self._optimizer = UnitStep(
            find_optimizer(trials[0].optimizer), list(self.weights.values()), self._sizes
        )
        self._build(network(task, trials[0].seed).to(device))

    def _arrange(self, trials: list[Trial]) -> None:
        """Index the trials' seeds, schedules and peaks, and group them by momentum."""
        self._trials = trials
        self._seeds = torch.tensor([self._drawn.index(t.seed) for t in trials])
        self._kinds = np.array([self._schedules.index(t.schedule) for t in trials])
        self._peaks = np.array([t.peak for t in trials])
        groups = [(momentum, list(same)) for momentum, same in groupby(trials, _momentum)]
        self._sizes = [len(same) for _, same in groups]
        self._momenta = [self._schedules.index(same[0].momentum) for _, same in groups]

    def _build(self, frame: nn.Module) -> None:
        task = self._task
        self._frame = frame

        def loss(
            weights: TensorsByName, others: TensorsByName, inputs: Tensor, targets: Tensor
        ) -> Tensor:
            return task.loss(functional_call(frame, {**weights, **others}, (inputs,)), targets)

        def measures(
            weights: TensorsByName, others: TensorsByName, inputs: Tensor, targets: Tensor
        ) -> tuple[Tensor, Tensor]:
            outputs = functional_call(frame, {**weights, **others}, (inputs,))
            return task.measures(outputs, targets)

        self._losses = torch.vmap(loss)
        self._measures = torch.vmap(measures, in_dims=(0, 0, None, None), chunk_size=MEASURED)

    def update(self) -> Tensor:
        """Update every network; return the losses before the update, (trials,)."""
        chosen = self._batches.next()[self._seeds].to(self._device)
        inputs, targets = self._data.inputs[chosen], self._data.targets[chosen]
        with self._convolving():
            losses = self._losses(self.weights, self._others, inputs, targets)
        # The trials share no weights, so the gradient of the sum contains each one's own.
        gradients = torch.autograd.grad(
            losses.sum(), list(self.weights.values()), allow_unused=True
        )
        values = self._curves.at(self._made)
        rates = torch.tensor(self._peaks * values[self._kinds], dtype=losses.dtype)
        momenta = [None if self._schedules[i] is None else float(values[i]) for i in self._momenta]
        self._optimizer.step(gradients, rates.to(self._device), momenta)
        self._made += 1
        return losses.detach()

    @torch.no_grad()
    def measure(self, part: Part) -> tuple[list[float], list[float]]:
        """Return the metric and the loss of every network on this part of the data."""
        assert isinstance(part, Split)  # others are trained one by one
        self._frame.eval()
        with self._convolving():
            scores, losses = self._measures(self.weights, self._others, *part.to(self._device))
        self._frame.train()
        return scores.tolist(), losses.tolist()

    @torch.no_grad()
    def drop(self, lost: Sequence[int]) -> None:
        """Remove the networks at these indices; the others move up."""
        kept = [place for place in range(len(self._trials)) if place not in set(lost)]
        rows = torch.tensor(kept, device=self._device)
        self.weights = {name: w[rows].requires_grad_() for name, w in self.weights.items()}
        self._others = {name: tensor[rows] for name, tensor in self._others.items()}
        self._arrange([self._trials[place] for place in kept])
        self._optimizer = self._optimizer.narrowed(list(self.weights.values()), kept)
