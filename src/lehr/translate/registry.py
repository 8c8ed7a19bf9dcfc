"""What a translation is, and the register of what can be translated.

A library is a module of this package with its own name. It registers a function for each of the
library's schedulers, whose arguments are that scheduler's own, by its own names:

    @translates("timm", "cosine", also=("CosineLRScheduler",))
    def cosine(*, epochs: int, warmup_epochs: int = 0, faithful: bool = False) -> Translation: ...

The function returns a :class:`Translation`, or a bare schedule where there is nothing to add. It
has a parameter ``faithful`` where it can reproduce what it otherwise puts right, and ``lr``, the
optimizer's own rate, where the library's own arguments leave it out although some are absolute.
A saved state is read by a second function, given as ``state=``, that makes arguments of it.

:func:`reads` registers the one function of a library that reads its live objects.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from lehr.errors import ScheduleError
from lehr.schedule.base import Schedule

__all__ = [
    "Translation",
    "arguments_of",
    "libraries",
    "names",
    "reads",
    "translate",
    "translates",
]


@dataclass(frozen=True)
class Translation:
    """A scheduler of another library as a schedule.

    Attributes:
        schedule: Its learning rate at each step: a factor of the base rate, or absolute. Of a live
            scheduler whose groups do not share a factor, the absolute rate of the first group.
        absolute: Whether ``schedule`` is the rate itself rather than a factor of the base rate.
        notes: What differs from the library, and why; empty where nothing does.
        momentum: The momentum that it drives (or the first beta), absolute; None where it drives
            none.
        groups: The absolute rate of each parameter group of a live scheduler, in their order;
            empty where no optimizer is known.
        position: The step that a live scheduler, or a saved state, is at: the next update uses the
            value there. None where there is none.
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
Reader = Callable[..., Translation]
FromState = Callable[[Mapping[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class _Scheduler:
    """One scheduler of a library: what translates it, and what makes arguments of its state."""

    function: Translator
    parameters: dict[str, inspect.Parameter]
    from_state: FromState | None

    @property
    def open_ended(self) -> bool:
        return any(p.kind is p.VAR_KEYWORD for p in self.parameters.values())

    @property
    def arguments(self) -> dict[str, inspect.Parameter]:
        """Its own arguments: not ``faithful``, which is handed to those that have it."""
        kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        own = {name: p for name, p in self.parameters.items() if p.kind in kinds}
        own.pop("faithful", None)
        return own


# The modules of this package that are no library.
_FRAME: Final = ("registry",)

_SCHEDULERS: dict[str, dict[str, _Scheduler]] = {}
_ALIASES: dict[str, dict[str, str]] = {}
_READERS: dict[str, Reader] = {}

F = TypeVar("F", bound=Translator)
R = TypeVar("R", bound=Reader)


def translates(
    library: str, name: str, *, also: Iterable[str] = (), state: FromState | None = None
) -> Callable[[F], F]:
    """Register the function below as the translation of a library's scheduler.

    Arguments:
        library: The library, as its module of this package is called.
        name: The scheduler's name there.
        also: Other names of the same scheduler.
        state: Makes arguments of a saved state; they win over those that are given.

    Raises:
        ScheduleError: If the library has a translation of that name already.
    """

    def register(function: F) -> F:
        known = _SCHEDULERS.setdefault(library, {})
        aliases = _ALIASES.setdefault(library, {})
        for label in (name, *also):
            if label in known or label in aliases:
                raise ScheduleError(f"{library} has two translations of {label!r}")
        known[name] = _Scheduler(function, dict(inspect.signature(function).parameters), state)
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
    return [name for name in found if name not in _FRAME and not name.startswith("_")]


def names(library: str) -> list[str]:
    """Return the schedulers of a library that can be translated.

    Raises:
        ScheduleError: If there is no such library.
    """
    return list(_load(library))


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
        state: A saved state of it (``scheduler.state_dict()``), where the library has such.
        faithful: Reproduce even what is plainly wrong: a rate below zero past the end, a rebound
            to the peak. Otherwise that is put right, and said in the notes.
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
    if name is None:
        known = ", ".join(names(source))
        raise ScheduleError(f"translate({source!r}) needs a name; {source} has {known}")
    scheduler = _find(source, name)
    label = f"{source} {name}"
    if state is not None:
        arguments = {**arguments, **arguments_of(source, name, state)}
    _check_arguments(label, scheduler, arguments)
    if "faithful" in scheduler.parameters:
        arguments["faithful"] = faithful
    try:
        result = scheduler.function(**arguments)
    except TypeError as error:
        # An argument of a kind that the library would not take either.
        raise ScheduleError(f"{label}: {error}") from None
    return Translation(result) if isinstance(result, Schedule) else result


def arguments_of(library: str, name: str, state: Any) -> dict[str, Any]:
    """Return the arguments that a saved state of a scheduler says.

    Raises:
        ScheduleError: If its states are not read, or this is none.
    """
    from_state, label = _find(library, name).from_state, f"{library} {name}"
    if from_state is None:
        raise ScheduleError(f"{label} is not read from a saved state; give its arguments")
    if not isinstance(state, Mapping):
        raise ScheduleError(f"{label}: state={state!r} is no saved state; give a dict")
    try:
        return from_state(cast("Mapping[str, Any]", state))
    except KeyError as error:
        raise ScheduleError(f"{label}: the state lacks {error}") from None


def _translate_object(
    source: Any, name: str | None, state: Any, faithful: bool, arguments: dict[str, Any]
) -> Translation:
    if name is not None or arguments or state is not None:
        raise ScheduleError(
            f"a live {type(source).__name__} says all by itself; write translate(scheduler)"
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
            "a saved state does not say of what it is; write translate('torch', 'StepLR', "
            "state=scheduler.state_dict()), with the scheduler's own name"
        )
    raise ScheduleError(
        f"a {type(source).__module__}.{type(source).__qualname__} cannot be read; write "
        f"translate(library, name, ...) for a scheduler of {', '.join(known)}"
    )


def _load(library: str) -> dict[str, _Scheduler]:
    """Import a library's translations; the library itself stays unimported."""
    known = libraries()
    if library not in known:
        raise ScheduleError(f"library={library!r} is unknown; {_choice(library, known)}")
    importlib.import_module(f"lehr.translate.{library}")
    return _SCHEDULERS.get(library, {})


def _find(library: str, name: str) -> _Scheduler:
    known = _load(library)
    aliases = _ALIASES.get(library, {})
    if name in known or name in aliases:
        return known[aliases.get(name, name)]
    choice = _choice(name, [*known, *aliases])
    raise ScheduleError(f"{library} has no scheduler {name!r} that can be translated; {choice}")


def _check_arguments(label: str, scheduler: _Scheduler, arguments: dict[str, Any]) -> None:
    known = scheduler.arguments
    for name, value in arguments.items():
        if name not in known and not scheduler.open_ended:
            raise ScheduleError(f"{label}: {name}={value!r} is no argument; {_choice(name, known)}")
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in arguments:
            raise ScheduleError(f"{label}: {name} is missing; its arguments are {', '.join(known)}")


def _choice(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the nearest right one, and all."""
    known = list(known)
    lower = {label.lower(): label for label in reversed(known)}
    close = difflib.get_close_matches(name.lower(), lower, n=1)
    hint = f"did you mean {lower[close[0]]!r}? " if close else ""
    return f"{hint}write one of {', '.join(known)}"
