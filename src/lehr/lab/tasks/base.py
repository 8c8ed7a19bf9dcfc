"""Tasks: data, a network, a loss and a metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from lehr.lab.errors import TaskError
from lehr.lab.metric import Metric

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


# The split is part of the task: with another one, scores would not be comparable.
SPLIT_SEED = 0
"""The seed of every task's split into training, validation and test data."""

_FEWEST = 4


class Split(NamedTuple):
    """One part of the data.

    Attributes:
        inputs: (samples, ...), of any type that the network accepts.
        targets: (samples, ...), in the form that the task's loss and score expect.
    """

    inputs: Tensor
    targets: Tensor

    def to(self, device: str) -> Split:
        """Return the same data on a device, as torch names it."""
        return Split(self.inputs.to(device), self.targets.to(device))


Part = Split | Any
"""A part of the data: tensors, or an iterable of batches that starts anew each time.

Each batch is a pair of inputs and targets: tensors, or lists and dicts of tensors.
"""


class Data(NamedTuple):
    """All of the data.

    Attributes:
        train: Data for the updates.
        validation: Data to choose the peak rate on.
        test: Data to measure the metric on; nothing is chosen on it.
    """

    train: Part
    validation: Part
    test: Part


@dataclass(frozen=True, eq=False)
class Task:
    """The part of a training run that does not depend on the optimizer or the schedule.

    The process that plans a comparison does not train, so a task's module should import torch and
    load its data only inside the functions that need them. `docs/tasks.md` explains how to write a
    task; `Task.from_tensors` makes one from tensors.

    Attributes:
        name: The name of the task.
        summary: One plain line about the data.
        network: One plain line about the network, with its size in the form ``N weights``.
        train: Samples in the training data.
        validation: Samples in the validation data.
        test: Samples in the test data.
        batch_size: Samples per update, at most ``train``.
        metric: The number by which runs are compared.
        load: Returns the data, the same object every time.
        model: Returns a network whose starting weights are drawn from the given generator, or from
            torch's global generator, which is seeded for the call. Networks that ``torch.vmap`` can
            run are trained side by side; others (with running averages or dropout) one by one.
        loss: (outputs, targets) -> the scalar to minimise.
        score: (outputs, targets) -> the value of the metric, a scalar; None if it is the loss.

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
        """Make a task from tensors: half for training, a quarter each for validation and testing.

        The split is random and always the same.

        Arguments:
            inputs: (samples, ...), at least 4.
            targets: (samples, ...).
            model: Returns a new network, with starting weights from torch's global generator.
            loss: (outputs, targets) -> the scalar to minimise.
            score: (outputs, targets) -> the value of the metric, a scalar; the loss if not given.
            **parts: Other attributes of a task. By default ``batch_size`` is 32, or all samples if
                there are fewer; ``metric`` is ``Metric.score(guess=0.0)`` if there is a score,
                whose values are then shares, and ``Metric.loss()`` otherwise.

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
        size = parts.pop("batch_size", None) or min(32, samples - 2 * held_out)
        summary = f"{samples:,} samples of shape {tuple(inputs.shape[1:])}"
        return cls(
            **_parts(summary, score is not None, parts),
            batch_size=size,
            train=samples - 2 * held_out,
            validation=held_out,
            test=held_out,
            load=lambda: data,
            model=lambda _: model(),
            loss=loss,
            score=score,
        )

    @classmethod
    def from_loaders(
        cls,
        train: Iterable[Any],
        validation: Iterable[Any],
        test: Iterable[Any],
        model: Callable[[], nn.Module],
        loss: Callable[[Any, Any], Tensor],
        score: Callable[[Any, Any], Tensor] | None = None,
        *,
        samples: tuple[int, int, int] | None = None,
        **parts: Any,
    ) -> Task:
        """Make a task from loaders, such as torch's `DataLoader`, or from other iterables.

        An update takes one batch. Randomness in the training data (order, augmentations) and in the
        network (dropout) depends on the trial's seed alone. The loss and score of an evaluation are
        means over the batches, weighted by their samples. Trials are trained one by one.

        Arguments:
            train: Yields the batches of an epoch: pairs of inputs and targets. It must start anew
                each time; an iterator, which can be read only once, will not do.
            validation: The same for the validation data.
            test: The same for the test data.
            model: Returns a new network, with starting weights from torch's global generator.
            loss: (outputs, targets) -> the scalar to minimise.
            score: As in `from_tensors`.
            samples: The number of samples of each part, if the loaders have no dataset with a
                length.
            **parts: Other attributes of a task, as in `from_tensors`.

        Raises:
            TaskError: If the number of samples is unknown.
        """
        loaders = {"train": train, "validation": validation, "test": test}
        sizes = samples or tuple(_samples(name, each) for name, each in loaders.items())
        size = parts.pop("batch_size", None) or getattr(train, "batch_size", None)
        data = Data(train, validation, test)
        return cls(
            **_parts(f"{sizes[0]:,} samples in batches", score is not None, parts),
            batch_size=min(size or 1, sizes[0]),
            train=sizes[0],
            validation=sizes[1],
            test=sizes[2],
            load=lambda: data,
            model=lambda _: model(),
            loss=loss,
            score=score,
        )


def _samples(name: str, loader: Iterable[Any]) -> int:
    dataset = getattr(loader, "dataset", None)
    if isinstance(dataset, Sized):
        return len(dataset)
    if isinstance(loader, list | tuple):
        batches: Iterable[Any] = loader
        return sum(len(targets) for _, targets in batches)
    raise TaskError(
        f"the {name} data, a {type(loader).__name__}, do not say how many samples they have: give "
        "samples=(train, validation, test)"
    )


def _parts(summary: str, has_score: bool, parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the descriptive parts of a task, with defaults for those that are not given."""
    defaults = {
        "name": "",
        "summary": summary,
        "network": "",
        "metric": Metric.score(guess=0.0) if has_score else Metric.loss(),
    }
    if unknown := parts.keys() - defaults.keys():
        raise TaskError(f"a task has no part {min(unknown)!r}: it has {', '.join(defaults)}")
    return defaults | dict(parts)
