"""The operators: what schedules are made of other schedules.

Nobody writes these names: they are what ``a >> b``, ``a * b``, ``a + b``, ``s[a:b]`` and the
methods of :class:`~lehr.schedule.Schedule` build.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, Literal, TypeGuard

from lehr import evaluate
from lehr.errors import NeedsHorizon, PastEnd, ScheduleError, level, number, whole
from lehr.evaluate import Curve
from lehr.evaluate.arithmetic import as_number
from lehr.horizon import LONGEST, Duration, Horizon, Run, as_written, round_half_up
from lehr.leaves import Piece
from lehr.schedule import ATOM, PLUS, THEN, TIMES, Reach, Schedule, Span, bracketed, call

__all__ = [
    "Clip",
    "Every",
    "Over",
    "Product",
    "Repeat",
    "Sequence",
    "Slice",
    "Sum",
]


# Lengths are exact. A cycle's is its stretch multiplied again and again: this many bits are allowed
# to grow, which is more than a hundred cycles of any stretch, and hundreds of usual ones.
_EXACT_BITS: Final = 2**13


def _bounded(steps: Fraction, schedule: Schedule) -> Fraction:
    if steps > LONGEST:
        raise ScheduleError(f"{schedule} would last more than {LONGEST:.0e} steps")
    return steps


@dataclass(frozen=True, repr=False)
class Sequence(Schedule):
    """``a >> b``: one after the other. Sequences inside are merged, so brackets do not matter."""

    parts: tuple[Schedule, ...]

    def __post_init__(self) -> None:
        parts: list[Schedule] = []
        for part in self.parts:
            parts.extend(part.parts if isinstance(part, Sequence) else [part])
        if len(parts) < 2:
            raise ScheduleError("a sequence has at least two parts")
        object.__setattr__(self, "parts", tuple(parts))
        opened = [part for part in parts if part._reach is not Reach.FIXED]
        if len(opened) > 1:
            raise ScheduleError(
                f"{opened[0]} and {opened[1]} both take what is left of the run; "
                "give one of them a length"
            )
        for before, after in itertools.pairwise(parts):
            if isinstance(before, Piece) and isinstance(after, Piece) and after.to is not None:
                after._check_moves(before.to if after.start is None else after.start)

    @property
    def _reach(self) -> Reach:
        for part in self.parts:
            reach = part._reach
            if reach is not Reach.FIXED:
                # Only at the end can an endless part stay endless.
                return reach if part is self.parts[-1] else Reach.FLEXIBLE
        return Reach.FIXED

    def _span(self, run: Run) -> Span:
        spans = [part._span(run) for part in self.parts]
        return Span(
            self._total(spans),
            any(span.rounds for span in spans),
            any(span.shares for span in spans),
        )

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        curves: list[Curve] = []
        for part, length in zip(self.parts, self._lengths(run, room), strict=True):
            curve = part._place(run, entry, length, length)
            if length is not None and curve.length != length:
                curve = evaluate.cut(curve, Fraction(0), length)
            curves.append(curve)
            if length is not None:
                entry = curve.end
        return evaluate.Path(curves)

    def _lengths(self, run: Run, room: Fraction | None) -> list[Fraction | None]:
        """Return the parts' lengths; boundaries are rounded, so that they sum to the whole."""
        spans = [p._span(run) if p._reach is Reach.FIXED else None for p in self.parts]
        taken = self._total([span for span in spans if span])
        rounding = any(span.rounds for span in spans if span)
        exact = at = Fraction(0)
        lengths: list[Fraction | None] = []
        for part, span in zip(self.parts, spans, strict=True):
            if span is None:
                left = self._left(part, room, taken)
                if left is None:
                    lengths.append(None)
                    continue
                # It ends where the rounded boundaries of the others leave it.
                span = Span(left, rounding, False)
            exact += span.steps
            to = at + span.steps
            if span.rounds and not run.exact:
                to = max(at, Fraction(round_half_up(exact)))
            if span.shares and room is not None and to > room:
                # What stands around it may have rounded its room down, but by less than a step.
                if exact - room >= 1:
                    raise ScheduleError(
                        f"{self} asks for {as_number(to)} of {as_number(room)} steps; "
                        "its shares must leave room for what stands before them"
                    )
                to = max(at, room)
            lengths.append(to - at)
            at = to
        return lengths

    def _total(self, spans: list[Span]) -> Fraction:
        total = Fraction(0)
        for span in spans:
            total += span.steps
            # Thousands of unlike denominators would make a number of thousands of digits.
            if total.denominator.bit_length() > 2 * _EXACT_BITS:
                raise ScheduleError(
                    f"{self.parts[0]} and what follows it have too many unlike fractions of steps "
                    "for an exact sum; write decimals"
                )
        return _bounded(total, self)

    def _left(self, part: Schedule, room: Fraction | None, taken: Fraction) -> Fraction | None:
        if room is not None:
            if taken > room and part._reach is Reach.FLEXIBLE:
                raise ScheduleError(
                    f"{part} takes what is left, but the rest of {self} takes "
                    f"{as_number(taken)} of {as_number(room)} steps"
                )
            return max(room - taken, Fraction(0))
        if part is self.parts[-1] and part._reach is Reach.ENDLESS:
            return None
        raise NeedsHorizon(f"{part} takes what is left of a run: write .over(1000) first")

    def _text(self) -> tuple[str, int]:
        return " >> ".join(bracketed(part, THEN) for part in self.parts), THEN


