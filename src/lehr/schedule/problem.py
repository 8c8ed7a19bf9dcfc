"""Errors in texts and dicts: what is wrong, where, and what may have been meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

from lehr.errors import ScheduleError

_WIDTH: Final = 80
_FEW: Final = 15


class ParseError(ScheduleError):
    """A text or a dict that is not a schedule; the message shows where.

    Attributes:
        place: The position in a text, in characters from 0; or the path in a dict, such as
            ``"schedule.parts[2].ease"``.
    """

    def __init__(self, message: str, place: int | str = "") -> None:
        super().__init__(message)
        self.place = place


def excerpt(text: str, at: int) -> str:
    """Return the line of ``text`` with the character ``at``, and a caret under that."""
    begin = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line, column = text[begin : len(text) if end < 0 else end], at - begin
    before = after = ""
    if len(line) > _WIDTH:
        first = max(0, min(column - _WIDTH // 2, len(line) - _WIDTH))
        before = "..." if first else ""
        after = "..." if first + _WIDTH < len(line) else ""
        line, column = line[first : first + _WIDTH], column - first + len(before)
    # One printable character for each, so that the caret is under the right one.
    shown = "".join(
        c if c.isprintable() and c.isascii() else " " if c.isspace() else "?" for c in line
    )
    return f"  {before}{shown}{after}\n  {' ' * column}^"


def suggest(name: str, known: Iterable[str], what: str = "write one of") -> str:
    """Suggest the known name nearest to ``name``; if none is near, all of them if they are few."""
    choices = list(known)
    close = difflib.get_close_matches(name[:80], choices, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    few = len(choices) <= _FEW
    return f"{what} {', '.join(choices)}" if few else "`lehr list` shows all of them"


def argument_of(error: ScheduleError) -> str | None:
    """Return the argument that a message of lehr begins with: ``gamma=-1 must be ...``."""
    match = re.match(r"(?:\w+: )?(\w+)(?:\[\d+\])?=", str(error))
    return match[1] if match else None
