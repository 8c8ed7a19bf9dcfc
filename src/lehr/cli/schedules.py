"""The commands that look at schedules: list, show, plot. None of them trains anything."""

import inspect
import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from lehr.catalogue import ENTRIES, RULES, Entry, RuleEntry, find, find_rule
from lehr.cli import Refused, console
from lehr.cli.steps import Steps
from lehr.errors import UnknownSchedule
from lehr.schedule.base import Schedule
from lehr.view.terminal import draw, sparkline, speaks_unicode

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["list_", "plot", "show"]

_RUN = 1000
"""The run that the pictures are drawn over, unless the user says otherwise."""

_WIDEST = 100
"""A drawing wider than this only gets flatter."""

_LISTED = (*ENTRIES.values(), *RULES.values())
_FAMILIES = tuple(dict.fromkeys(entry.family for entry in _LISTED))


def _find(name: str) -> Entry:
    try:
        return find(name)
    except UnknownSchedule as error:
        raise Refused(str(error)) from None


def _find_any(name: str) -> Entry | RuleEntry:
    """Find a schedule or a feedback rule."""
    near_rule, near_schedule = (get_close_matches(name, names, 1) for names in (RULES, ENTRIES))
    if not near_rule or near_schedule:
        return _find(name)
    try:
        return find_rule(name)
    except UnknownSchedule as error:
        raise Refused(str(error)) from None


def _facts(entry: Entry | RuleEntry) -> dict[str, Any]:
    paper = entry.paper
    facts: dict[str, Any] = {
        "kind": "schedule" if isinstance(entry, Entry) else "rule",
        "name": entry.name,
        "family": entry.family,
        "summary": entry.summary,
        "formula": entry.formula,
        "paper": paper
        and {
            "authors": paper.authors,
            "year": paper.year,
            "title": paper.title,
            "arxiv": paper.arxiv,
        },
        "aliases": list(entry.aliases),
        "example": repr(entry.example),
    }
    if isinstance(entry, Entry):
        facts["momentum"] = repr(entry.momentum) if entry.momentum else None
    return facts


def _write_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))


@click.command("list")
@click.option("--family", type=click.Choice(_FAMILIES), help="Only this family.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
def list_(family: str | None, as_json: bool) -> None:
    """List the schedules of the catalogue.

    The feedback rules follow a metric rather than the time. They stand at the end; as JSON they are
    written for --family feedback alone, so that all other entries have a schedule as their example.
    """
    entries = [entry for entry in _LISTED if family in (None, entry.family)]
    if as_json:
        chosen = [entry for entry in entries if family or isinstance(entry, Entry)]
        _write_json([_facts(entry) for entry in chosen])
        return
    out = console()
    unicode = speaks_unicode(out.encoding)
    names = max(len(entry.name) for entry in entries)
    families = max(len(entry.family) for entry in entries)
    width = 24 if out.width >= names + families + 54 else 12
    for entry in entries:
        row = Text.assemble(
            (f"{entry.name:<{names}}  ", "bold"), (f"{entry.family:<{families}}  ", "dim")
        )
        if isinstance(entry, Entry):
            curve = sparkline(entry.example, _RUN, width=width, unicode=unicode)
            row.append(f"{curve}  ", "cyan")
        else:
            row.append(f"{'by a metric':<{width}}  ", "dim")
        # What does not fit stands below itself, not below the name; a narrow terminal may wrap.
        room = max(20, out.width - row.cell_len)
        row.append(f"\n{'':<{row.cell_len}}".join(wrap(entry.summary, room)))
        out.print(row, soft_wrap=True)


def _call(entry: Entry | RuleEntry) -> str:
    """How it is called: its arguments and their defaults; their types are in its documentation."""
    signature = inspect.signature(entry.function)
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return f"{entry.name}{signature.replace(parameters=bare, return_annotation=signature.empty)}"


def _readable(documentation: str) -> str:
    """Documentation without the marks that are meant for Sphinx."""
    return re.sub(r":\w+:`~?([^`]+)`", r"\1", documentation).replace("``", "")


def _plotted(schedules: Mapping[str, Schedule], steps: int, out: "Console") -> Text:
    width = min(out.width, _WIDEST) if out.is_terminal else 80
    return draw(
        schedules,
        steps,
        width=width,
        unicode=speaks_unicode(out.encoding),
        colour=out.color_system is not None,
    )


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
def show(name: str, as_json: bool) -> None:
    """Show all there is to know about a schedule."""
    entry = _find_any(name)
    if as_json:
        _write_json({**_facts(entry), "call": _call(entry)})
        return
    out = console()
    _, _, details = _readable(inspect.getdoc(entry.function) or "").partition("\n")
    words = Text(details.strip())
    words.highlight_regex(r"(?m)^\w+:", "bold")
    facts = [
        ("Call", _call(entry)),
        ("LaTeX", entry.formula),
        ("Paper", str(entry.paper) if entry.paper else "none: common practice"),
        ("Elsewhere", ", ".join(entry.aliases) or "no other name"),
    ]
    drawn: list[Text] = []
    if isinstance(entry, Entry):
        facts.append(("Drawn", repr(entry.example)))
        drawn = [_plotted({entry.name: entry.example}, _RUN, out), Text()]
        if entry.momentum:
            facts.append(("Momentum", repr(entry.momentum)))
    else:
        facts.append(("Example", repr(entry.example)))
    pieces = [
        Text.assemble((entry.name, "bold"), (f"  {entry.family}", "dim")),
        Text(f"{entry.summary}.\n"),
        *drawn,
        words,
        Text(),
        *(Text.assemble((f"{label:<11}", "bold"), text) for label, text in facts),
    ]
    for piece in pieces:
        out.print(piece, soft_wrap=True)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--steps",
    type=Steps(),
    default=_RUN,
    show_default=True,
    help="The run's length: 5000, or 10kst.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a picture, .png or .svg, instead of drawing here.",
)
def plot(names: tuple[str, ...], steps: int, out: Path | None) -> None:
    """Draw schedules, here or into a file."""
    schedules = {name: _find(name).example for name in names}
    try:
        if out is None:
            here = console()
            here.print(_plotted(schedules, steps, here), soft_wrap=True)
        else:
            _save(schedules, steps, out)
    except ValueError as error:  # a run too short for a schedule, or a file of another kind
        raise Refused(str(error)) from None


def _save(schedules: Mapping[str, Schedule], steps: int, out: Path) -> None:
    from lehr.view import plot as pictures

    try:
        pictures.draw(schedules, steps, out)
    except (ModuleNotFoundError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Wrote {out}")
