"""What is walked; and the parts that count in one clock: curves of what passed since the entry."""

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
from lehr.schedule.base import Reach, Schedule
from lehr.schedule.horizon import Units
from lehr.schedule.leaves import Formula, Piece, Table
from lehr.schedule.run import Run
from lehr.schedule.times import Over
from lehr.time.duration import SECONDS, SHARE, STEPS, Duration

__all__ = ["Bounds", "Counts", "Frame", "Node", "Single", "Walk", "clocks", "foreign"]


_NOTHING: Final = Units()

Bounds = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Counts:
    """What has passed: updates, and seconds."""

    steps: int | float = 0
    seconds: float = 0.0

    def of(self, clock: str) -> int | float:
        """Return the count of a clock."""
        return self.seconds if clock == SECONDS else self.steps

    def at(self, clock: str, count: float) -> Counts:
        """Return these counts with that of one clock replaced."""
        if clock == SECONDS:
            return replace(self, seconds=count)
        return replace(self, steps=int(count) if count == int(count) else count)


@dataclass(frozen=True, slots=True)
class Frame:
    """The run around: so many seconds, or None where there is no run; and its other units."""

    length: Fraction | None = None
    units: Units = _NOTHING


class Walk(ABC):
    """A part that was entered."""

    @abstractmethod
    def value(self, now: Counts) -> float:
        """Go on to these counts, which are never less than before, and return the value there."""

    @property
    def end(self) -> float | None:
        """The level at which it ends, where its own clock ends it; None where that is not known."""
        return None

    def marks(self) -> Any:
        """Return where it is, as plain values; None where the counts alone say it."""
        return None

    def restore(self, marks: Any) -> None:
        """Take up what :meth:`marks` returned.

        Raises:
            ScheduleError: If these are no marks of this schedule.
        """
        if marks is not None:
            raise foreign(marks)


def foreign(marks: Any) -> ScheduleError:
    """Return the error of marks that a schedule cannot have."""
    return ScheduleError(f"marks={str(marks)[:80]}: these are of another schedule")


class Node(ABC):
    """A part of the schedule, as it is walked.

    Attributes:
        length: How long it lasts in its clock, or None where it takes what is left.
        clock: What its length is counted in.
    """

    length: Fraction | None = None
    clock: str = SECONDS

    @abstractmethod
    def enter(self, at: Counts, entry: float, begin: Counts, room: Fraction | None) -> Walk:
        """Return it as it is entered.

        Arguments:
            at: The counts.
            entry: The level at which a piece without a start begins.
            begin: The counts at which the run around began.
            room: The seconds there are for it, where its own length does not say it.
        """

    @abstractmethod
    def bounds(self, entry: Bounds, room: Fraction | None) -> tuple[Bounds, Bounds]:
        """Return two levels that all its values lie between, and two for where it may end.

        Arguments:
            entry: Two levels that it is entered between.
            room: The seconds that there are meant to be for it, as for :meth:`enter`.
        """


# ----- one clock ----------------------------------------------------------------------------------


def clocks(schedule: Schedule) -> set[str]:
    """Return the clocks that a schedule counts in: steps, seconds (also as a share), or both."""
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
                # (No step is no time either.)
                found.add(SECONDS if item.unit in (SECONDS, SHARE) else STEPS)
    return found


class Single(Node):
    """A schedule that counts in one clock."""

    def __init__(self, schedule: Schedule, clock: str, frame: Frame) -> None:
        self.clock = clock
        self._schedule, self._frame = schedule, frame
        self._fixed = schedule._reach is Reach.FIXED
        if self._fixed:
            run = self._run(Counts())
            span = schedule._span(run)
            whole = span.rounds and run.rounding
            self.length = Fraction(math.floor(span.steps + Fraction(1, 2)) if whole else span.steps)

    def _run(self, at: Counts) -> Run:
        if self.clock == STEPS:
            return Run(self._frame.units, here=Fraction(at.steps))
        return Run(self._frame.units, self._frame.length, unit=SECONDS, clock=SECONDS)

    def _curve(self, at: Counts, entry: float, room: Fraction | None) -> Curve:
        if self._fixed:
            room = self.length
        elif self.clock == STEPS:
            room = None
        size = self.length if self._fixed else None
        try:
            return self._schedule._place(self._run(at), entry, room, size)
        except NeedsHorizon:
            raise
        except ScheduleError:
            # By chance the level before is the very one that it goes to, or fell to 0 in log space:
            # at its neighbour there is a way to go.
            near = math.nextafter(entry, math.inf)
            return self._schedule._place(self._run(at), near, room, size)

    def enter(self, at: Counts, entry: float, begin: Counts, room: Fraction | None) -> Walk:
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
