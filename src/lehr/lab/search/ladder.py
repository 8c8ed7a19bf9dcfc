"""The peak rate for a schedule on a task: the edge ladder, trained as trials of a study."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from lehr.find.ladder import Ladder
from lehr.find.longer import SIDE, LongerRuns
from lehr.find.margins import family_of
from lehr.find.runs import BUDGET, ShortRun, squeezed, updates_of
from lehr.find.suggestion import Suggestion
from lehr.lab.errors import TaskError
from lehr.lab.metric import Metric
from lehr.lab.optimizers import canonical, find_optimizer
from lehr.lab.own.naming import find_own, is_own, metric_of
from lehr.lab.place import RunPlace
from lehr.lab.schedules import Contender, check_contender, find_contender
from lehr.lab.study import Progress
from lehr.lab.tasks.registry import TASKS, find_task, identity, pinned
from lehr.lab.trial import Ended, FailedTrial, Outcome, Trial
from lehr.schedule.leaves import table

VERIFY_SEEDS = 4
"""The number of whole runs at each of the three rates that verify a suggestion."""

_NO_RATE = 1e-30  # too small to change a weight, but above 0, as a trial's peak must be
_SEEDS = 2_000_000  # the first seed, far above those of comparisons
USUAL = 24
"""The short runs of a search."""


def around(peak: float) -> tuple[float, ...]:
    """Return a peak and its two neighbours: one of the three is nearly always a good rate."""
    return peak / SIDE, peak, peak * SIDE


class LadderSearch:
    """The search of a study for the peak rate of an optimizer with a schedule.

    The arguments are those of `find_peak`; `contender` is the schedule itself, if it is not the one
    with that name.

    Attributes:
        spent: The number of updates made.

    Raises:
        ValueError: If an argument is unknown or out of range.
    """

    def __init__(
        self,
        task: str,
        optimizer: str,
        schedule: str,
        steps: int,
        *,
        budget: int | str = BUDGET,
        verify: bool = False,
        contender: Contender | None = None,
    ) -> None:
        fixed, self._is_own = pinned(task), is_own(task)
        known = None if self._is_own else find_task(fixed)
        self._metric = find_own(fixed).metric if known is None else known.metric
        entry = find_optimizer(optimizer)
        placed, momentum, _ = contender or find_contender(schedule)
        check_contender(schedule, placed, steps)
        # The planned run; the trained ones have another peak and seed.
        self._run = Trial(
            task=fixed,
            optimizer=canonical(optimizer),
            schedule=placed,
            momentum=momentum if entry.has_momentum else None,
            steps=steps,
            peak=1.0,
            seed=_SEEDS,
            task_identity="" if task in TASKS else identity(fixed),
        )
        self._verify, self._budget = verify, updates_of(budget, steps)
        family = family_of([entry.kind])
        self._ladder = Ladder(
            placed,
            steps,
            start=0.01 if family == "sgd" else 0.001,
            family=family,
            epoch=None if known is None else known.train / known.batch_size,
            budget=self._budget,
        )
        self._longer: LongerRuns | None = None
        self._made = self.spent = 0
        self._reports_last = False
        self._long: list[Outcome] = []
        self._whole: dict[float, list[Outcome]] = {}
        self._needed: dict[bytes, tuple[Trial, ShortRun | None]] = {}
        self._advance()

    @property
    def total(self) -> int:
        """The number of trials; until it is known, about as many as a search takes."""
        whole = 3 * VERIFY_SEEDS if self._verify else 0
        short = USUAL if self._ladder.next() is not None and self._needed else self._made
        return max(self._made + len(self._needed), short + whole)

    def next(self) -> Iterator[Trial]:
        """Yield the trials whose outcomes are needed now."""
        yield from [trial for trial, _ in self._needed.values()]

    def tell(self, trial: Trial, ended: Ended) -> None:
        """Record the outcome of a trial.

        Raises:
            TaskError: If it failed, because a search cannot continue without it.
        """
        if isinstance(ended, FailedTrial):
            advice = ". If training breaks at this rate, return a loss that is not finite instead"
            raise TaskError(
                f"the run of {trial.steps} updates at a peak rate of {trial.peak:g} failed: "
                f"{ended.reason}{advice if self._is_own else ''}"
            )
        _, run = self._needed.pop(trial.digest)
        outcome, spent = ended.outcome, ended.outcome.diverged or trial.steps
        self._made += 1
        self.spent += spent
        if run is None:
            self._whole.setdefault(trial.peak, []).append(outcome)
        elif self._longer is None:
            self._ladder.tell(self.losses_of(outcome), spent)
        elif outcome.diverged is not None:
            self._longer.tell(run, math.inf, spent)
        else:
            last = next((loss for loss in reversed(outcome.loss) if loss is not None), None)
            self._longer.tell(run, last, spent, self._cost(outcome))
        if not self._needed:
            self._advance()

    def losses_of(self, outcome: Outcome) -> list[float]:
        """Return the losses of a short run; the last is infinite if the run diverged.

        For a user's own training these are the losses that it reported or, if there are none, the
        loss on the validation data.

        Raises:
            TaskError: If there is neither.
        """
        losses = [loss for loss in outcome.loss if loss is not None]
        is_lost = outcome.diverged is not None
        if self._is_own:
            reports_last = bool(losses) and outcome.loss[-1] is not None
            if self._made == 1:
                self._reports_last = reports_last
            # The run that changed nothing reported the loss of its last update. A later run that
            # does not report it has a loss that is not finite.
            is_lost = is_lost or (self._reports_last and not reports_last)
            if not losses and not is_lost:
                if "validation.loss" not in outcome.numbers:
                    raise TaskError(
                        "the training gives no loss: call trial.report(step, loss=...) after each "
                        "update, or return a loss beside the score of the validation data"
                    )
                losses = [outcome.numbers["validation.loss"]]
        return [*losses, math.inf] if is_lost else losses

    def stop(self) -> None:
        """Ask for no more trials: the search has failed."""
        self._needed.clear()

    def suggestion(self) -> Suggestion:
        """Return the suggestion, once no more trials are needed."""
        assert self._longer is not None
        found = self._longer.suggestion()
        if found.peak is None or not self._whole:
            return found
        metric = self._measured_by([o for outcomes in self._whole.values() for o in outcomes])
        order = {
            peak: metric.order([outcome.validation for outcome in outcomes])
            for peak, outcomes in self._whole.items()
        }
        # On a tie, the suggestion itself, which has room on both sides.
        best = min(order, key=lambda peak: (order[peak], peak != found.peak))
        verified = replace(found, spent=found.spent + 3 * VERIFY_SEEDS * self._run.steps)
        return verified if best == found.peak else verified.moved(best / found.peak)

    def _measured_by(self, outcomes: Sequence[Outcome]) -> Metric:
        """Return the metric of runs; for a user's own training, the score if they have one.

        Raises:
            TaskError: If only some of them have one.
        """
        if self._metric is not None:
            return self._metric
        kinds = {
            "score" if "validation.score" in o.numbers else "loss" for o in outcomes if o.numbers
        }
        if len(kinds) > 1:
            raise TaskError(
                "some runs returned a score and some only a loss: return the same from all, or say "
                "by --metric which one counts"
            )
        return metric_of(next(iter(kinds), "loss"))

    def _cost(self, outcome: Outcome) -> float | None:
        """Return the cost of a longer run on validation data; lower is better."""
        self._long.append(outcome)
        if outcome.validation is None:
            return None
        return self._measured_by(self._long).cost(outcome.validation)

    def _least(self, cost: float) -> float:
        """Return the least gain of longer runs that counts: a quarter of the margin for a tie."""
        return self._measured_by(self._long).margin(cost) / 4

    @cached_property
    def verified(self) -> tuple[float, ...]:
        """The rates that whole runs try: the suggestion, and one on each side."""
        assert self._longer is not None
        peak = self._longer.suggestion().peak
        return () if peak is None else around(peak)

    def _advance(self) -> None:
        """Ask for the trials needed next: first the ladder's, then longer ones, then whole ones."""
        run = self._ladder.next()
        if run is not None:
            self._need(self.short_trial(run), run)
            return
        if self._longer is None:
            self._longer = LongerRuns(self._ladder, self._budget, self._least)
        for longer in self._longer.next():
            self._need(self.short_trial(longer), longer)
        if not self._needed and self._verify and not self._whole:
            for peak in self.verified:
                for seed in range(_SEEDS, _SEEDS + VERIFY_SEEDS):
                    self._need(replace(self._run, peak=peak, seed=seed), None)

    def _need(self, trial: Trial, run: ShortRun | None) -> None:
        self._needed[trial.digest] = trial, run

    def short_trial(self, run: ShortRun) -> Trial:
        """Return the trial of a short run."""
        momentum = self._run.momentum
        if momentum is not None:
            momentum = table(squeezed(momentum, self._run.steps, run.updates))
        return replace(
            self._run,
            schedule=table(self._ladder.factors(run)),
            momentum=momentum,
            steps=run.updates,
            peak=run.rate or _NO_RATE,
            seed=_SEEDS + run.batches,
        )


