"""Arithmetic for the kinds of numbers that a step can be: Python's own, and arrays.

Formulas are written once, in terms of :class:`Arithmetic`. It has two implementations: for Python
numbers, here, at a microsecond per value; and for arrays of any library, in
:mod:`lehr.curves.arrays`.

Steps stay exact as long as they are only compared and subtracted: as integers, or as fractions
inside a cycle whose length is not whole. In float32 this gives 5e-8 for the way left at the last of
2e7 steps, which would otherwise be 0.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

_AnyFunction = TypeVar("_AnyFunction", bound=Callable[..., Any])


def untraced(function: _AnyFunction) -> _AnyFunction:
    """Mark a function that torch.compile must call untraced, and whose result never changes.

    This does what ``torch.compiler.assume_constant_result`` does, without importing torch. Placing
    a schedule happens outside the graph, and cannot be traced.
    """
    vars(function)["_dynamo_marked_constant"] = True
    return function


@untraced
def prepare(owner: Any, name: str) -> bool:
    """Compute an object's cached property now, so that torch.compile need not trace it."""
    return getattr(owner, name) is not None


def as_number(value: Fraction) -> int | float:
    """Return an exact fraction as an int if it is whole, otherwise as the nearest float."""
    return value.numerator if value.denominator == 1 else float(value)


class Column:
    """A table of at least one number: as Python numbers, and as an array that is made once."""

    def __init__(self, values: Sequence[int | float]) -> None:
        self.values = values
        self.is_whole = all(isinstance(value, int) for value in values)

    @cached_property
    def edges(self) -> tuple[Any, Any]:
        """All but the first number, as an array of their own type and as one of real numbers."""
        return self.array[1:].copy(), self.array[1:].astype(float)

    @cached_property
    def array(self) -> Any:
        """The numbers as a NumPy array."""
        import numpy as np

        most = 2**63 - 1
        whole = [min(int(value), most) for value in self.values] if self.is_whole else None
        return np.asarray(
            self.values if whole is None else whole, np.int64 if whole else np.float64
        )


class ExactSteps(NamedTuple):
    """Array steps inside a cycle whose length is not whole: exactly ``count / parts``."""

    count: Any
    parts: int


class Arithmetic(ABC):
    """The operations that formulas use on numbers, in addition to ``+ - * / **``."""

    dtype: Any = float
    """The type of the results, for arrays."""
    most: float = math.inf
    """The largest whole number that it can count to."""
    can_cut: bool = False
    """Whether an array may be cut into slices by its values (not when it is traced)."""
    graded: bool = False
    """Whether derivatives with respect to the step may be taken."""
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

    def counts(self, t: Any) -> bool:
        """Return whether arithmetic on ``t`` is exact, as it is on whole numbers."""
        return True

    @abstractmethod
    def fractions(self, t: Any, steps: Any) -> tuple[Any, Any]:
        """Return the share of ``steps`` done at ``t``, and the share left."""

    @abstractmethod
    def minus(self, t: Any, start: Any) -> Any:
        """Return ``t - start``: an integer if both are integers, and exact if it is a fraction."""

    @abstractmethod
    def floor_divide(self, t: Any, size: Fraction | int) -> Any:
        """Return how many times ``size`` fits into ``t``, as integers."""

    @abstractmethod
    def scaled(self, count: Any, size: Fraction) -> Any:
        """Return ``count * size``, as integers if ``size`` is whole."""

    @abstractmethod
    def find(self, starts: Column, t: Any) -> Any:
        """Return the index of the last of the sorted ``starts`` at or before ``t``, or 0."""

    @abstractmethod
    def take(self, values: Column, index: Any) -> Any:
        """Return ``values[index]``."""

    @abstractmethod
    def full_like(self, t: Any, value: float) -> Any:
        """Return ``value`` in the shape of ``t``."""

    @abstractmethod
    def map(self, function: Callable[[Any], Any], t: Any) -> Any:
        """Call a function of one Python number for each of ``t``."""

    @abstractmethod
    def clip(self, value: Any, low: float, high: float) -> Any:
        """Return ``value``, kept between two levels."""

    def after(self, t: Any, start: int | float) -> Any:
        """Return ``t - start``, made at least 0: a start that is not whole was rounded."""
        local = self.minus(t, start)
        return local if isinstance(start, int) else self.clip(local, 0.0, math.inf)

    @abstractmethod
    def inside(self, t: Any, start: float, stop: float) -> Any:
        """Return whether ``start <= t < stop``."""

    @abstractmethod
    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        """Return ``yes`` where the condition holds, otherwise ``no``; both are evaluated."""

    def remainder(self, t: Any, count: Any, size: Fraction) -> Any:
        """Return ``t - count * size``, exact if ``t`` is whole; or an :class:`ExactSteps`."""
        return self.minus(t, self.scaled(count, size))

    def snapped(self, value: Any, t: Any, factor: Any) -> Any:
        """Return ``value``, which is ``t / factor``, rounded where it should be whole."""
        return value

    def named(self, name: str, value: Any) -> Any:
        """Return a value that is used more than once; in a text it gets a name."""
        return value

    # Only paths over arrays need this; for a Python number only one branch is evaluated.
    def like(self, t: Any, value: float) -> Any:
        """Return a number to use instead of ``t``; whole if ``t`` is."""
        raise TypeError


class _Scalars(Arithmetic):
    """Python's own numbers: ints, floats, and fractions inside cycles."""

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
        if type(t) is Fraction:
            t = as_number(t)
        left = (steps - t) / steps
        return (t / steps, left) if left > 0 else (1.0, 0.0)

    def minus(self, t: Any, start: Any) -> Any:
        if type(start) is Fraction and isinstance(t, float):
            return t - float(start)
        left = t - start
        return as_number(left) if type(left) is Fraction else left

    def floor_divide(self, t: Any, size: Fraction | int) -> int:
        if isinstance(t, int):
            return int(t * size.denominator // size.numerator)
        return math.floor(Fraction(t) / size)

    def scaled(self, count: Any, size: Fraction) -> int | float:
        return as_number(count * size)

    def remainder(self, t: Any, count: Any, size: Fraction) -> int | float | Fraction:
        if isinstance(t, float):
            return self.minus(t, self.scaled(count, size))
        left: Fraction = t - count * size
        # A fraction stays a fraction, since a part of the cycle may begin close to it.
        return left.numerator if left.denominator == 1 else left

    def find(self, starts: Column, t: Any) -> int:
        return bisect_right(starts.values, t, 1) - 1

    def take(self, values: Column, index: int) -> int | float:
        return values.values[index]

    def full_like(self, t: Any, value: float) -> float:
        return value

    def map(self, function: Callable[[Any], Any], t: Any) -> float:
        return float(function(as_number(t) if type(t) is Fraction else t))

    def clip(self, value: Any, low: float, high: float) -> float:
        return min(max(value, low), high)

    def inside(self, t: Any, start: float, stop: float) -> bool:
        return start <= t < stop

    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        return yes if condition else no


scalars = _Scalars()
