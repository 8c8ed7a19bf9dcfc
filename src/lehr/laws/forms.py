"""Loss laws: one formula that differs only in the clock, the masses and the kernel.

    loss(t) = L0 + A (S(t) / S0)^-alpha - B sum_k m_k G(x_k(t))

with L0, A and B in nats, S(t) the sum of a rate over the updates before t, S0 a fixed value of it,
m_k the drop of a rate at update k (as a part of the rate at the peak), and x_k(t) how far t lies
behind it on the kernel's clock. G grows from 0 (a drop has just happened) towards 1 (all of its
gain has come).

* **effective-rate**: weight decay keeps the weights' norm near a balance, so that what counts is
  the rate relative to it: ``v' = (1 - rate wd)^2 v + rate^2`` per update, ``e = rate / sqrt(v)``,
  from ``v = 0.2 peak / (2 wd)``. S sums e, drops are those of e^0.85. Of its own; related is the
  measured effective rate of Liu et al., arXiv 2608.24814.
* **power-time**: S sums rate^0.75, drops are those of rate^0.85; without weight decay.
* **multi-power**: Luo et al., arXiv 2503.12811: S sums the rate, and a drop at rate r counts from
  ``x = r^-gamma S``.
* **annealing**: Tissue et al., arXiv 2408.11029: ``G = 1 - 0.999^n``, n updates after the drop.
* **functional**: Li et al., arXiv 2509.19189: the noise of each update, rate^2, is forgotten with
  ``(1 + x)^-p``.

The kernel of the first three is ``G(x) = 1 - (1 + C x)^-beta``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Literal, Protocol

import numpy as np

from lehr.laws.runs import Floats, LawError


@dataclass(frozen=True)
class LawParameter:
    """A parameter inside the formula, which is positive and fitted by its logarithm.

    Arguments:
        name: Its letter in the formula.
        centre, spread: The mean and the standard deviation of its logarithm, before any run is
            seen: wide, and only there so that three runs do not drive it to where none can be.
        words: Its meaning and its unit.
    """

    name: str
    centre: float
    spread: float
    words: str


class Kernel(Protocol):
    """The gain of a drop as a function of the distance behind it."""

    @property
    def parameters(self) -> tuple[LawParameter, ...]:
        """The parameters that it has."""
        ...

    def gain(self, x: Floats, rate: Floats, values: Floats) -> tuple[Floats, list[Floats]]:
        """Return G, and its derivative by the logarithm of each parameter.

        Arguments:
            x: Distances, at least 0.
            rate: The rate after each drop, as a part of the peak.
            values: The parameters.
        """
        ...


_SCALE = LawParameter(
    "C", log(0.07), 1.5, "how fast the gain of a drop comes, per step at the peak"
)
_SHAPE = LawParameter("beta", log(0.2), 1.0, "how slowly its rest comes, without unit")


@dataclass(frozen=True)
class PowerKernel:
    """``G = 1 - (1 + C x)^-beta``."""

    parameters: tuple[LawParameter, ...] = (_SCALE, _SHAPE)

    def gain(self, x: Floats, rate: Floats, values: Floats) -> tuple[Floats, list[Floats]]:
        scale, shape = values
        scaled = scale * x
        logs = np.log1p(scaled)
        left = np.exp(-shape * logs)
        return 1 - left, [shape * left * scaled / (1 + scaled), shape * logs * left]


@dataclass(frozen=True)
class RateKernel:
    """``G = 1 - (1 + C r^-gamma x)^-beta`` with r the rate after the drop."""

    parameters: tuple[LawParameter, ...] = (
        _SCALE,
        _SHAPE,
        LawParameter("gamma", log(0.4), 0.5, "how a low rate hastens the gain, without unit"),
    )

    def gain(self, x: Floats, rate: Floats, values: Floats) -> tuple[Floats, list[Floats]]:
        scale, shape, gamma = values
        logs = np.log(np.maximum(rate, 1e-4))
        value, (by_scale, by_shape) = PowerKernel().gain(
            x * np.exp(-gamma * logs), rate, np.array([scale, shape])
        )
        return value, [by_scale, by_shape, -gamma * logs * by_scale]


@dataclass(frozen=True)
class ExponentialKernel:
    """``G = 1 - 0.999^x``."""

    parameters: tuple[LawParameter, ...] = ()

    def gain(self, x: Floats, rate: Floats, values: Floats) -> tuple[Floats, list[Floats]]:
        return -np.expm1(x * log(0.999)), []


@dataclass(frozen=True)
class ForgettingKernel:
    """``G = -(1 + x)^-p``: noise that is forgotten, so that less of it is a gain."""

    parameters: tuple[LawParameter, ...] = (
        LawParameter("p", log(1.0), 0.7, "how fast noise is forgotten, without unit"),
    )

    def gain(self, x: Floats, rate: Floats, values: Floats) -> tuple[Floats, list[Floats]]:
        logs = np.log1p(x)
        left = np.exp(-values[0] * logs)
        return -left, [values[0] * logs * left]


@dataclass(frozen=True)
class Form:
    """A loss law without its numbers.

    Arguments:
        name: As ``--law`` has it.
        title: A phrase for tables.
        paper: Where it is from.
        kernel: How the gain of a drop comes.
        effective: Whether the rate is taken relative to the balance of the weights' norm.
        clock: The power of the rate that progress sums.
        jump: The power of the rate whose drops count.
        relative: Whether a drop's gain comes by steps at the run's own peak, and a higher peak
            makes more noise; the published laws know neither.
        mass: ``"drops"`` of the rate, or its ``"squares"``.
        behind: The kernel's clock: ``"progress"``, ``"steps"``, or the ``"rate"``'s plain sum.
        error: The spread of its own error from schedule to schedule, as a part of the loss, as seen
            on the runs of language models that ``benchmarks/laws.py`` reads.
    """

    name: str
    title: str
    paper: str
    kernel: Kernel
    effective: bool = False
    clock: float = 1.0
    jump: float = 1.0
    relative: bool = False
    mass: Literal["drops", "squares"] = "drops"
    behind: Literal["progress", "steps", "rate"] = "progress"
    error: float = 4e-4

    @property
    def parameters(self) -> tuple[LawParameter, ...]:
        """The parameters inside the formula: that of progress, then the kernel's."""
        return (ALPHA, *self.kernel.parameters)

    @property
    def refines(self) -> bool:
        """Whether many small drops gain the same as the one that they add up to, near enough."""
        return not isinstance(self.kernel, RateKernel)


