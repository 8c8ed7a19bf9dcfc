"""The measured curves of a search, and the edges that they show."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from lehr.find.edge import (
    EDGE,
    SOFT,
    best,
    breaks_at_once,
    early,
    lost,
    of_the_rest,
    pooled,
    rate_of,
    reach,
)
from lehr.find.margins import Edges, OptimizerFamily
from lehr.find.runs import Before, ShortRun

LossByRung = dict[int, float]
"""The loss at the end of a run, by rung; infinite for a run that was stopped."""


@dataclass
class Measured:
    """The curves of a search, and the facts on which their edges depend.

    Attributes:
        shortest, longest: The number of updates of the runs in its two stages.
        decays, family, epoch: See :class:`lehr.find.margins.Edges`.
        before: The losses before training.
        before_short: The loss before training on the batches of the shortest runs.
        gained: How far these runs lower it.
        coarse: The losses of the shortest runs.
        fine: The losses of the longest runs.
        again: Their losses on other batches.
        exploded: The runs that exploded.
        scatter: The scatter of the losses at the end of each run.
    """

    shortest: int
    longest: int
    decays: bool
    family: OptimizerFamily | None
    epoch: float | None
    before: Before = field(default_factory=Before)
    before_short: float = math.nan
    gained: float = 0.0
    coarse: LossByRung = field(default_factory=LossByRung)
    fine: LossByRung = field(default_factory=LossByRung)
    again: list[LossByRung] = field(default_factory=list[LossByRung])
    exploded: set[ShortRun] = field(default_factory=set[ShortRun])
    scatter: dict[ShortRun, float] = field(default_factory=dict[ShortRun, float])

    def has_learned(self, curve: LossByRung) -> bool:
        """Return whether any run lowers the loss by more than batches differ."""
        start = self.before.start
        return start - min(curve.values()) > max(self.before.noise, 1e-3 * abs(start))

    def progress(self, curve: LossByRung) -> float:
        """Return how far the best run of a curve lowers the loss; at least the noise."""
        return max(self.before.start - min(curve.values()), self.before.noise, 1e-300)

    def lost(self, curve: LossByRung) -> dict[int, float]:
        """Return the share of the progress of a curve that is lost at each rung."""
        return lost(curve, min(curve.values()), self.progress(curve))

    def falls_short(self, curve: LossByRung) -> bool:
        """Return whether no run gets even a tenth as far as a shorter one did.

        A network broken by a high rate may end with any finite loss; if it gives the same output
        for every input, close to the loss before training.
        """
        least = max(0.1 * self.gained, 1e-6 * abs(self.before.start))
        return not self.before.start - min(curve.values()) > least

    def parts(self, curve: LossByRung) -> list[dict[int, float]]:
        """Return the share of the progress lost at each rung, on each set of batches."""
        low, progress = min(curve.values()), self.progress(curve)
        return [lost(part, low, progress) for part in (curve, *self.again) if part]

    def updates(self, curve: LossByRung) -> int:
        """Return the number of updates of the runs of a curve."""
        return self.longest if curve is self.fine else self.shortest

    def edges(self, curve: LossByRung) -> Edges:
        """Return the edges of a curve."""
        parts, progress = self.parts(curve), self.progress(curve)
        updates = self.updates(curve)
        at_once = breaks_at_once(
            parts, lambda rung: ShortRun(rate_of(rung), updates) in self.exploded
        )
        degree, reached = 0.0, 0
        if curve is self.fine:
            low = self.before_short - self.before.start + min(curve.values())
            degree, reached = early(lost(self.coarse, low, progress), self.before.noise / progress)
        shares = pooled(parts)
        broken = [
            shares[rung]
            for made in (curve, *self.again)
            for rung in made
            if rung > best(curve) and made[rung] < self.before.start
        ]
        scatter = self.scatter[ShortRun(rate_of(best(curve)), updates)] / progress
        highest = max(broken, default=1.0)
        shares = of_the_rest(shares, highest, scatter, degree * (1 - at_once))
        return Edges(
            hard=reach(shares, EDGE),
            soft=reach(shares, SOFT),
            at_once=at_once,
            decays=self.decays,
            family=self.family,
            early=degree,
            reached=reached,
            shortest=self.shortest,
            epoch=self.epoch,
        )
