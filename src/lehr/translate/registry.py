"""Translations, and the register of the schedulers that can be translated.

A library is a module of this package with its own name. It registers a function for each of the
library's schedulers, whose arguments are that scheduler's own, by its own names:

    @translates("timm", "cosine", "CosineLRScheduler")
    def cosine(epochs: int, warmup_epochs: int = 0, faithful: bool = False) -> Translation: ...

The function returns a :class:`Translation`, or a bare schedule where there is nothing to add. It
has a parameter ``faithful`` where it can reproduce what it otherwise corrects, and ``lr``, the
optimizer's own rate, where the library's arguments do not include it although some are absolute. A
saved state is read by a second function, given as ``state=``, that turns it into arguments.

Arguments that several schedulers of a library share are written once, as the fields of a dataclass.
A function whose first parameters are dataclasses is called with instances of them. An annotation
may hold the check of an argument, which is called with its name and value and returns the value:

    @dataclass(frozen=True, kw_only=True)
    class Warmup:
        warmup_epochs: Annotated[int, whole] = 0

    @translates("timm", "cosine")
    def cosine(warmup: Warmup, epochs: int) -> Translation: ...

:func:`ignores` names what makes no difference to any scheduler of a library, and :func:`reads`
registers the one function of a library that reads its live objects.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from fractions import Fraction
from types import NoneType
from typing import Annotated, Any, Final, TypeVar, cast, get_args, get_origin

from lehr.errors import ScheduleError, flag, number, shown
from lehr.schedule.base import Schedule


@dataclass(frozen=True)
class Translation:
    """A scheduler of another library as a schedule.

    Attributes:
        schedule: Its learning rate at each step: a factor of the base rate, or absolute. For a live
            scheduler whose groups do not share a factor, the absolute rate of the first group.
        absolute: Whether ``schedule`` is the rate itself rather than a factor of the base rate.
        notes: What differs from the library, and why; empty where nothing does.
        momentum: The momentum that it drives (or the first beta), absolute; None where it drives
            none.
        groups: The absolute rate of each parameter group of a live scheduler, in their order;
            empty where no optimizer is known.
        position: The step that a live scheduler, or a saved state, is at: the next update uses the
            value there. Otherwise None.
    """

    schedule: Schedule
    absolute: bool = False
    notes: tuple[str, ...] = ()
    momentum: Schedule | None = None
    groups: tuple[Schedule, ...] = ()
    position: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "notes", tuple(self.notes))
        object.__setattr__(self, "groups", tuple(self.groups))


Translator = Callable[..., Translation | Schedule]
LiveReader = Callable[..., Translation]
FromState = Callable[[Mapping[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Registered:
    """A function that makes a translation, or a part of one, and the arguments that it has.

    Its first parameters are instances of the dataclasses ``groups``, whose fields are among the
    ``parameters``; what is ``ignored`` makes no difference to the schedule.
    """

    function: Callable[..., Any]
    groups: tuple[type[Any], ...]
    parameters: dict[str, inspect.Parameter]
    ignored: frozenset[str]
    from_state: FromState | None

    @classmethod
    def of(
        cls, function: Callable[..., Any], ignored: Iterable[str], state: FromState | None
    ) -> Registered:
        parameters = dict(inspect.signature(function, eval_str=True).parameters)
        groups: list[type[Any]] = []
        for name, parameter in list(parameters.items()):
            group = parameter.annotation
            if isinstance(group, type) and is_dataclass(group):
                groups.append(group)
                del parameters[name]
                parameters |= inspect.signature(group, eval_str=True).parameters
        return cls(function, tuple(groups), parameters, frozenset(ignored), state)

    @property
    def open_ended(self) -> bool:
        return any(p.kind is p.VAR_KEYWORD for p in self.parameters.values())

    def call(self, label: str, arguments: Mapping[str, Any]) -> Any:
        """Call the function; ``label`` is the library and the scheduler, for errors.

        Raises:
            ScheduleError: If an argument is unknown or missing, or the function raises it.
        """
        self._check(label, arguments)
        left = {
            name: self._checked(name, value)
            for name, value in arguments.items()
            if name not in self.ignored
        }
        made: list[Any] = []
        for group in self.groups:
            own = [field.name for field in fields(group) if field.name in left]
            made.append(group(**{name: left.pop(name) for name in own}))
        try:
            return self.function(*made, **left)
        except TypeError as error:
            # The argument is of a kind that the library would not accept either.
            raise ScheduleError(f"{label}: {error}") from None

    def _checked(self, name: str, value: Any) -> Any:
        """Return an argument, checked as its annotation says; a number keeps all its digits."""
        parameter = self.parameters.get(name)
        if parameter is None:
            return value
        # ``Annotated[float, check]``, or a union with that.
        hints = (parameter.annotation, *get_args(parameter.annotation))
        if value is None and (parameter.default is None or NoneType in hints):
            return value
        for hint in hints:
            if get_origin(hint) is Annotated:
                found = hint.__metadata__[0](name, value)
                return value if isinstance(value, int) and isinstance(found, float) else found
        if all(hint in _PLAIN for hint in hints):
            if bool in hints:
                return flag(name, value)
            found = number(name, value)
            return value if isinstance(value, int | Fraction) else found
        return value

    def _check(self, label: str, arguments: Mapping[str, Any]) -> None:
        known = {
            name: p
            for name, p in self.parameters.items()
            if p.kind is not p.VAR_KEYWORD and name != "faithful"
        }
        for name, value in arguments.items():
            if name in self.parameters or name in self.ignored or self.open_ended:
                continue
            if name == "optimizer":
                raise ScheduleError(
                    f"{label}: optimizer: a schedule needs only its rate; leave it out, and give "
                    "lr=0.1 where an argument is a rate"
                )
            raise ScheduleError(
                f"{label}: {name}={value!r} is not an argument; {_choice(name, known)}"
            )
        for name, parameter in known.items():
            if parameter.default is parameter.empty and name not in arguments:
                raise ScheduleError(
                    f"{label}: {name} is missing; its arguments are {', '.join(known)}"
                )


# Annotations that say of themselves what to check.
_PLAIN: Final = (float, bool, NoneType, float | None, bool | None)


# The modules of this package that are not libraries.
_SHARED: Final = ("arguments", "one_cycle", "pieces", "plateau", "registry")

_SCHEDULERS: dict[str, dict[str, Registered]] = {}
_ALIASES: dict[str, dict[str, str]] = {}
_READERS: dict[str, LiveReader] = {}
_IGNORED: dict[str, tuple[str, ...]] = {}

F = TypeVar("F", bound=Translator)
R = TypeVar("R", bound=LiveReader)


def ignores(library: str, *arguments: str) -> None:
    """Ignore arguments that make no difference to any scheduler that is registered after this."""
    _IGNORED[library] = arguments


def translates(
    library: str, name: str, *also: str, ignores: Iterable[str] = (), state: FromState | None = None
) -> Callable[[F], F]:
    """Register the function below as the translation of a library's scheduler.

    Arguments:
        library: The name of the library's module in this package.
        name: The scheduler's name there.
        *also: Other names of the same scheduler.
        ignores: Arguments that the scheduler has and that make no difference to its values.
        state: Turns a saved state into arguments, which override those that are given.

    Raises:
        ScheduleError: If the library has a translation of that name already.
    """

    def register(function: F) -> F:
        known = _SCHEDULERS.setdefault(library, {})
        aliases = _ALIASES.setdefault(library, {})
        for label in (name, *also):
            if label in known or label in aliases:
                raise ScheduleError(f"{library} has two translations of {label!r}")
        known[name] = Registered.of(function, {*ignores, *_IGNORED.get(library, ())}, state)
        aliases.update(dict.fromkeys(also, name))
        return function

    return register


def reads(library: str) -> Callable[[R], R]:
    """Register the function below as the reader of a library's live objects.

    It is called with an object of a class (or with a base class) of the library's package, and
    ``faithful=``; it raises a :class:`ScheduleError` for what it cannot read.
    """

    def register(function: R) -> R:
        _READERS[library] = function
        return function

    return register


def libraries() -> list[str]:
    """Return the libraries that can be translated from."""
    package = importlib.import_module("lehr.translate")
    found = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return [name for name in found if name not in _SHARED]


def names(library: str) -> list[str]:
    """Return the schedulers of a library that can be translated.

    Raises:
        ScheduleError: If there is no such library.
    """
    return list(_load(library))


def libraries_with(name: str) -> list[str]:
    """Return the libraries that have a scheduler of this name that can be translated."""
    return [
        library for library in libraries() if name in {*_load(library), *_ALIASES.get(library, {})}
    ]


def translate(
    source: Any,
    name: str | None = None,
    /,
    *,
    state: Any = None,
    faithful: bool = False,
    **arguments: Any,
) -> Translation:
    """Return another library's scheduler as a lehr schedule.

    Write ``translate(library, name, **arguments)`` with the scheduler's own arguments by their own
    names, or ``translate(scheduler)`` with a live one.

    Arguments:
        source: The library, such as ``"torch"``; or a live scheduler.
        name: The scheduler's name in that library, such as ``"StepLR"``.
        state: A saved state of it (``scheduler.state_dict()``), if the library has them.
        faithful: Reproduce even what is plainly wrong: a rate below zero past the end, a rebound
            to the peak. Otherwise that is corrected, and the notes say so.
        **arguments: Its own arguments. ``lr`` is the optimizer's rate, where that is needed.

    Returns:
        The schedule, what its values mean, and what differs.

    Raises:
        ScheduleError: If there is no such library, scheduler or argument, an argument is missing
            or out of its range, or it cannot be written as a schedule.

    Example:
        >>> t = translate("torch", "StepLR", step_size=30)
        >>> t.schedule
        exponential(0.1, every=30).every(30)
        >>> t.absolute, t.notes
        (False, ())
    """
    if not isinstance(source, str):
        return _translate_object(source, name, state, faithful, arguments)
    if name is not None and not isinstance(name, str):
        raise ScheduleError(f"name={shown(name)} must be a string: a scheduler of {source}")
    if name is None:
        known = ", ".join(names(source))
        raise ScheduleError(f"translate({source!r}) needs a name; {source} has {known}")
    entry = _find(source, name)
    label = f"{source} {name}"
    if state is not None:
        arguments = {**arguments, **arguments_of(source, name, state)}
    if "faithful" in entry.parameters:
        arguments["faithful"] = faithful
    result = entry.call(label, arguments)
    return Translation(result) if isinstance(result, Schedule) else result


def arguments_of(library: str, name: str, state: Any) -> dict[str, Any]:
    """Return the arguments that a saved state of a scheduler holds."""
    from_state, label = _find(library, name).from_state, f"{library} {name}"
    if from_state is None:
        raise ScheduleError(f"{label} is not read from a saved state; give its arguments")
    if not isinstance(state, Mapping):
        raise ScheduleError(f"{label}: state={shown(state)} is not a saved state; give a dict")
    try:
        return from_state(cast("Mapping[str, Any]", state))
    except KeyError as error:
        raise ScheduleError(f"{label}: the state lacks {error}") from None


def _translate_object(
    source: Any, name: str | None, state: Any, faithful: bool, arguments: dict[str, Any]
) -> Translation:
    if isinstance(name, str):
        raise ScheduleError(
            f"library={shown(source)} must be a string, one of {', '.join(libraries())}"
        )
    if isinstance(source, type):
        raise ScheduleError(
            f"{source.__name__} is a class, which has no arguments yet: write translate(scheduler) "
            f"for a scheduler of it, or translate(library, {source.__name__!r}, ...)"
        )
    if name is not None or arguments or state is not None:
        raise ScheduleError(
            f"a live {type(source).__name__} has its arguments; write translate(scheduler) alone"
        )
    known = libraries()
    for base in type(source).__mro__:
        package = base.__module__.partition(".")[0]
        if package in known:
            _load(package)
            if package in _READERS:
                return _READERS[package](source, faithful=faithful)
    if isinstance(source, dict):
        raise ScheduleError(
            "a saved state does not say which scheduler it is of; write translate('torch', "
            "'StepLR', state=scheduler.state_dict()), with the scheduler's own name"
        )
    raise ScheduleError(
        f"a {type(source).__module__}.{type(source).__qualname__} cannot be read; write "
        f"translate(library, name, ...) for a scheduler of {', '.join(known)}"
    )


def _load(library: str) -> dict[str, Registered]:
    """Import a library's translations, but not the library itself."""
    known = libraries()
    if library not in known:
        raise ScheduleError(f"library={shown(library)} is unknown; {_choice(library, known)}")
    importlib.import_module(f"lehr.translate.{library}")
    return _SCHEDULERS.get(library, {})


def _find(library: str, name: str) -> Registered:
    known = _load(library)
    aliases = _ALIASES.get(library, {})
    if name in known or name in aliases:
        return known[aliases.get(name, name)]
    choice = _choice(name, [*known, *aliases])
    raise ScheduleError(
        f"{library} has no scheduler {shown(name)} that can be translated; {choice}"
    )


def _choice(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the nearest right one, and all."""
    known = list(known)
    lower = {label.lower(): label for label in reversed(known)}
    close = difflib.get_close_matches(name[:80].lower(), lower, n=1)
    hint = f"did you mean {lower[close[0]]!r}? " if close else ""
    return f"{hint}write one of {', '.join(known)}"
