"""The peak rate for each value of another number, trained as trials of a study."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from lehr.find.runs import BUDGET, ShortRun, end_of
from lehr.find.suggestion import Suggestion
from lehr.find.value_sweep import TRIES, SweptValue, ValueSweep, tried_updates
from lehr.lab.errors import TaskError
from lehr.lab.optimizers import arguments_of, canonical
from lehr.lab.own.naming import with_batch
from lehr.lab.place import RunPlace
from lehr.lab.schedules import Contender
from lehr.lab.search.ladder import LadderSearch
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
    number, give losses for comparing the values.

    Arguments:
        task: As for `find_peak`, like all arguments here that share a name with one of its own.
        optimizer: The name of the optimizer.
        schedule: The schedule.
        steps: The number of updates of the planned run.
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
    swept = [
        _SweptSearch(
            f"{tuned.name}={value}",
            value,
            LadderSearch(name, text, schedule, steps, budget=budget, contender=contender),
        )
        for value, name, text, contender in settings
    ]
    _, name, text, _ = settings[0]
    with RunPlace.of(place).opened(pinned(name), [text], notify) as (_, train):
        train(_ValueSearch(swept), watch=watch)
    return ValueSweep(tuned.name, tuple(each.row() for each in swept))


def _settings(
    task: str, optimizer: str, schedule: str, tuned: Tuned
) -> Iterator[tuple[str, str, str, Contender | None]]:
    """Yield each value as text, with the task, optimizer and schedule for it."""
    text = canonical(optimizer)
    if tuned.name == _BATCH:
        for value in tuned.values:
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"sweep={tuned.text!r:.80}: a batch size is a whole number from 1")
            yield str(value), with_batch(task, value), text, None
        return
    if not tuned.fits(arguments_of(text), schedule):
        raise ValueError(
            f"sweep={tuned.text!r:.80}: neither the optimizer {optimizer!r:.60} nor the schedule "
            f"has such a number; write weight_decay=0,0.01, or {_BATCH}=16,64 for the batch size"
        )
    for choice in choices(text, schedule, [tuned], arguments_of(text)):
        yield choice.values[tuned.name], task, choice.optimizer, choice.contender


class _SweptSearch:
    """The search by short runs for one value, followed by short runs at its suggestion."""

    def __init__(self, name: str, value: str, search: LadderSearch) -> None:
        self._name, self._value, self._search = name, value, search
        self._tries: dict[bytes, Trial] | None = None  # set once there is a suggestion
        self._losses: dict[bytes, float] = {}
        self._spent = 0

    @property
    def total(self) -> int:
        """The number of trials; an estimate until it is known."""
        return self._search.total + (TRIES if self._tries is None else len(self._tries))

    def next(self) -> Iterator[Trial]:
        """Yield the trials whose outcomes are needed now."""
        yield from self._search.next()
        for key, trial in (self._tries or {}).items():
            if key not in self._losses:
                yield trial

    def tell(self, trial: Trial, ended: Ended) -> None:
        """Record the outcome of a trial, if it belongs to this search."""
        if self._tries and trial.digest in self._tries:
            if isinstance(ended, FailedTrial):
                raise TaskError(f"the run with {self._name} failed: {ended.reason}")
            self._losses[trial.digest] = end_of(self._search.losses_of(ended.outcome))
            self._spent += ended.outcome.diverged or trial.steps
        elif any(trial.digest == needed.digest for needed in self._search.next()):
            self._search.tell(trial, ended)
        if self._tries is None and not any(self._search.next()):
            self._tries = self._trials(self._search.suggestion())

    def _trials(self, found: Suggestion) -> dict[bytes, Trial]:
        """Return the trials at the suggestion, on the same batches for every value."""
        if found.peak is None:
            return {}
        runs = [ShortRun(found.peak, tried_updates(found), i) for i in range(TRIES)]
        return {trial.digest: trial for trial in map(self._search.short_trial, runs)}

    def row(self) -> SweptValue:
        """Return the outcome, once no more trials are needed."""
        assert self._tries is not None
        found = self._search.suggestion()
        losses = tuple(self._losses[key] for key in self._tries)
        return SweptValue(self._value, replace(found, spent=found.spent + self._spent), losses)


class _ValueSearch:
    """The searches of all values, side by side."""

    def __init__(self, searches: list[_SweptSearch]) -> None:
        self._searches = searches

    @property
    def total(self) -> int:
        return sum(search.total for search in self._searches)

    def next(self) -> Iterator[Trial]:
        for search in self._searches:
            yield from search.next()

    def tell(self, trial: Trial, ended: Ended) -> None:
        for search in self._searches:
            search.tell(trial, ended)
