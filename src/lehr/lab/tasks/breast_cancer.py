"""Breast tumours, benign or malignant: a table of 569 real cases with 30 measurements."""

from __future__ import annotations

from functools import cache

from lehr.lab.metric import Metric
from lehr.lab.tasks.base import Data, Split, Task
from lehr.lab.tasks.classification import accuracy, cross_entropy, perceptron, split_by_class

_CASES, _BENIGN, _MEASURED, _HIDDEN = 569, 357, 30, 16
_HELD_OUT = 142


@cache
def _load() -> Data:
    """Standardise the measurements by their mean and spread over the training cases."""
    from sklearn.datasets import load_breast_cancer

    table, kinds = load_breast_cancer(return_X_y=True)
    raw = split_by_class(table, kinds, _HELD_OUT)
    mean, spread = raw.train.inputs.mean(0), raw.train.inputs.std(0)
    return Data(*(Split((part.inputs - mean) / spread, part.targets) for part in raw))


TASK = Task(
    name="breast_cancer",
    summary=f"breast tumours, benign or malignant: {_CASES} cases of {_MEASURED} measurements "
    "(Wisconsin, scikit-learn)",
    network=f"perceptron {_MEASURED}-{_HIDDEN}-2 with ReLU, "
    f"{(_MEASURED + 1) * _HIDDEN + (_HIDDEN + 1) * 2} weights",
    train=_CASES - 2 * _HELD_OUT,
    validation=_HELD_OUT,
    test=_HELD_OUT,
    batch_size=32,
    metric=Metric.score("accuracy", guess=_BENIGN / _CASES),
    load=_load,
    model=perceptron(_MEASURED, _HIDDEN, 2),
    loss=cross_entropy,
    score=accuracy,
)
