"""Entries of the catalogue, and the two registers that hold them.

:func:`entry` registers a schedule's function: it then appears in ``lehr list``, in the
documentation, in the pictures, in ``lehr compare`` and in the property tests. The ``__all__`` of
its file makes it ``lehr.<name>``; nothing else has to change. :func:`rule` registers a feedback
rule, which depends on a metric rather than on time, in a separate register.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from lehr.errors import ScheduleError, UnknownSchedule, shown
from lehr.provided import PROVIDED
from lehr.schedule.arguments import argument, checked
from lehr.schedule.base import Schedule


@dataclass(frozen=True, slots=True)
class Paper:
    """The paper that a schedule comes from.

    Arguments:
        authors: The authors as one would cite them: ``"Smith and Topin"``.
        year: The year of its first appearance.
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


EntryFamily = Literal["decay", "warmup", "cyclic", "phases", "derived"]
"""The kinds of schedules; feedback rules are a separate family."""

State = dict[str, Any]
"""The memory of a rule: only plain JSON types, without infinity and NaN."""


class Rule(Protocol):
    """A feedback rule: from the metrics of training to a factor of the learning rate.

    A rule is an immutable value. Its state is kept separately, and can be written as JSON after any
    update and read again, so resuming is exact by construction.
    """

    def init(self) -> State:
        """Return the state before the first metric."""
        ...

    def update(self, state: State, metric: Any) -> State:
        """Return the state after one more metric; the given state is not changed."""
        ...

    def value(self, state: State) -> float:
        """Return the factor of the base rate."""
        ...

    def check_state(self, state: Any) -> State:
        """Return a copy of a state from a file, if this rule can continue from it.

        Call this before changing anything when a state is loaded.

        Raises:
            ScheduleError: If it cannot; the message names the key and the value.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Listed:
    """The fields that schedules and rules of the catalogue share.

    Arguments:
        name: The name of its function.
        family: The kind of schedule: ``decay``, ``warmup``, ``cyclic``, ``phases`` or ``derived``.
        function: Builds the schedule or the rule.
        formula: LaTeX, without the dollar signs.
        paper: Its source, or None for common practice.
        aliases: Its names in other libraries.
        arguments: The arguments of its example.
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
        """Its description in one line."""
        return (self.function.__doc__ or "").strip().partition("\n")[0].rstrip(".")

    def _repr_html_(self) -> str:
        """Return its picture, its call and its source, for a notebook."""
        return PROVIDED["entry_html"](self)

    @property
    def call(self) -> str:
        """The call of its function with the example's arguments, as one would type it."""
        return self.arguments.text(self.name)


@dataclass(frozen=True, slots=True)
class Entry(_Listed):
    """A schedule of the catalogue.

    Arguments:
        make_momentum: Builds the momentum that goes with it, or None.
        writes_out: The argument that counts parts that the function writes out one by one, or None.
            Text bounds it, because it could ask for millions in a few characters.
    """

    make_momentum: Callable[[], Schedule] | None = None
    writes_out: str | None = None

    @property
    def example(self) -> Schedule:
        """The schedule with peak 1, in shares of the run where possible; it fits any run."""
        return self.arguments.call(self.function)

    @property
    def momentum(self) -> Schedule | None:
        """The momentum that goes with it, as a value (not a factor), or None."""
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

    def bind(self, function: Callable[..., Any]) -> inspect.BoundArguments:
        """Return the arguments by the function's parameter names."""
        return inspect.signature(function).bind(*self._args, **self._kwargs)

    def call(self, function: Callable[..., Any]) -> Any:
        """Return the example."""
        return function(*self._args, **self._kwargs)

    def text(self, name: str) -> str:
        """Return the call of a function with this name, as text."""
        named = (f"{key}={value!r}" for key, value in self._kwargs.items())
        return f"{name}({', '.join([*map(repr, self._args), *named])})"


ENTRIES: dict[str, Entry] = {}
RULES: dict[str, RuleEntry] = {}

F = TypeVar("F", bound=Callable[..., Schedule])
R = TypeVar("R", bound=Callable[..., Rule])


def entry(
    family: EntryFamily,
    *,
    formula: str,
    example: With,
    paper: Paper | None = None,
    aliases: tuple[str, ...] = (),
    momentum: Callable[[], Schedule] | None = None,
    writes_out: str | None = None,
) -> Callable[[F], F]:
    """Register the function below as an entry; see :class:`Entry` for the arguments.

    Its calls are checked by the types of its arguments.
    """

    def register(function: F) -> F:
        name, function = function.__name__, checked(function, names_call=True)
        if name in ENTRIES:
            raise ScheduleError(f"the catalogue has two entries {name!r}")
        argument(EntryFamily, family, "family")
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


