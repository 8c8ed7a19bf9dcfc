"""Entries of the catalogue, and the two registers that hold them.

:func:`entry` registers a schedule's function: it then appears in ``lehr list``, in the
documentation, in the pictures, in ``lehr compare`` and in the property tests. The ``__all__`` of
its file makes it ``lehr.<name>``; nothing else has to be changed. :func:`rule` registers a feedback
rule, which depends on a metric rather than on time, in a register of its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from lehr.errors import ScheduleError, UnknownSchedule
from lehr.schedule.base import Schedule

__all__ = [
    "ENTRIES",
    "RULES",
    "Entry",
    "Paper",
    "Rule",
    "RuleEntry",
    "State",
    "With",
    "entry",
    "find",
    "find_rule",
    "rule",
]


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


State = dict[str, Any]
"""What a rule remembers: plain JSON types only, no infinity and no NaN."""


class Rule(Protocol):
    """A feedback rule: from the metrics of training to a factor of the learning rate.

    A rule is an immutable value; what changes is a state outside of it, which can be written as
    JSON after any update and read again. So resuming is exact by construction.
    """

    def init(self) -> State:
        """Return the state before the first metric."""
        ...

    def update(self, state: State, metric: Any) -> State:
        """Return the state after one more metric; the given one is left as it is."""
        ...

    def value(self, state: State) -> float:
        """Return the factor of the base rate."""
        ...


@dataclass(frozen=True, slots=True)
class _Listed:
    """What schedules and rules of the catalogue have in common.

    Arguments:
        name: The function's name.
        family: The kind of schedule: ``decay``, ``warmup``, ``cyclic``, ``phases`` or ``derived``
        function: Builds the schedule or the rule.
        formula: LaTeX, without the dollar signs.
        paper: Where it comes from, or None where that is lost in common practice.
        aliases: Its names in other libraries.
        arguments: Those of its example.
    """

    name: str
    family: str
    function: Callable[..., Any]
    formula: str
    paper: Paper | None
    aliases: tuple[str, ...]
    arguments: With

    @property
    def summary(self) -> str:
        """What it is, in one line."""
        return (self.function.__doc__ or "").strip().partition("\n")[0].rstrip(".")


@dataclass(frozen=True, slots=True)
class Entry(_Listed):
    """A schedule of the catalogue.

    Arguments:
        make_momentum: Builds the momentum that belongs to it, or None.
        writes_out: The argument that counts parts which the function writes out one by one, or
            None: a text bounds it, as it could ask for millions in a few characters.
    """

    make_momentum: Callable[[], Schedule] | None = None
    writes_out: str | None = None

    @property
    def example(self) -> Schedule:
        """The schedule with peak 1, in shares of the run where it can be; fit for any run."""
        return self.arguments.call(self.function)

    @property
    def momentum(self) -> Schedule | None:
        """The momentum that belongs to it, as it is (not a factor), or None."""
        return self.make_momentum() if self.make_momentum else None


@dataclass(frozen=True, slots=True)
class RuleEntry(_Listed):
    """A feedback rule of the catalogue."""

    @property
    def example(self) -> Rule:
        """The rule with the arguments that its authors propose."""
        return self.arguments.call(self.function)


class With:
    """The arguments of an entry's example: ``With("30%", gamma=0.5)``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._args, self._kwargs = args, kwargs

    def call(self, function: Callable[..., Any]) -> Any:
        """Return the example."""
        return function(*self._args, **self._kwargs)


ENTRIES: dict[str, Entry] = {}
RULES: dict[str, RuleEntry] = {}

F = TypeVar("F", bound=Callable[..., Schedule])
R = TypeVar("R", bound=Callable[..., Rule])


def entry(
    family: str,
    *,
    formula: str,
    example: With,
    paper: Paper | None = None,
    aliases: tuple[str, ...] = (),
    momentum: Callable[[], Schedule] | None = None,
    writes_out: str | None = None,
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
            writes_out=writes_out,
        )
        return function

    return register


def rule(
    *, formula: str, example: With, paper: Paper | None = None, aliases: tuple[str, ...] = ()
) -> Callable[[R], R]:
    """Register the class below as a feedback rule; see :class:`RuleEntry` for the arguments."""

    def register(function: R) -> R:
        name = function.__name__
        if name in RULES or name in ENTRIES:
            raise ScheduleError(f"the catalogue has two entries {name!r}")
        RULES[name] = RuleEntry(name, "feedback", function, formula, paper, aliases, example)
        return function

    return register


def find(name: str) -> Entry:
    """Return an entry by its name.

    Raises:
        UnknownSchedule: If there is none; the message lists the right names.
    """
    if name in RULES:
        raise UnknownSchedule(
            f"{name!r} is a feedback rule, not a schedule: it follows a metric, not the time; "
            "see lehr.RULES"
        )
    return _found("schedule", name, ENTRIES)


def find_rule(name: str) -> RuleEntry:
    """Return a feedback rule's entry by its name.

    Raises:
        UnknownSchedule: If there is none; the message lists the right names.
    """
    return _found("rule", name, RULES)


E = TypeVar("E", bound=_Listed)


def _found(kind: str, name: str, among: dict[str, E]) -> E:
    if name in among:
        return among[name]
    close = difflib.get_close_matches(name, among, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise UnknownSchedule(f"unknown {kind} {name!r}: {hint}write one of {', '.join(among)}")
