"""Reading a schedule from its text by walking Python's syntax tree; nothing is ever run."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, get_type_hints

from lehr.catalogue import ENTRIES, nearest
from lehr.catalogue.phases import one_cycle_momentum
from lehr.errors import ScheduleError, shown
from lehr.notation.scan import scan
from lehr.schedule import leaves
from lehr.schedule.base import Schedule
from lehr.schedule.node import DEEPEST
from lehr.schedule.problem import ParseError, argument_of, excerpt, suggest
from lehr.schedule.sequence import Sequence
from lehr.schedule.times import Slice
from lehr.schedule.tree_values import read
from lehr.schedule.work import MOST_PARTS, Budget
from lehr.time.duration import DurationLike

_LONGEST: Final = 1_000_000
_DEEPEST_ARGUMENT: Final = 3
"""The depth of the innermost schedule's arguments: a list of pairs of numbers."""
METHODS: Final[dict[str, Callable[..., Schedule]]] = {
    "repeat": Schedule.repeat,
    "every": Schedule.every,
    "clip": Schedule.clip,
    "over": Schedule.over,
}
"""The methods of a schedule that a text may call, by name."""


def parse(text: str) -> Schedule:
    """Read a schedule from its text.

    The text is what one would type in Python: functions of the catalogue and the leaves ``hold``,
    ``ramp``, ``table`` and ``formula`` (optionally after ``lehr.``), the operators ``>> * + - /``,
    slices, and the methods ``repeat``, ``every``, ``clip`` and ``over``. Lists and tuples are
    equivalent. The text may have several lines, and comments that begin with ``#``. It is never
    evaluated.

    Arguments:
        text: At most 1,000,000 characters, building at most 2,000 parts.

    Raises:
        ParseError: If it is not a schedule, or is too large; the message points at the place.

    Example:
        >>> parse("warmup(100) >> cosine('50%', to=0.1)").over(1000)(600)
        0.1
        >>> s = parse('''
        ...     warmup(100)  # the usual
        ...     >> piecewise([(0, 1.0), (300, 1.0), (900, 0.1)])
        ... ''')
        >>> s(400), s(1000)
        (1.0, 0.1)
    """
    if not isinstance(text, str):
        raise ParseError(f"a schedule is read from a string, not from {shown(text)}")
    return _TextReader(text).read()


@dataclass(frozen=True)
class _TextPlace:
    """A place in a text: a node of its syntax tree."""

    reader: _TextReader
    node: ast.AST

    def error(self, message: str) -> ParseError:
        return self.reader.refuse(message, self.reader.start(self.node))

    def item(self, index: int) -> _TextPlace:
        assert isinstance(self.node, ast.List | ast.Tuple)
        return _TextPlace(self.reader, self.node.elts[index])


