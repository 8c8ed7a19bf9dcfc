"""A comparison: a search over pairs of optimizer and schedule, from its plan to its results."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from lehr.files import write_whole
from lehr.lab import records
from lehr.lab.analysis.evaluation import evaluate
from lehr.lab.analysis.results import FailedRun, Results, TaskFacts
from lehr.lab.imported import with_known_peaks
from lehr.lab.metric import Metric
from lehr.lab.outlook import Announcer, spread
from lehr.lab.own.naming import find_own, is_own, metric_of
from lehr.lab.place import RunPlace
from lehr.lab.plan import Pair, Plan
from lehr.lab.run_table import Trained
from lehr.lab.search.pairs import PairSearch
from lehr.lab.store.store import Store
from lehr.lab.study import Progress, recall
from lehr.lab.tasks.registry import find_task
from lehr.lab.trial import Ended, FailedTrial, FinishedTrial, Trial

_KIND = "comparison"  # of the study in the store

_SCORES = {"validation.score", "test.score"}


class Comparison:
    """The search of a comparison: it finds and tunes the peak of each pair, then scores it there.

    Pairs whose trials are the same share them.
    """

    def __init__(self, plan: Plan, metric: Metric) -> None:
        self._plan, self._metric = plan, metric
        self._is_open = _is_open(plan)
        self._is_known = False
        self._searches: dict[Any, PairSearch] = {}
        self._pairs: list[tuple[Pair, PairSearch]] = []
        for pair in plan.pairs:
            key = tuple(_key(plan.scoring(pair, 1.0, None, c)[0]) for c in plan.choices[pair])
            if key not in self._searches:
                self._searches[key] = PairSearch(plan, pair, metric)
            self._pairs.append((pair, self._searches[key]))
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
        """Record the outcome or the failure of a trial."""
        if self._is_open and not isinstance(ended, FailedTrial):
            ended = self._measured(ended)
        for search in self._searches.values():
            search.tell(trial, ended)
        if not isinstance(ended, FailedTrial):
            self._finished.append(trial)
            self._seconds.append(ended.seconds)

    def spread(self) -> float | None:
        """Return the spread over the seeds of a difference between two settings, as seen so far."""
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
        """Return the results of the finished pairs; the store knows the versions behind them."""
        task = replace(task, metric=self._metric)
        finished = [search.finished(pair) for pair, search in self._pairs]
        return evaluate(
            self._plan,
            [pair for pair in finished if pair is not None],
            task=task,
            command=command,
            versions=store.versions(self._finished),
            seconds=self._seconds,
            searched=sum(search.searched for search in self._searches.values()),
            last=store.last(self._finished),
            failed=[
                FailedRun(str(pair), str(trial), failure.reason, search.is_lost)
                for pair, search in self._pairs
                for trial, failure in search.failed
            ],
        )


def _is_open(plan: Plan) -> bool:
    """Return whether this is a user's own training whose first outcome decides the metric."""
    return is_own(plan.task) and find_own(plan.pinned).metric is None


def _key(trial: Trial) -> tuple[str, str, str]:
    return trial.optimizer, repr(trial.schedule), repr(trial.momentum)


def compare(
    plan: Plan,
    place: RunPlace | Path,
    *,
    report: Callable[[Results, Path], object] | None = None,
    watch: Callable[[Progress], object] = lambda _: None,
    notify: Callable[[str], object] = lambda _: None,
) -> Results:
    """Train every pair of a plan, each at its best peak rate, and rank the pairs.

    `results.json` is written into the folder at the end, or on Ctrl-C with the pairs finished by
    then.

    Arguments:
        plan: The pairs to train, and how often.
        place: Where to train it; a folder for the results is enough.
        report: A function such as `lehr.view.report.write_report`, called with the results and the
            folder after `results.json` is written.
        watch: Called with the progress whenever it changes.
        notify: Called with one-line notices about how trials are trained.

    Returns:
        The results, which `results.json` contains as JSON.

    Raises:
        EngineError: If the engine is unknown, or `jobs` is below 1 or too large for it.
        StoreError: If the store is not a store, is damaged, is newer than this lehr, cannot be
            written, or was deleted in the meantime.
        TaskError: If the code of the task fails in the first checks, or in all of the first trials.
            A single failed trial is listed in the results instead.
        WorkerError: If workers cannot be started, or die repeatedly on one trial; finished trials
            are in the store.
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
    """Return the results of every comparison in a store, the most recently started last.

    They are what `compare` returned, or would return if it ended now.
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
    is_open = _is_open(plan) and not results.settings.trials
    return Trained(plan, None if is_open else results.metric)


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
        metric = own.metric or Metric.loss(unit="nats")  # until the first outcome says more
        return TaskFacts(own.title, "your own training", "", 0, 0, 0, 0, metric)
    task = find_task(plan.pinned)
    return TaskFacts(**{part.name: getattr(task, part.name) for part in fields(TaskFacts)})


def _write(results: Results, out: Path, report: Callable[[Results, Path], object] | None) -> None:
    text = json.dumps(results.to_json(), allow_nan=False, indent=1) + "\n"
    write_whole(out / "results.json", text)
    if report is not None:
        report(results, out)
