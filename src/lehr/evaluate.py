"""Curves: schedules placed over their run, ready to be asked for numbers.

A :class:`~lehr.schedule.Schedule` is what a person wrote; placing it over a run turns every
duration into steps and every level into a number, and gives a curve. A curve knows its length, the
level it ends at, and bounds that all its values lie in, and has one formula, ``value(t, m)``,
written once for every kind of number: ``m`` is the arithmetic that belongs to ``t``
(:mod:`lehr.arithmetic`).

``value`` is asked only for ``0 <= t < length``; what comes after the end is the business of
:class:`Path`, the one curve that chooses between others.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any, Final

import numpy as np

from lehr.arithmetic import Arithmetic, as_number, scalars
from lehr.easing import Ease
from lehr.errors import ScheduleError

__all__ = [
    "Call",
    "Clipped",
    "Combined",
    "Curve",
    "Cycles",
    "Exponential",
    "Flat",
    "Path",
    "Power",
    "Ramp",
    "Samples",
    "Shaped",
    "Stairs",
    "Window",
]

# Above this many pieces an array that cannot be cut (a traced one) looks its pieces' numbers up in
# a table; below, evaluating every piece and selecting is faster. Measured with torch.
_FEW: Final = 8


class Curve(ABC):
    """A number for every step from 0 to ``length``.

    Attributes:
        length: In steps, exactly; None where the curve has no end.
        low: A number that no value is below.
        high: A number that no value is above.
    """

    length: Fraction | None
    low: float
    high: float

    @abstractmethod
    def value(self, t: Any, m: Arithmetic) -> Any:
        """Return the values at ``t``, with ``0 <= t < length``."""

    @cached_property
    def end(self) -> float:
        """The level at which it ends; what follows begins there."""
        if self.length is None:
            raise ScheduleError("an endless schedule has no end level")
        return float(self.value(as_number(self.length), scalars))

    def cut(self, start: Fraction, length: Fraction | None) -> Curve:
        """Return the curve from ``start`` on, ``length`` steps long (None: to its end)."""
        if length is None and self.length is not None:
            length = max(self.length - start, Fraction(0))
        if start == 0 and length == self.length:
            return self
        return Window(self, start, length)


class Flat(Curve):
    """One level."""

    def __init__(self, length: Fraction | None, level: float) -> None:
        self.length, self.low, self.high = length, level, level

    def value(self, t: Any, m: Arithmetic) -> Any:
        return m.full_like(t, self.low)

    def cut(self, start: Fraction, length: Fraction | None) -> Curve:
        if length is None and self.length is not None:
            length = max(self.length - start, Fraction(0))
        return Flat(length, self.low)


class Ramp(Curve):
    """From one level to another by a named ease, in linear or in log space."""

    def __init__(self, length: Fraction, start: float, to: float, ease: Ease, log: bool) -> None:
        self.length, self.low, self.high = length, min(start, to), max(start, to)
        self.start, self.to, self.ease, self.log = start, to, ease, log
        self.steps = as_number(length)

    def value(self, t: Any, m: Arithmetic) -> Any:
        u, w = m.fractions(t, self.steps)
        return self.mix(u, w, m)

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
        self.low, self.high = _hull(start, limit if start else 0.0)

    def value(self, t: Any, m: Arithmetic) -> Any:
        return self._start * self._gamma ** (m.real(t) / self._every)


class Power(Curve):
    """``start * (1 + t / tau) ** -power``, for ever."""

    def __init__(self, length: Fraction | None, start: float, tau: Fraction, power: float):
        self.length = length
        self._start, self._tau, self._power = start, as_number(tau), power
        self.low, self.high = _hull(start, 0.0 if length is None else self.end)

    def value(self, t: Any, m: Arithmetic) -> Any:
        return self._start * (1 + m.real(t) / self._tau) ** -self._power


class Samples(Curve):
    """A table with one value a step."""

    def __init__(self, values: Sequence[float]) -> None:
        self.length = Fraction(len(values))
        self.low, self.high = min(values), max(values)
        self._values = tuple(values)

    def value(self, t: Any, m: Arithmetic) -> Any:
        return m.take(self._values, m.floor_divide(t, 1))

    @cached_property
    def end(self) -> float:
        return self._values[-1]


class Call(Curve):
    """A function of the step."""

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


class Window(Curve):
    """A stretch of another curve, which holds past its own end."""

    def __init__(self, curve: Curve, start: Fraction, length: Fraction | None) -> None:
        if isinstance(curve, Window):
            curve, start = curve._inner, start + curve._from
        self.length, self.low, self.high = length, curve.low, curve.high
        self._inner, self._from = curve, start
        self._holding = holding(curve)
        self._shift = -as_number(start)

    def value(self, t: Any, m: Arithmetic) -> Any:
        return self._holding.value(m.minus(t, self._shift), m)

    @cached_property
    def end(self) -> float:
        inner = self._inner.length
        assert self.length is not None
        if inner is not None and self._from + self.length >= inner:
            return self._inner.end
        return super().end


class Stairs(Curve):
    """Another curve, held from each multiple of ``every`` steps to the next."""

    def __init__(self, curve: Curve, every: Fraction) -> None:
        self.length, self.low, self.high = curve.length, curve.low, curve.high
        self._holding, self._every = holding(curve), every

    def value(self, t: Any, m: Arithmetic) -> Any:
        return self._holding.value(m.scaled(m.floor_divide(t, self._every), self._every), m)


class Clipped(Curve):
    """Another curve, kept between two levels."""

    def __init__(self, curve: Curve, low: float, high: float) -> None:
        self.length, self._curve = curve.length, curve
        self.low, self.high = (min(max(bound, low), high) for bound in (curve.low, curve.high))

    def value(self, t: Any, m: Arithmetic) -> Any:
        return m.clip(self._curve.value(t, m), self.low, self.high)

    @cached_property
    def end(self) -> float:
        return min(max(self._curve.end, self.low), self.high)


class Combined(Curve):
    """The sum or the product of two curves, or of a curve and a number."""

    def __init__(self, left: Curve, right: Curve | float, product: bool) -> None:
        self._product = product
        self._left = left
        self._right = right
        lengths = [left.length] if isinstance(right, float) else [left.length, right.length]
        known = [length for length in lengths if length is not None]
        self.length = max(known) if len(known) == len(lengths) else None
        if not isinstance(right, float):
            self._left, self._right = holding(left), holding(right)
        self.low, self.high = self._bounds(left, right)

    def _bounds(self, left: Curve, right: Curve | float) -> tuple[float, float]:
        low, high = (right, right) if isinstance(right, float) else (right.low, right.high)
        if not self._product:
            return left.low + low, left.high + high
        # 0 * inf is 0 here: a factor of exactly 0 stays 0 however large the other grows.
        corners = [a * b if a and b else 0.0 for a in (left.low, left.high) for b in (low, high)]
        return min(corners), max(corners)

    def value(self, t: Any, m: Arithmetic) -> Any:
        left = self._left.value(t, m)
        right = self._right if isinstance(self._right, float) else self._right.value(t, m)
        return left * right if self._product else left + right

    @cached_property
    def end(self) -> float:
        if not isinstance(self._right, float):
            return super().end
        return self._left.end * self._right if self._product else self._left.end + self._right


class Cycles(Curve):
    """A curve again and again, each time ``stretch`` as long and ``scale`` as high.

    Arguments:
        curve: One cycle, longer than 0 steps.
        times: How many cycles; None for as many as fit.
        stretch: Each cycle's length over that of the one before.
        scale: Each cycle's height over that of the one before.
        room: The steps there are for endless cycles, or None.
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
        self._curve, self._holding = curve, holding(curve)
        self._size, self._scale = curve.length, scale
        self._stretch = stretch
        # Exact starts, never floor(log(...)): that misses restarts by a rounding error.
        self._starts = None if stretch == 1 else _starts(curve.length, times, stretch, room)
        self._last = times
        if self._starts is not None:
            ended = times is not None or stretch < 1
            self._last = len(self._starts) - 1 if ended else None
            self._cycle_starts = [as_number(start) for start in self._starts]
        self.length = room
        if self._last is not None:
            self.length = self._starts[-1] if self._starts else curve.length * self._last
        count = self._last
        if count is None and room is not None:
            count = math.ceil(room / min(self._size, room))
        factors = [1.0, _limit(scale) if count is None else scale ** max(count - 1, 0)]
        corners = [b * f if b else 0.0 for b in (curve.low, curve.high) for f in factors]
        self.low, self.high = min(corners), max(corners)

    def value(self, t: Any, m: Arithmetic) -> Any:
        if self._starts is None:
            cycle = m.floor_divide(t, self._size)
            local = m.minus(t, m.scaled(cycle, self._size))
        else:
            cycle = m.find(self._cycle_starts, t)
            local = m.minus(t, m.take(self._cycle_starts, cycle))
            local = m.real(local) / float(self._stretch) ** m.real(cycle)
        value = self._holding.value(local, m)
        return value if self._scale == 1 else value * self._scale ** m.real(cycle)

    @cached_property
    def end(self) -> float:
        if self._last is None:
            return super().end
        return self._curve.end * self._scale ** (self._last - 1)


