"""The arguments that the libraries' modules share: types that check them, and other checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import partial
from typing import Annotated, Any, Final

from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.translate.registry import Translation

LEAST: Final = -(2**62)
"""A step before all that matter, which still fits into 64 bits."""

Positive = Annotated[float, partial(number, above=0)]
Negative = Annotated[float, partial(number, below=0)]
NotNegative = Annotated[float, partial(number, at_least=0)]
Share = Annotated[float, partial(number, at_least=0, at_most=1)]
Integer = Annotated[int, partial(whole, at_least=LEAST)]
Natural = Annotated[int, partial(whole, at_least=0)]
Count = Annotated[int, partial(whole, at_least=1)]


def steps(name: str, value: Any, *, at_least: float = 0) -> int | Fraction:
    """Return a number of steps as lehr writes it: an int, or a fraction if it is not whole."""
    amount = value if isinstance(value, Fraction) else Fraction(str(number(name, value)))
    if amount < at_least:
        raise ScheduleError(f"{name}={value!r} must be at least {at_least:g}")
    return amount.numerator if amount.denominator == 1 else amount


StepCount = Annotated[int | Fraction, steps]


def one_of(name: str, value: Any, allowed: Sequence[Any]) -> Any:
    """Return ``value`` if it is one of those allowed."""
    if value not in allowed:
        raise ScheduleError(f"{name}={value!r} is unknown; write one of {list(allowed)}")
    return value


def only_one(**given: Any) -> None:
    """Check that exactly one of several arguments is not None."""
    if sum(value is not None for value in given.values()) != 1:
        shown = ", ".join(f"{name}={value!r}" for name, value in given.items())
        raise ScheduleError(f"{shown}: give one of them")


def one_less(name: str, values: Sequence[Any], parts: Sequence[Any], what: str) -> None:
    """Check that there are parts, and a value between each and the next."""
    if not parts:
        raise ScheduleError(f"{what}=[] is empty; write at least one")
    if len(values) != len(parts) - 1:
        raise ScheduleError(
            f"{name}={list(values)!r} must be one less than the {len(parts)} {what}"
        )


def own_rate(name: str, value: float | None, lr: float | None) -> float:
    """Return a rate, or the optimizer's own where it is not given."""
    rate = lr if value is None else value
    if rate is None:
        raise ScheduleError(f"{name} is the optimizer's rate: give it, or lr")
    return number(name, rate)


def share_of(lr: float | None, **absolute: float) -> tuple[float, ...]:
    """Return rates, by the names of their arguments, as factors of the optimizer's own."""
    for name, value in absolute.items():
        if value != 0 and lr is None:
            raise ScheduleError(
                f"{name}={value!r} is a rate, not a factor: give the optimizer's own, as in lr=0.1"
            )
    base = 1.0 if lr is None else number("lr", lr, above=0)
    return tuple(number(name, value, at_least=0) / base for name, value in absolute.items())


def power_ease(name: str, power: float) -> str:
    """Return the ease of a polynomial, given its exponent and the name of that argument."""
    return "linear" if power == 1 else f"power({number(name, power, above=0)!r})"


def cosine_ease(name: str, exponent: float) -> str:
    """Return the ease of a cosine to a power, given its exponent and the name of that argument."""
    return "cosine" if exponent == 1 else f"cosine-power({number(name, exponent, above=0)!r})"


def schedule_of(name: str, value: Any) -> Schedule:
    """Return the schedule of a part that is a schedule or a translation."""
    if isinstance(value, Translation):
        return value.schedule
    if isinstance(value, Schedule):
        return value
    raise ScheduleError(
        f"{name}={value!r} is neither a schedule nor a translation; write lehr.constant(0.5), or "
        "lehr.translate(library, name, ...) with its arguments"
    )


def schedules_of(name: str, values: Iterable[Any]) -> list[Schedule]:
    """Return the schedules of several parts; see :func:`schedule_of`."""
    return [schedule_of(f"{name}[{i}]", part) for i, part in enumerate(values)]
