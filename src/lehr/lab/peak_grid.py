"""The search for the best peak rate of one optimizer with one schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from lehr.lab.metric import Metric
from lehr.lab.trial import Ended, FailedTrial, Outcome, Trial

__all__ = ["PeakGrid"]


class PeakGrid:
    """A search for the best peak on a grid, by successive halving.

    The best peaks of a rung, by mean of the validation metric, go on to the next one; of equal
    peaks, the lower ones do. A peak with a failed trial comes last.

    Arguments:
        peaks: The peak rates, in ascending order.
        rungs: How many peaks are tried with how many seeds; see `Size.rungs`.
        trials: Returns the trials at a peak, one for each seed.
        metric: The metric; another may be set before the first rung is finished.

    Attributes:
        peak: The best peak, or None until the search is finished, or if a trial failed at every
            peak.
        failed: The failed trials, with their reasons.
    """

    def __init__(
        self,
        peaks: Sequence[float],
        rungs: Sequence[tuple[int, int]],
        trials: Callable[[float], list[Trial]],
        metric: Metric,
    ) -> None:
        self.peak: float | None = None
        self.failed: list[tuple[Trial, FailedTrial]] = []
        self._rungs, self._at = list(rungs), 0
        self._trials, self.metric = trials, metric
        self._rung: dict[float, list[Trial]] = {}
        self._tried: dict[float, list[Trial]] = {}
        self._outcomes: dict[bytes, Outcome] = {}
        self._needed: dict[bytes, Trial] = {}
        self._start(peaks)

    @property
    def total(self) -> int:
        """The number of trials of the whole search."""
        before = [0, *(seeds for _, seeds in self._rungs)]
        return sum(
            count * (seeds - spent)
            for (count, seeds), spent in zip(self._rungs, before, strict=False)
        )

    def next(self) -> Iterator[Trial]:
        """Yield the trials whose outcomes are needed now."""
        yield from self._needed.values()

    def tell(self, trial: Trial, ended: Ended) -> None:
        """Add the outcome or the failure of a trial."""
        del self._needed[trial.digest]
        if isinstance(ended, FailedTrial):
            self.failed.append((trial, ended))
        else:
            self._outcomes[trial.digest] = ended.outcome
        if not self._needed:
            self._advance()

    def tried(self) -> dict[float, list[Outcome]]:
        """Return the outcomes at each peak, in ascending order, with all seeds spent on it.

        Peaks with a failed trial are left out.
        """
        failed = {trial.peak for trial, _ in self.failed}
        return {
            peak: [self._outcomes[trial.digest] for trial in trials]
            for peak, trials in self._tried.items()
            if peak not in failed
        }

    def _start(self, peaks: Sequence[float]) -> None:
        """Start the next rung with these peaks, in ascending order."""
        _, seeds = self._rungs[self._at]
        self._rung = {peak: self._trials(peak)[:seeds] for peak in peaks}
        self._tried |= self._rung
        self._needed = {
            trial.digest: trial
            for trials in self._rung.values()
            for trial in trials
            if trial.digest not in self._outcomes
        }

    def _advance(self) -> None:
        """Finish the rung, and start the next one, or finish the search."""
        tried = self.tried()
        sound = [peak for peak in self._rung if peak in tried]
        orders = {peak: self.metric.order([o.validation for o in tried[peak]]) for peak in sound}
        best = sorted(sound, key=lambda peak: (orders[peak], peak))
        self._at += 1
        if self._at == len(self._rungs) or not best:
            self.peak = best[0] if best else None
            return
        count, _ = self._rungs[self._at]
        self._start(sorted(best[:count]))
        if not self._needed:
            self._advance()
