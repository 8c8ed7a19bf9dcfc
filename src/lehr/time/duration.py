"""Durations: exact amounts with units.

============================ ========================== ==========================================
written                      means                      placed in a run of steps
============================ ========================== ==========================================
``500``, ``"4.1st"``         steps                      exactly, never rounded
``0.2``, ``"20%"``           a share of the run         its end is rounded to a whole step
``"3ep"``                    epochs                     its end is rounded to a whole step
``"10_000sa"``, ``"1.28Msa"``  samples                  exactly: it may end inside a step
``"500ktok"``, ``"2Gtok"``   tokens                     exactly: it may end inside a step
``"20s"``, ``"90min"``, ``"2h"``  elapsed time          not at all: :mod:`lehr.walltime`
============================ ========================== ==========================================

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

from lehr.errors import ScheduleError, number, shown

LONGEST: Final = 10**15
"""The most steps (samples, tokens, seconds) in a duration; they are counted in 64 bits."""

STEPS: Final = "st"
SHARE: Final = "%"
EPOCHS: Final = "ep"
SAMPLES: Final = "sa"
TOKENS: Final = "tok"
SECONDS: Final = "s"

_MAGNITUDES: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_TIMES: Final = {"h": 3600, "min": 60, SECONDS: 1}

# Each suffix that may be written, with its unit and the number of units.
_UNITS: Final[dict[str, tuple[str, Fraction]]] = {
    SHARE: (SHARE, Fraction(1, 100)),
    EPOCHS: (EPOCHS, Fraction(1)),
    **{name: (SECONDS, Fraction(seconds)) for name, seconds in _TIMES.items()},
    **{
        f"{prefix}{unit}": (unit, Fraction(size))
        # A capital K and B for billions are also read.
        for prefix, size in {**_MAGNITUDES, "K": 10**3, "B": 10**9}.items()
        for unit in (STEPS, SAMPLES, TOKENS)
    },
}
_KINDS: Final = (STEPS, SHARE, EPOCHS, SAMPLES, TOKENS, SECONDS)

# The finest fraction of a step, an epoch or the run, so that exact sums stay small.
_FINEST: Final = 10**40
_BOUNDS: Final = f"at most {LONGEST:.0e}, of at most 40 decimals"
# Smaller amounts are written without a magnitude, which would only make them longer.
_PLAIN: Final = 10**20

# Bounded, so that text such as "1e999999999st" cannot become a number. All that lehr prints fits.
_TEXT = re.compile(
    r"\s*(?P<amount>\d{1,60}(?:_\d{1,18}){0,6}(?:\.\d{1,42})?(?:/[1-9]\d{0,42})?)"
    r"\s*(?P<unit>[a-zA-Z%]*)\s*",
    re.ASCII,
)
_FRACTION = re.compile(r"\s*\d{1,40}(?:\.\d{1,40}|/[1-9]\d{0,39})?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Duration:
    """An exact amount of time and its unit.

    Arguments:
        amount: Steps, epochs, samples, tokens, seconds, or the share of the run
            (``Fraction(1, 5)`` is 20%).
        unit: ``"st"``, ``"ep"``, ``"sa"``, ``"tok"``, ``"s"`` or ``"%"``.

    Raises:
        ScheduleError: If the unit is unknown, or the amount is out of bounds.

    Example:
        >>> Duration.of("20%"), Duration.of("1500Mtok"), Duration.of("5400s")
        (Duration.of('20%'), Duration.of('1.5Gtok'), Duration.of('90min'))
        >>> Duration.of(500) == Duration.of("500st")
        True
        >>> Duration.of(1) == Duration.of(1.0)
        False
    """

    amount: Fraction
    unit: str

    def __post_init__(self) -> None:
        if self.unit not in _KINDS:
            raise ScheduleError(f"unit={self.unit!r} must be one of {', '.join(_KINDS)}")
        if _is_out_of_bounds(self.amount):
            raise ScheduleError(
                f"amount={shown(self.amount)}: a duration in {self.unit!r} must be {_BOUNDS}"
            )

    @classmethod
    def of(cls, value: DurationLike, name: str = "steps") -> Duration:
        """Read a duration as people write it.

        Arguments:
            value: An int (steps), a ``Fraction`` (a real number of steps), a float in (0, 1]
                (a share of the run), text with a unit, or a Duration.
            name: The argument's name, for the message.

        Raises:
            ScheduleError: If it is negative, a bool, a float outside (0, 1], or text that is not a
                duration.
        """
        if isinstance(value, Duration):
            return value
        if isinstance(value, bool):
            raise ScheduleError(f"{name}={value!r} is a bool; write a number of steps")
        if isinstance(value, str):
            amount, unit = _from_text(value, name)
        elif isinstance(value, Fraction):
            amount, unit = value, STEPS
        elif isinstance(value, numbers.Integral):
            amount, unit = Fraction(int(value)), STEPS
        elif isinstance(value, numbers.Real):
            amount, unit = _from_share(value, name), SHARE
        else:
            raise ScheduleError(
                f"{name}={shown(value)} is not a duration; write 500 (steps), '20%', '3ep' or "
                "'2Mtok'"
            )
        if amount < 0:
            raise ScheduleError(f"{name}={shown(value)} is negative; a duration is at least 0")
        if _is_out_of_bounds(amount):
            raise ScheduleError(f"{name}={shown(value)} must be {_BOUNDS}")
        return cls(amount, unit)

    @property
    def rounds(self) -> bool:
        """Whether the boundary at its end is rounded to a whole step."""
        return self.unit in (SHARE, EPOCHS)

    @property
    def is_share(self) -> bool:
        """Whether it is a share of the run."""
        return self.unit == SHARE

    def __sub__(self, other: Duration) -> Duration:
        if not isinstance(other, Duration):
            return NotImplemented
        if self.unit != other.unit:
            raise ScheduleError(f"cannot subtract {other} from {self}: write both in one unit")
        return Duration(self.amount - other.amount, self.unit)

    def __add__(self, other: Duration) -> Duration:
        if not isinstance(other, Duration):
            return NotImplemented
        if self.unit != other.unit:
            raise ScheduleError(f"cannot add {other} to {self}: write both in one unit")
        return Duration(self.amount + other.amount, self.unit)

    def __str__(self) -> str:
        if self.unit == SHARE:
            return f"{_decimal(self.amount * 100)}%"
        if self.unit == STEPS and self.amount.denominator == 1:
            return str(self.amount.numerator)
        if self.unit == SECONDS:
            return _time(self.amount)
        if self.unit in (SAMPLES, TOKENS):
            return _count(self.amount, self.unit)
        return f"{_decimal(self.amount)}{self.unit}"

    def __repr__(self) -> str:
        return f"Duration.of({self.code})"

    @property
    def code(self) -> str:
        """The literal that a person would type: ``500``, ``'20%'``, ``'4.1st'``."""
        text = str(self)
        return text if text.isdecimal() else repr(text)


def _is_out_of_bounds(amount: Fraction) -> bool:
    return amount > LONGEST or amount.denominator > _FINEST


DurationLike = int | float | str | Fraction | Duration
ExactLike = int | float | Fraction | str


def round_half_up(value: Fraction) -> int:
    """Round to the nearest whole number, halves up, exactly."""
    return math.floor(value + Fraction(1, 2))


def exact(name: str, value: ExactLike) -> Fraction:
    """Return an exact factor: a float by its decimal text, text such as ``"4/3"`` as a fraction.

    Raises:
        ScheduleError: If it is not a number greater than 0, or makes a step longer than any run.
    """
    if isinstance(value, str):
        if _FRACTION.fullmatch(value) is None:
            raise ScheduleError(f"{name}={shown(value)} is not a number; write 1.5 or '4/3'")
        factor = Fraction(value)
    elif isinstance(value, Fraction):
        factor = value
    else:
        real = number(name, value)
        try:
            # By the decimal text of the number's own type: 0.1 is a tenth even in 32 bits.
            factor = Fraction(str(value))
        except ValueError:
            factor = Fraction(str(real))
    if factor <= 0:
        raise ScheduleError(f"{name}={shown(value)} must be greater than 0")
    if not 1 / Fraction(LONGEST) <= factor <= LONGEST:
        raise ScheduleError(
            f"{name}={shown(value)} must lie between {1 / LONGEST:g} and {LONGEST:.0e}, which is "
            "longer than any run"
        )
    return factor


def as_written(value: Fraction) -> int | float | str:
    """Return a literal that :func:`exact` reads as this number, an int or a float if possible."""
    if value.denominator == 1:
        return value.numerator
    near = float(value)
    return near if Fraction(str(near)) == value else f"{value.numerator}/{value.denominator}"


def _from_share(value: numbers.Real, name: str) -> Fraction:
    share = float(value)
    if 0 < share <= 1:
        # The decimal text is what was meant: 0.1 is a tenth, not its binary neighbour.
        return Fraction(str(value))
    advice = "write '20%' for a share of the run, or an int for steps"
    if 1 < share <= LONGEST:
        amount = Fraction(str(value))
        advice = f"write {amount.numerator:_} for steps"
        if amount.denominator != 1:
            advice = f"write '{_decimal(amount * 100)}%' or '{_decimal(amount)}st'"
    elif LONGEST < share < math.inf:
        advice = f"nothing lasts more than {LONGEST:_} steps"
    raise ScheduleError(f"{name}={shown(value)}: a float is a share of the run in (0, 1]; {advice}")


def _from_text(text: str, name: str) -> tuple[Fraction, str]:
    match = _TEXT.fullmatch(text)
    unit = match["unit"] if match else ""
    if match is None or (unit and unit not in _UNITS):
        raise ScheduleError(
            f"{name}={shown(text)} is not a duration; write '500' or '4.1st' (steps), '20%' (of "
            "the run), '3ep' (epochs), '10ksa' (samples), '2Mtok' (tokens), or '90min' (also s, h)"
        )
    whole_part, _, divisor = match["amount"].partition("/")
    amount = Fraction(whole_part) / int(divisor or 1)
    if unit == "" and amount.denominator != 1:
        raise ScheduleError(
            f"{name}={text!r} has no unit; write '{text.strip()}st' or '{text.strip()}%'"
        )
    kind, size = _UNITS[unit or STEPS]
    return amount * size, kind


def _time(seconds: Fraction) -> str:
    """Write a time in the largest unit that gives a whole number."""
    for name, size in _TIMES.items():
        if seconds and (seconds / size).denominator == 1:
            return f"{seconds / size}{name}"
    return f"{_decimal(seconds)}{SECONDS}"


def _count(amount: Fraction, unit: str) -> str:
    """Write a count with the magnitude that makes it shortest; on a tie, with the larger."""
    texts = [
        f"{_decimal(amount / size)}{prefix}{unit}"
        for prefix, size in reversed(_MAGNITUDES.items())
        if size == 1 or (amount >= size and amount.denominator <= _PLAIN)
    ]
    return min(texts, key=len)


def _decimal(value: Fraction) -> str:
    """Write a fraction exactly: as a decimal if it has one, otherwise as p/q."""
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
