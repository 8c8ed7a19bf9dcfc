"""Conversion between clocks: curves in samples evaluated by step, and the other way round."""

from __future__ import annotations

import math
from abc import abstractmethod
from fractions import Fraction
from functools import cached_property
from typing import Any

from lehr.curves.arithmetic import Arithmetic, Column, as_number, scalars
from lehr.curves.curve import Curve
from lehr.curves.path import holding
from lehr.time.counter import Counter


class _CounterTable:
    """A counter as tables: of whole numbers, and of real ones where those cannot count so far."""

    def __init__(self, counter: Counter) -> None:
        columns = counter.starts, counter.totals, counter.sizes
        self._whole = tuple(Column(column) for column in columns)
        self._real = tuple(Column([float(n) for n in column]) for column in columns)

    def samples_before(self, t: Any, most: float, m: Arithmetic) -> Any:
        """Return the samples seen before steps, fewer than ``most``; whole if the steps are."""
        # JAX counts to 2**31 by default; beyond that real numbers are used.
        starts, totals, sizes = self._whole if m.counts(t) and most <= m.most else self._real
        row = m.find(starts, t)
        return m.take(totals, row) + m.minus(t, m.take(starts, row)) * m.take(sizes, row)

    def step_of(self, seen: Any, m: Arithmetic) -> Any:
        """Return the steps before which this many samples are seen."""
        starts, totals, sizes = self._whole if m.counts(seen) else self._real
        row = m.find(totals, seen)
        start, size = m.take(starts, row), m.take(sizes, row)
        local = m.minus(seen, m.take(totals, row))
        if m is scalars:
            # A whole step stays an int, because some functions of the step need one.
            return start + (local // size if local % size == 0 else local / size)
        return m.real(start) + m.real(local) / m.real(size)


class _Converted(Curve):
    """A curve that is evaluated in a clock other than its own.

    It begins at step ``begin`` of the counter, which need not be whole. Its length is in the clock
    in which it is evaluated; if the curve itself ends before, it holds.
    """

    def __init__(
        self, curve: Curve, counter: Counter, begin: Fraction, length: Fraction | None
    ) -> None:
        self.length, self.low, self.high = length, curve.low, curve.high
        self.has_callbacks = curve.has_callbacks
        self.curve, self.counter, self.begin = curve, counter, begin
        self._holding, self._table = holding(curve), _CounterTable(counter)
        self._seen_at_begin = counter.before(begin)
        self._step, self._seen = as_number(begin), as_number(self._seen_at_begin)
        # A number of samples that is never reached, since some libraries count only so far.
        reached = math.inf if length is None else math.ceil(self._reached(begin, length))
        self._most = reached + 1

    @cached_property
    def end(self) -> float:
        own, length = self.curve.length, self.length
        if own is None or length is None:
            return super().end
        return self.curve.end if self._own(length) >= own else super().end

    def _reached(self, begin: Fraction, length: Fraction) -> Fraction:
        """Return the samples seen before its end."""
        return self.counter.before(begin + length)

    @abstractmethod
    def _own(self, at: Fraction) -> Fraction:
        """Return a time in the curve's own clock."""


class Counted(_Converted):
    """A curve in samples seen, evaluated by step."""

    def value(self, t: Any, m: Arithmetic) -> Any:
        seen = self._table.samples_before(m.minus(t, -self._step), self._most, m)
        return self._holding.value(m.after(seen, self._seen), m)

    def _own(self, at: Fraction) -> Fraction:
        return self.counter.before(self.begin + at) - self._seen_at_begin


class Stepped(_Converted):
    """A curve in steps done, evaluated by samples seen."""

    def _reached(self, begin: Fraction, length: Fraction) -> Fraction:
        return self._seen_at_begin + length

    def value(self, t: Any, m: Arithmetic) -> Any:
        step = self._table.step_of(m.minus(t, -self._seen), m)
        return self._holding.value(m.after(step, self._step), m)

    def _own(self, at: Fraction) -> Fraction:
        return self.counter.step_of(self._seen_at_begin + at) - self.begin
