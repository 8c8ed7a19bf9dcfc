"""Tasks: data, a network, a loss and a score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from lehr.lab.errors import TaskError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = ["Data", "Split", "Task", "exp_of_loss"]

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
        test: Data to measure the score on; nothing is chosen on it.
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
        score_name: The name of the score on the test data.
        chance: Score of random guessing, in [0, 1]; assigned to runs that diverge.
        load: Returns the data, the same object every time.
        model: Returns a network whose starting weights are drawn from this generator, or from
            torch's own randomness, which is seeded for the call. Networks that ``torch.vmap``
            can run are trained side by side; others (running averages, dropout) one by one.
        loss: (outputs, targets) -> the scalar to minimise.
        score: (outputs, targets) -> a scalar in [0, 1]; more is better. Scores are shares,
            because they are compared in points of a percent: ``exp(-loss)`` turns a
            cross-entropy into the geometric mean of the predicted probabilities.

    Raises:
        ValueError: If the sizes or the chance are out of range.
    """

    name: str
    summary: str
    network: str
    train: int
    validation: int
    test: int
    batch_size: int
    score_name: str
    chance: float
    load: Callable[[], Data]
    model: Callable[[torch.Generator], nn.Module]
    loss: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor, Tensor], Tensor]

    def __post_init__(self) -> None:
        if not 1 <= self.batch_size <= self.train:
            raise ValueError(
                f"batch_size={self.batch_size} must be from 1 to the {self.train} training samples"
            )
        for name in ("validation", "test"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1 sample")
        if not 0 <= self.chance <= 1:
            raise ValueError(f"chance={self.chance} must be a share, from 0 to 1, as scores are")

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
            score: (outputs, targets) -> a scalar in [0, 1]; ``exp(-loss)`` if not given.
            **parts: Other attributes of a task. By default ``batch_size`` is 32, or all samples
                if there are fewer, and ``chance`` is 0.

        Raises:
            TaskError: If the tensors do not fit together.

        Example:
            >>> import torch
            >>> from torch.nn import Linear, functional
            >>> x = torch.linspace(-1, 1, 200).view(-1, 1)
            >>> task = Task.from_tensors(x, 2 * x, lambda: Linear(1, 1), functional.mse_loss)
            >>> task.train, task.validation, task.test, task.score_name
            (100, 50, 50, 'exp(-test loss)')
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
            "score_name": "test score" if score else "exp(-test loss)",
            "chance": 0.0,
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
            score=score or exp_of_loss(loss),
        )


def exp_of_loss(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Turn a loss of 0 or more into a score: 1 for no loss, towards 0 for a large one."""

    def score(outputs: Tensor, targets: Tensor) -> Tensor:
        return loss(outputs, targets).double().neg().exp()

    return score
