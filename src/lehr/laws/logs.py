"""Reading logged runs from the files that tools write.

* CSV with a header: from any tool, including exports of W&B (``run - train/loss`` beside ``Step``)
  and MLflow (a line for each ``key``, ``step`` and ``value``).
* JSON lines: one object per line.
* JSON: the ``trainer_state.json`` of transformers, or a list of objects.
* A folder of TensorBoard events, or an event file.
* A folder of MLflow metrics, with a file for each metric.

A value may be missing on a line, so that rates and losses can be logged at different steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import numpy as np

from lehr.errors import ScheduleError
from lehr.laws.rows import LogRow
from lehr.laws.rows import rows as log_rows
from lehr.laws.runs import Floats, Ints, LawError, LoggedRun, dense, rates_of, risen

# If a log has several of these columns, the first is read.
STEPS = [
    *("step", "global_step", "iteration", "iter", "update", "trainer/global_step"),
    *("train/global_step", "_step", "steps", "iterations", "iters", "updates"),
]
RATES = [
    *("lr", "learning_rate", "train/lr", "train/learning_rate"),
    *("train_lr", "train_learning_rate"),
]
VALIDATION = [
    *("eval_loss", "val_loss", "valid_loss", "validation_loss"),
    *("eval/loss", "val/loss", "valid/loss", "validation/loss"),
    *("loss/val", "loss/validation", "loss/eval"),
]
EFFECTIVE = ["effective_lr", "effective_learning_rate", "effective_lr_matrix", "train/effective_lr"]
GRADIENTS = ["grad_norm", "gradient_norm", "train/grad_norm", "grad/norm", "gnorm", "total_norm"]
NORMS = ["weight_norm", "param_norm", "params_norm", "parameter_norm", "train/weight_norm"]
TRAINING = ["train_loss", "training_loss", "train/loss", "training/loss", "loss/train", "loss"]

_LONGEST = 2 * 10**7
"""The most updates of a run; the rates of more would not fit into memory."""
_SHOWN = 12


@dataclass(frozen=True)
class Columns:
    """The names of the columns to read; None means to look for the usual names.

    Arguments:
        step: The number of updates so far.
        rate: The learning rate.
        loss: The loss, in nats.
        effective: The measured effective rate: the learning rate over the norm of the weights.
        norm: The norm of the weights, instead of the effective rate.
    """

    step: str | None = None
    rate: str | None = None
    loss: str | None = None
    effective: str | None = None
    norm: str | None = None


def read_run(
    path: str | Path,
    *,
    columns: Columns | None = None,
    schedule: str | None = None,
    peak: float | None = None,
    steps: int | None = None,
    warmup: int | None = None,
) -> LoggedRun:
    """Read a logged run.

    Arguments:
        path: A file or folder of one of the kinds that the module lists.
        columns: The names of its columns, if they are unusual.
        schedule: The text of the run's schedule, instead of a column of rates.
        peak: Its peak rate.
        steps: The length of the run; by default up to the last logged step.
        warmup: How many updates the rate rises at the start, if the log begins later.

    Raises:
        LawError: If it cannot be read; the message names file and line.
    """
    path, columns = Path(path), columns or Columns()
    rows = list(log_rows(path))
    if not rows:
        raise LawError(f"{path}: there are no values in it")
    found = _found(_Header(path, rows), columns, scheduled=schedule is not None)
    of = (found.rate, found.loss, found.effective, found.norm)
    table = _table(rows, found.step, [name for name in of if name], found.loss)
    notes = list(table.notes)
    losses = table.means(found.loss)
    if not losses:
        raise LawError(f"{path}: the column {found.loss!r} has no losses")
    last = max(losses)
    if schedule is not None:
        if peak is None:
            raise LawError(f"{path}: a schedule in place of rates needs a peak rate")
        try:
            rates = rates_of(schedule, steps or last, peak)
        except ScheduleError as error:
            raise LawError(f"{path}: {error}") from None
        warmup = risen(rates) if warmup is None else warmup
    else:
        at, values = table.numbers(found.rate)
        if not len(at):
            raise LawError(f"{path}: the column {found.rate!r} has no learning rates")
        first = int(at[0])
        if at[-1] < last:
            at, values = np.append(at, last), np.append(values, values[-1])
        rates, warmup = dense(str(path), at, values, warmup)
        if not warmup and first > 0.02 * last:
            notes.append(f"no rates before step {first:,}: taken as constant, without warmup")
    inside = sorted(step for step in losses if step <= len(rates))
    if not inside:
        raise LawError(f"{path}: all losses are after the schedule's {len(rates):,} steps")
    kind = "validation" if _plain(found.loss) in VALIDATION else "training"
    if _plain(found.loss) == "loss" and not path.name.startswith("trainer_state"):
        kind = ""
    return LoggedRun(
        path.parent.name or path.stem if path.name == "trainer_state.json" else path.stem,
        rates,
        np.array(inside, np.int64),
        np.array([losses[step] for step in inside]),
        min(warmup, len(rates) - 1),
        kind,
        tuple(notes),
        _effective(path, table, found, rates),
    )


def _effective(path: Path, table: _Table, found: _Found, rates: Floats) -> Floats | None:
    """Return the measured effective rate of every update, or None if the log has none."""
    column = found.effective or found.norm
    at, values = table.numbers(column)
    if not len(at):
        return None
    wrong = values < 0 if column == found.effective else values <= 0
    if not np.isfinite(values).all() or wrong.any() or values.max() <= 0:
        raise LawError(f"{path}: the column {column!r} has a value of another kind")
    every = np.interp(np.arange(len(rates)), at, values)
    return every if column == found.effective else rates / every


def read_norms(path: str | Path, steps: int, column: str | None = None) -> Floats:
    """Return the norm of the gradients at every update, from a log that has it occasionally.

    It is interpolated, and constant before the first line and after the last.

    Arguments:
        path: A file or folder of one of the kinds that the module lists.
        steps: The number of updates.
        column: The name of its column, if it is unusual.

    Raises:
        LawError: If it cannot be read; the message names file and line.
    """
    path = Path(path)
    rows = list(log_rows(path))
    header = _Header(path, rows)
    step = header.find(None, STEPS, "step", "--step")
    name = header.find(column, GRADIENTS, "norm of the gradients", "--norm")
    at, values = _table(rows, step, [name]).numbers(name)
    if not len(at):
        raise LawError(f"{path}: the column {name!r} has no norms")
    return np.interp(np.arange(steps), at, values)


def _plain(name: str) -> str:
    """Return a column's name in normalised spelling, without the run name before it."""
    return name.rpartition(" - ")[2].strip().lower().replace(" ", "_").replace("-", "_")


