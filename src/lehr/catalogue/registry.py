"""What an entry of the catalogue is, and the register of them all.

A schedule's function is registered by :func:`entry`, which is all that it takes to appear in
``lehr list``, in the documentation, in the pictures, in ``lehr compare`` and in the property tests.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from lehr.errors import ScheduleError, UnknownSchedule
from lehr.schedule import Schedule

__all__ = ["ENTRIES", "Entry", "Paper", "With", "entry", "find"]


@dataclass(frozen=True, slots=True)
class Paper:
    """Where a schedule comes from.

    Arguments:
        authors: As one would cite them: ``"Smith and Topin"``.
        year: Of its first appearance.
        title: Its title.
        arxiv: Its arXiv id, or empty.
    """

    authors: str
    year: int
    title: str
    arxiv: str = ""

    def __str__(self) -> str:
        source = f", arXiv:{self.arxiv}" if self.arxiv else ""
        return f"{self.authors} ({self.year}), {self.title}{source}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A schedule of the catalogue.

    Arguments:
        name: The function's name.
        family: The kind of schedule: ``decay``, ``cyclic``, ``phases`` or ``warmup``.
        function: Builds the schedule.
        formula: LaTeX, without the dollar signs.
        paper: Where it comes from, or None where that is lost in common practice.
        aliases: Its names in other libraries.
        arguments: Those of its example.
        make_momentum: Builds the momentum that belongs to it, or None.
    """

    name: str
    family: str
    function: Callable[..., Schedule]
    formula: str
    paper: Paper | None
    aliases: tuple[str, ...]
    arguments: With
    make_momentum: Callable[[], Schedule] | None = None

    @property
    def example(self) -> Schedule:
        """The schedule in shares of the run with peak 1, fit for any run of a step or more."""
        return self.arguments.call(self.function)

    @property
    def momentum(self) -> Schedule | None:
        """The momentum that belongs to it, as it is (not a factor), or None."""
        return self.make_momentum() if self.make_momentum else None

    @property
    def summary(self) -> str:
        """What it is, in one line."""
        return (self.function.__doc__ or "").strip().partition("\n")[0].rstrip(".")


class With:
    """The arguments of an entry's example: ``With("30%", gamma=0.5)``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._args, self._kwargs = args, kwargs

    def call(self, function: Callable[..., Schedule]) -> Schedule:
        """Return the example."""
        return function(*self._args, **self._kwargs)


ENTRIES: dict[str, Entry] = {}

F = TypeVar("F", bound=Callable[..., Schedule])


def entry(
    family: str,
    *,
    formula: str,
    example: With,
    paper: Paper | None = None,
    aliases: tuple[str, ...] = (),
    momentum: Callable[[], Schedule] | None = None,
) -> Callable[[F], F]:
    """Register the function below as an entry; see :class:`Entry` for the arguments."""

    def register(function: F) -> F:
        name = function.__name__
        if name in ENTRIES:
            raise ScheduleError(f"the catalogue has two entries {name!r}")
        ENTRIES[name] = Entry(
            name=name,
            family=family,
            function=function,
            formula=formula,
            paper=paper,
            aliases=aliases,
            arguments=example,
            make_momentum=momentum,
        )
        return function

    return register


def find(name: str) -> Entry:
    """Return an entry by its name.

    Raises:
        UnknownSchedule: If there is none; the message lists the right names.
    """
    known = ENTRIES.get(name)
    if known is not None:
        return known
    close = difflib.get_close_matches(name, ENTRIES, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise UnknownSchedule(f"unknown schedule {name!r}: {hint}write one of {', '.join(ENTRIES)}")
