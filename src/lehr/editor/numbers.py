"""The numbers inside the text of a schedule: where each is written, and how to replace it.

A text is edited by its numbers: its names, its order, its spaces and its comments stay as they are.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lehr.errors import ScheduleError
from lehr.notation.scan import scan
from lehr.notation.text import METHODS, functions, hints, parameters
from lehr.schedule.problem import ParseError, excerpt

STEPS: Final = "steps"
"""The unit of a bare whole number that is a duration."""

SHARE: Final = "share"
"""The unit of a bare fraction that is a duration: ``0.2`` is ``'20%'``."""

COUNT: Final = "count"
"""The unit of a number that counts, as the cycles of a repeat do: it changes by ones only."""

_NUMBER: Final = r"\d+(?:_\d+)*(?:\.\d+)?(?:[eE][-+]?\d+)?"
_DURATION: Final = re.compile(rf"\s*({_NUMBER})\s*([a-zA-Z%]*)\s*")
_MOST: Final = 64
_OPERANDS: Final[dict[type[ast.operator], str]] = {
    ast.Mult: "factor",
    ast.Div: "divisor",
    ast.Add: "offset",
    ast.Sub: "offset",
}


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a text, or one that is not written because it is a default.

    Attributes:
        start, stop: The characters that another number replaces.
        value: In its own unit.
        unit: ``"steps"``, ``"share"`` and ``"count"`` for bare numbers of these kinds; the unit of
            a duration in quotes, such as ``"%"`` or ``"ep"``; empty for all others.
        name: The function and the argument: ``"warmup.steps"``.
        before, after: What is written around the digits.
        written: Whether it is in the text.
    """

    start: int
    stop: int
    value: float
    unit: str
    name: str
    before: str = ""
    after: str = ""
    written: bool = True

    def text(self, digits: str) -> str:
        """Return the text that replaces its characters, given its digits."""
        return f"{self.before}{digits}{self.after}"


def tree(text: str) -> ast.expr:
    """Return the syntax tree of a text; places in it are one more than those in the text.

    Raises:
        ParseError: If it is not in the notation.
    """

    def refuse(message: str, at: int) -> ParseError:
        return ParseError(f"{message}\n{excerpt(text, at)}", at)

    try:
        return ast.parse(f"({scan(text, refuse)})", mode="eval").body
    except SyntaxError as error:
        at = min(max((error.offset or 2) - 2, 0), len(text))
        raise refuse(f"this cannot be read: {error.msg}", at) from None


def numbers(text: str) -> list[Number]:
    """Return the numbers of the text of a schedule, in the order in which they are written.

    Arguments:
        text: A text that :func:`lehr.parse` reads. Of a longer one, the first 64 are returned.

    Raises:
        ParseError: If it is not in the notation.

    Example:
        >>> [(n.name, n.value, n.unit) for n in numbers("warmup('5%') >> hold(100)")]
        [('warmup.steps', 5.0, '%'), ('warmup.start', 0.0, ''), ('warmup.to', 1.0, ''), \
('hold.steps', 100.0, 'steps')]
    """
    found: list[Number] = []
    for number in _Finder(text).schedule(tree(text), first=True):
        found.append(number)
        if len(found) == _MOST:
            break
    return sorted(found, key=lambda number: number.start)


