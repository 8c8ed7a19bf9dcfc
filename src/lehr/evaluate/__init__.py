"""Evaluation: from placed schedules to numbers, for Python numbers and arrays alike."""

from lehr.evaluate.combine import Clipped, Combined, Cycles, Stairs
from lehr.evaluate.counted import Counted, Stepped
from lehr.evaluate.counter import Counter
from lehr.evaluate.curve import (
    Call,
    Curve,
    Exponential,
    Flat,
    Known,
    Power,
    Ramp,
    Samples,
    Shaped,
)
from lehr.evaluate.path import Path, cut

__all__ = [
    "Call",
    "Clipped",
    "Combined",
    "Counted",
    "Counter",
    "Curve",
    "Cycles",
    "Exponential",
    "Flat",
    "Known",
    "Path",
    "Power",
    "Ramp",
    "Samples",
    "Shaped",
    "Stairs",
    "Stepped",
    "cut",
]
