"""Timed schedules as trees of parts that are entered one after the other.

A part that counts in one clock, seconds or steps, is a curve of what has passed since the part was
entered. How long a part of the other clock takes is not known beforehand, so a path of both keeps
the part that is running, the counts at which it was entered and the level that it began at: its
*marks*. The schedule, the counts and the marks determine the value.
"""

from __future__ import annotations

from lehr.errors import NeedsClock
from lehr.schedule.base import Schedule
from lehr.schedule.node import Reach
from lehr.schedule.run import Run
from lehr.schedule.sequence import Sequence
from lehr.schedule.times import Over
from lehr.schedule.values import Clip, Product, Sum
from lehr.time.duration import SECONDS, STEPS
from lehr.walltime.chain import Chain
from lehr.walltime.combined import Limits, TimedPair, TimedRun
from lehr.walltime.parts import OuterRun, Single, TimedNode, clocks


def node_of(schedule: Schedule, outer: OuterRun) -> TimedNode:
    """Return a schedule as a tree of parts that can be entered.

    Arguments:
        schedule: With lengths in seconds, steps, or both.
        outer: The run around.

    Raises:
        NeedsClock: If it mixes seconds and steps where that has no meaning.
        NeedsHorizon: If it takes what is left, and there is no run.
        ScheduleError: If its shares, or what it takes beside a part that takes what is left, are
            more than the run.
    """
    counted = clocks(schedule)
    if len(counted) < 2 and not (counted == {STEPS} and schedule._reach is Reach.FLEXIBLE):
        return Single(schedule, STEPS if counted == {STEPS} else SECONDS, outer)
    match schedule:
        case Sequence():
            nodes = [_part(part, outer) for part in schedule.parts]
            return Chain(schedule.parts, nodes, outer, str(schedule))
        case Over():
            run = Run(outer.units, outer.length, unit=SECONDS, clock=SECONDS)
            length = run.extent(schedule.horizon)
            units = schedule.horizon.units.within(outer.units)
            return TimedRun(length, node_of(schedule.inner, OuterRun(length, units)))
        case Product() | Sum():
            right = schedule.right
            second = node_of(right, outer) if isinstance(right, Schedule) else right
            product = isinstance(schedule, Product)
            return TimedPair(node_of(schedule.left, outer), second, product)
        case Clip():
            return Limits(node_of(schedule.inner, outer), schedule)
        case _:
            raise NeedsClock(
                f"{schedule} repeats, cuts or holds a part that counts both seconds and steps: "
                "write its lengths all as times, or all in steps"
            )


def _part(part: Schedule, outer: OuterRun) -> TimedNode:
    node = node_of(part, outer)
    if isinstance(node, TimedPair | Limits | Chain):
        raise NeedsClock(
            f"{part} counts both seconds and steps, so that its end is not known: give it a time, "
            "as in (...).over('20s')"
        )
    return node
