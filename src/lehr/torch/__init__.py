"""Driving torch optimizers: the scheduler, and torch's own schedulers as drop-ins."""

from lehr.torch.dropin import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from lehr.torch.dropin_cyclic import CyclicLR
from lehr.torch.dropin_lambda import LambdaLR, MultiplicativeLR
from lehr.torch.dropin_onecycle import OneCycleLR
from lehr.torch.dropin_plateau import ReduceLROnPlateau
from lehr.torch.dropin_swa import SWALR
from lehr.torch.dropin_trees import ChainedScheduler, SequentialLR
from lehr.torch.guards import GUARDS
from lehr.torch.meaning import absolute, factor
from lehr.torch.scheduler import Scheduler
from lehr.torch.trapezoidal import TrapezoidalLR

__all__ = [
    "GUARDS",
    "SWALR",
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "Scheduler",
    "SequentialLR",
    "StepLR",
    "TrapezoidalLR",
    "absolute",
    "factor",
]