class Path(Curve):
    """Curves one after the other; after the last, the level at which it ended.

    Arguments:
        parts: Curves of known length, but for the last, which may be endless. Paths among them are
            merged, so that a plan changed twenty times is still one table.
        length: The whole's length where the last part is endless; else it is their sum.
        end: The level that it ends at.
    """

    def __init__(self, parts: Sequence[Curve], end: float | None = None) -> None:
        self.parts: list[Curve] = []
        self._begins: list[Fraction] = []
        at: Fraction | None = Fraction(0)
        for part in parts:
            assert at is not None
            for inner, begin in part.pieces() if isinstance(part, Path) else [(part, Fraction(0))]:
                if inner.length != 0:
                    self.parts.append(inner)
                    self._begins.append(at + begin)
            at = None if part.length is None else at + part.length
        self.length = at
        if at is not None:
            self.end = parts[-1].end if end is None else end
        levels = [(part.low, part.high) for part in self.parts]
        if not levels:
            levels = [(self.end, self.end)]
        self.low = min(low for low, _ in levels)
        self.high = max(high for _, high in levels)
        self.starts = [as_number(begin) for begin in self._begins]
        self.stop = math.inf if at is None else as_number(at)

    def pieces(self) -> list[tuple[Curve, Fraction]]:
        """Return the parts with the steps at which they begin."""
        return list(zip(self.parts, self._begins, strict=True))

    def value(self, t: Any, m: Arithmetic) -> Any:
        if m is scalars:
            if t >= self.stop:
                return self.end
            index = bisect_right(self.starts, t) - 1
            start = self.starts[index]
            return self.parts[index].value(t - start if start else t, m)
        if m.can_cut:
            return self._sliced(t, m)
        return self._selected(t, m)

    def cut(self, start: Fraction, length: Fraction | None) -> Curve:
        if length is None and self.length is not None:
            length = max(self.length - start, Fraction(0))
        if length == 0:
            return Flat(length, self._level_at(start))
        stop = None if length is None else start + length
        parts: list[Curve] = []
        for part, begin in self.pieces():
            over = None if part.length is None else begin + part.length
            if (over is not None and over <= start) or (stop is not None and begin >= stop):
                continue
            skip = max(start - begin, Fraction(0))
            until = part.length if stop is None or (over and over <= stop) else stop - begin
            parts.append(part.cut(skip, None if until is None else until - skip))
        if stop is None:
            return Path(parts)
        held = stop - max(start, self.length) if self.length is not None else Fraction(0)
        if held > 0:
            parts.append(Flat(held, self.end))
        return Path(parts, end=self._level_at(stop))

    def _level_at(self, step: Fraction) -> float:
        return float(self.value(as_number(step), scalars))

    def _sliced(self, t: Any, m: Arithmetic) -> Any:
        """Give each part its own stretch of ``t``, evaluated once: for arrays held in memory."""
        flat = t.reshape(-1)
        if flat.size == 0:
            return np.empty(t.shape, m.dtype)
        if len(self.parts) == 1 and flat.max() < self.stop:
            return self.parts[0].value(flat, m).reshape(t.shape)
        order = None
        if flat.size > 1 and not bool((flat[1:] >= flat[:-1]).all()):
            # The sort is by part, not by step: a handful of keys, and the order inside is kept.
            order = np.argsort(self._edges.searchsorted(flat, "right"), kind="stable")
            edges = np.searchsorted(
                self._edges.searchsorted(flat[order], "right"), np.arange(1, len(self._edges) + 1)
            )
            flat = flat[order]
        else:
            edges = np.searchsorted(flat, self._edges, "left")
        out = np.empty(flat.shape, m.dtype)
        bounds = [*edges.tolist(), flat.size]
        for part, start, low, high in zip(
            self.parts, self.starts, bounds, bounds[1:], strict=False
        ):
            if low < high:
                out[low:high] = part.value(m.minus(flat[low:high], start), m)
        if self.length is not None:
            out[bounds[-2] :] = self.end
        if order is not None:
            unsorted = np.empty_like(out)
            unsorted[order] = out
            out = unsorted
        return out.reshape(t.shape)

    @cached_property
    def _edges(self) -> np.ndarray[Any, Any]:
        return np.asarray(self.starts if self.length is None else [*self.starts, self.stop])

    def _selected(self, t: Any, m: Arithmetic) -> Any:
        """Evaluate every part and select: without branches, for arrays that may be traced."""
        out = m.full_like(t, self.end if self.length is not None else 0.0)
        table = self._table if len(self.parts) > _FEW else None
        stops = [*self.starts[1:], self.stop]
        for part, start, stop in zip(self.parts, self.starts, stops, strict=True):
            if table is not None and isinstance(part, Ramp):
                continue
            inside = m.inside(t, start, stop)
            # Elsewhere the part sees its own middle: a formula asked outside its range may give
            # NaN, and a NaN that is not selected still poisons gradients.
            middle = (stop - start) / 2 if math.isfinite(stop) else 1.0
            local = m.where(inside, m.minus(t, start), m.like(t, middle))
            out = m.where(inside, part.value(local, m), out)
        return out if table is None else table.fill(out, t, m)

    @cached_property
    def _table(self) -> _RampTable:
        return _RampTable(self)


