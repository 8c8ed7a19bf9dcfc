"""From one clock to the other: curves of samples asked by the step, and the other way round."""

from __future__ import annotations

import math
from abc import abstractmethod
from fractions import Fraction
from functools import cached_property
from typing import Any

from lehr.curves.arithmetic import Arithmetic, as_number
from lehr.curves.curve import Curve
from lehr.curves.path import holding
from lehr.time.counter import Counter

__all__ = ["Counted", "Stepped"]


class _Translated(Curve):
    """A curve that is asked in another clock than its own.

    Arguments:
        curve: The curve, in its own clock.
        counter: The samples before each step.
        begin: The step at which it begins, counted as the counter counts; it may lie between two.
        length: Its length in the clock that it is asked in; it holds where its own ends before.
    """

    def __init__(
        self, curve: Curve, counter: Counter, begin: Fraction, length: Fraction | None
    ) -> None:
        self.length, self.low, self.high, self.calls = length, curve.low, curve.high, curve.calls
        self._curve, self._holding, self._counter = curve, holding(curve), counter
        self._begin = begin, counter.before(begin)
        self._step, self._seen = as_number(begin), as_number(self._begin[1])
        # What the samples seen do not come to: some libraries count only so far.
        self._most: float = math.inf
        if isinstance(self, Counted) and length is not None:
            self._most = math.ceil(counter.before(begin + length)) + 1

    @cached_property
    def end(self) -> float:
        own, length = self._curve.length, self.length
        if own is None or length is None:
            return super().end
        return self._curve.end if self._own(length) >= own else super().end

    @abstractmethod
    def _own(self, at: Fraction) -> Fraction:
        """Return a time in the curve's own clock."""


class Counted(_Translated):
    """A curve of the samples seen, asked by the step."""

    def value(self, t: Any, m: Arithmetic) -> Any:
        seen = m.count(self._counter, m.minus(t, -self._step), self._most)
        return self._holding.value(m.after(seen, self._seen), m)

    def _own(self, at: Fraction) -> Fraction:
        return self._counter.before(self._begin[0] + at) - self._begin[1]


class Stepped(_Translated):
    """A curve of the steps done, asked by the samples seen."""

    def value(self, t: Any, m: Arithmetic) -> Any:
        step = m.uncount(self._counter, m.minus(t, -self._seen))
        return self._holding.value(m.after(step, self._step), m)

    def _own(self, at: Fraction) -> Fraction:
        return self._counter.step_of(self._begin[1] + at) - self._begin[0]
