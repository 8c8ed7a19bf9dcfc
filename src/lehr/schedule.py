"""Schedules: immutable values that map a step to a number.

A schedule is built from four leaves,

* a *piece* goes from level to level: :func:`linear`, :func:`cosine`, :func:`ramp`, :func:`hold`;
* a *law* goes on for ever: :func:`exponential`, :func:`inverse`;
* a *table* has one value a step: :func:`table`;
* a *formula* is a function of the step: :func:`formula`;

by seven operators: ``a >> b`` (then), ``a * b``, ``a + b`` (with numbers and schedules),
``s[a:b]`` (a slice), :meth:`~Schedule.repeat`, :meth:`~Schedule.every` and
:meth:`~Schedule.clip`. :meth:`~Schedule.over` places one over a run, which gives shares and epochs
their length.

>>> import lehr
>>> s = lehr.warmup(100) >> lehr.hold() >> lehr.cosine("20%", to=0.1)
>>> s
warmup(100) >> hold() >> cosine('20%', to=0.1)
>>> run = s.over(1_000)
>>> [round(run(t), 4) for t in (0, 50, 100, 800, 900, 1_000)]
[0.0, 0.5, 1.0, 1.0, 0.55, 0.1]

Conventions, the same for all:

* The value at step ``t`` (from 0) is what update ``t`` uses. At a boundary the next piece speaks:
  a piece of ``n`` steps reaches its end level at ``t = n``.
* A piece without ``start`` begins at the end level of the piece before it; the first begins at 1.
  The level passes through ``>>``, slices, ``repeat`` (every cycle begins at the same entry
  level), ``every`` and ``clip``. It does not enter the operands of ``*`` and ``+``, nor a schedule
  placed by ``over``: those begin at 1.
* A share is a share of the run, wherever it stands, and only ``over`` makes a run.
* One part of a sequence may have no length: it takes what the others leave.
* Past its end a schedule holds the level that it ended at.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from enum import Enum
from fractions import Fraction
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple, overload

import numpy as np

from lehr import evaluate
from lehr.arithmetic import arithmetic_of, as_number, scalars
from lehr.easing import LINEAR, Ease
from lehr.errors import NeedsHorizon, PastEnd, ScheduleError, level, number, whole
from lehr.evaluate import Curve
from lehr.horizon import (
    Duration,
    DurationLike,
    Horizon,
    HorizonLike,
    Run,
    round_half_up,
)

__all__ = [
    "Clip",
    "Every",
    "Formula",
    "Law",
    "Over",
    "Piece",
    "Product",
    "Repeat",
    "Schedule",
    "Sequence",
    "Slice",
    "Sum",
    "Table",
]

_OPEN: Final = "(no length)"


class Reach(Enum):
    """How a schedule's length is known, before it is placed."""

    FIXED = "fixed"
    """By its own durations."""
    FLEXIBLE = "flexible"
    """It takes what is left, and needs that to be known."""
    ENDLESS = "endless"
    """It takes what is left, and goes on for ever where nothing ends it."""


class Span(NamedTuple):
    """The length of a fixed part, in steps.

    Attributes:
        steps: Not rounded.
        rounds: Whether the boundary that it ends at is rounded to a whole step.
        shares: Whether it asks for a share of the run, which it can then ask too much of.
    """

    steps: Fraction
    rounds: bool
    shares: bool


