"""Curves: schedules placed over their run, ready to be asked for numbers.

A :class:`~lehr.schedule.base.Schedule` is what a person wrote; placing it over a run turns every
duration into steps and every level into a number, and gives a curve. A curve knows its length, the
level it ends at, and bounds that all its values lie in, and has one formula, ``value(t, m)``,
written once for every kind of number: ``m`` is the arithmetic that belongs to ``t``
(:mod:`lehr.curves.arithmetic`).

``value`` is asked only for ``0 <= t < length``; what comes after the end is the business of
:class:`~lehr.curves.path.Path`, the one curve that chooses between others.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any, Protocol

from lehr.curves.arithmetic import Arithmetic, Column, as_number, scalars
from lehr.curves.easing import Ease
from lehr.errors import ScheduleError

__all__ = [
    "Call",
    "Curve",
    "Exponential",
    "Flat",
    "Formulaic",
    "Known",
    "Power",
    "Ramp",
    "Samples",
    "Shaped",
]


class Curve(ABC):
    """A number for every step from 0 to ``length``.

    Attributes:
        length: In steps, exactly; None where the curve has no end.
        low: A number that no value is below.
        high: A number that no value is above.
        calls: Whether it calls a function of the user's, which may have no value elsewhere.
    """

    length: Fraction | None
    low: float
    high: float
    calls: bool = False

    @abstractmethod
    def value(self, t: Any, m: Arithmetic) -> Any:
        """Return the values at ``t``, with ``0 <= t < length``."""

    @cached_property
    def end(self) -> float:
        """The level at which it ends; what follows begins there."""
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
        # There is no slope where it begins; with a value put in place, derivatives are 0 there
        # rather than infinite, which would spoil all that they are added to.
        begun = u > 0
        value = self.mix(m.where(begun, u, 0.5), m.where(begun, w, 0.5), m)
        return m.where(begun, value, self.start)

    def mix(self, u: Any, w: Any, m: Arithmetic) -> Any:
        ease, start, to = self.ease, self.start, self.to
        if self.log:
            return start ** ease.fall(u, w, m) * to ** ease.rise(u, w, m)
        # A level of 0 is dropped, not multiplied: half the work, and no rounding next to 0.
        if to == 0:
            return start * ease.fall(u, w, m)
        if start == 0:
            return to * ease.rise(u, w, m)
        return start * ease.fall(u, w, m) + to * ease.rise(u, w, m)

    @cached_property
    def end(self) -> float:
        return self.to


class Shaped(Curve):
    """From one level to another by a user's own function of the way (or of the steps) done."""

    calls = True

    def __init__(self, length: Fraction, start: float, to: float, ease: Ease) -> None:
        self.length, self.low, self.high = length, min(start, to), max(start, to)
        self._start, self._to, self._ease = start, to, ease
        self._steps = as_number(length)

    def value(self, t: Any, m: Arithmetic) -> Any:
        at = t if self._ease.iterations else m.fractions(t, self._steps)[0]
        rise = m.map(self._rise, at)
        return self._start * (1 - rise) + self._to * rise

    def _rise(self, at: float) -> float:
        function = self._ease.function
        assert function is not None
        rise = float(function(at))
        if not -1e-9 <= rise <= 1 + 1e-9:
            raise ScheduleError(
                f"ease {self._ease.name} gave {rise!r} at {at!r}; the share of the way that is "
                "done lies between 0 and 1"
            )
        return min(max(rise, 0.0), 1.0)

    @cached_property
    def end(self) -> float:
        # A function that does not arrive (f(1) < 1) leaves the schedule where it got to.
        rise = self._rise(self._steps if self._ease.iterations else 1.0)
        return self._start * (1 - rise) + self._to * rise


class Exponential(Curve):
    """``start * gamma ** (t / every)``, for ever."""

    def __init__(self, length: Fraction | None, start: float, gamma: float, every: Fraction):
        self.length = length
        self._start, self._gamma, self._every = start, gamma, as_number(every)
        limit = math.inf if gamma > 1 else 0.0
        if gamma == 1:
            limit = start
        elif length is not None:
            limit = self.end
            if not math.isfinite(limit):
                raise ScheduleError(
                    f"gamma={gamma} every {self._every} steps grows beyond all numbers within "
                    f"{as_number(length)} steps"
                )
        self.low, self.high = _hull(start, limit if start else 0.0)

    def value(self, t: Any, m: Arithmetic) -> Any:
        try:
            return self._start * self._gamma ** (m.real(t) / m.real(self._every))
        except OverflowError:
            # Python's numbers raise where arrays give infinity, which a limit may yet cut off.
            return math.copysign(math.inf, self._start)


class Power(Curve):
    """``start * (1 + t / tau) ** -power``, for ever."""

    def __init__(self, length: Fraction | None, start: float, tau: Fraction, power: float):
        self.length = length
        self._start, self._tau, self._power = start, as_number(tau), power
        self.low, self.high = _hull(start, 0.0 if length is None else self.end)

    def value(self, t: Any, m: Arithmetic) -> Any:
        return self._start * (1 + m.real(t) / m.real(self._tau)) ** -self._power


class Samples(Curve):
    """A table with one value a step."""

    def __init__(self, values: Sequence[float]) -> None:
        self.length = Fraction(len(values))
        self.low, self.high = min(values), max(values)
        self._values = Column(tuple(values))

    def value(self, t: Any, m: Arithmetic) -> Any:
        # A start that is not whole was rounded, and may put a step just outside.
        return m.take(self._values, m.clip(m.floor_divide(t, 1), 0, len(self._values.values) - 1))

    @cached_property
    def end(self) -> float:
        return self._values.values[-1]


class Formulaic(Protocol):
    """A function of the step that is written for every kind of number, and knows its bounds."""

    low: float
    high: float

    def value(self, t: Any, m: Arithmetic) -> Any:
        """Return the values at ``t``."""
        ...


class Known(Curve):
    """A function of lehr's own, of the step or of how many stretches of ``per`` steps have begun.

    It has values past any end and is the same whenever it is asked, so blocks of it are computed
    ahead of time and it can be traced.
    """

    def __init__(self, length: Fraction | None, function: Formulaic, per: Fraction | None) -> None:
        self.length, self.low, self.high = length, function.low, function.high
        self._value, self._per = function.value, per

    def value(self, t: Any, m: Arithmetic) -> Any:
        return self._value(t if self._per is None else m.floor_divide(t, self._per) + 1, m)


class Call(Curve):
    """A function of the user's, of the step."""

    calls = True

    def __init__(
        self,
        length: Fraction | None,
        function: Callable[[Any], Any],
        low: float,
        high: float,
    ) -> None:
        self.length, self.low, self.high, self._function = length, low, high, function

    def value(self, t: Any, m: Arithmetic) -> Any:
        return m.map(self._checked, t)

    def _checked(self, t: Any) -> float:
        value = float(self._function(t))
        if not self.low <= value <= self.high or math.isnan(value):
            raise ScheduleError(
                f"the formula {self._function!r} gave {value!r} at step {t!r}; it was said to stay "
                f"between {self.low:g} and {self.high:g}"
            )
        return value


def _hull(a: float, b: float) -> tuple[float, float]:
    return min(a, b), max(a, b)
