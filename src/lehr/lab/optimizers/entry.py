"""An optimizer: what its text names, and how it is made."""

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

__all__ = [
    "OptimizerEntry",
    "canonical",
    "find_optimizer",
    "identity",
    "label",
    "takes",
    "unpinned",
    "with_setting",
]

# Names with settings of their own, which a text may change.
_SHORT: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {"momentum": 0.0}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {"betas": [0.9, 0.999]}),
    "adamw": ("AdamW", {"betas": [0.9, 0.999], "weight_decay": 0.01}),
    "muon": ("Muon", {"rest": Named("adamw")}),
}

# torch's own that have a momentum or betas without being asked.
_HAVE_MOMENTUM = {"Adam", "AdamW", "Adamax", "Muon", "NAdam", "RAdam", "SparseAdam"}

# Arguments of lehr's own, for every optimizer.
_RESTS = ("rest", "rest_ratio", "rest_schedule")


@dataclass(frozen=True)
class OptimizerEntry:
    """One optimizer.

    Attributes:
        kind: The name of the class.
        settings: Its arguments except the rate.
        place: The module or the file of the class; empty for torch's own.
        inner: The optimizer that it wraps, or None.
        rest: The optimizer of the weights that are no hidden matrices, or None if this one trains
            all of them.
        rest_ratio: The peak of the rest, as a share of this one's.
        rest_schedule: The schedule of the rest; None for the same one.
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
        """Whether it has a momentum (or beta1) that a schedule may change, as its text says.

        A class that is not torch's has one if the text names its `momentum` or its `betas`.
        """
        if self.inner is not None:
            return self.inner.has_momentum
        momentum = self.settings.get("momentum")
        if isinstance(momentum, int | float):
            return momentum > 0
        return "betas" in self.settings or (not self.place and self.kind in _HAVE_MOMENTUM)

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
            parameters: A network, parameters (perhaps with names), or parameter groups. One that
                trains hidden matrices apart from the rest needs the network.
            lr: The rate.
            options: Further arguments, such as `foreach`, for classes that have them.

        Raises:
            ValueError: If the class cannot be found, or a network is needed and was not given.
        """
        from lehr.lab.optimizers.making import make  # Loads torch.

        return make(self, parameters, lr, options)


def find_optimizer(text: str, *, check: bool = True) -> OptimizerEntry:
    """Return the optimizer of a text, which is read without running anything.

    Arguments:
        text: The lower-case name of a class in `torch.optim`, or one of `momentum` and `nesterov`,
            with arguments in brackets if wanted; or ``package.module:Class(...)`` or
            ``FILE.py:Class(...)``. Their arguments are numbers, texts, lists, dicts, or names of
            torch's classes.
        check: Whether to look for the file and its class; the text says what it is without it.

    Raises:
        ValueError: If the name or an argument is unknown (the message has the nearest known ones),
            or the text cannot be read. Arguments of classes in packages are checked when they are
            first made.

    Example:
        >>> find_optimizer("adamw(weight_decay=0.1)").text
        'AdamW(betas=(0.9, 0.999), weight_decay=0.1)'
        >>> find_optimizer("muon(rest_ratio=0.1)").rest.text
        'AdamW(betas=(0.9, 0.999), weight_decay=0.01)'
    """
    return _entry(read(text), check)


def _entry(parts: Parts, check: bool = True) -> OptimizerEntry:
    kind, usual = (parts.name, {}) if parts.place else _torch_class(parts)
    settings = {**usual, **parts.settings}
    own = {name: settings.pop(name) for name in _RESTS if name in settings}
    if parts.place and check:
        installed.check_class(parts)
    elif not parts.place:
        _check_arguments(parts, kind, settings)
    return OptimizerEntry(
        kind=kind,
        settings={name: _setting(value, parts, name) for name, value in settings.items()},
        place=parts.place,
        inner=None if parts.inner is None else _entry(parts.inner),
        **_rest(parts, own),
    )


def _torch_class(parts: Parts) -> tuple[str, dict[str, Any]]:
    """Return the class of a name, and what its short form sets."""
    if parts.name in _SHORT:
        return _SHORT[parts.name]
    known = installed.torch_classes()
    if parts.name in known or not known:
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


def _setting(value: Any, parts: Parts, name: str) -> Any:
    """Return a value with its optimizers found."""
    match value:
        case Parts():
            return _entry(value)
        case list():
            items: list[Any] = value
            return [_setting(item, parts, name) for item in items]
        case Named():
            try:
                return Named(find_optimizer(value.name).kind)
            except ValueError as error:
                raise parts.error(str(error).partition("\n")[0], name) from None
        case _:
            return value


def _rest(parts: Parts, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that lehr's own arguments give."""
    rest, ratio, schedule = (own.get(name) for name in _RESTS)
    if rest is None:
        for name in own:
            raise parts.error(f"{name} needs rest=..., such as rest=adamw", name)
        return {}
    if isinstance(rest, Named):
        try:
            rest = find_optimizer(rest.name)
        except ValueError as error:
            raise parts.error(str(error).partition("\n")[0], "rest") from None
    elif isinstance(rest, Parts):
        rest = _entry(rest)
    else:
        raise parts.error(f"rest={rest!r:.40} is not an optimizer: write rest=adamw", "rest")
    number = isinstance(ratio, int | float) and not isinstance(ratio, bool)
    if ratio is not None and not (number and 0 < ratio < math.inf):
        raise parts.error(f"rest_ratio={ratio!r:.40} must be a number above 0", "rest_ratio")
    if schedule is not None:
        if not isinstance(schedule, str):
            raise parts.error("rest_schedule is a text in quotes: 'linear'", "rest_schedule")
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


def takes(text: str, argument: str) -> bool:
    """Return whether an optimizer has an argument, as far as its text or its source says.

    Example:
        >>> takes("adam", "weight_decay"), takes("adam", "momentum"), takes("adam", "rest_ratio")
        (True, False, False)
    """
    entry, parts = find_optimizer(text, check=False), read(text)
    if argument in _RESTS:
        return entry.rest is not None
    if argument in parts.settings:
        return True
    if parts.place:
        return argument in (installed.own_arguments(parts) or ())
    return argument in (installed.torch_arguments(entry.kind) or ())


def with_setting(text: str, argument: str, value: Any) -> str:
    """Return the canonical text of an optimizer with another value of an argument.

    Example:
        >>> with_setting("adamw(weight_decay=0.1)", "weight_decay", 0)
        'adamw(weight_decay=0)'
    """
    parts = read(text)
    return canonical(write(replace(parts, settings={**parts.settings, argument: value})))


def canonical(text: str) -> str:
    """Return the one text of an optimizer, with the absolute path of its file and its hash.

    Raises:
        ValueError: If the text is not one of an optimizer, or the file cannot be read.

    Example:
        >>> canonical("adamw( betas=(.9, .95), amsgrad=True )")
        'adamw(amsgrad=True, betas=[0.9, 0.95])'
    """
    find_optimizer(text)
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
    """Return a canonical text for people: without the folder and the hash of its file.

    Example:
        >>> label("/nets/lion.py@0123456789abcdef:Lion(betas=[0.9, 0.99])")
        'lion.py:Lion(betas=[0.9, 0.99])'
    """
    place, pin, rest = installed.file_of(text)
    return f"{PurePath(place).name}:{rest}" if pin else text
