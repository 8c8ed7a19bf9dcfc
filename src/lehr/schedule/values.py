"""Operators on values: ``a * b``, ``a + b``, staircases and limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeGuard

from lehr.curves import Clipped, Combined, Curve, Stairs
from lehr.errors import ScheduleError, level
from lehr.schedule.base import ATOM, PLUS, TIMES, Reach, Schedule, Span, bracketed, call
from lehr.schedule.run import Run
from lehr.time.duration import Duration

__all__ = ["Clip", "Every", "Product", "Sum"]


@dataclass(frozen=True, repr=False)
class _Pair(Schedule):
    """The common part of ``a + b`` and ``a * b``: lasts as long as the longer operand."""

    left: Schedule
    right: Schedule | float

    def __post_init__(self) -> None:
        if not isinstance(self.right, Schedule):
            object.__setattr__(self, "right", level("operand", self.right))

    @property
    def _operands(self) -> list[Schedule]:
        return [self.left, self.right] if isinstance(self.right, Schedule) else [self.left]

    @property
    def _reach(self) -> Reach:
        reaches = [operand._reach for operand in self._operands]
        for reach in (Reach.ENDLESS, Reach.FLEXIBLE):
            if reach in reaches:
                return reach
        return Reach.FIXED

    def _span(self, run: Run) -> Span:
        return max(operand._span(run) for operand in self._operands)

    def _combine(self, run: Run, room: Fraction | None, product: bool) -> Curve:
        left = self.left._place(run, 1.0, room)
        if isinstance(self.right, Schedule):
            return Combined(left, self.right._place(run, 1.0, room), product)
        return Combined(left, self.right, product)


@dataclass(frozen=True, repr=False)
class Product(_Pair):
    """``a * b``: the product at each step."""

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        return self._combine(run, room, product=True)

    def _text(self) -> tuple[str, int]:
        right = self.right
        if right == -1.0:
            return f"-{bracketed(self.left, ATOM)}", TIMES
        second = bracketed(right, ATOM) if isinstance(right, Schedule) else repr(right)
        return f"{bracketed(self.left, TIMES)} * {second}", TIMES


def _is_negated(schedule: Schedule) -> TypeGuard[Product]:
    return isinstance(schedule, Product) and schedule.right == -1.0


@dataclass(frozen=True, repr=False)
class Sum(_Pair):
    """``a + b``: the sum at each step."""

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        return self._combine(run, room, product=False)

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
    """The common part of operators that keep their operand's length."""

    inner: Schedule

    @property
    def _reach(self) -> Reach:
        return self.inner._reach

    def _span(self, run: Run) -> Span:
        return self.inner._span(run)


@dataclass(frozen=True, repr=False)
class Every(_Wrapped):
    """``s.every(steps)``: a staircase; see :meth:`Schedule.every`."""

    steps: Duration

    def __post_init__(self) -> None:
        if self.steps.amount == 0:
            raise ScheduleError(f"every: steps={self.steps} must be greater than 0")

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        curve = self.inner._place(run, entry, room, size)
        clock, every = run.scale(self.steps)
        if clock == run.clock:
            return Stairs(curve, every)
        return run.translated(clock, lambda _: Stairs(run.turned(curve), every), curve.length)

    def _text(self) -> tuple[str, int]:
        return f"{bracketed(self.inner, ATOM)}.every({self.steps.code})", ATOM


@dataclass(frozen=True, repr=False)
class Clip(_Wrapped):
    """``s.clip(low, high)``: kept between two levels; see :meth:`Schedule.clip`."""

    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            value = getattr(self, name)
            if value not in (-math.inf, math.inf):
                object.__setattr__(self, name, level(name, value))
        if self.low == -math.inf and self.high == math.inf:
            raise ScheduleError("clip: give low, high or both")
        if not self.low <= self.high or self.low == math.inf or self.high == -math.inf:
            raise ScheduleError(f"clip: low={self.low!r} is above high={self.high!r}")

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        return Clipped(self.inner._place(run, entry, room, size), self.low, self.high)

    def _text(self) -> tuple[str, int]:
        bounds = (("low", self.low, -math.inf), ("high", self.high, math.inf))
        return f"{bracketed(self.inner, ATOM)}.{call('clip', *bounds)}", ATOM
