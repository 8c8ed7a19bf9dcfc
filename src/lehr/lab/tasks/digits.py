"""Handwritten digits: 1,797 real images of 8 by 8 pixels, a perceptron small enough to train in a
fraction of a second, and a convolutional network."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from lehr.lab.metric import Metric
from lehr.lab.tasks.base import Data, Split, Task
from lehr.lab.tasks.classification import accuracy, cross_entropy, split_by_class

if TYPE_CHECKING:
    import torch
    from torch import nn


_IMAGES, _SIDE, _HIDDEN, _CLASSES = 1797, 8, 32, 10
_PIXELS = _SIDE * _SIDE
_BRIGHTEST = 16.0
_HELD_OUT = 450  # for validation, and as many for testing


@cache
def _load() -> Data:
    """Return training, validation and test data, stratified by digit."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return split_by_class(images / _BRIGHTEST, labels, _HELD_OUT)


def _model(generator: torch.Generator) -> nn.Module:
    from torch import nn

    def layer(inputs: int, outputs: int) -> nn.Linear:
        made = nn.Linear(inputs, outputs)
        # torch draws from the same range, but not from a given generator.
        for parameter in made.parameters():
            nn.init.uniform_(parameter, -(inputs**-0.5), inputs**-0.5, generator=generator)
        return made

    return nn.Sequential(layer(_PIXELS, _HIDDEN), nn.ReLU(), layer(_HIDDEN, _CLASSES))


_WEIGHTS = (_PIXELS + 1) * _HIDDEN + (_HIDDEN + 1) * _CLASSES

TASK = Task(
    name="digits",
    summary=f"handwritten digits, {_IMAGES:,} grey images of 8 by 8 pixels (scikit-learn)",
    network=f"perceptron {_PIXELS}-{_HIDDEN}-{_CLASSES} with ReLU, {_WEIGHTS:,} weights",
    train=_IMAGES - 2 * _HELD_OUT,
    validation=_HELD_OUT,
    test=_HELD_OUT,
    batch_size=32,
    metric=Metric.score("accuracy", guess=1 / _CLASSES),
    load=_load,
    model=_model,
    loss=cross_entropy,
    score=accuracy,
)

_MAPS = (8, 16)


@cache
def _load_images() -> Data:
    return Data(*(Split(s.inputs.view(-1, 1, _SIDE, _SIDE), s.targets) for s in _load()))


def _convolutional(generator: torch.Generator) -> nn.Module:
    from torch import nn

    from lehr.lab.tasks.seeding import seeded  # Loads torch.

    few, many = _MAPS
    with seeded(generator.initial_seed()):
        return nn.Sequential(
            nn.Conv2d(1, few, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(few, many, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(many * (_SIDE // 4) ** 2, _CLASSES),
        )


_CONVOLUTIONAL_WEIGHTS = (
    10 * _MAPS[0] + (9 * _MAPS[0] + 1) * _MAPS[1] + (4 * _MAPS[1] + 1) * _CLASSES
)

CONVOLUTIONAL = replace(
    TASK,
    name="digits-conv",
    network=f"two convolutions of {_MAPS[0]} and {_MAPS[1]} maps, each with ReLU and pooling, and "
    f"a linear layer, {_CONVOLUTIONAL_WEIGHTS:,} weights",
    load=_load_images,
    model=_convolutional,
)
