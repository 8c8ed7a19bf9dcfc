"""The search for one pair of a comparison: for its peak rate, then for its score there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from statistics import fmean

from lehr.lab.analysis.finished import FinishedPair
from lehr.lab.analysis.pair_result import FoundPeak
from lehr.lab.errors import TaskError
from lehr.lab.metric import Metric
from lehr.lab.peak_grid import PeakGrid, total_trials
from lehr.lab.plan import Pair, Plan
from lehr.lab.search.ladder import LadderSearch, around
from lehr.lab.trial import Ended, FailedTrial, FinishedTrial, Trial
from lehr.lab.tuning import Choice


class PairSearch:
    """The search for one pair: the peak for each choice of its tuned numbers, then the scoring.

    The metric is the plan's; `measure_by` may set another before anything is compared.
    """

    def __init__(self, plan: Plan, pair: Pair, metric: Metric) -> None:
        self._plan, self._pair = plan, pair
        self._searches = [
            _ChoiceSearch(plan, pair, choice, metric) for choice in plan.choices[pair]
        ]
        self._best: _ChoiceSearch | None = None
        self._needed: dict[bytes, Trial] = {}
        self._scoring: dict[int, list[Trial]] = {}
        self._ended: dict[bytes, FinishedTrial] = {}
        self._failed: list[tuple[Trial, FailedTrial]] = []

    @property
    def total(self) -> int:
        """The number of trials of the whole search."""
        scoring = self._plan.size.seeds * len(self._plan.lengths)
        return sum(search.total for search in self._searches) + scoring

    @property
    def searched(self) -> int:
        """The updates that the short runs have made so far."""
        return sum(search.searched for search in self._searches)

    def measure_by(self, metric: Metric) -> None:
        """Compare the outcomes by this metric, before any has been compared."""
        for search in self._searches:
            search.measure_by(metric)

    def next(self) -> Iterator[Trial]:
        """Yield the trials whose outcomes are needed now."""
        if self._failed or any(search.is_lost for search in self._searches):
            return  # the score would be missing, however the other trials end
        if self._best is None:
            for search in self._searches:
                yield from search.next()
        yield from self._needed.values()

    def seen(self) -> Iterator[list[float | None]]:
        """Yield the validation metric of the runs so far, setting by setting."""
        for search in self._searches:
            if search.grid is not None:
                yield from search.grid.seen()

    @property
    def failed(self) -> list[tuple[Trial, FailedTrial]]:
        """The failed trials, with their reasons, in an order that does not depend on timing."""
        failed = [each for search in self._searches for each in search.failed] + self._failed
        return sorted(failed, key=lambda each: (each[0].steps, each[0].peak, each[0].seed))

    @property
    def is_lost(self) -> bool:
        """Whether the pair has no result because trials failed."""
        return bool(self._failed) or (self._best is None and not any(self.next()))

    def tell(self, trial: Trial, ended: Ended) -> None:
        """Record the outcome or the failure of a trial; one that is not needed is ignored."""
        if self._best is None:
            for search in self._searches:
                search.tell(trial, ended)
            self._choose()
        elif self._needed.pop(trial.digest, None) is None:
            return
        elif isinstance(ended, FailedTrial):
            self._failed.append((trial, ended))
        else:
            self._ended[trial.digest] = ended

    def _choose(self) -> None:
        """Start scoring the best choice, once the peaks of all are chosen."""
        if any(self.next()) or any(search.is_lost for search in self._searches):
            return
        # On a tie, the first.
        best = min(self._searches, key=lambda search: search.order)
        if best.peak is None:
            return
        self._best = best
        usual = self._plan.size.steps
        lengths = [usual, *(steps for steps in self._plan.lengths if steps != usual)]
        for steps in lengths:
            self._scoring[steps] = self._plan.scoring(self._pair, best.peak, steps, best.choice)
            self._needed |= {trial.digest: trial for trial in self._scoring[steps]}

    def finished(self, pair: Pair) -> FinishedPair | None:
        """Return the outcomes for `pair`, or None if some are missing."""
        best = self._best
        if best is None or self._needed or self._failed:
            return None
        assert best.grid is not None
        assert best.peak is not None
        scored = {
            steps: [self._ended[trial.digest].outcome for trial in trials]
            for steps, trials in self._scoring.items()
        }
        usual = self._scoring[self._plan.size.steps]
        # The cost of an imported run may be unknown, and is then 0.
        costs = [cost for trial in usual if (cost := self._ended[trial.digest].seconds)]
        return FinishedPair(
            pair,
            best.peak,
            best.grid.tried(),
            scored,
            usual[0],
            fmean(costs or [0.0]),
            best.first,
            best.choice.values,
            [(each.choice.values, each.grid.tried()) for each in self._searches if each.grid],
            best.found,
        )


class _ChoiceSearch:
    """The search for the peak of one choice: by short runs, if the plan asks for them; on a grid.

    Attributes:
        grid: The search on the grid; None before the short runs have ended.
        first: The peaks of the grid; empty before the short runs have ended.
        found: The outcome of the short runs, if there are any.
        is_lost: Whether the short runs found nothing, so that there is no peak to begin with.
    """

    def __init__(self, plan: Plan, pair: Pair, choice: Choice, metric: Metric) -> None:
        self._plan, self._pair, self.choice, self._metric = plan, pair, choice, metric
        self.grid: PeakGrid | None = None
        self.first: tuple[float, ...] = ()
        self.found: FoundPeak | None = None
        self.is_lost = False
        self._lost: list[tuple[Trial, FailedTrial]] = []
        self._finder = None
        if plan.size.find:
            self._finder = LadderSearch(
                plan.task,
                choice.optimizer,
                pair.schedule,
                plan.size.steps,
                contender=choice.contender,
            )
        else:
            self._begin(None)

    @property
    def total(self) -> int:
        """The number of trials of the whole search."""
        size = self._plan.size
        short = 0 if self._finder is None else self._finder.total
        return short + total_trials(self._plan.rungs(self._pair), size.further_peaks)

    @property
    def searched(self) -> int:
        """The updates that the short runs have made so far."""
        return 0 if self._finder is None else self._finder.spent

    @property
    def peak(self) -> float | None:
        return None if self.grid is None else self.grid.peak

    @property
    def order(self) -> tuple[float, float]:
        """A key by which finished searches are sorted, best first."""
        return (math.inf, 0.0) if self.grid is None else self.grid.order

    @property
    def failed(self) -> list[tuple[Trial, FailedTrial]]:
        return self._lost + ([] if self.grid is None else self.grid.failed)

    def measure_by(self, metric: Metric) -> None:
        self._metric = metric
        if self.grid is not None:
            self.grid.metric = metric

    def next(self) -> Iterator[Trial]:
        if self.grid is not None:
            yield from self.grid.next()
        elif self._finder is not None:
            yield from self._finder.next()

    def tell(self, trial: Trial, ended: Ended) -> None:
        if self.grid is not None:
            self.grid.tell(trial, ended)
            return
        assert self._finder is not None
        if all(trial.digest != needed.digest for needed in self._finder.next()):
            return
        if isinstance(ended, FailedTrial):
            # The peak is then tuned on the optimizer's own grid.
            self._lost.append((trial, ended))
            self._finder.stop()
            self._begin(None)
            return
        try:
            self._finder.tell(trial, ended)
        except TaskError as error:
            self._lost.append((trial, FailedTrial(str(error), str(error))))
            self._finder.stop()
            self.is_lost = True
            return
        if not any(self._finder.next()):
            self.found = FoundPeak.of(self._finder.suggestion())
            self._begin(self.found.peak)

    def _begin(self, found: float | None) -> None:
        """Begin the search on the grid."""
        plan, pair = self._plan, self._pair
        near = () if found is None else tuple(float(f"{peak:.2g}") for peak in around(found))
        self.first = plan.first_peaks(pair, near)
        self.grid = PeakGrid(
            sorted(self.first, key=lambda peak: peak != plan.known_peaks.get(pair)),
            plan.rungs(pair),
            partial(plan.tuning, pair, choice=self.choice),
            self._metric,
            plan.size.further_peaks,
        )
