"""Arithmetic for the kinds of numbers that a step comes in: Python's own, and arrays.

The formulas of :mod:`lehr.curves.easing` and :mod:`lehr.curves` are written once, against the small
face of :class:`Arithmetic`. There are two: Python numbers, here, by :mod:`math`, at a microsecond a
value; and arrays of any library, in :mod:`lehr.curves.arrays`.

Steps stay integers for as long as they are only compared and subtracted: in float32 the way left
at the last of 2e7 steps is 5e-8 like this, and 0 otherwise.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from lehr.time.counter import Counter

__all__ = ["Arithmetic", "Column", "as_number", "scalars", "untraced"]

F = TypeVar("F", bound=Callable[..., Any])


def untraced(function: F) -> F:
    """Mark a function that torch.compile is to call as it is, and whose result never changes.

    That is what ``torch.compiler.assume_constant_result`` does, without importing torch. How a
    schedule is placed is no business of a graph, and cannot be traced.
    """
    vars(function)["_dynamo_marked_constant"] = True
    return function


def as_number(value: Fraction) -> int | float:
    """Return an exact fraction as an int where it is one, else as the nearest float."""
    return value.numerator if value.denominator == 1 else float(value)


class Column:
    """Numbers that are looked up: of Python's own in a list, of arrays in an array made once.

    Arguments:
        values: At least one number; all of them ints, or floats among them.
    """

    def __init__(self, values: Sequence[int | float]) -> None:
        self.values = values
        self.is_whole = all(isinstance(value, int) for value in values)

    @cached_property
    def edges(self) -> tuple[Any, Any]:
        """All but the first, as an array of their own type and as one of real numbers."""
        return self.array[1:].copy(), self.array[1:].astype(float)

    @cached_property
    def array(self) -> Any:
        """The numbers as an array of NumPy's."""
        import numpy as np

        most = 2**63 - 1
        whole = [min(int(value), most) for value in self.values] if self.is_whole else None
        return np.asarray(
            self.values if whole is None else whole, np.int64 if whole else np.float64
        )


class Arithmetic(ABC):
    """What the formulas need of numbers, beside ``+ - * / **``.

    Attributes:
        dtype: The type of the results, for arrays.
        can_cut: Whether an array may be cut into stretches by its values (not when it is traced).
        graded: Whether derivatives by the step may be taken.
    """

    dtype: Any = float
    can_cut: bool = False
    graded: bool = False
    sin: Callable[[Any], Any]
    sqrt: Callable[[Any], Any]
    sinh: Callable[[Any], Any]
    cosh: Callable[[Any], Any]
    log: Callable[[Any], Any]
    log1p: Callable[[Any], Any]
    expm1: Callable[[Any], Any]

    @abstractmethod
    def real(self, t: Any) -> Any:
        """Return steps as real numbers of the results' type."""

    @abstractmethod
    def fractions(self, t: Any, steps: Any) -> tuple[Any, Any]:
        """Return the share of ``steps`` that is done at ``t``, and the share that is left."""

    @abstractmethod
    def minus(self, t: Any, start: Any) -> Any:
        """Return ``t - start``, in integers where both are, and exact where it is a fraction."""

    @abstractmethod
    def floor_divide(self, t: Any, size: Fraction | int) -> Any:
        """Return how many whole times ``size`` fits into ``t``, as integers."""

    @abstractmethod
    def scaled(self, count: Any, size: Fraction) -> Any:
        """Return ``count * size``, in integers where ``size`` is whole."""

    @abstractmethod
    def find(self, starts: Column, t: Any) -> Any:
        """Return the index of the last of the sorted ``starts`` that is not after ``t``, or 0."""

    @abstractmethod
    def take(self, values: Column, index: Any) -> Any:
        """Return ``values[index]``."""

    @abstractmethod
    def full_like(self, t: Any, value: float) -> Any:
        """Return ``value`` in the shape of ``t``."""

    @abstractmethod
    def map(self, function: Callable[[Any], Any], t: Any) -> Any:
        """Return a function of one Python number at each of ``t``."""

    @abstractmethod
    def clip(self, value: Any, low: float, high: float) -> Any:
        """Return ``value``, kept between two levels."""

    def count(self, counter: Counter, t: Any, most: float) -> Any:
        """Return the samples seen before steps, in integers where the steps are.

        Arguments:
            counter: The table.
            t: The steps.
            most: A number that the samples asked for do not reach.
        """
        starts, totals, sizes = counter.columns
        row = self.find(starts, t)
        local = self.minus(t, self.take(starts, row))
        return self.take(totals, row) + local * self.take(sizes, row)

    def uncount(self, counter: Counter, seen: Any) -> Any:
        """Return the steps before which so many samples are seen."""
        starts, totals, sizes = counter.columns
        row = self.find(totals, seen)
        local = self.minus(seen, self.take(totals, row))
        return self.take(starts, row) + local / self.take(sizes, row)

    def after(self, t: Any, start: int | float) -> Any:
        """Return ``t - start``, which is at least 0: a start that is not whole was rounded."""
        local = self.minus(t, start)
        return local if isinstance(start, int) else self.clip(local, 0.0, math.inf)

    @abstractmethod
    def inside(self, t: Any, start: float, stop: float) -> Any:
        """Return whether ``start <= t < stop``."""

    @abstractmethod
    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        """Return ``yes`` where the condition holds, else ``no``; both are evaluated."""

    def remainder(self, t: Any, count: Any, size: Fraction) -> Any:
        """Return what is left of ``t`` after ``count`` whole times ``size``."""
        return self.minus(t, self.scaled(count, size))

    def snapped(self, value: Any, t: Any, factor: Any) -> Any:
        """Return ``value``, whole where it is but for the rounding of ``t``, which is divided."""
        return value

    def named(self, name: str, value: Any) -> Any:
        """Return a value that is used more than once, which a text then gives a name."""
        return value

    # Only paths over arrays need it; a Python number takes the one branch that it is in.
    def like(self, t: Any, value: float) -> Any:
        """Return a number that stands in for ``t``: whole where ``t`` is."""
        raise TypeError


