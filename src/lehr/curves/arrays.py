"""Arrays of steps, of any library that follows the array API standard: NumPy, torch, JAX.

This is the one module of the core that imports NumPy, when the first array comes in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from lehr.curves.arithmetic import Arithmetic, Column, as_number, scalars, untraced
from lehr.errors import ScheduleError

if TYPE_CHECKING:
    from lehr.curves.path import Path
    from lehr.time.counter import Counter

__all__ = ["Arrays", "arithmetic_of", "evaluate", "sliced"]


def evaluate(path: Path, t: Any) -> Any:
    """Return the values at ``t``: an array of any library, or a number of NumPy's.

    Raises:
        ScheduleError: If a step is negative (seen for NumPy), or a number is not finite.
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
    """Return the largest of some steps, where it can be known: not while an array is traced."""
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
    # Of its own width where it is real: float32 gives float32.
    return t.__class__(value) if isinstance(step, float) else np.float64(value)


def sliced(path: Path, t: NDArray[Any], m: Arithmetic) -> NDArray[Any]:
    """Give each part of a path its own stretch of ``t``, evaluated once."""
    flat = t.reshape(-1)
    if flat.size == 0:
        return np.empty(t.shape, m.dtype)
    if len(path.parts) == 1 and flat.max() < path.stop:
        return path.parts[0].value(flat, m).reshape(t.shape)
    starts = np.asarray(path.starts if path.length is None else [*path.starts, path.stop])
    order: NDArray[Any] | None = None
    if flat.size > 1 and not bool((flat[1:] >= flat[:-1]).all()):
        # The sort is by part, not by step: a handful of keys, and the order inside is kept.
        part_of: NDArray[Any] = starts.searchsorted(flat, "right")
        order = np.argsort(part_of, kind="stable")
        edges = np.searchsorted(part_of[order], np.arange(1, len(starts) + 1))
        flat = flat[order]
    else:
        edges = np.searchsorted(flat, starts, "left")
    # A cycle whose length is not whole may ask a rounding error before the start.
    edges[0] = 0
    out: NDArray[Any] = np.empty(flat.shape, m.dtype)
    bounds = [*edges.tolist(), flat.size]
    for part, start, low, high in zip(path.parts, path.offsets, bounds, bounds[1:], strict=False):
        if low < high:
            out[low:high] = part.value(m.minus(flat[low:high], start), m)
    if path.length is not None:
        out[bounds[-2] :] = path.end
    if order is not None:
        unsorted = np.empty_like(out)
        unsorted[order] = out
        out = unsorted
    return out.reshape(t.shape)


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
        self.dtype = like.dtype
        if self._integral:
            self.dtype = _widest(xp, "real floating", "float64", "float32", self._device)
        self._long = _widest(xp, "signed integer", "int64", "int32", self._device)
        self._most = int(xp.iinfo(self._long).max)
        self.can_cut = isinstance(like, np.ndarray)
        self.graded = not self.can_cut
        self.sin, self.sqrt = xp.sin, xp.sqrt
        self.sinh, self.cosh = xp.sinh, xp.cosh
        self.log, self.log1p, self.expm1 = xp.log, xp.log1p, xp.expm1

    def enter(self, t: Any) -> Any:
        """Return ``t`` in a type whose differences cannot wrap around."""
        return self._xp.astype(t, self._long, copy=False) if self._integral else t

    def real(self, t: Any) -> Any:
        if not hasattr(t, "dtype"):
            return float(t)
        return t if t.dtype == self.dtype else self._xp.astype(t, self.dtype)

    def fractions(self, t: Any, steps: Any) -> tuple[Any, Any]:
        size = self.real(steps)
        known = self._is_integral(steps) if hasattr(steps, "dtype") else self._counts(steps)
        if known and self._is_integral(t):
            return self.real(t) / size, self.real(steps - t) / size
        t, steps = self.real(t), size
        # A start that is not whole rounds: the shares are kept inside by hand.
        return self._share(t / steps), self._share((steps - t) / steps)

    def _share(self, u: Any) -> Any:
        xp = self._xp
        if not self.graded:
            return xp.clip(u, 0.0, 1.0)
        # On the limit itself a clip may halve the derivative, which begins there.
        return xp.where(u < 0, 0.0, xp.where(u > 1, 1.0, u))

    def minus(self, t: Any, start: Any) -> Any:
        if self._counts(start):
            if start < 0 and self._most < 2**62 and self._is_integral(t):
                # What 32 bits cannot count up to stays at the last step that they can.
                t = self._xp.where(t > self._most + start, self._most + start, t)
            return t - start if start else t
        if isinstance(start, Fraction):
            parts = start.denominator
            whole, rest = divmod(start.numerator, parts)
            # From the last whole step before it: what is left may be a boundary to the digit.
            if self._is_integral(t) and self._counts(whole) and parts < 2**20:
                return (self.real(t - whole) * parts - rest) / parts
        if isinstance(start, int | float | Fraction):
            return self.real(t) - float(start)
        if self._is_integral(t) and self._is_integral(start):
            return t - start
        return self.real(t) - self.real(start)

    def floor_divide(self, t: Any, size: Fraction | int) -> Any:
        xp = self._xp
        many, parts = size.numerator, size.denominator
        if self._is_integral(t) and many * parts <= self._most:
            if parts == 1:
                return xp.floor_divide(t, many)
            # Of t * parts // many, no product is larger than the result or than many * parts.
            return t // many * parts + t % many * parts // many
        real, step = self.real(t), float(size)
        long = self._long
        count = xp.astype(xp.floor(real / step), long)
        if size == 1:
            return count
        # The quotient may round across a boundary: compare, and step back or forth by one.
        base = self.real(count) * step
        return count - xp.astype(base > real, long) + xp.astype(base + step <= real, long)

    def remainder(self, t: Any, count: Any, size: Fraction) -> Any:
        many, parts = size.numerator, size.denominator
        if parts > 1 and self._is_integral(t) and many * parts <= self._most:
            return self.real(t % many * parts % many) / parts
        return self.minus(t, self.scaled(count, size))

    def scaled(self, count: Any, size: Fraction) -> Any:
        number = as_number(size)
        return count * number if self._counts(number) else self.real(count) * float(number)

    def find(self, starts: Column, t: Any) -> Any:
        xp = self._xp
        whole = starts.is_whole and self._is_integral(t)
        _prepare_edges(starts)
        own, real = starts.edges
        if whole and self._most < 2**62:
            # In 32 bits no step comes to what lies beyond them.
            own = own[own <= self._most]
        edges = self._constant(own if whole else real, self._long if whole else self.dtype)
        t = t if whole else self.real(t)
        return self._by_row(t, lambda flat: xp.searchsorted(edges, flat, side="right"))

    def take(self, values: Column, index: Any) -> Any:
        _prepare(values)
        numbers, whole = values.array, values.is_whole
        if whole and self._most < 2**62:
            # These are at an index that is never found.
            numbers = np.minimum(numbers, self._most)
        table = self._constant(numbers, self._long if whole else self.dtype)
        return self._by_row(index, lambda flat: self._at(table, flat))

    def _by_row(self, t: Any, function: Callable[[Any], Any]) -> Any:
        """Return a function of arrays of one dimension, at any."""
        if t.ndim == 1:
            return function(t)
        return self._xp.reshape(function(self._xp.reshape(t, (-1,))), t.shape)

    def count(self, counter: Counter, t: Any, most: float) -> Any:
        # In floating point where the library cannot count so far: JAX has 32 bits by default.
        whole = self._is_integral(t) and most < self._most
        starts, totals, sizes = self._columns(counter, whole)
        flat = self._xp.reshape(t if whole else self.real(t), (-1,))
        row = self._row(starts, flat)
        seen = self._at(totals, row) + (flat - self._at(starts, row)) * self._at(sizes, row)
        return self._xp.reshape(seen, t.shape)

    def uncount(self, counter: Counter, seen: Any) -> Any:
        starts, totals, sizes = self._columns(counter, self._is_integral(seen))
        flat = self._xp.reshape(seen, (-1,))
        row = self._row(totals, flat)
        local = self.real(flat - self._at(totals, row)) / self.real(self._at(sizes, row))
        return self._xp.reshape(self.real(self._at(starts, row)) + local, seen.shape)

    def _columns(self, counter: Counter, whole: bool) -> list[Any]:
        dtype = self._long if whole else self.dtype
        for column in counter.columns:
            _prepare(column)
        columns = [column.array for column in counter.columns]
        if whole and self._most < 2**62:
            rows = sum(total < self._most for total in counter.totals)
            columns = [column[:rows] for column in columns]
        return [self._constant(column, dtype) for column in columns]

    def _row(self, edges: Any, flat: Any) -> Any:
        index = self._xp.searchsorted(edges, flat, side="right") - 1
        return self._xp.clip(index, 0, edges.shape[0] - 1)

    def _at(self, column: Any, row: Any) -> Any:
        return self._xp.take(column, row, axis=0)

    def full_like(self, t: Any, value: float) -> Any:
        return self._xp.full_like(t, value, dtype=self.dtype)

    def map(self, function: Callable[[Any], Any], t: Any) -> Any:
        xp = self._xp
        # A user's function knows nothing of arrays: it is called once for each step.
        flat = xp.reshape(t, (-1,))
        try:
            steps = flat.tolist() if hasattr(flat, "tolist") else np.asarray(flat).tolist()
        except TypeError as error:
            raise ScheduleError(
                "a function of your own is called with one number at a time, which steps that are "
                "traced have none of; write lehr.table(schedule.over(1000).values())"
            ) from error
        values = [float(function(step)) for step in steps]
        return xp.reshape(self._constant(values, self.dtype), t.shape)

    def clip(self, value: Any, low: float, high: float) -> Any:
        return self._xp.clip(value, low, high)

    def like(self, t: Any, value: float) -> Any:
        if self._is_integral(t):
            return self._xp.full_like(t, int(min(value, self._most)))
        return self._xp.full_like(t, value)

    def inside(self, t: Any, start: float, stop: float) -> Any:
        if self._is_integral(t):
            if start > self._most:
                return t < 0
            # The same in whole numbers, which is all that the standard lets them be compared with.
            start, stop = math.ceil(start), math.inf if stop > self._most else math.ceil(stop)
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
        # At real steps it stays as it is: a value that is put in its place has no gradient.
        if not self._is_integral(t):
            return value
        near = xp.round(value)
        missed = 4 * float(xp.finfo(self.dtype).eps) * (value + self.real(t) / factor)
        return xp.where(xp.abs(value - near) <= missed, near, value)

    def _counts(self, steps: Any) -> bool:
        """Return whether a number is one that the library's integers can be compared with."""
        return isinstance(steps, int) and abs(steps) <= self._most

    def _is_integral(self, t: Any) -> bool:
        return bool(self._xp.isdtype(t.dtype, "integral"))

    def _constant(self, values: Sequence[Any] | NDArray[Any], dtype: Any) -> Any:
        return self._xp.asarray(values, dtype=dtype, device=self._device)


