"""Building blocks of several schedules in the catalogue."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, Final

from lehr.errors import ScheduleError, number, shown, whole
from lehr.schedule import sequence
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.time.duration import Duration, DurationLike

MOST_WRITTEN_OUT: Final = 2**16


def joined(parts: Iterable[Schedule]) -> Schedule:
    """Join at least one schedule into a sequence."""
    first, *others = parts
    return sequence.Sequence((first, *others)) if others else first


def written_out(name: str, value: Any, *, at_least: int) -> int:
    """Check a number of parts that a function writes out one by one.

    Raises:
        ScheduleError: If it is not a whole number, is too small, or would not fit into memory.
    """
    return whole(name, value, at_least=at_least, at_most=MOST_WRITTEN_OUT)


def in_order(name: str, times: Iterable[DurationLike]) -> list[Duration]:
    """Return times as durations.

    Raises:
        ScheduleError: If one is earlier than the one before it, or in another unit.
    """
    read = [Duration.of(time, name) for time in times]
    for before, after in itertools.pairwise(read):
        if before.unit != after.unit or after.amount < before.amount:
            raise ScheduleError(f"{name}={listed(read)} must be in rising order, and in one unit")
    return read


def listed(times: Sequence[DurationLike]) -> str:
    """Return times as a person would type them, for messages."""
    text = ", ".join(Duration.of(time).code for time in times[:20])
    return f"[{text}{', ...' if len(times) > 20 else ''}]"


def jumps(times: Sequence[Duration], values: Sequence[float]) -> Schedule:
    """Return values in sequence: the first from the start, each other from its time on."""
    begins = [times[0] - times[0], *times] if times else []
    stretches = [after - before for before, after in zip(begins, times, strict=False)]
    parts = [hold(steps, at=value) for steps, value in zip(stretches, values, strict=False)]
    return joined([*parts, hold(at=values[-1])])


def one_each(name: str, values: Sequence[float] | None, periods: Sequence[Any]) -> Sequence[float]:
    """Return the argument ``name``, one value for each period; by default all are 1."""
    each = [1.0] * len(periods) if values is None else values
    if not periods or len(each) != len(periods):
        raise ScheduleError(
            f"periods={listed(periods)}, {name}={shown(each)}: write one value for each period, "
            "and at least one"
        )
    return each


def rest(length: Duration, taken: Duration, name: str) -> Duration:
    """Return the rest of a length, the argument ``name``."""
    left = length - taken
    if left.amount < 0:
        raise ScheduleError(f"{name}={length} is shorter than the {taken} of its parts")
    return left


def distinct(**levels: float) -> None:
    """Raise a ScheduleError unless two levels, by the names of their arguments, differ."""
    (name, level), (other, peak) = levels.items()
    if level == peak:
        raise ScheduleError(f"{name}={level} and {other}={peak} are equal; write constant({level})")


def between(shape: Schedule, floor: float, peak: float) -> Schedule:
    """Map a shape between 0 and 1 to levels from ``floor`` to ``peak``."""
    distinct(floor=floor, peak=peak)
    number("peak - floor", peak - floor)
    if peak - floor != 1:
        shape = shape * (peak - floor)
    return shape + floor if floor else shape