@checked
def find_entry(name: str) -> Entry:
    """Return the entry of a schedule, by its name here or in another library.

    Arguments:
        name: A name in :data:`ENTRIES`, or an alias: ``"CosineAnnealingLR"`` is the entry
            ``cosine``.

    Raises:
        UnknownSchedule: If no schedule has that name, or several do; the message lists the
            candidates.

    Example:
        >>> find_entry("get_cosine_schedule_with_warmup").name
        'cosine'
    """
    found = find_entries(name)
    schedules = [one for one in found if isinstance(one, Entry)]
    if not schedules:
        raise UnknownSchedule(
            f"{name!r} is a feedback rule, not a schedule: it depends on a metric, not on time; "
            f"write find_rule({found[0].name!r})"
        )
    if len(schedules) > 1:
        names = " or ".join(repr(one.name) for one in schedules)
        raise UnknownSchedule(f"{name!r} is more than one schedule here: write {names}")
    return schedules[0]


@checked
def find_rule(name: str) -> RuleEntry:
    """Return the entry of a feedback rule, by its name here or in another library.

    Raises:
        UnknownSchedule: If no rule has that name; the message suggests the nearest.

    Example:
        >>> find_rule("ReduceLROnPlateau").name
        'plateau'
    """
    found = [one for one in _named(name) if isinstance(one, RuleEntry)]
    if not found:
        raise UnknownSchedule(f"unknown rule {shown(name)}: {nearest(name, RULES)}")
    return found[0]


@checked
def find_entries(name: str) -> list[Entry | RuleEntry]:
    """Return all schedules and feedback rules with a name, here or in another library.

    A name of the catalogue is one entry. A name of another library can be several: the entry for
    torch's ``LinearLR`` depends on its arguments.

    Raises:
        UnknownSchedule: If no entry has that name; the message suggests the nearest.

    Example:
        >>> [entry.name for entry in find_entries("LinearLR")]
        ['linear', 'warmup']
    """
    found = _named(name)
    if not found:
        raise UnknownSchedule(
            f"unknown schedule {shown(name)}: {nearest(name, [*ENTRIES, *RULES])}"
        )
    return found


def _named(name: str) -> list[Entry | RuleEntry]:
    every: dict[str, Entry | RuleEntry] = {**ENTRIES, **RULES}
    if name in every:
        return [every[name]]
    for exact in (True, False):
        wanted = name if exact else name.casefold()
        forms = [
            (alias if exact else alias.casefold(), one)
            for one in every.values()
            for alias in one.aliases
        ]
        # "CyclicLR(mode='triangular')" is found by "CyclicLR", unless an alias is exactly that.
        found = [one for alias, one in forms if alias == wanted]
        found = found or [one for alias, one in forms if alias.partition("(")[0] == wanted]
        if found:
            return list({one.name: one for one in found}.values())
    return []


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: a few known names that are near it.

    Arguments:
        name: The unknown name.
        known: The known names; entries among them are also found by their aliases.
    """
    plain, names = _plain(name), [*known]
    rules = [one.name for one in _named(name) if isinstance(one, RuleEntry)]
    if rules and rules[0] not in names:
        return f"it is the feedback rule {rules[0]!r}, which depends on a metric, not on time"
    every = {**ENTRIES, **RULES}
    own = {_plain(right): right for right in reversed(names)}
    aliases = {
        _plain(alias.partition("(")[0]): right
        for right in reversed(names)
        for alias in (every[right].aliases if right in every else ())
    }
    if plain in aliases and plain not in own:
        return f"it is called {aliases[plain]!r} here"
    # Other libraries have so many names that theirs must be closer than lehr's own.
    likeness: dict[str, float] = {}
    for forms, least in ((own, 0.6), (aliases, 0.8)):
        for form in difflib.get_close_matches(plain[:80], forms, cutoff=least):
            ratio = difflib.SequenceMatcher(None, form, plain[:80]).ratio()
            likeness[forms[form]] = max(ratio, likeness.get(forms[form], 0.0))
    close = sorted(likeness, key=lambda right: -likeness[right])
    if not close:
        return "`lehr list` shows all names"
    first, *others = close
    return f"did you mean {first!r}?" + (
        f" (or {', '.join(map(repr, others[:2]))})" if others else ""
    )


def _plain(name: str) -> str:
    """Normalise a name for comparison: ``OneCycle``, ``one_cycle`` and ``one-cycle`` are equal."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())
