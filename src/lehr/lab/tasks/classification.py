"""Classification: the loss, score and split of tasks with classes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from lehr.lab.tasks.base import SPLIT_SEED, Data, Split

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of -log of the probability of the right class, in nats.

    This is torch's own loss, written out: under `torch.vmap` it costs half as much. The outputs,
    (..., classes), are log-probabilities up to a constant; the targets, (...), are classes.
    """
    right = outputs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return (outputs.logsumexp(-1) - right).mean()


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the share of samples for which the right class has the largest output."""
    return (outputs.argmax(-1) == targets).double().mean()


def perceptron(inputs: int, hidden: int, classes: int) -> Callable[[torch.Generator], nn.Module]:
    """Return a function that makes a perceptron with one hidden layer and ReLU."""
    # A partial, which can be pickled with its task.
    return partial(_perceptron, inputs, hidden, classes)


def _perceptron(inputs: int, hidden: int, classes: int, generator: torch.Generator) -> nn.Module:
    from torch import nn

    from lehr.lab.tasks.seeding import seeded  # Loads torch.

    with seeded(generator.initial_seed()):
        return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, classes))


def split_by_class(inputs: Any, labels: Any, held_out: int) -> Data:
    """Split arrays into training, validation and test data, stratified by class.

    `held_out` samples are for validation, and as many for testing.
    """
    import torch
    from sklearn.model_selection import train_test_split

    values = torch.tensor(inputs, dtype=torch.float32)
    targets = torch.tensor(labels, dtype=torch.int64)
    train, rest = train_test_split(
        range(len(labels)), test_size=2 * held_out, stratify=labels, random_state=SPLIT_SEED
    )
    validation, test = train_test_split(
        rest, test_size=held_out, stratify=labels[rest], random_state=SPLIT_SEED
    )
    return Data(*(Split(values[part], targets[part]) for part in (train, validation, test)))
