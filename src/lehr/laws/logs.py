"""Read logged runs from the files that tools write.

* CSV with a header: any tool's, an export of W&B (``run - train/loss`` beside ``Step``), or of
  MLflow (a line for each ``key``, ``step`` and ``value``).
* JSON lines: one object a line.
* JSON: the ``trainer_state.json`` of transformers, or a list of objects.
* A folder of TensorBoard events, or an event file.
* A folder of MLflow metrics, a file for each metric.

A value may be missing on a line, so that rates and losses can be logged at different steps.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any, cast

import numpy as np

from lehr.laws.events import scalars
from lehr.laws.runs import LawError, LoggedRun, dense, risen, schedule_rates

__all__ = ["Columns", "read_run"]

STEPS = [
    "step",
    "global_step",
    "iteration",
    "iter",
    "update",
    "trainer/global_step",
    "train/global_step",
    "_step",
    "steps",
    "iterations",
    "iters",
    "updates",
]
RATES = [
    "lr",
    "learning_rate",
    "train/lr",
    "train/learning_rate",
    "train_lr",
    "train_learning_rate",
]
VALIDATION = [
    "eval_loss",
    "val_loss",
    "valid_loss",
    "validation_loss",
    "eval/loss",
    "val/loss",
    "valid/loss",
    "validation/loss",
    "loss/val",
    "loss/validation",
    "loss/eval",
]
TRAINING = ["train_loss", "training_loss", "train/loss", "training/loss", "loss/train", "loss"]

_LONGEST = 2 * 10**7
"""No run has more updates: its rates would not fit into memory."""
_SHOWN = 12


@dataclass(frozen=True)
class Columns:
    """The names of the columns to read; found by the usual names where None.

    Arguments:
        step: The number of updates so far.
        rate: The learning rate.
        loss: The loss, in nats.
    """

    step: str | None = None
    rate: str | None = None
    loss: str | None = None


_Row = tuple[str, Mapping[str, object]]
"""A place, such as a file and a line, and what it has."""


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
        columns: The names of its columns, where they are unusual.
        schedule: The text of the run's schedule, in place of a column of rates.
        peak: Its peak rate.
        steps: The length of the run; up to the last logged step where it is None.
        warmup: How many updates the rate rises at the start, where the log begins later.

    Raises:
        LawError: If it cannot be read; the message names file and line.
    """
    path, columns = Path(path), columns or Columns()
    rows = list(_rows(path))
    if not rows:
        raise LawError(f"{path}: there are no values in it")
    found = _found(path, rows, columns, schedule is not None)
    table = _table(rows, found)
    notes = list(table.notes)
    losses = table.of(found.loss)
    if not losses:
        raise LawError(f"{path}: the column {found.loss!r} has no losses")
    last = max(losses)
    if schedule is not None:
        if peak is None:
            raise LawError(f"{path}: a schedule in place of rates needs a peak rate")
        rates = schedule_rates(schedule, steps or last, peak, str(path))
        rise = risen(rates)
        warmup = rise if warmup is None else warmup
    else:
        assert found.rate is not None
        known = table.of(found.rate)
        known = {step: rate for step, rate in known.items() if not isnan(rate)}
        if not known:
            raise LawError(f"{path}: the column {found.rate!r} has no learning rates")
        ordered = sorted(known)
        at, values = np.array(ordered), np.array([known[step] for step in ordered])
        if ordered[-1] < last:
            at, values = np.append(at, last), np.append(values, values[-1])
        rates, warmup = dense(str(path), at, values, warmup)
        if ordered[0] > max(2 * warmup, 0.02 * last) and not warmup:
            notes.append(f"no rates before step {ordered[0]:,}: taken as constant, without warmup")
    inside = sorted(step for step in losses if step <= len(rates))
    if not inside:
        raise LawError(f"{path}: all losses are after the schedule's {len(rates):,} steps")
    kind = "validation" if _plain(found.loss) in VALIDATION else "training"
    kind = (
        "" if _plain(found.loss) == "loss" and not path.name.startswith("trainer_state") else kind
    )
    return LoggedRun(
        _name(path),
        rates,
        np.array(inside, np.int64),
        np.array([losses[step] for step in inside]),
        min(warmup, len(rates) - 1),
        kind,
        tuple(notes),
    )


def _name(path: Path) -> str:
    return path.parent.name or path.stem if path.name == "trainer_state.json" else path.stem


# ----- files to rows ------------------------------------------------------------------------------


def _rows(path: Path) -> Iterator[_Row]:
    try:
        if path.is_dir():
            yield from _folder(path)
        elif "tfevents" in path.name:
            yield from _events([path])
        elif path.suffix.lower() in (".csv", ".tsv"):
            yield from _csv(path)
        elif path.suffix.lower() in (".jsonl", ".ndjson"):
            yield from _json_lines(path)
        elif path.suffix.lower() == ".json":
            yield from _json(path)
        else:
            raise LawError(
                f"{path}: a log ends in .csv, .jsonl or .json, or is a folder of TensorBoard events"
            )
    except FileNotFoundError:
        raise LawError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LawError(f"{path}: cannot be read: {error}") from None