class _Header:
    """The names of a log's columns."""

    def __init__(self, path: Path, rows: Sequence[LogRow]) -> None:
        self._path = path
        self._all = dict.fromkeys(name for _, row in rows for name in row)
        self._usable = [name for name in self._all if not name.endswith(("__MIN", "__MAX"))]
        self.plain = [_plain(name) for name in self._usable]

    def find(self, given: str | None, known: Iterable[str], what: str, option: str) -> str:
        """Return the name of a column: the given one, or the first of the known names."""
        if given is not None:
            if given not in self._all:
                there = _listed(self._usable)
                raise LawError(f"{self._path} has no column {given!r}; its columns are {there}")
            return given
        for name in known:
            fitting = [column for column in self._usable if _plain(column) == name]
            if len(fitting) > 1:
                raise LawError(
                    f"{self._path}: {_listed(fitting)} may all be the {what}; name one by {option}"
                )
            if fitting:
                return fitting[0]
        raise LawError(
            f"{self._path}: no column is known as the {what}; name one by {option}: "
            f"{_listed(self._usable)}"
        )

    def perhaps(
        self, given: str | None, known: Iterable[str], what: str, option: str
    ) -> str | None:
        """Return the name of a column, or None if none is given or known."""
        if given is None and set(known).isdisjoint(self.plain):
            return None
        return self.find(given, known, what, option)


@dataclass(frozen=True)
class _Found:
    step: str
    rate: str | None
    loss: str
    effective: str | None
    norm: str | None


def _found(header: _Header, columns: Columns, *, scheduled: bool) -> _Found:
    step = header.find(columns.step, STEPS, "step", "--step")
    rate = None
    if not scheduled:
        lr = [name for name in header.plain if name.startswith(("lr_", "lr/"))]
        known = [*RATES, *lr[:1]]
        rate = header.find(columns.rate, known, "learning rate", "--lr, or give --schedule")
    loss = header.find(columns.loss, [*VALIDATION, *TRAINING], "loss", "--loss")
    effective = header.perhaps(columns.effective, EFFECTIVE, "effective rate", "--effective-lr")
    norm = None
    if effective is None:
        norm = header.perhaps(columns.norm, NORMS, "norm", "--weight-norm")
    return _Found(step, rate, loss, effective, norm)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(repr(name) for name in names[:_SHOWN]) + more


@dataclass(frozen=True)
class _Table:
    """The values of each column by step; values of repeated steps are averaged."""

    values: dict[str, dict[int, list[float]]]
    notes: tuple[str, ...]

    def means(self, name: str | None) -> dict[int, float]:
        """Return the value of a column at each step; none if the log lacks the column."""
        found = self.values.get(name or "", {})
        return {step: sum(values) / len(values) for step, values in found.items()}

    def numbers(self, name: str | None) -> tuple[Ints, Floats]:
        """Return the steps at which a column has a number, ascending, and the numbers."""
        known = sorted((at, value) for at, value in self.means(name).items() if not isnan(value))
        return np.array([at for at, _ in known], np.int64), np.array([value for _, value in known])


def _table(rows: Sequence[LogRow], step: str, wanted: Sequence[str], loss: str = "") -> _Table:
    values: dict[str, dict[int, list[float]]] = {name: {} for name in wanted}
    last, back = -1, 0
    for place, row in rows:
        raw = row.get(step)
        present = {name: row.get(name) for name in wanted}
        if _blank(raw):
            if all(_blank(value) for value in present.values()):
                continue
            raise LawError(f"{place}: the step is missing")
        number = _number(place, step, raw)
        if not 0 <= number < float("inf") or number != int(number):
            raise LawError(f"{place}: the step {raw!r} is not a whole number of updates")
        if number > _LONGEST:
            raise LawError(
                f"{place}: {number:.3g} updates: are these tokens? Name the step's column"
            )
        at = int(number)
        back += at < last
        last = at
        for name, value in present.items():
            if not _blank(value):
                values[name].setdefault(at, []).append(_number(place, name, value))
    notes: list[str] = []
    twice = sum(len(several) > 1 for several in values.get(loss, {}).values())
    if back and twice:
        notes.append(f"restarted: {twice} steps were logged more than once and are averaged")
    elif twice:
        notes.append(f"{twice} steps were logged more than once and are averaged")
    elif back:
        notes.append("its lines were not in order")
    return _Table(values, tuple(notes))


def _blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _number(place: str, name: str, value: object) -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        return float(value)
    except (ValueError, OverflowError):
        raise LawError(f"{place}: {name} is {str(value)[:40]!r}, not a number") from None
