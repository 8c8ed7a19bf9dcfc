"""Plain values, read as the type of a hint; used for both texts and dicts."""

from __future__ import annotations

import math
from typing import Any, Final, Protocol, cast, get_origin

from lehr.errors import ScheduleError, shown
from lehr.schedule.arguments import LISTS, argument, inner_hints, members, optional
from lehr.schedule.base import Schedule
from lehr.schedule.problem import ParseError

_LARGEST: Final = 2**63
_LONGEST_TEXT: Final = 200


class ErrorPlace(Protocol):
    """The position of a value in a text or a dict."""

    def error(self, message: str) -> ParseError:
        """Return an error that points here."""
        ...

    def item(self, index: int) -> ErrorPlace:
        """Return the position of an item of the list here."""
        ...


def read(hint: Any, value: Any, name: str, place: ErrorPlace) -> Any:
    """Return None, a bool, a number, a string, a schedule, or a list of these as a type.

    Raises:
        ParseError: If it cannot be read as the type ``hint``; the message shows the place.
    """
    if value is None and not optional(hint):
        raise place.error(f"{name}=None: leave it out, or give a value")
    if isinstance(value, list):
        return _read_list(hint, cast("list[Any]", value), name, place)
    _check_size(value, name, place)
    if not isinstance(value, Schedule | bool | int | float | str | None):
        raise place.error(f"{name} cannot be {shown(value)}")
    try:
        return argument(hint, value, name)
    except ScheduleError as error:
        raise place.error(str(error)) from None


def _read_list(hint: Any, value: list[Any], name: str, place: ErrorPlace) -> list[Any]:
    for kind in members(hint):
        if get_origin(kind) in LISTS:
            return [
                read(inner, item, f"{name}[{i}]", place.item(i))
                for i, (inner, item) in enumerate(zip(inner_hints(kind, value), value, strict=True))
            ]
    raise place.error(f"{name} is one value, not a list")


def _check_size(value: Any, name: str, place: ErrorPlace) -> None:
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        raise place.error(
            f"{name} is a string of {len(value)} characters; {_LONGEST_TEXT} are read"
        )
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise place.error(f"{name}={shown(value)} is too large; at most 2**63 is read")
    if isinstance(value, float) and not math.isfinite(value):
        raise place.error(f"{name}={value!r} is not finite")
