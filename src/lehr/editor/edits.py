"""Changes to the pieces of a text: other eases, pieces that are split, joined, added, removed."""

from __future__ import annotations

import ast
from dataclasses import replace
from fractions import Fraction
from typing import Final

from lehr.curves.easing import Ease
from lehr.editor.handles import place
from lehr.editor.numbers import numbers, tree
from lehr.editor.sections import Section, sections
from lehr.errors import ScheduleError, whole
from lehr.notation import parse
from lehr.schedule.horizon import HorizonLike
from lehr.schedule.leaves import Piece
from lehr.time.duration import SHARE, Duration

EASES: Final = (
    *("linear", "cosine", "1-sqrt", "1-square", "power(2)", "power(3)", "complement(0.5)"),
    *("exponential(0.1)", "rex", "quarter-cosine", "second-half-cosine", "mirror-cosine"),
    *("cosine-power(2)", "k-cosine(3)", "k-power(3, 1)", "tanh(3, 3)", "hyperbolic(2.5)"),
    "log(100)",
)
"""The eases that a person chooses from, with parameters to begin with."""


def eased(text: str, run: HorizonLike, index: int, ease: str) -> str:
    """Return a text with another ease for one of its pieces.

    Raises:
        ScheduleError: If it is not a piece that moves, or the ease is unknown.

    Example:
        >>> eased("warmup('5%') >> hold() >> linear('20%')", 1000, 2, "1-sqrt")
        "warmup('5%') >> hold() >> ramp('20%', to=0.0, ease='1-sqrt')"
    """
    section = _section(text, run, index)
    piece = _piece(section, "has no ease of its own")
    if piece.to is None:
        raise ScheduleError(f"{section.text} stays at its level: a hold has no ease")
    return _replaced(text, run, section, repr(replace(piece, ease=Ease.of(ease))))


def split(text: str, run: HorizonLike, x: float) -> str:
    """Return a text with one more piece: the piece at a step is cut in two there.

    The first half of a piece that moves is a straight line to the level that it has there; a named
    schedule is taken apart first.

    Raises:
        ScheduleError: If no piece is cut there.

    Example:
        >>> split("warmup('5%') >> cosine()", 1000, 525)
        "warmup('5%') >> linear('47.5%', to=0.5) >> cosine(to=0.0)"
    """
    index, section = _around(text, run, x)
    if not section.ease:
        text = apart(text, run, index)
        section = _around(text, run, x)[1]
    piece = parse(section.text)
    if not isinstance(piece, Piece):
        raise ScheduleError(f"{section.text} is not made of pieces that could be cut")
    begin, end = section.begin or 0.0, section.end or 0.0
    first, rest = _cut(text, run, piece, (x - begin) / (end - begin), end - begin)
    if piece.to is None:
        halves = replace(piece, steps=first), replace(piece, steps=rest, start=None)
    else:
        curve = place(text, run)
        level = _short(curve(float(x)), curve(float(begin)), piece.to)
        line = Piece(first, piece.start, level)
        halves = line, replace(piece, steps=rest, start=None)
    return _replaced(text, run, section, " >> ".join(map(repr, halves)))


def _short(level: float, *others: float) -> float:
    """Return a level in three digits, or as many as it takes to differ from the others.

    Raises:
        ScheduleError: If it is one of them.
    """
    if level in others:
        raise ScheduleError(f"x: the piece is flat there, at {level:g}; cut it elsewhere")
    shorter = (float(f"{level:.{digits}g}") for digits in range(3, 17))
    return next((each for each in shorter if each not in others), level)


def _around(text: str, run: HorizonLike, x: float) -> tuple[int, Section]:
    """Return the part of a chain that a step is inside of."""
    for index, section in enumerate(sections(text, run)):
        if (
            section.begin is not None
            and section.end is not None
            and section.begin < x < section.end
        ):
            return index, section
    raise ScheduleError(f"x={x:g}: no piece of known length is there to be cut")


def _cut(
    text: str, run: HorizonLike, piece: Piece, part: float, length: float
) -> tuple[Duration, Duration | None]:
    """Return the lengths of the two halves of a piece, in its own unit."""
    if piece.steps is None:
        units = {number.unit for number in numbers(text) if number.written}
        if "steps" in units and SHARE not in units:
            return Duration.of(max(1, round(part * length))), None
        whole_run = place(text, run).length or length
        share = Fraction(f"{100 * part * length / float(whole_run):.3g}")
        return Duration(share / 100, SHARE), None
    digits = Fraction(f"{float(piece.steps.amount) * part:.3g}")
    if piece.steps.rounds is False and piece.steps.amount.denominator == 1:
        digits = Fraction(round(digits))
    first = Duration(digits, piece.steps.unit)
    return first, Duration(piece.steps.amount - digits, piece.steps.unit)


def joined(text: str, run: HorizonLike, index: int) -> str:
    """Return a text in which a piece and the next one are merged into one, as long as both.

    Raises:
        ScheduleError: If one of them is not a piece, or there is no next one.

    Example:
        >>> joined("warmup('5%') >> hold('10%') >> cosine()", 1000, 1)
        "warmup('5%') >> cosine(to=0.0)"
    """
    one, two = _section(text, run, index), _section(text, run, index + 1)
    first, second = (_piece(s, "cannot be joined with another") for s in (one, two))
    shape = second if second.to is not None else first
    start = first.start if first.to is not None or shape.to is None else None
    if first.to is None and shape is second and first.start is not None:
        start = first.start
    merged = replace(shape, steps=_sum(first, second, (one, two)), start=start)
    return _checked(text[: one.start] + repr(merged) + text[two.stop :], run)


