"""What several families of the catalogue build with."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from lehr.errors import ScheduleError, level, number
from lehr.schedule.base import Schedule

__all__ = ["between", "joined"]


def joined(parts: Iterable[Schedule]) -> Schedule:
    """Return schedules one after the other."""
    return functools.reduce(lambda before, after: before >> after, parts)


def between(shape: Schedule, floor: float, peak: float) -> Schedule:
    """Map a shape that lives between 0 and 1 to the levels of the user."""
    floor, peak = level("floor", floor), level("peak", peak)
    if floor == peak:
        raise ScheduleError(f"floor={floor} and peak={peak} are equal; write constant({floor})")
    number("peak - floor", peak - floor)
    if peak - floor != 1:
        shape = shape * (peak - floor)
    return shape + floor if floor else shape
