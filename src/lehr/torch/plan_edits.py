"""Changes of plan, as pure functions: a schedule is cut at a step and continued in another way.

The past does not change. What follows a cut is a complete schedule, so it can be cut again: twenty
changes make twenty pieces.
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
from lehr.schedule.tree import from_dict

_SAME = 1e-9


@dataclass(frozen=True)
class RevisedSchedule:
    """A schedule in pieces: the past ones and the current one.

    Attributes:
        now: The current piece, from its own step 0 on.
        past: The pieces before it, one for each change.
        begin: The step at which the current piece began.
    """

    now: Schedule
    past: tuple[Schedule, ...] = ()
    begin: int = 0

    @property
    def schedule(self) -> Schedule:
        """All of it, as one schedule."""
        whole_schedule = self.now
        for piece in reversed(self.past):
            whole_schedule = piece >> whole_schedule
        return whole_schedule

    def level(self, at: int) -> float:
        """Return the level at a step of the current piece."""
        return float(self.now(at - self.begin))

    def left(self, at: int) -> int | None:
        """Return how many steps are left at a step, or None if it has no end."""
        length = self.now.length
        return None if length is None else max(math.ceil(length) - (at - self.begin), 0)

    def then(self, at: int, now: Schedule) -> RevisedSchedule:
        """Return a copy cut at a step and continued by another schedule."""
        local = at - self.begin
        past = (*self.past, self.now[:local]) if local else self.past
        return RevisedSchedule(now, past, at)


def changed(revised: RevisedSchedule, change: Mapping[str, Any]) -> RevisedSchedule:
    """Return a schedule with one more change of plan.

    Arguments:
        revised: The schedule with the changes so far.
        change: ``"at"``: the step; ``"change"``: the name of a function below; and its arguments,
            in plain types, as in a saved state.

    Raises:
        ScheduleError: If the change cannot be made at that step.
    """
    arguments = {name: value for name, value in change.items() if name not in _NOT_ARGUMENTS}
    kind = change["change"]
    if kind not in _CHANGES:
        raise ScheduleError(f"{kind!r} is not a change of plan; there are {', '.join(_CHANGES)}")
    try:
        return _CHANGES[kind](revised, change["at"], **arguments)
    except (TypeError, AttributeError) as error:
        raise ScheduleError(f"{kind}: {error}") from None


_NOT_ARGUMENTS = ("at", "change", "of")


def _extend(revised: RevisedSchedule, at: int, steps: int) -> RevisedSchedule:
    """Stretch the rest of the schedule so that it lasts ``steps`` longer."""
    left = revised.left(at)
    if not left:
        end = "has no end" if left is None else "is at its end"
        raise ScheduleError(
            f"extend: at step {at} the schedule {end}, and there is nothing to stretch; write "
            "rewarm(...) or replace(...)"
        )
    steps = whole("steps", steps, at_least=1)
    rest = _rest(revised, at)
    # The second cycle of a repeat is longer than the first by any factor, exactly.
    length = Fraction(rest.length or 0)
    stretched = rest.repeat(2, stretch=(length + steps) / length)[f"{length}st" :]
    return revised.then(at, stretched)


def _rest(revised: RevisedSchedule, at: int) -> Schedule:
    local = at - revised.begin
    return revised.now[local:] if local else revised.now


def _cooldown(
    revised: RevisedSchedule, at: int, steps: int, to: float, ease: str
) -> RevisedSchedule:
    """Go from here to a level, and stay there."""
    level = revised.level(at)
    if level == to:
        raise ScheduleError(f"cooldown: to={to} is the level at step {at} already")
    down = ramp(whole("steps", steps, at_least=1), to=number("to", to, at_least=0), ease=ease)
    return revised.then(at, hold(0, at=level) >> down)


def _rewarm(
    revised: RevisedSchedule,
    at: int,
    steps: int,
    to: float,
    then: Mapping[str, Any] | None,
    over: int | None,
) -> RevisedSchedule:
    """Rise from here to a level, then follow another schedule."""
    level = revised.level(at)
    up = whole("steps", steps, at_least=1)
    number("to", to, above=0)
    rise = hold(up, at=level) if level == to else hold(0, at=level) >> ramp(up, to=to)
    return revised.then(
        at, _placed(revised, at, rise >> (hold() if then is None else from_dict(then)), over)
    )


def _replace(
    revised: RevisedSchedule, at: int, schedule: Mapping[str, Any], over: int | None, jump: bool
) -> RevisedSchedule:
    """Continue with another schedule, given in its dict form."""
    level = revised.level(at)
    new = from_dict(schedule)
    # Its pieces without a start begin where the old one is now.
    placed = _placed(revised, at, new if jump else hold(0, at=level) >> new, over)
    first = float(placed(0))
    if not jump and abs(first - level) > _SAME * max(abs(level), abs(first)):
        raise ScheduleError(
            f"replace: {new} begins at {first:g}, but the level at step {at} is {level:g}; "
            "leave its start out to go on from there, or write jump=True"
        )
    return revised.then(at, placed)


def _scale(revised: RevisedSchedule, at: int, factor: float, steps: int) -> RevisedSchedule:
    """Multiply the rest of the schedule by a factor, at once or along a ramp."""
    number("factor", factor, above=0)
    rest = _rest(revised, at)
    if not whole("steps", steps, at_least=0) or factor == 1:
        return revised.then(at, rest * factor)
    return revised.then(at, rest * linear(steps, start=1.0, to=factor))


def _placed(revised: RevisedSchedule, at: int, schedule: Schedule, over: int | None) -> Schedule:
    """Place a schedule over the rest of the run, or over ``over`` steps."""
    steps = revised.left(at) if over is None else whole("over", over, at_least=1)
    if steps is None:
        return schedule
    if steps == 0:
        raise ScheduleError(
            f"at step {at} nothing is left of the run; say how long it goes on, as in over=1000"
        )
    return schedule.over(steps)


_CHANGES = {
    "extend": _extend,
    "cooldown": _cooldown,
    "rewarm": _rewarm,
    "replace": _replace,
    "scale": _scale,
}
