"""The leaves that are no named schedule of their own: hold, ramp, table, formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from lehr.easing import Ease, EaseLike
from lehr.errors import ScheduleError
from lehr.horizon import Duration, DurationLike
from lehr.schedule import Formula, Piece, Schedule, Table

__all__ = ["formula", "hold", "ramp", "table"]


def hold(steps: DurationLike | None = None, *, at: float | None = None) -> Schedule:
    """Stay at a level.

    Arguments:
        steps: How long; without it, as long as there is room, or for ever.
        at: The level; without it, that at which the piece before ended.

    Example:
        >>> s = hold(10, at=0.5) >> hold(10)
        >>> s(0), s(15)
        (0.5, 0.5)
    """
    return Piece(_duration(steps), at, None)


def ramp(
    steps: DurationLike | None = None,
    *,
    to: float = 0.0,
    start: float | None = None,
    ease: EaseLike = "linear",
    log: bool = False,
) -> Schedule:
    """Go from one level to another by any ease.

    Arguments:
        steps: How long; without it, as long as there is room.
        to: The level that it reaches after ``steps``.
        start: The level at which it begins; without it, that at which the piece before ended.
        ease: A name from :mod:`lehr.easing` (``"cosine"``, ``"power(2)"``, ``"1-sqrt"``), or a
            function from the share of the way in time to the share of the way in height.
        log: Go in log space, where both levels are positive: equal steps are equal factors.

    Raises:
        ScheduleError: If it would not move, or a level is not positive in log space.

    Example:
        >>> s = ramp(100, to=0.0, ease="1-sqrt")
        >>> s(25)
        0.5
    """
    return Piece(_duration(steps), start, to, Ease.of(ease), log)


def table(values: Iterable[float]) -> Schedule:
    """Take the values from a list, one a step; the last one holds.

    Raises:
        ScheduleError: If the list is empty or holds what is no finite number.

    Example:
        >>> s = table([0.1, 0.2, 0.4])
        >>> s(1), s(100)
        (0.2, 0.4)
    """
    return Table(tuple(values))


def formula(
    function: Callable[[Any], float], *, low: float = -math.inf, high: float = math.inf
) -> Schedule:
    """Take the values from a function of the step.

    Arguments:
        function: Called with one step, a Python number; gives a number.
        low: A number that none of its values is below, where known; what drives a learning rate
            must be known to be at least 0.
        high: A number that none of its values is above, where known.

    Raises:
        ScheduleError: If it cannot be called, or ``low`` is above ``high``.

    Example:
        >>> s = formula(lambda t: 1 / (1 + t), low=0, high=1)
        >>> s(3)
        0.25
    """
    if isinstance(function, Schedule):
        raise ScheduleError(f"formula: {function} is a schedule already; use it as it is")
    return Formula(function, float(low), float(high))


def _duration(steps: DurationLike | None) -> Duration | None:
    return None if steps is None else Duration.of(steps)
