"""The attributes of a scheduler, read and put back as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["attributes_of", "kept", "set_attributes"]


def attributes_of(scheduler: Any) -> dict[str, Any]:
    """Return all attributes of an object, those in slots included."""
    slots = [name for kind in type(scheduler).__mro__ for name in vars(kind).get("__slots__", ())]
    in_slots = {name: getattr(scheduler, name) for name in slots if hasattr(scheduler, name)}
    return {**vars(scheduler), **in_slots}


def set_attributes(scheduler: Any, attributes: Mapping[str, Any]) -> None:
    """Replace all attributes of an object."""
    vars(scheduler).clear()
    for name, value in attributes.items():
        setattr(scheduler, name, value)


def kept(value: Any) -> Any:
    """Return a value with copies of the lists and dicts in it."""
    if type(value) is list:
        return [kept(item) for item in value]
    if type(value) is dict:
        return {key: kept(item) for key, item in value.items()}
    return value
