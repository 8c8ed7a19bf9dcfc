"""A driver among the schedulers of its optimizer, and its groups: what they are and have."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from lehr.torch.binding import LR, Group, Slot, plain, python_number
from lehr.torch.checkpoint import restored_on_error
from lehr.torch.groups import origins
from lehr.torch.plan import Contribution


class Family:
    """Schedulers of which only the one that moved last contributes."""

    last: int = 0


@dataclass
class Membership:
    """A scheduler's part among those of its optimizer.

    Attributes:
        silent: Whether it contributes nothing until its next move.
        turn: When it moved last, as a count of moves.
        family: The family that it belongs to.
    """

    silent: bool = True
    turn: int = 0
    family: Family | None = None


# ----- methods of a driver ----------------------------------------------------------------------


def contributions(driver: Any) -> list[tuple[Slot, Group, Contribution]]:
    """Return the driver's share in each number at its position."""
    groups = driver.groups
    present = dict(zip(origins(driver._known, groups), groups, strict=True))
    return [
        (slot, present[index], contribution)
        for slot, index, contribution in driver.plan.contributions(driver._position)
        if index in present
    ]


def base_for(driver: Any, slot: Slot, group: Group, value: float) -> float | None:
    """Return the base from which the driver's schedule would have reached a value, or None."""
    index = driver._index(group)
    driven = None if index is None else driver.plan.of_slot(slot, index)
    if driven is None or index is None:
        return None
    return driven.base_for(index, value, driven.levels.at(driver._position))


def rebase(driver: Any, slot: Slot, group: Group, base: float) -> None:
    """Use a new base for a number of a group."""
    index = driver._index(group)
    if index is not None:
        driver._set_base(slot, index, base)
        driver._replan()


def read_bases(driver: Any) -> None:
    """Use the bases of a loaded optimizer, and write those that it lacks."""
    groups = driver.groups
    for group, origin in zip(groups, origins(driver._known, groups), strict=True):
        if origin is not None:
            driver._known[origin] = group
            if "lr" in group:
                base = group.setdefault("initial_lr", driver.base_lrs[origin])
                if driver._follows_bases():
                    driver._set_base(LR, origin, plain(base))
    driver._replan()


def recognize_groups(driver: Any) -> None:
    """Follow groups that were added, removed or reordered since the last call.

    Raises:
        ScheduleError: If an added group cannot be driven. Nothing is changed then.
    """
    groups = driver.groups
    old = origins(driver._known, groups)
    if old != list(range(len(driver._known))):
        with restored_on_error(driver):
            driver._regroup(old)
            driver._known = list(groups)
            driver._replan()
    driver._known = list(groups)


def regroup(driver: Any, old: list[int | None]) -> None:
    """Bring what is kept for each group into a new order.

    Arguments:
        old: For each group its index in the order before, or None if it was added.
    """
    driver.base_lrs = [
        _base_of_added(group) if origin is None else driver.base_lrs[origin]
        for origin, group in zip(old, driver.groups, strict=True)
    ]


def _base_of_added(group: Group) -> Any:
    if "lr" not in group:
        return math.nan
    return group.setdefault("initial_lr", plain(group["lr"]))


def index_of(driver: Any, group: Group) -> int | None:
    """Return the index of a group, or None if it is not driven here."""
    for index, known in enumerate(driver._known):
        if known is group or known["params"] is group["params"]:
            return index
    return None


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