def _sum(first: Piece, second: Piece, both: tuple[Section, Section]) -> Duration | None:
    if first.steps is None or second.steps is None:
        return None
    if first.steps.unit == second.steps.unit:
        return Duration(first.steps.amount + second.steps.amount, second.steps.unit)
    lengths = [(s.end or 0.0) - (s.begin or 0.0) for s in both]
    if not lengths[1]:
        raise ScheduleError(f"{both[0].text} and {both[1].text} are in units that cannot be added")
    factor = Fraction(f"{sum(lengths) / lengths[1]:.6g}")
    return Duration(second.steps.amount * factor, second.steps.unit)


def deleted(text: str, run: HorizonLike, index: int) -> str:
    """Return a text without one part of its chain.

    Raises:
        ScheduleError: If it is the only one, or the rest is not a schedule.

    Example:
        >>> deleted("warmup('5%') >> hold('10%') >> cosine()", 1000, 1)
        "warmup('5%') >> cosine()"
    """
    found = sections(text, run)
    section = _section(text, run, index)
    if len(found) == 1:
        raise ScheduleError(f"{section.text} is all there is: a schedule has at least one piece")
    start, stop = section.start, section.stop
    if index + 1 < len(found):
        stop = found[index + 1].start
    else:
        start = found[index - 1].stop
    return _checked(text[:start] + text[stop:], run)


def added(text: str, run: HorizonLike) -> str:
    """Return a text with one more piece: the longest is cut in the middle.

    Raises:
        ScheduleError: If no piece has a known length.

    Example:
        >>> added("warmup('5%') >> hold()", 1000)
        "warmup('5%') >> hold('47.5%') >> hold()"
    """
    known = [s for s in sections(text, run) if s.begin is not None and s.end is not None]
    if not known:
        raise ScheduleError("no piece of this text has a known length: write one more after >>")
    longest = max(known, key=lambda s: (s.end or 0.0) - (s.begin or 0.0))
    return split(text, run, ((longest.begin or 0.0) + (longest.end or 0.0)) / 2)


def apart(text: str, run: HorizonLike, index: int) -> str:
    """Return a text with a named schedule written as the pieces that it is made of.

    Raises:
        ScheduleError: If it is a piece already.

    Example:
        >>> apart("wsd('5%', '20%')", 1000, 0)
        "warmup('5%') >> hold() >> ramp('20%', to=0.0, ease='1-sqrt')"
    """
    section = _section(text, run, index)
    pieces = repr(parse(section.text))
    if pieces == section.text:
        raise ScheduleError(f"{section.text} is not made of pieces")
    return _replaced(text, run, section, pieces)


def repeated(text: str, run: HorizonLike, times: int = 4) -> str:
    """Return a text whose schedule is repeated in equal cycles over the run, 2 to 100 of them.

    Raises:
        ScheduleError: If ``times`` is out of range, or one cycle has no steps.

    Example:
        >>> repeated("warmup('5%') >> cosine()", 1000)
        "(warmup('5%') >> cosine()).over('25%').repeat()"
    """
    if not 2 <= whole("times", times, at_least=2) <= 100:
        raise ScheduleError(f"times={times} must be at most 100")
    # A comment at the end would hide the bracket.
    end = "\n" if "#" in text.rpartition("\n")[2] else ""
    share = f"{100 / times:.6g}%"
    return _checked(f"({text}{end}).over({share!r}).repeat()", run)


def written(text: str, run: HorizonLike, index: int, digits: str) -> str:
    """Return a text with another number, as it was typed; a duration without a unit keeps its own.

    Raises:
        ScheduleError: If what is typed is not a number, or the schedule is then refused.

    Example:
        >>> written("warmup('5%') >> cosine()", 1000, 0, "7.5")
        "warmup('7.5%') >> cosine()"
    """
    known = numbers(text)
    if not 0 <= index < len(known):
        raise ScheduleError(f"number={index} is not in this text, which has {len(known)}")
    number, typed = known[index], digits.strip()
    if number.unit and number.before:
        # In quotes: a unit that was typed replaces the old one.
        bare = typed.replace(".", "", 1).isdigit()
        new = number.text(typed) if bare else f"{number.before}{typed}{number.before}"
    else:
        new = number.text(typed)
    now = text[: number.start] + new + text[number.stop :]
    # A number's field accepts nothing but a number.
    if _constants(now) != _constants(text) + (not number.written):
        raise ScheduleError(f"{number.name}={typed[:40]!r} is not a number")
    return _checked(now, run)


def _constants(text: str) -> int:
    return sum(isinstance(node, ast.Constant | ast.Call) for node in ast.walk(tree(text)))


def _section(text: str, run: HorizonLike, index: int) -> Section:
    found = sections(text, run)
    if not 0 <= index < len(found):
        raise ScheduleError(f"piece={index} is not in this text, which has {len(found)}")
    return found[index]


def _piece(section: Section, lacks: str) -> Piece:
    piece = parse(section.text)
    if not isinstance(piece, Piece):
        raise ScheduleError(f"{section.text} {lacks}; take it apart first")
    return piece


def _replaced(text: str, run: HorizonLike, section: Section, new: str) -> str:
    return _checked(text[: section.start] + new + text[section.stop :], run)


def _checked(text: str, run: HorizonLike) -> str:
    """Return a text that is known to be a schedule which fits its run."""
    place(text, run)(0)
    return text
