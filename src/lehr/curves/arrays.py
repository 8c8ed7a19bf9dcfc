"""Arrays of steps, of any library that follows the array API standard: NumPy, torch, JAX.

Only this module of the core imports NumPy; it is loaded when the first array is evaluated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from lehr.curves.arithmetic import (
    Arithmetic,
    Column,
    ExactSteps,
    as_number,
    prepare,
    scalars,
    untraced,
)
from lehr.errors import ScheduleError

if TYPE_CHECKING:
    from lehr.curves.path import Path


def evaluate(path: Path, t: Any) -> Any:
    """Return the values at ``t``: an array of any library, or a NumPy number.

    Raises:
        ScheduleError: If a step is negative (checked for NumPy only), or a number is not finite.
        TypeError: If ``t`` is not a step.
    """
    if isinstance(t, np.generic):
        return _at_number(path, t)
    m = arithmetic_of(t)
    if m.can_cut and t.size and not t.min() >= 0:
        fault = "negative; the first is 0" if t.min() < 0 else "not a number"
        raise ScheduleError(f"step t={t.min()} is {fault}")
    return path.value(m.enter(t), m)


def last_step(t: Any) -> Any:
    """Return the largest step; an array that may be traced is returned unchanged."""
    if isinstance(t, np.ndarray | np.generic):
        return np.max(cast("Any", t), initial=0).item()
    return t


def _at_number(path: Path, t: Any) -> Any:
    step = t.item()
    if isinstance(step, bool) or not isinstance(step, int | float):
        raise TypeError(f"t={t!r} is not a step")
    if not math.isfinite(step) or step < 0:
        raise ScheduleError(f"step t={t!r} must be a finite number of at least 0")
    value = path.value(step, scalars)
    if not math.isfinite(value):
        raise ScheduleError(f"the schedule has no finite value at step {step}")
    # A real step keeps its precision: float32 gives float32.
    return t.__class__(value) if isinstance(step, float) else np.float64(value)


class Arrays(Arithmetic):
    """Arrays of the library ``xp``, on the device of ``like`` and, if it is real, of its type.

    Raises:
        TypeError: If the array holds neither integers nor real numbers.
    """

    def __init__(self, xp: Any, like: Any) -> None:
        self._xp = xp
        self._integral = xp.isdtype(like.dtype, "integral")
        if not self._integral and not xp.isdtype(like.dtype, "real floating"):
            raise TypeError(f"steps must be integers or real numbers, not {like.dtype}")
        self._device: Any = getattr(like, "device", None)
        self.dtype = like.dtype
        if self._integral:
            self.dtype = _widest(xp, "real floating", "float64", "float32", self._device)
        self._long = _widest(xp, "signed integer", "int64", "int32", self._device)
        self.most = int(xp.iinfo(self._long).max)
        self.can_cut = isinstance(like, np.ndarray)
        self.graded = not self.can_cut
        self.sin, self.sqrt = xp.sin, xp.sqrt
        self.sinh, self.cosh = xp.sinh, xp.cosh
        self.log, self.log1p, self.expm1 = xp.log, xp.log1p, xp.expm1

    def enter(self, t: Any) -> Any:
        """Return ``t`` in a type whose differences cannot wrap around."""
        return self._xp.astype(t, self._long, copy=False) if self._integral else t

    def counts(self, t: Any) -> bool:
        return self._is_integral(t)

    def real(self, t: Any) -> Any:
        if not hasattr(t, "dtype"):
            return float(t)
        return t if t.dtype == self.dtype else self._xp.astype(t, self.dtype)

    def fractions(self, t: Any, steps: Any) -> tuple[Any, Any]:
        size = self.real(steps)
        known = self._is_integral(steps) if hasattr(steps, "dtype") else self._countable(steps)
        if known and self._is_integral(t):
            return self.real(t) / size, self.real(steps - t) / size
        t, steps = self.real(t), size
        # A start that is not whole was rounded, so shares may leave [0, 1] by a rounding error.
        return self._share(t / steps), self._share((steps - t) / steps)

    def _share(self, u: Any) -> Any:
        xp = self._xp
        if not self.graded:
            return xp.clip(u, 0.0, 1.0)
        # A clip may halve the derivative at the limit itself.
        return xp.where(u < 0, 0.0, xp.where(u > 1, 1.0, u))

    def minus(self, t: Any, start: Any) -> Any:
        if self._countable(start):
            if start < 0 and self.most < 2**62 and self._is_integral(t):
                # Steps beyond 32 bits stay at the last step that 32 bits can count.
                t = self._xp.where(t > self.most + start, self.most + start, t)
            return t - start if start else t
        if isinstance(start, Fraction):
            parts = start.denominator
            whole, rest = divmod(start.numerator, parts)
            # Counted from the last whole step before the start, so that a boundary is hit exactly.
            if self._is_integral(t) and self._countable(whole) and parts < 2**20:
                return (self.real(t - whole) * parts - rest) / parts
        if isinstance(start, int | float | Fraction):
            return self.real(t) - float(start)
        if self._is_integral(t) and self._is_integral(start):
            return t - start
        return self.real(t) - self.real(start)

    def floor_divide(self, t: Any, size: Fraction | int) -> Any:
        xp = self._xp
        many, parts = size.numerator, size.denominator
        if self._is_integral(t) and many * parts <= self.most:
            if parts == 1:
                return xp.floor_divide(t, many)
            # This is t * parts // many, without a product larger than many * parts or the result.
            return t // many * parts + t % many * parts // many
        real, step = self.real(t), float(size)
        long = self._long
        count = xp.astype(xp.floor(real / step), long)
        if size == 1:
            return count
        # Rounding may carry the quotient across a boundary: compare, and correct by one.
        base = self.real(count) * step
        return count - xp.astype(base > real, long) + xp.astype(base + step <= real, long)

    def remainder(self, t: Any, count: Any, size: Fraction) -> Any:
        many, parts = size.numerator, size.denominator
        if parts > 1 and self._is_integral(t) and many * parts <= self.most:
            return ExactSteps(t % many * parts % many, parts)
        return self.minus(t, self.scaled(count, size))

    def scaled(self, count: Any, size: Fraction) -> Any:
        number = as_number(size)
        return count * number if self._countable(number) else self.real(count) * float(number)

    def find(self, starts: Column, t: Any) -> Any:
        xp = self._xp
        whole = starts.is_whole and self._is_integral(t)
        prepare(starts, "edges")
        own, real = starts.edges
        if whole and self.most < 2**62:
            # No step of 32 bits reaches what lies beyond them.
            own = own[own <= self.most]
        edges = self._constant(own if whole else real, self._long if whole else self.dtype)
        t = t if whole else self.real(t)
        return self._by_row(t, lambda flat: xp.searchsorted(edges, flat, side="right"))

    def take(self, values: Column, index: Any) -> Any:
        prepare(values, "array")
        numbers, whole = values.array, values.is_whole
        if whole and self.most < 2**62:
            # Larger values are at an index that is never found.
            numbers = np.minimum(numbers, self.most)
        table = self._constant(numbers, self._long if whole else self.dtype)
        return self._by_row(index, lambda flat: self._at(table, flat))

    def _by_row(self, t: Any, function: Callable[[Any], Any]) -> Any:
        """Apply a function of arrays of one dimension to an array of any shape."""
        if t.ndim == 1:
            return function(t)
        return self._xp.reshape(function(self._xp.reshape(t, (-1,))), t.shape)

    def _at(self, column: Any, row: Any) -> Any:
        return self._xp.take(column, row, axis=0)

    def full_like(self, t: Any, value: float) -> Any:
        return self._xp.full_like(t, value, dtype=self.dtype)

    def map(self, function: Callable[[Any], Any], t: Any) -> Any:
        xp = self._xp
        # A user-defined function takes one number, so it is called once for each step.
        flat = xp.reshape(t, (-1,))
        try:
            steps = flat.tolist() if hasattr(flat, "tolist") else np.asarray(flat).tolist()
        except TypeError as error:
            raise ScheduleError(
                "a function of your own is called with one number at a time, but traced steps have "
                "no numbers yet; write lehr.table(schedule.over(1000).values())"
            ) from error
        values = [float(function(step)) for step in steps]
        return xp.reshape(self._constant(values, self.dtype), t.shape)

    def clip(self, value: Any, low: float, high: float) -> Any:
        return self._xp.clip(value, low, high)

    def like(self, t: Any, value: float) -> Any:
        if self._is_integral(t):
            return self._xp.full_like(t, int(min(value, self.most)))
        return self._xp.full_like(t, value)

    def inside(self, t: Any, start: float, stop: float) -> Any:
        if self._is_integral(t):
            if start > self.most:
                return t < 0
            # The standard compares integers with integers only.
            start, stop = math.ceil(start), math.inf if stop > self.most else math.ceil(stop)
            if stop == start + 1:
                return t == start
        else:
            start, stop = float(start), float(stop)
        after = t >= start
        return after if stop == math.inf else after & (t < stop)

    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        return self._xp.where(condition, yes, no)

    def snapped(self, value: Any, t: Any, factor: Any) -> Any:
        xp = self._xp
        # Real steps are not rounded: a rounded value has no gradient.
        if not self._is_integral(t):
            return value
        near = xp.round(value)
        missed = 4 * float(xp.finfo(self.dtype).eps) * (value + self.real(t) / factor)
        return xp.where(xp.abs(value - near) <= missed, near, value)

    def _countable(self, steps: Any) -> bool:
        """Return whether the library's integers can be compared with a number."""
        return isinstance(steps, int) and abs(steps) <= self.most

    def _is_integral(self, t: Any) -> bool:
        return bool(self._xp.isdtype(t.dtype, "integral"))

    def _constant(self, values: Sequence[Any] | NDArray[Any], dtype: Any) -> Any:
        return self._xp.asarray(values, dtype=dtype, device=self._device)


