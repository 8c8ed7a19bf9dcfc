"""The training loop: batches, evaluations and outcomes, for one network or many."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from lehr.lab.errors import StoppedError
from lehr.lab.tasks.base import Part, Task
from lehr.lab.trial import Outcome, Trial, evaluation_steps


def stacked(networks: Sequence[nn.Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Stack the parameters and the buffers of networks, by name, along a first axis.

    torch's own `stack_module_state` raises if each network has its own class.
    """
    parts: list[dict[str, Tensor]] = []
    for own in (
        [dict(n.named_parameters()) for n in networks],
        [dict(n.named_buffers()) for n in networks],
    ):
        if len({tuple((name, tensor.shape) for name, tensor in one.items()) for one in own}) > 1:
            raise ValueError("networks of different seeds have different weights")
        parts.append(
            {
                name: torch.stack([one[name].detach() for one in own]).requires_grad_(
                    tensor.requires_grad
                )
                for name, tensor in own[0].items()
            }
        )
    return parts[0], parts[1]


def _order(task: Task, generator: torch.Generator) -> Tensor:
    """Return one epoch: every sample once in random order, without the last partial batch."""
    whole = task.train // task.batch_size * task.batch_size
    return torch.randperm(task.train, generator=generator)[:whole]


def batches(task: Task, seed: int) -> Iterator[Tensor]:
    """Yield the indices of the samples of each update, indefinitely: epochs in random order.

    They depend on the seed alone, so all runs with one seed see the same batches. The last partial
    batch of an epoch is skipped.
    """
    generator = torch.Generator().manual_seed(2 * seed + 1)
    while True:
        yield from _order(task, generator).view(-1, task.batch_size)


class Batches:
    """The batches of several seeds side by side, made an epoch at a time.

    A run with fewer `steps` than an epoch keeps only that part of it.
    """

    def __init__(self, task: Task, seeds: Sequence[int], steps: int) -> None:
        self._task = task
        self._generators = [torch.Generator().manual_seed(2 * seed + 1) for seed in seeds]
        self._left = steps
        self._epoch: Iterator[Tensor] = iter(())

    def next(self) -> Tensor:
        """Return indices into the training data, (seeds, batch_size)."""
        for chosen in self._epoch:
            return chosen
        size = self._task.batch_size
        kept = min(self._task.train // size, self._left) * size
        orders = [_order(self._task, generator)[:kept].clone() for generator in self._generators]
        self._left -= kept // size
        self._epoch = iter(torch.stack(orders).view(len(orders), -1, size).unbind(1))
        return next(self._epoch)


class Networks(Protocol):
    """Networks in training: one, or many at once."""

    def update(self) -> Tensor:
        """Update each network; return the losses before the update, (networks,)."""
        ...

    def measure(self, part: Part) -> tuple[list[float], list[float]]:
        """Return the metric and the loss of each network on this part of the data."""
        ...

    def drop(self, lost: Sequence[int]) -> None:
        """Remove the networks at these indices; the others move up."""
        ...


def train(
    trials: Sequence[Trial], task: Task, networks: Networks, stopped: Callable[[], bool]
) -> list[Outcome]:
    """Train the networks of these trials, in the same order, to the end of their runs.

    All have the same number of steps. If `stopped`, called before every update, returns True, a
    StoppedError is raised.
    """
    steps = trials[0].steps
    histories = [_History(task.metric.guess) for _ in trials]
    alive = list(histories)
    start = 0
    for end in evaluation_steps(steps):
        losses: list[Tensor] = []
        for _ in range(start, end):
            if stopped():
                raise StoppedError
            losses.append(networks.update())
        values = _checked(task, end, "validation", *networks.measure(task.load().validation))
        rows = torch.stack(losses, dim=1).tolist()
        for history, row, value in zip(alive, rows, values, strict=True):
            history.add(start, row, value)
        start = end
        if lost := [place for place, history in enumerate(alive) if history.diverged]:
            alive = [history for history in alive if not history.diverged]
            if not alive:
                break
            networks.drop(lost)
    if alive:
        values, final = networks.measure(task.load().test)
        values = _checked(task, steps, "test", values, final)
        for history, value, loss in zip(alive, values, final, strict=True):
            history.test, history.test_loss = value, loss
    return [history.outcome(steps) for history in histories]


def _checked(
    task: Task, step: int, part: str, values: list[float], losses: list[float]
) -> list[float]:
    """Check that the metric can have these values; make those of diverged networks NaN."""
    checked: list[float] = []
    for value, loss in zip(values, losses, strict=True):
        possible = 0 <= value <= 1 if task.metric.is_share else math.isfinite(value)
        if task.metric.is_share and not possible and math.isfinite(loss):
            raise ValueError(
                f"the {task.metric.name} on the {part} data after update {step} is {value:g}: a "
                "score must be from 0 to 1"
            )
        checked.append(value if possible else math.nan)
    return checked


@dataclass
class _History:
    """The measurements of one trial so far; see `Outcome` for the fields."""

    guess: float | None
    diverged: int | None = None
    loss: list[float | None] = field(default_factory=list)
    validations: list[float | None] = field(default_factory=list)
    test: float = math.nan
    test_loss: float = math.nan

    def add(self, start: int, losses: list[float], value: float) -> None:
        """Add the losses of the updates after number `start`, and the metric after them."""
        lost = [not math.isfinite(loss) for loss in losses]
        if any(lost):
            self.diverged = start + lost.index(True) + 1
        elif not math.isfinite(value):
            self.diverged = start + len(losses)
        self.loss.append(None if self.diverged else math.fsum(losses) / len(losses))
        self.validations.append(self.guess if self.diverged else value)

    def outcome(self, steps: int) -> Outcome:
        """Return the outcome of a run of `steps` updates."""
        if self.diverged is None and not math.isfinite(self.test + self.test_loss):
            # The last update diverged, and no training loss followed it.
            self.diverged, self.loss[-1], self.validations[-1] = steps, None, self.guess
        missing = len(evaluation_steps(steps)) - len(self.loss)
        return Outcome(
            diverged=self.diverged,
            loss=(*self.loss, *[None] * missing),
            validations=(*self.validations, *[self.guess] * missing),
            validation=self.validations[-1],
            test=self.guess if self.diverged else self.test,
            test_loss=None if self.diverged else self.test_loss,
        )
