"""A driver among the schedulers of its optimizer, and the groups that they share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lehr.torch.binding import LR, Group, Slot, plain
from lehr.torch.checkpoint import restored_on_error
from lehr.torch.groups import origins
from lehr.torch.plan import Contribution

__all__ = [
    "Family",
    "Membership",
    "base_for",
    "contributions",
    "index_of",
    "read_bases",
    "rebase",
    "recognize_groups",
    "regroup",
]


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
