"""Frozen dataclasses as JSON, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

_Dataclass = TypeVar("_Dataclass")


def to_json(value: Any) -> Any:
    """Return a dataclass, or part of one, in JSON's types."""
    if is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: to_json(part) for name, part in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, tuple | list):
        return [to_json(part) for part in cast("list[Any]", value)]
    return value


def from_json(kind: type[_Dataclass], value: Any, where: str) -> _Dataclass:
    """Return the dataclass from which `to_json` made this value.

    Arguments:
        kind: The dataclass. Its fields are numbers, texts, tuples, mappings or dataclasses.
        value: The value, as `json.load` returns it.
        where: The name of the value in messages.

    Raises:
        ValueError: If a field without a default is missing, or a field is unknown or of the wrong
            type; the message names it.
    """
    if not isinstance(value, Mapping):
        raise _mismatch(where, value, "an object")
    parts = cast("Mapping[str, Any]", value)
    types = _types(kind)
    for name, (_, is_needed) in types.items():
        if is_needed and name not in parts:
            raise ValueError(f"{where} has no part {name!r}")
    for name in parts.keys() - types.keys():
        raise ValueError(f"{where} has an unknown part {name!r}")
    return kind(
        **{name: _part(types[name][0], part, f"{where}.{name}") for name, part in parts.items()}
    )


@cache
def _types(kind: type[Any]) -> dict[str, tuple[Any, bool]]:
    """Return the type of each field, and whether it is required."""
    hints = get_type_hints(kind)
    return {
        field.name: (
            hints[field.name],
            field.default is MISSING and field.default_factory is MISSING,
        )
        for field in fields(kind)
    }


def _part(kind: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        (kind,) = (each for each in arguments if each is not NoneType)
        return _part(kind, value, where)
    if origin is Literal:
        if value not in arguments:
            raise _mismatch(where, value, f"one of {', '.join(map(repr, arguments))}")
        return value
    if origin is tuple:
        return _tuple(arguments, value, where)
    if origin is not None:
        if not isinstance(value, Mapping):
            raise _mismatch(where, value, "an object")
        found = cast("Mapping[str, Any]", value)
        return {
            name: _part(arguments[1], part, f"{where}[{name!r}]") for name, part in found.items()
        }
    if is_dataclass(kind):
        return from_json(cast("type[Any]", kind), value, where)
    return _plain(kind, value, where)


def _tuple(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _mismatch(where, value, "a list")
    found = cast("list[Any]", value)
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(found)
    if len(kinds) != len(found):
        raise ValueError(f"{where} has {len(found)} values, not {len(kinds)}")
    return tuple(
        _part(kind, part, f"{where}[{i}]")
        for i, (kind, part) in enumerate(zip(kinds, found, strict=True))
    )


def _plain(kind: type[Any], value: Any, where: str) -> Any:
    fits = (int, float) if kind is float else kind
    if not isinstance(value, fits) or (isinstance(value, bool) and kind is not bool):
        raise _mismatch(
            where, value, {float: "a number", int: "a whole number"}.get(kind, "a string")
        )
    if kind is float and not math.isfinite(value):
        raise _mismatch(where, value, "a finite number")
    return value


def _mismatch(where: str, value: Any, wanted: str) -> ValueError:
    return ValueError(f"{where} is {value!r:.60}, not {wanted}")
