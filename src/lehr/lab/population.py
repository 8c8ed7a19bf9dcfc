# pyright: basic
"""Trials that differ only in peak rate and seed, trained side by side in one set of tensors.

A small network spends its time in the overhead of calls, not in arithmetic, so training dozens at
once costs little more than training one. Each peak rate is a parameter group of one ordinary
optimizer, in which the networks of all its seeds are stacked; one scheduler drives all groups. A
trial's outcome does not depend on its company, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from lehr.lab.optimizers import find_optimizer
from lehr.lab.task import Split, Task, find_task
from lehr.lab.trial import Outcome, Trial, looks
from lehr.torch import Scheduler

__all__ = ["StoppedError", "batches", "network", "run"]


class StoppedError(Exception):
    """Training was told to stop before its end."""


def run(trials: Sequence[Trial], stopped: Callable[[], bool] = lambda: False) -> list[Outcome]:
    """Train the networks of these trials.

    Arguments:
        trials: At least one; they may differ in ``peak`` and ``seed`` only.
        stopped: Asked before every update; once it says True, the training is given up.

    Returns:
        One outcome per trial, in their order.

    Raises:
        ValueError: For no trials, trials that differ in anything else, an unknown task or
            optimizer, or a network with buffers.
        StoppedError: If ``stopped`` said so.
    """
    kinds = {(t.task, t.optimizer, t.schedule, t.momentum, t.steps) for t in trials}
    if len(kinds) != 1:
        raise ValueError(
            f"trials has {len(kinds)} combinations of task, optimizer, schedule and steps: trials "
            "that are trained together must share one and differ in peak and seed only"
        )
    # The optimizer's groups go by peak, so the networks are laid out by peak.
    order = sorted(range(len(trials)), key=lambda i: trials[i].peak)
    with _one_thread():
        outcomes = _train([trials[i] for i in order], stopped)
    return [outcomes[order.index(i)] for i in range(len(trials))]


@contextmanager
def _one_thread() -> Generator[None]:
    """Keep torch from splitting tensors that are too small to split."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def batches(task: Task, seed: int) -> Iterator[Tensor]:
    """Yield which samples each update sees, for ever: an epoch in random order after another.

    They depend on the seed alone, so runs of one seed see the same batches, whatever trains them.
    What is left of an epoch after its last whole batch is skipped.

    Yields:
        Indices into the training data, (batch_size,).
    """
    # Odd numbers here, even ones for the weights: the two never share a stream.
    generator = torch.Generator().manual_seed(2 * seed + 1)
    whole = task.train // task.batch_size * task.batch_size
    while True:
        order = torch.randperm(task.train, generator=generator)
        yield from order[:whole].view(-1, task.batch_size)


def network(task: Task, seed: int) -> nn.Module:
    """Return a network with this seed's starting weights."""
    return task.model(torch.Generator().manual_seed(2 * seed))


def _train(trials: Sequence[Trial], stopped: Callable[[], bool]) -> list[Outcome]:
    task, steps = find_task(trials[0].task), trials[0].steps
    population = _Population(trials, task)
    histories = [_History(task.chance) for _ in trials]
    start = 0
    for look in looks(steps):
        losses: list[Tensor] = []
        for _ in range(start, look):
            if stopped():
                raise StoppedError
            losses.append(population.update())
        scores, _ = population.measure(task.load().validation)
        for history, loss, score in zip(
            histories, torch.stack(losses, dim=1).tolist(), scores, strict=True
        ):
            history.add(start, loss, score)
        if all(history.diverged for history in histories):
            break
        start = look
    tests = zip(histories, *population.measure(task.load().test), strict=True)
    return [history.outcome(steps, score, loss) for history, score, loss in tests]


