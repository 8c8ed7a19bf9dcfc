"""The peak rates at which an optimizer is tried first: its grid.

All grids have the same shape, five peaks over two decades, and are shifted by whole decades. A grid
need not be right: if the best peak is at its edge, it is extended, at the same cost for every pair.
"""

from __future__ import annotations

import re
from typing import Final

from lehr.lab.optimizers.entry import OptimizerEntry
from lehr.lab.optimizers.text import Named

GRID: Final = (0.01, 0.03, 0.1, 0.3, 1.0)
"""The grid of SGD with momentum."""

# The first row with a word that occurs in the name of the class counts.
_FACTORS: Final = (
    # The sign of an average moves each number by the whole rate: three to ten times below Adam,
    # by the authors of Lion (arXiv:2302.06675), and Adam's grid ends well above its usual rates.
    ("lion|sign|tiger", 0.01),
    # The update of a matrix is made orthogonal, so its size does not depend on the gradient's.
    ("muon|shampoo|soap|kron|psgd|scion|dion", 0.1),
    # Steps in the units of the weights, or from a line search: the rate is a factor near 1.
    ("adadelta|lbfgs|dadapt|prodigy", 10.0),
    # The sum of squared gradients grows, and the steps shrink with its root.
    ("adagrad", 1.0),
    # An update of about the rate in every number, whatever the gradient.
    ("adam|rmsprop|adafactor|lamb|rprop|adopt|adabelief|adan|yogi|novograd|ranger|ademamix", 0.1),
)
_MOMENTUM, _PLAIN, _UNKNOWN = 1.0, 10.0, 0.1


def first_peaks(entry: OptimizerEntry) -> tuple[float, ...]:
    """Return the peak rates at which an optimizer is tried first, in ascending order.

    Example:
        >>> from lehr.lab.optimizers import find_optimizer
        >>> first_peaks(find_optimizer("adam"))
        (0.001, 0.003, 0.01, 0.03, 0.1)
        >>> first_peaks(find_optimizer("sgd"))
        (0.1, 0.3, 1.0, 3.0, 10.0)
    """
    factor = _factor(entry)
    return tuple(float(f"{factor * peak:.3g}") for peak in GRID)


def _factor(entry: OptimizerEntry) -> float:
    if entry.inner is not None:  # a wrapper, whose inner class may be given by name
        return _factor(entry.inner)
    for value in entry.settings.values():
        if isinstance(value, Named):
            others = {name: each for name, each in entry.settings.items() if each is not value}
            return _factor(OptimizerEntry(value.name, others))
        if isinstance(value, OptimizerEntry):
            return _factor(value)
    kind = entry.kind.lower()
    for words, factor in _FACTORS:
        if re.search(words, kind):
            return factor
    if "sgd" not in kind:
        return _UNKNOWN
    # With a momentum m, an update is about 1 / (1 - m) gradients.
    return _MOMENTUM if entry.has_momentum else _PLAIN
