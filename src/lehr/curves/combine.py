"""Curves of the operators: sums and products, staircases, limits, cycles."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cached_property
from typing import Any

from lehr.curves.arithmetic import Arithmetic, Column, as_number, scalars
from lehr.curves.curve import Curve
from lehr.curves.path import Path, holding


class Stairs(Curve):
    """Another curve, held from each multiple of ``every`` steps to the next."""

    def __init__(self, curve: Curve, every: Fraction) -> None:
        self.length, self.low, self.high = curve.length, curve.low, curve.high
        self.has_callbacks = curve.has_callbacks
        self.curve, self.every, self._holding = curve, every, holding(curve)

    def value(self, t: Any, m: Arithmetic) -> Any:
        return self._holding.value(m.scaled(m.floor_divide(t, self.every), self.every), m)


class Clipped(Curve):
    """Another curve, kept between two levels."""

    def __init__(self, curve: Curve, low: float, high: float) -> None:
        self.length, self.curve, self.has_callbacks = curve.length, curve, curve.has_callbacks
        self.low, self.high = (min(max(bound, low), high) for bound in (curve.low, curve.high))

    def value(self, t: Any, m: Arithmetic) -> Any:
        return m.clip(self.curve.value(t, m), self.low, self.high)

    @cached_property
    def end(self) -> float:
        return min(max(self.curve.end, self.low), self.high)


class Combined(Curve):
    """The sum or the product of two curves, or of a curve and a number."""

    def __init__(self, left: Curve, right: Curve | float, product: bool) -> None:
        self.left, self.right, self.product = left, right, product
        self.length = left.length
        self.has_callbacks = left.has_callbacks or (
            isinstance(right, Curve) and right.has_callbacks
        )
        if isinstance(right, Curve):
            # As long as the longer one; endless if one of them is.
            if left.length is not None and right.length is not None:
                self.length = max(left.length, right.length)
            else:
                self.length = None
            self.left, self.right = holding(left), holding(right)
        self.low, self.high = self._bounds(left, right)

    def _bounds(self, left: Curve, right: Curve | float) -> tuple[float, float]:
        low, high = (right.low, right.high) if isinstance(right, Curve) else (right, right)
        if not self.product:
            return left.low + low, left.high + high
        # 0 * inf is 0 here: a factor of exactly 0 stays 0 however large the other grows.
        corners = [a * b if a and b else 0.0 for a in (left.low, left.high) for b in (low, high)]
        return min(corners), max(corners)

    def value(self, t: Any, m: Arithmetic) -> Any:
        left = self.left.value(t, m)
        right = self.right.value(t, m) if isinstance(self.right, Curve) else self.right
        return left * right if self.product else left + right

    @cached_property
    def end(self) -> float:
        if isinstance(self.right, Curve):
            return super().end
        return self.left.end * self.right if self.product else self.left.end + self.right


class Cycles(Curve):
    """A curve repeated in cycles, each ``stretch`` as long and ``scale`` as high as the last.

    Without ``times`` there are as many cycles as fit into ``room``.
    """

    def __init__(
        self,
        curve: Curve,
        times: int | None,
        stretch: Fraction,
        scale: float,
        room: Fraction | None,
    ) -> None:
        assert curve.length is not None
        # A path, because it accepts exact fractions of a step.
        self._holding = curve if isinstance(curve, Path) else Path([curve])
        self.curve, self.size, self.stretch, self.scale = curve, curve.length, stretch, scale
        self._holding.grid(self.size.denominator)
        # Exact starts, never floor(log(...)): that misses restarts by a rounding error.
        self.starts = None if stretch == 1 else _starts(curve.length, times, stretch, room)
        self.count = times
        if self.starts is not None:
            ended = times is not None or stretch < 1
            self.count = len(self.starts) - 1 if ended else None
            self._cycle_starts = Column([as_number(start) for start in self.starts])
        self.length, self.has_callbacks = room, curve.has_callbacks
        if self.count is not None:
            self.length = self.starts[-1] if self.starts else curve.length * self.count
        most = self.count
        if most is None and room is not None:
            most = math.ceil(room / self.size)
        factors = [1.0, scale ** (math.inf if most is None else max(most - 1, 0))]
        corners = [b * f if b else 0.0 for b in (curve.low, curve.high) for f in factors]
        self.low, self.high = min(corners), max(corners)

    def value(self, t: Any, m: Arithmetic) -> Any:
        if self.starts is None:
            cycle = m.floor_divide(t, self.size)
            local = m.remainder(t, cycle, self.size)
        else:
            cycle = m.find(self._cycle_starts, t)
            local = self._within(t, cycle, m)
        value = self._holding.value(local, m)
        return value if self.scale == 1 else value * self.scale ** m.real(cycle)

    def _within(self, t: Any, cycle: Any, m: Arithmetic) -> Any:
        """Return the steps of an unstretched cycle that have passed at ``t``."""
        assert self.starts is not None
        if m is scalars:
            # Exact: a step may fall on a boundary inside the cycle.
            k = int(cycle)
            return (Fraction(t) - self.starts[k]) / Fraction(self.stretch**k)
        since = m.real(m.minus(t, m.take(self._cycle_starts, cycle)))
        factor = float(self.stretch) ** m.real(cycle)
        if self.stretch.denominator == self.size.denominator == 1:
            return since / factor
        return m.snapped(since / factor, t, factor)

    @cached_property
    def end(self) -> float:
        if self.count is None:
            return super().end
        return self.curve.end * self.scale ** (self.count - 1)


def _starts(
    size: Fraction, times: int | None, stretch: Fraction, room: Fraction | None
) -> list[Fraction]:
    """Return where each cycle begins, and finally where they end or are surely out of reach."""
    limit = Fraction(2**53) if room is None else room
    starts = [Fraction(0)]
    while times is None or len(starts) <= times:
        # Shrinking cycles would never end, so the last one is the last with at least one step.
        if times is None and size < 1 and stretch < 1 and len(starts) > 1:
            break
        starts.append(starts[-1] + size)
        size *= stretch
        if times is None and starts[-1] > limit:
            break
    return starts
