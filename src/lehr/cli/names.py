"""Names of schedules, optimizers and tasks on the command line: reading and completing them."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from lehr.catalogue import ENTRIES, RULES, find_entry
from lehr.cli import Refused
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
    """Return the schedule of a name, here or in another library, or of a text.

    Raises:
        Refused: If no schedule has that name, or more than one, or the text is not a schedule's.
    """
    try:
        return find_entry(text).example if text.isidentifier() else parse(text)
    except ScheduleError as error:
        raise Refused(error) from None


def _items(known: Iterable[str], incomplete: str, before: str = "") -> list[CompletionItem]:
    return [CompletionItem(before + name) for name in known if name.startswith(incomplete)]


def _between_commas(known: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Complete the last name of a list; those that it has already are left out."""
    head, comma, last = incomplete.rpartition(",")
    given = head.split(",")
    return _items([name for name in known if name not in given], last, head + comma)


def complete_schedules(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete names of schedules between commas; for `shell_complete=` of an option."""
    return _between_commas(ENTRIES, incomplete)


def complete_shown(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a schedule or of a feedback rule."""
    return _items([*ENTRIES, *RULES], incomplete)


def complete_optimizers(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete names of optimizers between commas."""
    return _between_commas(OPTIMIZERS, incomplete)


def complete_tasks(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a task."""
    return _items(TASKS, incomplete)
