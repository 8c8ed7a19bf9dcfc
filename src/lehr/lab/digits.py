# pyright: basic
"""Handwritten digits: 1,797 real images of 8 by 8 pixels, and a perceptron small enough to train
in a fraction of a second."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lehr.lab.task import Data, Split, Task

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = ["TASK"]

_IMAGES, _PIXELS, _HIDDEN, _CLASSES = 1797, 64, 32, 10
_BRIGHTEST = 16.0
_HELD_OUT = 450  # for validation, and as many for the test

# The split is part of the task: with another, scores would not be comparable.
_SPLIT_SEED = 0


@cache
def _load() -> Data:
    """Training, validation and test data, each with its share of every digit."""
    import torch
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    pixels = torch.tensor(images / _BRIGHTEST, dtype=torch.float32)
    targets = torch.tensor(labels, dtype=torch.int64)
    train, rest = train_test_split(
        range(_IMAGES), test_size=2 * _HELD_OUT, stratify=labels, random_state=_SPLIT_SEED
    )
    validation, test = train_test_split(
        rest, test_size=_HELD_OUT, stratify=labels[rest], random_state=_SPLIT_SEED
    )
    return Data(*(Split(pixels[part], targets[part]) for part in (train, validation, test)))


def _model(generator: torch.Generator) -> nn.Module:
    from torch import nn

    def layer(inputs: int, outputs: int) -> nn.Linear:
        made = nn.Linear(inputs, outputs)
        # Torch draws from this range too, but not from a generator of one's own.
        for parameter in made.parameters():
            nn.init.uniform_(parameter, -(inputs**-0.5), inputs**-0.5, generator=generator)
        return made

    return nn.Sequential(layer(_PIXELS, _HIDDEN), nn.ReLU(), layer(_HIDDEN, _CLASSES))


def _loss(outputs: Tensor, targets: Tensor) -> Tensor:
    from torch.nn import functional

    return functional.cross_entropy(outputs, targets)


def _accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs.argmax(-1) == targets).double().mean()


_WEIGHTS = (_PIXELS + 1) * _HIDDEN + (_HIDDEN + 1) * _CLASSES

TASK = Task(
    name="digits",
    summary=f"handwritten digits, {_IMAGES:,} grey images of 8 by 8 pixels (scikit-learn)",
    network=f"perceptron {_PIXELS}-{_HIDDEN}-{_CLASSES} with ReLU, {_WEIGHTS:,} weights",
    train=_IMAGES - 2 * _HELD_OUT,
    validation=_HELD_OUT,
    test=_HELD_OUT,
    batch_size=32,
    score_name="test accuracy",
    chance=1 / _CLASSES,
    load=_load,
    model=_model,
    loss=_loss,
    score=_accuracy,
)
