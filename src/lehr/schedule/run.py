"""Placing: where durations become numbers of a run's clock.

A run has one clock: it counts steps, or, where it is as long as so many samples or tokens and its
batches change in size, samples. Lengths that the clock counts are taken as they are. Others are
translated at the place where they stand, by the table of the samples before each step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from lehr.curves import Counted, Counter, Curve, Stepped
from lehr.errors import NeedsClock, NeedsHorizon, ScheduleError
from lehr.schedule.horizon import Horizon, Units
from lehr.time.duration import LONGEST, SAMPLES, SECONDS, STEPS, Duration, round_half_up

__all__ = ["Run"]

_NOTHING: Final = Units()


@dataclass(frozen=True, slots=True)
class Run:
    """The run that is in force while a schedule is placed.

    Arguments:
        units: What is known of epochs, batches and tokens.
        length: Its length in its clock, or None where a schedule is used without a run.
        exact: Inside a repeat: shares are not rounded, so that all cycles are equal.
        unit: What its length is in: ``"st"``, or ``"sa"`` for samples, tokens, epochs of samples.
        clock: What it counts. Where all batches are of one size it counts steps, as samples then
            are parts of a step. A run that is so long in time counts seconds: there is no
            translating between these and the others.
        begin: Where it begins, in its clock, counted from where the batches are counted.
        here: Where that begins which is being placed, counted likewise; None inside a repeat, whose
            cycles have no one place.
        backwards: Whether what is placed ends ``here`` rather than begins.
    """

    units: Units = _NOTHING
    length: Fraction | None = None
    exact: bool = False
    unit: str = STEPS
    clock: str = STEPS
    begin: Fraction = Fraction(0)
    here: Fraction | None = Fraction(0)
    backwards: bool = False

    # ----- durations ------------------------------------------------------------------------------

    def measure(self, duration: Duration) -> Fraction:
        """Return a duration in the clock, not rounded, for what begins (or ends) here.

        Raises:
            NeedsHorizon: If it is a share of a run, or in a unit, that is not known.
            NeedsClock: If it is a time.
        """
        if duration.unit == STEPS and self.clock == STEPS:
            return duration.amount
        length = self._measure(duration)
        if length > LONGEST:
            raise ScheduleError(f"'{duration}' of this run is more than {LONGEST:.0e} steps")
        return length

    def _measure(self, duration: Duration) -> Fraction:
        if duration.is_share:
            if self.length is None:
                raise NeedsHorizon(f"'{duration}' is a share of a run: write .over(1000) first")
            return duration.amount * self.length
        unit, amount = self.units.count(duration)
        if unit == self.clock or not amount:
            return amount
        self._check_clock(f"'{duration}'")
        counter = self.units.counted(duration)
        if counter.steady:
            return amount / counter.sizes[0]
        if self.here is None:
            raise ScheduleError(
                f"'{duration}' in a repeat is of another length in every cycle, as the batches "
                "change: write it in the unit of the run, or place the repeat over a run of its own"
            )
        there = self._other(self.here) + (-amount if self.backwards else amount)
        return abs(self._back(there) - self.here)

    def place(self, duration: Duration) -> Fraction:
        """Return the duration in the clock, rounded to whole steps where its unit rounds."""
        length = self.measure(duration)
        return Fraction(round_half_up(length)) if duration.rounds and self.rounding else length

    @property
    def noun(self) -> str:
        """What its clock counts, in words."""
        return {STEPS: "steps", SAMPLES: "samples", SECONDS: "seconds"}[self.clock]

    def _check_clock(self, what: str) -> None:
        """Check that the clock is none of time, where something is counted otherwise."""
        if self.clock == SECONDS:
            raise NeedsClock(
                f"{what} is no time, and stands where only time is counted: put the two one after "
                "the other (>>), or place one over a run of its own"
            )

    @property
    def rounding(self) -> bool:
        """Whether shares and epochs end on whole steps."""
        return not self.exact and self.unit == STEPS

    def scale(self, duration: Duration) -> tuple[str, Fraction]:
        """Return the clock that counts a duration alike wherever it stands, and how many it is."""
        if not duration.is_share:
            unit, amount = self.units.count(duration)
            if unit != self.clock and not self.units.counted(duration).steady:
                return unit, amount
        return self.clock, self.measure(duration)

    # ----- places ---------------------------------------------------------------------------------

    @property
    def _placed(self) -> bool:
        """Whether it matters where in the run something stands."""
        counter = self.units.counter
        if counter is None or counter.steady or self.clock == SECONDS:
            return False
        return self.here is not None

    def after(self, length: Fraction) -> Run:
        """Return the run as that sees it which stands next, after (backwards: before) so much."""
        if not self._placed or not length or self.here is None:
            return self
        return replace(self, here=self.here + (-length if self.backwards else length))

    def ending(self, at: Fraction) -> Run:
        """Return the run as that sees it which ends so far from here."""
        if not self._placed or self.here is None:
            return self
        return replace(self, here=self.here + at, backwards=True)

    def from_start(self) -> Run:
        """Return the run as that sees it which begins where the run does."""
        if not self._placed:
            return self
        return replace(self, here=self.begin, backwards=False)

    def exactly(self) -> Run:
        """Return the same run inside a repeat: shares unrounded, and no one place."""
        return replace(self, exact=True, here=None if self._placed else self.here)

    # ----- clocks ---------------------------------------------------------------------------------

    def translated(
        self, clock: str, make: Callable[[Fraction | None], Curve], room: Fraction | None
    ) -> Curve:
        """Return a curve that counts in a clock of its own.

        Arguments:
            clock: What it counts.
            make: Returns the curve from its room in that clock.
            room: Its room in this run's clock, or None.
        """
        if clock == self.clock:
            return make(room)
        self._check_clock("what is asked by the step")
        there = None if room is None else self._across(room)
        kind = Stepped if self.clock == SAMPLES else Counted
        return kind(make(there), self._counter, self._step, room)

    def turned(self, curve: Curve) -> Curve:
        """Return a curve of this run's clock as one of the other."""
        kind = Counted if self.clock == SAMPLES else Stepped
        length = None if curve.length is None else self._across(curve.length)
        return kind(curve, self._counter, self._step, length)

    @property
    def _counter(self) -> Counter:
        counter = self.units.counter
        assert counter is not None
        return counter

    @property
    def _known(self) -> Fraction:
        if self.here is None:
            raise ScheduleError(
                "what counts steps in a repeat is of another length in every cycle, as the batches "
                "change: place the repeat over a run of its own, as in (...).repeat(4).over(1000)"
            )
        return self.here

    @property
    def _step(self) -> Fraction:
        """The step that it stands at."""
        return self._other(self._known) if self.clock == SAMPLES else self._known

    def _across(self, length: Fraction) -> Fraction:
        """Return what is so long from here in the clock, in the other one."""
        return self._other(self._known + length) - self._other(self._known)

    def _steps(self, length: Fraction) -> Fraction:
        return length if self.clock == STEPS else self._across(length)

    def _other(self, at: Fraction) -> Fraction:
        """Return a place of this clock in the other one."""
        return self._counter.before(at) if self.clock == STEPS else self._counter.step_of(at)

    def _back(self, at: Fraction) -> Fraction:
        return self._counter.step_of(at) if self.clock == STEPS else self._counter.before(at)

    # ----- runs inside ----------------------------------------------------------------------------

    def extent(self, horizon: Horizon, *, rounded: bool = True) -> Fraction:
        """Return how long the run that ``horizon`` makes is, in this one's clock.

        Samples and tokens take as many whole steps as see them all, but where this run has no whole
        steps; shares and epochs are rounded if ``rounded``.
        """
        length = horizon.length
        if length.is_share:
            return self.place(length) if rounded else self.measure(length)
        units = horizon.units.within(self.units)
        unit, amount = units.count(length)
        alike = units.counter is self.units.counter
        if unit == self.clock == SECONDS:
            return amount
        self._check_clock(f"a run of '{length}'")
        if unit == STEPS:
            whole = rounded and length.rounds and self.rounding
            steps = Fraction(round_half_up(amount)) if whole else amount
        elif alike and self.clock == SAMPLES:
            return amount
        else:
            inside = Run(units)
            if alike:
                here = self.here if self.clock == STEPS else self._step
                inside = Run(units, here=here, backwards=self.backwards)
            steps = inside.measure(length)
            steps = Fraction(math.ceil(steps)) if self.rounding else steps
        return self.measure(Duration(steps, STEPS))

    def enter(self, horizon: Horizon, extent: Fraction) -> Run:
        """Return the run that ``horizon`` makes inside this one, so long in this one's clock."""
        if extent == 0:
            raise ScheduleError(f"a run of {horizon} rounds to 0 steps; it needs at least one")
        units = horizon.units.within(self.units)
        alike = units.counter is self.units.counter
        if horizon.length.is_share:
            if alike:
                begin = self.here or Fraction(0)
                return replace(self, length=extent, exact=False, begin=begin, backwards=False)
            return Run(units, self._steps(extent))
        unit, amount = units.count(horizon.length)
        if unit == SECONDS:
            return Run(units, amount, unit=unit, clock=unit)
        if unit == STEPS:
            length, clock = self._steps(extent), STEPS
        else:
            counter = units.counted(horizon.length)
            clock = STEPS if counter.steady else SAMPLES
            length = amount / counter.sizes[0] if counter.steady else amount
        here: Fraction | None = Fraction(0)
        if alike:
            across = clock != self.clock and self._placed
            here = self._other(self._known) if across else self.here
        return Run(units, length, unit=unit, clock=clock, begin=here or Fraction(0), here=here)

    def closed(self) -> Run:
        """Return the run one step shorter, so that its end level is on its last step."""
        assert self.length is not None
        steps = self._steps(self.length)
        last = max((math.ceil(steps) if self.unit == SAMPLES else steps) - Fraction(1), Fraction(0))
        if self.clock == STEPS:
            return replace(self, length=last)
        return replace(self, length=self._back(self._step + last) - self._known)

    def leave(self, curve: Curve, inner: Run, extent: Fraction) -> Curve:
        """Return a curve of a run inside as one of this run, so long in its clock."""
        alike = inner.units.counter is self.units.counter
        if inner.clock == self.clock and (alike or self.clock != SAMPLES):
            return curve
        if inner.clock == SAMPLES:
            curve = Counted(curve, inner._counter, inner._step, self._steps(extent))
        if self.clock == SAMPLES:
            curve = Stepped(curve, self._counter, self._step, extent)
        return curve
