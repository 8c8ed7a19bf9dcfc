"""Curves: schedules placed over their run, ready to be evaluated.

A person writes a :class:`~lehr.schedule.base.Schedule`; placing it over a run turns every duration
into steps and every level into a number, and gives a curve. A curve knows its length, its end level
and bounds of its values, and has one formula, ``value(t, m)``, written once for every kind of
number: ``m`` is the arithmetic that belongs to ``t`` (:mod:`lehr.curves.arithmetic`).

``value`` is evaluated only for ``0 <= t < length``; :class:`~lehr.curves.path.Path`, the only curve
that chooses between others, handles steps after the end. The fields of curves are public, for
exporters that write the same values in another language; they are never changed.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

from lehr.curves import functions
from lehr.curves.arithmetic import Arithmetic, Column, as_number, scalars
from lehr.curves.easing import Ease
from lehr.curves.functions import Member
from lehr.errors import ScheduleError


class Curve(ABC):
    """A number for every step from 0 to ``length``.

    Attributes:
        length: Its exact length in steps; None if the curve has no end.
        low: A lower bound of its values.
        high: An upper bound of its values.
        has_callbacks: Whether it calls a user-defined function, which may have no value elsewhere.
    """

    length: Fraction | None
    low: float
    high: float
    has_callbacks: bool = False

    @abstractmethod
    def value(self, t: Any, m: Arithmetic) -> Any:
        """Return the values at ``t``, with ``0 <= t < length``."""

    @cached_property
    def end(self) -> float:
        """The level at which it ends and the next piece begins."""
        if self.length is None:
            raise ScheduleError("an endless schedule has no end level")
        return float(self.value(as_number(self.length), scalars))


class Flat(Curve):
    """One level."""

    def __init__(self, length: Fraction | None, level: float) -> None:
        self.length, self.low, self.high = length, level, level

    def value(self, t: Any, m: Arithmetic) -> Any:
        return m.full_like(t, self.low)


class Ramp(Curve):
    """From one level to another by a named ease, in linear or in log space."""

    def __init__(self, length: Fraction, start: float, to: float, ease: Ease, log: bool) -> None:
        self.length, self.low, self.high = length, min(start, to), max(start, to)
        self.start, self.to, self.ease, self.log = start, to, ease, log
        self.steps = as_number(length)

    def value(self, t: Any, m: Arithmetic) -> Any:
        u, w = m.fractions(t, self.steps)
        if not (m.graded and self.ease.is_steep):
            return self.mix(u, w, m)
        # The slope is infinite at the start; with a constant there, derivatives are 0 instead,
        # which does not spoil the sums that they enter.
        begun = u > 0
        value = self.mix(m.where(begun, u, 0.5), m.where(begun, w, 0.5), m)
        return m.where(begun, value, self.start)

    def mix(self, u: Any, w: Any, m: Arithmetic) -> Any:
        ease, start, to = self.ease, self.start, self.to
        if self.log:
            return start ** ease.fall(u, w, m) * to ** ease.rise(u, w, m)
        # A level of 0 is skipped, not multiplied: half the work, and no rounding next to 0.
        if to == 0:
            return start * ease.fall(u, w, m)
        if start == 0:
            return to * ease.rise(u, w, m)
        return start * ease.fall(u, w, m) + to * ease.rise(u, w, m)

    @cached_property
    def end(self) -> float:
        return self.to


class Shaped(Curve):
    """From one level to another by a user-defined function of the share (or steps) done."""

    has_callbacks = True

    def __init__(self, length: Fraction, start: float, to: float, ease: Ease) -> None:
        self.length, self.low, self.high = length, min(start, to), max(start, to)
        self.start, self.to, self.ease = start, to, ease
        self.steps = as_number(length)

    def value(self, t: Any, m: Arithmetic) -> Any:
        at = t if self.ease.iterations else m.fractions(t, self.steps)[0]
        rise = m.map(self._rise, at)
        return self.start * (1 - rise) + self.to * rise

    def _rise(self, at: float) -> float:
        function = self.ease.function
        assert function is not None
        rise = functions.called(function, at)
        if not -1e-9 <= rise <= 1 + 1e-9:
            raise ScheduleError(
                f"ease {self.ease.name} gave {rise!r} at {at!r}; it must return the share of the "
                "way that is done, between 0 and 1"
            )
        return min(max(rise, 0.0), 1.0)

    @cached_property
    def end(self) -> float:
        # A function that does not arrive (f(1) < 1) leaves the schedule where it stopped.
        rise = self._rise(self.steps if self.ease.iterations else 1.0)
        return self.start * (1 - rise) + self.to * rise


class Exponential(Curve):
    """``start * gamma ** (t / every)``, without an end."""

    def __init__(self, length: Fraction | None, start: float, gamma: float, every: Fraction):
        self.length = length
        self.start, self.gamma, self.every = start, gamma, as_number(every)
        limit = math.inf if gamma > 1 else 0.0
        if gamma == 1:
            limit = start
        elif length is not None:
            limit = self.end
            if not math.isfinite(limit):
                raise ScheduleError(
                    f"gamma={gamma} every {self.every} steps grows beyond all numbers within "
                    f"{as_number(length)} steps"
                )
        limit = limit if start else 0.0
        self.low, self.high = min(start, limit), max(start, limit)

    def value(self, t: Any, m: Arithmetic) -> Any:
        try:
            return self.start * self.gamma ** (m.real(t) / m.real(self.every))
        except OverflowError:
            # Python's numbers raise where arrays give infinity, which may still be clipped.
            return math.copysign(math.inf, self.start)


class Power(Curve):
    """``start * (1 + t / tau) ** -power``, without an end."""

    def __init__(self, length: Fraction | None, start: float, tau: Fraction, power: float):
        self.length = length
        self.start, self.tau, self.power = start, as_number(tau), power
        limit = 0.0 if length is None else self.end
        self.low, self.high = min(start, limit), max(start, limit)

    def value(self, t: Any, m: Arithmetic) -> Any:
        return self.start * (1 + m.real(t) / m.real(self.tau)) ** -self.power


class Samples(Curve):
    """A table with one value for each step."""

    def __init__(self, values: Sequence[float]) -> None:
        self.length = Fraction(len(values))
        self.low, self.high = min(values), max(values)
        self.values = Column(tuple(values))

    def value(self, t: Any, m: Arithmetic) -> Any:
        # A start that is not whole was rounded, so a step may lie just outside.
        return m.take(self.values, m.clip(m.floor_divide(t, 1), 0, len(self.values.values) - 1))

    @cached_property
    def end(self) -> float:
        return self.values.values[-1]


class Known(Curve):
    """One of lehr's own functions, of the step or of the number of the cycle of ``per`` steps.

    It has values past any end and always returns the same ones, so its values can be computed ahead
    in blocks, and it can be traced.
    """

    def __init__(self, length: Fraction | None, function: Member, per: Fraction | None) -> None:
        self.length, self.low, self.high = length, function.low, function.high
        self.function, self.per = function, per

    def value(self, t: Any, m: Arithmetic) -> Any:
        return self.function.value(t if self.per is None else m.floor_divide(t, self.per) + 1, m)


class Call(Curve):
    """A user-defined function of the step, or of the number (from 1) of the cycle of ``per``."""

    has_callbacks = True

    def __init__(
        self,
        length: Fraction | None,
        function: Callable[[Any], Any],
        per: Fraction | None,
        low: float,
        high: float,
    ) -> None:
        self.length, self.low, self.high = length, low, high
        self.function, self.per = function, per

    def value(self, t: Any, m: Arithmetic) -> Any:
        return m.map(self._checked, t)

    def _checked(self, t: Any) -> float:
        per = self.per
        at = t if per is None else math.floor(1 + t * per.denominator // per.numerator)
        value = functions.called(self.function, at)
        if not self.low <= value <= self.high or math.isnan(value):
            counted = "step" if per is None else "cycle"
            raise ScheduleError(
                f"the formula {functions.show(self.function)} gave {value!r} at {counted} {at!r}; "
                f"it must stay between low={self.low:g} and high={self.high:g}"
            )
        return value
