"""Operators on values: ``a * b``, ``a + b``, staircases and limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, TypeGuard

from lehr.curves import Clipped, Combined, Curve, Stairs
from lehr.errors import ScheduleError, level
from lehr.schedule.base import Schedule
from lehr.schedule.kinds import kind
from lehr.schedule.node import ATOM, PLUS, TIMES, Length, Reach, Site, bracketed, call
from lehr.schedule.run import Run
from lehr.time.duration import Duration


@dataclass(frozen=True, repr=False)
class _Binary(Schedule):
    """The base of ``a + b`` and ``a * b``, which last as long as the longer operand."""

    left: Schedule
    right: Schedule | float
    _multiplies: ClassVar[bool]

    def __post_init__(self) -> None:
        if not isinstance(self.right, Schedule):
            object.__setattr__(self, "right", level("operand", self.right))
        self._check_depth()

    @property
    def _reach(self) -> Reach:
        reaches = [operand._reach for operand in self._children]
        for reach in (Reach.ENDLESS, Reach.FLEXIBLE):
            if reach in reaches:
                return reach
        return Reach.FIXED

    def _span(self, run: Run) -> Length | None:
        lengths = [operand._span(run) for operand in self._children]
        known = [length for length in lengths if length is not None]
        return max(known) if len(known) == len(lengths) else None

    def _place(self, at: Site) -> Curve:
        # The previous level does not enter the operands.
        inner = Site(at.run, room=at.room)
        left = self.left._place(inner)
        right = self.right._place(inner) if isinstance(self.right, Schedule) else self.right
        return Combined(left, right, self._multiplies)


@kind
@dataclass(frozen=True, repr=False)
class Product(_Binary):
    """``a * b``: the product at each step."""

    _multiplies = True

    def _text(self) -> tuple[str, int]:
        right = self.right
        if right == -1.0:
            return f"-{bracketed(self.left, ATOM)}", TIMES
        second = bracketed(right, ATOM) if isinstance(right, Schedule) else repr(right)
        return f"{bracketed(self.left, TIMES)} * {second}", TIMES


def _is_negated(schedule: Schedule) -> TypeGuard[Product]:
    return isinstance(schedule, Product) and schedule.right == -1.0


@kind
@dataclass(frozen=True, repr=False)
class Sum(_Binary):
    """``a + b``: the sum at each step."""

    _multiplies = False

    def _text(self) -> tuple[str, int]:
        left, right = self.left, self.right
        if isinstance(right, Schedule):
            if _is_negated(right):
                return f"{bracketed(left, PLUS)} - {bracketed(right.left, TIMES)}", PLUS
            return f"{bracketed(left, PLUS)} + {bracketed(right, TIMES)}", PLUS
        if _is_negated(left):
            return f"{right!r} - {bracketed(left.left, TIMES)}", PLUS
        sign = "-" if right < 0 else "+"
        return f"{bracketed(left, PLUS)} {sign} {abs(right)!r}", PLUS


@dataclass(frozen=True, repr=False)
class _Wrapped(Schedule):
    """The base of operators that keep their operand's length."""

    inner: Schedule

    @property
    def _reach(self) -> Reach:
        return self.inner._reach

    def _span(self, run: Run) -> Length | None:
        return self.inner._span(run)


@kind
@dataclass(frozen=True, repr=False)
class Every(_Wrapped):
    """``s.every(steps)``: a staircase; see :meth:`Schedule.every`."""

    steps: Duration

    def __post_init__(self) -> None:
        if self.steps.amount == 0:
            raise ScheduleError(f"every: steps={self.steps} must be greater than 0")
        self._check_depth()

    def _place(self, at: Site) -> Curve:
        curve, run = self.inner._place(at), at.run
        clock, every = run.scale(self.steps)
        if clock == run.clock:
            return Stairs(curve, every)
        return run.translated(
            clock, lambda _: Stairs(run.as_other_clock(curve), every), curve.length
        )

    def _text(self) -> tuple[str, int]:
        return f"{bracketed(self.inner, ATOM)}.every({self.steps.code})", ATOM


@kind
@dataclass(frozen=True, repr=False)
class Clip(_Wrapped):
    """``s.clip(low, high)``: kept between two levels; see :meth:`Schedule.clip`."""

    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if self.low == -math.inf and self.high == math.inf:
            raise ScheduleError("clip: give low, high or both")
        if self.low > self.high:
            raise ScheduleError(f"clip: low={self.low!r} is above high={self.high!r}")
        self._check_depth()

    def _place(self, at: Site) -> Curve:
        return Clipped(self.inner._place(at), self.low, self.high)

    def _text(self) -> tuple[str, int]:
        bounds = (("low", self.low, -math.inf), ("high", self.high, math.inf))
        return f"{bracketed(self.inner, ATOM)}.{call('clip', *bounds)}", ATOM
