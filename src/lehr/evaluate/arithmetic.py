"""Arithmetic for the kinds of numbers that a step comes in: Python's own, and arrays.

The formulas of :mod:`lehr.easing` and :mod:`lehr.evaluate` are written once, against the small
face of :class:`Arithmetic`. There are two: Python numbers, by :mod:`math`, at a microsecond a
value; and arrays of any library that follows the Python array API standard (NumPy, torch, JAX).

Steps stay integers for as long as they are only compared and subtracted: in float32 the way left
at the last of 2e7 steps is 5e-8 like this, and 0 otherwise.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

__all__ = ["Arithmetic", "Arrays", "arithmetic_of", "as_number", "scalars"]


def as_number(value: Fraction) -> int | float:
    """Return an exact fraction as an int where it is one, else as the nearest float."""
    return value.numerator if value.denominator == 1 else float(value)


class Arithmetic(ABC):
    """What the formulas need of numbers, beside ``+ - * / **``.

    Attributes:
        dtype: The type of the results, for arrays.
        can_cut: Whether an array may be cut into stretches by its values (not when it is traced).
    """

    dtype: Any = float
    can_cut: bool = False
    sin: Callable[[Any], Any]
    sqrt: Callable[[Any], Any]

    @abstractmethod
    def real(self, t: Any) -> Any:
        """Return steps as real numbers of the results' type."""

    @abstractmethod
    def fractions(self, t: Any, steps: int | float) -> tuple[Any, Any]:
        """Return the share of ``steps`` that is done at ``t``, and the share that is left."""

    @abstractmethod
    def minus(self, t: Any, start: Any) -> Any:
        """Return ``t - start``, in integers where both are."""

    @abstractmethod
    def floor_divide(self, t: Any, size: Fraction | int) -> Any:
        """Return how many whole times ``size`` fits into ``t``, as integers."""

    @abstractmethod
    def scaled(self, count: Any, size: Fraction) -> Any:
        """Return ``count * size``, in integers where ``size`` is whole."""

    @abstractmethod
    def find(self, starts: Sequence[int | float], t: Any) -> Any:
        """Return the index of the last of the sorted ``starts`` that is not after ``t``."""

    @abstractmethod
    def take(self, values: Sequence[Any], index: Any) -> Any:
        """Return ``values[index]``, the index kept inside."""

    @abstractmethod
    def full_like(self, t: Any, value: float) -> Any:
        """Return ``value`` in the shape of ``t``."""

    @abstractmethod
    def map(self, function: Callable[[Any], Any], t: Any) -> Any:
        """Return a function of one Python number at each of ``t``."""

    @abstractmethod
    def clip(self, value: Any, low: float, high: float) -> Any:
        """Return ``value``, kept between two levels."""

    # Only paths over arrays select; a Python number takes the one branch that it is in.
    def like(self, t: Any, value: float) -> Any:
        """Return a number that stands in for ``t``: whole where ``t`` is."""
        raise TypeError

    def inside(self, t: Any, start: float, stop: float) -> Any:
        """Return whether ``start <= t < stop``."""
        raise TypeError

    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        """Return ``yes`` where the condition holds, else ``no``."""
        raise TypeError