@dataclass(frozen=True, repr=False)
class _Pair(Schedule):
    """The common part of ``a + b`` and ``a * b``: lasts as long as the longer operand."""

    left: Schedule
    right: Schedule | float

    def __post_init__(self) -> None:
        if not isinstance(self.right, Schedule):
            object.__setattr__(self, "right", level("operand", self.right))

    @property
    def _operands(self) -> list[Schedule]:
        return [self.left, self.right] if isinstance(self.right, Schedule) else [self.left]

    @property
    def _reach(self) -> Reach:
        reaches = [operand._reach for operand in self._operands]
        for reach in (Reach.ENDLESS, Reach.FLEXIBLE):
            if reach in reaches:
                return reach
        return Reach.FIXED

    def _span(self, run: Run) -> Span:
        return max(operand._span(run) for operand in self._operands)

    def _combine(self, run: Run, room: Fraction | None, product: bool) -> Curve:
        left = self.left._place(run, 1.0, room)
        if isinstance(self.right, Schedule):
            return evaluate.Combined(left, self.right._place(run, 1.0, room), product)
        return evaluate.Combined(left, self.right, product)


@dataclass(frozen=True, repr=False)
class Product(_Pair):
    """``a * b``: the product at each step."""

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        return self._combine(run, room, product=True)

    def _text(self) -> tuple[str, int]:
        right = self.right
        if right == -1.0:
            return f"-{bracketed(self.left, ATOM)}", TIMES
        second = bracketed(right, ATOM) if isinstance(right, Schedule) else repr(right)
        return f"{bracketed(self.left, TIMES)} * {second}", TIMES


def _is_negated(schedule: Schedule) -> TypeGuard[Product]:
    return isinstance(schedule, Product) and schedule.right == -1.0


@dataclass(frozen=True, repr=False)
class Sum(_Pair):
    """``a + b``: the sum at each step."""

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        return self._combine(run, room, product=False)

    def _text(self) -> tuple[str, int]:
        left, right = self.left, self.right
        if isinstance(right, Schedule):
            if _is_negated(right):
                return f"{bracketed(left, PLUS)} - {bracketed(right.left, TIMES)}", PLUS
            return f"{bracketed(left, PLUS)} + {bracketed(right, TIMES)}", PLUS
        if _is_negated(left):
            return f"{right!r} - {bracketed(left.left, TIMES)}", PLUS
        sign = "-" if right < 0 else "+"
        return f"{bracketed(left, PLUS)} {sign} {abs(right)!r}", PLUS


_BEGIN: Final = Duration(Fraction(0), "st")


