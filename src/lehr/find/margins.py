"""How far the peak lies below the edges of short runs, for each family of optimizers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from lehr.find.edge import QUARTERS, ramp
from lehr.find.suggestion import DecidedBy

OptimizerFamily = Literal["sgd", "adam", "rmsprop", "muon", "lion"]
"""Optimizers whose short runs relate to long ones in the same way."""

# In the name of a class, or at its beginning. Lion uses the sign of the gradient.
_HAS: tuple[OptimizerFamily, ...] = ("adam", "rmsprop", "muon", "lion")
_BEGINS: dict[str, OptimizerFamily] = {"sgd": "sgd", "asgd": "sgd", "lbfgs": "sgd", "sign": "lion"}

# Decades below the edge, with a schedule that decays and with a constant one.
_MARGINS: dict[OptimizerFamily, tuple[float, float]] = {
    "sgd": (0.65, 0.5),
    "adam": (0.5, 0.6),
    "rmsprop": (-0.1, 0.15),
    "muon": (0.95, 0.95),
    "lion": (1.4, 1.5),
}
_AT_ONCE = 0.2  # if runs of SGD work up to one rung and explode at the next
_SOFT_MARGIN = 0.3
_DRIFT = 0.2  # per decade of the run's length

# Passes over the data at which a run that learns nothing more may overfit, and surely does.
_FEW, _MANY = 25.0, 50.0


def family_of(names: Iterable[str]) -> OptimizerFamily | None:
    """Return the family of an optimizer, by the names of its class and base classes.

    Example:
        >>> family_of(["AdamW", "Adam", "Optimizer"]), family_of(["SGD"]), family_of(["Rprop"])
        ('adam', 'sgd', None)
    """
    for name in map(str.lower, names):
        for family in _HAS:
            if family in name:
                return family
        for part, family in _BEGINS.items():
            if name.startswith(part):
                return family
    return None


class Peak(NamedTuple):
    """A peak in decades (the logarithm of the rate), what decided it, and the edges' own answer."""

    decades: float
    decided_by: DecidedBy
    of_edges: float


@dataclass(frozen=True)
class Edges:
    """The edges of a network under a schedule.

    Attributes:
        hard: Where short runs lose their progress, in rungs.
        soft: Where they begin to lose it, in rungs.
        at_once: How abruptly they go from working to exploding at the edge: 0 to 1.
        decays: Whether the schedule ends below half of its peak.
        family: The family of the optimizer; None is treated as Adam.
        early: How close the shortest runs come to longer ones: 0 to 1.
        reached: The lowest rung at which they get as far.
        shortest: The number of updates of the shortest runs.
        epoch: The number of updates in which all data is seen once, or None if unknown.
    """

    hard: float
    soft: float
    at_once: float
    decays: bool
    family: OptimizerFamily | None
    early: float = 0.0
    reached: int = 0
    shortest: int = 10
    epoch: float | None = None

    def peak(self, steps: int, longest: int) -> Peak:
        """Return the peak below the edges.

        Long runs break at lower rates than short ones: about a fifth of a decade lower for each
        factor of ten in length. SGD needs less margin if runs explode at once, as those with a
        squared loss do: that is the limit of stability, 2 over the curvature for plain gradient
        descent, which does not depend on the length of a run.

        If the shortest runs get as far as longer ones, and the planned run sees the data dozens of
        times, it would memorise the data. Then the peak is halfway between the usual one and the
        rate at which the planned run moves only as far as the shortest ones.

        The planned run has ``steps`` updates; the short runs with these edges have ``longest``.
        """
        decaying, steady = _MARGINS[self.family or "adam"]
        margin = decaying if self.decays else steady
        if self.family == "sgd":
            margin += self.at_once * (_AT_ONCE - margin)
        margin += _DRIFT * math.log10(max(1.0, steps / longest))
        hard = self.hard / QUARTERS - margin
        # RMSprop's first updates are larger than later ones, which matters most in short runs.
        gentle = math.inf if self.family == "rmsprop" else self.soft / QUARTERS - _SOFT_MARGIN
        peak = min(hard, gentle)
        lower = 0.5 * self.overfits(steps) * max(0.0, peak - self.least(steps))
        decided_by = "passes" if lower else "soft edge" if gentle < hard else "edge"
        return Peak(peak - lower, decided_by, peak)

    def overfits(self, steps: int) -> float:
        """Return how surely a run of this length memorises its data: 0 to 1."""
        if self.epoch is None:
            return 0.0
        return self.early * ramp(math.log(steps / self.epoch), math.log(_MANY), math.log(_FEW))

    def least(self, steps: int) -> float:
        """Return the rate, in decades, at which a run moves as far as the shortest ones."""
        return self.reached / QUARTERS + math.log10(self.shortest / steps)