class _Tensors(Arrays):
    """Torch tensors, using the operations that are cheapest when compiled."""

    def _at(self, column: Any, row: Any) -> Any:
        # Like `take`, without its check for negative indices: there are none.
        return self._xp.index_select(column, 0, row)

    def _is_integral(self, t: Any) -> bool:
        return not t.dtype.is_floating_point


def arithmetic_of(t: Any) -> Arrays:
    """Return the arithmetic of an array, based on its own library.

    Raises:
        TypeError: If ``t`` is not an array of real numbers.
    """
    if isinstance(t, np.ndarray):
        return Arrays(np, t)
    if type(t).__module__.partition(".")[0] == "torch" and hasattr(t, "dtype"):
        # By name, because torch.compile warns about the cache of the general search.
        import array_api_compat.torch

        return _Tensors(array_api_compat.torch, t)
    import array_api_compat

    compat: Any = array_api_compat
    if not compat.is_array_api_obj(t):
        raise TypeError(
            f"a schedule is called with a step or an array of steps, not {type(t).__name__}"
            + ("; write numpy.array(...) around it" if isinstance(t, list | tuple | range) else "")
        )
    return Arrays(compat.array_namespace(t), t)


@untraced
def _widest(xp: Any, kind: str, wide: str, narrow: str, device: Any) -> Any:
    """Return the wide type of a kind if the device has it, otherwise the narrow one."""
    if xp is np:
        return getattr(np, wide)
    found = xp.__array_namespace_info__().dtypes(device=device, kind=kind)
    return found.get(wide, getattr(xp, narrow))
