"""Operators on time: slices, cycles, and the run that a schedule is placed over."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal

from lehr.curves import Curve, Cycles, Flat, Path, cut
from lehr.curves.arithmetic import as_number
from lehr.errors import NeedsClock, NeedsHorizon, PastEnd, ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.horizon import Horizon
from lehr.schedule.kinds import kind
from lehr.schedule.node import ATOM, Length, Node, Reach, Site, bracketed, call
from lehr.schedule.run import Run
from lehr.schedule.sequence import EXACT_BITS, bounded
from lehr.time.duration import SECONDS, Duration, as_written, round_half_up

_BEGIN: Final = Duration(Fraction(0), "st")


@kind
@dataclass(frozen=True, repr=False)
class Slice(Schedule):
    """``s[a:b]``: a part of the schedule as it would be over the whole run."""

    inner: Schedule
    start: Duration = _BEGIN
    stop: Duration | None = None

    def __post_init__(self) -> None:
        stop = self.stop
        if stop is not None and stop.unit == self.start.unit and stop.amount < self.start.amount:
            raise ScheduleError(f"{self} ends before it starts")
        self._check_depth()

    @property
    def _reach(self) -> Reach:
        endless = self.stop is None and self.inner._reach is Reach.ENDLESS
        return Reach.ENDLESS if endless else Reach.FIXED

    def _span(self, run: Run) -> Length | None:
        run = run.at_start()
        if self.stop is not None:
            length = run.measure(self.stop) - run.measure(self.start)
            if length < 0:
                raise ScheduleError(f"{self} ends before it starts in this run")
            return Length(length, self.start.rounds or self.stop.rounds, self.stop.is_share)
        if self._reach is Reach.ENDLESS:
            return None
        return Length(self._rest(run), False, False)

    def _rest(self, run: Run) -> Fraction:
        """Return the length from its start to the end of the sliced schedule."""
        return max(self._inner_length(run) - run.place(self.start), Fraction(0))

    def _inner_length(self, run: Run) -> Fraction:
        # Cached for the last run: it is needed both before and during placing, so without the cache
        # the work would double with each slice of a slice.
        known: tuple[Run, Fraction] | None = vars(self).get("_known_length")
        if known is None or known[0] != run:
            # Only the length matters here; from NaN, every piece moves.
            length = self._inner(run, math.nan).length
            assert length is not None
            known = vars(self)["_known_length"] = (run, length)
        return known[1]

    def _inner(self, run: Run, entry: float) -> Curve:
        return self.inner._place(Site(run, entry, run.length))

    def _place(self, at: Site) -> Curve:
        run = at.run.at_start()
        start = run.place(self.start)
        length = at.size
        if length is None and self.stop is not None:
            length = max(run.place(self.stop) - start, Fraction(0))
        elif length is None:
            length = at.room if self._reach is Reach.ENDLESS else self._rest(run)
        return cut(self._inner(run, at.entry), start, length)

    def _text(self) -> tuple[str, int]:
        start = "" if self.start == _BEGIN else self.start.code
        stop = "" if self.stop is None else self.stop.code
        return f"{bracketed(self.inner, ATOM)}[{start}:{stop}]", ATOM


@kind
@dataclass(frozen=True, repr=False)
class Repeat(Schedule):
    """``s.repeat(times, stretch=..., scale=...)``; see :meth:`Schedule.repeat`."""

    inner: Schedule
    times: int | None
    stretch: Fraction = Fraction(1)
    scale: float = 1.0

    def __post_init__(self) -> None:
        number("scale", self.scale, above=0)
        if self.times is not None:
            self._check_exact(whole("times", self.times, at_least=1))
        reach = self.inner._reach
        if reach is Reach.ENDLESS or (reach is Reach.FLEXIBLE and self.times is None):
            raise ScheduleError(
                f"{self.inner} has no length of its own to repeat; give it one, as in cosine(100), "
                "or cut it, as in s[:100]"
            )
        self._check_depth()

    @property
    def _reach(self) -> Reach:
        return Reach.ENDLESS if self.times is None else self.inner._reach

    def _check_exact(self, cycles: float) -> None:
        bits = max(self.stretch.numerator.bit_length(), self.stretch.denominator.bit_length())
        if self.stretch != 1 and cycles * bits > EXACT_BITS:
            raise ScheduleError(
                f"stretch={as_written(self.stretch)!r} over {cycles:.0f} cycles: their exact "
                f"lengths are kept for {EXACT_BITS // bits} of them; write fewer, or a stretch of "
                "fewer digits"
            )

    def _check_room(self, size: Fraction, room: Fraction | None) -> None:
        """Check that the cycles that fit are not too many to be exact."""
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

    def _span(self, run: Run) -> Length | None:
        cycle = None if self.times is None else self.inner._span(run.in_cycle())
        if cycle is None:
            return None
        return Length(bounded(cycle.steps * self._cycles, self), cycle.rounds, cycle.shares)

    def _place(self, at: Site) -> Curve:
        # Shares are not rounded inside, so all cycles are equal and still sum to the run.
        room, share = at.room, None
        if room is not None and self._reach is Reach.FLEXIBLE:
            share = room / self._cycles
        curve = self.inner._place(Site(at.run.in_cycle(), at.entry, share))
        if share == 0 and self.times is not None:
            # Nothing is left for it: it is a jump, like any other part without its own length.
            return Flat(share, curve.end * self.scale ** (self.times - 1))
        if curve.length == 0:
            raise ScheduleError(f"{self}: one cycle is 0 steps long in this run")
        assert curve.length is not None
        self._check_room(curve.length, room)
        if self.times is not None:
            bounded(curve.length * self._cycles, self)
        try:
            return Cycles(curve, self.times, self.stretch, self.scale, room)
        except OverflowError:
            raise ScheduleError(
                f"scale={self.scale} grows beyond all numbers within the cycles of {self}"
            ) from None

    def _text(self) -> tuple[str, int]:
        stretch = ("stretch", repr(as_written(self.stretch)), "1")
        method = call("repeat", ("", self.times, None), stretch, ("scale", self.scale, 1.0))
        return f"{bracketed(self.inner, ATOM)}.{method}", ATOM


@kind
@dataclass(frozen=True, repr=False)
class Over(Schedule):
    """``s.over(horizon)``: placed over a run; see :meth:`Schedule.over`."""

    inner: Schedule
    horizon: Horizon
    closed: bool = False
    past: Literal["hold", "raise"] = "hold"

    def __post_init__(self) -> None:
        self._check_depth()
        # A schedule that does not fit is refused here, not at the first step; anything missing
        # (the length of an epoch, the run that this is a share of) may come from an outer run.
        if self.horizon.length.unit == SECONDS:
            if self.closed or self.past != "hold":
                option = "closed=True" if self.closed else f"past={self.past!r}"
                raise NeedsClock(f"{option}: a run of '{self.horizon.length}' has no last step")
            with contextlib.suppress(NeedsHorizon, NeedsClock):
                self._place(Site(Run(unit=SECONDS, clock=SECONDS)))
        else:
            with contextlib.suppress(NeedsHorizon):
                _ = self._path

    def __call__(self, t: Any) -> Any:
        if self.past == "raise":
            # Loads NumPy.
            from lehr.curves.arrays import last_step

            last, length = last_step(t), self.length
            if length is not None and isinstance(last, int | float) and last > length:
                raise PastEnd(f"step t={last} is after the run's {length} steps")
        return super().__call__(t)

    @property
    def _children(self) -> tuple[Node, ...]:
        batch = self.horizon.batch
        return (self.inner, batch) if isinstance(batch, Node) else (self.inner,)

    @property
    def _reach(self) -> Reach:
        return Reach.FIXED

    def _span(self, run: Run) -> Length:
        length = self.horizon.length
        return Length(run.extent(self.horizon, rounded=False), length.rounds, length.is_share)

    def _place(self, at: Site) -> Curve:
        run = at.run
        extent = run.extent(self.horizon) if at.size is None else at.size
        whole_run = run.enter(self.horizon, extent)
        inner = whole_run.closed() if self.closed else whole_run
        assert inner.length is not None
        if inner.length == 0:
            # A closed run of one step has its end level on that step.
            return Flat(extent, self.inner._place(Site(whole_run, room=whole_run.length)).end)
        self._check_fits(inner)
        # A run is complete in itself: the previous level does not enter it.
        curve = self.inner._place(Site(inner, room=inner.length))
        curve = cut(Path([curve]), Fraction(0), whole_run.length)
        return cut(run.from_inner(curve, inner, extent), Fraction(0), extent)

    def _check_fits(self, run: Run) -> None:
        span, steps = self.inner._span(run), run.length
        assert steps is not None
        if span is None or not span.shares:
            return
        if round_half_up(span.steps) > round_half_up(steps):
            raise ScheduleError(
                f"{self.inner} asks for {as_number(span.steps)} of {as_number(steps)} {run.noun}: "
                "its shares add up to more than the run"
            )

    def _text(self) -> tuple[str, int]:
        method = call(
            "over",
            *((name, text, None) for name, text in self.horizon.arguments.items()),
            ("closed", self.closed, False),
            ("past", repr(self.past), repr("hold")),
        )
        return f"{bracketed(self.inner, ATOM)}.{method}", ATOM
