"""What a training run is, whatever trains it: its weights, its batches, its looks, its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from lehr.lab.tasks.base import Split, Task
from lehr.lab.trial import Outcome, Trial, looks

__all__ = ["Batches", "Runs", "StoppedError", "batches", "network", "seeded", "stacked", "train"]


class StoppedError(Exception):
    """Training was told to stop before its end."""


@contextmanager
def seeded(seed: int) -> Generator[None]:
    """Let torch's own randomness begin from a seed; what it was before comes back afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


# Weights draw from even numbers, batches from odd ones: the two never share a stream.
def network(task: Task, seed: int) -> nn.Module:
    """Return a network with this seed's starting weights."""
    with seeded(2 * seed):
        return task.model(torch.Generator().manual_seed(2 * seed))


def stacked(networks: Sequence[nn.Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Stack the parameters and the buffers of networks, by name, along a first axis.

    torch's own `stack_module_state` refuses networks of a class that is made anew for each.

    Raises:
        ValueError: If the networks do not have the same.
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
    """One epoch: every sample once, in random order, less what fills no whole batch."""
    whole = task.train // task.batch_size * task.batch_size
    return torch.randperm(task.train, generator=generator)[:whole]


def batches(task: Task, seed: int) -> Iterator[Tensor]:
    """Yield which samples each update sees, for ever: an epoch in random order after another.

    They depend on the seed alone, so runs of one seed see the same batches, whatever trains them.
    What is left of an epoch after its last whole batch is skipped.

    Yields:
        Indices into the training data, (batch_size,).
    """
    generator = torch.Generator().manual_seed(2 * seed + 1)
    while True:
        yield from _order(task, generator).view(-1, task.batch_size)


class Batches:
    """The batches of several seeds side by side, made an epoch at a time.

    Arguments:
        task: What they are drawn from.
        seeds: Any number of seeds, each once.
        steps: How many updates will ask: a run shorter than an epoch keeps no more of it.
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


class Runs(Protocol):
    """Networks in training: one, or many at once."""

    def update(self) -> Tensor:
        """Make one update of each; return the losses that it followed, (runs,)."""
        ...

    def measure(self, split: Split) -> tuple[list[float], list[float]]:
        """Return the score and the loss of each on this part of the data."""
        ...

    def drop(self, lost: Sequence[int]) -> None:
        """Train no longer those at these places; the others move up."""
        ...


def train(
    trials: Sequence[Trial], task: Task, runs: Runs, stopped: Callable[[], bool]
) -> list[Outcome]:
    """Train networks to the end of their runs.

    Arguments:
        trials: What `runs` trains, in its order; all as long as one another.
        task: Theirs.
        runs: Their networks at the start.
        stopped: Asked before every update.

    Raises:
        StoppedError: If `stopped` said so.
    """
    steps = trials[0].steps
    histories = [_History(task.chance) for _ in trials]
    alive = list(histories)
    start = 0
    for look in looks(steps):
        losses: list[Tensor] = []
        for _ in range(start, look):
            if stopped():
                raise StoppedError
            losses.append(runs.update())
        scores, _ = runs.measure(task.load().validation)
        rows = torch.stack(losses, dim=1).tolist()
        for history, row, score in zip(alive, rows, scores, strict=True):
            history.add(start, row, score)
        start = look
        if lost := [place for place, history in enumerate(alive) if history.diverged]:
            alive = [history for history in alive if not history.diverged]
            if not alive:
                break
            runs.drop(lost)
    if alive:
        for history, score, loss in zip(alive, *runs.measure(task.load().test), strict=True):
            history.test, history.test_loss = score, loss
    return [history.outcome(steps) for history in histories]


@dataclass
class _History:
    """What has been seen of one trial so far; see `Outcome` for the parts."""

    chance: float
    diverged: int | None = None
    loss: list[float | None] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    test: float = math.nan
    test_loss: float = math.nan

    def add(self, start: int, losses: list[float], score: float) -> None:
        """Note the losses of the updates after number `start`, and the score that they led to."""
        lost = [not math.isfinite(loss) for loss in losses]
        if any(lost):
            self.diverged = start + lost.index(True) + 1
        self.loss.append(None if self.diverged else math.fsum(losses) / len(losses))
        self.accuracy.append(self.chance if self.diverged else score)

    def outcome(self, steps: int) -> Outcome:
        """Close the history of a run of `steps` updates."""
        if self.diverged is None and not math.isfinite(self.test_loss):
            # The last update made what no training loss was left to show.
            self.diverged, self.loss[-1], self.accuracy[-1] = steps, None, self.chance
        missing = len(looks(steps)) - len(self.loss)
        return Outcome(
            diverged=self.diverged,
            loss=(*self.loss, *[None] * missing),
            accuracy=(*self.accuracy, *[self.chance] * missing),
            validation=self.chance if self.diverged else self.accuracy[-1],
            test=self.chance if self.diverged else self.test,
            test_loss=None if self.diverged else self.test_loss,
        )
