"""Curves: placed schedules, evaluated for Python numbers and arrays alike."""

from lehr.curves.clocked import Counted, Stepped
from lehr.curves.combine import Clipped, Combined, Cycles, Stairs
from lehr.curves.curve import (
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
from lehr.curves.path import Path, cut

__all__ = [
    "Call",
    "Clipped",
    "Combined",
    "Counted",
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
