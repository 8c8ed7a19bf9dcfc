"""The knowledge that schedulers of one optimizer have of each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lehr.torch.binding import Group, Slot
from lehr.torch.plan import Contribution

__all__ = ["Family", "Membership", "SharingScheduler"]


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
