"""The dict form of schedules, for JSON, YAML and TOML.

A schedule is a dict with its ``kind`` and the fields of the class of that name; fields at their
default are left out. Reading (here) and writing (:mod:`lehr.schedule.kinds`) know only the fields
and types of the classes. Reading is bounded by the number of values and by the work of placing
them: anything that can be written can be read, except deeply nested slices and runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cache
from typing import Any, cast, get_args, get_origin, get_type_hints

from lehr.errors import ScheduleError, shown
from lehr.schedule.arguments import CALLABLE, members, optional
from lehr.schedule.base import Schedule
from lehr.schedule.horizon import Horizon
from lehr.schedule.kinds import KINDS, MOST_VALUES, VERSION
from lehr.schedule.node import DEEPEST, Node
from lehr.schedule.problem import ParseError, argument_of, suggest
from lehr.schedule.tree_values import read
from lehr.schedule.work import Budget
from lehr.time.duration import Duration


def from_dict(tree: Mapping[str, Any]) -> Schedule:
    """Read a schedule from a plain dict, as :meth:`lehr.Schedule.to_dict` writes it.

    Arguments:
        tree: The dict, as loaded from JSON, YAML or TOML.

    Raises:
        ParseError: If it is not a schedule; the message begins with the path to the fault.

    Example:
        >>> from_dict({"lehr": 1, "kind": "piece", "steps": "20%", "to": 0.0, "ease": "cosine"})
        cosine('20%', to=0.0)
    """
    top = _TreePlace("schedule")
    if not isinstance(tree, Mapping):
        raise top.error(f"a schedule is read from a dict, not from {shown(tree)}")
    version = tree.get("lehr")
    if isinstance(version, bool) or not isinstance(version, int) or version != VERSION:
        given = "there is none" if version is None else f"{shown(version)} is unknown"
        raise _TreePlace("schedule.lehr").error(f'version: {given}; write "lehr": {VERSION}')
    return _TreeReader().node({key: tree[key] for key in tree if key != "lehr"}, top, 0)


def from_json(text: str) -> Schedule:
    """Read a schedule from JSON, as :meth:`lehr.Schedule.to_json` writes it.

    Arguments:
        text: Strict JSON: no ``NaN``, no duplicate keys.

    Raises:
        ParseError: If it is not JSON, or not a schedule, or has too many values.
    """
    if not isinstance(text, str):
        raise ParseError(f"a schedule is read from a string, not from {shown(text)}")
    try:
        tree = json.loads(
            text, object_pairs_hook=_pairs, parse_constant=_no_constant, parse_int=_int
        )
    except json.JSONDecodeError as error:
        raise ParseError(f"this is not JSON: {error}", error.pos) from None
    except RecursionError:
        raise ParseError("the JSON is nested too deeply", 0) from None
    return from_dict(tree)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in pairs:
        if key in tree:
            raise ParseError(f"the key {shown(key)} is given twice in one object of the JSON")
        tree[key] = value
    return tree


def _no_constant(name: str) -> Any:
    raise ParseError(f"{name} is not a number of JSON; leave out what has no bound")


def _int(digits: str) -> int:
    if len(digits) > 40:
        raise ParseError(f"the JSON has a number of {len(digits)} digits")
    return int(digits)


@dataclass(frozen=True)
class _TreePlace:
    """A position in a dict form: the path to it."""

    path: str

    def error(self, message: str) -> ParseError:
        return ParseError(f"{self.path}: {message}", self.path)

    def item(self, index: int) -> _TreePlace:
        return _TreePlace(f"{self.path}[{index}]")

    def key(self, name: str) -> _TreePlace:
        return _TreePlace(f"{self.path}.{name}")


@dataclass
class _TreeReader:
    _left: int = field(default=MOST_VALUES)
    _budget: Budget = field(default_factory=lambda: Budget(MOST_VALUES))

    def node(self, tree: Mapping[Any, Any], place: _TreePlace, depth: int) -> Schedule:
        if depth > DEEPEST:
            raise place.error(f"the schedule is nested more than {DEEPEST} deep")
        kind = tree.get("kind")
        if not isinstance(kind, str) or kind not in KINDS:
            given = "there is none" if kind is None else f"{shown(kind)} is unknown"
            hint = suggest(kind if isinstance(kind, str) else "", KINDS)
            raise place.key("kind").error(f"kind: {given}; {hint}")
        inner = {key: value for key, value in tree.items() if key != "kind"}
        return self._build(KINDS[kind], inner, place, depth)

    def _build(
        self, kind: type[Any], tree: Mapping[Any, Any], place: _TreePlace, depth: int
    ) -> Any:
        parts = _fields(kind)
        for key in tree:
            if key not in parts:
                own = kind.__name__.lower()
                hint = suggest(key if isinstance(key, str) else "", parts, f"{own} has")
                raise place.error(f"unknown key {shown(key)}; {hint}")
        values: dict[str, Any] = {}
        for name, (part, hint) in parts.items():
            if name in tree:
                values[name] = self._value(hint, tree[name], name, place.key(name), depth)
            elif part.default is MISSING and not optional(hint):
                raise place.key(name).error("it is missing")
            elif part.default is MISSING:
                values[name] = None
        try:
            built = kind(**values)
            if isinstance(built, Schedule):
                self._budget.take(built)
        except ScheduleError as error:
            culprit = argument_of(error)
            at = place.key(culprit) if culprit and culprit in tree else place
            raise at.error(str(error)) from None
        except ArithmeticError:
            raise place.error("its numbers are too large or too small") from None
        return built

    def _value(self, hint: Any, value: Any, name: str, place: _TreePlace, depth: int) -> Any:
        self._left -= 1
        self._budget.allow_for_a_value()
        if self._left < 0:
            raise place.error(f"the schedule is made of more than {MOST_VALUES} values")
        kinds = members(hint)
        if isinstance(value, Mapping):
            inner = cast("Mapping[Any, Any]", value)
            if Schedule in kinds or Node in kinds:
                return self.node(inner, place, depth + 1)
            if Horizon in kinds:
                return self._build(Horizon, inner, place, depth)
        tuples = [kind for kind in kinds if get_origin(kind) is tuple]
        if tuples and (len(kinds) == 1 or isinstance(value, list | tuple)):
            return self._tuple(tuples[0], value, name, place, depth)
        if kinds == (Schedule,):
            raise place.error(f"{shown(value)} is not a schedule; write a dict with its kind")
        if Horizon in kinds:
            return self._build(Horizon, {"length": value}, place, depth)
        if Duration in kinds and isinstance(value, float):
            raise place.error(
                f"{value!r} is not a duration here; write 500 (steps), '20%' or '3ep'"
            )
        if any(get_origin(kind) is CALLABLE for kind in kinds):
            hint = hint | str
        return read(hint, value, name, place)

    def _tuple(
        self, hint: Any, value: Any, name: str, place: _TreePlace, depth: int
    ) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise place.error(f"{shown(value)} is not a list")
        items = cast("list[Any]", value)
        inner = get_args(hint)[0]
        return tuple(
            self._value(inner, item, f"{name}[{i}]", place.item(i), depth)
            for i, item in enumerate(items)
        )


@cache
def _fields(kind: type[Any]) -> dict[str, tuple[Field[Any], Any]]:
    """Return the fields of a class with their types."""
    hints = get_type_hints(kind)
    return {part.name: (part, hints[part.name]) for part in fields(kind)}
