"""Moving a handle: solving for the number that brings it there, written with the fewest digits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from lehr.editor.handles import Handle, handles, place, seen
from lehr.editor.knots import Knot, knot
from lehr.editor.numbers import STEPS, Number, numbers, plain, put, shortest
from lehr.errors import ScheduleError
from lehr.schedule.horizon import HorizonLike

Axis = Literal["x", "y"]

_TRIES: Final = 40
_PIXELS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Move:
    """A text after a handle was moved.

    Attributes:
        text: The text.
        bound: Why the handle stopped short; empty if it did not.
    """

    text: str
    bound: str = ""


def find(text: str, run: HorizonLike, handle: str) -> Handle:
    """Return the handle of an id.

    Raises:
        ScheduleError: If the text has no such handle, or is not a schedule.
    """
    found = next((one for one in handles(text, run) if one.id == handle), None)
    if found is None:
        ids = ", ".join(repr(one.id) for one in handles(text, run)) or "none"
        raise ScheduleError(f"handle={handle!r} is not in this text; its handles are {ids}")
    return found


def moved(
    text: str,
    run: HorizonLike,
    handle: str,
    x: float | None,
    y: float | None,
    *,
    tolerance: tuple[float, float] | None = None,
    ripple: bool = False,
) -> str:
    """Return a text after one of its handles was moved; only digits in it change.

    Arguments:
        text: The text of a schedule.
        run: The run that it is placed over.
        handle: The id of one of its :func:`~lehr.editor.handles.handles`.
        x: The step to move it to; None leaves that as it is.
        y: The level to move it to; None leaves that as it is.
        tolerance: How near is near enough, in steps and in level: a pixel. The number that is
            written has the fewest digits that land within half of it. Without it, the run and the
            levels are taken to be 600 pixels.
        ripple: Whether a boundary pushes what comes after it, instead of rolling between its two
            pieces.

    Raises:
        ScheduleError: If the text is not a schedule, or has no such handle.

    Example:
        >>> moved("wsd('5%', '20%')", 1000, "1", 360, 0.645)
        "wsd('36%', '20%', peak=0.645)"
    """
    return move(text, run, handle, x, y, tolerance=tolerance, ripple=ripple).text


def nudged(text: str, run: HorizonLike, handle: str, axis: Axis, by: int) -> str:
    """Return a text after a handle was moved by keys: by steps of the number's second digit.

    Arguments:
        text: The text of a schedule.
        run: The run that it is placed over.
        handle: The id of one of its handles.
        axis: ``"x"`` or ``"y"``.
        by: The steps, to the right or up; below 0 to the left or down.

    Raises:
        ScheduleError: If the text is not a schedule, or has no such handle.

    Example:
        >>> nudged("warmup('5%') >> cosine(to=0.1)", 1000, "1", "x", 3)
        "warmup('5.3%') >> cosine(to=0.1)"
    """
    return nudge(text, run, handle, axis, by).text


def move(
    text: str,
    run: HorizonLike,
    handle: str,
    x: float | None,
    y: float | None,
    *,
    tolerance: tuple[float, float] | None = None,
    ripple: bool = False,
) -> Move:
    """Move a handle as :func:`moved` does, and say why it stopped short where it did."""
    found = find(text, run, handle)
    near = tolerance or _pixel(text, run)
    bounds: list[str] = []
    before = text
    if x is not None and found.x_numbers:
        pairs = found.x_numbers[:1] if ripple else found.x_numbers
        made = _Search(text, run, found, pairs, "x").solve(x, near[0])
        text = made.text
        bounds.append(made.bound)
    if y is not None and found.y_number is not None:
        index = _again(before, found.y_number, text)
        made = _Search(text, run, found, ((index, 1.0),), "y").solve(y, near[1])
        text = made.text
        bounds.append(made.bound)
    return Move(text, "; ".join(bound for bound in bounds if bound))


def _again(before: str, index: int, text: str) -> int:
    """Return the index in ``text`` of a number of ``before``, which has moved if a default has been
    written since."""
    if before == text:
        return index
    names = [number.name for number in numbers(before)]
    wanted = names[index], names[: index + 1].count(names[index])
    now = [number.name for number in numbers(text)]
    return next(i for i, name in enumerate(now) if (name, now[: i + 1].count(name)) == wanted)


def nudge(text: str, run: HorizonLike, handle: str, axis: Axis, by: int) -> Move:
    """Nudge a handle as :func:`nudged` does, and say why it stopped short where it did."""
    found = find(text, run, handle)
    pairs = found.x_numbers
    if axis == "y":
        pairs = () if found.y_number is None else ((found.y_number, 1.0),)
    if not pairs or by == 0:
        return Move(text)
    search = _Search(text, run, found, pairs, axis)
    number = search.first
    size = 10.0 ** (math.floor(math.log10(abs(number.value))) - 1) if number.value else 0.01
    if number.unit not in ("", "share") and not number.value:
        size = 1.0
    if number.unit == STEPS:
        size = max(1.0, size)
    slope = found.slopes[0 if axis == "x" else 1]
    step = math.copysign(size, slope)
    for count in _fewer(by):
        value = number.value + step * count
        if search.at(value) is not None:
            return Move(search.text(value), search.refused if count != by else "")
    return Move(text, search.refused)


def _fewer(by: int) -> list[int]:
    """Return a number of steps and fewer ones, at most sixteen, down to one."""
    sign = 1 if by > 0 else -1
    most = min(abs(by), 10_000)
    counts = {most, *(round(most * k / 16) for k in range(1, 16)), 1}
    return [sign * count for count in sorted(counts, reverse=True) if count]


def _pixel(text: str, run: HorizonLike) -> tuple[float, float]:
    found = seen(text, run).values()
    length = float(max(knot.x for knot in found))
    span = max(max(abs(knot.left), abs(knot.right)) for knot in found)
    return (length or 1.0) / _PIXELS, (span or 1.0) / _PIXELS


class _Search:
    """The search for the value of a number that brings a handle to a place."""

    def __init__(
        self,
        text: str,
        run: HorizonLike,
        handle: Handle,
        pairs: Sequence[tuple[int, float]],
        axis: Axis,
    ) -> None:
        self._text, self._run, self._handle, self._axis = text, run, handle, axis
        known = numbers(text)
        self._pairs = [(known[index], share) for index, share in pairs]
        now, self._ids = knot(place(text, run), handle.knot)
        self._start = None if now is None else self._of(now)
        self.first: Number = self._pairs[0][0]
        self.refused = ""

    def text(self, value: float, digits: str | None = None) -> str:
        """Return the text with a value for the first number, and what follows for the other."""
        change = value - self.first.value
        edits = [
            (number, plain(number, number.value + share * change))
            for number, share in self._pairs[1:]
        ]
        return put(self._text, [(self.first, digits or plain(self.first, value)), *edits])

    def at(self, value: float, digits: str | None = None) -> float | None:
        """Return where the handle then is, or None if that is refused."""
        for number, share in self._pairs:
            if number.unit and number.value + share * (value - self.first.value) < 0:
                self.refused = f"{number.name} cannot be less than 0"
                return None
        try:
            found, ids = knot(place(self.text(value, digits), self._run), self._handle.knot)
        except (ScheduleError, ArithmeticError) as error:
            message = str(error).partition("\n")[0]
            # It may quote the whole schedule; what is wrong comes last.
            self.refused = message if len(message) <= 160 else f"... {message[-150:]}"
            return None
        if found is None or not self._ids <= ids:
            self.refused = "a piece would have no steps left"
            return None
        where = self._of(found)
        if not math.isfinite(where):
            self.refused = "a level would be too large for a number"
            return None
        return where

    def _of(self, found: Knot) -> float:
        return float(found.x) if self._axis == "x" else self._handle.of(found)

    def solve(self, target: float, near: float) -> Move:
        """Return the text with which the handle is at ``target``, or as near as it can come."""
        value, start = self.first.value, self._start
        if start is None or not math.isfinite(target) or abs(start - target) <= near / 4:
            return Move(self._text)
        best, slope = self._approach((value, start), target, near)
        arrived = abs(best[1] - target) <= near
        value = self._rounded(best, target, near, slope)
        if arrived:
            return Move(value)
        return Move(value, self.refused or f"{self.first.name} moves it no further")

    def _approach(
        self, best: tuple[float, float], target: float, near: float
    ) -> tuple[tuple[float, float], float]:
        """Return the nearest value with its place, and the slope there, by the secant method."""
        slope = self._handle.slopes[0 if self._axis == "x" else 1]
        other: tuple[float, float] | None = None
        limit: float | None = None
        for _ in range(_TRIES if slope else 0):
            value = best[0] + (target - best[1]) / slope
            if other is not None and not min(best[0], other[0]) < value < max(best[0], other[0]):
                value = (best[0] + other[0]) / 2
            if limit is not None and abs(value - best[0]) >= abs(limit - best[0]):
                value = (best[0] + limit) / 2
            place = self.at(value)
            if place is None:
                limit = value
                if abs((limit - best[0]) * slope) < near / 8:
                    break
                continue
            if place == best[1] or value == best[0]:
                break
            slope = (place - best[1]) / (value - best[0])
            across = (place - target) * (best[1] - target) < 0
            if abs(place - target) < abs(best[1] - target):
                other = best if across else other
                best = value, place
            elif across:
                other = value, place
            else:
                break
            if abs(best[1] - target) <= near / 4:
                break
        return best, slope

    def _rounded(self, best: tuple[float, float], target: float, near: float, slope: float) -> str:
        """Return the text with the fewest digits that are as near."""
        width = abs(near / 2 / slope) if slope else 0.0
        refused, worst = self.refused, abs(best[1] - target) + near / 2
        # At a bound only one side is allowed.
        for low, high in ((-width, width), (-width, 0.0), (0.0, width)):
            digits = shortest(self.first, best[0] + low, best[0] + high)
            place = self.at(float(digits), digits)
            if place is not None and abs(place - target) <= worst:
                self.refused = refused
                return self.text(float(digits), digits)
        self.refused = refused
        return self.text(best[0])
