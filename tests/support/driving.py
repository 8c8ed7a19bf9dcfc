"""Helpers of the tests of torch: optimizers of every kind, and runs written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

Row = tuple[float, float]
"""The rate and the momentum (or first beta) of one group."""

KINDS = ("sgd", "adamw", "sgd-tensor", "adamw-tensor")
"""The optimizers that are driven: momentum and betas, float rates and tensor rates."""


def make_optimizer(kind: str = "sgd", rates: Sequence[float] = (0.1,)) -> Optimizer:
    """Return an optimizer with one group a rate, of one of the ``KINDS``."""
    name, _, tensor = kind.partition("-")
    groups = [
        {
            "params": [torch.zeros(1, requires_grad=True)],
            # Double precision: what is compared is the schedule, not the rounding of a float32.
            "lr": torch.tensor(rate, dtype=torch.float64) if tensor else rate,
        }
        for rate in rates
    ]
    if name == "sgd":
        return torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    return torch.optim.AdamW(groups, lr=0.1)


def read(optimizer: Optimizer) -> list[Row]:
    """Return the rate and the momentum of every group, as they stand."""
    return [
        (
            float(group["lr"]),
            float(group["betas"][0] if "betas" in group else group["momentum"]),
        )
        for group in optimizer.param_groups
    ]


def rates(optimizer: Optimizer) -> list[float]:
    """Return the current rate of every group."""
    return [rate for rate, _ in read(optimizer)]


def drive(optimizer: Optimizer, scheduler: LRScheduler, steps: int) -> list[list[Row]]:
    """Return the values that each of the next updates uses, and those after the last."""
    rows = [read(optimizer)]
    for _ in range(steps):
        optimizer.step()
        scheduler.step()
        rows.append(read(optimizer))
    return rows


def run(
    scheduler: Callable[..., LRScheduler],
    arguments: dict[str, Any],
    steps: int,
    kind: str = "sgd",
    bases: Sequence[float] = (0.1,),
) -> list[list[Row]]:
    """Drive a new optimizer with a new scheduler."""
    optimizer = make_optimizer(kind, bases)
    return drive(optimizer, scheduler(optimizer, **arguments), steps)


def worst(ours: list[list[Row]], theirs: list[list[Row]]) -> float:
    """Return the largest difference of two runs, relative to the highest value of its kind."""
    assert len(ours) == len(theirs)
    error = 0.0
    for kind in (0, 1):
        a = [row[kind] for rows in ours for row in rows]
        b = [row[kind] for rows in theirs for row in rows]
        peak = max(abs(value) for value in b)
        if peak:
            error = max(error, max(abs(x - y) for x, y in zip(a, b, strict=True)) / peak)
    return error
