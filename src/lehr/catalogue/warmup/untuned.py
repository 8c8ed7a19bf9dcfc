"""Warmups with nothing to tune: their length follows from Adam's betas."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from lehr.catalogue.registry import Paper, With, entry
from lehr.catalogue.warmup.elementary import UNTUNED, exponential_warmup, warmup
from lehr.curves import functions
from lehr.curves.arithmetic import Arithmetic, scalars
from lehr.errors import number
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import formula

__all__ = ["radam_warmup", "untuned_exponential", "untuned_linear"]


@entry(
    "warmup",
    formula=r"\eta_t = \eta \, \min\left(1,\, \tfrac{1 - \beta_2}{2} (t + 1)\right)",
    paper=UNTUNED,
    aliases=("UntunedLinearWarmup",),
    example=With(0.99),
)
def untuned_linear(beta2: float = 0.999) -> Schedule:
    """Rise in a straight line for as long as Adam's second moment needs.

    Formula: ``min(1, (1 - beta2) / 2 * (t + 1))``.

    It follows from the optimizer and has nothing to tune: 2,000 steps for ``beta2=0.999``.

    Arguments:
        beta2: Adam's second beta, at least 0 and less than 1.

    Raises:
        ScheduleError: If ``beta2`` is outside its range.

    Example:
        >>> s = untuned_linear(0.99)
        >>> s(0), s(99), s(199)
        (0.005, 0.5, 1.0)
    """
    return warmup(2 / _memory(beta2))[1:]


@entry(
    "warmup",
    formula=r"\eta_t = \eta \, (1 - e^{-(1 - \beta_2)(t + 1)})",
    paper=UNTUNED,
    aliases=("UntunedExponentialWarmup",),
    example=With(0.99),
)
def untuned_exponential(beta2: float = 0.999) -> Schedule:
    """Approach the full rate as fast as Adam's second moment fills up: a factor.

    Formula: ``1 - exp(-(1 - beta2) * (t + 1))``: :func:`exponential_warmup` with nothing to tune.

    Arguments:
        beta2: Adam's second beta, at least 0 and less than 1.

    Raises:
        ScheduleError: If ``beta2`` is outside its range.

    Example:
        >>> round(untuned_exponential(0.99)(99), 6)
        0.632121
    """
    return exponential_warmup(1 / _memory(beta2))


def _memory(beta2: float) -> Fraction:
    """Return ``1 - beta2`` exactly, from its decimal text."""
    return 1 - Fraction(str(number("beta2", beta2, at_least=0, at_most=math.nextafter(1, 0))))


@entry(
    "warmup",
    formula=r"\eta_t = \eta \sqrt{\frac{(\rho_n - 4)(\rho_n - 2) \rho_\infty}"
    r"{(\rho_\infty - 4)(\rho_\infty - 2) \rho_n}}, \quad "
    r"\rho_n = \rho_\infty - \frac{2 n \beta_2^n}{1 - \beta_2^n}, \quad "
    r"\rho_\infty = \frac{2}{1 - \beta_2} - 1",
    paper=Paper(
        "Liu et al.", 2019, "On the Variance of the Adaptive Learning Rate and Beyond", "1908.03265"
    ),
    aliases=("RAdamWarmup", "rectification of RAdam"),
    example=With(0.99),
)
def radam_warmup(beta2: float = 0.999) -> Schedule:
    """The rectification of RAdam as a warmup for Adam: a factor.

    Formula: ``sqrt((r - 4) * (r - 2) * R / ((R - 4) * (R - 2) * r))`` with
    ``R = 2 / (1 - beta2) - 1`` and ``r = R - 2 * n * beta2**n / (1 - beta2**n)``, where
    ``n = t + d`` and ``d`` is the first ``n`` with ``r > 4``.

    RAdam itself uses no second moment before that step; like pytorch-warmup, this begins there.

    Arguments:
        beta2: Adam's second beta, greater than 0.6 (below, ``r`` is never above 4) and less than 1.

    Raises:
        ScheduleError: If ``beta2`` is outside its range.

    Example:
        >>> s = radam_warmup(0.99)
        >>> [round(s(t), 4) for t in (0, 50, 1_000)]
        [0.0545, 0.4781, 0.9998]
    """
    value = number("beta2", beta2, above=0.6, at_most=math.nextafter(1, 0))
    return formula(f"radam({value!r})")


@functions.family("radam", beta2=functions.Within(above=0.6, at_most=math.nextafter(1, 0)))
class _RAdam(functions.Member):
    """The factor of :func:`radam_warmup`.

    In its usual form, ``r`` is the small difference of two numbers that grow as ``1 / (1 -
    beta2)``: at ``beta2 = 0.999999`` half of its digits are lost, in single precision all of them.
    With ``b = -ln(beta2)`` and ``g(y) = coth(y) - 1 / y`` it equals ``n * (1 - g(n * b / 2)) + g(b
    / 2)``, where nothing cancels. This form is used as long as ``n * b / 2 < 1``; after that ``R -
    r`` is the smaller part of ``R``.
    """

    low, high = 0.0, 1.0

    def __init__(self, beta2: float) -> None:
        rest = _memory(beta2)
        limit = 2 / rest - 1
        self._rate = -math.log1p(-float(rest))
        self._excess = float(limit - 4)
        self._scale = float(limit / (limit - 4) / (limit - 2))
        self._offset = _langevin(self._rate / 2, scalars)
        self._first = next(n for n in range(1, 1000) if self._over_four(n, scalars) > 0)

    def value(self, t: Any, m: Arithmetic) -> Any:
        n = m.named("n", m.real(m.minus(t, -self._first)))
        over = m.named("over", self._over_four(n, m))
        return m.clip(m.sqrt(over * (over + 2) / (over + 4) * self._scale), 0.0, 1.0)

    def _over_four(self, n: Any, m: Arithmetic) -> Any:
        """Return ``r - 4``."""
        x = m.named("x", n * self._rate)
        early = m.inside(x, 0, 2)
        # Each is used only where it is accurate; beyond 80 nothing is left of ``R - r``.
        near = n * (1 - _langevin(m.where(early, x, 1.0) / 2, m)) + (self._offset - 4)
        far = self._excess - 2 * n / m.expm1(m.clip(x, 2.0, 80.0))
        return m.where(early, near, far)


def _langevin(y: Any, m: Arithmetic) -> Any:
    """Return ``coth(y) - 1 / y`` between 0 and 1, by Lambert's continued fraction."""
    y = m.named("y", y)
    square = m.named("square", y * y)
    rest = 15.0 + square / 17
    for odd in (13, 11, 9, 7, 5, 3):
        rest = square / rest + odd
    return y / rest
