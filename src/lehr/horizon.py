"""Time: durations with units, and the run that they are measured in.

A duration is a number of steps, a share of the run, or a number of epochs:

========== ============ ===========================================================
written    means        placed
========== ============ ===========================================================
``500``    500 steps    exactly
``"4.1st"`` 4.1 steps   exactly, never rounded
``0.2``    20% of the   the boundary it ends at is rounded to a whole step
``"20%"``  run
``"3ep"``  3 epochs     the boundary it ends at is rounded to a whole step
========== ============ ===========================================================

Amounts are kept as exact fractions of the decimal text, so that ``0.1 + 0.2 + 0.7`` of a run is
the whole run, and a float share is never confused with a number of steps although ``1 == 1.0``.
"""

from __future__ import annotations

import math
import numbers
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from lehr.errors import NeedsHorizon, ScheduleError, number, whole

__all__ = [
    "LONGEST",
    "Duration",
    "DurationLike",
    "Horizon",
    "HorizonLike",
    "Run",
    "as_written",
    "exact",
    "round_half_up",
]

LONGEST: Final = 10**15
"""The most steps that anything lasts: they are counted in 64 bits, and sums need room."""

_STEPS: Final = "st"
_SHARE: Final = "%"
_EPOCHS: Final = "ep"

# The finest part of a step, of an epoch or of the run that is told apart; exact sums stay small.
_FINEST: Final = 10**40