class _Tensors(Arrays):
    """Arrays of torch's, by what costs the least where they are compiled."""

    def _at(self, column: Any, row: Any) -> Any:
        # As `take` does, which looks for rows that are counted from the end: there are none.
        return self._xp.index_select(column, 0, row)

    def _is_integral(self, t: Any) -> bool:
        return not t.dtype.is_floating_point


@untraced
def _prepare(column: Column) -> bool:
    return bool(column.array.size)


@untraced
def _prepare_edges(column: Column) -> bool:
    return bool(column.edges)


def arithmetic_of(t: Any) -> Arrays:
    """Return the arithmetic of an array, by its own library.

    Raises:
        TypeError: If ``t`` is not an array of real numbers.
    """
    if isinstance(t, np.ndarray):
        return Arrays(np, t)
    if type(t).__module__.partition(".")[0] == "torch" and hasattr(t, "dtype"):
        # Asked for by name: what the general search remembers, torch.compile warns about.
        import array_api_compat.torch

        return _Tensors(array_api_compat.torch, t)
    import array_api_compat

    compat: Any = array_api_compat
    if not compat.is_array_api_obj(t):
        raise TypeError(
            f"a schedule is asked for a step or an array of steps, not {type(t).__name__}"
            + ("; write numpy.array(...) around it" if isinstance(t, list | tuple | range) else "")
        )
    return Arrays(compat.array_namespace(t), t)


@untraced
def _widest(xp: Any, kind: str, wide: str, narrow: str, device: Any) -> Any:
    """Return the wide type of a kind where the device has it, else the narrow one."""
    if xp is np:
        return getattr(np, wide)
    found = xp.__array_namespace_info__().dtypes(device=device, kind=kind)
    return found.get(wide, getattr(xp, narrow))