class _Scalars(Arithmetic):
    """Python's own ints and floats."""

    sin = staticmethod(math.sin)
    sqrt = staticmethod(math.sqrt)
    sinh = staticmethod(math.sinh)
    cosh = staticmethod(math.cosh)
    log = staticmethod(math.log)
    log1p = staticmethod(math.log1p)
    expm1 = staticmethod(math.expm1)

    def real(self, t: Any) -> float:
        return float(t)

    def fractions(self, t: Any, steps: Any) -> tuple[float, float]:
        left = (steps - t) / steps
        return (t / steps, left) if left > 0 else (1.0, 0.0)

    def minus(self, t: Any, start: Any) -> Any:
        if isinstance(start, Fraction):
            return as_number(t - start) if isinstance(t, int) else t - float(start)
        return t - start

    def floor_divide(self, t: Any, size: Fraction | int) -> int:
        if isinstance(t, int):
            return int(t * size.denominator // size.numerator)
        return math.floor(Fraction(t) / size)

    def scaled(self, count: Any, size: Fraction) -> int | float:
        return as_number(count * size)

    def remainder(self, t: Any, count: Any, size: Fraction) -> int | float:
        if isinstance(t, int):
            return as_number(t - count * size)
        return self.minus(t, self.scaled(count, size))

    def find(self, starts: Column, t: Any) -> int:
        return bisect_right(starts.values, t, 1) - 1

    def take(self, values: Column, index: int) -> int | float:
        return values.values[index]

    def full_like(self, t: Any, value: float) -> float:
        return value

    def count(self, counter: Counter, t: Any, most: float) -> Any:
        row = bisect_right(counter.starts, t) - 1
        return counter.totals[row] + (t - counter.starts[row]) * counter.sizes[row]

    def uncount(self, counter: Counter, seen: Any) -> int | float:
        row = bisect_right(counter.totals, seen) - 1
        start, size, local = counter.starts[row], counter.sizes[row], seen - counter.totals[row]
        # A whole step stays an int, for functions of the step that ask for one.
        return start + (local // size if local % size == 0 else local / size)

    def map(self, function: Callable[[Any], Any], t: Any) -> float:
        return float(function(t))

    def clip(self, value: Any, low: float, high: float) -> float:
        return min(max(value, low), high)

    def inside(self, t: Any, start: float, stop: float) -> bool:
        return start <= t < stop

    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        return yes if condition else no


scalars = _Scalars()
