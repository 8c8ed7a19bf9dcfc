"""Plain values, read as what a type hint asks for: the same for texts and dicts.

Neither form knows the arguments of any schedule. They stand in the signatures of the functions
and in the fields of the nodes, with their types, and are read from there.
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
from lehr.schedule.problem import ParseError, show, suggest
from lehr.time.duration import Duration, exact

__all__ = ["DEEPEST", "Place", "members", "optional", "read"]

DEEPEST: Final = 64
"""How deeply schedules may be nested: Python's own stack is deep enough for that anywhere."""

_LARGEST: Final = 2**63
_LONGEST_TEXT: Final = 200
_CALLABLE: Final[Any] = collections.abc.Callable
_LISTS: Final = (tuple, list, collections.abc.Sequence, collections.abc.Iterable)


class Place(Protocol):
    """Where a value stands."""

    def error(self, message: str) -> ParseError:
        """Return an error that points here."""
        ...

    def item(self, index: int) -> Place:
        """Return the place of an item of the list that stands here."""
        ...


def members(hint: Any) -> tuple[Any, ...]:
    """Return the types that a hint allows."""
    union = isinstance(hint, types.UnionType) or get_origin(hint) is Union
    return get_args(hint) if union else (hint,)


def optional(hint: Any) -> bool:
    """Return whether a hint allows None."""
    return types.NoneType in members(hint)


def read(hint: Any, value: Any, name: str, place: Place) -> Any:
    """Return a plain value as what ``hint`` asks for.

    Arguments:
        hint: The type of an argument or a field.
        value: None, a bool, a number, a string, a schedule, or a list of these; anything else is
            refused.
        name: The argument's name.
        place: Where it stands.

    Raises:
        ParseError: If it is something else.
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


def _read_list(hint: Any, value: list[Any], name: str, place: Place) -> list[Any]:
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
        # A function that asks for pairs says itself which of a list are none.
        return (*inner, *[Any] * (len(value) - len(inner)))
    return (inner[0],) * len(value)


def _check_size(value: Any, name: str, place: Place) -> None:
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        raise place.error(f"{name} is a text of {len(value)} characters; {_LONGEST_TEXT} are read")
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise place.error(f"{name}={show(value)} is too large; at most 2**63 is read")
    if isinstance(value, float) and not math.isfinite(value):
        raise place.error(f"{name}={value!r} is not finite")


def _read_plain(kinds: tuple[Any, ...], value: Any, name: str) -> Any:
    origins = [get_origin(kind) for kind in kinds]
    if Schedule in kinds and (isinstance(value, Schedule) or len(kinds) == 1):
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
