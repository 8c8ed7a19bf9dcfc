"""Choosing between curves: sequences, slices, and the level after the end."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any, Final, cast

from lehr.curves.arithmetic import Arithmetic, Column, ExactSteps, as_number, prepare, scalars
from lehr.curves.curve import Curve, Flat, Ramp

# Above this many pieces, an array that cannot be cut (a traced one) looks up its pieces' numbers in
# a table; below, evaluating every piece and selecting is faster. Measured with torch.
_FEW: Final = 8


def holding(curve: Curve) -> Curve:
    """Return the curve in a form that can be evaluated past its end, where it holds."""
    return curve if curve.length is None or isinstance(curve, Path | Flat) else Path([curve])


def cut(curve: Curve, start: Fraction, length: Fraction | None = None) -> Curve:
    """Return the curve from ``start`` on, ``length`` steps long (None: to its end).

    A path is reduced to its remaining parts, so that its table stays flat.
    """
    if length is None and curve.length is not None:
        length = max(curve.length - start, Fraction(0))
    if start == 0 and length == curve.length:
        return curve
    if isinstance(curve, Flat):
        return Flat(length, curve.low)
    if isinstance(curve, Path):
        return _cut_path(curve, start, length)
    return Window(curve, start, length)


def _cut_path(path: Path, start: Fraction, length: Fraction | None) -> Curve:
    stop = None if length is None else start + length
    parts: list[Curve] = []
    for part, begin in path.pieces():
        over = None if part.length is None else begin + part.length
        if (over is not None and over <= start) or (stop is not None and begin >= stop):
            continue
        skip = max(start - begin, Fraction(0))
        until = part.length if stop is None or (over and over <= stop) else stop - begin
        parts.append(cut(part, skip, None if until is None else until - skip))
    if stop is None:
        return Path(parts)
    held = stop - max(start, path.length) if path.length is not None else Fraction(0)
    if held > 0:
        parts.append(Flat(held, path.end))
    return Path(parts, end=float(path.value(as_number(stop), scalars)))


class Window(Curve):
    """A slice of another curve; past the slice's end it holds."""

    def __init__(self, curve: Curve, start: Fraction, length: Fraction | None) -> None:
        inner: Curve = curve
        # A slice of a slice is a single slice if the end of the first does not matter.
        if isinstance(curve, Window) and (
            curve.length is None or (length is not None and start + length <= curve.length)
        ):
            inner, start = curve.curve, start + curve.start
        self.length, self.low, self.high = length, inner.low, inner.high
        self.has_callbacks = inner.has_callbacks
        self.curve: Curve = inner
        self.start: Fraction = start
        self._holding = holding(inner)
        self._shift = -as_number(start)

    def value(self, t: Any, m: Arithmetic) -> Any:
        return self._holding.value(m.minus(t, self._shift), m)

    @cached_property
    def end(self) -> float:
        inner = self.curve.length
        assert self.length is not None
        if inner is not None and self.start + self.length >= inner:
            return self.curve.end
        return super().end


