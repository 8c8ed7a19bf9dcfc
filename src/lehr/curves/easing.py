# pyright: reportUnknownLambdaType=false, reportUnknownMemberType=false
# (The formulas work for any kind of number.)
r"""Eases: how a piece of a schedule moves from one level to the next.

A piece that starts at level ``a`` and goes to level ``b`` has, at the share ``u`` of its length
(with ``w = 1 - u`` still to go), the value

.. math:: a \cdot \mathrm{fall}(u, w) + b \cdot \mathrm{rise}(u, w), \qquad
          \mathrm{fall} + \mathrm{rise} = 1.

An ease is these two functions. ``w`` is formed from whole steps rather than as ``1 - u``, because
the usual ``a + (b - a) * rise`` cancels where a decay matters most: at the last of 2e7 steps
``(1 + cos(pi * u)) / 2`` is wrong in its third digit. For the same reason ``1 - u ** k`` is
computed from logarithms.

============================ ============================= ====================================
name                         fall (1 to 0)                 where it is used
============================ ============================= ====================================
``linear``                   ``w``                         Goyal et al. 2017, arXiv:1706.02677
``cosine``                   ``sin(pi/2 * w) ** 2``        Loshchilov and Hutter, arXiv:1608.03983
``power(k)``                 ``w ** k``                    polynomial decay
``complement(k)``            ``1 - u ** k``                quadratic warmup (k = 2, rising)
``1-sqrt``                   ``1 - sqrt(u)``               Hägele et al. 2024, arXiv:2405.18392
``1-square``                 ``1 - u ** 2``                Hägele et al. 2024, arXiv:2405.18392
``quarter-cosine``           ``cos(pi/2 * u)``             ramps that start at full speed
``exponential(r)``           ``(r ** u - r) / (1 - r)``    MiniCPM, arXiv:2404.06395
``rex``                      ``w / (1 - u / 2)``           Chen et al. 2021, arXiv:2107.04197
``second-half-cosine``       ``1 - sin(pi/2 * u)``         OLMo
``mirror-cosine``            ``2*w - sin(pi/2 * w) ** 2``  the code of arXiv:2405.18392
``cosine-power(k)``          ``sin(pi/2 * w) ** (2 * k)``  optax
``k-cosine(k)``              ``cos(pi/2 * u ** k) ** 2``   Zhang and Li 2020, arXiv:2004.05909
``k-power(k, q)``            ``(1 - u ** k) ** q``         Zhang and Li 2020, arXiv:2004.05909
``tanh(a, b)``               ``tanh`` from -a to b, scaled Hsueh et al. 2018, arXiv:1806.01593
``hyperbolic(r)``            ``sqrt(w - u*w / (2*r - 1))`` Kim 2024, arXiv:2407.15200
``log(n)``                   ``1 - ln(1 + (n-1)*u)/ln(n)`` DeepSpeed
============================ ============================= ====================================
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from lehr.curves import functions
from lehr.curves.arithmetic import scalars
from lehr.errors import ScheduleError, number, shown

HALF_PI: Final = math.pi / 2

# Smaller shares are treated as 0: they are less than a step of any run. (XLA does so below
# 1.2e-38.)
_LEAST: Final = 1e-30

# u and w are Python floats or arrays, and m is their arithmetic: each formula is written once.
Half = Callable[[Any, Any, Any], Any]


class Halves(NamedTuple):
    """Both functions of an ease."""

    rise: Half
    fall: Half


def _missing(u: Any, w: Any, k: float, m: Any) -> Any:
    """Return ``1 - u ** k`` without cancellation, given ``w = 1 - u``."""
    if k == 1:
        return w
    if k == 2:
        return w * (1 + u)
    if k == 0.5:
        return w / (1 + m.sqrt(u))
    if k == 1.5:
        # (1 - v**3) as (1 - v) * (1 + v + v**2), with v = sqrt(u)
        return w * (1 + m.sqrt(u) + u) / (1 + m.sqrt(u))
    # ln(u) from the smaller of u and w; 0 has no logarithm, and its power is 0.
    near, begun = m.inside(w, 0.0, 0.5), m.inside(u, _LEAST, math.inf)
    log = m.where(near, m.log1p(-m.where(near, w, 0.25)), m.log(m.where(begun, u, 0.5)))
    return m.where(begun, -m.expm1(k * log), 1.0)


def _missing_power(u: Any, w: Any, k: float, q: float, m: Any) -> Any:
    """Return ``(1 - u ** k) ** q``, even where ``u ** k`` is lost in the difference."""
    power, missing = u**k, _missing(u, w, k, m)
    if q <= 1:
        return missing**q
    early = m.inside(power, 0.0, 0.5)
    return m.where(early, math.e ** (q * m.log1p(-m.where(early, power, 0.25))), missing**q)


def _power(k: float) -> Halves:
    return Halves(rise=lambda u, w, m: _missing(w, u, k, m), fall=lambda u, w, m: w**k)


def _complement(k: float) -> Halves:
    return Halves(rise=lambda u, w, m: u**k, fall=lambda u, w, m: _missing(u, w, k, m))


def _exponential(r: float) -> Halves:
    rate = math.log(r)
    whole = math.expm1(rate)
    return Halves(
        rise=lambda u, w, m: m.expm1(rate * u) / whole,
        # expm1(-rate * w) / expm1(-rate), in numbers that do not overflow
        fall=lambda u, w, m: r**u * m.expm1(rate * w) / whole,
    )


def _cosine_power(k: float) -> Halves:
    return Halves(
        rise=lambda u, w, m: 1 - m.sin(HALF_PI * w) ** (2 * k),
        fall=lambda u, w, m: m.sin(HALF_PI * w) ** (2 * k),
    )


def _k_cosine(k: float) -> Halves:
    return Halves(
        rise=lambda u, w, m: m.sin(HALF_PI * u**k) ** 2,
        fall=lambda u, w, m: m.sin(HALF_PI * _missing(u, w, k, m)) ** 2,
    )


def _k_power(k: float, q: float) -> Halves:
    return Halves(
        rise=lambda u, w, m: _missing(_missing(u, w, k, m), u**k, q, m),
        fall=lambda u, w, m: _missing_power(u, w, k, q, m),
    )


def _tanh(a: float, b: float) -> Halves:
    # tanh x - tanh y as sinh(x - y) / (cosh x cosh y): no cancellation where it is flat.
    whole = math.sinh(a + b)
    return Halves(
        rise=lambda u, w, m: m.sinh((a + b) * u) * math.cosh(b) / whole / m.cosh(b * u - a * w),
        fall=lambda u, w, m: m.sinh((a + b) * w) * math.cosh(a) / whole / m.cosh(b * u - a * w),
    )


def _hyperbolic(r: float) -> Halves:
    far = 2 * r - 1
    return Halves(
        # 1 - sqrt(x) as (1 - x) / (1 + sqrt(x))
        rise=lambda u, w, m: u * (1 + w / far) / (1 + m.sqrt(w * (far - 1 + w) / far)),
        fall=lambda u, w, m: m.sqrt(w * (far - 1 + w) / far),
    )


def _log(n: float) -> Halves:
    more, scale = n - 1, math.log(n)
    return Halves(
        rise=lambda u, w, m: m.log1p(more * u) / scale,
        fall=lambda u, w, m: m.log1p(more * w / (1 + more * u)) / scale,
    )


_PLAIN: Final[dict[str, Halves]] = {
    "linear": Halves(rise=lambda u, w, m: u, fall=lambda u, w, m: w),
    "cosine": Halves(
        rise=lambda u, w, m: m.sin(HALF_PI * u) ** 2,
        fall=lambda u, w, m: m.sin(HALF_PI * w) ** 2,
    ),
    "1-sqrt": Halves(rise=lambda u, w, m: m.sqrt(u), fall=lambda u, w, m: w / (1 + m.sqrt(u))),
    "1-square": Halves(rise=lambda u, w, m: u * u, fall=lambda u, w, m: w * (1 + u)),
    "quarter-cosine": Halves(
        rise=lambda u, w, m: 1 - m.sin(HALF_PI * w),
        fall=lambda u, w, m: m.sin(HALF_PI * w),
    ),
    "rex": Halves(rise=lambda u, w, m: u / (1 + w), fall=lambda u, w, m: 2 * w / (1 + w)),
    "second-half-cosine": Halves(
        rise=lambda u, w, m: m.sin(HALF_PI * u),
        # 1 - sin(x) as cos(x) ** 2 / (1 + sin(x))
        fall=lambda u, w, m: m.sin(HALF_PI * w) ** 2 / (1 + m.sin(HALF_PI * u)),
    ),
    "mirror-cosine": Halves(
        rise=lambda u, w, m: 2 * u - m.sin(HALF_PI * u) ** 2,
        fall=lambda u, w, m: 2 * w - m.sin(HALF_PI * w) ** 2,
    ),
}
"""The eases without parameters."""


class _EaseFamily(NamedTuple):
    """Eases with parameters: the function that makes one, and the range of each parameter."""

    make: Callable[..., Halves]
    ranges: dict[str, dict[str, float]]
    example: str = "2"


# Larger exponents would be jumps; beyond 20 a tanh is flat.
_EXPONENT: Final[dict[str, float]] = {"above": 0, "at_least": 1e-9, "at_most": 1e9}
_TANH: Final[dict[str, float]] = {"above": 0, "at_most": 20}

_FAMILIES: Final[dict[str, _EaseFamily]] = {
    "power": _EaseFamily(_power, {"power": _EXPONENT}),
    "complement": _EaseFamily(_complement, {"power": _EXPONENT}),
    "exponential": _EaseFamily(_exponential, {"ratio": {"above": 0, "below": 1}}, "0.1"),
    "cosine-power": _EaseFamily(_cosine_power, {"exponent": _EXPONENT}),
    "k-cosine": _EaseFamily(_k_cosine, {"k": _EXPONENT}),
    "k-power": _EaseFamily(_k_power, {"k": _EXPONENT, "power": _EXPONENT}, "2, 2"),
    "tanh": _EaseFamily(_tanh, {"from": _TANH, "to": _TANH}, "7, 3"),
    "hyperbolic": _EaseFamily(_hyperbolic, {"ratio": {"at_least": 1, "at_most": 1e12}}, "2.5"),
    "log": _EaseFamily(_log, {"count": {"above": 1}}, "10"),
}

_EXAMPLES: Final = {name: name for name in _PLAIN} | {
    name: f"{name}({family.example})" for name, family in _FAMILIES.items()
}
"""An example of how to write each ease."""

functions.reserve(_EXAMPLES)

# A dict rather than functools.cache, which torch.compile traces around with a warning.
_HALVES: Final[dict[tuple[str, tuple[float, ...]], Halves]] = {
    (name, ()): halves for name, halves in _PLAIN.items()
}


def _halves(name: str, parameters: tuple[float, ...]) -> Halves:
    halves = _HALVES.get((name, parameters))
    if halves is None:
        halves = _HALVES[name, parameters] = _FAMILIES[name].make(*parameters)
    return halves


_TEXT = re.compile(r"\s*([A-Za-z0-9_.-]{1,80})\s*(?:\(\s*([^()]{0,80})\s*\))?\s*")


@dataclass(frozen=True, slots=True)
class Ease:
    """A way to move between two levels: a name from the table with its parameters.

    Arguments:
        name: A name from the module's table.
        parameters: Its parameters, each a positive number.
        function: A user-defined ``f(u) -> share of the way``, with ``f(0) = 0`` and ``f(1) = 1``
            to avoid a jump, instead of a named ease. It is called with one Python number.
        iterations: Whether to call the function with the steps since the piece began, not with
            their share.

    Raises:
        ScheduleError: If the name is unknown or a parameter is missing or out of range.

    Example:
        >>> Ease.of("power(2)").fall(0.25, 0.75)
        0.5625
    """

    name: str
    parameters: tuple[float, ...] = ()
    function: Callable[[Any], float] | None = None
    iterations: bool = False

    def __post_init__(self) -> None:
        if callable(self.function):
            return
        if self.function is not None:
            raise ScheduleError(f"function={shown(self.function)} cannot be called")
        if not isinstance(self.name, str):
            raise ScheduleError(f"ease={shown(self.name)} is not a name; {_choice('')}")
        if not isinstance(self.parameters, tuple):
            raise ScheduleError(f"parameters={shown(self.parameters)} must be a tuple of numbers")
        if self.name not in _EXAMPLES:
            raise ScheduleError(f"ease={shown(self.name)} is unknown; {_choice(self.name)}")
        ranges = _FAMILIES[self.name].ranges if self.name in _FAMILIES else {}
        if len(self.parameters) != len(ranges):
            raise ScheduleError(
                f"ease={self.name!r} takes {len(ranges)} parameters, "
                f"{len(self.parameters)} given; write {_EXAMPLES[self.name]!r}"
            )
        for (label, within), value in zip(ranges.items(), self.parameters, strict=True):
            number(label, value, **within)
        _halves(self.name, self.parameters)

    @classmethod
    def of(cls, value: EaseLike) -> Ease:
        """Read an ease from a name, a text such as ``"power(2)"``, or a function.

        Raises:
            ScheduleError: If it is anything else.
        """
        if isinstance(value, Ease):
            return value
        if isinstance(value, str):
            return _from_text(value)
        if callable(value):
            return cls.by(value)
        raise ScheduleError(
            f"ease={shown(value)} is not an ease; write one of {', '.join(names())}"
        )

    @classmethod
    def by(cls, function: Callable[[Any], float], *, iterations: bool = False) -> Ease:
        """Return the ease of a user-defined function."""
        name = getattr(function, "__name__", type(function).__name__)
        return cls(name, function=function, iterations=iterations)

    def rise(self, u: Any, w: Any, m: Any = scalars) -> Any:
        """The share of the way done: from 0 at ``u = 0`` to 1 at ``u = 1``."""
        return _halves(self.name, self.parameters).rise(u, w, m)

    def fall(self, u: Any, w: Any, m: Any = scalars) -> Any:
        """The share of the way left: from 1 at ``u = 0`` to 0 at ``u = 1``."""
        return _halves(self.name, self.parameters).fall(u, w, m)

    @property
    def is_steep(self) -> bool:
        """Whether its slope is infinite at the start."""
        roots = ("complement", "k-cosine", "k-power")
        return self.name == "1-sqrt" or (self.name in roots and self.parameters[0] < 1)

    def __str__(self) -> str:
        if self.function is not None:
            own = functions.name_of(self.function) or functions.show(self.function)
            return f"{own}(steps)" if self.iterations else own
        values = ", ".join(f"{value:g}" for value in self.parameters)
        if tuple(float(f"{value:g}") for value in self.parameters) != self.parameters:
            values = ", ".join(repr(value) for value in self.parameters)
        return f"{self.name}({values})" if values else self.name

    @property
    def code(self) -> str:
        """Its literal, as a person would type it; an unnamed function is shown by its location."""
        nameless = self.function is not None and functions.name_of(self.function) is None
        return str(self) if nameless else repr(str(self))


EaseLike = str | Ease | Callable[[Any], float]

LINEAR: Final = Ease("linear")
COSINE: Final = Ease("cosine")


def names() -> list[str]:
    """Return an example of every ease, with typical numbers for its parameters."""
    return list(_EXAMPLES.values())


def _from_text(text: str) -> Ease:
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ScheduleError(f"ease={shown(text)} is unknown; {_choice('')}")
    name, values = match[1], match[2].split(",") if match[2] else []
    if name in _EXAMPLES:
        parameters = tuple(_parameter(name, value) for value in values)
        try:
            return Ease(name, parameters)
        except ScheduleError as error:
            raise ScheduleError(f"ease={text!r}: {error}") from None
    if not functions.registered(name):
        raise ScheduleError(f"ease={name!r} is unknown; {_choice(name)}")
    if [value.strip() for value in values] not in ([], ["steps"]):
        raise ScheduleError(
            f"ease={text!r}: write '{name}', or '{name}(steps)' to call it with steps"
        )
    return Ease.by(functions.lookup(name), iterations=bool(values))


def _choice(name: str) -> str:
    close = difflib.get_close_matches(name[:80], _EXAMPLES, n=1)
    hint = f"did you mean {_EXAMPLES[close[0]]!r}? " if close else ""
    return f"{hint}write one of {', '.join(names())}, or a name given to lehr.register"


def _parameter(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ScheduleError(f"ease {name}: parameter {text.strip()!r} is not a number") from None
