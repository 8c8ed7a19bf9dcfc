"""torch's class and the drop-in of the same name, side by side, for tests that compare the two."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch.optim.lr_scheduler as theirs
from torch.optim import Optimizer
from torch.optim.swa_utils import SWALR

import lehr.torch as ours
from driving import make_optimizer, read

SIDES = ("torch", "lehr")

PLATEAU = "ReduceLROnPlateau"


def inverse(epoch: float) -> float:
    """Give a factor that falls: for ``LambdaLR``."""
    return 1 / (1 + epoch)


def slowly(epoch: float) -> float:
    """Give a factor a little below 1: for ``MultiplicativeLR``."""
    return 1 - 0.5 / (epoch + 1)


ARGUMENTS: dict[str, dict[str, Any]] = {
    "StepLR": {"step_size": 2, "gamma": 0.5},
    "MultiStepLR": {"milestones": [2, 5, 5, 9], "gamma": 0.5},
    "ExponentialLR": {"gamma": 0.9},
    "ConstantLR": {"factor": 0.25, "total_iters": 6},
    "LinearLR": {"start_factor": 0.1, "end_factor": 0.8, "total_iters": 8},
    "PolynomialLR": {"total_iters": 20, "power": 1.5},
    "CosineAnnealingLR": {"T_max": 10, "eta_min": 0.01},
    "CosineAnnealingWarmRestarts": {"T_0": 4, "T_mult": 2, "eta_min": 0.01},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 1.0, "step_size_up": 5, "mode": "triangular2"},
    "OneCycleLR": {"max_lr": 1.0, "total_steps": 40},
    "LambdaLR": {"lr_lambda": inverse},
    "MultiplicativeLR": {"lr_lambda": slowly},
    "SWALR": {"swa_lr": 0.05, "anneal_epochs": 8},
    PLATEAU: {"factor": 0.5, "patience": 1, "cooldown": 1, "min_lr": 0.001},
}
"""Arguments for every drop-in of a class of torch's, under which something happens in 20 steps."""

METRICS = [1.0, 0.8, 0.9, 0.95, 0.7, 0.71, 0.72, 0.73, 0.74, 0.75, 0.6, 0.61, 0.62, 0.63, 0.64]
"""The metrics that a plateau's rule gets, again and again."""

CLOSED = {"CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR", "LambdaLR"}
"""The classes of torch's that work out each rate from the base; all others go on from the rate."""


def scheduler_class(side: str, name: str) -> Any:
    """Return the class of a name, torch's own or lehr's."""
    if side == "lehr":
        return getattr(ours, name)
    return SWALR if name == "SWALR" else getattr(theirs, name)


@dataclass
class Run:
    """An optimizer with a scheduler, and how many steps were made."""

    optimizer: Optimizer
    scheduler: Any
    made: int = 0

    def step(self) -> None:
        """Make one update, and one step of the scheduler."""
        self.optimizer.step()
        if isinstance(self.scheduler, theirs.ReduceLROnPlateau):
            self.scheduler.step(METRICS[self.made % len(METRICS)])
        else:
            self.scheduler.step()
        self.made += 1

    def steps(self, count: int) -> list[list[tuple[float, float]]]:
        """Return the rate and the momentum of each group after each of so many steps."""
        rows: list[list[tuple[float, float]]] = []
        for _ in range(count):
            self.step()
            rows.append(read(self.optimizer))
        return rows


def build(
    side: str,
    name: str,
    arguments: dict[str, Any] | None = None,
    kind: str = "sgd",
    bases: Sequence[float] = (0.1, 0.3),
) -> Run:
    """Return a new optimizer with a new scheduler, with the usual arguments if none are given."""
    optimizer = make_optimizer(kind, bases)
    given = ARGUMENTS[name] if arguments is None else arguments
    return Run(optimizer, scheduler_class(side, name)(optimizer, **given))


def saved(run: Run) -> dict[str, Any]:
    """Return a scheduler's state; that it lacks functions is known here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run.scheduler.state_dict()


def flat(rows: Any) -> list[float]:
    """Return all numbers of a run in one list, to be compared by ``pytest.approx``."""
    return [number for groups in rows for pair in groups for number in pair]