ALPHA = LawParameter("alpha", log(0.55), 0.5, "how progress slows down, without unit")

FORMS = {
    form.name: form
    for form in (
        Form(
            "effective-rate",
            "effective rate",
            "lehr; compare Liu et al. 2026, arXiv 2608.24814",
            PowerKernel(),
            effective=True,
            jump=0.85,
            relative=True,
        ),
        Form(
            "power-time",
            "power time",
            "lehr",
            PowerKernel(),
            clock=0.75,
            jump=0.85,
            relative=True,
            error=2.5e-3,
        ),
        Form(
            "multi-power",
            "multi-power",
            "Luo et al. 2025, arXiv 2503.12811",
            RateKernel(),
            error=3e-3,
        ),
        Form(
            "annealing",
            "annealing",
            "Tissue et al. 2024, arXiv 2408.11029",
            ExponentialKernel(),
            behind="steps",
            error=5.5e-3,
        ),
        Form(
            "functional",
            "functional scaling",
            "Li et al. 2025, arXiv 2509.19189",
            ForgettingKernel(),
            mass="squares",
            behind="rate",
            error=5e-3,
        ),
    )
}


def find_form(name: str) -> Form:
    """Return the form of a name.

    Raises:
        LawError: If there is no such law.
    """
    if name not in FORMS:
        raise LawError(f"law={name!r} is not one of {', '.join(FORMS)}")
    return FORMS[name]
