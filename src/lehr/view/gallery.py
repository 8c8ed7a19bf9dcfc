"""The gallery: a page with everything in the catalogue, and a picture of each schedule.

``python -m lehr.view.gallery docs`` writes ``docs/gallery.md`` and the pictures beside it.
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from lehr.catalogue import ENTRIES, RULES, Entry, RuleEntry
from lehr.schedule.base import Schedule
from lehr.view.markup import Markup
from lehr.view.picture import picture

_RUN = 1000

_FAMILIES = {
    "decay": "Decays: from the peak down, once",
    "warmup": "Warmups: from little to the peak",
    "cyclic": "Cycles: up and down more than once",
    "phases": "Phases: one plan for the whole run",
    "derived": "Derived: made of another schedule, or laid over one",
}

_HEAD = """\
# The gallery

Every schedule of the catalogue, drawn over a run of 1,000 steps with a peak of 1. `lehr show NAME`
says more about one of them: its arguments, their units and their ranges. This page is written by
`python -m lehr.view.gallery docs`.

"""


def drawn(name: str, schedule: Schedule) -> Markup:
    """Draw a schedule over the run of the gallery."""
    steps = range(0, _RUN, 4)
    run = schedule.over(_RUN)
    return picture(name, steps, {name: [run(step) for step in steps]}, alone=True)


def files() -> dict[str, str]:
    """Return the gallery as texts by their paths: the page, and a picture for each schedule."""
    parts = [_HEAD]
    pictures: dict[str, str] = {}
    for family, entries in groupby(ENTRIES.values(), key=lambda entry: entry.family):
        parts.append(f"## {_FAMILIES[family]}\n\n")
        for entry in entries:
            path = f"gallery/{entry.name}.svg"
            pictures[path] = drawn(entry.name, entry.example) + "\n"
            parts.append(f"### {entry.name}\n\n![{entry.name}]({path})\n\n")
            parts.append("".join(_facts(entry)))
    parts.append("## Feedback rules: what follows a metric rather than the time\n\n")
    for rule in RULES.values():
        parts.append(f"### {rule.name}\n\n")
        parts.append("".join(_facts(rule)))
    return {"gallery.md": "".join(parts).rstrip("\n") + "\n", **pictures}


def _facts(entry: Entry | RuleEntry) -> Iterator[str]:
    yield f"{entry.summary}.\n\n"
    yield f"$$\n{entry.formula}\n$$\n\n"
    yield f"- Call: `{entry.name}({_arguments(entry)})`\n"
    yield f"- {'Drawn' if isinstance(entry, Entry) else 'Example'}: `{entry.example!r}`\n"
    if entry.paper is not None:
        paper = entry.paper
        link = f", [arXiv:{paper.arxiv}](https://arxiv.org/abs/{paper.arxiv})"
        source = f"{paper.authors} ({paper.year}), *{paper.title}*"
        yield f"- Paper: {source}{link if paper.arxiv else ''}\n"
    yield f"- Elsewhere: {', '.join(f'`{alias}`' for alias in entry.aliases)}\n\n"


def _arguments(entry: Entry | RuleEntry) -> str:
    parameters = inspect.signature(entry.function).parameters.values()
    bare = [parameter.replace(annotation=parameter.empty) for parameter in parameters]
    return str(inspect.Signature(bare))[1:-1]


def main(arguments: list[str] | None = None) -> None:
    """Write the gallery into a folder."""
    parser = argparse.ArgumentParser(prog="python -m lehr.view.gallery", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="where gallery.md goes, such as docs")
    folder: Path = parser.parse_args(arguments).folder
    for name, text in files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
