"""Schedules that time drives, made ready to be walked.

A part that counts in one clock, seconds or steps, is a curve of what has passed since the part was
entered. How long a part of the other clock takes is not known before: a path of both is walked. It
holds the part that is running, the counts at which that was entered and the level that it began at:
its *marks*. These, the counts and the schedule say everything that is to say.
"""

from __future__ import annotations

from lehr.errors import NeedsClock
from lehr.schedule.base import Reach, Schedule
from lehr.schedule.run import Run
from lehr.schedule.sequence import Sequence
from lehr.schedule.times import Over
from lehr.schedule.values import Clip, Product, Sum
from lehr.time.duration import SECONDS, STEPS
from lehr.walltime.chain import Chain
from lehr.walltime.combined import Limits, Pair, TimedRun
from lehr.walltime.parts import Bounds, Counts, Frame, Node, Single, Walk, clocks

__all__ = ["Bounds", "Counts", "Frame", "Node", "Walk", "node_of"]


def node_of(schedule: Schedule, frame: Frame) -> Node:
    """Return a schedule as it is walked.

    Arguments:
        schedule: With lengths in seconds, steps, or both.
        frame: The run around.

    Raises:
        NeedsClock: If it mixes seconds and steps where that has no meaning.
        NeedsHorizon: If it takes what is left, and there is no run.
        ScheduleError: If its shares, or what it takes beside a part that takes what is left, are
            more than the run.
    """
    counted = clocks(schedule)
    if len(counted) < 2 and not (counted == {STEPS} and schedule._reach is Reach.FLEXIBLE):
        return Single(schedule, STEPS if counted == {STEPS} else SECONDS, frame)
    match schedule:
        case Sequence():
            nodes = [_part(part, frame) for part in schedule.parts]
            return Chain(schedule.parts, nodes, frame, str(schedule))
        case Over():
            run = Run(frame.units, frame.length, unit=SECONDS, clock=SECONDS)
            length = run.extent(schedule.horizon)
            units = schedule.horizon.units.within(frame.units)
            return TimedRun(length, node_of(schedule.inner, Frame(length, units)))
        case Product() | Sum():
            right = schedule.right
            second = node_of(right, frame) if isinstance(right, Schedule) else right
            product = isinstance(schedule, Product)
            return Pair(node_of(schedule.left, frame), second, product)
        case Clip():
            return Limits(node_of(schedule.inner, frame), schedule)
        case _:
            raise NeedsClock(
                f"{schedule} repeats, cuts or holds what counts both seconds and steps: write its "
                "lengths all as times, or all in steps"
            )


def _part(part: Schedule, frame: Frame) -> Node:
    node = node_of(part, frame)
    if isinstance(node, Pair | Limits | Chain):
        raise NeedsClock(
            f"{part} counts both seconds and steps, so that nobody knows where it ends: give it a "
            "time, as in (...).over('20s')"
        )
    return node
