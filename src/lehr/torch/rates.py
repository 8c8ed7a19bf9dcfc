"""The rates and other numbers that people read from a driver, as its methods."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from lehr.torch.binding import LR, python_number

__all__ = ["get_last_lr", "get_lr", "logged"]


def get_lr(driver: Any) -> list[float | Tensor]:
    """Return the rate of each group at the present position, also before it is written.

    Frameworks that write the rates themselves set ``last_epoch`` and call it.
    """
    rates = get_last_lr(driver)
    for slot, group, share in driver.contributions() if driver._position >= 0 else ():
        if slot.place == LR.place:
            index = next(i for i, each in enumerate(driver.groups) if each is group)
            rate = rates[index]
            rates[index] = rate.fill_(share.value) if isinstance(rate, Tensor) else share.value
    return rates


def get_last_lr(driver: Any) -> list[float | Tensor]:
    """Return the current rate of each group."""
    return [python_number(group.get("lr", math.nan)) for group in driver.groups]


def logged(driver: Any) -> dict[str, float]:
    """Return the driven numbers, by name, for a logger.

    The names are those of the driven numbers, such as ``"lr"`` and ``"momentum"``; with several
    groups, ``"lr/0"`` or, where a group has a ``"name"``, ``"lr/head"``.

    Example:
        >>> import lehr, torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9)
        >>> from lehr.torch import Scheduler
        >>> Scheduler(optimizer, lehr.linear(10), momentum=lehr.constant(0.5)).logged()
        {'lr': 0.1, 'momentum': 0.5}
    """
    return driver.plan.numbers(driver.groups)
