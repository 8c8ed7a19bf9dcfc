"""The run that a schedule is placed over: it converts durations to numbers of its clock.

A run has one clock. It counts steps; or samples, if the run's length is in samples, tokens or
epochs of samples and its batch size changes; or seconds. Durations in the clock's own unit are used
unchanged. Others are converted at the point where they begin, with the table of the samples before
each step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final, Protocol

from lehr.curves import Counted, Curve, Stepped
from lehr.errors import NeedsClock, NeedsHorizon, ScheduleError
from lehr.time.counter import Counter
from lehr.time.duration import LONGEST, SAMPLES, SECONDS, STEPS, Duration, round_half_up
from lehr.time.units import Units

_NOTHING: Final = Units()


class _Extended(Protocol):
    """The part of a :class:`~lehr.Horizon` that a run reads."""

    @property
    def length(self) -> Duration: ...
    @property
    def units(self) -> Units: ...


@dataclass(frozen=True, slots=True)
class Run:
    """The run around what is being placed.

    Arguments:
        units: Its epochs, batches and tokens, as far as they are known.
        length: Its length in its clock, or None if a schedule is used without a run.
        exact: Whether this is inside a repeat, where shares are not rounded, so that all cycles are
            equal.
        unit: The unit of its length: ``"st"``, ``"sa"`` (samples, tokens, epochs of samples) or
            ``"s"``.
        clock: What it counts. If all batches have the same size it counts steps, since a sample
            then is a fixed part of a step. A run of seconds counts seconds, which cannot be
            converted.
        begin: Where it begins, in its clock, relative to the point from which batches are counted.
        here: Where the part being placed begins, likewise; None inside a repeat, whose cycles begin
            at many places.
        backwards: Whether the part being placed ends ``here`` rather than begins here.
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
        """Return a duration in the clock, not rounded, for a part that begins (or ends) here."""
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
        unit, amount = self._count(duration)
        if unit == self.clock or not amount:
            return amount
        self._check_clock(f"'{duration}'")
        counter = self.units.counted(duration)
        if counter.steady:
            return amount / counter.sizes[0]
        if self.here is None:
            raise ScheduleError(
                f"'{duration}' in a repeat has another length in every cycle, because the size of "
                "the batches changes: write it in the unit of the run, or place the repeat over a "
                "run of its own"
            )
        there = self._converted(self.here) + (-amount if self.backwards else amount)
        return abs(self._converted_back(there) - self.here)

    def _count(self, duration: Duration, units: Units | None = None) -> tuple[str, Fraction]:
        """Return a duration in steps, samples or seconds, and which of them."""
        units = units or self.units
        if units.epochs is None or units.counter is not self.units.counter or self.here is None:
            return units.count(duration)
        seen = self.here if self.clock == SAMPLES else self._counter.before(self.here)
        return units.count_back(duration, seen) if self.backwards else units.count(duration, seen)

    def place(self, duration: Duration) -> Fraction:
        """Return the duration in the clock, rounded to whole steps if its unit is rounded."""
        length = self.measure(duration)
        return Fraction(round_half_up(length)) if duration.rounds and self.rounding else length

    @property
    def noun(self) -> str:
        """The unit of its clock, in words."""
        return {STEPS: "steps", SAMPLES: "samples", SECONDS: "seconds"}[self.clock]

    def _check_clock(self, what: str) -> None:
        """Raise NeedsClock if this run counts seconds, which cannot be converted."""
        if self.clock == SECONDS:
            raise NeedsClock(
                f"{what} is not a time, but this run counts seconds: put the two one after the "
                "other (>>), or place one over a run of its own"
            )

    @property
    def rounding(self) -> bool:
        """Whether shares and epochs end on whole steps."""
        return not self.exact and self.unit == STEPS

    def scale(self, duration: Duration) -> tuple[str, Fraction]:
        """Return a clock in which a duration is the same wherever it begins, and the length."""
        if not duration.is_share:
            unit, amount = self.units.count(duration)
            if unit != self.clock and not self.units.counted(duration).steady:
                return unit, amount
        return self.clock, self.measure(duration)

    # ----- positions ------------------------------------------------------------------------------

    @property
    def _positioned(self) -> bool:
        """Whether the length of a duration depends on where in the run it begins."""
        counter = self.units.counter
        if counter is None or counter.steady or self.clock == SECONDS:
            return False
        return self.here is not None

    def moved_by(self, length: Fraction) -> Run:
        """Return this run as seen by the next part, ``length`` further on (back, if backwards)."""
        if not self._positioned or not length or self.here is None:
            return self
        return replace(self, here=self.here + (-length if self.backwards else length))

    def ending_at(self, distance: Fraction) -> Run:
        """Return this run as seen, backwards, by a part that ends ``distance`` from here."""
        if not self._positioned or self.here is None:
            return self
        return replace(self, here=self.here + distance, backwards=True)

    def at_start(self) -> Run:
        """Return this run as seen by a part that begins at the start of the run."""
        if not self._positioned:
            return self
        return replace(self, here=self.begin, backwards=False)

    def in_cycle(self) -> Run:
        """Return this run as seen inside a repeat: shares are exact, and no position is known."""
        return replace(self, exact=True, here=None if self._positioned else self.here)

    # ----- clocks ---------------------------------------------------------------------------------

    def translated(self, clock: str, make: Callable[[Any], Curve], room: Fraction | None) -> Curve:
        """Return a curve in this run's clock, from the one that ``make`` returns in ``clock``.

        ``room`` is in this run's clock, or None; ``make`` is called with the room in ``clock``.
        """
        if clock == self.clock:
            return make(room)
        self._check_clock("a part that counts steps")
        converted = None if room is None else self._length_in_other_clock(room)
        curve = Stepped if self.clock == SAMPLES else Counted
        return curve(make(converted), self._counter, self._step, room)

    def as_other_clock(self, curve: Curve) -> Curve:
        """Return a curve in this run's clock as one in the other clock: samples or steps."""
        length = None if curve.length is None else self._length_in_other_clock(curve.length)
        other = Counted if self.clock == SAMPLES else Stepped
        return other(curve, self._counter, self._step, length)

    @property
    def _counter(self) -> Counter:
        counter = self.units.counter
        if counter is None:
            # A batch size that depends on the samples seen cannot also depend on the step.
            raise NeedsHorizon("a part that counts steps cannot be converted to samples here")
        return counter

    @property
    def _known_here(self) -> Fraction:
        if self.here is None:
            raise ScheduleError(
                "a part that counts steps has another length in every cycle of a repeat, because "
                "the size of the batches changes: place the repeat over a run of its own, as in "
                "(...).repeat(4).over(1000)"
            )
        return self.here

    @property
    def _step(self) -> Fraction:
        """The step here."""
        here = self._known_here
        return self._counter.step_of(here) if self.clock == SAMPLES else here

    def _converted(self, at: Fraction) -> Fraction:
        """Return a position in this clock as one in the other."""
        return self._counter.before(at) if self.clock == STEPS else self._counter.step_of(at)

    def _converted_back(self, at: Fraction) -> Fraction:
        """Return a position in the other clock as one in this clock."""
        return self._counter.step_of(at) if self.clock == STEPS else self._counter.before(at)

    def _length_in_other_clock(self, length: Fraction) -> Fraction:
        """Return the length in the other clock of a part that begins here."""
        here = self._known_here
        return self._converted(here + length) - self._converted(here)

    def _in_steps(self, length: Fraction) -> Fraction:
        return length if self.clock == STEPS else self._length_in_other_clock(length)

    # ----- runs inside ----------------------------------------------------------------------------

    def extent(self, horizon: _Extended, *, rounded: bool = True) -> Fraction:
        """Return the length of ``horizon``, measured in this run's clock.

        Samples and tokens are rounded up to whole steps, unless this run's steps are not whole;
        shares and epochs are rounded if ``rounded``.
        """
        length = horizon.length
        if length.is_share:
            return self.place(length) if rounded else self.measure(length)
        units = horizon.units.within(self.units)
        unit, amount = self._count(length, units)
        shared = units.counter is self.units.counter
        if unit == self.clock == SECONDS:
            return amount
        self._check_clock(f"a run of '{length}'")
        if unit == STEPS:
            whole = rounded and length.rounds and self.rounding
            steps = Fraction(round_half_up(amount)) if whole else amount
        elif shared and self.clock == SAMPLES:
            return amount
        else:
            inside = Run(units)
            if shared:
                here = self.here if self.clock == STEPS else self._step
                inside = Run(units, here=here, backwards=self.backwards)
            steps = inside.measure(length)
            steps = Fraction(math.ceil(steps)) if self.rounding else steps
        return self.measure(Duration(steps, STEPS))

    def enter(self, horizon: _Extended, extent: Fraction) -> Run:
        """Return the run that ``horizon`` makes inside this one, ``extent`` long in its clock."""
        if extent == 0:
            raise ScheduleError(f"a run of {horizon} rounds to 0 steps; it needs at least one")
        units = horizon.units.within(self.units)
        shared = units.counter is self.units.counter
        if horizon.length.is_share:
            if shared:
                begin = self.here or Fraction(0)
                return replace(self, length=extent, exact=False, begin=begin, backwards=False)
            return Run(units, self._in_steps(extent))
        unit, amount = self._count(horizon.length, units)
        if unit == SECONDS:
            return Run(units, amount, unit=unit, clock=unit)
        if unit == STEPS:
            length, clock = self._in_steps(extent), STEPS
        else:
            counter = units.counted(horizon.length)
            clock = STEPS if counter.steady else SAMPLES
            length = amount / counter.sizes[0] if counter.steady else amount
        here: Fraction | None = Fraction(0)
        if shared:
            across = clock != self.clock and self._positioned
            here = self._converted(self._known_here) if across else self.here
        return Run(units, length, unit=unit, clock=clock, begin=here or Fraction(0), here=here)

    def closed(self) -> Run:
        """Return this run one step shorter, so that its end level is on its last step."""
        assert self.length is not None
        steps = self._in_steps(self.length)
        last = max((math.ceil(steps) if self.unit == SAMPLES else steps) - Fraction(1), Fraction(0))
        if self.clock == STEPS:
            return replace(self, length=last)
        return replace(self, length=self._converted_back(self._step + last) - self._known_here)

    def from_inner(self, curve: Curve, inner: Run, extent: Fraction) -> Curve:
        """Return a curve of an inner run as a curve of this run, ``extent`` long in its clock."""
        shared = inner.units.counter is self.units.counter
        if inner.clock == self.clock and (shared or self.clock != SAMPLES):
            return curve
        if inner.clock == SAMPLES:
            curve = Counted(curve, inner._counter, inner._step, self._in_steps(extent))
        if self.clock == SAMPLES:
            curve = Stepped(curve, self._counter, self._step, extent)
        return curve
