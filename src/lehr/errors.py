"""The exceptions of lehr, and the checks of arguments that raise them.

Every message names the argument, shows the value that was given, and says what to write instead.
"""

from __future__ import annotations

import math
import operator
from typing import Any

__all__ = [
    "GuardError",
    "NeedsClock",
    "NeedsHorizon",
    "PastEnd",
    "ScheduleError",
    "UnknownSchedule",
    "level",
    "number",
    "several",
    "whole",
]


class ScheduleError(ValueError):
    """A schedule that contradicts itself, or cannot do what is required."""


class NeedsHorizon(ScheduleError):
    """A schedule was evaluated before it was placed over the run that its length depends on."""


class NeedsClock(ScheduleError):
    """A schedule over wall-clock time was used in a way that needs steps."""


class PastEnd(ScheduleError):
    """A schedule placed with ``past="raise"`` was evaluated past its last step."""


class GuardError(ScheduleError):
    """A mistake that a guard is set to raise; see :class:`lehr.torch.Scheduler`."""


class UnknownSchedule(ScheduleError):
    """A name that is not in the catalogue."""


def level(name: str, value: Any) -> float:
    """Return ``value`` as a finite float, with ``-0.0`` made ``0.0``.

    Raises:
        ScheduleError: If ``value`` is a bool, not a real number, infinite or NaN.
    """
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        raise ScheduleError(f"{name}={_shown(value)} is a bool; write {float(value)}")
    if isinstance(value, str | bytes):
        raise ScheduleError(f"{name}={_shown(value)} is text, not a number")
    try:
        result = float(value)
    except (TypeError, ValueError):
        raise ScheduleError(f"{name}={_shown(value)} is not a number") from None
    except OverflowError:
        raise ScheduleError(f"{name}={_shown(value)} is too large") from None
    if not math.isfinite(result):
        raise ScheduleError(f"{name}={_shown(value)} is not finite")
    return result + 0.0  # -0.0 + 0.0 is 0.0: equal levels must also print alike


def number(
    name: str,
    value: Any,
    *,
    above: float = -math.inf,
    at_least: float = -math.inf,
    at_most: float = math.inf,
) -> float:
    """Return ``value`` as a finite float inside the given range.

    Raises:
        ScheduleError: If it is not a finite number, or outside the range.
    """
    result = level(name, value)
    if not result > above:
        raise ScheduleError(f"{name}={_shown(value)} must be greater than {above:g}")
    if result < at_least:
        raise ScheduleError(f"{name}={_shown(value)} must be at least {at_least:g}")
    if result > at_most:
        raise ScheduleError(f"{name}={_shown(value)} must be at most {at_most:g}")
    return result


def whole(name: str, value: Any, *, at_least: int) -> int:
    """Return ``value`` as an int of at least ``at_least``.

    Raises:
        ScheduleError: If it is a bool, not an integer, or too small.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        result = operator.index(value)
    except TypeError:
        raise ScheduleError(f"{name}={_shown(value)} must be a whole number (an int)") from None
    if result < at_least:
        raise ScheduleError(f"{name}={_shown(value)} must be at least {at_least}")
    return result


def several(name: str, value: Any) -> list[Any]:
    """Return the members of a list, a tuple or an array.

    Raises:
        ScheduleError: If it is anything else, such as a text.
    """
    try:
        if not isinstance(value, str):
            return list(value)
    except TypeError:
        pass  # refused below, as a text is
    raise ScheduleError(f"{name}={_shown(value)} must be a list, such as [1, 2]")


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python does not print an int of thousands of digits
        return "a number of too many digits"
    return text if len(text) <= 500 else f"{text[:497]}..."
