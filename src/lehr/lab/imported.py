"""Runs trained without `lehr compare`: read from a table, kept in the store, and marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple, cast

from lehr.lab import records
from lehr.lab.plan import Plan
from lehr.lab.run_table import ImportedRun, RunTable, Trained, setting
from lehr.lab.store.store import Store

_KIND = "imported"  # of the study in the store


class ImportSummary(NamedTuple):
    """The outcome of an import.

    Attributes:
        runs: The number of runs in the table.
        trials: How many of them have become trials in the store.
        present: How many trials were already in the store, which keeps its own numbers.
        settings: How many runs lack a seed or a test value; they only show which peak is good.
        ignored: The columns that were not read.
    """

    runs: int
    trials: int
    present: int
    settings: int
    ignored: tuple[str, ...]


def import_runs(store: Path, table: Path, trained: Trained | None) -> ImportSummary:
    """Add the runs of a table to a store; on error the store does not change.

    A run with a seed and a test value becomes a trial: a comparison uses it instead of training the
    same setting with the same seed. Every run shows how good its peak is for its setting.

    Arguments:
        store: The file of the store; created if it is missing.
        table: A CSV file with the column names in the first line, then a line for each run.
        trained: The comparison that the runs belong to, if the table does not say.

    Raises:
        ValueError: If a value cannot be used; the message names its line and column.
        StoreError: If the store cannot be used.
        OSError: If a file cannot be reached.
    """
    reader = RunTable(table, trained)
    found = list(reader.runs())
    lines: dict[bytes, int] = {}
    for line, trial, finished, _ in found:
        if finished is not None and lines.setdefault(trial.digest, line) != line:
            raise ValueError(
                f"{table.name}, line {line}: {trial} is in line {lines[trial.digest]} too: keep one"
            )
    trials = [(trial, finished) for _, trial, finished, _ in found if finished is not None]
    content = {"source": table.name, "runs": [records.to_json(run) for *_, run in found]}
    with Store(store, write=True) as opened:
        added = opened.add_imported(trials, table.name, _KIND, content)
    return ImportSummary(
        len(found), added, len(trials) - added, len(found) - len(trials), reader.ignored
    )


def with_known_peaks(plan: Plan, store: Store) -> tuple[Plan, str]:
    """Return a plan that begins with the best imported peaks, and a line that reports it, or "".

    For each pair, the peak with the best mean validation value is taken, among runs of the same
    task, schedule and number of updates. A peak that the plan itself names is kept.
    """
    runs = [run for several in store.studies(_KIND, _read_content) for run in several]
    first: list[str] = []
    for pair in plan.pairs if runs else ():
        if pair in plan.known_peaks:
            continue
        wanted = setting(plan.scoring(pair, 1.0)[0])
        peaks: dict[float, list[float]] = {}
        for run in runs:
            if run.setting == wanted and run.validation is not None:
                cost = -run.validation if run.higher else run.validation
                peaks.setdefault(run.peak, []).append(cost)
        if peaks:
            best = min(peaks, key=lambda peak: (fmean(peaks[peak]), peak))
            first.append(f"{pair}={best!r}")
    if not first:
        return plan, ""
    line = f"By imported runs: --first {' --first '.join(first)}"
    return replace(plan, first=(*plan.first, *first)), line


def _read_content(content: Mapping[str, Any]) -> list[ImportedRun]:
    runs = content.get("runs")
    if not isinstance(runs, list):
        raise ValueError("an import without runs")
    return [records.from_json(ImportedRun, run, "run") for run in cast("list[Any]", runs)]
