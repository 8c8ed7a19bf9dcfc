"""The driven numbers, by name, as loggers take them."""

from __future__ import annotations

from typing import Protocol

from lehr.torch.binding import Group, plain
from lehr.torch.plan import DrivePlan

__all__ = ["logged"]


class Logged(Protocol):
    """The part of a scheduler from which its numbers are read."""

    plan: DrivePlan

    @property
    def groups(self) -> list[Group]:
        """The groups that it drives."""
        ...


def logged(scheduler: Logged) -> dict[str, float]:
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
    groups = scheduler.groups
    found: dict[str, float] = {}
    for driven in scheduler.plan.driven:
        for index in driven.groups:
            name = groups[index].get("name", index)
            label = driven.slot.name if len(groups) == 1 else f"{driven.slot.name}/{name}"
            found[label] = plain(driven.slot.read(groups[index]))
    return found
