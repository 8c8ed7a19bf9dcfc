"""Courses: a schedule whose plan may change while it runs, with the past left as it was.

Every change is a cut of what there is at the present step, and then something else. What follows
the cut is complete in itself, so that it can be cut again: twenty changes are twenty pieces.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from lehr.catalogue.decay.elementary import linear
from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold, ramp

__all__ = ["Course", "changed"]

_SAME = 1e-9


@dataclass(frozen=True)
class Course:
    """A schedule in pieces: those that are past, and the one that runs.

    Attributes:
        now: What runs, from its own step 0 on.
        past: What was, one piece a change.
        begin: The step at which what runs began.
    """

    now: Schedule
    past: tuple[Schedule, ...] = ()
    begin: int = 0

    @property
    def schedule(self) -> Schedule:
        """All of it, as one schedule."""
        whole_course = self.now
        for piece in reversed(self.past):
            whole_course = piece >> whole_course
        return whole_course

    def level(self, at: int) -> float:
        """Return the level at a step that is not before the running piece."""
        return float(self.now(at - self.begin))

    def left(self, at: int) -> int | None:
        """Return the steps that are left at a step, or None where it has no end."""
        length = self.now.length
        return None if length is None else max(math.ceil(length) - (at - self.begin), 0)

    def then(self, at: int, now: Schedule) -> Course:
        """Return the course that is cut at a step, and goes on with another schedule."""
        local = at - self.begin
        past = (*self.past, self.now[:local]) if local else self.past
        return Course(now, past, at)


def changed(course: Course, change: Mapping[str, Any]) -> Course:
    """Return a course with one change of plan.

    Arguments:
        course: What there is.
        change: ``"at"``: the step; ``"change"``: which of the functions below; and its arguments,
            in plain types, as they stand in a saved state.

    Raises:
        ScheduleError: If the change cannot be made there.
    """
    arguments = {name: value for name, value in change.items() if name not in _NOT_ARGUMENTS}
    kind = change["change"]
    if kind not in _CHANGES:
        raise ScheduleError(f"{kind!r} is no change of plan; there are {', '.join(_CHANGES)}")
    try:
        return _CHANGES[kind](course, change["at"], **arguments)
    except TypeError as error:
        raise ScheduleError(f"{kind}: {error}") from None


_NOT_ARGUMENTS = ("at", "change", "of")


def _extend(course: Course, at: int, steps: int) -> Course:
    """Stretch what is left, so that it lasts longer by some steps."""
    left = course.left(at)
    if not left:
        end = "has no end" if left is None else "is at its end"
        raise ScheduleError(
            f"extend: at step {at} the schedule {end}, and there is nothing to stretch; write "
            "rewarm(...) or replace(...)"
        )
    steps = whole("steps", steps, at_least=1)
    rest = _rest(course, at)
    # The second cycle of a repeat is longer than the first by any factor, exactly.
    length = Fraction(rest.length or 0)
    stretched = rest.repeat(2, stretch=(length + steps) / length)[f"{length}st" :]
    return course.then(at, stretched)


def _rest(course: Course, at: int) -> Schedule:
    local = at - course.begin
    return course.now[local:] if local else course.now


def _cooldown(course: Course, at: int, steps: int, to: float, ease: str) -> Course:
    """Go from here to a level, and stay there."""
    level = course.level(at)
    if level == to:
        raise ScheduleError(f"cooldown: to={to} is the level at step {at} already")
    down = ramp(whole("steps", steps, at_least=1), to=number("to", to, at_least=0), ease=ease)
    return course.then(at, hold(0, at=level) >> down)


def _rewarm(
    course: Course, at: int, steps: int, to: float, then: str | None, over: int | None
) -> Course:
    """Rise from here to a level, and go on with another schedule from there."""
    level = course.level(at)
    up = whole("steps", steps, at_least=1)
    number("to", to, above=0)
    rise = hold(up, at=level) if level == to else hold(0, at=level) >> ramp(up, to=to)
    return course.then(at, _placed(course, at, rise >> _read(then or "hold()"), over))


def _replace(course: Course, at: int, schedule: str, over: int | None, jump: bool) -> Course:
    """Go on with another schedule."""
    level = course.level(at)
    new = _read(schedule)
    # Its pieces without a start begin where the old one is now.
    placed = _placed(course, at, new if jump else hold(0, at=level) >> new, over)
    first = float(placed(0))
    if not jump and abs(first - level) > _SAME * max(abs(level), abs(first)):
        raise ScheduleError(
            f"replace: {schedule} begins at {first:g}, but the level at step {at} is {level:g}; "
            "leave its start out to go on from there, or write jump=True"
        )
    return course.then(at, placed)


def _scale(course: Course, at: int, factor: float, steps: int) -> Course:
    """Multiply what is left by a factor, at once or along a ramp."""
    number("factor", factor, above=0)
    rest = _rest(course, at)
    if not whole("steps", steps, at_least=0) or factor == 1:
        return course.then(at, rest * factor)
    return course.then(at, rest * linear(steps, start=1.0, to=factor))


def _placed(course: Course, at: int, schedule: Schedule, over: int | None) -> Schedule:
    """Place a schedule over what is left of the run, or over so many steps."""
    steps = course.left(at) if over is None else whole("over", over, at_least=1)
    if steps is None:
        return schedule
    if steps == 0:
        raise ScheduleError(
            f"at step {at} nothing is left of the run; say how long it goes on, as in over=1000"
        )
    return schedule.over(steps)


def _read(text: str) -> Schedule:
    from lehr.notation import parse

    return parse(text)


_CHANGES = {
    "extend": _extend,
    "cooldown": _cooldown,
    "rewarm": _rewarm,
    "replace": _replace,
    "scale": _scale,
}
