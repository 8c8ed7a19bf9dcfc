"""Tasks: data, a network, a loss and a metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from lehr.lab.errors import TaskError
from lehr.lab.metric import Metric

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = ["Data", "Split", "Task"]

# The split is part of the task: with another, scores would not be comparable.
SPLIT_SEED = 0
"""The seed of every task's split into training, validation and test data."""

_FEWEST = 4


class Split(NamedTuple):
    """One part of the data.

    Attributes:
        inputs: (samples, ...), of any type that the network takes.
        targets: (samples, ...), in the form that the task's loss and score take.
    """

    inputs: Tensor
    targets: Tensor

    def to(self, device: str) -> Split:
        """Return the same data on a device, as torch names it."""
        return Split(self.inputs.to(device), self.targets.to(device))


class Data(NamedTuple):
    """All of the data.

    Attributes:
        train: Data for the updates.
        validation: Data to choose the peak rate on.
        test: Data to measure the metric on; nothing is chosen on it.
    """

    train: Split
    validation: Split
    test: Split


@dataclass(frozen=True, eq=False)
class Task:
    """The part of a training run that does not depend on the optimizer or the schedule.

    The process that plans a comparison does not train, so a task's module imports torch and its
    data only inside the functions that need them. `docs/tasks.md` explains how to write a task;
    `Task.from_tensors` makes one from tensors.

    Attributes:
        name: The name of the task.
        summary: One plain line about the data.
        network: One plain line about the network, with its size as ``N weights``.
        train: Samples in the training data.
        validation: Samples in the validation data.
        test: Samples in the test data.
        batch_size: Samples per update, at most ``train``.
        metric: The number by which runs are compared.
        load: Returns the data, the same object every time.
        model: Returns a network whose starting weights are drawn from this generator, or from
            torch's own randomness, which is seeded for the call. Networks that ``torch.vmap``
            can run are trained side by side; others (running averages, dropout) one by one.
        loss: (outputs, targets) -> the scalar to minimise.
        score: (outputs, targets) -> the value of the metric, a scalar; None if that is the loss.

    Raises:
        ValueError: If the sizes are out of range.
    """

    name: str
    summary: str
    network: str
    train: int
    validation: int
    test: int
    batch_size: int
    metric: Metric
    load: Callable[[], Data]
    model: Callable[[torch.Generator], nn.Module]
    loss: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor, Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.batch_size <= self.train:
            raise ValueError(
                f"batch_size={self.batch_size} must be from 1 to the {self.train} training samples"
            )
        for name in ("validation", "test"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1 sample")

    def measures(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the value of the metric and the loss, each a scalar."""
        loss = self.loss(outputs, targets)
        return loss if self.score is None else self.score(outputs, targets), loss

    @classmethod
    def from_tensors(
        cls,
        inputs: Tensor,
        targets: Tensor,
        model: Callable[[], nn.Module],
        loss: Callable[[Tensor, Tensor], Tensor],
        score: Callable[[Tensor, Tensor], Tensor] | None = None,
        **parts: Any,
    ) -> Task:
        """Make a task from tensors: half of the samples train, a quarter each validates and tests.

        The split is random and always the same.

        Arguments:
            inputs: (samples, ...), at least 4.
            targets: (samples, ...).
            model: Returns a new network, with starting weights from torch's own randomness.
            loss: (outputs, targets) -> the scalar to minimise.
            score: (outputs, targets) -> the value of the metric, a scalar; the loss if not given.
            **parts: Other attributes of a task. By default ``batch_size`` is 32, or all samples
                if there are fewer, and ``metric`` is ``Metric.score(guess=0.0)`` with a score,
                whose values are then shares, and ``Metric.loss()`` without.

        Raises:
            TaskError: If the tensors do not fit together.

        Example:
            >>> import torch
            >>> from torch.nn import Linear, functional
            >>> x = torch.linspace(-1, 1, 200).view(-1, 1)
            >>> task = Task.from_tensors(x, 2 * x, lambda: Linear(1, 1), functional.mse_loss)
            >>> task.train, task.validation, task.test, task.metric.title
            (100, 50, 50, 'Test loss')
        """
        import torch

        for name, tensor in (("inputs", inputs), ("targets", targets)):
            if not isinstance(tensor, torch.Tensor):
                raise TaskError(f"{name} is a {type(tensor).__name__}, not a torch.Tensor")
        samples = len(inputs) if inputs.dim() else 0
        if samples < _FEWEST or targets.dim() < 1 or len(targets) != samples:
            raise TaskError(
                f"inputs has the shape {tuple(inputs.shape)} and targets {tuple(targets.shape)}: "
                f"both need the same number of samples in front, at least {_FEWEST}"
            )
        order = torch.randperm(samples, generator=torch.Generator().manual_seed(SPLIT_SEED))
        held_out = samples // 4
        cuts = order.split([samples - 2 * held_out, held_out, held_out])
        data = Data(*(Split(inputs[part].detach(), targets[part].detach()) for part in cuts))
        defaults = {
            "name": "",
            "summary": f"{samples:,} samples of shape {tuple(inputs.shape[1:])}",
            "network": "",
            "batch_size": min(32, samples - 2 * held_out),
            "metric": Metric.score(guess=0.0) if score else Metric.loss(),
        }
        if unknown := parts.keys() - defaults.keys():
            raise TaskError(
                f"a task of tensors has no part {min(unknown)!r}: it has {', '.join(defaults)}"
            )
        return cls(
            **(defaults | parts),
            train=samples - 2 * held_out,
            validation=held_out,
            test=held_out,
            load=lambda: data,
            model=lambda _: model(),
            loss=loss,
            score=score,
        )
