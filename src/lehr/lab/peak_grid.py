"""The search for the best peak rate of one optimizer with one schedule."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from lehr.lab.metric import Metric
from lehr.lab.trial import Ended, FailedTrial, Outcome, Trial

_WIDEST = 1e-15, 1e15  # peaks beyond these are not tried
_USUAL_RATIO = 3.0  # between neighbours, if there is only one peak
_AT_A_TIME = 2  # further peaks


class PeakGrid:
    """A search for the best peak: on a grid, by successive halving, then around the best one.

    The best peaks of a rung, by mean of the validation metric, advance to the next; on a tie, the
    lower ones do. A peak with a failed trial comes last. Then further peaks are tried, two at a
    time: beyond the edge if the best peak is there, otherwise halfway to its two neighbours.

    `peaks` has the most urgent ones first, `rungs` are those of `Size.rungs`, and `trials` returns
    the trials at a peak, one for each seed. The metric may be changed before the first rung is
    finished. The `further` peaks are tried with all seeds.

    Attributes:
        peak: The best peak; None until the search is finished, or if a trial failed at every peak.
        failed: The failed trials, with their reasons.
    """

    def __init__(
        self,
        peaks: Sequence[float],
        rungs: Sequence[tuple[int, int]],
        trials: Callable[[float], list[Trial]],
        metric: Metric,
        further: int = 0,
    ) -> None:
        self.peak: float | None = None
        self.failed: list[tuple[Trial, FailedTrial]] = []
        self._rungs, self._at = list(rungs), 0
        self._trials, self.metric = trials, metric
        self._further = self._left = further
        self._rung: dict[float, list[Trial]] = {}
        self._tried: dict[float, list[Trial]] = {}
        self._outcomes: dict[bytes, Outcome] = {}
        self._needed: dict[bytes, Trial] = {}
        self._start(peaks)

    @property
    def total(self) -> int:
        """The number of trials of the whole search."""
        return total_trials(self._rungs, self._further)

    @property
    def order(self) -> tuple[float, float]:
        """A key by which finished searches are sorted, best first."""
        return (math.inf, 0.0) if self.peak is None else self._order(self.tried()[self.peak])

    def _order(self, outcomes: Sequence[Outcome]) -> tuple[float, float]:
        return self.metric.order([outcome.validation for outcome in outcomes])

    def next(self) -> Iterator[Trial]:
        """Yield the trials whose outcomes are needed now."""
        yield from self._needed.values()

    def tell(self, trial: Trial, ended: Ended) -> None:
        """Record the outcome or the failure of a trial; one that is not needed is ignored."""
        if self._needed.pop(trial.digest, None) is None:
            return
        if isinstance(ended, FailedTrial):
            self.failed.append((trial, ended))
        else:
            self._outcomes[trial.digest] = ended.outcome
        if not self._needed:
            self._advance()

    def tried(self) -> dict[float, list[Outcome]]:
        """Return the outcomes at each peak, in ascending order, over all the seeds tried there.

        Peaks with a failed trial are left out.
        """
        failed = {trial.peak for trial, _ in self.failed}
        return {
            peak: [self._outcomes[trial.digest] for trial in self._tried[peak]]
            for peak in sorted(self._tried)
            if peak not in failed
        }

    def seen(self) -> list[list[float | None]]:
        """Return the validation metric of the successful runs so far, at each peak."""
        found = (
            [self._outcomes[t.digest] for t in trials if t.digest in self._outcomes]
            for trials in self._tried.values()
        )
        return [[each.validation for each in some if each.diverged is None] for some in found]

    def _start(self, peaks: Sequence[float]) -> None:
        """Start the next rung with these peaks."""
        _, seeds = self._rungs[min(self._at, len(self._rungs) - 1)]
        self._rung |= {peak: self._trials(peak)[:seeds] for peak in peaks}
        self._tried |= self._rung
        self._needed = {
            trial.digest: trial
            for peak in peaks
            for trial in self._rung[peak]
            if trial.digest not in self._outcomes
        }

    def _advance(self) -> None:
        """Finish the rung, and start the next one, or finish the search."""
        tried = self.tried()
        sound = [peak for peak in self._rung if peak in tried]
        orders = {peak: self._order(tried[peak]) for peak in sound}
        best = sorted(sound, key=lambda peak: (orders[peak], peak))
        self._at += 1
        if not best:
            return
        if self._at < len(self._rungs):
            count, _ = self._rungs[self._at]
            self._rung = {}
            self._start(sorted(best[:count]))
        else:
            peaks = further_peaks(list(self._tried), best[0], min(self._left, _AT_A_TIME))
            self._left = max(self._left - _AT_A_TIME, 0)
            if not peaks:
                self.peak = best[0]
                return
            self._start(peaks)
        if not self._needed:
            self._advance()


def total_trials(rungs: Sequence[tuple[int, int]], further: int) -> int:
    """Return the number of trials of a search; see `PeakGrid` for the arguments."""
    before = [0, *(seeds for _, seeds in rungs)]
    on_grid = sum(
        count * (seeds - spent) for (count, seeds), spent in zip(rungs, before, strict=False)
    )
    return on_grid + further * rungs[-1][1]


def further_peaks(tried: Sequence[float], best: float, count: int) -> list[float]:
    """Return peaks to try next, in ascending order.

    They continue the grid if the best peak is at its edge; otherwise they are halfway, in the
    logarithm, between the best one and its neighbours.

    Example:
        >>> further_peaks([0.01, 0.03, 0.1], 0.1, 2)
        [0.33, 1.1]
        >>> further_peaks([0.01, 0.03, 0.1], 0.03, 2)
        [0.017, 0.055]
    """
    known = sorted(tried)
    at = known.index(best)
    neighbours = known[max(at - 1, 0) : at] + known[at + 1 : at + 2]
    beyond: list[float] = []
    if not neighbours:
        beyond = [best / _USUAL_RATIO, best * _USUAL_RATIO]
    elif len(neighbours) == 1:
        beyond = [best * (best / neighbours[0]) ** k for k in range(1, count + 1)]
    between = [math.sqrt(best * near) for near in neighbours]
    found: list[float] = []
    for peak in (*beyond, *between):
        short = float(f"{peak:.2g}")
        new = short if abs(short - peak) < abs(peak - best) / 5 else peak
        if new not in (*known, *found) and _WIDEST[0] <= new <= _WIDEST[1]:
            found.append(new)
    return sorted(found[:count])
