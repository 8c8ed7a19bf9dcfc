"""Plain values, read as the type that a hint names: the same for texts and dicts.

Neither form lists the arguments of any schedule. Both take their names and types from the
signatures of the functions and from the fields of the classes.
"""

from __future__ import annotations

import collections.abc
import math
import types
from fractions import Fraction
from typing import Any, Final, Literal, Protocol, Union, cast, get_args, get_origin

from lehr.curves import functions
from lehr.curves.easing import Ease
from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.node import Node
from lehr.schedule.problem import ParseError, show, suggest
from lehr.time.duration import Duration, exact

__all__ = ["ErrorPlace", "members", "optional", "read"]

_LARGEST: Final = 2**63
_LONGEST_TEXT: Final = 200
_CALLABLE: Final[Any] = collections.abc.Callable
_LISTS: Final = (tuple, list, collections.abc.Sequence, collections.abc.Iterable)


class ErrorPlace(Protocol):
    """The position of a value in a text or a dict."""

    def error(self, message: str) -> ParseError:
        """Return an error that points here."""
        ...

    def item(self, index: int) -> ErrorPlace:
        """Return the position of an item of the list here."""
        ...


def members(hint: Any) -> tuple[Any, ...]:
    """Return the types that a hint allows."""
    union = isinstance(hint, types.UnionType) or get_origin(hint) is Union
    return get_args(hint) if union else (hint,)


def optional(hint: Any) -> bool:
    """Return whether a hint allows None."""
    return types.NoneType in members(hint)


def read(hint: Any, value: Any, name: str, place: ErrorPlace) -> Any:
    """Return a plain value as the type that ``hint`` names.

    Arguments:
        hint: The type of an argument or a field.
        value: None, a bool, a number, a string, a schedule, or a list of these.
        name: The argument's name.
        place: Its position, for the message.

    Raises:
        ParseError: If it cannot be read as that type.
    """
    if value is None:
        if optional(hint):
            return None
        raise place.error(f"{name}=None: leave it out, or give a value")
    if isinstance(value, list):
        return _read_list(hint, cast("list[Any]", value), name, place)
    _check_size(value, name, place)
    try:
        return _read_plain(members(hint), value, name)
    except ScheduleError as error:
        raise place.error(str(error)) from None


def _read_list(hint: Any, value: list[Any], name: str, place: ErrorPlace) -> list[Any]:
    for kind in members(hint):
        if get_origin(kind) in _LISTS:
            return [
                read(inner, item, f"{name}[{i}]", place.item(i))
                for i, (inner, item) in enumerate(zip(_inner(kind, value), value, strict=False))
            ]
    raise place.error(f"{name} is one value, not a list")


def _inner(kind: Any, value: list[Any]) -> tuple[Any, ...]:
    """Return the types of a list's items: all alike, or one for each place of a pair."""
    inner = get_args(kind)
    if get_origin(kind) is tuple and inner[-1] is not Ellipsis:
        # A function that takes pairs checks their length itself.
        return (*inner, *[Any] * (len(value) - len(inner)))
    return (inner[0],) * len(value)


def _check_size(value: Any, name: str, place: ErrorPlace) -> None:
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        raise place.error(f"{name} is a text of {len(value)} characters; {_LONGEST_TEXT} are read")
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise place.error(f"{name}={show(value)} is too large; at most 2**63 is read")
    if isinstance(value, float) and not math.isfinite(value):
        raise place.error(f"{name}={value!r} is not finite")


def _read_plain(kinds: tuple[Any, ...], value: Any, name: str) -> Any:
    origins = [get_origin(kind) for kind in kinds]
    if (Schedule in kinds or Node in kinds) and (isinstance(value, Schedule) or len(kinds) == 1):
        return _schedule(value, name)
    if Literal in origins:
        return _read_choice(get_args(kinds[origins.index(Literal)]), value, name)
    if Duration in kinds:
        return Duration.of(_plain(value, name), name)
    if Ease in kinds:
        return Ease.of(_text(value, name))
    if Fraction in kinds:
        return exact(name, _plain(value, name))
    if _CALLABLE in origins:
        if str not in kinds:
            raise ScheduleError(f"{name} is a function, which cannot be written here")
        return functions.lookup(_text(value, name))
    if bool in kinds:
        if not isinstance(value, bool):
            raise ScheduleError(f"{name}={show(value)} must be true or false")
        return value
    if float in kinds:
        return number(name, _number(value, name))
    if int in kinds:
        return whole(name, _number(value, name), at_least=-_LARGEST)
    if any(origin in _LISTS for origin in origins):
        raise ScheduleError(f"{name}={show(value)} must be a list, such as [1, 2]")
    return _plain(value, name)


def _read_choice(choices: tuple[Any, ...], value: Any, name: str) -> Any:
    if not isinstance(value, str) or value not in choices:
        hint = suggest(value if isinstance(value, str) else "", choices)
        raise ScheduleError(f"{name}={show(value)}: {hint}")
    return value


def _schedule(value: Any, name: str) -> Schedule:
    if not isinstance(value, Schedule):
        raise ScheduleError(f"{name}={show(value)} must be a schedule")
    return value


def _plain(value: Any, name: str) -> Any:
    if not isinstance(value, bool | int | float | str):
        raise ScheduleError(f"{name} cannot be {show(value)}")
    return value


def _number(value: Any, name: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ScheduleError(f"{name}={show(value)} is not a number")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ScheduleError(f"{name}={show(value)} must be a text in quotes")
    return value
