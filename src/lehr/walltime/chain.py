"""Paths with parts in different clocks: one part runs at a time, and its entry is recorded."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

from lehr.curves.arithmetic import as_number
from lehr.errors import NeedsClock, NeedsHorizon, ScheduleError, level, number
from lehr.schedule.node import Reach
from lehr.schedule.sequence import Sequence
from lehr.time.duration import SECONDS, STEPS
from lehr.walltime.parts import Bounds, Counts, OuterRun, TimedNode, Walk, WrappedWalk, foreign


@dataclass(frozen=True, slots=True)
class _PartPlan:
    """The plan of a part, before it is entered.

    Attributes:
        node: The part.
        nominal: The seconds that it lasts if no part before it took too long; None if it has no
            end, or counts steps.
        start: Where it begins in the run, for parts after the open part; otherwise None.
        stop: Where it ends in the run, from the open part on; otherwise None.
    """

    node: TimedNode
    nominal: Fraction | None = None
    start: Fraction | None = None
    stop: Fraction | None = None


class Chain(TimedNode):
    """``a >> b`` with parts in different clocks.

    A part before the open one ends by its own clock. The open part ends where the parts after it
    must begin, counted back from the run's end. A part that is entered late runs faster, so that
    the run's end level is reached in time; a part with no time left is a jump.
    """

    def __init__(self, schedule: Sequence, nodes: list[TimedNode], outer: OuterRun) -> None:
        parts, length = schedule.parts, outer.length
        if length is not None and any("%" in repr(part) for part in parts):
            taken = _seconds(nodes)
            if taken > length:
                raise ScheduleError(
                    f"{schedule} asks for {as_number(taken)} of {as_number(length)} seconds"
                )
        self.plans = [_PartPlan(node) for node in nodes]
        opened = next((i for i, part in enumerate(parts) if part._reach is not Reach.FIXED), None)
        if opened is None:
            return
        part, behind = parts[opened], nodes[opened + 1 :]
        flexible = part._reach is Reach.FLEXIBLE
        if length is None:
            if flexible or behind:
                raise NeedsHorizon(f"{part} takes the rest of a run: write .over('90min')")
            return
        for late, node in zip(parts[opened + 1 :], behind, strict=True):
            if node.clock == STEPS:
                raise NeedsClock(
                    f"{late} counts steps after {part}, which takes the rest of the time, so it is "
                    "not known when it must begin; write its length as a time or a share"
                )
        stop = max(length - _seconds(behind), Fraction(0))
        nominal = max(stop - _seconds(nodes[:opened]), Fraction(0)) if flexible else None
        self.plans[opened] = _PartPlan(nodes[opened], nominal, stop=stop)
        for i, node in enumerate(behind, opened + 1):
            assert node.length is not None
            self.plans[i] = _PartPlan(node, node.length, stop, stop + node.length)
            stop += node.length

    def enter(self, at: Counts, entry: float, room: Fraction | None) -> Walk:
        return _Chained(self, at, entry)

    def bounds(self, entry: Bounds, room: Fraction | None) -> tuple[Bounds, Bounds]:
        low, high = math.inf, -math.inf
        for plan in self.plans:
            inside, entry = plan.node.bounds(entry, plan.nominal)
            low, high = min(low, *inside), max(high, *inside)
        return (low, high), entry


def _seconds(nodes: Iterable[TimedNode]) -> Fraction:
    """Return the seconds that parts take by their own lengths."""
    lengths = (node.length or Fraction(0) for node in nodes if node.clock == SECONDS)
    return sum(lengths, Fraction(0))


class _Chained(Walk):
    def __init__(self, chain: Chain, at: Counts, entry: float) -> None:
        # A chain is never part of another chain, so it begins with its run.
        self._plans, self._begin = chain.plans, at.seconds
        self._go(0, at, entry)

    def _go(self, index: int, at: Counts, entry: float) -> None:
        """Enter a part."""
        plan = self._plans[index]
        node = plan.node
        self._index, self._entered, self._entry = index, at, entry
        self._clock, self._stop = node.clock, math.inf
        if plan.stop is None:
            self._walk = node.enter(at, entry, None)
            if node.length is not None:
                self._stop = at.of(node.clock) + as_number(node.length)
            return
        # If it is entered after it should have ended, it ends at once.
        self._clock, self._stop = SECONDS, max(self._due(plan.stop), at.seconds)
        left = self._stop - at.seconds
        nominal = plan.nominal
        room = Fraction(left) if nominal is None else nominal
        self._walk = node.enter(at, entry, room)
        if nominal is not None and (plan.start is None or at.seconds > self._due(plan.start)):
            self._walk = _Hurried(self._walk, at.seconds, left, float(nominal))

    def _due(self, place: Fraction) -> float:
        """Return the seconds at which a position of the run is due."""
        return self._begin + float(place)

    def value(self, now: Counts) -> float:
        while self._index + 1 < len(self._plans) and now.of(self._clock) >= self._stop:
            # The next part begins at the boundary itself, not when the boundary was noticed.
            reached = now.at(self._clock, self._stop)
            end = self._walk.end
            entry = self._walk.value(reached) if end is None else end
            self._go(self._index + 1, reached, entry)
        return self._walk.value(now)

    def marks(self) -> Any:
        marks: dict[str, Any] = {
            "piece": self._index,
            "entered": {STEPS: self._entered.steps, SECONDS: self._entered.seconds},
            "level": self._entry,
        }
        inside = self._walk.marks()
        return marks if inside is None else {**marks, "inside": inside}

    def restore(self, marks: Any) -> None:
        if not isinstance(marks, dict):
            raise foreign(marks)
        given = cast("dict[str, Any]", marks)
        index, entered = given.get("piece"), given.get("entered")
        if type(index) is not int or not 0 <= index < len(self._plans):
            raise foreign(marks)
        if not isinstance(entered, dict):
            raise foreign(marks)
        counts = cast("dict[str, Any]", entered)
        steps = number("entered['st']", counts.get(STEPS), at_least=0)
        seconds = number("entered['s']", counts.get(SECONDS), at_least=0)
        at = Counts(seconds=seconds).at(STEPS, steps)
        self._go(index, at, level("level", given.get("level")))
        self._walk.restore(given.get("inside"))


class _Hurried(WrappedWalk):
    """A part that runs faster, because less time is left than it was meant to take."""

    def __init__(self, walk: Walk, begin: float, left: float, nominal: float) -> None:
        super().__init__(walk)
        self._begin, self._left, self._nominal = begin, left, nominal

    def value(self, now: Counts) -> float:
        passed = now.seconds - self._begin
        done = self._nominal
        if passed < self._left:
            done = passed * (self._nominal / self._left)
        return self._walk.value(now.at(SECONDS, self._begin + done))

    @property
    def end(self) -> float | None:
        return self._walk.end
