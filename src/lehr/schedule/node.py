"""The abstract base of schedules: placing and evaluating them, without the operators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from fractions import Fraction
from functools import cached_property
from typing import Any, Final, NamedTuple, cast

from lehr.curves import Curve, Path
from lehr.errors import ScheduleError
from lehr.schedule.run import Run

DEEPEST: Final = 100
"""How deeply schedules may be nested; Python's stack is deep enough for that everywhere."""

# How strongly a text binds; the same as Python's own operators.
THEN, PLUS, TIMES, ATOM = 1, 2, 3, 4


class Reach(Enum):
    """How a schedule's length is determined, as known before it is placed."""

    FIXED = "fixed"
    """It has a length of its own."""
    FLEXIBLE = "flexible"
    """It takes the rest of the run, whose length must be known."""
    ENDLESS = "endless"
    """It takes the rest of the run, and has no end without a run."""


class Length(NamedTuple):
    """The length of a fixed-length part, in the clock of its run.

    Attributes:
        steps: The length, not rounded.
        rounds: Whether the boundary at its end is rounded to a whole step.
        shares: Whether it is at least partly a share of the run; shares may not exceed the run.
    """

    steps: Fraction
    rounds: bool
    shares: bool


@dataclass(frozen=True, slots=True)
class Site:
    """Where a schedule is placed."""

    run: Run = field(default_factory=Run)
    entry: float = 1.0
    """The level at which a piece without a start begins."""
    room: Fraction | None = None
    """The length for a schedule without its own; None if nothing ends it."""
    size: Fraction | None = None
    """The length of a part, if its sequence has rounded it."""


class Node(ABC):
    """A tree of parts; placing it over a run gives a curve."""

    @property
    def _reach(self) -> Reach:
        """How its length is determined; without an override, it has no end."""
        return Reach.ENDLESS

    def _span(self, run: Run) -> Length | None:
        """Return its length in a run; None unless its reach is FIXED."""
        return None

    @abstractmethod
    def _place(self, at: Site) -> Curve:
        """Return its curve."""

    @abstractmethod
    def _text(self) -> tuple[str, int]:
        """Return its text, and how strongly the text binds."""

    def __repr__(self) -> str:
        return self._text()[0]

    @property
    def _children(self) -> Sequence[Node]:
        """The schedules among its fields."""
        values = [getattr(self, part.name) for part in fields(cast("Any", self))]
        return [value for value in values if isinstance(value, Node)]

    @cached_property
    def _depth(self) -> int:
        """How deeply it is nested: 1 for a leaf."""
        return 1 + max((child._depth for child in self._children), default=0)

    def _check_depth(self) -> None:
        if self._depth > DEEPEST:
            raise ScheduleError(
                f"the schedule is nested more than {DEEPEST} deep; put its parts one after the "
                "other with >>, or write what it gives as lehr.table(schedule.over(1000).values())"
            )

    @cached_property
    def _path(self) -> Path:
        curve = self._place(Site())
        return curve if isinstance(curve, Path) else Path([curve])

    def __getstate__(self) -> dict[str, Any]:
        # Its other attributes are only caches.
        return {part.name: getattr(self, part.name) for part in fields(cast("Any", self))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


def bracketed(schedule: Node, strength: int) -> str:
    """Return a schedule's text for use inside an operator, in brackets where it needs them."""
    text, own = schedule._text()
    return text if own >= strength else f"({text})"


def call(function: str, *given: tuple[str, Any, Any]) -> str:
    """Write a call with the arguments (name, value, default) that differ from their default.

    An argument without a name is positional.
    """
    parts = [
        f"{name}={value}" if name else str(value)
        for name, value, default in given
        if value != default
    ]
    return f"{function}({', '.join(parts)})"
