"""A comparison: a search over pairs of optimizer and schedule, from its plan to its results."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from lehr.lab import records
from lehr.lab.evaluation import evaluate
from lehr.lab.finished import FinishedPair
from lehr.lab.imported import Trained, with_known_peaks
from lehr.lab.metric import Metric
from lehr.lab.outlook import Announcer, spread
from lehr.lab.own.naming import find_own, is_own, metric_of
from lehr.lab.peak_grid import PeakGrid
from lehr.lab.place import RunPlace
from lehr.lab.plan import Pair, Plan
from lehr.lab.results import FailedRun, Results, TaskFacts
from lehr.lab.store.store import Store
from lehr.lab.study import Progress, recall
from lehr.lab.tasks.registry import find_task
from lehr.lab.trial import Ended, FailedTrial, FinishedTrial, Trial

__all__ = ["Comparison", "compare", "stored_results", "trained"]

_KIND = "comparison"  # of the study in the store

_SCORES = {"validation.score", "test.score"}


class Comparison:
    """The search of a comparison: it tunes the peak of each pair, then scores the pair there.

    Pairs whose trials are the same share them.
    """

    def __init__(self, plan: Plan, metric: Metric) -> None:
        self._plan, self._metric = plan, metric
        # A training of one's own may leave it to its first outcome by which number it is compared.
        self._is_open = is_own(plan.task) and find_own(plan.pinned).metric is None
        self._is_known = False
        self._searches: dict[Any, _PairSearch] = {}
        self._pairs: list[tuple[Pair, _PairSearch]] = []
        for pair in plan.pairs:
            key = tuple(_key(plan.scoring(pair, 1.0, None, c)[0]) for c in plan.choices[pair])
            search = self._searches.setdefault(key, _PairSearch(plan, pair, metric))
            self._pairs.append((pair, search))
        self._finished: list[Trial] = []
        self._seconds: list[float] = []

    @property
    def total(self) -> int:
        """The number of different trials of the comparison."""
        return sum(search.total for search in self._searches.values())

    def next(self) -> Iterator[Trial]:
        """Yield the trials whose outcomes are needed now, pair by pair."""
        for search in self._searches.values():
            yield from search.next()

    def tell(self, trial: Trial, ended: Ended) -> None:
        """Add the outcome or the failure of a trial."""
        if self._is_open and not isinstance(ended, FailedTrial):
            ended = self._measured(ended)
        for search in self._searches.values():
            search.tell(trial, ended)
        if not isinstance(ended, FailedTrial):
            self._finished.append(trial)
            self._seconds.append(ended.seconds)

    def spread(self) -> float | None:
        """Return how far a difference of two settings spreads over the seeds, as seen so far."""
        return spread([values for search in self._searches.values() for values in search.seen()])

    def _measured(self, ended: FinishedTrial) -> Ended:
        """Take the metric from the first outcome; an outcome without it is a failure."""
        if ended.outcome.diverged is not None:
            return ended
        kind = "score" if ended.outcome.numbers.keys() >= _SCORES else "loss"
        if not self._is_known:
            self._metric, self._is_known = metric_of(kind), True
            if self._plan.target is not None:
                self._metric.check("target", self._plan.target)
            for search in self._searches.values():
                search.measure_by(self._metric)
        if kind == self._metric.name:
            return ended
        reason = (
            f"it returned a {kind}, and the first trial a {self._metric.name}: return the same "
            "from all, or say by --metric which one counts"
        )
        return FailedTrial(reason, reason)

    def results(self, task: TaskFacts, command: str, store: Store) -> Results:
        """Return the results of the pairs that are finished.

        Arguments:
            task: The facts about the task.
            command: The command that makes this comparison.
            store: The store with the trials, for the versions that trained them.
        """
        task = replace(task, metric=self._metric)
        finished = [search.finished(pair) for pair, search in self._pairs]
        return evaluate(
            self._plan,
            [pair for pair in finished if pair is not None],
            task=task,
            command=command,
            versions=store.versions(self._finished),
            seconds=self._seconds,
            last=store.last(self._finished),
            failed=[
                FailedRun(str(pair), str(trial), failure.reason, search.is_lost)
                for pair, search in self._pairs
                for trial, failure in search.failed
            ],
        )


def _key(trial: Trial) -> tuple[str, str, str]:
    return trial.optimizer, repr(trial.schedule), repr(trial.momentum)


class _PairSearch:
    """The search of one pair: a grid for each choice of its tuned numbers, then the scoring."""

    def __init__(self, plan: Plan, pair: Pair, metric: Metric) -> None:
        self._plan, self._pair = plan, pair
        self._choices = plan.choices[pair]
        self._grids = [
            PeakGrid(
                sorted(plan.first_peaks(pair), key=lambda peak: peak != plan.known_peaks.get(pair)),
                plan.rungs(pair),
                partial(plan.tuning, pair, choice=choice),
                metric,
                plan.size.further_peaks,
            )
            for choice in self._choices
        ]
        self._best: int | None = None
        self._needed: dict[bytes, Trial] = {}
        self._scoring: dict[int, list[Trial]] = {}
        self._ended: dict[bytes, FinishedTrial] = {}
        self._failed: list[tuple[Trial, FailedTrial]] = []
        self.total = sum(grid.total for grid in self._grids) + plan.size.seeds * len(plan.lengths)

    def measure_by(self, metric: Metric) -> None:
        """Compare the outcomes by this metric, before any has been compared."""
        for grid in self._grids:
            grid.metric = metric

    def next(self) -> Iterator[Trial]:
        if self._failed:
            return  # the score would be missing however the other trials end
        if self._best is None:
            for grid in self._grids:
                yield from grid.next()
        yield from self._needed.values()

    def seen(self) -> Iterator[list[float | None]]:
        """Yield the validation metric of the runs of each setting so far."""
        for grid in self._grids:
            yield from grid.seen()

    @property
    def failed(self) -> list[tuple[Trial, FailedTrial]]:
        """The failed trials, with their reasons, in an order that does not depend on timing."""
        failed = [each for grid in self._grids for each in grid.failed] + self._failed
        return sorted(failed, key=lambda each: (each[0].steps, each[0].peak, each[0].seed))

    @property
    def is_lost(self) -> bool:
        """Whether the pair has no result because trials failed."""
        return bool(self._failed) or (self._best is None and not any(True for _ in self.next()))

    def tell(self, trial: Trial, ended: Ended) -> None:
        if self._best is None:
            for grid in self._grids:
                grid.tell(trial, ended)
            self._choose()
        elif self._needed.pop(trial.digest, None) is None:
            return
        elif isinstance(ended, FailedTrial):
            self._failed.append((trial, ended))
        else:
            self._ended[trial.digest] = ended

    def _choose(self) -> None:
        """Start scoring the best choice, once all grids are finished."""
        if any(True for _ in self.next()):
            return
        sound = [i for i, grid in enumerate(self._grids) if grid.peak is not None]
        # Of equal ones, the first.
        self._best = min(sound, key=lambda i: self._grids[i].order, default=None)
        if self._best is None:
            return
        peak, choice = self._grids[self._best].peak, self._choices[self._best]
        assert peak is not None
        usual = self._plan.size.steps
        lengths = [usual, *(steps for steps in self._plan.lengths if steps != usual)]
        self._scoring = {
            steps: self._plan.scoring(self._pair, peak, steps, choice) for steps in lengths
        }
        self._needed = {
            trial.digest: trial for trials in self._scoring.values() for trial in trials
        }

    def finished(self, pair: Pair) -> FinishedPair | None:
        """Return the outcomes for `pair`, or None if some are missing."""
        if self._best is None or self._needed or self._failed:
            return None
        scored = {
            steps: [self._ended[trial.digest].outcome for trial in trials]
            for steps, trials in self._scoring.items()
        }
        usual = self._scoring[self._plan.size.steps]
        # Of an imported run the cost may be unknown, which is 0.
        costs = [cost for trial in usual if (cost := self._ended[trial.digest].seconds)]
        seconds = math.fsum(costs) / max(1, len(costs))
        grid = self._grids[self._best]
        assert grid.peak is not None
        others = [
            (choice.values, other.tried())
            for choice, other in zip(self._choices, self._grids, strict=True)
        ]
        chosen = self._choices[self._best].values
        return FinishedPair(
            pair, grid.peak, grid.tried(), scored, usual[0], seconds, chosen, others
        )


def compare(
    plan: Plan,
    place: RunPlace | Path,
    *,
    report: Callable[[Results, Path], object] | None = None,
    watch: Callable[[Progress], object] = lambda _: None,
    notify: Callable[[str], object] = lambda _: None,
) -> Results:
    """Train every pair of a plan, each at its best peak rate, and rank the pairs.

    `results.json` is written into the folder at the end, and on Ctrl-C with the pairs that are
    finished by then.

    Arguments:
        plan: What to train.
        place: Where to train it; a folder for the results is enough.
        report: Called with the results and the folder after `results.json` is written, such as
            `lehr.view.report.write_report`.
        watch: Called with the progress whenever it changes.
        notify: Called with one-line notices about how trials are trained.

    Returns:
        The results, which `results.json` has as JSON.

    Raises:
        EngineError: If the engine is unknown, or `jobs` is below 1 or too large for it.
        StoreError: If the store is not a store, is damaged, is newer than this lehr, cannot be
            written, or was deleted in the meantime.
        TaskError: If the code of the task fails in the first checks, or in all of the first
            trials. A single trial that fails is in the results instead.
        WorkerError: If workers cannot be started, or die over one trial again and again; finished
            trials are in the store.
        KeyboardInterrupt: On Ctrl-C, after everything is written.
    """
    place = RunPlace.of(place)
    with place.opened(plan.pinned, plan.optimizers, notify) as (store, train):
        plan, known = with_known_peaks(plan, store)
        if known:
            notify(known)
        task, command = _facts(plan), plan.command()
        search = Comparison(plan, task.metric)
        store.add_study(_KIND, _content(plan, task, command))
        announcer = Announcer(plan, task.metric, search.spread, notify)

        def watching(progress: Progress) -> None:
            announcer.watch(progress)
            watch(progress)

        try:
            train(search, watch=watching)
        except KeyboardInterrupt:
            _write(search.results(task, command, store), place.out, report)
            raise
        results = search.results(task, command, store)
    _write(results, place.out, report)
    return results


def stored_results(store: Store) -> list[Results]:
    """Return the results of every comparison in a store, the one that was started last at the end.

    They are those that `compare` returned, or would return if it ended now.
    """
    found: list[Results] = []
    for plan, task, command in store.studies(_KIND, _read_content):
        search = Comparison(plan, task.metric)
        recall(search, store)
        found.append(search.results(task, command, store))
    return found


def trained(store: Store, number: int | None = None) -> Trained | None:
    """Return the plan and the metric of a stored comparison, by default of the newest one."""
    studies = store.studies(_KIND, _read_content)
    if not studies:
        return None
    place = len(studies) if number is None else number
    results, plan = stored_results(store)[place - 1], studies[place - 1][0]
    is_open = is_own(plan.task) and find_own(plan.pinned).metric is None
    return Trained(plan, None if is_open and not results.settings.trials else results.metric)


def _read_content(content: Mapping[str, Any]) -> tuple[Plan, TaskFacts, str]:
    """Return the plan, the facts and the command in the content of a study.

    Raises:
        ValueError: If it is damaged.
    """
    if not isinstance(command := content.get("command"), str):
        raise ValueError("a study without a command")
    plan = records.from_json(Plan, content.get("plan"), "plan")
    return plan, records.from_json(TaskFacts, content.get("task"), "task"), command


def _content(plan: Plan, task: TaskFacts, command: str) -> dict[str, Any]:
    """Return the content of a study, with the task pinned, because its file may change."""
    fixed = records.to_json(plan) | {"task": plan.pinned}
    return {"plan": fixed, "task": records.to_json(task), "command": command}


def _facts(plan: Plan) -> TaskFacts:
    if is_own(plan.task):
        own = find_own(plan.pinned)
        # Until the first outcome says more.
        metric = own.metric or Metric.loss(unit="nats")
        return TaskFacts(own.title, "a training of one's own", "", 0, 0, 0, 0, metric)
    task = find_task(plan.pinned)
    return TaskFacts(
        name=task.name,
        summary=task.summary,
        network=task.network,
        train=task.train,
        validation=task.validation,
        test=task.test,
        batch_size=task.batch_size,
        metric=task.metric,
    )


def _write(results: Results, out: Path, report: Callable[[Results, Path], object] | None) -> None:
    text = json.dumps(results.to_json(), allow_nan=False, indent=1) + "\n"
    records.replace_text(out / "results.json", text)
    if report is not None:
        report(results, out)
