"""Driving torch optimizers: the scheduler, and torch's own schedulers as drop-ins."""

from lehr.extras import needs

with needs("lehr.torch", "torch", "torch"):
    import torch as _torch

    del _torch

from lehr.torch.dropins.containers import ChainedScheduler, SequentialLR
from lehr.torch.dropins.cyclic import CyclicLR
from lehr.torch.dropins.elementary import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from lehr.torch.dropins.lambdas import LambdaLR, MultiplicativeLR
from lehr.torch.dropins.one_cycle import OneCycleLR
from lehr.torch.dropins.plateau import ReduceLROnPlateau
from lehr.torch.dropins.restarts import CosineAnnealingWarmRestarts
from lehr.torch.dropins.swa import SWALR
from lehr.torch.dropins.trapezoidal import TrapezoidalLR
from lehr.torch.finding.find_lr import find_lr
from lehr.torch.finding.range_test import range_test
from lehr.torch.finding.sweep_lr import sweep_lr
from lehr.torch.groups import absolute, factor
from lehr.torch.guards import GUARDS
from lehr.torch.scheduler import Scheduler

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
    "find_lr",
    "sweep_lr",
    "range_test",
]
