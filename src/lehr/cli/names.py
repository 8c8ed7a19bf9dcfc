"""Names of schedules, optimizers and tasks on the command line: reading and completing them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from lehr.catalogue import ENTRIES, RULES, find_entry
from lehr.cli import refusing
from lehr.errors import ScheduleError
from lehr.lab.optimizers import OPTIMIZERS
from lehr.lab.tasks.registry import TASKS
from lehr.notation import parse
from lehr.schedule.base import Schedule


def split(value: str) -> list[str]:
    """Split a text at its commas, except in brackets or quotes: 'a, b(1, 2)' gives two parts."""
    parts, depth, quote = [""], 0, ""
    for letter in value:
        if quote or letter in "\"'":
            quote = "" if letter == quote else quote or letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        if letter == "," and not (quote or depth > 0):
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def find_schedule(text: str) -> Schedule:
    """Return the schedule of a name, here or in another library, or of a text."""
    with refusing(ScheduleError):
        return find_entry(text).example if text.isidentifier() else parse(text)


def _items(known: Iterable[str], incomplete: str, before: str = "") -> list[CompletionItem]:
    return [CompletionItem(before + name) for name in known if name.startswith(incomplete)]


def _between_commas(known: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Complete the last name of a list; those that it has already are left out."""
    head, comma, last = incomplete.rpartition(",")
    given = head.split(",")
    return _items([name for name in known if name not in given], last, head + comma)


_Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completing(
    known: Iterable[str], items: Callable[[Iterable[str], str], list[CompletionItem]] = _items
) -> _Complete:
    """Return the `shell_complete=` of an option that has one of the known names, or several."""
    return lambda ctx, param, incomplete: items(known, incomplete)


complete_schedules = _completing(ENTRIES, _between_commas)
complete_optimizers = _completing(OPTIMIZERS, _between_commas)
complete_shown = _completing([*ENTRIES, *RULES])
complete_tasks = _completing(TASKS)
