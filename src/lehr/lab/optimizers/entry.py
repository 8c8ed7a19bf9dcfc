"""An optimizer as its text describes it, and how to build it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from lehr.lab.optimizers import installed
from lehr.lab.optimizers.text import Named, Parts, nearest, read, write
from lehr.lab.schedules import find_contender

if TYPE_CHECKING:
    from torch.optim import Optimizer


# Short names with their own settings, which a text may change.
_SHORT: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {"momentum": 0.0}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {"betas": [0.9, 0.999]}),
    "adamw": ("AdamW", {"betas": [0.9, 0.999], "weight_decay": 0.01}),
    "muon": ("Muon", {"rest": Named("adamw")}),
}

# torch's optimizers that have a momentum or betas by default.
_HAVE_MOMENTUM = {"adam", "adamw", "adamax", "muon", "nadam", "radam", "sparseadam"}

# lehr's own arguments, for every optimizer.
_RESTS = ("rest", "rest_ratio", "rest_schedule")


@dataclass(frozen=True)
class OptimizerEntry:
    """One optimizer.

    Attributes:
        kind: The name of the class.
        settings: Its arguments except the rate.
        place: The module or the file of the class; empty for torch's own.
        inner: The optimizer that this one wraps, or None.
        rest: The optimizer of the weights that are not hidden matrices, or None if this one trains
            all of them.
        rest_ratio: The peak of the rest, as a share of this one's.
        rest_schedule: The schedule of the rest; None for the same schedule.
    """

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    place: str = ""
    inner: OptimizerEntry | None = None
    rest: OptimizerEntry | None = None
    rest_ratio: float = 1.0
    rest_schedule: str | None = None

    @property
    def has_momentum(self) -> bool:
        """Whether, according to its text, it has a momentum (or beta1) that a schedule may change.

        A class from outside torch has one if the text names its `momentum` or its `betas`.
        """
        if self.inner is not None:
            return self.inner.has_momentum
        momentum = self.settings.get("momentum")
        if isinstance(momentum, int | float):
            return momentum > 0
        return "betas" in self.settings or (not self.place and self.kind.lower() in _HAVE_MOMENTUM)

    @property
    def text(self) -> str:
        """The optimizer with its settings, as code."""
        inner = [] if self.inner is None else [self.inner.text]
        words = [*inner, *(f"{name}={_code(value)}" for name, value in self.settings.items())]
        text = f"{self.kind}({', '.join(words)})"
        if self.rest is None:
            return text
        ratio = "" if self.rest_ratio == 1 else f" at {self.rest_ratio:g} of the peak"
        schedule = "" if self.rest_schedule is None else f" on {self.rest_schedule}"
        return f"{text} for hidden matrices, {self.rest.text}{ratio}{schedule} for the rest"

    def make(self, parameters: Any, lr: float, **options: Any) -> Optimizer:
        """Build the optimizer.

        Arguments:
            parameters: A network, parameters (perhaps with names), or parameter groups. An
                optimizer that trains hidden matrices apart from the rest needs the network.
            lr: The rate.
            options: Additional arguments, such as `foreach`, for classes that have them.

        Raises:
            ValueError: If the class cannot be found, or a network is needed and was not given.
        """
        from lehr.lab.optimizers.making import make  # Loads torch.

        return make(self, parameters, lr, options)


def find_optimizer(text: str, *, check: bool = True) -> OptimizerEntry:
    """Return the optimizer that a text describes; reading it runs nothing.

    Arguments:
        text: The lower-case name of a class in `torch.optim`, or a short name such as `momentum`,
            with arguments in brackets if wanted; or ``package.module:Class(...)`` or
            ``FILE.py:Class(...)``. Arguments are numbers, strings, lists, dicts, or names of
            torch's classes.
        check: Whether the installed torch, or the file, must have the class and its arguments. A
            package is looked for only when the optimizer is trained.

    Raises:
        ValueError: If the name or an argument is unknown (the message has the nearest known ones),
            or the text cannot be read.

    Example:
        >>> find_optimizer("adamw(weight_decay=0.1)").text
        'AdamW(betas=(0.9, 0.999), weight_decay=0.1)'
        >>> find_optimizer("muon(rest_ratio=0.1)").rest.text
        'AdamW(betas=(0.9, 0.999), weight_decay=0.01)'
    """
    return _entry(read(text), check)


def _entry(parts: Parts, check: bool = True) -> OptimizerEntry:
    kind, usual = (parts.name, {}) if parts.place else _torch_class(parts, check)
    settings = {**usual, **parts.settings}
    own = {name: settings.pop(name) for name in _RESTS if name in settings}
    if check:
        installed.check_class(parts) if parts.place else _check_arguments(parts, kind, settings)
    return OptimizerEntry(
        kind=kind,
        settings={name: _setting(value, parts, name, check) for name, value in settings.items()},
        place=parts.place,
        inner=None if parts.inner is None else _entry(parts.inner, check),
        **_rest(parts, own, check),
    )


def _torch_class(parts: Parts, check: bool) -> tuple[str, dict[str, Any]]:
    """Return the class of a name, and the settings that its short form implies."""
    if parts.name in _SHORT:
        return _SHORT[parts.name]
    known = installed.torch_classes()
    if parts.name in known or not (known and check):
        return known.get(parts.name, parts.name), {}
    near = nearest(parts.name.lower(), [*_SHORT, *known], "choose from")
    raise parts.error(
        f"unknown optimizer {parts.name!r}: {near} Or write package.module:Class or FILE.py:Class"
    )


def _check_arguments(parts: Parts, kind: str, settings: Mapping[str, Any]) -> None:
    taken = installed.torch_arguments(kind)
    if taken is None:
        return
    for name in settings:
        if name not in taken:
            raise parts.error(
                f"{parts.name} has no argument {name!r}: {nearest(name, [*taken, *_RESTS])}", name
            )


def _setting(value: Any, parts: Parts, name: str, check: bool) -> Any:
    """Return a value in which the texts of optimizers are replaced by their entries."""
    match value:
        case Parts():
            return _entry(value, check)
        case list():
            items: list[Any] = value
            return [_setting(item, parts, name, check) for item in items]
        case Named():
            return Named(_named(value, parts, name, check).kind)
        case _:
            return value


def _named(value: Named, parts: Parts, argument: str, check: bool) -> OptimizerEntry:
    """Return the optimizer that an argument names."""
    try:
        return find_optimizer(value.name, check=check)
    except ValueError as error:
        raise parts.error(str(error).partition("\n")[0], argument) from None


def _rest(parts: Parts, own: Mapping[str, Any], check: bool) -> dict[str, Any]:
    """Return the fields set by lehr's own arguments."""
    rest, ratio, schedule = (own.get(name) for name in _RESTS)
    if rest is None:
        for name in own:
            raise parts.error(f"{name} needs rest=..., such as rest=adamw", name)
        return {}
    if isinstance(rest, Named):
        rest = _named(rest, parts, "rest", check)
    elif isinstance(rest, Parts):
        rest = _entry(rest, check)
    else:
        raise parts.error(f"rest={rest!r:.40} is not an optimizer: write rest=adamw", "rest")
    number = isinstance(ratio, int | float) and not isinstance(ratio, bool)
    if ratio is not None and not (number and 0 < ratio < math.inf):
        raise parts.error(f"rest_ratio={ratio!r:.40} must be a number above 0", "rest_ratio")
    if schedule is not None:
        if not isinstance(schedule, str):
            raise parts.error("rest_schedule is a string in quotes: 'linear'", "rest_schedule")
        try:
            find_contender(schedule)
        except ValueError as error:
            message = f"rest_schedule={schedule!r}: {str(error).partition(chr(10))[0]}"
            raise parts.error(message, "rest_schedule") from None
    return {"rest": rest, "rest_ratio": float(ratio or 1), "rest_schedule": schedule}


