"""Checking arguments by their type hints, in one place for every function and every form.

Schedules are made from whatever a program has: arrays, texts from a configuration file, numbers of
other libraries. :func:`checked` reads each argument as the type of its hint, or raises an error
that names it, so that a function itself need only check ranges.
"""

from __future__ import annotations

import collections.abc
import difflib
import inspect
import re
import types
from collections.abc import Callable
from fractions import Fraction
from functools import cache, partial, wraps
from typing import Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from lehr.curves import functions
from lehr.curves.easing import Ease
from lehr.errors import ScheduleError, level, several, shown, whole
from lehr.schedule.horizon import Horizon
from lehr.schedule.node import Node
from lehr.time.duration import Duration, exact

CALLABLE: Final[Any] = collections.abc.Callable
LISTS: Final = (tuple, list, collections.abc.Sequence, collections.abc.Iterable)

_Reader = Callable[[str, Any], Any]
_Function = TypeVar("_Function", bound=Callable[..., Any])


def checked(function: _Function, *, names_call: bool = False) -> _Function:
    """Check the arguments of a function by their hints before it is called.

    Arguments without a hint, or at their default, are passed on unchanged. With ``names_call``, the
    call is put before an error that does not begin with one of the function's own arguments.

    Example:
        >>> @checked
        ... def rise(steps: Duration) -> str:
        ...     return repr(steps)
        >>> rise("20%")
        "Duration.of('20%')"
    """
    parameters = inspect.signature(function).parameters
    names = [name for name, one in parameters.items() if one.kind is not one.KEYWORD_ONLY]

    def read(name: str, value: Any) -> Any:
        hint = _hints(function).get(name)
        if hint is None:
            return value
        default = parameters[name].default
        at_default = type(value) is type(default) and value == default
        return value if at_default else argument(hint, value, name)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        # A superfluous argument is passed on: Python's own message about it is clear.
        read_args = [read(name, value) for name, value in zip(names, args, strict=False)]
        read_kwargs = {name: read(name, value) for name, value in kwargs.items()}
        try:
            return function(*read_args, *args[len(names) :], **read_kwargs)
        except ScheduleError as error:
            if names_call:
                given = dict(zip(names, args, strict=False)) | kwargs
                error.args = (_with_call(function, str(error), given),)
            raise

    return cast("_Function", call)


def check_fields(value: Any) -> None:
    """Check the fields of a frozen dataclass by their hints, and store the converted values."""
    for name, hint in get_type_hints(cast("type[Any]", type(value))).items():
        object.__setattr__(value, name, argument(hint, getattr(value, name), name))


def _with_call(function: Callable[..., Any], message: str, given: dict[str, Any]) -> str:
    # An argument's name further on may be in the text of a part.
    if not given or re.match(rf"({'|'.join(given)})(\[\d+\])?=", message):
        return message
    written = ", ".join(
        f"{name}={value.code if isinstance(value, Duration) else shown(value)}"
        for name, value in given.items()
    )
    return f"{function.__name__}({written}): {message}"


@cache
def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    return get_type_hints(function)


def members(hint: Any) -> tuple[Any, ...]:
    """Return the types that a hint allows."""
    union = isinstance(hint, types.UnionType) or get_origin(hint) is Union
    return get_args(hint) if union else (hint,)


def optional(hint: Any) -> bool:
    """Return whether a hint allows None."""
    return types.NoneType in members(hint)


def argument(hint: Any, value: Any, name: str) -> Any:
    """Return a value as the type that ``hint`` names.

    Raises:
        ScheduleError: If it cannot be converted; the message begins with the argument's name.
    """
    if value is None and optional(hint):
        return None
    try:
        return _reader(hint)(name, value)
    except ScheduleError as error:
        # The error for an ease, for one, names the ease's parameters.
        text = str(error)
        raise ScheduleError(
            text if name in text.partition("=")[0] else f"{name}={shown(value)}: {text}"
        ) from None


@cache
def _reader(hint: Any) -> _Reader:
    """Return the reader of a type; for a union, that of the first listed type in it."""
    kinds = members(hint)
    origins = [get_origin(kind) for kind in kinds]
    classes = [kind for kind in kinds if isinstance(kind, type)]
    if any(issubclass(kind, Node | Horizon) for kind in classes):
        # These also read a length instead of a horizon, or numbers instead of a schedule.
        return _schedule if len(kinds) == 1 else _anything
    if Literal in origins:
        return partial(_choice, get_args(kinds[origins.index(Literal)]))
    if CALLABLE in origins and Ease not in kinds:
        return partial(_function, str in kinds)
    for kind, read in _READERS.items():
        if kind in kinds:
            return read
    lists = [kind for kind, origin in zip(kinds, origins, strict=True) if origin in LISTS]
    return partial(_items, lists[0]) if lists else _anything


def _choice(choices: tuple[Any, ...], name: str, value: Any) -> Any:
    if isinstance(value, str) and value in choices:
        return value
    known = " or ".join(map(repr, choices))
    close = difflib.get_close_matches(value[:80], choices, 1) if isinstance(value, str) else []
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise ScheduleError(f"{name}={shown(value)} must be {known}{hint}")


def _anything(name: str, value: Any) -> Any:
    return value


def _schedule(name: str, value: Any) -> Any:
    if not isinstance(value, Node):
        raise ScheduleError(
            f"{name}={shown(value)} must be a schedule, such as cosine(); a constant is "
            "constant(0.1)"
        )
    return value


def _function(named: bool, name: str, value: Any) -> Callable[[Any], Any]:
    if isinstance(value, Node):
        raise ScheduleError(f"{name}={shown(value)} is a schedule already; use it as it is")
    if named and isinstance(value, str):
        return functions.lookup(value)
    if not callable(value):
        raise ScheduleError(f"{name}={shown(value)} cannot be called; write a function")
    return value


def _flag(name: str, value: Any) -> bool:
    # NumPy's bool is one too.
    if type(value).__name__ not in ("bool", "bool_"):
        raise ScheduleError(f"{name}={shown(value)} must be True or False")
    return bool(value)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ScheduleError(f"{name}={shown(value)} must be a string in quotes")
    return value


def _items(kind: Any, name: str, value: Any) -> list[Any]:
    items = several(name, value)
    hints = inner_hints(kind, items)
    return [
        argument(hint, item, f"{name}[{i}]")
        for i, (hint, item) in enumerate(zip(hints, items, strict=True))
    ]


def inner_hints(kind: Any, items: list[Any]) -> list[Any]:
    """Return the types of a list's items: the same for all, or one for each item of a pair."""
    inner = get_args(kind)
    if get_origin(kind) is tuple and inner[-1] is not Ellipsis:
        # A function that takes pairs checks their length itself.
        return [*inner[: len(items)], *[Any] * (len(items) - len(inner))]
    return [inner[0]] * len(items)


# The order matters: a duration may also be a number or a text, and a bool is an int.
_READERS: Final[dict[Any, _Reader]] = {
    Duration: lambda name, value: Duration.of(value, name),
    Ease: lambda name, value: Ease.of(value),
    Fraction: exact,
    bool: _flag,
    float: level,
    str: _text,
    int: whole,
}