@dataclass(frozen=True, repr=False)
class Slice(Schedule):
    """``s[a:b]``: a stretch of what the schedule would be over the whole run."""

    inner: Schedule
    start: Duration = _BEGIN
    stop: Duration | None = None

    def __post_init__(self) -> None:
        stop = self.stop
        if stop is not None and stop.unit == self.start.unit and stop.amount < self.start.amount:
            raise ScheduleError(f"{self} ends before it starts")

    @property
    def _reach(self) -> Reach:
        endless = self.stop is None and self.inner._reach is Reach.ENDLESS
        return Reach.ENDLESS if endless else Reach.FIXED

    def _span(self, run: Run) -> Span:
        if self.stop is None:
            length = self._inner_length(run) - run.place(self.start)
            return Span(max(length, Fraction(0)), False, False)
        length = run.measure(self.stop) - run.measure(self.start)
        if length < 0:
            raise ScheduleError(f"{self} ends before it starts in this run")
        return Span(length, self.start.rounds or self.stop.rounds, self.stop.is_share)

    def _inner_length(self, run: Run) -> Fraction:
        # Kept for the last run: it is asked for before and while placing, and in slices of slices
        # the work would double with every one.
        known: tuple[Run, Fraction] | None = vars(self).get("_known_length")
        if known is None or known[0] != run:
            # Only the length is asked for: from NaN, every piece moves.
            length = self._inner(run, math.nan).length
            assert length is not None
            known = vars(self)["_known_length"] = (run, length)
        return known[1]

    def _own_length(self, run: Run) -> Fraction:
        if self.stop is None:
            return self._span(run).steps
        return max(run.place(self.stop) - run.place(self.start), Fraction(0))

    def _inner(self, run: Run, entry: float) -> Curve:
        return self.inner._place(run, entry, run.steps)

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        start = run.place(self.start)
        length = size
        if length is None:
            length = room if self._reach is Reach.ENDLESS else self._own_length(run)
        return evaluate.cut(self._inner(run, entry), start, length)

    def _text(self) -> tuple[str, int]:
        start = "" if self.start == _BEGIN else self.start.code
        stop = "" if self.stop is None else self.stop.code
        return f"{bracketed(self.inner, ATOM)}[{start}:{stop}]", ATOM


@dataclass(frozen=True, repr=False)
class Repeat(Schedule):
    """``s.repeat(times, stretch=..., scale=...)``; see :meth:`Schedule.repeat`."""

    inner: Schedule
    times: int | None
    stretch: Fraction = field(default=Fraction(1))
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.times is not None:
            object.__setattr__(self, "times", whole("times", self.times, at_least=1))
        object.__setattr__(self, "scale", number("scale", self.scale, above=0))
        if self.times is not None:
            self._check_exact(self.times)
        reach = self.inner._reach
        if reach is Reach.ENDLESS or (reach is Reach.FLEXIBLE and self.times is None):
            raise ScheduleError(
                f"{self.inner} has no length of its own to repeat; give it one, as in cosine(100), "
                "or cut it, as in s[:100]"
            )

    @property
    def _reach(self) -> Reach:
        return Reach.ENDLESS if self.times is None else self.inner._reach

    def _check_exact(self, cycles: float) -> None:
        bits = max(self.stretch.numerator.bit_length(), self.stretch.denominator.bit_length())
        if self.stretch != 1 and cycles * bits > _EXACT_BITS:
            raise ScheduleError(
                f"stretch={as_written(self.stretch)!r} over {cycles:.0f} cycles: their exact "
                f"lengths are kept for {_EXACT_BITS // bits} of them; write fewer, or a stretch of "
                "fewer digits"
            )

    def _check_room(self, size: Fraction, room: Fraction | None) -> None:
        """Check that the cycles that there is room for are not too many to be exact."""
        if self.times is not None or self.stretch == 1:
            return
        growth = math.log1p(float(self.stretch - 1))
        if growth > 0:
            limit = 2**53 if room is None else room
            ratio = float(limit * (self.stretch - 1) / size)
            self._check_exact(math.log1p(ratio) / growth)
        else:
            self._check_exact(math.log(max(float(size), 1.0)) / -growth)

    @property
    def _cycles(self) -> Fraction:
        """The length of all cycles, in lengths of the first."""
        assert self.times is not None
        if self.stretch == 1:
            return Fraction(self.times)
        return (self.stretch**self.times - 1) / (self.stretch - 1)

    def _span(self, run: Run) -> Span:
        span = self.inner._span(run)
        return Span(_bounded(span.steps * self._cycles, self), span.rounds, span.shares)

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        # Shares are not rounded inside: all cycles are alike, and sum to the run all the same.
        run = run.exactly()
        share = None
        if room is not None and self._reach is Reach.FLEXIBLE:
            share = room / self._cycles
        curve = self.inner._place(run, entry, share)
        if curve.length == 0:
            raise ScheduleError(f"{self}: one cycle is 0 steps long in this run")
        assert curve.length is not None
        self._check_room(curve.length, room)
        if self.times is not None:
            _bounded(curve.length * self._cycles, self)
        try:
            return evaluate.Cycles(curve, self.times, self.stretch, self.scale, room)
        except OverflowError:
            raise ScheduleError(
                f"scale={self.scale} grows beyond all numbers within the cycles of {self}"
            ) from None

    def _text(self) -> tuple[str, int]:
        stretch = ("stretch", repr(as_written(self.stretch)), "1")
        method = call("repeat", ("", self.times, None), stretch, ("scale", self.scale, 1.0))
        return f"{bracketed(self.inner, ATOM)}.{method}", ATOM


