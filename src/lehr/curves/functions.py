"""User-defined functions with names: text and JSON contain the name, never the code.

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
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast, overload

from lehr.curves.arithmetic import Arithmetic, scalars
from lehr.errors import ScheduleError, number, shown, whole

_OneArgument = TypeVar("_OneArgument", bound=Callable[[Any], Any])

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,79}")
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {}
_RESERVED: set[str] = set()


@overload
def register(name: str) -> Callable[[_OneArgument], _OneArgument]: ...
@overload
def register(name: str, function: _OneArgument) -> _OneArgument: ...
def register(name: str, function: Any = None) -> Any:
    """Give a function a name, under which schedules that use it can be written and read.

    A program that reads such a schedule must register the same name first.

    Arguments:
        name: Letters, digits, ``_``, ``-`` and ``.``, at most 80, the first a letter or ``_``; not
            the name of an ease.
        function: Called with one number. Without it, a decorator is returned.

    Raises:
        ScheduleError: If it is not a name, is taken by another function, or ``function`` cannot be
            called.
    """
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise ScheduleError(
            f"register: name={shown(name)} must be made of letters, digits, '_', '-' and '.'; "
            "write lehr.register('my-decay')(function)"
        )
    if name in _RESERVED:
        raise ScheduleError(f"register: name={name!r} is the name of an ease; write another")
    if function is None:
        return partial(register, name)
    if not callable(function):
        raise ScheduleError(f"register: function={shown(function)} cannot be called")
    if _FUNCTIONS.setdefault(name, function) is not function:
        raise ScheduleError(
            f"register: {name!r} is the name of {_place(_FUNCTIONS[name])} already; write another"
        )
    return function


def reserve(names: Iterable[str]) -> None:
    """Keep names from being registered."""
    _RESERVED.update(names)


class Member(ABC):
    """One of lehr's own functions with parameters, such as ``"radam(0.999)"``.

    A subclass takes the parameters in ``__init__``, has the bounds of its values as attributes,
    returns the values from ``value`` for every kind of number, and is named by :func:`family`. Only
    :func:`lookup` makes instances, one for each text.
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
        # A copy is the same object, so that schedules with it stay equal.
        return lookup, (self.text,)


class Within(NamedTuple):
    """The range of a parameter."""

    above: float = -math.inf
    at_least: float = -math.inf
    at_most: float = math.inf
    whole: bool = False


class _FunctionFamily(NamedTuple):
    made_by: Callable[..., Member]
    parameters: dict[str, Within]

    def make(self, text: str, name: str, numbers: list[str]) -> Member:
        """Return the member with these parameters."""
        if len(numbers) != len(self.parameters):
            raise ScheduleError(
                f"function={text!r}: {name} takes {len(self.parameters)} numbers "
                f"({', '.join(self.parameters)}), {len(numbers)} given"
            )
        values = [
            _parameter(f"{name} {label}", digits, within)
            for (label, within), digits in zip(self.parameters.items(), numbers, strict=True)
        ]
        canonical = f"{name}({', '.join(map(_plain, values))})"
        if canonical not in _MEMBERS:
            member = self.made_by(*values)
            member.text = canonical
            _MEMBERS[canonical] = member
        return _MEMBERS[canonical]


_MemberClass = TypeVar("_MemberClass", bound=type[Member])

_FAMILIES: dict[str, _FunctionFamily] = {}
_MEMBERS: dict[str, Member] = {}
_MEMBER = re.compile(r"([a-z-]{1,40})\(([0-9eE+., -]{1,80})\)")


def family(name: str, **parameters: Within) -> Callable[[_MemberClass], _MemberClass]:
    """Name a class of functions, and give its parameters their ranges; see :class:`Member`."""

    def name_class(members: _MemberClass) -> _MemberClass:
        _FAMILIES[name] = _FunctionFamily(members, parameters)
        return members

    return name_class


def _parameter(name: str, text: str, within: Within) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ScheduleError(f"{name}={text.strip()!r} is not a number") from None
    value = number(name, value, above=within.above, at_most=within.at_most)
    if not within.whole:
        return number(name, value, at_least=within.at_least)
    if value != int(value):
        raise ScheduleError(f"{name}={text.strip()} must be a whole number; write {int(value)}")
    return whole(name, int(value), at_least=int(within.at_least))


def _plain(value: float) -> str:
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def lookup(name: str) -> Callable[[Any], Any]:
    """Return the function with a name.

    Raises:
        ScheduleError: If there is none; the message lists the existing names.
    """
    if name in _FUNCTIONS:
        return _FUNCTIONS[name]
    match = _MEMBER.fullmatch(name)
    if match is not None and match[1] in _FAMILIES:
        return _FAMILIES[match[1]].make(name, match[1], match[2].split(","))
    known = ", ".join(_FUNCTIONS) or "none"
    close = difflib.get_close_matches(name, _FUNCTIONS, n=1)
    if not close:
        kin = difflib.get_close_matches(name.partition("(")[0], _FAMILIES, n=1)
        close = [f"{kin[0]}(...)"] if kin else []
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise ScheduleError(
        f"function={shown(name)} is not registered; {hint}registered: {known}; "
        "write lehr.register('name')(function)"
    )


def registered(name: str) -> bool:
    """Return whether a function has that name."""
    return name in _FUNCTIONS


def name_of(function: Callable[[Any], Any]) -> str | None:
    """Return the name under which a function is registered, or None."""
    if isinstance(function, Member):
        return function.text
    return next((name for name, known in _FUNCTIONS.items() if known is function), None)


def called(function: Callable[[Any], Any], at: Any) -> float:
    """Call a user-defined function with one number.

    Raises:
        ScheduleError: If the result is not a number. An error raised by the function is passed on,
            with a note that names the function.
    """
    try:
        given = function(at)
    except Exception as error:
        error.add_note(f"lehr called {show(function)} with {at!r}")
        raise
    try:
        return float(given)
    except Exception:  # a user's class may raise anything
        raise ScheduleError(
            f"{show(function)} gave {shown(given)} at {at!r}, not a number"
        ) from None


def show(function: Callable[[Any], Any]) -> str:
    """Write a function as text that is the same in every process.

    This is its name if it is registered; otherwise its location in the program, in ``<>``, which
    cannot be read back.
    """
    name = name_of(function)
    return repr(name) if name is not None else f"<{_place(function)}>"


def _place(function: Any) -> str:
    # A callable object, such as a functools.partial, is shown by its class.
    named = function if hasattr(function, "__qualname__") else cast(Any, type(function))
    return f"{named.__module__}.{named.__qualname__}"
