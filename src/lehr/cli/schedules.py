"""The commands that describe the schedules of the catalogue: list and show."""

import inspect
import json
import re
from dataclasses import asdict
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from lehr.catalogue import ENTRIES, RULES, Entry, RuleEntry, find_entries
from lehr.cli import Refused, console
from lehr.cli.names import complete_shown
from lehr.cli.plot import drawing
from lehr.errors import UnknownSchedule
from lehr.translate.registry import libraries_with
from lehr.view.printable import printable
from lehr.view.terminal import can_show_blocks, sparkline

if TYPE_CHECKING:
    from rich.console import Console


_RUN = 1000
"""The length of the run in the pictures."""

_LEAST = 20
"""The least room that a summary needs beside its curve."""

_LABEL = re.compile(r"\s+\w+(?:, \w+)*: ")
"""The beginning of an argument, or of an exception, in a docstring."""

_LISTED = (*ENTRIES.values(), *RULES.values())
_FAMILIES = tuple(dict.fromkeys(entry.family for entry in _LISTED))


def _facts(entry: Entry | RuleEntry) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "kind": "schedule" if isinstance(entry, Entry) else "rule",
        "name": entry.name,
        "family": entry.family,
        "summary": entry.summary,
        "formula": entry.formula,
        "paper": entry.paper and asdict(entry.paper),
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

    The feedback rules, which follow a metric rather than the time, come last. With --json they are
    included only with --family feedback, so that the example of all other entries is a schedule.
    """
    entries = [entry for entry in _LISTED if family in (None, entry.family)]
    if as_json:
        chosen = [entry for entry in entries if family or isinstance(entry, Entry)]
        _write_json([_facts(entry) for entry in chosen])
        return
    out = console()
    names = max(len(entry.name) for entry in entries)
    families = max(len(entry.family) for entry in entries)
    for entry in entries:
        out.print(_row(entry, names, families, out), soft_wrap=True)


def _row(entry: Entry | RuleEntry, names: int, families: int, out: "Console") -> Text:
    """Return an entry's line of the list: in a narrow terminal without its family."""
    wide, narrow = out.width >= names + families + 54, out.width < names + 12 + 4 + _LEAST
    row = Text(f"{entry.name:<{names}}  ", style="bold")
    if out.width >= names + families + 12 + 6 + _LEAST:
        row.append(f"{entry.family:<{families}}  ", "not bold dim")
    width = 24 if wide else 12
    if isinstance(entry, Entry):
        unicode = can_show_blocks(out.encoding)
        curve = sparkline(entry.example, _RUN, width=width, unicode=unicode)
        row.append(f"{curve}  ", "not bold cyan")
    else:
        row.append(f"{'by a metric':<{width}}  ", "not bold dim")
    # The summary continues below itself, not below the name; without room beside it, it goes below.
    indent = 2 if narrow else row.cell_len
    lines = wrap(entry.summary, max(_LEAST, out.width - indent))
    if narrow:
        row.rstrip()
        lines.insert(0, "")
    row.append(f"\n{'':<{indent}}".join(lines), "not bold")
    return row


def _call(entry: Entry | RuleEntry) -> str:
    """Return the call with its arguments and defaults; the documentation has their types."""
    signature = inspect.signature(entry.function)
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return f"{entry.name}{signature.replace(parameters=bare, return_annotation=signature.empty)}"


def _readable(documentation: str) -> str:
    """Remove the marks that are meant for Sphinx."""
    return re.sub(r":\w+:`~?([^`]+)`", r"\1", documentation).replace("``", "")


def _rewrapped(text: str, width: int) -> str:
    """Return a docstring with its paragraphs filled anew where the terminal is narrower than it.

    An argument keeps its indent, and an example its lines.
    """
    if all(len(line) <= width for line in text.splitlines()):
        return text
    prose, heading, example = text.partition("\nExample:\n")
    paragraphs: list[str] = []
    open_ = False
    for line in prose.splitlines():
        begins = not open_ or _LABEL.match(line) is not None
        if begins or not line.strip():
            paragraphs.append(line)
        else:
            paragraphs[-1] += f" {line.strip()}"
        open_ = bool(line.strip()) and not line.endswith(":")
    filled: list[str] = []
    for paragraph in paragraphs:
        indent = len(paragraph) - len(paragraph.lstrip())
        below = " " * (indent + 4 * (indent > 0))
        filled += wrap(paragraph, width, subsequent_indent=below, break_on_hyphens=False) or [""]
    return "\n".join(filled) + heading + example


def _beside(text: str, out: "Console") -> str:
    """Return a text that continues below itself, not below the label before it."""
    lines = wrap(text, max(_LEAST, out.width - 11), break_on_hyphens=False, break_long_words=False)
    return f"\n{'':<11}".join(lines)


def _translation(name: str) -> str:
    """Return how to translate another library's scheduler of this name; empty if none can be."""
    if name in ENTRIES or name in RULES:
        return ""
    calls = [f"lehr.translate({library!r}, {name!r}, ...)" for library in libraries_with(name)]
    return " or ".join(calls) + " takes its own arguments" if calls else ""


@click.command()
@click.argument("name", shell_complete=complete_shown)
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
def show(name: str, as_json: bool) -> None:
    """Show all there is to know about a schedule.

    NAME is one that `lehr list` has, or the name of a scheduler in another library.
    """
    translation = _translation(name)
    try:
        found = find_entries(name)
    except UnknownSchedule as error:
        if not translation or as_json:
            raise Refused(error) from None
        found = []
    out = console()
    if not found:
        out.print(f"{printable(name)}: {translation}", soft_wrap=True, markup=False)
        return
    entry, others = found[0], [entry.name for entry in found[1:]]
    if as_json:
        _write_json({**_facts(entry), "call": _call(entry)})
        return
    for piece in _pages(entry, out):
        out.print(piece, soft_wrap=True)
    extra = [("Translate", translation), ("See also", ", ".join(others))]
    for label, text in extra:
        if text:
            out.print(Text.assemble((f"{label:<11}", "bold"), _beside(text, out)), soft_wrap=True)


def _pages(entry: Entry | RuleEntry, out: "Console") -> list[Text]:
    """Return the parts of what `lehr show` prints about an entry."""
    _, _, details = _readable(inspect.getdoc(entry.function) or "").partition("\n")
    words = Text(_rewrapped(details.strip(), out.width))
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
        drawn = [drawing({entry.name: entry.example}, _RUN, out), Text()]
        if entry.momentum:
            facts.append(("Momentum", repr(entry.momentum)))
    else:
        facts.append(("Example", repr(entry.example)))
    return [
        Text.assemble((entry.name, "bold"), (f"  {entry.family}", "dim")),
        Text(_rewrapped(f"{entry.summary}.", out.width) + "\n"),
        *drawn,
        words,
        Text(),
        *(Text.assemble((f"{label:<11}", "bold"), _beside(text, out)) for label, text in facts),
    ]
