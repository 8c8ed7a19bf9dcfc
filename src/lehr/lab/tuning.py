"""Numbers tuned in addition to the peak: of an optimizer, or of a schedule."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from lehr.catalogue import ENTRIES
from lehr.lab.optimizers import with_setting
from lehr.lab.optimizers.text import read, write
from lehr.lab.schedules import Contender, find_contender
from lehr.notation import parse


@dataclass(frozen=True)
class Tuned:
    """A number to tune, and the values to try.

    The name is that of an optimizer's argument, or ``function.argument`` of a schedule.
    """

    name: str
    values: tuple[Any, ...]

    @property
    def text(self) -> str:
        """The number and its values, as text for `read_tuned`."""
        return f"{self.name}={','.join(map(write, self.values))}"

    def fits(self, arguments: Iterable[str], schedule: str) -> bool:
        """Return whether a schedule, or an optimizer with these arguments, has this number."""
        function, dot, argument = self.name.rpartition(".")
        if not dot:
            return argument in arguments
        if schedule.isidentifier():
            return schedule == function
        return any(True for _ in _calls(_tree(schedule), function))


@dataclass(frozen=True)
class Choice:
    """A pair with values for its tuned numbers, as texts; the optimizer's is canonical."""

    values: Mapping[str, str]
    optimizer: str
    contender: Contender


def read_tuned(text: str, option: str = "tune") -> Tuned:
    """Read a number and its values; `option` is the argument's name for messages.

    Raises:
        ValueError: If the text is not a number and its values.

    Example:
        >>> read_tuned("cosine.to=0, 0.1").values
        (0, 0.1)
    """
    name, _, values = text.partition("=")
    name = name.strip()
    if not values.strip() or not all(part.isidentifier() for part in name.split(".")):
        raise ValueError(
            f"{option}={text!r:.80} is not a number and its values: write weight_decay=0,0.01,0.1 "
            "or cosine.to=0,0.1"
        )
    try:
        (found,) = read(f"tune(values=[{values}])").settings.values()
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"{option}={text!r:.80} has values that cannot be read: {reason}"
        ) from None
    if len({write(value) for value in found}) != len(found):
        raise ValueError(f"{option}={text!r:.80} has a value twice: write each once")
    return Tuned(name, tuple(found))


def choices(
    optimizer: str, schedule: str, tuned: Iterable[Tuned], arguments: Iterable[str] = ()
) -> list[Choice]:
    """Return a pair with each combination of values for the tuned numbers that it has.

    Optimizer and schedule are texts, and `arguments` are the optimizer's.

    Raises:
        ValueError: If the optimizer or the schedule refuses a value.
    """
    own = [each for each in tuned if each.fits(arguments, schedule)]
    found: list[Choice] = []
    for values in product(*(each.values for each in own)):
        text, contender = optimizer, find_contender(schedule)
        changes: dict[tuple[str, str], Any] = {}
        for each, value in zip(own, values, strict=True):
            function, dot, argument = each.name.rpartition(".")
            if dot:
                changes[function, argument] = value
            else:
                text = with_setting(text, argument, value)
        if changes:
            contender = contender._replace(schedule=parse(_changed(schedule, changes)))
        given = {each.name: write(value) for each, value in zip(own, values, strict=True)}
        found.append(Choice(given, text, contender))
    return found


def _tree(schedule: str) -> ast.Expression:
    """Return the syntax tree of a schedule's text; for a name, of the catalogue's example."""
    text = repr(find_contender(schedule).schedule) if schedule.isidentifier() else schedule
    return ast.parse(f"({text})", mode="eval")


def _calls(tree: ast.AST, function: str) -> Iterable[ast.Call]:
    """Yield the calls of the function with this name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if name == function:
                yield node


def _changed(schedule: str, changes: Mapping[tuple[str, str], Any]) -> str:
    """Return a schedule's text with other arguments for its functions."""
    tree = _tree(schedule)
    for (function, argument), value in changes.items():
        calls = list(_calls(tree, function))
        if not calls and schedule in ENTRIES:
            # An entry's example may be written out in pieces.
            tree = ast.parse(f"{schedule}()", mode="eval")
            calls = list(_calls(tree, function))
        for call in calls:
            _set(call, function, argument, ast.parse(write(value), mode="eval").body)
    return ast.unparse(tree)


def _set(call: ast.Call, function: str, argument: str, value: ast.expr) -> None:
    """Set an argument of a call; it may be given there without its name."""
    names = (
        list(inspect.signature(ENTRIES[function].function).parameters)
        if function in ENTRIES
        else []
    )
    if argument in (unnamed := names[: len(call.args)]):
        call.args[unnamed.index(argument)] = value
        return
    others = [word for word in call.keywords if word.arg != argument]
    call.keywords = [*others, ast.keyword(argument, value)]