# Bounded on purpose: a text such as "1e999999999st" must not become a number. What is printed fits.
_TEXT = re.compile(
    r"\s*(?P<amount>\d{1,60}(?:_\d{1,18}){0,6}(?:\.\d{1,42})?(?:/[1-9]\d{0,42})?)"
    r"\s*(?P<unit>[a-zA-Z%]*)\s*",
    re.ASCII,
)
_FRACTION = re.compile(r"\s*\d{1,40}(?:\.\d{1,40}|/[1-9]\d{0,39})?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Duration:
    """How long something lasts: an exact amount and its unit.

    Arguments:
        amount: Steps, epochs, or the share of the run (``Fraction(1, 5)`` is 20%).
        unit: ``"st"``, ``"ep"`` or ``"%"``.

    Example:
        >>> Duration.of("20%")
        Duration.of('20%')
        >>> Duration.of(500) == Duration.of("500st")
        True
        >>> Duration.of(1) == Duration.of(1.0)
        False
    """

    amount: Fraction
    unit: str

    def __post_init__(self) -> None:
        if self.amount > LONGEST or self.amount.denominator > _FINEST:
            raise ScheduleError(
                f"a duration in {self.unit!r} must be at most {LONGEST:.0e}, of at most 40 decimals"
            )

    @classmethod
    def of(cls, value: DurationLike, name: str = "steps") -> Duration:
        """Read a duration from what people write.

        Arguments:
            value: An int (steps), a ``Fraction`` (a real number of steps), a float in (0, 1]
                (a share of the run), text with a unit, or a Duration.
            name: The argument's name, for the message.

        Raises:
            ScheduleError: If it is negative, a bool, a float outside (0, 1], or text that is no
                duration.
        """
        if isinstance(value, Duration):
            return value
        if isinstance(value, str):
            return _from_text(value, name)
        if isinstance(value, bool):
            raise ScheduleError(f"{name}={value!r} is a bool; write a number of steps")
        if isinstance(value, Fraction):
            return cls(_not_negative(value, value, name), _STEPS)
        if isinstance(value, numbers.Integral):
            return cls(_not_negative(Fraction(int(value)), value, name), _STEPS)
        if isinstance(value, numbers.Real):
            return _from_share(value, name)
        raise ScheduleError(
            f"{name}={value!r} is not a duration; write 500 (steps), '20%' or '3ep'"
        )

    @property
    def rounds(self) -> bool:
        """Whether the boundary that it ends at is rounded to a whole step."""
        return self.unit != _STEPS

    @property
    def is_share(self) -> bool:
        """Whether it is a share of the run."""
        return self.unit == _SHARE

    def __sub__(self, other: Duration) -> Duration:
        if self.unit != other.unit:
            raise ScheduleError(f"cannot subtract {other} from {self}: write both in one unit")
        return Duration(self.amount - other.amount, self.unit)

    def __add__(self, other: Duration) -> Duration:
        if self.unit != other.unit:
            raise ScheduleError(f"cannot add {other} to {self}: write both in one unit")
        return Duration(self.amount + other.amount, self.unit)

    def __str__(self) -> str:
        if self.unit == _SHARE:
            return f"{_decimal(self.amount * 100)}%"
        if self.unit == _STEPS and self.amount.denominator == 1:
            return str(self.amount.numerator)
        return f"{_decimal(self.amount)}{self.unit}"

    def __repr__(self) -> str:
        return f"Duration.of({self.code})"

    @property
    def code(self) -> str:
        """The literal that a person would type: ``500``, ``'20%'``, ``'4.1st'``."""
        text = str(self)
        return text if text.isdecimal() else repr(text)


DurationLike = int | float | str | Fraction | Duration


@dataclass(frozen=True, slots=True)
class Horizon:
    """The run that a schedule is placed over: how long it is, and what an epoch is.

    Arguments:
        length: The run's length, at least one step: steps, epochs, or, for a run inside another
            run, a share of that one.
        steps_per_epoch: Updates in an epoch, at least 1; needed only where epochs are used.

    Raises:
        ScheduleError: If the length is zero, or in epochs whose length is not given.

    Example:
        >>> Horizon("30ep", steps_per_epoch=118).steps
        3540
    """

    length: Duration
    steps_per_epoch: int | None = None

    def __init__(self, length: DurationLike, steps_per_epoch: int | None = None) -> None:
        duration = Duration.of(length, "horizon")
        if duration.amount == 0:
            raise ScheduleError(f"horizon={duration.code}: a run has at least one step")
        if steps_per_epoch is not None:
            steps_per_epoch = whole("steps_per_epoch", steps_per_epoch, at_least=1)
        object.__setattr__(self, "length", duration)
        object.__setattr__(self, "steps_per_epoch", steps_per_epoch)

    @classmethod
    def of(cls, value: HorizonLike, steps_per_epoch: int | None = None) -> Horizon:
        """Return ``value`` as a Horizon; ``steps_per_epoch`` belongs to a bare length only."""
        if not isinstance(value, Horizon):
            return cls(value, steps_per_epoch)
        if steps_per_epoch is not None:
            raise ScheduleError(
                f"steps_per_epoch={steps_per_epoch!r} is given twice: the horizon {value} has one"
            )
        return value

    @property
    def steps(self) -> int:
        """The run's length in whole steps (epochs times their length, rounded half up)."""
        return round_half_up(Run(self).measure(self.length))

    def __str__(self) -> str:
        epochs = "" if self.steps_per_epoch is None else f" of {self.steps_per_epoch} steps"
        return f"{self.length}{epochs}"


HorizonLike = DurationLike | Horizon


@dataclass(frozen=True, slots=True)
class Run:
    """Where durations become steps: the horizon that is in force while a schedule is placed.

    Arguments:
        horizon: The run, or None where a schedule is used without one.
        steps: Its length in steps, or None.
        exact: Inside a repeat: shares are not rounded, so that all cycles are equal.
    """

    horizon: Horizon | None = None
    steps: Fraction | None = None
    exact: bool = False

    def measure(self, duration: Duration) -> Fraction:
        """Return the duration in steps, not rounded.

        Raises:
            NeedsHorizon: If it is a share of a run, or in epochs, and that is not known.
        """
        if duration.unit == _STEPS:
            return duration.amount
        steps = self._measure(duration)
        if steps > LONGEST:
            raise ScheduleError(f"'{duration}' of this run is more than {LONGEST:.0e} steps")
        return steps

    def _measure(self, duration: Duration) -> Fraction:
        if duration.unit == _SHARE:
            if self.steps is None:
                raise NeedsHorizon(f"'{duration}' is a share of a run: write .over(1000) first")
            return duration.amount * self.steps
        per_epoch = self.horizon.steps_per_epoch if self.horizon else None
        if per_epoch is None:
            raise NeedsHorizon(
                f"'{duration}' is in epochs: write .over(Horizon(..., steps_per_epoch=...))"
            )
        return duration.amount * per_epoch

    def place(self, duration: Duration) -> Fraction:
        """Return the duration in steps, rounded to whole ones where its unit rounds."""
        steps = self.measure(duration)
        return Fraction(round_half_up(steps)) if duration.rounds and not self.exact else steps

    def exactly(self) -> Run:
        """Return the same run, with shares left unrounded."""
        return Run(self.horizon, self.steps, exact=True)

    def enter(self, horizon: Horizon, closed: bool, size: Fraction | None = None) -> Run:
        """Return the run that ``horizon`` makes inside this one.

        Arguments:
            horizon: The inner run; it takes this run's epochs where it has none of its own.
            closed: Whether the end level belongs on the last step, so that the run spans one step
                less.
            size: The steps that a path around it has rounded it to.
        """
        if horizon.steps_per_epoch is None and self.horizon is not None:
            horizon = Horizon(horizon.length, self.horizon.steps_per_epoch)
        steps = size
        if steps is None:
            steps = Run(horizon, self.steps, self.exact).place(horizon.length)
        if steps == 0:
            raise ScheduleError(f"a run of {horizon} rounds to 0 steps; it needs at least one")
        return Run(horizon, max(steps - closed, Fraction(0)))


def round_half_up(value: Fraction) -> int:
    """Round to the nearest whole number, halves up, exactly."""
    return math.floor(value + Fraction(1, 2))


def exact(name: str, value: int | float | Fraction | str) -> Fraction:
    """Return the number that was meant: a float's decimal text, ``"4/3"``, or as it is.

    Raises:
        ScheduleError: If it is not a number greater than 0.
    """
    if isinstance(value, str):
        if _FRACTION.fullmatch(value) is None:
            raise ScheduleError(f"{name}={value[:60]!r} is not a number; write 1.5 or '4/3'")
        value = Fraction(value)
    if not isinstance(value, Fraction):
        number(name, value)
        value = Fraction(str(value))
    if value <= 0:
        raise ScheduleError(f"{name}={as_written(value)!r} must be greater than 0")
    return value


def as_written(value: Fraction) -> int | float | str:
    """Return what :func:`exact` reads as this number: an int or a float where there is one."""
    if value.denominator == 1:
        return value.numerator
    near = float(value)
    return near if Fraction(str(near)) == value else f"{value.numerator}/{value.denominator}"


def _not_negative(amount: Fraction, given: object, name: str) -> Fraction:
    if amount < 0:
        raise ScheduleError(f"{name}={given!r} is negative; a duration is at least 0")
    return amount


def _from_share(value: numbers.Real, name: str) -> Duration:
    share = float(value)
    if not 0 < share <= 1:
        advice = (
            f"write '{share * 100:g}%' or '{share:g}st'"
            if 1 < share < math.inf
            else "write '20%' for a share of the run, or an int for steps"
        )
        raise ScheduleError(f"{name}={value!r}: a float is a share of the run in (0, 1]; {advice}")
    # The decimal text is what was meant: 0.1 is a tenth, not its binary neighbour.
    return Duration(Fraction(str(value)), _SHARE)


def _from_text(text: str, name: str) -> Duration:
    match = _TEXT.fullmatch(text)
    unit = match["unit"] if match else ""
    if match is None or unit not in ("", _STEPS, _SHARE, _EPOCHS):
        raise ScheduleError(
            f"{name}={text[:60]!r} is not a duration; write '500' or '4.1st' (steps), "
            "'20%' (of the run) or '3ep' (epochs)"
        )
    whole_part, _, divisor = match["amount"].partition("/")
    amount = Fraction(whole_part) / int(divisor or 1)
    if unit == "" and amount.denominator != 1:
        raise ScheduleError(f"{name}={text!r} has no unit; write '{text}st' or '{text}%'")
    if unit == _SHARE:
        amount /= 100
    return Duration(amount, unit or _STEPS)


def _decimal(value: Fraction) -> str:
    """Write a fraction exactly: as a decimal where it has one, else as p/q."""
    digits, rest = 0, value.denominator
    while rest % 10 == 0:
        digits, rest = digits + 1, rest // 10
    for prime in (2, 5):
        while rest % prime == 0:
            digits, rest = digits + 1, rest // prime
    if rest != 1 or digits > 40:
        return f"{value.numerator}/{value.denominator}"
    scaled = str(value.numerator * 10**digits // value.denominator)
    if digits == 0:
        return scaled
    scaled = scaled.rjust(digits + 1, "0")
    return f"{scaled[:-digits]}.{scaled[-digits:]}".rstrip("0").rstrip(".")
