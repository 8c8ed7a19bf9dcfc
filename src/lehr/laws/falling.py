"""The falling path of rates with the lowest predicted final loss, found by its gradient."""

# SciPy leaves its types open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from lehr.laws.runs import Floats
from lehr.laws.series import START, scales

if TYPE_CHECKING:
    from lehr.laws.law import Law


CELLS = 240
"""The number of cells of equal rate into which the run after the warmup is cut."""

KNOTS = 8
"""The number of straight pieces of the path, few enough that it cannot become a staircase."""

_LEAST = 1e-4


@dataclass(frozen=True, eq=False)
class Coarse:
    """The final loss as a function of the rates in a few equal cells after a warmup.

    The law must have the kernel ``1 - (1 + C x)^-beta``.
    """

    law: Law
    steps: int
    peak: float
    warmup: int

    def final(self, factors: Floats) -> tuple[float, Floats]:
        """Return the final loss, and its derivatives by the factor on the peak in each cell."""
        form, values = self.law.form, self.law.values
        length = (self.steps - self.warmup) / len(factors)
        units, back = self._units(factors, length)
        ratio = self.peak / self.law.peak
        pace, scale, lift = scales(form, ratio)
        sums = units**form.clock * length
        progress = pace * (self.warmup / 2 + float(sums.sum()))
        behind = np.cumsum(sums[::-1])[::-1]
        jumping = units**form.jump
        balance = 2 * self.law.weight_decay * self.peak
        first = self.peak / float(np.sqrt(self._warm() * balance)) if form.effective else 1.0
        masses = np.append(first**form.jump, jumping[:-1]) - jumping
        gain, by = form.kernel.gain(behind, units, np.exp(values[4:-1]))
        rise, rise_by = form.kernel.gain(np.array([progress]), np.ones(1), np.exp(values[4:-1]))
        alpha = float(np.exp(values[3]))
        above = values[1] * (progress / self.law.unit) ** -alpha
        loss = (
            values[0] + above - values[2] * (scale * float(masses @ gain) - lift * float(rise[0]))
        )
        loss += values[-1] * np.log(ratio)
        # By the progress, to which every cell adds; then by the distances and drops of each cell.
        by_sums = np.full(len(factors), -alpha * above / progress * pace)
        by_sums += values[2] * lift * float(rise_by[0][0]) / progress * pace
        by_sums -= values[2] * scale * np.cumsum(masses * by[0] / behind)
        by_jumping = values[2] * scale * (gain - np.append(gain[1:], 0.0))
        by_units = by_sums * length * form.clock * units ** (form.clock - 1)
        by_units += by_jumping * form.jump * units ** (form.jump - 1)
        return float(loss), back(by_units)

    def _units(self, factors: Floats, length: float) -> tuple[Floats, Callable[[Floats], Floats]]:
        """Return the rates relative to that at the peak, and how to carry a gradient back."""
        form, decay = self.law.form, self.law.weight_decay
        if not form.effective:
            return factors, lambda by: by
        rates = factors * self.peak
        logs = 2 * length * np.log1p(-rates * decay)
        left = np.exp(logs)
        by_left = -2 * length * decay / (1 - rates * decay) * left
        # v' = left v + rest: the updates of a cell, all at the same rate, summed.
        pull = decay * (2 - rates * decay)
        rest = rates * (1 - left) / pull
        by_rest = (1 - left) / pull - rates * by_left / pull + rest * decay**2 / pull
        norms = np.empty(len(rates))
        v = self._warm()
        for i in range(len(rates)):
            norms[i] = v
            v = left[i] * v + rest[i]
        balance = np.sqrt(2 * decay * self.peak)
        units = rates / np.sqrt(norms) / balance

        def back(by: Floats) -> Floats:
            result = np.empty(len(rates))
            carried = 0.0
            for i in range(len(rates) - 1, -1, -1):
                result[i] = by[i] * units[i] / rates[i]
                result[i] += carried * (norms[i] * by_left[i] + by_rest[i])
                carried = carried * left[i] - by[i] * units[i] / (2 * norms[i])
            return result * self.peak

        return units, back

    def _warm(self) -> float:
        """Return the weights' squared norm after the warmup."""
        decay = self.law.weight_decay
        v = START * self.peak / (2 * decay)
        rises = np.linspace(0, self.peak, max(2, min(self.warmup, 200)))
        each = self.warmup / len(rises)
        for rate in rises:
            v = v * (1 - rate * decay) ** (2 * each) + each * rate**2
        return v


def falling(law: Law, steps: int, peak: float, warmup: int) -> str:
    """Return the text of the best falling path, in straight pieces."""
    coarse = Coarse(law, steps, peak, warmup)
    places = np.linspace(0, KNOTS, CELLS, endpoint=False) + KNOTS / CELLS / 2
    low = np.minimum(places.astype(int), KNOTS - 1)
    share = places - low
    # From the levels of the knots to that of each cell.
    spread = np.zeros((CELLS, KNOTS + 1))
    spread[np.arange(CELLS), low] = 1 - share
    spread[np.arange(CELLS), low + 1] = share

    def levels(z: Floats) -> tuple[Floats, Floats]:
        """Return the knots' levels, which fall from 1, and their derivatives."""
        parts = np.exp(z - z.max())
        parts /= parts.sum()
        knots = 1 - np.concatenate([[0.0], np.cumsum(parts[:-1])])
        slopes = np.diag(parts) - np.outer(parts, parts)
        by = -np.concatenate([np.zeros((1, len(z))), np.cumsum(slopes[:-1], axis=0)])
        return knots, by

    def look(z: Floats) -> tuple[float, Floats]:
        knots, by = levels(z)
        cells = _LEAST + (1 - _LEAST) * (spread @ knots)
        loss, slopes = coarse.final(cells)
        return loss, (1 - _LEAST) * slopes @ spread @ by

    start = np.zeros(KNOTS + 1)
    start[-1] = -2.0
    found = minimize(look, start, jac=True, method="L-BFGS-B", options={"maxiter": 60})
    knots, _ = levels(found.x)
    return _path(knots, steps, warmup)


def _path(knots: Floats, steps: int, warmup: int) -> str:
    ends = np.round(warmup + (steps - warmup) * np.arange(1, KNOTS + 1) / KNOTS).astype(int)
    parts = [f"warmup({warmup})"] if warmup else []
    pieces: list[tuple[int, float]] = []  # the end, and the level there
    last = 1.0
    for end, knot in zip(ends.tolist(), knots[1:].tolist(), strict=True):
        level = min(last, round(knot, 3))
        if level == last and pieces and (pieces[-2][1] if len(pieces) > 1 else 1.0) == last:
            pieces.pop()  # a single hold, not two
        pieces.append((end, level))
        last = level
    begin, last = warmup, 1.0
    for end, level in pieces:
        length = end - begin
        parts.append(f"hold({length})" if level == last else f"linear({length}, to={level})")
        begin, last = end, level
    return " >> ".join(parts)
