"""Reading a table of runs that were trained without `lehr compare`."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

from lehr.lab.errors import TaskError
from lehr.lab.metric import Metric
from lehr.lab.optimizers import canonical, identity
from lehr.lab.own.naming import find_own, is_own, metric_of
from lehr.lab.plan import Plan, Size
from lehr.lab.schedules import check_contender, find_contender
from lehr.lab.store.rows import COLUMNS as EXPORTED
from lehr.lab.tasks.registry import find_task, pinned
from lehr.lab.tasks.registry import identity as task_identity
from lehr.lab.trial import IMPORTED, FinishedTrial, Outcome, Trial, evaluation_steps
from lehr.notation import parse

_VALUE = re.compile(r"(validation|test)(?:\.(\w+))?(?: \((.+)\))?")
_NEEDED = ("optimizer", "schedule", "peak")
_TAKEN = {*_NEEDED, "task", "momentum", "steps", "seed", "seconds", "test_loss", "diverged"}
_NAT = math.log(2)  # a bit in nats

_Value = TypeVar("_Value")


class Trained(NamedTuple):
    """The comparison for runs that do not name a task or a number of updates.

    The metric is None until the first outcome decides it.
    """

    plan: Plan
    metric: Metric | None


@dataclass(frozen=True)
class ImportedRun:
    """A run of a table, in the form in which the store keeps it.

    Attributes:
        setting: Everything that defines the run except peak and seed, as JSON.
        validation: The metric on the validation data; None if it diverged.
        test: The metric on the test data, if known.
        higher: Whether a higher metric is better.
    """

    setting: str
    peak: float
    seed: int | None
    validation: float | None
    test: float | None
    higher: bool


def setting(trial: Trial) -> str:
    """Return the setting of a trial, without peak and seed, as text."""
    parts = {k: v for k, v in trial.identity().items() if k not in ("peak", "seed")}
    return json.dumps(parts, sort_keys=True)


class RunTable:
    """A table of runs.

    Attributes:
        ignored: The columns that are not read; known once all runs have been read.
    """

    def __init__(self, path: Path, trained: Trained | None) -> None:
        self._name, self._trained = path.name, trained
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path.name} is not UTF-8: {error}") from None
        self._rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        self._header = [name.strip() for name in next(self._lines(), (1, []))[1]]
        for name in _NEEDED:
            if name not in self._header:
                raise ValueError(
                    f"{path.name} has no column {name!r}: its columns are "
                    f"{', '.join(self._header) or 'none'}"
                )
        for name in self._header:
            if self._header.count(name) > 1:
                raise ValueError(f"{path.name} has two columns {name!r}: keep one")
        self._line, self._cells = 1, dict[str, str]()
        self._trials: dict[tuple[str, ...], Trial] = {}
        self._metrics: dict[str, Metric] = {}
        values = [name for name in self._header if _VALUE.fullmatch(name)]
        if not any(name.startswith("validation") for name in values):
            raise ValueError(
                f"{path.name} has no column with validation values: name one validation, "
                "validation.loss or validation.score"
            )
        known = {*_TAKEN, *EXPORTED, *values}
        self.ignored = tuple(name for name in self._header if name and name not in known)

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        try:
            for cells in self._rows:
                if any(cell.strip() for cell in cells):
                    yield self._rows.line_num, cells
        except csv.Error as error:
            raise ValueError(f"{self._name}, line {self._rows.line_num}: {error}") from None

    def runs(self) -> Iterator[tuple[int, Trial, FinishedTrial | None, ImportedRun]]:
        """Yield for each run its line, its trial, its outcome if it has one, and what to keep."""
        for line, cells in self._lines():
            self._line = line
            if len(cells) != len(self._header):
                raise ValueError(
                    f"{self._name}, line {line} has {len(cells)} cells, and the first line "
                    f"{len(self._header)}"
                )
            self._cells = dict(zip(self._header, map(str.strip, cells), strict=True))
            yield (line, *self._run())

    def _run(self) -> tuple[Trial, FinishedTrial | None, ImportedRun]:
        trial = replace(self._trial(), peak=self._read("peak", _positive))
        seed = self._read("seed", _whole) if self._cell("seed") else None
        metric, validation, test = self._metric, self._value("validation"), self._value("test")
        if validation is None:
            raise self._wrong(
                self._column("validation")[0], "is empty: write the value, or nan if it diverged"
            )
        values = [value for value in (validation, test) if value is not None]
        lost = bool(self._cell("diverged")) or not all(map(math.isfinite, values))
        kept = (None, None) if lost else (validation, test)
        run = ImportedRun(setting(trial), trial.peak, seed, *kept, metric.higher)
        if seed is None or test is None:
            return trial, None, run
        trial = replace(trial, seed=seed)
        seconds = self._read("seconds", _not_negative) if self._cell("seconds") else 0.0
        outcome = self._lost(trial) if lost else self._outcome(trial, validation, test)
        return trial, FinishedTrial(outcome, seconds), run

    def _lost(self, trial: Trial) -> Outcome:
        """Return the outcome of a run that diverged."""
        update = self._read("diverged", _whole) if self._cell("diverged") else trial.steps
        gone, guess = (None,) * len(evaluation_steps(trial.steps)), self._metric.guess
        return Outcome(update, gone, (*gone[1:], guess), guess, guess, None, {IMPORTED: 1.0})

    def _outcome(self, trial: Trial, validation: float, test: float) -> Outcome:
        gone = (None,) * len(evaluation_steps(trial.steps))
        loss = self._read("test_loss", _number) if self._cell("test_loss") else None
        if loss is None and not self._metric.higher:
            loss = test
        curve = (*gone[1:], validation)
        return Outcome(None, gone, curve, validation, test, loss, self._numbers(trial))

    def _numbers(self, trial: Trial) -> dict[str, float]:
        """Return the additional numbers; for a user's own training they include the metric."""
        numbers = {IMPORTED: 1.0}
        measured = {self._column(part)[0] for part in ("validation", "test")}
        for name, cell in self._cells.items():
            match = _VALUE.fullmatch(name)
            if cell and match and match[2] and not match[3] and name not in measured:
                numbers[name] = self._read(name, _number)
        if is_own(trial.task):
            kind = "score" if self._metric.higher else "loss"
            for part in ("validation", "test"):
                numbers[f"{part}.{kind}"] = cast("float", self._value(part))
        return numbers

    def _trial(self) -> Trial:
        """Return the run's trial, without its peak and its seed."""
        key = tuple(map(self._cell, ("task", "optimizer", "schedule", "momentum", "steps")))
        if key not in self._trials:
            self._trials[key] = self._new_trial()
        return self._trials[key]

    def _new_trial(self) -> Trial:
        optimizer = self._read("optimizer", self._optimizer)
        schedule, found = self._cell("schedule"), self._read("schedule", find_contender).schedule
        steps = self._steps()
        self._read("schedule", lambda text: check_contender(text, found, steps))
        task, size = self._task, Size(steps=steps, seeds=1, tuning_seeds=1, peaks=(1.0,))
        try:
            plan = Plan(task, (optimizer,), (schedule,), size)
        except (ValueError, TaskError) as error:
            raise ValueError(f"{self._name}, line {self._line}: {error}") from None
        trial = plan.scoring(plan.pairs[0], 1.0)[0]
        if "momentum" in self._header:
            moved = self._read("momentum", parse) if self._cell("momentum") else None
            trial = replace(trial, momentum=moved)
        return trial

    def _optimizer(self, text: str) -> str:
        known = self._trained.plan.optimizers if self._trained else ()
        return next((name for name in known if identity(name) == text), None) or canonical(text)

    def _steps(self) -> int:
        if self._cell("steps"):
            return self._read("steps", _updates)
        if self._trained is None:
            raise self._wrong("steps", "is empty: write the number of updates")
        return self._trained.plan.size.steps

    @property
    def _task(self) -> str:
        """The run's task, pinned."""
        name, plan = self._cell("task"), self._trained.plan if self._trained else None
        if plan is not None and name in ("", plan.task, task_identity(plan.pinned)):
            return plan.pinned
        if not name:
            raise ValueError(
                f"{self._name}, line {self._line}, column 'task' is empty, and the store has no "
                "comparison: write the task, such as digits or train:train.py:train"
            )
        return self._read("task", pinned)

    @property
    def _metric(self) -> Metric:
        """The metric of the run's task."""
        task, trained = self._task, self._trained
        if task not in self._metrics:
            if trained is not None and task == trained.plan.pinned:
                found = trained.metric
            elif is_own(task):
                found = find_own(task).metric
            else:
                found = self._read("task", lambda _: find_task(task).metric)
            self._metrics[task] = found or self._decided()
        return self._metrics[task]

    def _decided(self) -> Metric:
        """Return the metric of the columns: the score if there is one, otherwise the loss."""
        for kind in ("score", "loss"):
            if any(name.startswith(f"validation.{kind}") for name in self._header):
                return metric_of(kind)
        raise ValueError(
            f"{self._name}: it is not known whether 'validation' is a score or a loss: name the "
            "columns validation.loss and test.loss, or validation.score and test.score"
        )

    def _value(self, part: str) -> float | None:
        """Return the metric of a run on one part of the data, in the metric's unit."""
        column, factor = self._column(part)
        if not self._cell(column):
            return None
        value = self._read(column, _any_number) * factor
        if math.isfinite(value):
            self._read(column, lambda _: self._metric.check(part, value))
        return value

    def _column(self, part: str) -> tuple[str, float]:
        """Return the column with the metric on one part of the data, and the factor of its unit."""
        metric = self._metric
        kinds = (None, metric.name, "score" if metric.higher else "loss")
        for name in self._header:
            match = _VALUE.fullmatch(name)
            if match and match[1] == part and match[2] in kinds:
                return name, self._factor(name, match[3], metric)
        return part, 1.0

    def _factor(self, column: str, unit: str | None, metric: Metric) -> float:
        """Return the factor from a column's unit to that of the metric."""
        own = "%" if metric.is_share else metric.unit
        if unit is None or (unit == own and not metric.is_share):
            return 1.0
        known = {("%", "%"): 0.01, ("bits", "nats"): _NAT, ("nats", "bits"): 1 / _NAT}
        if (unit, own) not in known:
            wanted = f"write ({own}), or no unit" if own else "write no unit"
            raise self._wrong(column, f"is in {unit}, but this metric has another unit: {wanted}")
        return known[unit, own]

    def _cell(self, column: str) -> str:
        return self._cells.get(column, "")

    def _read(self, column: str, read: Callable[[str], _Value]) -> _Value:
        """Read a cell; an error names its line and column."""
        try:
            return read(self._cell(column))
        except (ValueError, TypeError, OSError) as error:
            raise self._wrong(column, f"is {self._cell(column)!r:.80}: {error}") from None

    def _wrong(self, column: str, what: str) -> ValueError:
        return ValueError(f"{self._name}, line {self._line}, column {column!r} {what}")


def _any_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("it must be a number, such as 0.931, or nan if the run diverged") from None


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("it must be a number") from None
    if not math.isfinite(value):
        raise ValueError("it must be finite")
    return value


def _positive(text: str) -> float:
    if (value := _number(text)) <= 0:
        raise ValueError("it must be above 0")
    return value


def _not_negative(text: str) -> float:
    if (value := _number(text)) < 0:
        raise ValueError("it must not be negative")
    return value


def _whole(text: str) -> int:
    value = _not_negative(text)
    if value != int(value) or value >= 1 << 63:
        raise ValueError("it must be a whole number")
    return int(value)


def _updates(text: str) -> int:
    if (value := _whole(text)) < 2:
        raise ValueError("it must be at least 2")
    return value
