"""The kinds of schedules, and how they are written as plain dicts.

Each class of schedules registers under its lower-case name: the operators of
:class:`~lehr.schedule.base.Schedule` find it by that name, which is also its ``kind`` in a dict.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from fractions import Fraction
from typing import Any, Final, TypeVar, cast

from lehr.curves import functions
from lehr.curves.easing import Ease
from lehr.errors import ScheduleError
from lehr.schedule.horizon import Horizon
from lehr.schedule.node import Node
from lehr.time.duration import Duration, as_written

VERSION: Final = 1
"""The version of the dict form, written at the top under ``"lehr"``."""

MOST_VALUES: Final = 200_000
"""How many values the dict form of one schedule may have."""

KINDS: Final[dict[str, type[Any]]] = {}
"""The classes of schedules, by name; the modules of this package fill it when they are imported."""

_Class = TypeVar("_Class", bound=type[Any])


def kind(cls: _Class) -> _Class:
    """Register a class of schedules under its name, in lower case."""
    KINDS[cls.__name__.lower()] = cls
    return cls


def to_plain(schedule: Node) -> dict[str, Any]:
    """Return a schedule as a plain dict; see :meth:`lehr.Schedule.to_dict`."""
    return {"lehr": VERSION, **_TreeWriter().node(schedule)}


class _TreeWriter:
    def __init__(self) -> None:
        self._left = MOST_VALUES

    def node(self, node: Node) -> dict[str, Any]:
        name = type(node).__name__.lower()
        if KINDS.get(name) is not type(node):
            raise ScheduleError(f"{node} has no dict form")
        written: dict[str, Any] = {"kind": name}
        for part in fields(cast("Any", node)):
            value = getattr(node, part.name)
            if value is not None and value != part.default:
                written[part.name] = self._value(value)
        return written

    def _value(self, value: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise ScheduleError(f"the schedule is made of more than {MOST_VALUES} values")
        if isinstance(value, Node):
            return self.node(value)
        if isinstance(value, tuple):
            return [self._value(item) for item in cast("tuple[Any, ...]", value)]
        if isinstance(value, Duration):
            text = str(value)
            return int(text) if text.isdecimal() else text
        if isinstance(value, Fraction):
            return as_written(value)
        if isinstance(value, Ease):
            return _named(value.function, str(value)) if value.function else str(value)
        if isinstance(value, Horizon):
            given = {part.name: getattr(value, part.name) for part in fields(value)}
            written = {name: self._value(own) for name, own in given.items() if own is not None}
            return written if len(written) > 1 else written["length"]
        return _named(value, functions.name_of(value)) if callable(value) else value


def _named(function: Callable[[Any], Any], text: str | None) -> str:
    if text is None or functions.name_of(function) is None:
        raise ScheduleError(
            f"{functions.show(function)} is a function without a name, which has no text; give it "
            "one: lehr.register('my-decay')(function)"
        )
    return text