class Schedule(ABC):
    """A number for every step; see the module for how they are built and combined."""

    # ----- asking -------------------------------------------------------------------------------

    @overload
    def __call__(self, t: int | float) -> float: ...
    @overload
    def __call__(self, t: Any) -> Any: ...
    def __call__(self, t: Any) -> Any:
        """Return the value at step ``t``.

        Arguments:
            t: A step, at least 0, as a Python or NumPy number; or an array of steps of any array
                library, of any shape. Integers give the widest float that there is, real numbers
                keep their type. (A float32 step above 2**24 is not the step that was meant.)

        Returns:
            A float for a number, an array of the same kind and shape for an array.

        Raises:
            NeedsHorizon: If it has shares, epochs or a part without length: place it by ``over``.
            ScheduleError: If a step is negative (seen for numbers and NumPy arrays).
            TypeError: If ``t`` is not a step.
        """
        if type(t) is int:
            if t < 0:
                raise ScheduleError(f"step t={t} is negative; the first is 0")
            return self._path.value(t, scalars)
        if isinstance(t, int | float | np.generic):
            return self._at_number(t)
        if isinstance(t, np.ndarray) and t.size and t.min() < 0:
            raise ScheduleError(f"step t={t.min()} is negative; the first is 0")
        m = _arithmetic(t)
        return self._path.value(m.enter(t), m)

    def _at_number(self, t: Any) -> Any:
        if isinstance(t, bool | np.bool_):
            raise TypeError(f"t={t!r} is a bool, not a step")
        if not np.isreal(t) or not math.isfinite(t) or t < 0:
            raise ScheduleError(f"step t={t!r} must be a finite number of at least 0")
        step = int(t) if isinstance(t, int | np.integer) else float(t)
        value = self(step) if type(step) is int else self._path.value(step, scalars)
        if not isinstance(t, np.generic):
            return value
        return type(t)(value) if isinstance(t, np.floating) else np.float64(value)

    @property
    def length(self) -> int | float | None:
        """Its length in steps, or None where it has no end."""
        return None if self._path.length is None else as_number(self._path.length)

    @property
    def bounds(self) -> tuple[float, float]:
        """Two numbers that all its values lie between (not always the tightest)."""
        return self._path.low, self._path.high

    @property
    def end(self) -> float:
        """The level that it ends at and holds from then on."""
        return self._path.end

    def values(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the values of every step of the run, from 0 to its length, without the end.

        Raises:
            ScheduleError: If it has no end.
        """
        length = self.length
        if length is None:
            raise ScheduleError(f"{self} has no end; write .over(1000) first")
        return self(np.arange(math.ceil(length)))

    # ----- combining ----------------------------------------------------------------------------

    def over(
        self,
        horizon: HorizonLike,
        *,
        steps_per_epoch: int | None = None,
        closed: bool = False,
        past: Literal["hold", "raise"] = "hold",
    ) -> Schedule:
        """Place the schedule over a run, which gives shares, epochs and open parts their length.

        Arguments:
            horizon: The run's length (steps, ``"30ep"``, a :class:`~lehr.horizon.Horizon`), or its
                share of the run that this one is part of.
            steps_per_epoch: Updates in an epoch, where ``horizon`` does not say it.
            closed: Put the end level on the last step of the run, rather than on the step after.
            past: What a step after the run gives: the end level, or :class:`PastEnd`.

        Raises:
            ScheduleError: If the schedule does not fit.

        Example:
            >>> import lehr
            >>> lehr.linear().over(4)(3), lehr.linear().over(4, closed=True)(3)
            (0.25, 0.0)
        """
        return Over(self, Horizon.of(horizon, steps_per_epoch), closed, past)

    def repeat(
        self,
        times: int | None = None,
        *,
        stretch: int | float | Fraction = 1,
        scale: float = 1.0,
    ) -> Schedule:
        """Do it again and again: cycle ``k`` is ``scale**k`` as high and ``stretch**k`` as long.

        Arguments:
            times: How many cycles, at least 1; None for as many as there is room for.
            stretch: Greater than 0.
            scale: Greater than 0.

        Raises:
            ScheduleError: If one cycle has no length of its own, or no end.

        Example:
            >>> import lehr
            >>> s = lehr.linear(2).repeat(scale=0.5)
            >>> [s(t) for t in range(6)]
            [1.0, 0.5, 0.5, 0.25, 0.25, 0.125]
        """
        return Repeat(self, times, stretch, scale)

    def every(self, steps: DurationLike) -> Schedule:
        """Make a staircase: hold each value from one multiple of ``steps`` to the next.

        Example:
            >>> import lehr
            >>> s = lehr.linear(6).every(3)
            >>> [s(t) for t in range(6)]
            [1.0, 1.0, 1.0, 0.5, 0.5, 0.5]
        """
        return Every(self, Duration.of(steps))

    def clip(self, low: float = -math.inf, high: float = math.inf) -> Schedule:
        """Keep the values between two levels.

        Raises:
            ScheduleError: If ``low`` is above ``high``, or neither is given.
        """
        return Clip(self, low, high)

    def __rshift__(self, other: Schedule) -> Schedule:
        return Sequence((self, other)) if isinstance(other, Schedule) else NotImplemented

    def __mul__(self, other: Schedule | float) -> Schedule:
        return Product(self, other) if _is_operand(other) else NotImplemented

    def __add__(self, other: Schedule | float) -> Schedule:
        return Sum(self, other) if _is_operand(other) else NotImplemented

    __rmul__ = __mul__
    __radd__ = __add__

    def __neg__(self) -> Schedule:
        return self * -1.0

    def __sub__(self, other: Schedule | float) -> Schedule:
        return self + -other if _is_operand(other) else NotImplemented

    def __rsub__(self, other: float) -> Schedule:
        return -self + other if _is_operand(other) else NotImplemented

    def __truediv__(self, other: float) -> Schedule:
        if not _is_operand(other) or isinstance(other, Schedule):
            return NotImplemented
        if other == 0:
            raise ScheduleError(f"{self} / 0 has no value")
        return self * (1 / float(other))

    def __getitem__(self, item: slice) -> Schedule:
        if not isinstance(item, slice):
            raise TypeError(f"[{item!r}]: write s({item!r}) for a value, s[a:b] for a stretch")
        if item.step is not None:
            raise ScheduleError(f"slice step {item.step!r}: a stretch has none; see .every()")
        start = Duration.of(0 if item.start is None else item.start, "slice start")
        return Slice(self, start, None if item.stop is None else Duration.of(item.stop, "stop"))

    def __iter__(self) -> Iterator[float]:
        # Without this, Python would try s[0], s[1], ... and fail with a puzzling message.
        raise TypeError("a schedule is not a list; write s.over(1000).values()")

    # ----- placing ------------------------------------------------------------------------------

    @cached_property
    def _path(self) -> evaluate.Path:
        curve = self._place(Run(), 1.0, None)
        return curve if isinstance(curve, evaluate.Path) else evaluate.Path([curve])

    @property
    @abstractmethod
    def _reach(self) -> Reach:
        """How its length is known."""

    @abstractmethod
    def _span(self, run: Run) -> Span:
        """Return the length of a fixed schedule in a run."""

    @abstractmethod
    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        """Return its curve.

        Arguments:
            run: Where durations become steps.
            entry: The level at which a piece without a start begins.
            room: What an open schedule may take, or None where nothing ends it.
            size: The length of a piece, where its sequence has rounded it.
        """

    # ----- as a value ---------------------------------------------------------------------------

    @abstractmethod
    def _text(self) -> tuple[str, int]:
        """Return its text and how strongly that binds: one of the levels below."""

    def __repr__(self) -> str:
        return self._text()[0]

    def __getstate__(self) -> dict[str, Any]:
        # The placed curve is only a cache.
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


# How strongly a text binds, as Python's own operators do.
_THEN, _PLUS, _TIMES, _ATOM = 1, 2, 3, 4


def _inside(schedule: Schedule, strength: int) -> str:
    """Return a schedule's text for use inside an operator, in brackets where it needs them."""
    text, own = schedule._text()
    return text if own >= strength else f"({text})"


def _arguments(*given: tuple[str, Any, Any]) -> str:
    """Write arguments that differ from their default; the first of no name is positional."""
    parts = [
        f"{name}={value}" if name else str(value)
        for name, value, default in given
        if value != default
    ]
    return f"({', '.join(parts)})"


def _arithmetic(t: Any) -> Any:
    if hasattr(t, "param_groups"):
        raise TypeError(
            "a schedule is only a number at each step; to drive an optimizer write "
            "lehr.torch.Scheduler(optimizer, lr=schedule, over=steps)"
        )
    return arithmetic_of(t)


def _is_operand(value: Any) -> bool:
    return isinstance(value, Schedule | int | float) and not isinstance(value, bool)


# ----- leaves -----------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Piece(Schedule):
    """A leaf that goes from one level to another; a hold where ``to`` is None.

    Arguments:
        steps: How long; None takes what is left.
        start: The level it begins at; None takes that of the piece before.
        to: The level it ends at; None stays.
        ease: How it moves.
        log: Whether it moves in log space, where both levels are positive.
    """

    steps: Duration | None
    start: float | None
    to: float | None
    ease: Ease = LINEAR
    log: bool = False

    def __post_init__(self) -> None:
        if self.start is not None:
            object.__setattr__(self, "start", level("start", self.start))
        if self.to is None:
            return
        object.__setattr__(self, "to", level("to", self.to))
        self._check_moves(self.start)
        if self.log:
            number("to", self.to, above=0)
            if self.start is not None:
                number("start", self.start, above=0)

    def _check_moves(self, start: float | None) -> None:
        if start == self.to:
            raise ScheduleError(
                f"{self} starts at the level {self.to} that it goes to; write hold() to stay"
            )

    @property
    def _reach(self) -> Reach:
        if self.steps is not None:
            return Reach.FIXED
        return Reach.ENDLESS if self.to is None else Reach.FLEXIBLE

    def _span(self, run: Run) -> Span:
        assert self.steps is not None
        return Span(run.measure(self.steps), self.steps.rounds, self.steps.is_share)

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        if size is None:
            size = room if self.steps is None else run.place(self.steps)
        start = entry if self.start is None else self.start
        if self.to is None:
            return evaluate.Flat(size, start)
        if size is None:
            raise NeedsHorizon(f"{self} takes what is left of a run: write .over(1000) first")
        self._check_moves(start)
        if self.log and start <= 0:
            raise ScheduleError(f"{self} begins at {start}; in log space a level is above 0")
        if size == 0:
            return evaluate.Flat(size, self.to)
        if self.ease.function is not None:
            return evaluate.Shaped(size, start, self.to, self.ease)
        return evaluate.Ramp(size, start, self.to, self.ease, self.log)

    def _text(self) -> tuple[str, int]:
        steps = ("", "" if self.steps is None else self.steps.code, "")
        if self.to is None:
            return f"hold{_arguments(steps, ('at', self.start, None))}", _ATOM
        levels = (("to", self.to, None), ("start", self.start, None))
        kind, extra = self._kind()
        if kind == "linear" and (self.start, self.to) == (0.0, 1.0):
            return f"warmup{_arguments(steps)}", _ATOM
        return f"{kind}{_arguments(steps, *extra, *levels)}", _ATOM

    def _kind(self) -> tuple[str, list[tuple[str, Any, Any]]]:
        plain = self.ease.function is None
        if self.log:
            if plain and self.ease == LINEAR:
                return "geometric", []
            return "ramp", [("ease", self.ease.code, None), ("log", True, False)]
        if plain and self.ease.name in ("linear", "cosine"):
            return self.ease.name, []
        if plain and self.ease.name == "power":
            return "polynomial", [("power", self.ease.parameters[0], None)]
        return "ramp", [("ease", self.ease.code, None)]


@dataclass(frozen=True, repr=False)
class Law(Schedule):
    """A leaf that goes on for ever: exponential, or a power of the time.

    Arguments:
        kind: ``"exponential"``: ``start * rate ** (t / scale)``; or
            ``"inverse"``: ``start * (1 + t / scale) ** -rate``.
        rate: Greater than 0.
        scale: A duration greater than 0.
        start: The level it begins at; None takes that of the piece before.
    """

    kind: Literal["exponential", "inverse"]
    rate: float
    scale: Duration
    start: float | None = None

    def __post_init__(self) -> None:
        name, scale = ("gamma", "every") if self.kind == "exponential" else ("power", "tau")
        object.__setattr__(self, "rate", number(name, self.rate, above=0))
        if self.scale.amount == 0:
            raise ScheduleError(f"{scale}={self.scale}: the steps that it counts by are above 0")
        if self.start is not None:
            object.__setattr__(self, "start", level("start", self.start))

    @property
    def _reach(self) -> Reach:
        return Reach.ENDLESS

    def _span(self, run: Run) -> Span:
        raise AssertionError(_OPEN)

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        start = entry if self.start is None else self.start
        scale = run.place(self.scale)
        if scale == 0:
            raise ScheduleError(f"{self.scale} of this run rounds to 0 steps in {self}")
        if self.kind == "exponential":
            return evaluate.Exponential(room, start, self.rate, scale)
        return evaluate.Power(room, start, scale, self.rate)

    def _text(self) -> tuple[str, int]:
        start = ("start", self.start, None)
        if self.kind == "exponential":
            every = ("every", self.scale.code, "1")
            return f"exponential{_arguments(('', self.rate, None), every, start)}", _ATOM
        power = ("power", self.rate, None)
        return f"inverse{_arguments(('', self.scale.code, None), power, start)}", _ATOM


@dataclass(frozen=True, repr=False)
class Table(Schedule):
    """A leaf with one value a step; the last one holds."""

    entries: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.entries:
            raise ScheduleError("table: values=[] is empty; write at least one value")
        cleaned = tuple(level(f"values[{i}]", value) for i, value in enumerate(self.entries))
        object.__setattr__(self, "entries", cleaned)

    @property
    def _reach(self) -> Reach:
        return Reach.FIXED

    def _span(self, run: Run) -> Span:
        return Span(Fraction(len(self.entries)), rounds=False, shares=False)

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        return evaluate.Samples(self.entries)

    def _text(self) -> tuple[str, int]:
        return f"table({list(self.entries)})", _ATOM


@dataclass(frozen=True, repr=False)
class Formula(Schedule):
    """A leaf that is a function of the step.

    Arguments:
        function: Called with one step, a Python number; gives a number.
        low: A number that none of its values is below; minus infinity where unknown.
        high: A number that none of its values is above; infinity where unknown.
    """

    function: Callable[[Any], float]
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise ScheduleError(f"formula: function={self.function!r} cannot be called")
        if not self.low <= self.high:
            raise ScheduleError(f"formula: low={self.low!r} is above high={self.high!r}")

    @property
    def _reach(self) -> Reach:
        return Reach.ENDLESS

    def _span(self, run: Run) -> Span:
        raise AssertionError(_OPEN)

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        return evaluate.Call(room, self.function, self.low, self.high)

    def _text(self) -> tuple[str, int]:
        bounds = (("low", self.low, -math.inf), ("high", self.high, math.inf))
        return f"formula{_arguments(('', repr(self.function), None), *bounds)}", _ATOM


# ----- operators --------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Sequence(Schedule):
    """``a >> b``: one after the other. Sequences inside are merged, so brackets do not matter."""

    parts: tuple[Schedule, ...]

    def __post_init__(self) -> None:
        parts: list[Schedule] = []
        for part in self.parts:
            parts.extend(part.parts if isinstance(part, Sequence) else [part])
        object.__setattr__(self, "parts", tuple(parts))
        opened = [part for part in parts if part._reach is not Reach.FIXED]
        if len(opened) > 1:
            raise ScheduleError(
                f"{opened[0]} and {opened[1]} both take what is left of the run; "
                "give one of them a length"
            )
        for before, after in zip(parts, parts[1:], strict=False):
            if isinstance(before, Piece) and isinstance(after, Piece) and after.to is not None:
                after._check_moves(before.to if after.start is None else after.start)

    @property
    def _reach(self) -> Reach:
        for part in self.parts:
            if part._reach is not Reach.FIXED:
                # Only at the end can an endless part stay endless.
                last = part is self.parts[-1]
                return part._reach if last else Reach.FLEXIBLE
        return Reach.FIXED

    def _span(self, run: Run) -> Span:
        spans = [part._span(run) for part in self.parts]
        return Span(
            sum((span.steps for span in spans), Fraction(0)),
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
                curve = curve.cut(Fraction(0), length)
            curves.append(curve)
            if length is not None:
                entry = curve.end
        return evaluate.Path(curves)

    def _lengths(self, run: Run, room: Fraction | None) -> list[Fraction | None]:
        """Return the parts' lengths; boundaries are rounded, so that they sum to the whole."""
        spans = [p._span(run) if p._reach is Reach.FIXED else None for p in self.parts]
        taken = sum((span.steps for span in spans if span), Fraction(0))
        exact = at = Fraction(0)
        lengths: list[Fraction | None] = []
        for part, span in zip(self.parts, spans, strict=True):
            if span is None:
                left = self._left(part, room, taken)
                if left is None:
                    lengths.append(None)
                    continue
                span = Span(left, False, False)
            exact += span.steps
            to = at + span.steps
            if span.rounds and not run.exact:
                to = max(at, Fraction(round_half_up(exact)))
            if span.shares and room is not None and round_half_up(to) > round_half_up(room):
                raise ScheduleError(
                    f"{self} asks for {float(to / room) * 100:g}% of {as_number(room)} steps; "
                    "its shares must leave room for what stands before them"
                )
            lengths.append(to - at)
            at = to
        return lengths

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
        return " >> ".join(_inside(part, _THEN) for part in self.parts), _THEN


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
        second = _inside(right, _ATOM) if isinstance(right, Schedule) else repr(right)
        return f"{_inside(self.left, _TIMES)} * {second}", _TIMES


@dataclass(frozen=True, repr=False)
class Sum(_Pair):
    """``a + b``: the sum at each step."""

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        return self._combine(run, room, product=False)

    def _text(self) -> tuple[str, int]:
        right = self.right
        if isinstance(right, Schedule):
            return f"{_inside(self.left, _PLUS)} + {_inside(right, _TIMES)}", _PLUS
        sign = "-" if right < 0 else "+"
        return f"{_inside(self.left, _PLUS)} {sign} {abs(right)!r}", _PLUS


@dataclass(frozen=True, repr=False)
class Slice(Schedule):
    """``s[a:b]``: a stretch of what the schedule would be over the whole run."""

    inner: Schedule
    start: Duration
    stop: Duration | None

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
            length = self._inner(run, 1.0).length
            assert length is not None
            return Span(max(length - run.place(self.start), Fraction(0)), False, False)
        length = run.place(self.stop) - run.place(self.start)
        if length < 0:
            raise ScheduleError(f"{self} ends before it starts in this run")
        return Span(length, False, False)

    def _inner(self, run: Run, entry: float) -> Curve:
        return self.inner._place(run, entry, run.steps)

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        start = run.place(self.start)
        length = room if self._reach is Reach.ENDLESS else self._span(run).steps
        return self._inner(run, entry).cut(start, length)

    def _text(self) -> tuple[str, int]:
        start = "" if self.start.amount == 0 else self.start.code
        stop = "" if self.stop is None else self.stop.code
        return f"{_inside(self.inner, _ATOM)}[{start}:{stop}]", _ATOM


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
        number("stretch", self.stretch, above=0)
        if not isinstance(self.stretch, Fraction):
            object.__setattr__(self, "stretch", Fraction(str(self.stretch)))
        object.__setattr__(self, "scale", number("scale", self.scale, above=0))
        reach = self.inner._reach
        if reach is Reach.ENDLESS or (reach is Reach.FLEXIBLE and self.times is None):
            raise ScheduleError(
                f"{self.inner} has no length of its own to repeat; give it one, as in cosine(100), "
                "or cut it, as in s[:100]"
            )

    @property
    def _reach(self) -> Reach:
        return Reach.ENDLESS if self.times is None else self.inner._reach

    @property
    def _cycles(self) -> Fraction:
        """The length of all cycles, in lengths of the first."""
        assert self.times is not None
        if self.stretch == 1:
            return Fraction(self.times)
        return (self.stretch**self.times - 1) / (self.stretch - 1)

    def _span(self, run: Run) -> Span:
        span = self.inner._span(run)
        return Span(span.steps * self._cycles, span.rounds, span.shares)

    def _place(
        self, run: Run, entry: float, room: Fraction | None, size: Fraction | None = None
    ) -> Curve:
        # Shares are not rounded inside: all cycles are alike, and sum to the run all the same.
        run = run.exactly()
        own = self.times is not None and self.inner._reach is Reach.FLEXIBLE and room is not None
        curve = self.inner._place(run, entry, room / self._cycles if own else None)
        if curve.length == 0:
            raise ScheduleError(f"{self}: one cycle is 0 steps long in this run")
        return evaluate.Cycles(curve, self.times, self.stretch, self.scale, room)

    def _text(self) -> tuple[str, int]:
        stretch = as_number(self.stretch)
        arguments = _arguments(
            ("", self.times, None), ("stretch", stretch, 1), ("scale", self.scale, 1.0)
        )
        return f"{_inside(self.inner, _ATOM)}.repeat{arguments}", _ATOM


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
        steps = run.place(self.steps)
        if steps == 0:
            raise ScheduleError(f"every({self.steps.code}) rounds to 0 steps in this run")
        return evaluate.Stairs(self.inner._place(run, entry, room, size), steps)

    def _text(self) -> tuple[str, int]:
        return f"{_inside(self.inner, _ATOM)}.every({self.steps.code})", _ATOM


@dataclass(frozen=True, repr=False)
class Clip(_Wrapped):
    """``s.clip(low, high)``: kept between two levels; see :meth:`Schedule.clip`."""

    low: float
    high: float

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
        return f"{_inside(self.inner, _ATOM)}.clip{_arguments(*bounds)}", _ATOM


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
        # Whatever does not fit shall be refused here rather than at the first step.
        if not self.horizon.length.is_share and self._needs_no_more():
            _ = self._path

    def _needs_no_more(self) -> bool:
        return self.horizon.length.unit == "st" or self.horizon.steps_per_epoch is not None

    def __call__(self, t: Any) -> Any:
        if self.past == "raise":
            last = float(np.max(t)) if isinstance(t, np.ndarray) and t.size else t
            length = self.length
            if isinstance(last, int | float) and length is not None and last > length:
                raise PastEnd(f"step t={last:g} is after the run's {length} steps")
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
        inner = run.enter(self.horizon, self.closed)
        assert inner.steps is not None
        length = size if size is not None else inner.steps + self.closed
        if self.inner._reach is Reach.FIXED:
            self._check_fits(inner)
        # A run is complete in itself: the level before it does not enter.
        curve = self.inner._place(inner, 1.0, inner.steps)
        return evaluate.Path([curve]).cut(Fraction(0), length)

    def _check_fits(self, run: Run) -> None:
        span, steps = self.inner._span(run), run.steps
        assert steps is not None
        if span.shares and round_half_up(span.steps) > round_half_up(steps):
            raise ScheduleError(
                f"{self.inner} asks for {as_number(span.steps)} of {as_number(steps)} steps: "
                "its shares add up to more than the run"
            )

    def _text(self) -> tuple[str, int]:
        arguments = _arguments(
            ("", self.horizon.length.code, None),
            ("steps_per_epoch", self.horizon.steps_per_epoch, None),
            ("closed", self.closed, False),
            ("past", repr(self.past), repr("hold")),
        )
        return f"{_inside(self.inner, _ATOM)}.over{arguments}", _ATOM