class _RampTable:
    """The ramps of a long path as arrays, so that a thousand pieces are one formula an ease."""

    def __init__(self, path: Path) -> None:
        self._starts = path.starts
        self._stop = path.stop
        sizes, levels, groups = [], [], {}
        for index, part in enumerate(path.parts):
            ramp = part if isinstance(part, Ramp) else None
            sizes.append(ramp.steps if ramp else 1)
            levels.append((ramp.start, ramp.to) if ramp else (1.0, 1.0))
            if ramp:
                groups.setdefault((ramp.ease, ramp.log), [False] * len(path.parts))[index] = True
        self._sizes = sizes
        self._from = [start for start, _ in levels]
        self._to = [to for _, to in levels]
        self._groups: dict[tuple[Ease, bool], list[bool]] = groups

    def fill(self, out: Any, t: Any, m: Arithmetic) -> Any:
        index = m.find(self._starts, t)
        local = m.minus(t, m.take(self._starts, index))
        sizes = m.take(self._sizes, index)
        u, w = m.real(local) / m.real(sizes), m.real(m.minus(sizes, local)) / m.real(sizes)
        start, to = m.take(self._from, index), m.take(self._to, index)
        in_run = m.inside(t, 0, self._stop)
        for (ease, log), members in self._groups.items():
            chosen = in_run & m.take(members, index)
            safe_u, safe_w = m.where(chosen, u, 0.5), m.where(chosen, w, 0.5)
            rise, fall = ease.rise(safe_u, safe_w, m), ease.fall(safe_u, safe_w, m)
            if log:
                a, b = m.where(chosen, start, 1.0), m.where(chosen, to, 1.0)
                value = a**fall * b**rise
            else:
                value = start * fall + to * rise
            out = m.where(chosen, value, out)
        return out


def holding(curve: Curve) -> Curve:
    """Return the curve such that it may be asked past its end, where it holds."""
    return curve if curve.length is None or isinstance(curve, Path | Flat) else Path([curve])


def _hull(a: float, b: float) -> tuple[float, float]:
    return min(a, b), max(a, b)


def _limit(scale: float) -> float:
    """What ``scale ** n`` tends to."""
    return 1.0 if scale == 1 else 0.0 if scale < 1 else math.inf


def _starts(
    size: Fraction, times: int | None, stretch: Fraction, room: Fraction | None
) -> list[Fraction]:
    """Return where each cycle begins, and last where the cycles end or are surely out of reach."""
    limit = Fraction(2**53) if room is None else room
    starts = [Fraction(0)]
    while times is None or len(starts) <= times:
        # Cycles that shrink would never end: the last is the last of at least one step.
        if size < 1 and stretch < 1 and len(starts) > 1:
            break
        starts.append(starts[-1] + size)
        size *= stretch
        if times is None and starts[-1] > limit:
            break
    return starts
