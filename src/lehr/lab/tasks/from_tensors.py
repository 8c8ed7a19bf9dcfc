"""A task made of tensors, and what classifiers share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lehr.lab.tasks.base import Data, Split, Task, TaskError

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["accuracy", "cross_entropy", "exp_of_loss", "of_classes", "task_of", "weights"]

# The split is part of the task: with another, scores would not be comparable.
_SPLIT_SEED = 0
_FEWEST = 4


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean of -log of the probability that each right class gets, in nats.

    torch's own, written out: side by side under `torch.vmap` it costs half as much.

    Arguments:
        outputs: (..., classes), logarithms of probabilities but for a constant.
        targets: (...), the right classes.
    """
    right = outputs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return (outputs.logsumexp(-1) - right).mean()


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """The share of samples whose right class gets the largest output."""
    return (outputs.argmax(-1) == targets).double().mean()


def exp_of_loss(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """A loss of 0 or more as a score: 1 for no loss, 0 for one without end."""

    def score(outputs: Tensor, targets: Tensor) -> Tensor:
        return loss(outputs, targets).double().neg().exp()

    return score


def weights(network: nn.Module) -> int:
    """How many numbers of a network are trained."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def of_classes(inputs: Any, labels: Any, held_out: int) -> Data:
    """Split a classifier's arrays, each part with its share of every class.

    Arguments:
        inputs: (samples, ...) float.
        labels: (samples,) int.
        held_out: Samples for validation, and as many for the test.
    """
    import torch
    from sklearn.model_selection import train_test_split

    values = torch.tensor(inputs, dtype=torch.float32)
    targets = torch.tensor(labels, dtype=torch.int64)
    train, rest = train_test_split(
        range(len(labels)), test_size=2 * held_out, stratify=labels, random_state=_SPLIT_SEED
    )
    validation, test = train_test_split(
        rest, test_size=held_out, stratify=labels[rest], random_state=_SPLIT_SEED
    )
    return Data(*(Split(values[part], targets[part]) for part in (train, validation, test)))


def task_of(
    inputs: Tensor,
    targets: Tensor,
    model: Callable[[], nn.Module],
    loss: Callable[[Tensor, Tensor], Tensor],
    score: Callable[[Tensor, Tensor], Tensor] | None,
    parts: dict[str, Any],
) -> Task:
    """Make a task of tensors; see `Task.from_tensors`."""
    import torch

    for name, tensor in (("inputs", inputs), ("targets", targets)):
        if not isinstance(tensor, torch.Tensor):
            raise TaskError(f"{name} is a {type(tensor).__name__}, not a torch.Tensor")
    samples = len(inputs) if inputs.dim() else 0
    if samples < _FEWEST or targets.dim() < 1 or len(targets) != samples:
        raise TaskError(
            f"inputs has the shape {tuple(inputs.shape)} and targets {tuple(targets.shape)}: both "
            f"need the same number of samples in front, at least {_FEWEST}"
        )
    order = torch.randperm(samples, generator=torch.Generator().manual_seed(_SPLIT_SEED))
    held_out = samples // 4
    cuts = order.split([samples - 2 * held_out, held_out, held_out])
    data = Data(*(Split(inputs[part].detach(), targets[part].detach()) for part in cuts))
    usual = {
        "name": "",
        "summary": f"{samples:,} samples of shape {tuple(inputs.shape[1:])}",
        "network": "",
        "batch_size": min(32, samples - 2 * held_out),
        "score_name": "test score" if score else "exp(-test loss)",
        "chance": 0.0,
    }
    if unknown := parts.keys() - usual.keys():
        raise TaskError(
            f"a task of tensors has no part {min(unknown)!r}: it has {', '.join(usual)}"
        )
    return Task(
        **(usual | parts),
        train=samples - 2 * held_out,
        validation=held_out,
        test=held_out,
        load=lambda: data,
        model=lambda _: model(),
        loss=loss,
        score=score or exp_of_loss(loss),
    )