class Path(Curve):
    """Curves one after the other; after the last, its end level.

    All but the last must have a length. Nested paths are merged, so that a plan changed twenty
    times is still one table.
    """

    def __init__(self, parts: Sequence[Curve], end: float | None = None) -> None:
        self.parts: list[Curve] = []
        self._grids: dict[int, _Grid] = {}
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
        self.has_callbacks = any(part.has_callbacks for part in self.parts)
        if at is not None:
            self.end = parts[-1].end if end is None else end
        levels = [(part.low, part.high) for part in self.parts]
        if at is not None:
            # It holds its end level, which may come from a jump: a last part of zero steps.
            levels.append((self.end, self.end))
        self.low = min(low for low, _ in levels)
        self.high = max(high for _, high in levels)
        self.starts = [as_number(begin) for begin in self._begins]
        # Exact if they are not whole, since a step may fall on a boundary inside a part.
        self.offsets = [
            n if isinstance(n, int) else b for n, b in zip(self.starts, self._begins, strict=True)
        ]
        self.stop = math.inf if at is None else as_number(at)

    def pieces(self) -> list[tuple[Curve, Fraction]]:
        """Return the parts with the steps at which they begin."""
        return list(zip(self.parts, self._begins, strict=True))

    def value(self, t: Any, m: Arithmetic) -> Any:
        if m is scalars:
            return self._at_number(t)
        return self._sliced(t, m) if m.can_cut else self._selected(t, m)

    def _at_number(self, t: int | float | Fraction) -> Any:
        if t >= self.stop:
            return self.end
        # Starts that are not whole are rounded; a fraction is compared with the exact ones.
        starts = self._begins if type(t) is Fraction else self.starts
        index = bisect_right(starts, t) - 1
        start = self.offsets[index]
        if type(start) is int:
            return self.parts[index].value(t - start if start else t, scalars)
        local = t - float(start) if isinstance(t, float) else t - start
        if type(local) is Fraction and local.denominator == 1:
            local = local.numerator
        return self.parts[index].value(local, scalars)

    def grid(self, parts: int) -> _Grid:
        """Return where its parts begin, in ``1 / parts``; cached, so that it is not traced."""
        if parts not in self._grids:
            self._grids[parts] = _Grid(self, parts)
        return self._grids[parts]

    def _local(self, t: Any, index: int, m: Arithmetic, parts: int) -> Any:
        """Return the steps since a part began; ``t`` is in ``1 / parts``."""
        if parts == 1:
            return m.minus(t, self.offsets[index])
        whole, rest = self.grid(parts).begins[index]
        return (m.real(m.minus(t, whole)) - rest) / parts

    def _edges(self, parts: int) -> list[int | float]:
        """Return the starts of the parts, and the end, in ``1 / parts``."""
        return [*self.starts, self.stop] if parts == 1 else self.grid(parts).edges

    def _sliced(self, t: Any, m: Arithmetic) -> Any:
        """Evaluate each part once, on its own slice of a NumPy array."""
        # Already loaded, since ``t`` is an array.
        import numpy as np

        t, parts = t if isinstance(t, ExactSteps) else (t, 1)
        flat = t.reshape(-1)
        if flat.size == 0:
            return np.empty(t.shape, m.dtype)
        edges = self._edges(parts)
        if len(self.parts) == 1 and flat.max() < edges[-1]:
            return self.parts[0].value(self._local(flat, 0, m, parts), m).reshape(t.shape)
        starts: Any = np.asarray(edges if self.length is not None else edges[:-1])
        order: Any = None
        if flat.size > 1 and not bool((flat[1:] >= flat[:-1]).all()):
            # Sorted by part, not by step: there are few keys, and the order within a part is kept.
            part_of: Any = starts.searchsorted(flat, "right")
            order = np.argsort(part_of, kind="stable")
            cuts = cast("Any", np.searchsorted(part_of[order], np.arange(1, len(starts) + 1)))
            flat = flat[order]
        else:
            cuts = cast("Any", np.searchsorted(flat, starts, "left"))
        # A cycle whose length is not whole may begin a rounding error before its start.
        cuts[0] = 0
        out: Any = np.empty(flat.shape, m.dtype)
        bounds: list[int] = [*cuts.tolist(), flat.size]
        for index, part in enumerate(self.parts):
            low, high = bounds[index : index + 2]
            if low < high:
                out[low:high] = part.value(self._local(flat[low:high], index, m, parts), m)
        if self.length is not None:
            out[bounds[-2] :] = self.end
        if order is not None:
            unsorted = np.empty_like(out)
            unsorted[order] = out
            out = unsorted
        return out.reshape(t.shape)

    def _selected(self, t: Any, m: Arithmetic) -> Any:
        """Evaluate every part and select, without branches, for arrays that may be traced."""
        t, parts = t if isinstance(t, ExactSteps) else (t, 1)
        chosen: Iterable[int] = range(len(self.parts))
        if len(self.parts) <= _FEW:
            out = m.full_like(t, self.end if self.length is not None else 0.0)
        else:
            prepare(self, "table")
            out = self.table.value(t if parts == 1 else m.real(t) / parts, m)
            chosen = self.table.others
        edges = self._edges(parts)
        for index in chosen:
            part, start, stop = self.parts[index], edges[index], edges[index + 1]
            inside = m.inside(t, start, stop)
            # Elsewhere the part is evaluated at its own middle: a formula outside its range may
            # give NaN, and even an unselected NaN spoils gradients.
            middle = (stop - start) / 2 / parts if math.isfinite(stop) else 1.0
            local = self._local(t, index, m, parts)
            local = m.where(inside, local, m.like(local, middle))
            out = m.where(inside, part.value(local, m), out)
        return out

    @cached_property
    def table(self) -> _PieceTable:
        """Its pieces as arrays, for paths of many pieces."""
        return _PieceTable(self)


