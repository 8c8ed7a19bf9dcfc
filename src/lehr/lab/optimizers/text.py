"""Reading an optimizer from its text by walking Python's syntax tree; nothing is ever run."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from lehr.schedule.problem import excerpt

_LONGEST = 2_000
_LISTED = 20  # names in a message, at most

# A place is a module, or a file name that ends in .py, perhaps with a hash of its content.
_TEXT = re.compile(
    r"""\s*
    (?:(?P<place>[A-Za-z_][\w.]*|(?![A-Za-z_]\w*\s*\()[^"']+?\.py(?:@[0-9a-f]{16})?):)?
    (?P<call>(?P<name>[A-Za-z_]\w*)\s*(?:\(.*)?)$""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)


@dataclass(frozen=True)
class Named:
    """The name of an optimizer without brackets, used as a value: the class itself."""

    name: str


@dataclass(frozen=True)
class Parts:
    """The parts of a text.

    Attributes:
        place: The module or the file of the class; empty for torch's own.
        name: The name of the class, or the lower-case name of one of torch's.
        settings: The arguments, by name.
        inner: The optimizer that this one wraps, given as its first argument, or None.
        text: The text that was read, for messages.
        at: The position of each argument in the text, and that of the name under ``""``.
    """

    place: str
    name: str
    settings: dict[str, Any]
    inner: Parts | None
    text: str
    at: dict[str, int]

    def error(self, message: str, argument: str = "") -> ValueError:
        """Return an error that points at an argument, or at the name."""
        return refuse(message, self.text, self.at.get(argument, self.at[""]))


def refuse(message: str, text: str, at: int) -> ValueError:
    """Return an error that points at a place in a text, if the text is more than a name."""
    return ValueError(f"{message}\n{excerpt(text, at)}" if "(" in text else message)


def nearest(name: str, known: Iterable[str], otherwise: str = "it takes") -> str:
    """Suggest the known names nearest to a name, or list all of them."""
    choices = list(dict.fromkeys(known))
    close = get_close_matches(name[:80], choices, n=3)
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    more = f" and {len(choices) - _LISTED} more" if len(choices) > _LISTED else ""
    return f"{otherwise} {', '.join(choices[:_LISTED])}{more}."


def read(text: str) -> Parts:
    """Read the text of an optimizer.

    Raises:
        ValueError: If it is not one; the message points at the place.

    Example:
        >>> parts = read("lion.py:Lion(betas=(0.9, 0.99))")
        >>> parts.place, parts.name, parts.settings
        ('lion.py', 'Lion', {'betas': [0.9, 0.99]})
    """
    found = _TEXT.match(text) if len(text) <= _LONGEST else None
    if found is None:
        raise refuse(
            f"{text!r:.60} is not an optimizer: write adamw, adamw(weight_decay=0.1) or "
            "package.module:Class(...)",
            text,
            0,
        )
    start = found.start("call")
    try:
        # In brackets, so that the text may have several lines.
        tree = ast.parse(f"({found['call']})", mode="eval").body
    except SyntaxError as error:
        line = sum(map(len, found["call"].splitlines(keepends=True)[: (error.lineno or 1) - 1]))
        at = min(start + line + max((error.offset or 2) - 2, 0), len(text))
        raise refuse(f"this cannot be read: {error.msg}", text, at) from None
    except (RecursionError, MemoryError, ValueError):
        raise refuse("this cannot be read", text, start) from None
    return _ClassReader(text, start, found["call"]).optimizer(tree, found["place"] or "")


class _ClassReader:
    def __init__(self, text: str, start: int, call: str) -> None:
        self._text = text
        # Columns count bytes, and the first line has one bracket more than the text.
        self._lines = call.splitlines(keepends=True) or [""]
        self._start = start

    def _at(self, node: Any) -> int:
        row = node.lineno - 1
        column = node.col_offset - (1 if row == 0 else 0)
        here = self._lines[row].encode()[: max(column, 0)].decode(errors="ignore")
        return self._start + sum(map(len, self._lines[:row])) + len(here)

    def _refuse(self, message: str, node: ast.AST) -> ValueError:
        return refuse(message, self._text, self._at(node))

    def optimizer(self, node: ast.expr, place: str = "") -> Parts:
        if isinstance(node, ast.Name):
            return Parts(place, node.id, {}, None, self._text, {"": self._at(node)})
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            raise self._refuse("this is not an optimizer: write adamw(weight_decay=0.1)", node)
        inner: Parts | None = None
        if node.args:
            if len(node.args) > 1 or not isinstance(node.args[0], ast.Call):
                raise self._refuse("write each argument with its name: name=value", node.args[-1])
            inner = self.optimizer(node.args[0])
        settings: dict[str, Any] = {}
        at = {"": self._at(node.func)}
        for word in node.keywords:
            if word.arg is None or word.arg in settings:
                what = (
                    "** has no meaning here" if word.arg is None else f"{word.arg} is given twice"
                )
                raise self._refuse(what, word)
            settings[word.arg], at[word.arg] = self._value(word.value), self._at(word)
        return Parts(place, node.func.id, settings, inner, self._text, at)

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=float(value)) if not math.isfinite(value):
                raise self._refuse("this number is not finite", node)
            case ast.Constant(value=None | bool() | int() | float() | str() as value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
                return -self._value(node.operand)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [self._value(item) for item in items]
            case ast.Dict(keys=keys, values=values):
                return {
                    self._key(key, node): self._value(each)
                    for key, each in zip(keys, values, strict=True)
                }
            case ast.Name(id=name):
                return Named(name)
            case ast.Call():
                return self.optimizer(node)
            case _:
                raise self._refuse(
                    "a value is a number, a string in quotes, True, False, None, a list, a dict or "
                    "an optimizer",
                    node,
                )

    def _key(self, key: ast.expr | None, node: ast.AST) -> str:
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            return key.value
        raise self._refuse("the names in a dict are strings in quotes", key or node)


def write(value: Any) -> str:
    """Return a value, or the parts of a text, in the form that `read` reads.

    Example:
        >>> write(read(" adamw( weight_decay = .1, betas = (0.9, .95) )"))
        'adamw(betas=[0.9, 0.95], weight_decay=0.1)'
    """
    match value:
        case Named(name=name):
            return name
        case Parts():
            words = [] if value.inner is None else [_nested(value.inner)]
            words += [f"{name}={_nested(value.settings[name])}" for name in sorted(value.settings)]
            place = f"{value.place}:" if value.place else ""
            return f"{place}{value.name}" + (f"({', '.join(words)})" if words else "")
        case list():
            items: list[Any] = value
            return f"[{', '.join(map(_nested, items))}]"
        case dict():
            named: dict[str, Any] = value
            return f"{{{', '.join(f'{name!r}: {_nested(v)}' for name, v in named.items())}}}"
        case _:
            return repr(value)


def _nested(value: Any) -> str:
    text = write(value)
    # Empty brackets distinguish a nested optimizer from the name of a class.
    return f"{text}()" if isinstance(value, Parts) and text == value.name else text
