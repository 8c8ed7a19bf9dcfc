"""Handles: the places of a picture that a person moves, and what then changes in the text.

The text is the document. For every knot, each number of the text is moved a little to see which
knots follow; the number that moves the fewest others is the one that a drag changes. Where others
move with it, a second number may take that back: a boundary then rolls between its two pieces.
(Chugh et al. 2016, arXiv:1507.02988, do this by tracing a program; here it is by differences.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from lehr.editor.knots import Knot, knots
from lehr.editor.numbers import COUNT, STEPS, Number, numbers, plain, put
from lehr.errors import ScheduleError
from lehr.notation import parse
from lehr.schedule.base import Schedule
from lehr.schedule.horizon import HorizonLike
from lehr.schedule.times import Over

BELOW: Final = "<"
"""The end of a handle's id, where it is at a jump and on the level before."""

FROM: Final = ">"
"""The end of a handle's id, where it is at a jump and on the level after."""

_LONGEST: Final = 2_000
_DEEPEST: Final = 16
_PIECES: Final = 256
_WORK: Final = 2_000
_LEAST: Final = 1e-9
_SEEN: Final = 1e-7
"""The least movement, in shares of the picture, that is not taken for a rounding error."""


@dataclass(frozen=True, slots=True)
class Handle:
    """A place that a person moves.

    Attributes:
        id: Its knot, and at a jump the side.
        x, y: The step and the level.
        x_numbers: The numbers that are changed where it moves in time, as indices of
            :func:`~lehr.editor.numbers.numbers`, with the share of the change that each gets; two
            for a boundary that rolls. Empty where it stays.
        y_number: The number that is changed where it moves in level, or None.
        slopes: How many steps it moves, and how far in level, when the number grows by 1.
        bend: Whether it bends the piece around it.
        words: Its name for a screen reader, and what moving it changes.
    """

    id: str
    x: float
    y: float
    x_numbers: tuple[tuple[int, float], ...]
    y_number: int | None
    slopes: tuple[float, float]
    bend: bool
    words: str

    @property
    def knot(self) -> str:
        """The id of its knot."""
        return self.id.rstrip(BELOW + FROM)

    def of(self, knot: Knot) -> float:
        """Return its level, given its knot as it is now."""
        return knot.left if self.id.endswith(BELOW) else knot.right


class _Effect(NamedTuple):
    """The movement of a knot when a number grows by 1, in shares of the run and of the levels."""

    x: float
    left: float
    right: float

    @property
    def any(self) -> bool:
        return any(abs(part) > _LEAST for part in self)


_Effects = dict[str, _Effect]


# One answer needs the same schedule in many places. Typed, because a run of 1 is not one of 1.0.
@lru_cache(64, typed=True)
def place(text: str, run: HorizonLike) -> Schedule:
    """Return the schedule of a text, over its own run where it has one, else over ``run``.

    Raises:
        ParseError: If the text is not a schedule.
        ScheduleError: If it does not fit.
    """
    schedule = parse(text)
    if isinstance(schedule, Over) and not schedule.horizon.length.is_share:
        return schedule
    return schedule.over(run)


def seen(text: str, run: HorizonLike) -> dict[str, Knot]:
    """Return the knots of a text by their ids.

    Raises:
        ScheduleError: If it is not a schedule that fits the run, or some level is not finite.
    """
    found = {knot.id: knot for knot in knots(place(text, run))}
    if not all(math.isfinite(knot.left) and math.isfinite(knot.right) for knot in found.values()):
        raise ScheduleError("a level would be too large for a number")
    return found