class _Grid:
    """The exact starts of a path's parts, for steps counted in ``1 / parts``.

    Attributes:
        edges: The first whole number at or after each start, and after the end.
        begins: Each start as a whole number and a remainder.
    """

    def __init__(self, path: Path, parts: int) -> None:
        begins = [begin * parts for _, begin in path.pieces()]
        stop = math.inf if path.length is None else math.ceil(path.length * parts)
        self.edges: list[int | float] = [*map(math.ceil, begins), stop]
        self.begins = [(math.floor(begin), float(begin % 1)) for begin in begins]


class _PieceTable:
    """The pieces of a long path as arrays: even a thousand need only one formula for each ease.

    It has a row for each part, and one for the level after the end.

    Attributes:
        others: The indices of the parts that are not pieces.
    """

    def __init__(self, path: Path) -> None:
        self.others = [i for i, part in enumerate(path.parts) if not isinstance(part, Ramp | Flat)]
        rows, starts = list(path.parts), list(path.starts)
        if path.length is not None:
            rows.append(Flat(None, path.end))
            starts.append(path.stop)
        ramps = [part if isinstance(part, Ramp) else None for part in rows]
        sizes = [ramp.steps if ramp else 1 for ramp in ramps]
        # Real numbers if they exceed 32 bits: such pieces are longer than any run there.
        far = max(sizes) >= 2**31
        self._starts = Column(starts)
        self._sizes = Column([float(size) for size in sizes] if far else sizes)
        self._to = Column([ramp.to if ramp else 1.0 for ramp in ramps])
        self._from = Column(
            [
                row.start if isinstance(row, Ramp) else row.low if isinstance(row, Flat) else 1.0
                for row in rows
            ]
        )
        # Ramps of one kind share a number; the last ones are in log space; 0 is everything else.
        kinds = dict.fromkeys((ramp.ease, ramp.log) for ramp in ramps if ramp)
        self._ramps = sorted(kinds, key=lambda kind: kind[1])
        numbers = {kind: n for n, kind in enumerate(self._ramps, 1)}
        self._first_log = 1 + sum(not log for _, log in self._ramps)
        self._kinds = Column([numbers[ramp.ease, ramp.log] if ramp else 0 for ramp in ramps])

    def value(self, t: Any, m: Arithmetic) -> Any:
        """Return the values in pieces and after the end."""
        index = m.find(self._starts, t)
        kind = m.take(self._kinds, index)
        local = m.minus(t, m.take(self._starts, index))
        # A level is evaluated at its start: elsewhere an ease may have no slope.
        local = m.where(m.inside(kind, 0, 1), 0, local)
        u, w = m.fractions(local, m.take(self._sizes, index))
        start, to = m.take(self._from, index), m.take(self._to, index)
        rise, fall = 0.0, 1.0
        for number, (ease, _) in enumerate(self._ramps, 1):
            chosen, way, left = m.inside(kind, number, number + 1), u, w
            if m.graded and ease.is_steep:
                chosen = chosen & (u > 0)
                way, left = m.where(chosen, u, 0.5), m.where(chosen, w, 0.5)
            rise = m.named("rise", m.where(chosen, ease.rise(way, left, m), rise))
            fall = m.named("fall", m.where(chosen, ease.fall(way, left, m), fall))
        value = start * fall + to * rise
        if self._first_log > len(self._ramps):
            return value
        in_log = m.inside(kind, self._first_log, math.inf)
        a, b = m.where(in_log, start, 1.0), m.where(in_log, to, 1.0)
        return m.where(in_log, a**fall * b**rise, value)