def find_peak(
    task: str,
    optimizer: str,
    schedule: str,
    steps: int,
    place: RunPlace | Path,
    *,
    budget: int | str = BUDGET,
    verify: bool = False,
    watch: Callable[[Progress], object] = lambda _: None,
    notify: Callable[[str], object] = lambda _: None,
) -> Suggestion:
    """Find the peak rate for a schedule with an optimizer on a task.

    Finished trials stay in the store, and a later search does not train them again.

    Arguments:
        task: The name of the task, or of a user's own training, as `lehr.lab.Plan` reads it.
        optimizer: The name of the optimizer.
        schedule: A name in the catalogue, or a text such as ``"warmup('5%') >> cosine()"``.
        steps: The number of updates of the planned run.
        place: Where to train, as for `compare`; only whole runs are trained several at a time.
        budget: The most updates that the search may take, at least 60; or a share of the run, such
            as ``"10%"``. Updates left over are spent on longer runs at and near the suggestion,
            which is moved if another rate is clearly better on the validation data.
        verify: Whether to try the peak, and the rates 1.8 times below and above it, with four whole
            runs each; the best of the three on the validation data is then the suggestion.
        watch: Called with the progress whenever it changes.
        notify: Called with one-line notices.

    Raises:
        ValueError: If a name is unknown or a number out of range.
        EngineError: If the engine is unknown.
        StoreError: If the store cannot be used.
        TaskError: If the code of the task fails.
        WorkerError: If workers cannot be started, or die.
    """
    search = LadderSearch(task, optimizer, schedule, steps, budget=budget, verify=verify)
    with RunPlace.of(place).opened(pinned(task), [optimizer], notify) as (_, train):
        train(search, watch=watch)
    return search.suggestion()
