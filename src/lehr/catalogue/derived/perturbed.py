"""Perturbations: factors that add noise to another schedule."""

from __future__ import annotations

import math
from typing import Any, Final

from lehr.catalogue.registry import With, entry
from lehr.curves import functions
from lehr.curves.arithmetic import Arithmetic
from lehr.errors import number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import formula

__all__ = ["noise"]


@entry(
    "derived",
    formula=r"\eta_t = \eta'_t \, (1 + \varepsilon_t), \quad |\varepsilon_t| < p",
    aliases=("noise_range_t", "noise_pct", "noise_seed"),
    example=With(0.2),
)
def noise(pct: float = 0.67, *, std: float | None = None, seed: int = 42) -> Schedule:
    """Perturb another schedule by a seeded random share at each step: a factor.

    Formula: ``1 + e[t]``, with each ``e[t]`` drawn uniformly from ``-pct`` to ``pct`` or, with
    ``std``, from a normal distribution cut off there.

    Multiply by it: ``cosine() * noise(0.1)``. The value at a step depends only on the step and the
    seed, so it is the same in every process, after any resume and, except for rounding in the last
    digit, for any kind of array. (timm draws its noise from torch's generator, so its numbers
    differ.)

    Arguments:
        pct: The largest share, greater than 0 and at most 1.
        std: The standard deviation before the cut; by default all shares are equally likely.
        seed: From 0 to 2**31 - 1.

    Raises:
        ScheduleError: If an argument is outside its range.

    Example:
        >>> s = noise(0.1, seed=1)
        >>> s(7) == s(7), s(7) == s(8), all(0.9 < s(t) < 1.1 for t in range(1000))
        (True, False, True)
    """
    share = number("pct", pct, above=0, at_most=1)
    chosen = int(number("seed", whole("seed", seed, at_least=0), at_most=2**31 - 1))
    name = f"noise({share!r}, {chosen})"
    if std is not None:
        name = f"normal-noise({share!r}, {number('std', std, above=0)!r}, {chosen})"
    return formula(name)


# 31 bits throughout: no product needs more than 62, and bits that 32-bit integers would drop are
# masked, so that Python ints, int64 and JAX's int32 give the same bits.
_BITS: Final = 2**31 - 1
_HALF: Final = 2**30

_PCT: Final = functions.Within(above=0, at_most=1)
_SEED: Final = functions.Within(at_least=0, at_most=_BITS, whole=True)


def _hash(t: Any, seed: float, m: Arithmetic) -> Any:
    """Return a random-looking number from 0 to ``2**31 - 1`` for each step."""
    offset = (int(seed) * 0x1E3779B1 + 0x5BD1E995) & _BITS
    x = (m.floor_divide(t, 1) + offset) & _BITS
    for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39), (14, 0x1B56C4E9)):
        x = m.named("x", x)
        x = ((x ^ (x >> shift)) * factor) & _BITS
    x = m.named("x", x)
    return m.named("x", x ^ (x >> 16))


@functions.family("noise", pct=_PCT, seed=_SEED)
class _UniformNoise(functions.Member):
    """The factor of :func:`noise` without ``std``."""

    def __init__(self, pct: float, seed: float) -> None:
        self.low, self.high = 1 - pct, 1 + pct
        self._pct, self._seed = pct, seed

    def value(self, t: Any, m: Arithmetic) -> Any:
        # The middle is subtracted before conversion to real numbers, which may have 24 bits.
        away = m.real(_hash(t, self._seed, m) - _HALF)
        return 1 + self._pct * ((away + 0.5) / _HALF)


@functions.family("normal-noise", pct=_PCT, std=functions.Within(above=0), seed=_SEED)
class _NormalNoise(functions.Member):
    """The factor of :func:`noise` with ``std``."""

    def __init__(self, pct: float, std: float, seed: float) -> None:
        self.low, self.high = 1 - pct, 1 + pct
        self._pct, self._std, self._seed = pct, std, seed
        edge = pct / std / math.sqrt(2)
        # The probabilities beyond one cut, and from there to the middle.
        self._beyond, self._side = math.erfc(edge) / 2, math.erf(edge) / 2

    def value(self, t: Any, m: Arithmetic) -> Any:
        x = _hash(t, self._seed, m)
        lower = m.inside(x, 0, _HALF)
        # The distance from the nearer end, in integers, so that the halves are exact mirrors.
        count = m.named("n", m.where(lower, x, _BITS - x))
        tail = m.named("tail", (m.real(count) + 0.5) / _HALF * self._side + self._beyond)
        middle = (m.real(_HALF - count) - 0.5) / _HALF * self._side
        away = _quantile(tail, m.named("q", middle), m) * self._std
        share = m.named("share", m.clip(away, 0.0, self._pct))
        return m.where(lower, 1 - share, 1 + share)


# Wichura (1988), Algorithm AS 241, Applied Statistics 37(3), PPND16: numerator and denominator for
# the middle, and for the tails down to a probability of exp(-25).
_MIDDLE: Final = (
    (
        2.5090809287301226727e3,
        3.3430575583588128105e4,
        6.7265770927008700853e4,
        4.5921953931549871457e4,
        1.3731693765509461125e4,
        1.9715909503065514427e3,
        1.3314166789178437745e2,
        3.3871328727963666080e0,
    ),
    (
        5.2264952788528545610e3,
        2.8729085735721942674e4,
        3.9307895800092710610e4,
        2.1213794301586595867e4,
        5.3941960214247511077e3,
        6.8718700749205790830e2,
        4.2313330701600911252e1,
        1.0,
    ),
)
_TAIL: Final = (
    (
        7.74545014278341407640e-4,
        2.27238449892691845833e-2,
        2.41780725177450611770e-1,
        1.27045825245236838258e0,
        3.64784832476320460504e0,
        5.76949722146069140550e0,
        4.63033784615654529590e0,
        1.42343711074968357734e0,
    ),
    (
        1.05075007164441684324e-9,
        5.47593808499534494600e-4,
        1.51986665636164571966e-2,
        1.48103976427480074590e-1,
        6.89767334985100004550e-1,
        1.67638483018380384940e0,
        2.05319162663775882187e0,
        1.0,
    ),
)


def _quantile(tail: Any, middle: Any, m: Arithmetic) -> Any:
    """Return the distance from the mean, in standard deviations, beyond which ``tail`` lies.

    ``middle`` is ``1 / 2 - tail``. With 31 bits, ``tail`` is never below ``exp(-22.2)``.
    """
    central = middle * _ratio(_MIDDLE, m.named("r", 0.180625 - middle * middle), m)
    outer = _ratio(_TAIL, m.named("r", m.sqrt(-m.log(tail)) - 1.6), m)
    return m.where(m.inside(middle, 0, 0.425), central, outer)


def _ratio(polynomials: tuple[tuple[float, ...], ...], x: Any, m: Arithmetic) -> Any:
    """Return the ratio of two polynomials, given from the highest power down."""
    above, below = (_horner(coefficients, x) for coefficients in polynomials)
    return m.named("z", above / below)


def _horner(coefficients: tuple[float, ...], x: Any) -> Any:
    total = x * coefficients[0] + coefficients[1]
    for coefficient in coefficients[2:]:
        total = total * x + coefficient
    return total