def _folder(path: Path) -> Iterator[_Row]:
    if events := sorted(path.rglob("*tfevents*")):
        yield from _events(events)
        return
    if (path / "trainer_state.json").is_file():
        yield from _json(path / "trainer_state.json")
        return
    metrics = path / "metrics" if (path / "metrics").is_dir() else path
    files = [file for file in sorted(metrics.rglob("*")) if file.is_file() and not file.suffix]
    if not files:
        raise LawError(f"{path}: this folder has no TensorBoard events and no MLflow metrics")
    for file in files:
        key = file.relative_to(metrics).as_posix()
        for number, line in enumerate(file.read_text().splitlines(), 1):
            words = line.split()
            if len(words) != 3:
                raise LawError(f"{file}:{number}: an MLflow metric has a time, a value and a step")
            yield f"{file}:{number}", {"step": words[2], key: words[1]}


def _events(paths: Sequence[Path]) -> Iterator[_Row]:
    for path in paths:
        for tag, step, value in scalars(path):
            yield str(path), {"step": step, tag: value}


def _csv(path: Path) -> Iterator[_Row]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        first = file.readline()
        file.seek(0)
        delimiter = max(",\t;", key=first.count)
        reader = csv.DictReader(file, delimiter=delimiter, restkey="", strict=True)
        header = {name.strip().lower() for name in reader.fieldnames or ()}
        long = {"key", "value", "step"} <= header
        try:
            for row in reader:
                place = f"{path}:{reader.line_num}"
                if "" in row:
                    raise LawError(f"{place}: has more values than the header has names")
                row = {name.strip(): value for name, value in row.items()}
                if long:
                    lower = {name.lower(): value for name, value in row.items()}
                    row = {"step": lower["step"], lower["key"]: lower["value"]}
                yield place, row
        except csv.Error as error:
            raise LawError(f"{path}:{reader.line_num}: {error}") from None


def _json_lines(path: Path) -> Iterator[_Row]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield f"{path}:{number}", _object(f"{path}:{number}", line)


def _object(place: str, text: str) -> Mapping[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise LawError(f"{place}: is not JSON") from None
    if not isinstance(value, dict):
        raise LawError(f"{place}: is not a JSON object")
    return cast("dict[str, object]", value)


def _json(path: Path) -> Iterator[_Row]:
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise LawError(f"{path}: is not JSON: {str(error)[:80]}") from None
    if isinstance(value, dict):
        value = cast("dict[str, Any]", value).get("log_history")
    if not isinstance(value, list):
        raise LawError(f"{path}: has no list 'log_history', and is not a list itself")
    for number, row in enumerate(cast("list[object]", value)):
        if not isinstance(row, dict):
            raise LawError(f"{path}: entry {number} is not an object")
        yield f"{path}: entry {number}", cast("dict[str, object]", row)


# ----- columns ------------------------------------------------------------------------------------


def _plain(name: str) -> str:
    """Return a column's name without the run before it and with one way of writing."""
    return name.rpartition(" - ")[2].strip().lower().replace(" ", "_").replace("-", "_")


@dataclass(frozen=True)
class _Found:
    step: str
    rate: str | None
    loss: str


def _found(path: Path, rows: Sequence[_Row], columns: Columns, scheduled: bool) -> _Found:
    seen = dict.fromkeys(name for _, row in rows for name in row)
    usable = [name for name in seen if not name.endswith(("__MIN", "__MAX"))]

    def find(given: str | None, known: Iterable[str], what: str, option: str) -> str:
        if given is not None:
            if given not in seen:
                raise LawError(f"{path}: there is no column {given!r}; it has {_listed(usable)}")
            return given
        for name in known:
            fitting = [column for column in usable if _plain(column) == name]
            if len(fitting) > 1:
                raise LawError(
                    f"{path}: {_listed(fitting)} may all be the {what}; name one by {option}"
                )
            if fitting:
                return fitting[0]
        raise LawError(
            f"{path}: no column is known as the {what}; name one by {option}: {_listed(usable)}"
        )

    step = find(columns.step, STEPS, "step", "--step")
    rate = None
    if not scheduled:
        lr = [name for name in map(_plain, usable) if name.startswith(("lr_", "lr/"))]
        rate = find(columns.rate, [*RATES, *lr[:1]], "learning rate", "--lr, or give --schedule")
    return _Found(step, rate, find(columns.loss, [*VALIDATION, *TRAINING], "loss", "--loss"))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(repr(name) for name in names[:_SHOWN]) + more


@dataclass(frozen=True)
class _Table:
    """The values of each column by step; those of a step that is there twice are averaged."""

    values: dict[str, dict[int, list[float]]]
    notes: tuple[str, ...]

    def of(self, name: str | None) -> dict[int, float]:
        found = self.values.get(name or "", {})
        return {step: sum(values) / len(values) for step, values in found.items()}


def _table(rows: Sequence[_Row], found: _Found) -> _Table:
    wanted = [name for name in (found.rate, found.loss) if name]
    values: dict[str, dict[int, list[float]]] = {name: {} for name in wanted}
    last, back = -1, 0
    for place, row in rows:
        raw = row.get(found.step)
        present = {name: row.get(name) for name in wanted}
        if _blank(raw):
            if all(_blank(value) for value in present.values()):
                continue
            raise LawError(f"{place}: the step is missing")
        number = _number(place, found.step, raw)
        if not 0 <= number < float("inf") or number != int(number):
            raise LawError(f"{place}: the step {raw!r} is not a whole number of updates")
        if number > _LONGEST:
            raise LawError(
                f"{place}: {number:.3g} updates: are these tokens? Name the step's column"
            )
        step = int(number)
        back += step < last
        last = step
        for name, value in present.items():
            if not _blank(value):
                values[name].setdefault(step, []).append(_number(place, name, value))
    notes: list[str] = []
    twice = sum(len(several) > 1 for several in values[found.loss].values())
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
