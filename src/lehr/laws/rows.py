"""The rows of logs from any supported tool."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, cast

from lehr.laws.events import scalars
from lehr.laws.runs import LawError

LogRow = tuple[str, Mapping[str, object]]
"""A place, such as a file and a line, and the values there by name."""

_MOST_FILES = 10_000  # of a run; a folder with more holds something else


def rows(path: Path) -> Iterator[LogRow]:
    """Yield the rows of a log of any supported kind.

    Raises:
        LawError: If it cannot be read; the message names file and line.
    """
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


def _folder(path: Path) -> Iterator[LogRow]:
    within = sorted(islice(path.rglob("*"), _MOST_FILES + 1))
    if len(within) > _MOST_FILES:
        raise LawError(f"{path}: more than {_MOST_FILES:,} files; name the folder of one run")
    if events := [file for file in within if "tfevents" in file.name]:
        yield from _events(events)
        return
    if (path / "trainer_state.json").is_file():
        yield from _json(path / "trainer_state.json")
        return
    metrics = path / "metrics" if (path / "metrics").is_dir() else path
    files = [
        file
        for file in within
        if file.is_relative_to(metrics) and file.is_file() and not file.suffix
    ]
    if not files:
        raise LawError(f"{path}: this folder has no TensorBoard events and no MLflow metrics")
    for file in files:
        key = file.relative_to(metrics).as_posix()
        for number, line in enumerate(file.read_text().splitlines(), 1):
            words = line.split()
            if len(words) != 3:
                raise LawError(f"{file}:{number}: an MLflow metric has a time, a value and a step")
            yield f"{file}:{number}", {"step": words[2], key: words[1]}


def _events(paths: Sequence[Path]) -> Iterator[LogRow]:
    for path in paths:
        for tag, step, value in scalars(path):
            yield str(path), {"step": step, tag: value}


def _csv(path: Path) -> Iterator[LogRow]:
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


def _json_lines(path: Path) -> Iterator[LogRow]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                place = f"{path}:{number}"
                row = _parsed(place, line)
                if not isinstance(row, dict):
                    raise LawError(f"{place}: is not a JSON object")
                yield place, cast("dict[str, object]", row)


def _json(path: Path) -> Iterator[LogRow]:
    value = _parsed(str(path), path.read_text(encoding="utf-8"))
    if isinstance(value, dict):
        value = cast("dict[str, Any]", value).get("log_history")
    if not isinstance(value, list):
        raise LawError(f"{path}: has no list 'log_history', and is not a list itself")
    for number, row in enumerate(cast("list[object]", value)):
        if not isinstance(row, dict):
            raise LawError(f"{path}: entry {number} is not an object")
        yield f"{path}: entry {number}", cast("dict[str, object]", row)


def _parsed(place: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LawError(f"{place}: is not JSON: {str(error)[:80]}") from None
