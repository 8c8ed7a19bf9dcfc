"""The four leaves: a piece, a decay, a table, a formula.

Pieces and decays are mostly made by the catalogue (:func:`lehr.linear`, :func:`lehr.exponential`).
:func:`hold`, :func:`ramp`, :func:`table` and :func:`formula` are defined here, because they are not
named in any library or paper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, Literal, cast

from lehr.curves import (
    Call,
    Curve,
    Exponential,
    Flat,
    Known,
    Power,
    Ramp,
    Samples,
    Shaped,
    functions,
)
from lehr.curves.easing import LINEAR, Ease, EaseLike
from lehr.errors import NeedsHorizon, ScheduleError, level, number
from lehr.schedule.arguments import checked
from lehr.schedule.base import Schedule
from lehr.schedule.kinds import kind
from lehr.schedule.node import ATOM, Length, Reach, Site, call
from lehr.schedule.run import Run
from lehr.time.duration import STEPS, Duration, DurationLike


@kind
@dataclass(frozen=True, repr=False)
class Piece(Schedule):
    """A leaf that goes from one level to another, or stays if ``to`` is None.

    Without ``steps`` it takes the rest of the run; without ``start`` it begins where the previous
    piece ended.
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
            if self.log or self.ease != LINEAR:
                raise ScheduleError("to=None: a piece that stays has neither an ease nor log=True")
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

    def _span(self, run: Run) -> Length | None:
        if self.steps is None:
            return None
        return Length(run.measure(self.steps), self.steps.rounds, self.steps.is_share)

    def _place(self, at: Site) -> Curve:
        size = at.size
        if size is None:
            size = at.room if self.steps is None else at.run.place(self.steps)
        start = at.entry if self.start is None else self.start
        if self.to is None:
            return Flat(size, start)
        if size is None:
            raise NeedsHorizon(f"{self} takes the rest of a run: write .over(1000) first")
        self._check_moves(start)
        if self.log and start <= 0:
            raise ScheduleError(f"{self} begins at {start}; in log space a level is above 0")
        if size == 0:
            return Flat(size, self.to)
        if self.ease.function is None:
            return Ramp(size, start, self.to, self.ease, self.log)
        clock = STEPS if self.ease.iterations else at.run.clock
        shape = partial(Shaped, start=start, to=self.to, ease=self.ease)
        return at.run.translated(clock, shape, size)

    def _text(self) -> tuple[str, int]:
        steps = ("", "" if self.steps is None else self.steps.code, "")
        if self.to is None:
            return call("hold", steps, ("at", self.start, None)), ATOM
        kind, extra = self._kind()
        to, start = ("to", self.to, None), ("start", self.start, None)
        if kind == "linear" and self.steps and self.start is not None and 0 <= self.start < self.to:
            return call("warmup", steps, ("start", self.start, 0.0), ("to", self.to, 1.0)), ATOM
        return call(kind, steps, to, start, *extra), ATOM

    def _kind(self) -> tuple[str, list[tuple[str, Any, Any]]]:
        if self.log and self.ease == LINEAR:
            return "geometric", []
        plain = not self.log and self.ease.function is None
        if plain and self.ease.name in ("linear", "cosine"):
            return self.ease.name, []
        if plain and self.ease.name == "power":
            return "polynomial", [("power", self.ease.parameters[0], None)]
        return "ramp", [("ease", self.ease.code, None), ("log", self.log, False)]


@kind
@dataclass(frozen=True, repr=False)
class Decay(Schedule):
    """A leaf without an end: exponential, or a power of the time.

    These are ``start * rate ** (t / scale)`` and ``start * (1 + t / scale) ** -rate``.
    """

    form: Literal["exponential", "inverse"]
    rate: float
    scale: Duration
    start: float | None = None

    def __post_init__(self) -> None:
        name, scale = ("gamma", "every") if self.form == "exponential" else ("power", "tau")
        number(name, self.rate, above=0)
        if self.scale.amount == 0:
            raise ScheduleError(f"{scale}={self.scale}: the steps that it counts by are above 0")

    def _place(self, at: Site) -> Curve:
        start = at.entry if self.start is None else self.start
        clock, scale = at.run.scale(self.scale)

        def curve(room: Fraction | None) -> Curve:
            if self.form == "exponential":
                return Exponential(room, start, self.rate, scale)
            return Power(room, start, scale, self.rate)

        return at.run.translated(clock, curve, at.room)

    def _text(self) -> tuple[str, int]:
        start = ("start", self.start, None)
        if self.form == "exponential":
            every = ("every", self.scale.code, "1")
            return call("exponential", ("", self.rate, None), every, start), ATOM
        power = ("power", self.rate, None)
        return call("inverse", ("", self.scale.code, None), power, start), ATOM


