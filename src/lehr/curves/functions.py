"""Functions of the user's own, under names: text and JSON hold the name, never the code.

>>> import lehr
>>> @lehr.register("docs-halving")
... def halving(t):
...     return 0.5**t
>>> lehr.formula(halving)
formula('docs-halving')
>>> lehr.parse("formula('docs-halving')")(3)
0.125
"""

from __future__ import annotations

import difflib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast, overload

from lehr.curves.arithmetic import Arithmetic, scalars
from lehr.errors import ScheduleError, number

__all__ = ["Member", "family", "lookup", "name_of", "register", "registered", "show"]

F = TypeVar("F", bound=Callable[[Any], Any])

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,79}")
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {}


@overload
def register(name: str) -> Callable[[F], F]: ...
@overload
def register(name: str, function: F) -> F: ...
def register(name: str, function: Any = None) -> Any:
    """Give a function a name, under which schedules that use it can be written and read.

    A program that reads such a schedule registers the same name first.

    Arguments:
        name: Letters, digits, ``_``, ``-`` and ``.``, at most 80, the first a letter or ``_``; not
            the name of an ease.
        function: Called with one number. Without it, a decorator is returned.

    Raises:
        ScheduleError: If it is no name, is taken by another function, or ``function`` cannot be
            called.
    """
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise ScheduleError(
            f"register: name={name!r} must be made of letters, digits, '_', '-' and '.'; "
            "write lehr.register('my-decay')(function)"
        )
    from lehr.curves.easing import names

    if name in {ease.partition("(")[0] for ease in names()}:
        raise ScheduleError(f"register: name={name!r} is an ease of lehr's own; write another")
    if function is None:
        return partial(register, name)
    if not callable(function):
        raise ScheduleError(f"register: function={function!r} cannot be called")
    if _FUNCTIONS.setdefault(name, function) is not function:
        raise ScheduleError(
            f"register: {name!r} is the name of {_place(_FUNCTIONS[name])} already; write another"
        )
    return function


class Member(ABC):
    """A function of lehr's own with numbers of its own, such as ``"radam(0.999)"``.

    A subclass takes the numbers in ``__init__``, says between what its values lie, gives them in
    ``value`` for every kind of number, and is named by :func:`family`. It is made by :func:`lookup`
    alone, one for each text.
    """

    text: str
    low: float
    high: float

    @abstractmethod
    def value(self, t: Any, m: Arithmetic) -> Any:
        """Return the values at the steps ``t``, by the arithmetic ``m`` that belongs to them."""

    def __call__(self, t: Any) -> float:
        return float(self.value(t, scalars))

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy is the same object, so that schedules that use it stay equal.
        return lookup, (self.text,)


M = TypeVar("M", bound=type[Member])

_FAMILIES: dict[str, type[Member]] = {}
_MEMBERS: dict[str, Member] = {}
_MEMBER = re.compile(r"([a-z-]{1,40})\(([0-9eE+., -]{1,80})\)")


def family(name: str) -> Callable[[M], M]:
    """Give a class of functions its name; see :class:`Member`."""

    def name_class(members: M) -> M:
        _FAMILIES[name] = members
        return members

    return name_class


def _member(text: str) -> Member | None:
    match = _MEMBER.fullmatch(text)
    if match is None or match[1] not in _FAMILIES:
        return None
    values = [_parameter(match[1], value) for value in match[2].split(",")]
    canonical = f"{match[1]}({', '.join(map(_plain, values))})"
    if canonical not in _MEMBERS:
        member = _FAMILIES[match[1]](*values)
        member.text = canonical
        _MEMBERS[canonical] = member
    return _MEMBERS[canonical]


def _parameter(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ScheduleError(f"{name} parameter {text!r} is not a number") from None
    return number(f"{name} parameter", value)


def _plain(value: float) -> str:
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def lookup(name: str) -> Callable[[Any], Any]:
    """Return the function of a name.

    Raises:
        ScheduleError: If there is none; the message lists those that there are.
    """
    if name in _FUNCTIONS:
        return _FUNCTIONS[name]
    member = _member(name)
    if member is not None:
        return member
    known = ", ".join(_FUNCTIONS) or "none"
    close = difflib.get_close_matches(name, _FUNCTIONS, n=1)
    if not close:
        kin = difflib.get_close_matches(name.partition("(")[0], _FAMILIES, n=1)
        close = [f"{kin[0]}(...)"] if kin else []
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise ScheduleError(
        f"function={name[:80]!r} is not registered; {hint}registered: {known}; "
        "write lehr.register('name')(function)"
    )


def registered(name: str) -> bool:
    """Return whether a function has that name."""
    return name in _FUNCTIONS


def name_of(function: Callable[[Any], Any]) -> str | None:
    """Return the name that a function is registered under, or None."""
    if isinstance(function, Member):
        return function.text
    return next((name for name, known in _FUNCTIONS.items() if known is function), None)


def show(function: Callable[[Any], Any]) -> str:
    """Write a function as text that is the same in every process.

    That is its name where it is registered; else where it stands in the program, in ``<>``, which
    no text can be read from.
    """
    name = name_of(function)
    return repr(name) if name is not None else f"<{_place(function)}>"


def _place(function: Any) -> str:
    # An object that can be called, such as a functools.partial, is shown by its class.
    named = function if hasattr(function, "__qualname__") else cast(Any, type(function))
    return f"{named.__module__}.{named.__qualname__}"
