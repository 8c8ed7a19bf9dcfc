"""The edge ladder: short runs of the squeezed schedule that lead to a peak rate.

The best rate of a short run says little about the best rate of a long one, and neither does the
slope of its loss. What carries over is the *edge*: the rate at which a short run of the same
schedule loses its progress. The peak is a known distance below it, which grows slowly with the
length of the planned run.

1. A run at the rate 0 measures the losses before training, and their noise.
2. Runs of 10 updates, half a decade apart, find roughly where training works.
3. Runs of 40 updates, a quarter of a decade apart where it matters, find the edge.
4. Other batches repeat the runs around the edge, and the edges are averaged.

All runs start from the same state. The margins were found by experiment on small networks;
`docs/find.md` has what is known of them.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from itertools import pairwise
from statistics import fmean, pstdev

from lehr.errors import ScheduleError, whole
from lehr.find.doubts import Doubts
from lehr.find.edge import (
    EDGE,
    HALF_LOST,
    QUARTERS,
    SOFT,
    Edges,
    as_far,
    best,
    breaks_at_once,
    crossing,
    edge_near,
    lost,
    rate_of,
)
from lehr.find.runs import EXPLODED, LOST, Before, ShortRun, end_of, squeezed
from lehr.find.suggestion import AS_GOOD, BEST_WITHIN, DecidedBy, MeasuredRun, Suggestion
from lehr.schedule.base import Schedule
from lehr.schedule.horizon import Horizon, HorizonLike

__all__ = ["BATCHES", "BUDGET", "Ladder"]

BUDGET = 400
"""The most updates that a search takes, unless another number is given."""

_SHORT, _LONG = 10, 40  # updates in the runs of the two stages
_REPETITIONS = 2

BATCHES = (1 + _REPETITIONS) * _LONG
"""The updates for which a search needs batches; all its runs share them."""

_HALF, _DECADE = QUARTERS // 2, QUARTERS  # in rungs
_FARTHEST = 8 * _DECADE  # rungs from the start rate
_FREE = 70  # updates that the first two stages count as: the later ones get the rest in any case

Curve = dict[int, float]
"""The loss at the end of a run by rung, infinite for one that was stopped."""

Search = Generator[ShortRun, float]


class Ladder:
    """A search for the peak rate of one schedule with one optimizer.

    It does not train: `next` returns the short run that is needed, and `tell` takes its losses.

    Arguments:
        schedule: The schedule of the planned run.
        steps: The length of the planned run.
        start: A rate to begin with, above 0; the suggestion hardly depends on it.
        adaptive: Whether the optimizer divides by a running scale of the gradients, as Adam does;
            None if that is unknown.
        budget: The most updates that the search may take, at least 60; 400 of more.

    Raises:
        ScheduleError: If an argument is out of range, or the schedule is never above 0.

    Example:
        >>> import lehr
        >>> ladder = Ladder(lehr.cosine(), 1_000, start=0.01, adaptive=False)
        >>> while (run := ladder.next()) is not None:
        ...     # A network whose loss falls in proportion to the rate, and that breaks above 0.3.
        ...     loss = 2 - min(1, 10 * run.rate) if run.rate < 0.3 else math.inf
        ...     ladder.tell([2.0] * (run.updates - 8) + [loss] * 8)
        >>> found = ladder.suggestion()
        >>> found.decided_by, round(found.peak, 3), found.spent
        ('edge', 0.056, 370)
    """

    def __init__(
        self,
        schedule: Schedule,
        steps: HorizonLike,
        *,
        start: float,
        adaptive: bool | None = None,
        budget: int = BUDGET,
    ) -> None:
        # More makes it no better: see `lehr.find.longer`.
        self._budget = min(BUDGET, whole("budget", budget, at_least=60))
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
        self._decays = shape[-1] < 0.5 * max(shape)
        self._adaptive = adaptive
        self._origin = _HALF * round(QUARTERS * math.log10(start) / _HALF)
        self._runs: list[MeasuredRun] = []
        self._warnings: list[str] = []
        self._before = Before()
        self._free = 0
        self._coarse: Curve = {}
        self._fine: Curve = {}
        self._exploded: set[ShortRun] = set()
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
        run = self._wanted
        # Whether it explodes matters in one stage, and only to SGD.
        matters = run and run.updates == self._long and not run.batches and self._adaptive is False
        return self._before.is_above(loss, EXPLODED if matters else LOST)

    def tell(self, losses: Sequence[float], spent: int | None = None) -> None:
        """Add the losses of the run that was needed, up to where it was stopped.

        Arguments:
            losses: The training losses, each before its update; neighbours may be averaged.
            spent: The updates that were made, if not one for each loss.
        """
        run = self._wanted
        assert run is not None
        stopped = not losses or any(self._before.is_above(loss, LOST) for loss in losses)
        if not losses or any(self._before.is_above(loss, EXPLODED) for loss in losses):
            self._exploded.add(run)
        loss = math.inf if stopped else end_of(losses)
        if not run.rate and not stopped:
            self._before = Before(tuple(losses))
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
        """Return the suggested peak for a run of another length, once one is found."""
        assert self._edges is not None
        return 10 ** self._edges.peak(max(1.0, steps / self._long)).decades

    # ----- what is known --------------------------------------------------------------------------

    @property
    def _spent(self) -> int:
        return sum(run.spent for run in self._runs)

    def _can_afford(self, updates: int) -> bool:
        return self._spent - self._free + updates <= self._budget

    def _has_learned(self, curve: Curve) -> bool:
        return self._before.start - min(curve.values()) > max(
            self._before.noise, 1e-3 * abs(self._before.start)
        )

    def _falls_short(self, curve: Curve, coarse: Curve) -> bool:
        """Return whether no run gets a tenth as far as a shorter one did.

        A network that a high rate has broken may end with any finite loss: close to that before
        training, if it answers the same to every input.
        """
        least = max(
            0.1 * (self._before.start - min(coarse.values())), 1e-6 * abs(self._before.start)
        )
        return not self._before.start - min(curve.values()) > least

    # ----- the stages -----------------------------------------------------------------------------

    def _stages(self) -> Search:
        yield ShortRun(0.0, self._short)
        if not self._before.losses:
            self._end_without("the loss is not finite before any update")
            return
        coarse, fine = self._coarse, self._fine
        yield from self._find_roughly(coarse)
        self._free = self._spent - _FREE
        if not any(map(math.isfinite, coarse.values())):
            self._end_without("no rate gave a finite loss after a few updates")
            return
        yield from self._find_closely(coarse, fine)
        curve = fine
        if not fine:
            self._warnings.append(f"the budget ended after runs of {self._short} updates")
            curve = coarse
        if self._falls_short(curve, coarse):
            self._end_without(
                f"runs of {self._long} updates lost at every rate what shorter ones had gained: "
                "give a larger budget"
                if self._has_learned(coarse)
                else "short runs lower the loss at no rate: either the optimizer has other "
                "parameters than the model, or there is nothing left to learn"
            )
            return
        yield from self._refine(fine)
        edges: list[float] = []
        shares = lost(curve, self._before.start)
        edge = crossing(shares, EDGE)
        if edge is not None:
            edges.append(edge)
            yield from self._repeat(curve, edges)
        self._finish(curve, edges)

    def _measure(self, curve: Curve, rung: int, updates: int, batches: int = 0) -> Search:
        if rung not in curve:
            curve[rung] = yield ShortRun(rate_of(rung), updates, batches)

    def _find_roughly(self, curve: Curve) -> Search:
        """Run along half decades, in both directions as far as there is something to find."""
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

    def _next_half(self, curve: Curve) -> int | None:
        rungs = sorted(curve)
        finite = [rung for rung in rungs if math.isfinite(curve[rung])]
        if not finite:
            return rungs[0] - _DECADE
        if not self._has_learned(curve):
            if finite[-1] == rungs[-1]:
                return rungs[-1] + _DECADE
            if finite[-1] + _HALF not in curve:
                return finite[-1] + _HALF
            # Below a rate that changes nothing there is nothing to find.
            moved = abs(curve[rungs[0]] - self._before.start) > 0.1 * self._before.noise
            return rungs[0] - _HALF if moved else None
        low, shares = best(curve), lost(curve, self._before.start)
        for a, b in pairwise(rungs):
            if b - a > _HALF and (b == low or a >= low) and shares[a] < HALF_LOST:
                return a + _HALF
        if shares[rungs[-1]] < HALF_LOST:
            return rungs[-1] + _HALF
        return rungs[0] - _HALF if low == rungs[0] else None

    def _find_closely(self, coarse: Curve, curve: Curve) -> Search:
        """Make longer runs, from the rate at which progress is lost to below the best one."""
        if self._has_learned(coarse):
            low, shares = best(coarse), lost(coarse, self._before.start)
            top = next((r for r in shares if r >= low and shares[r] >= HALF_LOST), max(coarse))
            bottom = low - _HALF
        else:
            # Which of them is best is noise. They only show which rates are too high.
            top = max(rung for rung, loss in coarse.items() if math.isfinite(loss))
            bottom = top - _DECADE
        for rung in range(top, bottom - 1, -_HALF):
            if self._can_afford(self._long):
                yield from self._measure(curve, rung, self._long)
        while curve and self._can_afford(self._long):
            if self._falls_short(curve, coarse) or best(curve) == min(curve):
                rung = min(curve) - _HALF
            elif lost(curve, self._before.start)[max(curve)] < HALF_LOST:
                rung = max(curve) + _HALF
            else:
                return
            if abs(rung - self._origin) > _FARTHEST:
                return
            yield from self._measure(curve, rung, self._long)

    def _refine(self, curve: Curve) -> Search:
        """Measure the quarters between: at the edge, and on both sides of the best rung."""
        for place in ("edge", "above", "below"):
            if not curve or not self._can_afford(self._long):
                return
            rung = {"above": best(curve) + 1, "below": best(curve) - 1}.get(place)
            if place == "edge":
                edge = crossing(lost(curve, self._before.start), EDGE)
                rung = None if edge is None else max(r for r in curve if r < edge) + 1
            if rung is not None and min(curve) < rung < max(curve):
                yield from self._measure(curve, rung, self._long)

    def _repeat(self, curve: Curve, edges: list[float]) -> Search:
        """Find the edge again on other batches, close to where it was."""
        low, floor = min(curve.values()), min(curve)
        for batches in range(1, _REPETITIONS + 1):
            again: Curve = {}
            rung: int | None = math.floor(edges[0])
            while rung is not None and self._can_afford(self._long):
                yield from self._measure(again, rung, self._long, batches)
                shares = lost(again, self._before.start, low)
                if shares[min(again)] >= EDGE:
                    rung = min(again) - 1 if min(again) > floor else None
                else:
                    rung = max(again) + 1 if shares[max(again)] < EDGE else None
            if again:
                edges.append(edge_near(lost(again, self._before.start, low)))

    # ----- the result -----------------------------------------------------------------------------

    def _finish(self, curve: Curve, edges: list[float]) -> None:
        start = self._before.start
        shares = lost(curve, start)
        edge = fmean(edges) if edges else float(max(curve))
        soft = crossing(shares, SOFT)
        longest = self._long if curve is self._fine else self._short
        stretch = max(1.0, self.steps / longest)
        self._edges = Edges(
            edge,
            float(max(curve)) if soft is None else soft,
            breaks_at_once(shares, lambda rung: ShortRun(rate_of(rung), longest) in self._exploded),
            self._decays,
            self._adaptive,
        )
        decades, decided_by = self._edges.peak(stretch)
        early = (
            None
            if curve is self._coarse
            else as_far(self._coarse, curve, start, self._before.noise)
        )
        doubts = Doubts(
            longest=longest,
            stretch=stretch,
            progress=start - min(curve.values()),
            noise=self._before.noise,
            bracketed=bool(edges),
            soft=decided_by == "soft edge",
            early=early is not None,
            scatter=pstdev(edges) / QUARTERS if edges else 0.0,
            known=self._adaptive is not None,
        )
        self._warnings += doubts.sentences()
        # At this rate the whole run moves as far as those 10 updates did.
        least = math.inf if early is None else rate_of(early) * self._short / self.steps
        self._conclude(10**decades, decided_by, 10 ** (edge / QUARTERS) if edges else None, least)

    def _end_without(self, reason: str) -> None:
        self._warnings.append(reason)
        self._conclude(None, "nothing", None)

    def _conclude(
        self,
        rate: float | None,
        decided_by: DecidedBy,
        edge: float | None,
        least: float = math.inf,
    ) -> None:
        low, high = BEST_WITHIN
        self._result = Suggestion(
            peak=rate,
            as_good=None if rate is None else (rate * AS_GOOD[0], rate * AS_GOOD[1]),
            best_within=None if rate is None else (min(rate * low, least), rate * high),
            spent=self._spent,
            decided_by=decided_by,
            confidence="none" if rate is None else "low" if self._warnings else "usual",
            warnings=tuple(self._warnings),
            steps=self.steps,
            schedule=str(self.schedule),
            edge=edge,
            start_loss=self._before.start,
            curve=tuple(self._runs),
            peaks=() if rate is None else (rate,),
        )
