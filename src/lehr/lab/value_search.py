"""The peak rate for each value of another number, trained as trials of a study."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lehr.find.runs import BUDGET, ShortRun, end_of
from lehr.find.suggestion import Suggestion
from lehr.find.value_sweep import TRIES, SweptValue, ValueSweep, tried_updates
from lehr.lab.errors import TaskError
from lehr.lab.ladder_search import LadderSearch
from lehr.lab.optimizers import arguments_of, canonical
from lehr.lab.own.naming import with_batch
from lehr.lab.place import RunPlace
from lehr.lab.schedules import Contender
from lehr.lab.study import Progress
from lehr.lab.tasks.registry import pinned
from lehr.lab.trial import Ended, FailedTrial, Trial
from lehr.lab.tuning import Tuned, choices, read_tuned

_BATCH = "batch"


def find_peaks(
    task: str,
    optimizer: str,
    schedule: str,
    steps: int,
    sweep: str,
    place: RunPlace | Path,
    *,
    budget: int | str = BUDGET,
    watch: Callable[[Progress], object] = lambda _: None,
    notify: Callable[[str], object] = lambda _: None,
) -> ValueSweep:
    """Find the peak rate for each value of another number.

    Three short runs at each suggestion, on the same batches for all values of an optimizer's
    number, give losses by which the values can be compared.

    Arguments:
        task: As for `find_peak`, like all arguments that have its names.
        optimizer: The name of the optimizer.
        schedule: The schedule.
        steps: The updates of the planned run.
        sweep: The number and its values: an argument of the optimizer, ``momentum=0.8,0.9``; one of
            the schedule, ``cosine.to=0,0.1``; or the batch size, ``batch=16,64``.
        place: Where to train.
        budget: The most updates of the search for each value.
        watch: Called with the progress whenever it changes.
        notify: Called with one-line notices.

    Raises:
        ValueError: If a name is unknown, or the number cannot be swept.
        EngineError: If the engine is unknown.
        StoreError: If the store cannot be used.
        TaskError: If the code of the task fails.
        WorkerError: If workers cannot be started, or die.
    """
    tuned = read_tuned(sweep, "sweep")
    settings = list(_settings(task, optimizer, schedule, tuned))
    search = _ValueSearch(
        tuned.name,
        [
            (
                each.value,
                LadderSearch(
                    each.task,
                    each.optimizer,
                    schedule,
                    steps,
                    budget=budget,
                    contender=each.contender,
                ),
            )
            for each in settings
        ],
    )
    first = settings[0]
    with RunPlace.of(place).opened(pinned(first.task), [first.optimizer], notify) as (_, train):
        train(search, watch=watch)
    return search.result()


class _Setting(NamedTuple):
    """A value as text, and the task, the optimizer and the schedule with it."""

    value: str
    task: str
    optimizer: str
    contender: Contender | None


def _settings(task: str, optimizer: str, schedule: str, tuned: Tuned) -> Iterator[_Setting]:
    """Yield the setting of each value."""
    text = canonical(optimizer)
    if tuned.name == _BATCH:
        for value in tuned.values:
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"sweep={tuned.text!r:.80}: a batch size is a whole number from 1")
            yield _Setting(str(value), with_batch(task, value), text, None)
        return
    if not tuned.fits(arguments_of(text), schedule):
        raise ValueError(
            f"sweep={tuned.text!r:.80}: neither the optimizer {optimizer!r:.60} nor the schedule "
            f"has such a number; write weight_decay=0,0.01, or {_BATCH}=16,64 for the batch size"
        )
    for choice in choices(text, schedule, [tuned], arguments_of(text)):
        yield _Setting(choice.values[tuned.name], task, choice.optimizer, choice.contender)


class _ValueSearch:
    """A search by short runs for each value, and then short runs at its suggestion."""

    def __init__(self, name: str, searches: list[tuple[str, LadderSearch]]) -> None:
        self._name, self._searches = name, searches
        self._tries: dict[str, dict[bytes, Trial]] = {}
        self._losses: dict[str, dict[bytes, float]] = {}
        self._spent: dict[str, int] = dict.fromkeys((value for value, _ in searches), 0)

    @property
    def total(self) -> int:
        """The number of trials, about what they are until it is known."""
        return sum(
            search.total + len(self._tries.get(v, range(TRIES))) for v, search in self._searches
        )

    def next(self) -> Iterator[Trial]:
        """Yield the trials whose outcomes are needed now."""
        for value, search in self._searches:
            yield from search.next()
            done = self._losses.get(value, {})
            yield from (t for key, t in self._tries.get(value, {}).items() if key not in done)

    def tell(self, trial: Trial, ended: Ended) -> None:
        """Add the outcome of a trial.

        Raises:
            TaskError: If it failed.
        """
        for value, search in self._searches:
            tries = self._tries.get(value, {})
            if trial.digest in tries:
                if isinstance(ended, FailedTrial):
                    raise TaskError(f"the run with {self._name}={value} failed: {ended.reason}")
                losses = search.losses_of(ended.outcome)
                self._losses[value][trial.digest] = end_of(losses)
                self._spent[value] += ended.outcome.diverged or trial.steps
            elif any(trial.digest == needed.digest for needed in search.next()):
                search.tell(trial, ended)
            if value not in self._tries and not any(True for _ in search.next()):
                self._try(value, search)

    def _try(self, value: str, search: LadderSearch) -> None:
        found = search.suggestion()
        runs: list[ShortRun] = []
        if found.peak is not None:
            runs = [ShortRun(found.peak, tried_updates(found), i) for i in range(TRIES)]
        trials = [search.short_trial(run) for run in runs]
        self._tries[value] = {trial.digest: trial for trial in trials}
        self._losses[value] = {}

    def result(self) -> ValueSweep:
        """Return the sweep, once nothing is needed."""
        return ValueSweep(
            self._name, tuple(self._row(value, search) for value, search in self._searches)
        )

    def _row(self, value: str, search: LadderSearch) -> SweptValue:
        found: Suggestion = search.suggestion()
        losses = tuple(self._losses[value][key] for key in self._tries[value])
        return SweptValue(value, replace(found, spent=found.spent + self._spent[value]), losses)