@kind
@dataclass(frozen=True, repr=False)
class Table(Schedule):
    """A leaf with one value for each step; the last value holds."""

    entries: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.entries:
            raise ScheduleError("table: values=[] is empty; write at least one value")

    @property
    def _reach(self) -> Reach:
        return Reach.FIXED

    def _span(self, run: Run) -> Length:
        return Length(run.measure(self._steps), rounds=False, shares=False)

    @property
    def _steps(self) -> Duration:
        return Duration(Fraction(len(self.entries)), STEPS)

    def _place(self, at: Site) -> Curve:
        length = at.run.measure(self._steps)
        return at.run.translated(STEPS, lambda _: Samples(self.entries), length)

    def _text(self) -> tuple[str, int]:
        return f"table({list(self.entries)})", ATOM


@kind
@dataclass(frozen=True, repr=False)
class Formula(Schedule):
    """A leaf that is a function of the step or of the cycle number; see :func:`formula`."""

    function: Callable[[Any], float]
    per: Duration | None = None
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if self.per is not None and (self.per.unit != STEPS or self.per.amount == 0):
            raise ScheduleError(
                f"per={self.per.code}: a cycle is counted in steps, at least 1; write 100"
            )
        if self.low > self.high:
            raise ScheduleError(f"formula: low={self.low!r} is above high={self.high!r}")
        own = self.function
        if isinstance(own, functions.Member) and (self.low > own.low or self.high < own.high):
            raise ScheduleError(
                f"formula: low={self.low!r}, high={self.high!r}: {own.text} lies between "
                f"{own.low!r} and {own.high!r}; leave them out"
            )

    def _place(self, at: Site) -> Curve:
        return at.run.translated(STEPS, self._curve, at.room)

    def _curve(self, room: Fraction | None) -> Curve:
        per = self.per.amount if self.per else None
        if isinstance(self.function, functions.Member):
            return Known(room, self.function, per)
        return Call(room, self.function, per, self.low, self.high)

    def _text(self) -> tuple[str, int]:
        bounds = (("low", self.low, -math.inf), ("high", self.high, math.inf))
        per = ("per", self.per.code if self.per else None, None)
        return call("formula", ("", functions.show(self.function), None), per, *bounds), ATOM


@checked
def hold(steps: DurationLike | None = None, *, at: float | None = None) -> Schedule:
    """Stay at a level.

    Arguments:
        steps: Its length; by default the rest of the run, or indefinitely.
        at: The level; by default the end level of the previous piece.

    Example:
        >>> s = hold(10, at=0.5) >> hold(10)
        >>> s(0), s(15)
        (0.5, 0.5)
    """
    return Piece(None if steps is None else Duration.of(steps), at, None)


@checked
def ramp(
    steps: DurationLike | None = None,
    *,
    to: float | None = None,
    start: float | None = None,
    ease: EaseLike = "linear",
    log: bool = False,
) -> Schedule:
    """Go from one level to another with any ease.

    Arguments:
        steps: Its length; by default the rest of the run.
        to: The level that it reaches after ``steps``; by default 0, or 1 if ``start`` is 0.
        start: The level at which it begins; by default the end level of the previous piece.
        ease: A name from :class:`lehr.Ease` (``"cosine"``, ``"power(2)"``, ``"1-sqrt"``), or a
            function that maps the share of the time passed to the share of the way done.
        log: Whether to move in log space, so that equal steps are equal factors; both levels must
            be positive.

    Raises:
        ScheduleError: If it would not move, or a level is not positive in log space.

    Example:
        >>> s = ramp(100, to=0.0, ease="1-sqrt")
        >>> s(25)
        0.5
    """
    if to is None:
        to = 1.0 if start == 0 else 0.0
    length = None if steps is None else Duration.of(steps)
    return Piece(length, start, to, Ease.of(ease), log)


@checked
def table(values: Iterable[float]) -> Schedule:
    """Take the values from a list, one for each step; the last value holds.

    Raises:
        ScheduleError: If the list is empty or contains anything but finite numbers.

    Example:
        >>> s = table([0.1, 0.2, 0.4])
        >>> s(1), s(100)
        (0.2, 0.4)
    """
    return Table(tuple(values))


@checked
def formula(
    function: Callable[[Any], float] | str,
    *,
    per: DurationLike | None = None,
    low: float = -math.inf,
    high: float = math.inf,
) -> Schedule:
    """Take the values from a function of the step.

    It can be written as text or JSON if the function has a name: see :func:`lehr.register`.

    Arguments:
        function: Called with one step, a Python number; returns a number. Or the name under which a
            function was registered.
        per: The number of steps in a cycle: the function is called with the cycle's number (from 1)
            instead of the step.
        low: A lower bound of its values, if known. Every value is checked against it.
        high: An upper bound of its values, if known; checked likewise.

    Raises:
        ScheduleError: If it cannot be called, no function has that name, ``per`` is not a number of
            steps, or ``low`` is above ``high``.

    Example:
        >>> s = formula(lambda t: 1 / (1 + t), low=0, high=1)
        >>> s(3)
        0.25
        >>> s = formula(lambda n: 1 / n, per=10)
        >>> s(9), s(10)
        (1.0, 0.5)
    """
    cycle = None if per is None else Duration.of(per, "per")
    return Formula(cast("Callable[[Any], float]", function), cycle, low, high)
