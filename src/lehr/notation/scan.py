"""The first pass over a text: check that it has only tokens of the notation, and not too many.

So Python's own parser gets nothing that makes it deep or slow: no foreign operators, no keywords,
no long numbers, no escapes, and only matching brackets.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from typing import Final

from lehr.errors import shown
from lehr.schedule.problem import ParseError

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+|\#[^\r\n]*)
    |(?P<string>'[^'\\\n]*'|"[^"\\\n]*")
    |(?P<number>(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<foreign>\*\*|//|:=|==)
    |(?P<open>[(\[])
    |(?P<close>[)\]])
    |(?P<operator>>>|[-+*/])
    |(?P<mark>[.,:=])""",
    re.ASCII | re.VERBOSE,
)

_LONGEST: Final = {"string": 200, "number": 40, "name": 80}
_MOST_MARKS: Final = 100_000
_MOST_OPERATORS: Final = 2_000
_MOST_BRACKETS: Final = 100
_MOST_SIGNS: Final = 8
_WORDS: Final = frozenset(keyword.kwlist) - {"None", "True", "False"}

Refuse = Callable[[str, int], ParseError]


def scan(text: str, refuse: Refuse) -> str:
    """Check every token of a text, and return it on one line, with each token at its place.

    ``refuse`` makes the error for the first token that is not part of the notation, or is one too
    many.
    """
    scanner = _Scanner(text, refuse)
    flat: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        kind = match.lastgroup if match else None
        if match is None or kind is None or kind == "foreign":
            raise scanner.foreign(at)
        scanner.take(kind, match[0], at)
        flat.append(" " * len(match[0]) if kind == "space" else match[0])
        at = match.end()
    scanner.finish()
    return "".join(flat)


class _Scanner:
    def __init__(self, text: str, refuse: Refuse) -> None:
        self._text, self._refuse = text, refuse
        self._open: list[tuple[str, int]] = []
        self._marks = self._operators = self._signs = 0
        self._previous, self._previous_at, self._touches = "", 0, False

    def take(self, kind: str, token: str, at: int) -> None:
        if kind == "space":
            self._touches = False
            return
        self._marks += 1
        if self._marks > _MOST_MARKS:
            raise self._refuse(f"more than {_MOST_MARKS} words, numbers and marks", at)
        if len(token) > _LONGEST.get(kind, len(token)):
            raise self._refuse(
                f"a {kind} of {len(token)} characters; at most {_LONGEST[kind]} are read", at
            )
        getattr(self, f"_take_{kind}", self._take_mark)(token, at)
        self._signs = self._signs if kind == "operator" else 0
        self._previous, self._previous_at, self._touches = kind, at, True

    def foreign(self, at: int) -> ParseError:
        if self._text[at] in "'\"":
            return self._refuse("this text does not end on its line with the same quote", at)
        if self._text[at] == "%" and self._previous == "number" and self._touches:
            return self._unquoted(at + 1)
        mark = self._text[at : at + 2] if _TOKEN.match(self._text, at) else self._text[at]
        return self._refuse(f"{shown(mark)} has no meaning in a schedule", at)

    def finish(self) -> None:
        if self._open:
            bracket, at = self._open[-1]
            raise self._refuse(f"{bracket!r} is never closed", at)

    def _unquoted(self, end: int) -> ParseError:
        written = self._text[self._previous_at : end]
        return self._refuse(
            f"a duration with a unit is a string: write {written!r}", self._previous_at
        )

    def _take_mark(self, token: str, at: int) -> None:
        """Accept a token that needs no check."""

    def _take_string(self, token: str, at: int) -> None:
        if self._previous == "string" or (self._previous == "name" and self._touches):
            raise self._refuse("a string is not allowed here", at)
        for index, character in enumerate(token):
            if not " " <= character <= "~":
                raise self._refuse(f"{shown(character)} is in no duration or name", at + index)

    def _take_number(self, token: str, at: int) -> None:
        if self._previous in ("number", "name") and self._touches:
            raise self._refuse(f"{token} is not allowed here", at)

    def _take_name(self, token: str, at: int) -> None:
        if self._previous == "number" and self._touches:
            raise self._unquoted(at + len(token))
        if token in _WORDS:
            raise self._refuse(f"{token!r} has no meaning in a schedule", at)

    def _take_operator(self, token: str, at: int) -> None:
        # A sign before a number does not count as part of a chain.
        self._operators += token != "-" or self._previous not in ("", "open", "operator", "mark")
        self._signs += 1
        if self._operators > _MOST_OPERATORS:
            raise self._refuse(f"more than {_MOST_OPERATORS} operators", at)
        if self._signs > _MOST_SIGNS:
            raise self._refuse(f"more than {_MOST_SIGNS} signs in a row", at)

    def _take_open(self, token: str, at: int) -> None:
        self._open.append((token, at))
        if len(self._open) > _MOST_BRACKETS:
            raise self._refuse(f"more than {_MOST_BRACKETS} brackets in each other", at)

    def _take_close(self, token: str, at: int) -> None:
        if not self._open:
            raise self._refuse(f"{token!r} closes nothing", at)
        bracket, _ = self._open.pop()
        if bracket + token not in ("()", "[]"):
            raise self._refuse(f"{token!r} does not close the {bracket!r} before it", at)