@lru_cache(256, typed=True)
def handles(text: str, run: HorizonLike) -> tuple[Handle, ...]:
    """Return the handles of a text, from the left to the right.

    Arguments:
        text: The text of a schedule. One of more than 2,000 characters or 256 pieces, or nested
            more than 16 deep, has no handles.
        run: The run that it is placed over.

    Raises:
        ScheduleError: If it is not a schedule, or does not fit the run.

    Example:
        >>> for handle in handles("warmup('5%') >> cosine(to=0.1)", 1000):
        ...     print(handle.x, handle.y, handle.words)
        0.0 0.0 up and down: warmup start
        50.0 1.0 left and right: warmup steps; up and down: warmup to
        1000.0 0.1 up and down: cosine to
    """
    base = seen(text, run)
    placed = place(text, run)
    pieces = max(len(base), len(placed._path.parts), 1)
    if len(text) > _LONGEST or pieces > _PIECES or placed._depth > _DEEPEST:
        return ()
    # The cost is the number of numbers times the number of pieces.
    pieces *= max(1, placed._depth // 2)
    known = numbers(text)[: _WORK // pieces]
    effects = [_effects(text, run, number, base) for number in known]
    found = [
        handle
        for knot in _distinct(list(base.values()))
        for handle in _handles_of(knot, base, known, effects)
    ]
    return tuple(sorted(found, key=lambda handle: handle.x))


def _distinct(every: Sequence[Knot]) -> list[Knot]:
    """Return the knots without those that coincide with an earlier one."""
    taken: dict[object, Knot] = {}
    for knot in every:
        taken.setdefault((knot.x, knot.middle), knot)
    return list(taken.values())


def _effects(text: str, run: HorizonLike, number: Number, base: dict[str, Knot]) -> _Effects:
    """Return how the knots follow a number."""
    if number.unit == COUNT:
        return {}
    length, span = _extent(base)
    # A duration may be rounded to whole steps, which hides small changes.
    for part in (1e-3, -1e-3) if number.unit == "" else (0.1, -0.1, 0.4, -0.4, 0.01, -0.01):
        change = abs(number.value) * part or part
        if number.unit == STEPS:
            change = math.copysign(max(1.0, float(round(abs(change)))), change)
        try:
            there = seen(put(text, [(number, plain(number, number.value + change))]), run)
        except (ScheduleError, ArithmeticError):
            continue
        if not set(base) <= set(there):
            continue
        found = {
            name: _difference(knot, there[name], change, length, span)
            for name, knot in base.items()
        }
        if any(effect.any for effect in found.values()):
            return found
    return {}


def _extent(base: dict[str, Knot]) -> tuple[float, float]:
    """Return the steps and the levels that knots reach to."""
    length = float(max(knot.x for knot in base.values()))
    span = max(max(abs(knot.left), abs(knot.right)) for knot in base.values())
    return length or 1.0, span or 1.0


def _difference(knot: Knot, now: Knot, change: float, length: float, span: float) -> _Effect:
    moved = (
        float(now.x - knot.x) / length,
        (now.left - knot.left) / span,
        (now.right - knot.right) / span,
    )
    return _Effect(*(part / change if abs(part) > _SEEN else 0.0 for part in moved))


def _handles_of(
    knot: Knot, base: dict[str, Knot], known: Sequence[Number], effects: Sequence[_Effects]
) -> list[Handle]:
    length, span = _extent(base)
    others = [other for other in base.values() if not other.middle and other.x != knot.x]
    across = () if knot.middle else _across(knot, others, known, effects)
    slope_x = effects[across[0][0]][knot.id].x if across else 0.0
    jumps = abs(knot.left - knot.right) > 1e-9 * max(abs(knot.left), abs(knot.right))
    found: list[Handle] = []
    for side in (BELOW, FROM) if jumps and not knot.middle else ("",):
        up = _up(knot, side, base, known, effects)
        if up is None and not across:
            continue
        slope_y = 0.0 if up is None else _level(effects[up][knot.id], side)
        found.append(
            Handle(
                knot.id + side,
                float(knot.x),
                knot.left if side == BELOW else knot.right,
                across,
                up,
                (slope_x * length, slope_y * span),
                knot.middle,
                _words(known, across, up),
            )
        )
    return found


def _across(
    knot: Knot, others: Sequence[Knot], known: Sequence[Number], effects: Sequence[_Effects]
) -> tuple[tuple[int, float], ...]:
    """Return the numbers that move a knot in time: the one that moves the fewest others, and the
    one that takes back what it moves of these."""
    candidates = [
        (sum(_moves(found, other) for other in others), -index)
        for index, found in enumerate(effects)
        if abs(found.get(knot.id, _STILL).x) > _LEAST and known[index].unit != COUNT
    ]
    if not candidates:
        return ()
    count, last = min(candidates)
    first = -last
    if count == 0:
        return ((first, 1.0),)
    # Another number of the same kind that moves all others in time as the first one does.
    for index, found in enumerate(effects):
        if known[index].unit != known[first].unit or abs(found.get(knot.id, _STILL).x) > _LEAST:
            continue
        ratio = _ratio(effects[first], found, others)
        if ratio is not None:
            return ((first, 1.0), (index, -ratio))
    return ((first, 1.0),)


_STILL: Final = _Effect(0.0, 0.0, 0.0)


def _moves(found: _Effects, other: Knot) -> bool:
    return found.get(other.id, _STILL).any


def _ratio(first: _Effects, second: _Effects, others: Sequence[Knot]) -> float | None:
    """Return how far the first moves others in time over how far the second does, if that is the
    same for all of them."""
    ratio: float | None = None
    for other in others:
        one, two = first.get(other.id, _STILL).x, second.get(other.id, _STILL).x
        if abs(one) <= _LEAST and abs(two) <= _LEAST:
            continue
        if abs(one) <= _LEAST or abs(two) <= _LEAST:
            return None
        if ratio is None:
            ratio = one / two
        elif abs(one - ratio * two) > 0.05 * abs(one):
            return None
    return None if ratio is None else float(f"{ratio:.2g}")


def _level(effect: _Effect, side: str) -> float:
    return effect.left if side == BELOW else effect.right


def _up(
    knot: Knot,
    side: str,
    base: dict[str, Knot],
    known: Sequence[Number],
    effects: Sequence[_Effects],
) -> int | None:
    """Return the number that moves a knot's level and the fewest others."""
    others = [other for other in base.values() if other.id != knot.id and not other.middle]
    best: tuple[float, int] | None = None
    for index, found in enumerate(effects):
        effect = found.get(knot.id, _STILL)
        if abs(_level(effect, side)) <= _LEAST or (known[index].unit and not knot.middle):
            continue
        moves = sum(_moves(found, other) for other in others)
        if knot.middle and (moves or abs(effect.x) > _LEAST):
            continue
        cost = moves + 10.0 * (abs(effect.x) > _LEAST) + 0.5 * (not known[index].written)
        if side == "":
            # A move should not make a jump where there is none.
            cost += abs(effect.left - effect.right) > 1e-3 * abs(effect.right)
        else:
            other = effect.right if side == BELOW else effect.left
            cost += abs(other) > _LEAST
        if best is None or cost < best[0]:
            best = cost, index
    return None if best is None else best[1]


def _words(known: Sequence[Number], across: Sequence[tuple[int, float]], up: int | None) -> str:
    said: list[str] = []
    if across:
        names = " and ".join(known[index].name.replace(".", " ") for index, _ in across)
        said.append(f"left and right: {names}")
    if up is not None:
        said.append(f"up and down: {known[up].name.replace('.', ' ')}")
    return "; ".join(said)
