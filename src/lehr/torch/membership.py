"""The knowledge that schedulers of one optimizer have of each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from lehr.torch.binding import LR, Group, Slot, plain
from lehr.torch.groups import origins
from lehr.torch.plan import Contribution

__all__ = [
    "Family",
    "Membership",
    "SharingScheduler",
    "base_for",
    "contributions",
    "read_bases",
    "rebase",
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


class SharingScheduler(Protocol):
    """A scheduler, as far as the others of its optimizer need to know."""

    membership: Membership
    keeps_loaded_values: bool

    @property
    def is_absolute(self) -> bool:
        """Whether its values are independent of the groups' bases."""
        ...

    def contributions(self) -> list[tuple[Slot, Group, Contribution]]:
        """Return its share in each number at its position."""
        ...

    def write_alone(self) -> bool:
        """Write its values and compute the next ones; return False if that cannot be done."""
        ...

    def settle(self) -> None:
        """Drop the values that were computed ahead."""
        ...

    def base_for(self, slot: Slot, group: Group, value: float) -> float | None:
        """Return the base from which its schedule would have come to a value."""
        ...

    def rebase(self, slot: Slot, group: Group, base: float) -> None:
        """Use a new base for a number of a group."""
        ...

    def read_bases(self) -> None:
        """Use the bases that a loaded optimizer brought."""
        ...


# ----- as a driver does it: its methods ---------------------------------------------------------


def contributions(driver: Any) -> list[tuple[Slot, Group, Contribution]]:
    """Return its share in each number at its position."""
    groups = driver.groups
    present = dict(zip(origins(driver._known, groups), groups, strict=True))
    return [
        (slot, present[index], contribution)
        for slot, index, contribution in driver.plan.contributions(driver._position)
        if index in present
    ]


def base_for(driver: Any, slot: Slot, group: Group, value: float) -> float | None:
    """Return the base from which its schedule would have come to a value, or None."""
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
    """Use the bases that a loaded optimizer brought, and write those that it lacks."""
    groups = driver.groups
    for group, origin in zip(groups, origins(driver._known, groups), strict=True):
        if origin is not None:
            driver._known[origin] = group
            if "lr" in group:
                base = group.setdefault("initial_lr", driver.base_lrs[origin])
                if driver._follows_bases():
                    driver._set_base(LR, origin, plain(base))
    driver._replan()