@dataclass(frozen=True, repr=False)
class _Wrapped(Schedule):
    """The common part of operators that keep their operand's length."""

    inner: Schedule

    @property
    def _reach(self) -> Reach:
        return self.inner._reach

    def _span(self, run: Run) -> Span:
        return self.inner._span(run)


@dataclass(frozen=True, repr=False)
class Every(_Wrapped):
    """``s.every(steps)``: a staircase; see :meth:`Schedule.every`."""

    steps: Duration

    def __post_init__(self) -> None:
        if self.steps.amount == 0:
            raise ScheduleError(f"every: steps={self.steps} must be greater than 0")

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        return evaluate.Stairs(self.inner._place(run, entry, room, size), run.measure(self.steps))

    def _text(self) -> tuple[str, int]:
        return f"{bracketed(self.inner, ATOM)}.every({self.steps.code})", ATOM


@dataclass(frozen=True, repr=False)
class Clip(_Wrapped):
    """``s.clip(low, high)``: kept between two levels; see :meth:`Schedule.clip`."""

    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            value = getattr(self, name)
            if value not in (-math.inf, math.inf):
                object.__setattr__(self, name, level(name, value))
        if self.low == -math.inf and self.high == math.inf:
            raise ScheduleError("clip: give low, high or both")
        if not self.low <= self.high or self.low == math.inf or self.high == -math.inf:
            raise ScheduleError(f"clip: low={self.low!r} is above high={self.high!r}")

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        return evaluate.Clipped(self.inner._place(run, entry, room, size), self.low, self.high)

    def _text(self) -> tuple[str, int]:
        bounds = (("low", self.low, -math.inf), ("high", self.high, math.inf))
        return f"{bracketed(self.inner, ATOM)}.{call('clip', *bounds)}", ATOM


@dataclass(frozen=True, repr=False)
class Over(Schedule):
    """``s.over(horizon)``: placed over a run; see :meth:`Schedule.over`."""

    inner: Schedule
    horizon: Horizon
    closed: bool = False
    past: Literal["hold", "raise"] = "hold"

    def __post_init__(self) -> None:
        if self.past not in ("hold", "raise"):
            raise ScheduleError(f"past={self.past!r} must be 'hold' or 'raise'")
        # Whatever does not fit shall be refused here rather than at the first step; what is still
        # missing (the length of an epoch, the run that this is a share of) may come from outside.
        with contextlib.suppress(NeedsHorizon):
            _ = self._path

    def __call__(self, t: Any) -> Any:
        if self.past == "raise":
            from lehr.evaluate.arrays import last_step

            last, length = last_step(t), self.length
            if length is not None and isinstance(last, int | float) and last > length:
                raise PastEnd(f"step t={last} is after the run's {length} steps")
        return super().__call__(t)

    @property
    def _reach(self) -> Reach:
        return Reach.FIXED

    def _span(self, run: Run) -> Span:
        length = self.horizon.length
        if length.unit == "ep" and self.horizon.steps_per_epoch is not None:
            run = Run(self.horizon, run.steps)
        return Span(run.measure(length), length.rounds, length.is_share)

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        inner = run.enter(self.horizon, self.closed, size)
        assert inner.steps is not None
        length = size if size is not None else inner.steps + self.closed
        if inner.steps == 0:
            # A closed run of one step: its end level belongs on it.
            whole_step = run.enter(self.horizon, False, size)
            return evaluate.Flat(length, self.inner._place(whole_step, 1.0, whole_step.steps).end)
        if self.inner._reach is Reach.FIXED:
            self._check_fits(inner)
        # A run is complete in itself: the level before it does not enter.
        curve = self.inner._place(inner, 1.0, inner.steps)
        return evaluate.cut(evaluate.Path([curve]), Fraction(0), length)

    def _check_fits(self, run: Run) -> None:
        span, steps = self.inner._span(run), run.steps
        assert steps is not None
        if span.shares and round_half_up(span.steps) > round_half_up(steps):
            raise ScheduleError(
                f"{self.inner} asks for {as_number(span.steps)} of {as_number(steps)} steps: "
                "its shares add up to more than the run"
            )

    def _text(self) -> tuple[str, int]:
        method = call(
            "over",
            ("", self.horizon.length.code, None),
            ("steps_per_epoch", self.horizon.steps_per_epoch, None),
            ("closed", self.closed, False),
            ("past", repr(self.past), repr("hold")),
        )
        return f"{bracketed(self.inner, ATOM)}.{method}", ATOM
