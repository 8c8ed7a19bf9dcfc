"""The parts of a timed schedule, including those that count in a single clock."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any, Final, cast

from lehr.curves import Curve
from lehr.curves.arithmetic import scalars
from lehr.curves.path import holding
from lehr.errors import NeedsHorizon, ScheduleError
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import Formula, Piece, Table
from lehr.schedule.node import Reach, Site
from lehr.schedule.run import Run
from lehr.schedule.times import Over
from lehr.time.duration import SECONDS, SHARE, STEPS, Duration, round_half_up
from lehr.time.units import Units

Bounds = tuple[float, float]

_NO_UNITS: Final = Units()


@dataclass(frozen=True, slots=True)
class Counts:
    """The updates and the seconds that have passed."""

    steps: int | float = 0
    seconds: float = 0.0

    def of(self, clock: str) -> int | float:
        """Return the count of a clock."""
        return self.seconds if clock == SECONDS else self.steps

    def at(self, clock: str, count: float) -> Counts:
        """Return these counts with the count of one clock replaced."""
        if clock == SECONDS:
            return replace(self, seconds=count)
        return replace(self, steps=int(count) if count == int(count) else count)


@dataclass(frozen=True, slots=True)
class OuterRun:
    """The run that contains a part: its seconds, or None outside a run, and its units."""

    length: Fraction | None = None
    units: Units = _NO_UNITS


class Walk(ABC):
    """A part that has been entered."""

    @abstractmethod
    def value(self, now: Counts) -> float:
        """Advance to these counts, which never decrease, and return the value there."""

    @property
    def end(self) -> float | None:
        """The level at which it ends, if its own clock ends it; None if that is not known."""
        return None

    def marks(self) -> Any:
        """Return its position as plain values; None if the counts alone determine it."""
        return None

    def restore(self, marks: Any) -> None:
        """Restore a position that :meth:`marks` returned; raise ScheduleError for any other."""
        if marks is not None:
            raise foreign(marks)


class WrappedWalk(Walk):
    """A walk whose value is computed from another walk's, and whose position is the other's."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk

    def marks(self) -> Any:
        return self._walk.marks()

    def restore(self, marks: Any) -> None:
        self._walk.restore(marks)


def foreign(marks: Any) -> ScheduleError:
    """Return the error for marks that a schedule cannot have."""
    return ScheduleError(f"marks={str(marks)[:80]}: these belong to another schedule")


class TimedNode(ABC):
    """A part of the schedule, before it is entered; without a length it takes the rest."""

    length: Fraction | None = None
    clock: str = SECONDS

    @abstractmethod
    def enter(self, at: Counts, entry: float, room: Fraction | None) -> Walk:
        """Enter it at these counts; a piece without a start begins at the level ``entry``.

        ``room`` is the seconds that a part without a length may take.
        """

    @abstractmethod
    def bounds(self, entry: Bounds, room: Fraction | None) -> tuple[Bounds, Bounds]:
        """Return bounds for all its values, and for the level at which it may end."""


def clocks(schedule: Schedule) -> set[str]:
    """Return the clocks in which a schedule counts: steps, seconds (including shares), or both."""
    if isinstance(schedule, Over):
        if schedule.horizon.length.unit in (SECONDS, SHARE):
            return {SECONDS} | clocks(schedule.inner)
        return {STEPS}
    if isinstance(schedule, Table | Formula) or (
        isinstance(schedule, Piece) and schedule.ease.iterations
    ):
        return {STEPS}
    found: set[str] = set()
    for part in fields(cast("Any", schedule)):
        value = getattr(schedule, part.name)
        for item in cast("tuple[Any, ...]", value if isinstance(value, tuple) else (value,)):
            if isinstance(item, Schedule):
                found |= clocks(item)
            elif isinstance(item, Duration) and item.amount:
                # Zero steps need no clock.
                found.add(SECONDS if item.unit in (SECONDS, SHARE) else STEPS)
    return found


class Single(TimedNode):
    """A schedule that counts in one clock."""

    def __init__(self, schedule: Schedule, clock: str, outer: OuterRun) -> None:
        self.clock = clock
        self._schedule, self._outer = schedule, outer
        if schedule._reach is Reach.FIXED:
            run = self._run(Counts())
            span = schedule._span(run)
            assert span is not None
            whole = span.rounds and run.rounding
            self.length = Fraction(round_half_up(span.steps)) if whole else span.steps

    def _run(self, at: Counts) -> Run:
        if self.clock == STEPS:
            return Run(self._outer.units, here=Fraction(at.steps))
        return Run(self._outer.units, self._outer.length, unit=SECONDS, clock=SECONDS)

    def _curve(self, at: Counts, entry: float, room: Fraction | None) -> Curve:
        if self.length is not None or self.clock == STEPS:
            room = self.length
        try:
            return self._schedule._place(Site(self._run(at), entry, room, self.length))
        except NeedsHorizon:
            raise
        except ScheduleError:
            # The previous level may happen to be its target, or 0 in log space; from the next
            # larger number it can move.
            near = math.nextafter(entry, math.inf)
            return self._schedule._place(Site(self._run(at), near, room, self.length))

    def enter(self, at: Counts, entry: float, room: Fraction | None) -> Walk:
        return _Curved(self._curve(at, entry, room), at.of(self.clock), self.clock)

    def bounds(self, entry: Bounds, room: Fraction | None) -> tuple[Bounds, Bounds]:
        if self._schedule._reach is Reach.ENDLESS:
            room = None
        curves = [self._curve(Counts(), at, room) for at in entry]
        inside = min(c.low for c in curves), max(c.high for c in curves)
        if any(curve.length is None for curve in curves):
            return inside, inside
        ends = [curve.end for curve in curves]
        return inside, (min(ends), max(ends))


class _Curved(Walk):
    def __init__(self, curve: Curve, begin: float, clock: str) -> None:
        self._curve, self._begin, self._clock = holding(curve), begin, clock

    def value(self, now: Counts) -> float:
        return float(self._curve.value(max(now.of(self._clock) - self._begin, 0), scalars))

    @property
    def end(self) -> float | None:
        return None if self._curve.length is None else self._curve.end
