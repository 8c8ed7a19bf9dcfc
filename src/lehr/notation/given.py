"""Schedules as arguments: given as schedules, or as text, as from a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, cast

from lehr.errors import ScheduleError, shown
from lehr.notation.text import parse
from lehr.provided import PROVIDED
from lehr.schedule.base import Schedule
from lehr.schedule.problem import ParseError
from lehr.schedule.tree import from_dict

ScheduleLike: TypeAlias = Schedule | str
"""A schedule, or its text for :func:`lehr.parse`."""


def as_schedule(name: str, value: object) -> Schedule:
    """Return an argument as a schedule; it may be a schedule or the text of one.

    Arguments:
        name: The argument, for the message.
        value: Its value.

    Raises:
        ParseError: If it is a string, but not the text of a schedule.
        ScheduleError: If it is neither.

    Example:
        >>> as_schedule("lr", "cosine(to=0.1)")
        cosine(to=0.1)
    """
    if isinstance(value, Schedule):
        return value
    if not isinstance(value, str):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        is_level = is_number and abs(cast("float", value)) < 1e300
        advice = f"lehr.constant({shown(value)})" if is_level else "one such as lehr.cosine()"
        raise ScheduleError(f"{name}={shown(value)} is not a schedule; write {advice}")
    try:
        return parse(value)
    except ParseError as error:
        raise ParseError(f"{name}: {error}", error.place) from None


def _read(value: object) -> Schedule:
    """Return a schedule from a configuration field: a schedule, its text or its dict form."""
    if isinstance(value, Mapping):
        return from_dict(cast("Mapping[str, Any]", value))
    return as_schedule("schedule", value)


PROVIDED["read_schedule"] = _read
