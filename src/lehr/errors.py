"""The exceptions of lehr, and the checks of arguments that raise them.

Every message names the argument, shows the given value, and says what to write instead.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Set
from typing import Any, Final, cast

_SHOWN: Final = 120
"""The most characters of a value in a message."""

_LARGEST: Final = 2**63 - 1


class ScheduleError(ValueError):
    """A schedule that is inconsistent, or cannot do what is required."""


class NeedsHorizon(ScheduleError):
    """A schedule was evaluated before it was placed over the run that its length depends on."""


class NeedsClock(ScheduleError):
    """A schedule over wall-clock time was used in a way that needs steps."""


class PastEnd(ScheduleError):
    """A schedule placed with ``past="raise"`` was evaluated past its last step."""


class GuardError(ScheduleError):
    """A mistake for which a guard is set to raise an error; see :class:`lehr.torch.Scheduler`."""


class UnknownSchedule(ScheduleError):
    """A name that is not in the catalogue."""


def level(name: str, value: Any) -> float:
    """Return ``value`` as a finite float, with ``-0.0`` changed to ``0.0``.

    Raises:
        ScheduleError: If ``value`` is a bool, not a real number, infinite or NaN.
    """
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        raise ScheduleError(f"{name}={shown(value)} is a bool; write {float(value)}")
    if isinstance(value, str | bytes | bytearray):
        raise ScheduleError(f"{name}={shown(value)} is not a number but a string")
    try:
        # NumPy would take the first item of an array, or drop an imaginary part.
        if getattr(value, "ndim", 0) or type(value).__name__.startswith("complex"):
            raise TypeError
        result = float(value)
    except OverflowError:
        raise ScheduleError(f"{name}={shown(value)} is too large") from None
    except Exception:  # whatever somebody's class raises
        raise ScheduleError(f"{name}={shown(value)} is not a number") from None
    if not math.isfinite(result):
        raise ScheduleError(f"{name}={shown(value)} is not finite")
    return result + 0.0  # -0.0 + 0.0 is 0.0, so that equal levels also print the same


def number(
    name: str,
    value: Any,
    *,
    above: float = -math.inf,
    at_least: float = -math.inf,
    at_most: float = math.inf,
    below: float = math.inf,
) -> float:
    """Return ``value`` as a finite float within the given range.

    Raises:
        ScheduleError: If it is not a finite number, or outside the range.
    """
    result = level(name, value)
    if not result > above:
        raise ScheduleError(f"{name}={shown(value)} must be greater than {above:g}")
    if result < at_least:
        raise ScheduleError(f"{name}={shown(value)} must be at least {at_least:g}")
    if result > at_most:
        raise ScheduleError(f"{name}={shown(value)} must be at most {at_most:g}")
    if not result < below:
        raise ScheduleError(f"{name}={shown(value)} must be less than {below:g}")
    return result


def rising(lower: str, low: float, upper: str, high: float) -> None:
    """Check that the argument ``lower`` is less than the argument ``upper``."""
    if not low < high:
        raise ScheduleError(f"{lower}={shown(low)} must be less than {upper}={shown(high)}")


def whole(name: str, value: Any, *, at_least: float = -math.inf, at_most: int = _LARGEST) -> int:
    """Return ``value`` as an int of at least ``at_least``.

    Raises:
        ScheduleError: If it is a bool, not an integer, too small, or too large for 64 bits.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        result = operator.index(value)
    except Exception:  # whatever somebody's class raises
        raise ScheduleError(f"{name}={shown(value)} must be a whole number (an int)") from None
    if result < at_least:
        raise ScheduleError(f"{name}={shown(value)} must be at least {at_least}")
    if result > at_most:
        raise ScheduleError(f"{name}={shown(value)} must be at most {at_most}")
    return result


def flag(name: str, value: Any) -> bool:
    """Return ``value`` as a bool; 0 and 1 are accepted.

    Raises:
        ScheduleError: If it is anything else.
    """
    if type(value).__name__ not in ("bool", "bool_", "int") or value not in (0, 1):
        raise ScheduleError(f"{name}={shown(value)} must be True or False")
    return bool(value)


def several(name: str, value: Any) -> list[Any]:
    """Return the members of a list, a tuple, an array or another ordered iterable.

    Raises:
        ScheduleError: If it is anything else, such as a string.
    """
    try:
        if isinstance(value, str | bytes | bytearray | Mapping | Set):
            raise TypeError
        return list(cast("Iterable[Any]", value))
    except Exception:  # whatever somebody's class raises
        raise ScheduleError(f"{name}={shown(value)} must be a list, such as [1, 2]") from None


def shown(value: Any) -> str:
    """Return a value as text for messages: at most 120 characters, whatever the value is."""
    if isinstance(value, int) and value.bit_length() > 400:
        return f"{'-' * (value < 0)}10**{int(value.bit_length() * math.log10(2))}"
    try:
        # Only the head of a long text, since it is escaped character by character.
        text = repr(value[: _SHOWN + 1] if isinstance(value, str | bytes) else value)
    except Exception:  # whatever somebody's class raises
        return f"<{type(value).__qualname__}>"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
