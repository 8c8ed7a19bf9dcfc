"""Timed schedules as trees of parts that are entered one after another.

A part that counts in one clock, seconds or steps, is a curve over the count since it was entered.
How long a part in the other clock takes is not known beforehand, so a path with both keeps the
running part, the counts at which it was entered and the level at which it began: its *marks*. The
schedule, the counts and the marks determine the value.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, cast

from lehr.errors import NeedsClock
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.schedule.node import Reach
from lehr.schedule.run import Run
from lehr.schedule.sequence import Sequence
from lehr.schedule.times import Over
from lehr.schedule.values import Clip, Product, Sum
from lehr.time.duration import SECONDS, STEPS
from lehr.walltime.chain import Chain
from lehr.walltime.parts import (
    Bounds,
    Counts,
    OuterRun,
    Single,
    TimedNode,
    Walk,
    WrappedWalk,
    clocks,
    foreign,
)


def node_of(schedule: Schedule, outer: OuterRun) -> TimedNode:
    """Return a schedule in an outer run as a tree of parts that can be entered.

    Raises:
        NeedsClock: If it mixes seconds and steps where that has no meaning.
        NeedsHorizon: If it takes the rest of a run, and there is no run.
        ScheduleError: If its shares, or its fixed lengths beside a part that takes the rest, exceed
            the run.
    """
    counted = clocks(schedule)
    if len(counted) < 2 and not (counted == {STEPS} and schedule._reach is Reach.FLEXIBLE):
        return Single(schedule, STEPS if counted == {STEPS} else SECONDS, outer)
    match schedule:
        case Sequence():
            return Chain(schedule, [_part(part, outer) for part in schedule.parts], outer)
        case Over():
            run = Run(outer.units, outer.length, unit=SECONDS, clock=SECONDS)
            length = run.extent(schedule.horizon)
            units = schedule.horizon.units.within(outer.units)
            return _TimedRun(length, node_of(schedule.inner, OuterRun(length, units)))
        case Product() | Sum():
            right = schedule.right
            second = right if isinstance(right, Schedule) else hold(at=right)
            operands = node_of(schedule.left, outer), node_of(second, outer)
            return _TimedPair(*operands, isinstance(schedule, Product))
        case Clip():
            return _Limits(node_of(schedule.inner, outer), schedule)
        case _:
            raise NeedsClock(
                f"{schedule} repeats, cuts or holds a part that counts both seconds and steps: "
                "write its lengths all as times, or all in steps"
            )


def _part(part: Schedule, outer: OuterRun) -> TimedNode:
    node = node_of(part, outer)
    if isinstance(node, _TimedPair | _Limits | Chain):
        raise NeedsClock(
            f"{part} counts both seconds and steps, so that its end is not known: give it a time, "
            "as in (...).over('20s')"
        )
    return node


class _TimedRun(TimedNode):
    """A run of a number of seconds; its clock stops at its end."""

    def __init__(self, length: Fraction, inner: TimedNode) -> None:
        self.length, self._inner = length, inner

    def enter(self, at: Counts, entry: float, room: Fraction | None) -> Walk:
        assert self.length is not None
        # A run is complete in itself: the previous level does not enter it.
        walk = self._inner.enter(at, 1.0, self.length)
        return _Stopped(walk, at.seconds + float(self.length))

    def bounds(self, entry: Bounds, room: Fraction | None) -> tuple[Bounds, Bounds]:
        inside, _ = self._inner.bounds((1.0, 1.0), self.length)
        # It may end before its parts do.
        return inside, inside


class _Stopped(WrappedWalk):
    def __init__(self, walk: Walk, stop: float) -> None:
        super().__init__(walk)
        self._stop = stop

    def value(self, now: Counts) -> float:
        return self._walk.value(now.at(SECONDS, min(now.seconds, self._stop)))


class _TimedPair(TimedNode):
    """``a + b`` and ``a * b``, where each operand counts in its own clock."""

    def __init__(self, left: TimedNode, right: TimedNode, product: bool) -> None:
        self._left, self._right, self._product = left, right, product

    def enter(self, at: Counts, entry: float, room: Fraction | None) -> Walk:
        left, right = (one.enter(at, 1.0, room) for one in (self._left, self._right))
        return _PairWalk(left, right, self._product)

    def bounds(self, entry: Bounds, room: Fraction | None) -> tuple[Bounds, Bounds]:
        left, right = (one.bounds((1.0, 1.0), room)[0] for one in (self._left, self._right))
        if self._product:
            corners = [a * b if a and b else 0.0 for a in left for b in right]
        else:
            corners = [a + b for a, b in zip(left, right, strict=True)]
        inside = min(corners), max(corners)
        return inside, inside


class _PairWalk(Walk):
    def __init__(self, left: Walk, right: Walk, product: bool) -> None:
        self._left, self._right, self._product = left, right, product

    def value(self, now: Counts) -> float:
        left, right = self._left.value(now), self._right.value(now)
        return left * right if self._product else left + right

    def marks(self) -> Any:
        both = [self._left.marks(), self._right.marks()]
        return None if both == [None, None] else both

    def restore(self, marks: Any) -> None:
        both = [None, None] if marks is None else marks
        if not isinstance(both, list) or len(cast("list[Any]", both)) != 2:
            raise foreign(marks)
        left, right = cast("list[Any]", both)
        self._left.restore(left)
        self._right.restore(right)


class _Limits(TimedNode):
    """``s.clip(low, high)``."""

    def __init__(self, inner: TimedNode, clip: Clip) -> None:
        self._inner, self._clip = inner, clip

    def enter(self, at: Counts, entry: float, room: Fraction | None) -> Walk:
        return _Limited(self._inner.enter(at, entry, room), self._clip)

    def bounds(self, entry: Bounds, room: Fraction | None) -> tuple[Bounds, Bounds]:
        low, high = self._inner.bounds(entry, room)[0]
        inside = _clipped(low, self._clip), _clipped(high, self._clip)
        return inside, inside


class _Limited(WrappedWalk):
    def __init__(self, walk: Walk, clip: Clip) -> None:
        super().__init__(walk)
        self._clip = clip

    def value(self, now: Counts) -> float:
        return _clipped(self._walk.value(now), self._clip)


def _clipped(value: float, clip: Clip) -> float:
    return min(max(value, clip.low), clip.high)
