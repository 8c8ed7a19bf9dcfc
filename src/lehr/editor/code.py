"""A sketch as code: for Python, JSON, and other libraries."""

from __future__ import annotations

import json
import textwrap
from typing import Final

from lehr.editor.handles import place
from lehr.editor.sketch import Sketch
from lehr.errors import ScheduleError
from lehr.export import export
from lehr.notation import parse
from lehr.schedule.base import Schedule

_EXPORTS: Final = {
    "torch": "torch",
    "optax": "optax",
    "transformers": "transformers",
    "plain Python": "python",
}
_ABSOLUTE: Final = ("optax", "python")

KINDS: Final = ("Python", "text", "JSON", *_EXPORTS)
"""The kinds of code that a sketch can be written as."""


def code(sketch: Sketch, kind: str) -> str:
    """Return a sketch as code of a kind; for other libraries, only its selected line.

    Raises:
        ScheduleError: If the kind is unknown.
    """
    if kind == "Python":
        return _python(sketch)
    if kind == "text":
        return "\n".join(line.text for line in sketch.lines) + "\n"
    if kind == "JSON":
        return json.dumps(_dicts(sketch), indent=2, allow_nan=False) + "\n"
    if kind not in _EXPORTS:
        raise ScheduleError(f"code={kind[:40]!r} is unknown; write one of {', '.join(KINDS)}")
    target, line = _EXPORTS[kind], sketch.lines[sketch.selected]
    placed = place(line.text, sketch.horizon)
    if target in _ABSOLUTE and line.role == "rate" and sketch.base != 1:
        placed = placed * sketch.base
    try:
        return export(placed, target)
    except ScheduleError as error:
        # It is shown where the code would be.
        return textwrap.indent(textwrap.fill(str(error), 88), "# ") + "\n"


def _dicts(sketch: Sketch) -> object:
    placed: list[Schedule] = [place(line.text, sketch.horizon) for line in sketch.lines]
    found = [schedule.to_dict() for schedule in placed]
    if len(found) == 1:
        return found[0]
    return {name: found[i] for i, name in enumerate(_names(sketch))}


def _names(sketch: Sketch) -> list[str]:
    """Return a name for each line: its role, with a number where there are several."""
    names: list[str] = []
    for line in sketch.lines:
        name = line.role.replace(" ", "_")
        count = sum(known.rstrip("_0123456789") == name for known in names)
        names.append(f"{name}_{count + 1}" if count else name)
    return names


def _python(sketch: Sketch) -> str:
    names = _names(sketch)
    lines = ["import lehr", ""]
    for name, line in zip(names, sketch.lines, strict=True):
        lines.append(f"{name} = lehr.parse({_quoted(line.text)})")
    horizon = sketch.horizon
    over = horizon.length.code if not sketch.units else repr(horizon).replace("Horizon", "", 1)
    run = over if not sketch.units else f"lehr.Horizon{over}"
    driven = {"rate": "lr", "momentum": "momentum", "weight_decay": "weight_decay"}
    given = [f"{driven[name]}={name}" for name in names if name in driven]
    lines += [
        "",
        "# with a torch optimizer:",
        f"# scheduler = lehr.torch.Scheduler(optimizer, {', '.join(given)}, over={run})",
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Return a text as a literal that keeps its line breaks."""
    parse(text)
    if "\n" in text and '"""' not in text and "\\" not in text and not text.endswith('"'):
        return f'"""{text}"""'
    return f'"{text}"' if text.isprintable() and not set(text) & {'"', "\\"} else repr(text)