def _code(value: Any) -> str:
    """Return a setting as Python code: lists as tuples, as torch's own examples write them."""
    match value:
        case OptimizerEntry(text=text):
            return text
        case Named(name=name):
            return name
        case [_]:
            return f"({_code(value[0])},)"
        case list():
            items: list[Any] = value
            return f"({', '.join(map(_code, items))})"
        case _:
            return repr(value)


def arguments_of(text: str) -> tuple[str, ...]:
    """Return the arguments of an optimizer, as far as its text and its source show them.

    Example:
        >>> [name for name in ("weight_decay", "momentum", "rest") if name in arguments_of("adam")]
        ['weight_decay']
    """
    entry, parts = find_optimizer(text, check=False), read(text)
    own, torch = installed.own_arguments, installed.torch_arguments
    found = own(parts) if parts.place else torch(entry.kind)
    rests = () if entry.rest is None else _RESTS
    return tuple(dict.fromkeys((*parts.settings, *rests, *(found or ()))))


def with_setting(text: str, argument: str, value: Any) -> str:
    """Return the canonical text of an optimizer with another value of an argument.

    Example:
        >>> with_setting("adamw(weight_decay=0.1)", "weight_decay", 0)
        'adamw(weight_decay=0)'
    """
    parts = read(text)
    changed = write(replace(parts, settings={**parts.settings, argument: value}))
    return canonical(changed, check=False)


def canonical(text: str, *, check: bool = True) -> str:
    """Return the canonical text of an optimizer, with its file's absolute path and hash.

    Example:
        >>> canonical("adamw( betas=(.9, .95), amsgrad=True )")
        'adamw(amsgrad=True, betas=[0.9, 0.95])'
    """
    find_optimizer(text, check=check)
    parts = read(text)
    return write(parts) if not parts.place else write(installed.pinned(parts))


@cache
def identity(text: str) -> str:
    """Return a canonical text without the folder of its file: the same text wherever the file is.

    Example:
        >>> identity("/nets/lion.py@0123456789abcdef:Lion(betas=[0.9, 0.99])")
        '@0123456789abcdef:Lion(betas=[0.9, 0.99])'
    """
    place, _, _ = installed.file_of(text)
    return text.removeprefix(place)


def unpinned(text: str) -> str:
    """Return a canonical text as one would type it: without the hash of its file."""
    place, pin, rest = installed.file_of(text)
    return f"{place}:{rest}" if pin else text


@cache
def label(text: str) -> str:
    """Return a canonical text for display: without the folder and the hash of its file.

    Example:
        >>> label("/nets/lion.py@0123456789abcdef:Lion(betas=[0.9, 0.99])")
        'lion.py:Lion(betas=[0.9, 0.99])'
    """
    place, pin, rest = installed.file_of(text)
    return f"{PurePath(place).name}:{rest}" if pin else text