class _Scalars(Arithmetic):
    """Python's own ints and floats."""

    sin = staticmethod(math.sin)
    sqrt = staticmethod(math.sqrt)

    def real(self, t: Any) -> float:
        return float(t)

    def fractions(self, t: Any, steps: int | float) -> tuple[float, float]:
        left = (steps - t) / steps
        return (t / steps, left) if left > 0 else (1.0, 0.0)

    def minus(self, t: Any, start: Any) -> Any:
        return t - start

    def floor_divide(self, t: Any, size: Fraction | int) -> int:
        if isinstance(t, int):
            return int(t * size.denominator // size.numerator)
        return math.floor(Fraction(t) / size)

    def scaled(self, count: Any, size: Fraction) -> int | float:
        return as_number(count * size)

    def find(self, starts: Sequence[int | float], t: Any) -> int:
        return bisect_right(starts, t) - 1

    def take(self, values: Sequence[Any], index: Any) -> Any:
        return values[min(index, len(values) - 1)]

    def full_like(self, t: Any, value: float) -> float:
        return value

    def map(self, function: Callable[[Any], Any], t: Any) -> float:
        return float(function(t))

    def clip(self, value: Any, low: float, high: float) -> float:
        return min(max(value, low), high)


scalars = _Scalars()


class Arrays(Arithmetic):
    """Arrays of any library that follows the array API standard.

    Arguments:
        xp: The library's namespace.
        like: An array of the kind that will be asked; its device and type are kept.

    Raises:
        TypeError: If the array holds neither integers nor real numbers.
    """

    def __init__(self, xp: Any, like: Any) -> None:
        self._xp = xp
        self._integral = xp.isdtype(like.dtype, "integral")
        if not self._integral and not xp.isdtype(like.dtype, "real floating"):
            raise TypeError(f"steps must be integers or real numbers, not {like.dtype}")
        self._device: Any = getattr(like, "device", None)
        self.dtype = _widest_float(xp, self._device) if self._integral else like.dtype
        self.can_cut = isinstance(like, np.ndarray)
        self.sin, self.sqrt = xp.sin, xp.sqrt

    def enter(self, t: Any) -> Any:
        """Return ``t`` in a type whose differences cannot wrap around."""
        signed = self._xp.isdtype(t.dtype, ("signed integer", "real floating"))
        return t if signed else self._xp.astype(t, self._xp.int64)

    def real(self, t: Any) -> Any:
        if not hasattr(t, "dtype"):
            return float(t)
        return t if t.dtype == self.dtype else self._xp.astype(t, self.dtype)

    def fractions(self, t: Any, steps: int | float) -> tuple[Any, Any]:
        if isinstance(steps, int) and self._is_integral(t):
            return self.real(t) / steps, self.real(steps - t) / steps
        t, xp = self.real(t), self._xp
        # A start that is not whole rounds: the shares are kept inside by hand.
        return xp.clip(t / steps, 0.0, 1.0), xp.clip((steps - t) / steps, 0.0, 1.0)

    def minus(self, t: Any, start: Any) -> Any:
        if isinstance(start, int):
            return t - start if start else t
        if isinstance(start, float):
            return self.real(t) - start
        if self._is_integral(t) and self._is_integral(start):
            return t - start
        return self.real(t) - self.real(start)

    def floor_divide(self, t: Any, size: Fraction | int) -> Any:
        xp = self._xp
        if self._is_integral(t) and size.denominator < 2**20:
            return xp.floor_divide(t * size.denominator, size.numerator)
        real, step = self.real(t), float(size)
        count = xp.astype(xp.floor(real / step), xp.int64)
        # The quotient may round across a boundary: compare, and step back or forth by one.
        base = self.real(count) * step
        return count - xp.astype(base > real, xp.int64) + xp.astype(base + step <= real, xp.int64)

    def scaled(self, count: Any, size: Fraction) -> Any:
        number = as_number(size)
        return count * number if isinstance(number, int) else self.real(count) * number

    def find(self, starts: Sequence[int | float], t: Any) -> Any:
        xp = self._xp
        whole = self._is_integral(t) and all(isinstance(start, int) for start in starts)
        edges = self._constant(starts, t.dtype if whole else self.dtype)
        flat = xp.reshape(t if whole else self.real(t), (-1,))
        index = xp.searchsorted(edges, flat, side="right") - 1
        return xp.reshape(xp.clip(index, 0, len(starts) - 1), t.shape)

    def take(self, values: Sequence[Any], index: Any) -> Any:
        xp = self._xp
        dtype = self.dtype
        if all(isinstance(value, bool) for value in values):
            dtype = xp.bool
        elif all(isinstance(value, int) for value in values):
            dtype = xp.int64
        flat = xp.reshape(xp.clip(index, 0, len(values) - 1), (-1,))
        return xp.reshape(xp.take(self._constant(values, dtype), flat, axis=0), index.shape)

    def full_like(self, t: Any, value: float) -> Any:
        return self._xp.full_like(t, value, dtype=self.dtype)

    def map(self, function: Callable[[Any], Any], t: Any) -> Any:
        xp = self._xp
        # A user's function knows nothing of arrays: it is called once for each step.
        steps = np.asarray(xp.reshape(t, (-1,))).tolist()
        values = [float(function(step)) for step in steps]
        return xp.reshape(self._constant(values, self.dtype), t.shape)

    def clip(self, value: Any, low: float, high: float) -> Any:
        return self._xp.clip(value, low, high)

    def like(self, t: Any, value: float) -> Any:
        if self._is_integral(t):
            return self._xp.full_like(t, int(value))
        return self._xp.full_like(t, value)

    def inside(self, t: Any, start: float, stop: float) -> Any:
        after = t >= start
        return after if stop == math.inf else after & (t < stop)

    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        return self._xp.where(condition, yes, no)

    def _is_integral(self, t: Any) -> bool:
        return bool(self._xp.isdtype(t.dtype, "integral"))

    def _constant(self, values: Sequence[Any], dtype: Any) -> Any:
        return self._xp.asarray(values, dtype=dtype, device=self._device)


def arithmetic_of(t: Any) -> Arrays:
    """Return the arithmetic of an array, by its own library.

    Raises:
        TypeError: If ``t`` is not an array of real numbers.
    """
    if isinstance(t, np.ndarray):
        return Arrays(np, t)
    import array_api_compat

    compat: Any = array_api_compat
    if not compat.is_array_api_obj(t):
        raise TypeError(
            f"a schedule is asked for a step or an array of steps, not {type(t).__name__}"
            + ("; write numpy.array(...) around it" if isinstance(t, list | tuple | range) else "")
        )
    return Arrays(compat.array_namespace(t), t)


def _widest_float(xp: Any, device: Any) -> Any:
    """Return float64 where the device has it, else float32."""
    if xp is np:
        return np.float64
    kinds = xp.__array_namespace_info__().dtypes(device=device, kind="real floating")
    return kinds.get("float64", xp.float32)
