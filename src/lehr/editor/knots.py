"""The knots of a placed schedule: where its pieces meet, exactly, and at which levels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Final

from lehr.curves import (
    Clipped,
    Combined,
    Curve,
    Cycles,
    Exponential,
    Flat,
    Path,
    Power,
    Ramp,
    Samples,
    Stairs,
)
from lehr.curves.arithmetic import as_number, scalars
from lehr.curves.path import Window
from lehr.schedule.base import Schedule

MOST: Final = 64
"""The most knots of a schedule; of one with more, the first ones are found."""

_BREAKS: Final = 512


@dataclass(frozen=True, slots=True)
class Knot:
    """A place where a piece begins or ends, or the middle of one.

    Attributes:
        id: Its place in the tree of the schedule, which stays when numbers change.
        x: The step.
        left, right: The levels just before and from the step on; they differ at a jump.
        middle: Whether it is the middle of a piece that bends.
    """

    id: str
    x: Fraction
    left: float
    right: float
    middle: bool = False


def knots(placed: Schedule) -> list[Knot]:
    """Return the knots of a schedule that is placed over its run.

    Cycles that repeat have knots in the first cycle only.
    """
    return [
        Knot(name, at, *limits(placed._path, at), middle) for name, at, middle in _first(placed)
    ]


def knot(placed: Schedule, name: str) -> tuple[Knot | None, set[str]]:
    """Return the knot of an id, if there is one, and the ids of all knots."""
    places = _first(placed)
    found = next((place for place in places if place[0] == name), None)
    ids = {name for name, _, _ in places}
    if found is None:
        return None, ids
    _, at, middle = found
    return Knot(name, at, *limits(placed._path, at), middle), ids


def _first(placed: Schedule) -> list[tuple[str, Fraction, bool]]:
    path = placed._path
    inside = (
        place
        for place in _places(path, Fraction(0), "")
        if place[1] >= 0 and (path.length is None or place[1] <= path.length)
    )
    return list(islice(inside, MOST))


def breaks(placed: Schedule, length: Fraction) -> list[Fraction]:
    """Return the steps up to a length at which a line has corners, in all cycles; the first 512,
    and fewer where schedules are nested so deeply that each takes long."""
    most = _BREAKS * 8 // max(placed._depth, 8)
    corners = islice(_corners(placed._path, Fraction(0), length), 4 * most)
    return sorted({at for at in corners if 0 <= at <= length})[:most]


def limits(curve: Curve, at: Fraction) -> tuple[float, float]:
    """Return the levels of a curve just before a step and from it on.

    They come from the pieces that meet there, not from values nearby: a steep ease has no jump.
    """
    if curve.length is not None and at >= curve.length:
        return (_ending(curve) if at == curve.length > 0 else curve.end), curve.end
    match curve:
        case Path():
            return _path_limits(curve, at)
        case Combined():
            left = limits(curve.left, at)
            if not isinstance(curve.right, Curve):
                both = (curve.right, curve.right)
            else:
                both = limits(curve.right, at)
            if curve.product:
                return left[0] * both[0], left[1] * both[1]
            return left[0] + both[0], left[1] + both[1]
        case Cycles():
            return _cycle_limits(curve, at)
        case Window():
            return limits(curve.curve, at + curve.start)
        case Clipped():
            before, after = limits(curve.curve, at)
            low, high = curve.low, curve.high
            return min(max(before, low), high), min(max(after, low), high)
        case Stairs() if at > 0 and at % curve.every == 0:
            return _value(curve.curve, at - curve.every), _value(curve.curve, at)
        case Samples() if at > 0 and at.denominator == 1:
            return curve.values.values[int(at) - 1], curve.values.values[int(at)]
        case _:
            value = _value(curve, at)
            return value, value


def _value(curve: Curve, at: Fraction) -> float:
    if curve.length is not None and at >= curve.length:
        return curve.end
    try:
        return float(curve.value(as_number(at), scalars))
    except ArithmeticError:
        return math.nan


def _ending(curve: Curve) -> float:
    """Return the level that a curve comes to just before its end."""
    assert curve.length is not None
    match curve:
        case Path() if curve.parts:
            part, begin = curve.pieces()[-1]
            return limits(part, curve.length - begin)[0]
        case Combined():
            left = limits(curve.left, curve.length)[0]
            right = curve.right
            other = limits(right, curve.length)[0] if isinstance(right, Curve) else right
            return left * other if curve.product else left + other
        case Clipped():
            return min(max(_ending(curve.curve), curve.low), curve.high)
        case Window():
            return limits(curve.curve, curve.start + curve.length)[0]
        case Cycles():
            return _cycle_limits(curve, curve.length)[0]
        case Stairs():
            last = math.ceil(curve.length / curve.every) - 1
            return _value(curve.curve, last * curve.every)
        case _:
            return curve.end


def _path_limits(path: Path, at: Fraction) -> tuple[float, float]:
    pieces = path.pieces()
    index = max(i for i, (_, begin) in enumerate(pieces) if begin <= at or i == 0)
    part, begin = pieces[index]
    before, after = limits(part, at - begin)
    if index > 0 and at == begin:
        previous, start = pieces[index - 1]
        before = limits(previous, at - start)[0]
    return before, after


def _cycle_limits(curve: Cycles, at: Fraction) -> tuple[float, float]:
    if curve.starts is None:
        number = at // curve.size
        begin, factor = number * curve.size, Fraction(1)
    else:
        number = max(i for i, start in enumerate(curve.starts) if start <= at or i == 0)
        begin, factor = curve.starts[number], Fraction(curve.stretch) ** number
    height = curve.scale**number
    before, after = (level * height for level in limits(curve.curve, (at - begin) / factor))
    if number > 0 and at == begin:
        before = _ending(curve.curve) * curve.scale ** (number - 1)
    return before, after


def _places(curve: Curve, at: Fraction, name: str) -> Iterator[tuple[str, Fraction, bool]]:
    """Yield the knots of a curve that begins at a step: ids, steps, and whether one is a middle."""
    match curve:
        case Path():
            for index, (part, begin) in enumerate(curve.pieces()):
                inside = f"{name}{index}"
                yield inside, at + begin, False
                yield from _places(part, at + begin, f"{inside}.")
            if curve.length is not None:
                yield f"{name}end", at + curve.length, False
        case Combined():
            yield from _places(curve.left, at, f"{name}l.")
            if isinstance(curve.right, Curve):
                yield from _places(curve.right, at, f"{name}r.")
        case Cycles():
            yield from _places(curve.curve, at, f"{name}c.")
            if not isinstance(curve.curve, Path):
                yield f"{name}cend", at + curve.size, False
        case Window():
            yield from _places(curve.curve, at - curve.start, f"{name}w.")
        case Clipped() | Stairs():
            yield from _places(curve.curve, at, f"{name}i.")
        case Ramp() | Exponential() | Power() if curve.length is not None:
            yield f"{name}~", at + curve.length / 2, True
        case _:
            return


def _corners(curve: Curve, at: Fraction, length: Fraction) -> Iterator[Fraction]:
    match curve:
        case Path():
            for part, begin in curve.pieces()[:_BREAKS]:
                yield at + begin
                if not isinstance(part, Flat | Ramp):
                    yield from _corners(part, at + begin, length)
            if curve.length is not None:
                yield at + curve.length
        case Combined():
            yield from _corners(curve.left, at, length)
            if isinstance(curve.right, Curve):
                yield from _corners(curve.right, at, length)
        case Cycles():
            inner = list(_corners(curve.curve, Fraction(0), curve.size))
            begin, size = at, curve.size
            for _ in range(max(1, _BREAKS // (len(inner) + 1))):
                if begin > length or size <= 0:
                    return
                yield from (begin + corner * size / curve.size for corner in inner)
                yield begin + size
                begin, size = begin + size, size * Fraction(curve.stretch)
        case Window():
            yield from _corners(curve.curve, at - curve.start, length + curve.start)
        case Clipped():
            yield from _corners(curve.curve, at, length)
        case Stairs():
            count = min(math.floor((length - at) / curve.every), _BREAKS)
            yield from (at + k * curve.every for k in range(count + 1))
        case _:
            return