class _TextReader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._budget = Budget()

    def refuse(self, message: str, at: int) -> ParseError:
        return ParseError(f"{message}\n{excerpt(self._text, at)}", at)

    def start(self, node: Any) -> int:
        # One bracket was put before the text. The place of a method is its name, not its schedule.
        if isinstance(node, ast.Attribute):
            return (node.end_col_offset or 0) - len(node.attr) - 1
        return max(node.col_offset - 1, 0)

    def read(self) -> Schedule:
        text = self._text
        if len(text) > _LONGEST:
            raise ParseError(f"a text of {len(text)} characters; at most {_LONGEST} are read", 0)
        flat = scan(text, self.refuse)
        if not flat.strip():
            raise self.refuse("the text is empty; write cosine()", 0)
        try:
            # In brackets, so that the text may begin with spaces.
            tree = ast.parse(f"({flat})", mode="eval").body
        except SyntaxError as error:
            at = min(max((error.offset or 2) - 2, 0), len(text))
            raise self.refuse(f"this cannot be read: {error.msg}", at) from None
        except (RecursionError, MemoryError):
            raise self.refuse("the text is nested too deeply", 0) from None
        return self._schedule(tree, 0, "the text is {}, not a schedule")

    def _schedule(self, node: ast.expr, depth: int, message: str) -> Schedule:
        value = self._value(node, depth)
        if not isinstance(value, Schedule):
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            advice = f"; write constant({shown(value)})" if is_number else ""
            given = "a list" if isinstance(value, list) else shown(value)
            raise self._error(node, message.format(given) + advice)
        return value

    def _error(self, node: ast.AST, message: str) -> ParseError:
        return _TextPlace(self, node).error(message)

    def _value(self, node: ast.expr, depth: int) -> Any:
        if depth > DEEPEST + _DEEPEST_ARGUMENT:
            raise self._error(node, f"the schedule is nested more than {DEEPEST} deep")
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise self._error(node, "this is not part of the notation")
        return method(node, depth + 1)

    # ----- values: a method for each kind of node that is understood ----------------------------

    def _constant(self, node: ast.Constant, depth: int) -> Any:
        if node.value is None or isinstance(node.value, bool | int | float | str):
            return node.value
        raise self._error(node, "this is not part of the notation")

    def _list(self, node: ast.List | ast.Tuple, depth: int) -> list[Any]:
        return [self._value(item, depth) for item in node.elts]

    _tuple = _list

    def _unaryop(self, node: ast.UnaryOp, depth: int) -> Any:
        value = self._value(node.operand, depth)
        if not isinstance(node.op, ast.USub) or not _is_operand(value):
            raise self._error(node, "a sign must be a minus before a number or a schedule")
        return -value

    def _name(self, node: ast.Name, depth: int) -> Any:
        self._function(node, node.id)
        raise self._error(node, f"{node.id} is a function: write {node.id}(...)")

    def _attribute(self, node: ast.Attribute, depth: int) -> Any:
        if _is_of_lehr(node):
            self._function(node, node.attr)
        else:
            self._method(node)
        raise self._error(node, f"{node.attr} is a function: write {node.attr}(...)")

    def _binop(self, node: ast.BinOp, depth: int) -> Schedule:
        if isinstance(node.op, ast.RShift):
            return self._sequence(node, depth)
        left, right = self._value(node.left, depth), self._value(node.right, depth)
        for side, value in ((node.left, left), (node.right, right)):
            if not _is_operand(value):
                raise self._error(side, f"{shown(value)} is neither a schedule nor a number")
        if not isinstance(left, Schedule) and not isinstance(right, Schedule):
            raise self._error(node, "numbers are not computed with: write the result")
        if isinstance(node.op, ast.Div) and isinstance(right, Schedule):
            raise self._error(node.right, "a schedule cannot divide: write a number")
        for side, value in ((node.left, left), (node.right, right)):
            if not isinstance(value, Schedule):
                read(float, value, "operand", _TextPlace(self, side))
        return self._build(node.right, lambda: _COMBINE[type(node.op)](left, right))

    def _sequence(self, node: ast.BinOp, depth: int) -> Schedule:
        # A long chain nests to the left, so it is followed by a loop, not by recursion.
        parts: list[ast.expr] = []
        spine: ast.expr = node
        while isinstance(spine, ast.BinOp) and isinstance(spine.op, ast.RShift):
            parts.append(spine.right)
            spine = spine.left
        parts.append(spine)
        message = "{} is not a schedule: >> joins two schedules"
        schedules = [self._schedule(part, depth, message) for part in reversed(parts)]
        return self._build(spine, lambda: Sequence(tuple(schedules)))

    def _subscript(self, node: ast.Subscript, depth: int) -> Schedule:
        inner = self._schedule(node.value, depth, "{} cannot be sliced")
        cut = node.slice
        if not isinstance(cut, ast.Slice) or cut.step is not None:
            raise self._error(cut, "write s[100:] or s[100:200] for a stretch of a schedule")
        ends: dict[str, Any] = {}
        for name, end in (("start", cut.lower), ("stop", cut.upper)):
            value = None if end is None else self._value(end, depth)
            if end is not None and value is not None:
                ends[name] = read(DurationLike, value, name, _TextPlace(self, end))
        return self._build(cut, lambda: Slice(inner, **ends))

    # ----- calls --------------------------------------------------------------------------------

    def _call(self, node: ast.Call, depth: int) -> Schedule:
        function = node.func
        if isinstance(function, ast.Name):
            return self._apply(node, self._function(function, function.id), depth)
        if not isinstance(function, ast.Attribute):
            raise self._error(function, "this cannot be called")
        if _is_of_lehr(function):
            return self._apply(node, self._function(function, function.attr), depth)
        method = self._method(function)
        inner = self._schedule(function.value, depth, f"{{}} has no .{function.attr}()")
        return self._apply(node, method, depth, inner)

    def _function(self, node: ast.expr, name: str) -> Callable[..., Schedule]:
        known = functions()
        if name not in known:
            raise self._error(node, f"unknown schedule {name!r}: {nearest(name, known)}")
        return known[name]

    def _method(self, node: ast.Attribute) -> Callable[..., Schedule]:
        if node.attr not in METHODS:
            hint = suggest(node.attr, METHODS)
            raise self._error(node, f"a schedule has no method {node.attr!r} here: {hint}")
        return METHODS[node.attr]

    def _apply(
        self, node: ast.Call, function: Callable[..., Schedule], depth: int, *inner: Schedule
    ) -> Schedule:
        types, entry = hints(function), ENTRIES.get(function.__name__)
        writes_out = entry.writes_out if entry and not inner else None
        nodes = self._bind(node, function, skip=len(inner))
        given: dict[str, Any] = {}
        for name, argument in nodes.items():
            value = self._value(argument, depth)
            if name == writes_out and isinstance(value, int) and value > MOST_PARTS:
                message = f"{name}={shown(value)} is too large; a text builds {MOST_PARTS} parts"
                raise self._error(argument, message)
            given[name] = read(types.get(name, Any), value, name, _TextPlace(self, argument))
        return self._build(node.func, lambda: function(*inner, **given), nodes)

    def _bind(
        self, node: ast.Call, function: Callable[..., Schedule], skip: int
    ) -> dict[str, ast.expr]:
        """Return which argument of a function each expression in a call is for."""
        given = parameters(function)[skip:]
        names = [parameter.name for parameter in given]
        unnamed = [p.name for p in given if p.kind is not p.KEYWORD_ONLY]
        nodes = dict(zip(unnamed, node.args, strict=False))
        call = function.__name__
        if len(node.args) > len(unnamed):
            named = [f"{name}=..." for name in names if name not in unnamed]
            hint = f"; write {' or '.join(named)}" if named else ""
            count = len(unnamed) or "no"
            message = f"{call}() takes {count} argument{'s' * (count != 1)} without a name{hint}"
            raise self._error(node.args[len(unnamed)], message)
        for word in node.keywords:
            if word.arg not in names:
                hint = suggest(word.arg or "", names, "it takes")
                raise self._error(word, f"{call}() has no argument {word.arg!r}; {hint}")
            if word.arg in nodes:
                raise self._error(word, f"{call}() is given {word.arg} twice")
            nodes[word.arg] = word.value
        for parameter in given:
            if parameter.default is parameter.empty and parameter.name not in nodes:
                raise self._error(node.func, f"{call}() needs its argument {parameter.name}")
        return nodes

    def _build(
        self,
        node: ast.AST,
        build: Callable[[], Schedule],
        arguments: dict[str, ast.expr] | None = None,
    ) -> Schedule:
        """Build a schedule; an error of lehr points at the argument that it names, if any."""
        try:
            schedule = build()
            self._budget.take(schedule)
        except ScheduleError as error:
            culprit = (arguments or {}).get(argument_of(error) or "", node)
            raise self._error(culprit, str(error)) from None
        except ArithmeticError:
            raise self._error(node, "these numbers are too large or too small") from None
        return schedule


_COMBINE: Final[dict[type[ast.operator], Callable[[Any, Any], Schedule]]] = {
    ast.Mult: lambda a, b: a * b,
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Div: lambda a, b: a / b,
}


def _is_of_lehr(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "lehr"


def _is_operand(value: Any) -> bool:
    return isinstance(value, Schedule | int | float) and not isinstance(value, bool)


def functions() -> dict[str, Callable[..., Schedule]]:
    """Return the functions that a text may call, by name."""
    others = (leaves.hold, leaves.ramp, leaves.table, leaves.formula, one_cycle_momentum)
    known = {name: entry.function for name, entry in ENTRIES.items()}
    return known | {function.__name__: function for function in others}


@cache
def hints(function: Callable[..., Schedule]) -> dict[str, Any]:
    """Return the types of a function's arguments, by name."""
    return get_type_hints(function)


@cache
def parameters(function: Callable[..., Schedule]) -> list[inspect.Parameter]:
    """Return the arguments that a function takes, in order."""
    return list(inspect.signature(function).parameters.values())
