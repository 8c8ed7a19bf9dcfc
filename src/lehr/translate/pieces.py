"""The pieces of schedules that the libraries' modules share."""

from __future__ import annotations

import bisect
import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Final

from lehr.catalogue.decay.elementary import exponential
from lehr.curves.easing import EaseLike
from lehr.errors import level
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold, ramp
from lehr.time.duration import Duration, DurationLike
from lehr.translate.arguments import power_ease
from lehr.translate.registry import Translation

# A line without an end is drawn up to this step, which no run reaches.
_FAR: Final = 10**12
_MANY: Final = 2_000


def go(
    length: DurationLike, *, frm: float, to: float, ease: EaseLike = "linear", log: bool = False
) -> Schedule:
    """Return a piece from one level to another, or a hold if they are equal."""
    if level("start", frm) == level("end", to):
        return hold(length, at=frm)
    return ramp(length, start=frm, to=to, ease=ease, log=log)


def polynomial(length: DurationLike, power: float, *, frm: float, to: float) -> Schedule:
    """Return a polynomial from one level to another; a power of 0 never leaves the first."""
    if power == 0:
        return hold(at=frm)
    return go(length, frm=frm, to=to, ease=power_ease("power", power))


def decayed(
    rate: float, *, every: DurationLike = 1, start: float = 1.0, stairs: bool = False
) -> Schedule:
    """Return an exponential decay, or its staircase; a rate of 0 falls to 0 at once."""
    if rate == 0:
        return hold(every if stairs else 1, at=start) >> hold(at=0.0)
    body = exponential(rate, every=every, start=start)
    return body.every(every) if stairs else body


def whole_run(start: float, end: float, ease: str) -> Schedule:
    """Return a piece from one level to another over the whole run, whatever its length."""
    return hold(at=start) if start == end else ramp(to=end, start=start, ease=ease)


def in_shares(parts: Iterable[Schedule], shares: Iterable[Fraction]) -> Schedule:
    """Return schedules one after the other, each in its share of the run, however short.

    The shares are not rounded to whole steps.
    """
    placed = [
        part.over(Duration(share, "%")) for part, share in zip(parts, shares, strict=True) if share
    ]
    # In a repeat, shares are not rounded to whole steps.
    return then(placed).repeat(1)


def line(start: float, slope: float) -> Schedule:
    """Return ``start + slope * t``, for all the steps that a run can have."""
    return go(_FAR, frm=start, to=start + slope * _FAR)


def then(parts: Iterable[Schedule]) -> Schedule:
    """Return schedules one after the other."""
    return functools.reduce(lambda before, after: before >> after, parts)


def joined(parts: Sequence[tuple[int, Schedule]]) -> Schedule:
    """Return schedules that each begin, with their own step 0, at a step, in any order.

    Where several have begun, the last one listed wins.
    """
    seen: list[Schedule] = []
    until: int | None = None
    for begin, part in reversed(parts):
        first = max(begin, 0)
        if until is None or first < until:
            shown = part[first - begin :] if first > begin else part
            # The last one goes on past its end.
            seen.append(shown if until is None else shown[: until - first])
            until = first
    return then(reversed(seen))


def staircase(boundaries: Sequence[int | Fraction], values: Sequence[float]) -> Schedule:
    """Return ``values[i]`` from one boundary to the next, and the last one indefinitely."""
    begins = itertools.pairwise([Fraction(0), *map(Fraction, boundaries)])
    held = [
        hold(end - begin, at=value) for (begin, end), value in zip(begins, values, strict=False)
    ]
    return then([*held, hold(at=values[-1])])


def falls(times: Sequence[int | Fraction], rate: float) -> Schedule:
    """Return 1, multiplied by ``rate`` once more from each of the given times on.

    Libraries look the times up by bisection, so if they are not in rising order, as many count as
    a bisection finds.
    """
    steps = sorted(set(times))
    return staircase(steps, [1.0, *(rate ** bisect.bisect_right(times, step) for step in steps)])


def piecewise(
    points: Sequence[tuple[int | Fraction, float]], ease: EaseLike = "linear"
) -> Schedule:
    """Return a schedule through points ``(step, level)``, held before and after them.

    Two points at one step make a jump, at which the later one counts. Points may lie before step 0.
    """
    first, last = points[0], points[-1]
    parts = [hold(first[0], at=first[1])] if first[0] > 0 else []
    for (begin, low), (end, high) in itertools.pairwise(points):
        if end > begin:
            parts.append(go(Fraction(end) - begin, frm=low, to=high, ease=ease))
    path = then([*parts, hold(at=last[1])])
    return path if first[0] >= 0 else path[-first[0] :]


def cycles(
    size: int, growth: float, make: Callable[[int, int, int], Schedule], back: int = 0
) -> tuple[Schedule, str]:
    """Return cycles that grow, each cut to whole steps, and a note about where they end.

    ``make`` returns a cycle, given its number (from 0), its length, and the steps ``back`` to the
    start of the next one, which grow alike.
    """
    parts: list[Schedule] = []
    covered = 0
    while size > 0 and covered < _FAR and len(parts) < _MANY:
        parts.append(make(len(parts), size, back))
        covered += size + back
        size, back = int(size * growth), int(back * growth)
    if size == 0:
        return then(parts), f"at step {covered} a cycle would have no steps, and the library fails"
    return then(parts), f"only the first {len(parts)} cycles are written, to step {covered}"


def scaled(schedule: Schedule, factor: float) -> Schedule:
    """Return the schedule times a number, or as it is if that is 1; 0 if it is 0."""
    if factor == 0:
        return hold(at=0.0)
    return schedule if factor == 1 else schedule * factor


def differing(schedule: Schedule, *notes: str, absolute: bool = False) -> Translation:
    """Return a translation with its notes, leaving out empty ones."""
    return Translation(schedule, absolute=absolute, notes=tuple(note for note in notes if note))


def rates(schedule: Schedule, *notes: str) -> Translation:
    """Return a translation whose values are the rates themselves."""
    return differing(schedule, *notes, absolute=True)
