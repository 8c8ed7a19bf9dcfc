"""The parts of the chain in a text: what is between two ``>>``, and where in the run it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from lehr.editor.handles import place
from lehr.errors import NeedsHorizon
from lehr.notation import parse
from lehr.notation.scan import scan
from lehr.schedule.horizon import Horizon, HorizonLike
from lehr.schedule.leaves import Piece
from lehr.schedule.problem import ParseError
from lehr.schedule.run import Run
from lehr.schedule.sequence import Sequence as Then


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a chain in a text: what is between two ``>>``.

    Attributes:
        start, stop: The ends of its text.
        text: Its text.
        begin, end: The steps at which it begins and ends; None where that is not known.
        ease: Its ease, ``"hold"`` for a piece that stays, or empty where it is not one piece.
    """

    start: int
    stop: int
    text: str
    begin: float | None
    end: float | None
    ease: str


def sections(text: str, run: HorizonLike) -> list[Section]:
    """Return the parts of a text's first chain, also where that is in brackets.

    Raises:
        ScheduleError: If the text is not a schedule, or does not fit its run.

    Example:
        >>> for part in sections("(warmup('5%') >> hold('5%')).repeat()", 1000):
        ...     print(part.text, part.begin, part.end, part.ease)
        warmup('5%') 0.0 50.0 linear
        hold('5%') 50.0 100.0 hold
    """
    placed = place(text, run)
    spans, whole_text = _chain(text)
    parts = [parse(text[start:stop]) for start, stop in spans]
    if whole_text and len(parts) == 1:
        length = placed.length
        edges: Sequence[float | None] = [0.0, None if length is None else float(length)]
    else:
        edges = _edges([_flat(part) for part in parts], run, whole_text)
    return [
        Section(start, stop, text[start:stop], edges[i], edges[i + 1], _ease_of(parts[i]))
        for i, (start, stop) in enumerate(spans)
    ]


def _flat(schedule: object) -> tuple[object, ...]:
    return schedule.parts if isinstance(schedule, Then) else (schedule,)


def _edges(
    parts: Sequence[tuple[object, ...]], run: HorizonLike, whole_text: bool
) -> list[float | None]:
    """Return where the parts of a chain begin, and where the last ends."""
    unknown: list[float | None] = [None] * (len(parts) + 1)
    together = tuple(one for part in parts for one in part)
    if len(together) < 2:
        return unknown
    around = Run()
    inside = around.enter(horizon := Horizon.of(run), around.extent(horizon))
    room = inside.length
    if not whole_text:
        inside, room = inside.in_cycle(), None
    chain = Then(together)  # type: ignore[arg-type]
    try:
        lengths = chain._lengths(inside, room)
    except NeedsHorizon:
        return unknown
    if None in lengths:
        return unknown
    at, edges, taken = Fraction(0), [0.0], 0
    for part in parts:
        at += sum((length or Fraction(0) for length in lengths[taken : taken + len(part)]), at * 0)
        taken += len(part)
        edges.append(float(at))
    return [*edges]


def _ease_of(part: object) -> str:
    if not isinstance(part, Piece):
        return ""
    return "hold" if part.to is None else str(part.ease)


def _chain(text: str) -> tuple[list[tuple[int, int]], bool]:
    """Return the characters of the parts of a text's first chain, and whether it is all there is
    but for brackets."""

    def refuse(message: str, at: int) -> ParseError:
        return ParseError(message, at)

    marks = _marks(scan(text, refuse))
    start, stop = 0, len(text)
    while True:
        cuts = _cuts(marks, start, stop)
        opening = _first(marks, start, stop)
        if len(cuts) > 1 or opening is None:
            outside = marks[:start] + marks[stop:]
            return [_trimmed(marks, a, b) for a, b in cuts], not outside.strip("() ")
        # One part: a bracket that it begins with may hold a chain.
        start, stop = opening + 1, _closing(marks, opening)


def _marks(flat: str) -> str:
    """Return a flat text with letters in place of what is inside quotes."""
    out: list[str] = []
    quote = ""
    for letter in flat:
        inside = bool(quote) and letter != quote
        out.append("a" if inside else letter)
        if letter in "'\"" and not inside:
            quote = "" if quote else letter
    return "".join(out)


def _cuts(marks: str, start: int, stop: int) -> list[tuple[int, int]]:
    depth, begin = 0, start
    cuts: list[tuple[int, int]] = []
    for at in range(start, stop):
        depth += (marks[at] in "([") - (marks[at] in ")]")
        if depth == 0 and marks.startswith(">>", at):
            cuts.append((begin, at))
            begin = at + 2
    return [*cuts, (begin, stop)]


def _first(marks: str, start: int, stop: int) -> int | None:
    begin = start + len(marks[start:stop]) - len(marks[start:stop].lstrip())
    return begin if marks[begin : begin + 1] == "(" else None


def _closing(marks: str, opening: int) -> int:
    depth = 0
    for at in range(opening, len(marks)):
        depth += (marks[at] == "(") - (marks[at] == ")")
        if depth == 0:
            return at
    return len(marks)


def _trimmed(marks: str, start: int, stop: int) -> tuple[int, int]:
    inner = marks[start:stop]
    return start + len(inner) - len(inner.lstrip()), start + len(inner.rstrip())