@dataclass
class _History:
    """What has been seen of one trial so far; see `Outcome` for the parts."""

    chance: float
    diverged: int | None = None
    loss: list[float | None] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)

    def add(self, start: int, losses: list[float], score: float) -> None:
        """Note the losses of the updates after number `start`, and the score that they led to."""
        lost = [not math.isfinite(loss) for loss in losses]
        if self.diverged is None and any(lost):
            self.diverged = start + lost.index(True) + 1
        self.loss.append(None if self.diverged else math.fsum(losses) / len(losses))
        self.accuracy.append(self.chance if self.diverged else score)

    def outcome(self, steps: int, test: float, test_loss: float) -> Outcome:
        """Close the history of a run of `steps` updates."""
        if self.diverged is None and not math.isfinite(test_loss):
            # The last update made what no training loss was left to show.
            self.diverged, self.loss[-1], self.accuracy[-1] = steps, None, self.chance
        missing = len(looks(steps)) - len(self.loss)
        return Outcome(
            diverged=self.diverged,
            loss=(*self.loss, *[None] * missing),
            accuracy=(*self.accuracy, *[self.chance] * missing),
            validation=self.accuracy[-1],
            test=self.chance if self.diverged else test,
            test_loss=None if self.diverged else test_loss,
        )


class _Population:
    """Networks in training, stacked by peak rate."""

    def __init__(self, trials: Sequence[Trial], task: Task) -> None:
        first = trials[0]
        self._data = task.load().train
        self._groups: list[dict[str, Tensor]] = []
        peaks: list[float] = []
        for peak, members in groupby(trials, key=lambda trial: trial.peak):
            parameters, buffers = stack_module_state([network(task, t.seed) for t in members])
            if buffers:
                raise ValueError(
                    f"the network of task {task.name!r} has buffers ({', '.join(buffers)}), which "
                    "stacked networks cannot keep: use layers without running averages"
                )
            self._groups.append(parameters)
            peaks.append(peak)
        self._batches = {t.seed: batches(task, t.seed) for t in trials}
        self._seeds = [list(self._batches).index(t.seed) for t in trials]
        groups = [
            {"params": list(parameters.values()), "lr": peak}
            for parameters, peak in zip(self._groups, peaks, strict=True)
        ]
        self._optimizer = find_optimizer(first.optimizer).make(groups, peaks[0])
        self._scheduler = Scheduler(
            self._optimizer, lr=first.schedule, over=first.steps, momentum=first.momentum
        )

        frame = network(task, first.seed)

        def loss(parameters: dict[str, Tensor], inputs: Tensor, targets: Tensor) -> Tensor:
            return task.loss(functional_call(frame, parameters, (inputs,)), targets)

        def measures(
            parameters: dict[str, Tensor], inputs: Tensor, targets: Tensor
        ) -> tuple[Tensor, Tensor]:
            outputs = functional_call(frame, parameters, (inputs,))
            return task.score(outputs, targets), task.loss(outputs, targets)

        self._losses = torch.vmap(loss)
        self._measures = torch.vmap(measures, in_dims=(0, None, None))

    def _parameters(self) -> dict[str, Tensor]:
        """All networks in one stack, in the order of the trials."""
        return {name: torch.cat([g[name] for g in self._groups]) for name in self._groups[0]}

    def update(self) -> Tensor:
        """Make one update of every network; return the losses that it followed, one a trial."""
        chosen = torch.stack([next(drawn) for drawn in self._batches.values()])
        inputs, targets = self._data.inputs[chosen], self._data.targets[chosen]
        self._optimizer.zero_grad()
        losses = self._losses(self._parameters(), inputs[self._seeds], targets[self._seeds])
        # The trials share no weights: the gradient of the sum is each one's own.
        losses.sum().backward()
        self._optimizer.step()
        self._scheduler.step()
        return losses.detach()

    @torch.no_grad()
    def measure(self, split: Split) -> tuple[list[float], list[float]]:
        """Return each trial's score and loss on this part of the data."""
        scores, losses = self._measures(self._parameters(), split.inputs, split.targets)
        return scores.tolist(), losses.tolist()
