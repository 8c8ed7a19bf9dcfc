"""The losses that a law predicts, with their derivatives by its parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lehr.laws.forms import Form
from lehr.laws.runs import Floats
from lehr.laws.series import Series

PEAK_SPREAD = 0.01
"""The shift of the loss per e-fold of the peak rate, in nats, expected before any run is seen."""


def names(form: Form) -> tuple[str, ...]:
    """Return the names of all parameters: the linear ones, the inner ones, the peak's shift."""
    return ("L0", "A", "B", *(p.name for p in form.parameters), "peak")


def prior(form: Form) -> tuple[Floats, Floats]:
    """Return the means and standard deviations before any run is seen; wide for L0, A and B."""
    inside = form.parameters
    means = [3.0, 0.0, 0.0, *(p.centre for p in inside), 0.0]
    spreads = [30.0, 30.0, 30.0, *(p.spread for p in inside), PEAK_SPREAD]
    return np.array(means), np.array(spreads)


@dataclass(frozen=True)
class Model:
    """A law's formula; its parameters are L0, A, B, the inner ones' logarithms, the peak's shift.

    ``unit`` is S0, the progress at which A is read.
    """

    form: Form
    unit: float

    def columns(self, inside: Floats, at: Series) -> Floats:
        """Return the factors of L0, A and B for given inner parameters, shape (n, 3)."""
        power = (at.progress / self.unit) ** -np.exp(inside[0])
        gain, _ = self._gain(inside[1:], at)
        return np.stack([np.ones_like(power), power, -gain], axis=1)

    def loss(self, values: Floats, at: Series) -> Floats:
        """Return the losses, in nats."""
        return self.columns(values[3:-1], at) @ values[:3] + values[-1] * at.peak

    def slopes(self, values: Floats, at: Series) -> tuple[Floats, Floats]:
        """Return the losses, and their derivatives by each of ``values``, shape (n, p)."""
        _, a, b = values[:3]
        alpha = float(np.exp(values[3]))
        logs = np.log(at.progress / self.unit)
        power = np.exp(-alpha * logs)
        gain, by = self._gain(values[4:-1], at)
        ones = np.ones_like(power)
        rows = [ones, power, -gain, -a * alpha * logs * power, *(-b * one for one in by)]
        loss = values[0] + a * power - b * gain + values[-1] * at.peak
        return loss, np.stack([*rows, ones * at.peak], axis=1)

    def gains(self, values: Floats, at: Series) -> Floats:
        """Return how much drops of the rate have lowered the loss so far, in nats."""
        return values[2] * self._gain(values[4:-1], at)[0]

    def _gain(self, logs: Floats, at: Series) -> tuple[Floats, list[Floats]]:
        values = np.exp(logs)
        kernel = self.form.kernel
        each, by = kernel.gain(at.behind, at.rate, values)
        total, slopes = each @ at.mass, [one @ at.mass for one in by]
        if at.lift:
            # A higher peak is a rise from the fitted one at the start: the opposite of a drop.
            rise, more = kernel.gain(at.progress, np.ones(1), values)
            total = total - at.lift * rise
            slopes = [slope - at.lift * one for slope, one in zip(slopes, more, strict=True)]
        return total, slopes
