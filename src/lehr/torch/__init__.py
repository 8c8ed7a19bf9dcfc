"""Driving torch optimizers: the scheduler, and torch's own schedulers as drop-ins."""

from lehr.torch.dropin import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from lehr.torch.dropin_cyclic import CyclicLR
from lehr.torch.dropin_onecycle import OneCycleLR
from lehr.torch.scheduler import Scheduler, absolute, factor
from lehr.torch.trapezoidal import TrapezoidalLR

__all__ = [
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "Scheduler",
    "StepLR",
    "TrapezoidalLR",
    "absolute",
    "factor",
]
