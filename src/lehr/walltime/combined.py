"""Runs, sums, products and limits of timed parts."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, cast

from lehr.schedule.values import Clip
from lehr.time.duration import SECONDS
from lehr.walltime.parts import Bounds, Counts, TimedNode, Walk, foreign


class TimedRun(TimedNode):
    """A run of a number of seconds; its clock stops at its end."""

    def __init__(self, length: Fraction, inner: TimedNode) -> None:
        self.length, self._inner = length, inner

    def enter(self, at: Counts, entry: float, begin: Counts, room: Fraction | None) -> Walk:
        assert self.length is not None
        # A run is complete in itself: the level before it does not enter.
        walk = self._inner.enter(at, 1.0, at, self.length)
        return _Stopped(walk, at.seconds + float(self.length))

    def bounds(self, entry: Bounds, room: Fraction | None) -> tuple[Bounds, Bounds]:
        inside, _ = self._inner.bounds((1.0, 1.0), self.length)
        # It may end before its parts do.
        return inside, inside


class _Stopped(Walk):
    def __init__(self, walk: Walk, stop: float) -> None:
        self._walk, self._stop = walk, stop

    def value(self, now: Counts) -> float:
        return self._walk.value(now.at(SECONDS, min(now.seconds, self._stop)))

    def marks(self) -> Any:
        return self._walk.marks()

    def restore(self, marks: Any) -> None:
        self._walk.restore(marks)


class TimedPair(TimedNode):
    """``a + b`` and ``a * b``, where each operand counts in a clock of its own."""

    def __init__(self, left: TimedNode, right: TimedNode | float, product: bool) -> None:
        self._left, self._right, self._product = left, right, product

    def enter(self, at: Counts, entry: float, begin: Counts, room: Fraction | None) -> Walk:
        left, right = self._left.enter(at, 1.0, begin, room), self._right
        if isinstance(right, TimedNode):
            right = right.enter(at, 1.0, begin, room)
        return _PairWalk(left, right, self._product)

    def bounds(self, entry: Bounds, room: Fraction | None) -> tuple[Bounds, Bounds]:
        left, _ = self._left.bounds((1.0, 1.0), room)
        right = self._right
        other = (
            right.bounds((1.0, 1.0), room)[0] if isinstance(right, TimedNode) else (right, right)
        )
        if self._product:
            corners = [a * b if a and b else 0.0 for a in left for b in other]
        else:
            corners = [a + b for a, b in zip(left, other, strict=True)]
        inside = min(corners), max(corners)
        return inside, inside


class _PairWalk(Walk):
    def __init__(self, left: Walk, right: Walk | float, product: bool) -> None:
        self._left, self._right, self._product = left, right, product

    def value(self, now: Counts) -> float:
        left, right = self._left.value(now), self._right
        right = right.value(now) if isinstance(right, Walk) else right
        return left * right if self._product else left + right

    def marks(self) -> Any:
        both = [self._left.marks(), self._right.marks() if isinstance(self._right, Walk) else None]
        return None if both == [None, None] else both

    def restore(self, marks: Any) -> None:
        if marks is None:
            marks = [None, None]
        if not isinstance(marks, list) or len(cast("list[Any]", marks)) != 2:
            raise foreign(marks)
        left, right = cast("list[Any]", marks)
        self._left.restore(left)
        if isinstance(self._right, Walk):
            self._right.restore(right)


class Limits(TimedNode):
    """``s.clip(low, high)``."""

    def __init__(self, inner: TimedNode, clip: Clip) -> None:
        self._inner, self._clip = inner, clip

    def enter(self, at: Counts, entry: float, begin: Counts, room: Fraction | None) -> Walk:
        return _Limited(self._inner.enter(at, entry, begin, room), self._clip)

    def bounds(self, entry: Bounds, room: Fraction | None) -> tuple[Bounds, Bounds]:
        low, high = self._clip.low, self._clip.high
        inside = cast(
            "Bounds", tuple(min(max(b, low), high) for b in self._inner.bounds(entry, room)[0])
        )
        return inside, inside


class _Limited(Walk):
    def __init__(self, walk: Walk, clip: Clip) -> None:
        self._walk, self._clip = walk, clip

    def value(self, now: Counts) -> float:
        return min(max(self._walk.value(now), self._clip.low), self._clip.high)

    def marks(self) -> Any:
        return self._walk.marks()

    def restore(self, marks: Any) -> None:
        self._walk.restore(marks)
