"""Loss laws: one formula that differs only in the clock, the masses and the kernel.

    loss(t) = L0 + A (S(t) / S0)^-alpha - B sum_k m_k G(x_k(t))

with L0, A and B in nats, S(t) the sum of a rate over the updates before t, S0 a fixed value of it,
m_k the drop of a rate at update k (as a fraction of the rate at the peak), and x_k(t) the distance
of t behind it on the kernel's clock. G grows from 0 (a drop has just happened) towards 1 (all of
its gain has come).

* **effective-rate**: weight decay keeps the weights' norm near equilibrium, so what matters is the
  rate relative to it: ``v' = (1 - rate wd)^2 v + rate^2`` per update, ``e = rate / sqrt(v)``,
  from ``v = 0.2 peak / (2 wd)``. S sums e, drops are those of e^0.85. This law is lehr's own;
  compare the measured effective rate of Liu et al., arXiv 2608.24814.
* **power-time**: S sums rate^0.75, drops are those of rate^0.85; without weight decay.
* **multi-power**: Luo et al., arXiv 2503.12811: S sums the rate, and a drop at rate r counts from
  ``x = r^-gamma S``.
* **annealing**: Tissue et al., arXiv 2408.11029: ``G = 1 - 0.999^n``, n updates after the drop.
* **functional**: Li et al., arXiv 2509.19189: the noise of each update, rate^2, is forgotten with
  ``(1 + x)^-p``.

The kernel of the first three is ``G(x) = 1 - (1 + C x)^-beta``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Literal

import numpy as np

from lehr.laws.runs import Floats, LawError


@dataclass(frozen=True)
class LawParameter:
    """A parameter inside the formula, which is positive and fitted by its logarithm.

    Arguments:
        name: Its letter in the formula.
        centre, spread: The mean and standard deviation of its logarithm before any run is seen;
            wide enough that they only keep three runs from driving it to absurd values.
        words: A description of its meaning and unit.
    """

    name: str
    centre: float
    spread: float
    words: str


@dataclass(frozen=True)
class Kernel:
    """The gain of a drop as a function of the distance behind it.

    Arguments:
        parameters: Its parameters.
        gain: Called with distances of at least 0, the rate after each drop as a fraction of the
            peak, and the parameters; returns G, and its derivative by the logarithm of each
            parameter.
    """

    parameters: tuple[LawParameter, ...]
    gain: Callable[[Floats, Floats, Floats], tuple[Floats, list[Floats]]]


def _power(x: Floats, rate: Floats, values: Floats) -> tuple[Floats, list[Floats]]:
    """``G = 1 - (1 + C x)^-beta``."""
    scale, shape = values
    scaled = scale * x
    logs = np.log1p(scaled)
    left = np.exp(-shape * logs)
    return 1 - left, [shape * left * scaled / (1 + scaled), shape * logs * left]


def _power_of_rate(x: Floats, rate: Floats, values: Floats) -> tuple[Floats, list[Floats]]:
    """``G = 1 - (1 + C r^-gamma x)^-beta`` with r the rate after the drop."""
    gamma = values[2]
    logs = np.log(np.maximum(rate, 1e-4))
    value, (by_scale, by_shape) = _power(x * np.exp(-gamma * logs), rate, values[:2])
    return value, [by_scale, by_shape, -gamma * logs * by_scale]


def _exponential(x: Floats, rate: Floats, values: Floats) -> tuple[Floats, list[Floats]]:
    """``G = 1 - 0.999^x``."""
    return -np.expm1(x * log(0.999)), []


def _forgetting(x: Floats, rate: Floats, values: Floats) -> tuple[Floats, list[Floats]]:
    """``G = -(1 + x)^-p``: noise that is forgotten, so that losing it is a gain."""
    logs = np.log1p(x)
    left = np.exp(-values[0] * logs)
    return -left, [values[0] * logs * left]


ALPHA = LawParameter("alpha", log(0.55), 0.5, "how progress slows down, without unit")
_SCALE = LawParameter(
    "C", log(0.07), 1.5, "how fast the gain of a drop comes, per step at the peak"
)
_SHAPE = LawParameter("beta", log(0.2), 1.0, "how slowly its rest comes, without unit")
_GAMMA = LawParameter("gamma", log(0.4), 0.5, "how a low rate hastens the gain, without unit")
_P = LawParameter("p", log(1.0), 0.7, "how fast noise is forgotten, without unit")

POWER = Kernel((_SCALE, _SHAPE), _power)


@dataclass(frozen=True)
class Form:
    """A loss law without its numbers.

    Arguments:
        name: Its name for ``--law``.
        title: A phrase for tables.
        paper: Its source.
        kernel: How the gain of a drop arrives.
        effective: Whether the rate is taken relative to the equilibrium of the weights' norm.
        clock: The power of the rate that is summed as progress.
        jump: The power of the rate whose drops count.
        relative: Whether a drop's gain arrives by steps at the run's own peak, and a higher peak
            makes more noise; the published laws have neither.
        mass: What counts: ``"drops"`` of the rate, or its ``"squares"``.
        behind: The kernel's clock: ``"progress"``, ``"steps"``, or the ``"rate"``'s plain sum.
        error: The spread of its own error from schedule to schedule, as a share of the loss, as
            seen on the runs of language models in ``benchmarks/laws.py``.
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
        """The parameters inside the formula: the progress's, then the kernel's."""
        return (ALPHA, *self.kernel.parameters)


FORMS = {
    form.name: form
    for form in (
        Form(
            "effective-rate",
            "effective rate",
            "lehr; compare Liu et al. 2026, arXiv 2608.24814",
            POWER,
            effective=True,
            jump=0.85,
            relative=True,
        ),
        Form(
            "power-time",
            "power time",
            "lehr",
            POWER,
            clock=0.75,
            jump=0.85,
            relative=True,
            error=2.5e-3,
        ),
        Form(
            "multi-power",
            "multi-power",
            "Luo et al. 2025, arXiv 2503.12811",
            Kernel((_SCALE, _SHAPE, _GAMMA), _power_of_rate),
            error=3e-3,
        ),
        Form(
            "annealing",
            "annealing",
            "Tissue et al. 2024, arXiv 2408.11029",
            Kernel((), _exponential),
            behind="steps",
            error=5.5e-3,
        ),
        Form(
            "functional",
            "functional scaling",
            "Li et al. 2025, arXiv 2509.19189",
            Kernel((_P,), _forgetting),
            mass="squares",
            behind="rate",
            error=5e-3,
        ),
    )
}


def usual_form(weight_decay: float) -> Form:
    """Return the form to use unless another one is clearly better."""
    return FORMS["effective-rate" if weight_decay else "power-time"]


def find_form(name: str) -> Form:
    """Return the form with this name; raise LawError if there is none."""
    if name not in FORMS:
        raise LawError(f"law={name!r} is not one of {', '.join(FORMS)}")
    return FORMS[name]
