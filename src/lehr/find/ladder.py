"""The edge ladder: short runs of the squeezed schedule that lead to a peak rate.

The best rate of a short run says little about the best rate of a long one, and the slope of its
loss says no more. What carries over is the *edge*: the rate at which a short run of the same
schedule loses its progress. The peak is a known distance below it, which grows slowly with the
length of the planned run.

1. A run at the rate 0 measures the losses before training, and their noise.
2. Runs of 10 updates, half a decade apart, find roughly where training works.
3. Runs of 40 updates, a quarter of a decade apart where it matters, find the edge.
4. The runs around the edge are repeated on other batches, and the edges are averaged.

All runs start from the same state. The margins were found by experiment on small networks;
`docs/find.md` describes what is known about them.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from itertools import pairwise
from statistics import pstdev

from lehr.errors import ScheduleError, whole
from lehr.find.edge import EDGE, HALF_LOST, QUARTERS, best, crossing, pooled, rate_of, reach
from lehr.find.margins import Edges, OptimizerFamily
from lehr.find.measured import LossByRung, Measured
from lehr.find.runs import BUDGET, EXPLODED, LEAST, LOST, Before, ShortRun, end_of, squeezed
from lehr.find.suggestion import (
    AS_GOOD,
    BEST_WITHIN,
    DecidedBy,
    MeasuredRun,
    Suggestion,
    doubts,
)
from lehr.schedule.base import Schedule
from lehr.schedule.horizon import Horizon, HorizonLike

_SHORT, _LONG = 10, 40  # updates in the runs of the two stages
_REPETITIONS = 2

BATCHES = (1 + _REPETITIONS) * _LONG
"""The number of updates for which a search needs batches; all its runs share them."""

_HALF, _DECADE = QUARTERS // 2, QUARTERS  # in rungs
_FARTHEST = 8 * _DECADE  # rungs from the start rate
_SOON = 10  # updates
_CLEARLY = 2  # times the scatter between batches: progress that is visible without comparing
_FREE = 90  # updates counted for the first stages, so that later ones always get the rest

Search = Generator[ShortRun, float]


class Ladder:
    """A search for the peak rate of one schedule with one optimizer.

    It does not train: `next` returns the short run that is needed, and `tell` records its losses.

    Arguments:
        schedule: The schedule of the planned run.
        steps: The length of the planned run.
        start: The rate to begin with, above 0; the suggestion hardly depends on it.
        family: The family of the optimizer, on which the margins depend; None if it is unknown.
        epoch: The number of updates in which all data is seen once, or None if unknown.
        budget: The most updates that the search may take, at least 60; at most 400 are used.

    Raises:
        ScheduleError: If an argument is out of range, or the schedule is never above 0.

    Example:
        >>> import lehr
        >>> ladder = Ladder(lehr.cosine(), 1_000, start=0.01, family="sgd")
        >>> while (run := ladder.next()) is not None:
        ...     # A network whose loss falls in proportion to the rate, and that breaks above 0.3.
        ...     loss = 2 - min(1, 10 * run.rate) if run.rate < 0.3 else math.inf
        ...     ladder.tell([2.0] * (run.updates - 8) + [loss] * 8)
        >>> found = ladder.suggestion()
        >>> found.decided_by, round(found.peak, 3), found.spent
        ('edge', 0.079, 330)
    """

    def __init__(
        self,
        schedule: Schedule,
        steps: HorizonLike,
        *,
        start: float,
        family: OptimizerFamily | None = None,
        epoch: float | None = None,
        budget: int = BUDGET,
    ) -> None:
        # More would not improve the ladder: see `lehr.find.longer`.
        self._budget = min(BUDGET, whole("budget", budget, at_least=LEAST))
        if not 0 < start < math.inf:
            raise ScheduleError(f"start={start!r} must be a finite rate above 0, such as 0.01")
        self.schedule, self.horizon = schedule, Horizon.of(steps)
        self.steps = self.horizon.steps
        self._long = max(1, min(_LONG, self._budget // 8, self.steps))
        self._short = max(1, min(_SHORT, self._long // 2))
        shape = squeezed(schedule, self.horizon, self._long)
        if min(shape) < 0 or max(shape) <= 0:
            raise ScheduleError(
                f"schedule={schedule} reaches from {min(shape):g} to {max(shape):g}: a rate needs "
                "a schedule that is nowhere below 0 and somewhere above it"
            )
        decays = shape[-1] < 0.5 * max(shape)
        self._known = Measured(self._short, self._long, decays, family, epoch)
        self._origin = _HALF * round(QUARTERS * math.log10(start) / _HALF)
        self._runs: list[MeasuredRun] = []
        self._warnings: list[str] = []
        self._free = 0
        self._above = 0
        self._result: Suggestion | None = None
        self._edges: Edges | None = None
        self._search = self._stages()
        self._wanted = next(self._search, None)

    def next(self) -> ShortRun | None:
        """Return the run that is needed now, or None once the search is finished."""
        return self._wanted

    def factors(self, run: ShortRun) -> list[float]:
        """Return the factors on the peak rate over a run."""
        return squeezed(self.schedule, self.horizon, run.updates)

    def is_lost(self, loss: float) -> bool:
        """Return whether a run with this loss can be stopped: it is not finite, or rose too far."""
        if not self._known.before.is_above(loss, LOST):
            return False
        self._above += 1
        run = self._wanted
        # Explosions matter in only one stage, and only for SGD; they come soon or not at all.
        is_sgd = self._known.family == "sgd"
        matters = run and run.updates == self._long and not run.batches and is_sgd
        return not (matters and self._above < _SOON) or self._known.before.is_above(loss, EXPLODED)

    def tell(self, losses: Sequence[float], spent: int | None = None) -> None:
        """Record the losses of the needed run, up to where it was stopped.

        Arguments:
            losses: The training losses, each taken before its update; neighbours may be averaged.
            spent: The number of updates made, if not one for each loss.
        """
        run, self._above = self._wanted, 0
        assert run is not None
        stopped = not losses or any(self._known.before.is_above(loss, LOST) for loss in losses)
        if not losses or any(self._known.before.is_above(loss, EXPLODED) for loss in losses):
            self._known.exploded.add(run)
        loss = math.inf if stopped else end_of(losses)
        if not stopped:
            self._known.scatter[run] = pstdev(losses[-max(1, 2 * len(losses) // 5) :])
        if not run.rate and not stopped:
            self._known.before = Before(tuple(losses))
        made = len(losses) if spent is None else spent
        kept = None if stopped else loss
        self._runs.append(MeasuredRun(run.rate, run.updates, run.batches, kept, made))
        try:
            self._wanted = self._search.send(loss)
        except StopIteration:
            self._wanted = None

    def suggestion(self) -> Suggestion:
        """Return the suggestion, once `next` returns None."""
        assert self._result is not None
        return self._result

    def peak_over(self, steps: int) -> float:
        """Return the suggested peak for a run of another length, once a peak is found."""
        assert self._edges is not None
        return 10 ** self._edges.peak(steps, self._long).decades

    @property
    def _spent(self) -> int:
        return sum(run.spent for run in self._runs)

    def _can_afford(self, updates: int) -> bool:
        return self._spent - self._free + updates <= self._budget

    # ----- the stages -----------------------------------------------------------------------------

    def _stages(self) -> Search:
        yield ShortRun(0.0, self._short)
        if not self._known.before.losses:
            self._end_without("the loss is not finite before any update")
            return
        coarse, fine = self._known.coarse, self._known.fine
        yield from self._find_roughly(coarse)
        self._free = self._spent - _FREE
        if not any(map(math.isfinite, coarse.values())):
            self._end_without("no rate gave a finite loss after a few updates")
            return
        learned = self._known.has_learned(coarse)
        self._known.gained = self._known.before.start - min(coarse.values())
        top, bottom = self._close(coarse)
        self._known.before_short = self._known.before.start
        if self._known.gained < _CLEARLY * self._known.before.noise and self._can_afford(
            2 * self._long
        ):
            # Progress has to be compared on the same batches.
            yield ShortRun(0.0, self._long)
        yield from self._find_closely(top, bottom, fine)
        curve = fine
        if not fine:
            self._warnings.append(f"the budget ended after runs of {self._short} updates")
            curve = coarse
        if self._known.falls_short(curve):
            self._end_without(
                f"at every rate, runs of {self._long} updates lost what shorter ones had gained: "
                "give a larger budget"
                if learned
                else "no rate lowers the loss in short runs: either the optimizer has other "
                "parameters than the model, or there is nothing left to learn"
            )
            return
        yield from self._refine(fine)
        yield from self._repeat(curve)
        self._finish(curve)

    def _measure(self, curve: LossByRung, rung: int, updates: int, batches: int = 0) -> Search:
        if rung not in curve:
            curve[rung] = yield ShortRun(rate_of(rung), updates, batches)

    def _find_roughly(self, curve: LossByRung) -> Search:
        """Run at half decades, in both directions, as far as there is something to find."""
        rung: int | None = self._origin
        while rung is not None:
            yield from self._measure(curve, rung, self._short)
            rung = self._next_half(curve)
            if rung is not None and abs(rung - self._origin) > _FARTHEST:
                self._warnings.append(
                    f"the search ended at the rate {rate_of(rung):.0e}, eight decades "
                    "from where it began"
                )
                return

    def _next_half(self, curve: LossByRung) -> int | None:
        rungs = sorted(curve)
        finite = [rung for rung in rungs if math.isfinite(curve[rung])]
        if not finite:
            return rungs[0] - _DECADE
        if not self._known.has_learned(curve):
            if finite[-1] == rungs[-1]:
                return rungs[-1] + _DECADE
            if finite[-1] + _HALF not in curve:
                return finite[-1] + _HALF
            # Below a rate with no effect there is nothing to find.
            moved = abs(curve[rungs[0]] - self._known.before.start) > 0.1 * self._known.before.noise
            return rungs[0] - _HALF if moved else None
        low, shares = best(curve), self._known.lost(curve)
        for a, b in pairwise(rungs):
            if b - a > _HALF and (b == low or a >= low) and shares[a] < HALF_LOST:
                return a + _HALF
        if shares[rungs[-1]] < HALF_LOST:
            return rungs[-1] + _HALF
        return rungs[0] - _HALF if low == rungs[0] else None

    def _close(self, coarse: LossByRung) -> tuple[int, int]:
        """Return the highest and the lowest rung of the longer runs.

        They are the rate at which progress is lost, and one rung below the best.
        """
        if self._known.has_learned(coarse):
            low, shares = best(coarse), self._known.lost(coarse)
            top = next((r for r in shares if r >= low and shares[r] >= HALF_LOST), max(coarse))
            return top, low - _HALF
        # Which of these is best is noise; they only show which rates are too high.
        top = max(rung for rung, loss in coarse.items() if math.isfinite(loss))
        return top, top - _DECADE

    def _find_closely(self, top: int, bottom: int, curve: LossByRung) -> Search:
        """Make longer runs from one rung down to another, and further if needed."""
        for rung in range(top, bottom - 1, -_HALF):
            if self._can_afford(self._long):
                yield from self._measure(curve, rung, self._long)
        while curve and self._can_afford(self._long):
            if self._known.falls_short(curve) or best(curve) == min(curve):
                rung = min(curve) - _HALF
            elif self._known.lost(curve)[max(curve)] < HALF_LOST:
                rung = max(curve) + _HALF
            else:
                return
            if abs(rung - self._origin) > _FARTHEST:
                return
            yield from self._measure(curve, rung, self._long)

    def _refine(self, curve: LossByRung) -> Search:
        """Measure the quarters in between: at the edge, then above the best rung."""
        if not curve:
            return
        edge = crossing(self._known.lost(curve), EDGE)
        if edge is not None:
            yield from self._measure_inside(curve, max(r for r in curve if r < edge) + 1)
        yield from self._measure_inside(curve, best(curve) + 1)

    def _measure_inside(self, curve: LossByRung, rung: int) -> Search:
        if min(curve) < rung < max(curve) and self._can_afford(self._long):
            yield from self._measure(curve, rung, self._long)

    def _repeat(self, curve: LossByRung) -> Search:
        """Make the runs around the edge again, on other batches."""
        for batches in range(1, _REPETITIONS + 1):
            self._known.again.append({})
            while self._can_afford(self._long):
                shares, below = pooled(self._known.parts(curve)), best(curve)
                # The best rate on the first batches may be too high on others.
                while shares.get(below, 0.0) >= EDGE:
                    below -= 1
                if below == best(curve):
                    below = math.floor(reach(shares, EDGE))
                around = below, below + 1
                wanted = [rung for rung in around if rung not in self._known.again[-1]]
                if not wanted:
                    break
                yield from self._measure(self._known.again[-1], wanted[0], self._long, batches)

    # ----- the result -----------------------------------------------------------------------------

    def _finish(self, curve: LossByRung) -> None:
        longest, parts = self._known.updates(curve), self._known.parts(curve)
        self._edges = found = self._known.edges(curve)
        decades, decided_by, of_edges = found.peak(self.steps, longest)
        bracketed = max(pooled(parts).values()) >= EDGE
        self._warnings += doubts(
            longest=longest,
            stretch=max(1.0, self.steps / longest),
            progress=self._known.before.start - min(curve.values()),
            noise=self._known.before.noise,
            bracketed=bracketed,
            soft=decided_by == "soft edge",
            early=found.early >= 0.5,
            passes=self.steps / found.epoch if found.epoch and found.overfits(self.steps) else None,
            scatter=pstdev(reach(part, EDGE) for part in parts) / QUARTERS,
            known=found.family is not None,
        )
        low, high = BEST_WITHIN
        least = 10 ** found.least(self.steps) if found.early else math.inf
        within = min(low * 10**decades, least), max(high * 10**decades, 10**of_edges)
        edge = 10 ** (found.hard / QUARTERS) if bracketed else None
        self._conclude(10**decades, decided_by, edge, within)

    def _end_without(self, reason: str) -> None:
        self._warnings.append(reason)
        self._conclude(None, "nothing")

    def _conclude(
        self,
        rate: float | None,
        decided_by: DecidedBy,
        edge: float | None = None,
        within: tuple[float, float] | None = None,
    ) -> None:
        self._result = Suggestion(
            peak=rate,
            as_good=None if rate is None else (rate * AS_GOOD[0], rate * AS_GOOD[1]),
            best_within=within,
            spent=self._spent,
            decided_by=decided_by,
            confidence="none" if rate is None else "low" if self._warnings else "usual",
            warnings=tuple(self._warnings),
            steps=self.steps,
            schedule=str(self.schedule),
            edge=edge,
            start_loss=self._known.before.start,
            curve=tuple(self._runs),
            peaks=() if rate is None else (rate,),
        )