class _Finder:
    """Walks a syntax tree as the parser does, and yields its numbers."""

    def __init__(self, text: str) -> None:
        self._text = text

    def schedule(self, node: ast.AST, first: bool) -> Iterator[Number]:
        """Yield the numbers of a schedule; the ``first`` of a sequence begins at 1 by itself."""
        match node:
            case ast.Call():
                yield from self._call(node, first)
            case ast.BinOp(op=ast.RShift()):
                for index, part in enumerate(_parts(node)):
                    yield from self.schedule(part, first and index == 0)
            case ast.BinOp():
                for side in (node.left, node.right):
                    if _is_number(side):
                        yield from self._argument(side, _OPERANDS[type(node.op)], float)
                    else:
                        yield from self.schedule(side, first=True)
            case ast.UnaryOp():
                yield from self.schedule(node.operand, first)
            case ast.Subscript(slice=ast.Slice() as cut):
                yield from self.schedule(node.value, first=True)
                for name, end in (("from", cut.lower), ("to", cut.upper)):
                    if end is not None:
                        yield from self._argument(end, f"slice.{name}", "Duration")
            case _:
                return

    def _call(self, node: ast.Call, first: bool) -> Iterator[Number]:
        function, inner = _called(node)
        if inner is not None:
            yield from self.schedule(inner, first)
        skip = 0 if inner is None else 1
        known = parameters(function)[skip:]
        types = hints(function)
        bare = [p.name for p in known if p.kind is not p.KEYWORD_ONLY]
        given = {**dict(zip(bare, node.args, strict=False))}
        given |= {word.arg: word.value for word in node.keywords if word.arg}
        for name, value in given.items():
            if _is_schedule(value):
                yield from self.schedule(value, first=True)
            else:
                yield from self._argument(value, f"{function.__name__}.{name}", types.get(name))
        place = self._room(node)
        comma = ", " if given else ""
        for parameter in known:
            value: Any = parameter.default
            # The first piece begins at 1 where nothing else is written.
            if parameter.name == "start" and value is None and first and inner is None:
                value = 1.0
            # A shape without an end goes to 0, and from 0 to 1.
            if parameter.name == "to" and value is None:
                value = 1.0 if _is_zero(given.get("start")) else 0.0
            if parameter.name in given or not isinstance(value, float):
                continue
            if math.isfinite(value):
                name = f"{function.__name__}.{parameter.name}"
                before = f"{comma}{parameter.name}="
                unit = _unit(value, types.get(parameter.name))
                yield Number(place, place, value, unit, name, before, written=False)

    def _room(self, node: ast.Call) -> int:
        """Return where one more argument of a call is written: after its last."""
        stop = (node.end_col_offset or 0) - 2
        last = [*node.args, *(word.value for word in node.keywords)]
        if not last:
            # After the bracket, so that a comment in the call stays behind it.
            return self._text.index("(", (node.func.end_col_offset or 0) - 1) + 1
        end = max((item.end_col_offset or 0) - 1 for item in last)
        # A last argument may have brackets of its own around it.
        return end + _uncommented(self._text[end:stop]).rfind(")") + 1

    def _argument(self, node: ast.AST, name: str, hint: Any) -> Iterator[Number]:
        start, stop = _span(node)
        if isinstance(node, ast.List | ast.Tuple):
            # A list of pairs has a duration and a level in each.
            pair = ("Duration", "float") if name.endswith("]") and "tuple" in str(hint) else ()
            for index, item in enumerate(node.elts):
                kind = pair[index] if index < len(pair) else hint
                yield from self._argument(item, f"{name}[{index}]", kind)
            return
        negative = isinstance(node, ast.UnaryOp)
        constant = node.operand if isinstance(node, ast.UnaryOp) else node
        if not isinstance(constant, ast.Constant):
            return
        value = constant.value
        if isinstance(value, str):
            yield from self._quoted(value, start, stop, name, hint)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield Number(
                start, stop, -float(value) if negative else float(value), _unit(value, hint), name
            )

    def _quoted(self, value: str, start: int, stop: int, name: str, hint: Any) -> Iterator[Number]:
        quote = self._text[start]
        duration = _DURATION.fullmatch(value)
        if duration is not None and "Duration" in str(hint):
            digits = float(duration[1].replace("_", ""))
            after = duration[2] + quote
            yield Number(start, stop, digits, duration[2] or STEPS, name, quote, after)
            return
        # The numbers of an ease: 'power(2)'.
        bracket = self._text.find("(", start, stop)
        if bracket < 0:
            return
        for match in re.finditer(_NUMBER, self._text[bracket:stop]):
            at = bracket + match.start()
            yield Number(at, bracket + match.end(), float(match[0].replace("_", "")), "", name)


def _called(node: ast.Call) -> tuple[Callable[..., Any], ast.expr | None]:
    """Return the function that a call names, and the schedule whose method it is, if any."""
    function = node.func
    known = functions()
    if isinstance(function, ast.Name) and function.id in known:
        return known[function.id], None
    if isinstance(function, ast.Attribute):
        value = function.value
        if isinstance(value, ast.Name) and value.id == "lehr" and function.attr in known:
            return known[function.attr], None
        if function.attr in METHODS:
            return METHODS[function.attr], value
    raise ScheduleError("this text has a function that is not part of the notation")


def _parts(node: ast.expr) -> list[ast.expr]:
    """Return the parts of a chain, which leans to the left: by a loop, as it may be long."""
    parts: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.RShift):
        parts.append(node.right)
        node = node.left
    return [node, *reversed(parts)]


def _span(node: Any) -> tuple[int, int]:
    return node.col_offset - 1, node.end_col_offset - 1


def _is_number(node: ast.AST) -> bool:
    if isinstance(node, ast.UnaryOp):
        return _is_number(node.operand)
    return isinstance(node, ast.Constant)


def _is_schedule(node: ast.AST) -> bool:
    return isinstance(node, ast.Call | ast.BinOp | ast.Subscript)


def _is_zero(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0


def _unit(value: int | float, hint: Any) -> str:
    kind = str(hint)
    if "Duration" in kind:
        return STEPS if isinstance(value, int) else SHARE
    return COUNT if "int" in kind and "float" not in kind else ""


def _uncommented(text: str) -> str:
    return re.sub(r"#[^\r\n]*", lambda found: " " * len(found[0]), text)


def put(text: str, digits: Sequence[tuple[Number, str]]) -> str:
    """Return a text with other digits for some of its numbers."""
    # From the last, so that the places of the others stay; of two at one place the first ends
    # up first.
    for number, new in sorted(digits, key=lambda pair: -pair[0].start):
        text = text[: number.start] + number.text(new) + text[number.stop :]
    return text


def plain(number: Number, value: float) -> str:
    """Return the digits of a value as the notation has them for a number like this."""
    if number.unit == COUNT or (number.unit == STEPS and not number.before):
        return str(max(round(value), 0))
    if number.unit == SHARE:
        # 1.0 is the whole run; a bare 1 would be a step.
        value = min(max(value, 1e-9), 1.0)
    digits = repr(float(f"{value:.12g}"))
    if number.unit in ("", SHARE):
        return digits
    # Durations in quotes have no exponent, and need no ".0".
    return f"{float(digits):.12f}".rstrip("0").rstrip(".")


def shortest(number: Number, low: float, high: float) -> str:
    """Return the fewest digits that are between two values.

    Example:
        >>> shortest(Number(0, 4, 0.5, "", "cosine.to"), 0.7083, 0.7117)
        '0.71'
    """
    low, high = min(low, high), max(low, high)
    middle = (low + high) / 2
    for count in range(1, 16):
        value = float(f"{middle:.{count - 1}e}")
        if low <= value <= high:
            return plain(number, value)
    return plain(number, middle)
