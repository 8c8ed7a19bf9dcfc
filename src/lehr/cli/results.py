"""`lehr results`: what a store of trials has, at any time."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lehr.cli import Refused, console

if TYPE_CHECKING:
    from lehr.lab import Record, Store
    from lehr.lab.trial import Outcome

__all__ = ["results"]

_FILE = Path("lehr-compare")


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Write all trials as JSON, with curves.")
@click.option("--csv", "as_csv", is_flag=True, help="Write all trials as CSV, without curves.")
@click.option(
    "--tensorboard",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write what TensorBoard shows into a folder.",
)
@click.option(
    "--mlflow",
    metavar="WHERE",
    help="Write MLflow runs into a folder, or to a tracking address.",
)
def results(
    file: Path, as_json: bool, as_csv: bool, tensorboard: Path | None, mlflow: str | None
) -> None:
    """Show the trials in a store.

    FILE is what `lehr compare` keeps its trials in, or the folder with its trials.db (by default
    lehr-compare). It may be asked while a comparison is running. The folders for TensorBoard and
    MLflow get what they lack: say it again when more has finished.
    """
    chosen = [as_json, as_csv, tensorboard is not None, mlflow is not None]
    if sum(chosen) > 1:
        raise Refused("--json, --csv, --tensorboard and --mlflow say where to write: give one")
    with _opened(file) as store:
        if as_json:
            _write_json(store)
        elif as_csv:
            _write_csv(store)
        elif tensorboard is not None:
            _fill_tensorboard(store, tensorboard)
        elif mlflow is not None:
            _fill_mlflow(store, mlflow)
        else:
            _show(store)


@contextmanager
def _opened(file: Path) -> Generator[Store]:
    if find_spec("scipy") is None:
        raise Refused("lehr results needs scipy: pip install 'lehr[lab]'")
    # Here and not above: help should not wait for what this imports.
    from lehr.lab.comparison import STORE
    from lehr.lab.store.store import Store, StoreError

    path = file / STORE if file.is_dir() else file
    try:
        with Store(path) as store:
            yield store
    except BrokenPipeError:
        raise  # the reader of a pipe has seen enough, which is no error
    except (StoreError, OSError) as error:
        raise Refused(str(error)) from None


def _write_json(store: Store) -> None:
    from lehr.lab.store.rows import row

    # Trial by trial: a large store need not fit into memory.
    click.echo('{"trials": [', nl=False)
    for count, record in enumerate(store.records()):
        text = json.dumps(row(record), allow_nan=False)
        click.echo(f"{',' if count else ''}\n{text}", nl=False)
    click.echo("\n]}")


def _write_csv(store: Store) -> None:
    from lehr.lab.store.rows import COLUMNS, row

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for record in store.records():
        found = row(record)
        writer.writerow([found[name] for name in COLUMNS])


def _fill_tensorboard(store: Store, folder: Path) -> None:
    from lehr.lab.store.trackers import tensorboard

    _fill(store, lambda records: tensorboard(records, folder), f"tensorboard --logdir {folder}")


def _fill_mlflow(store: Store, where: str) -> None:
    from lehr.lab.store.trackers import mlflow

    # MLflow shows folders, too, only where it is told that this is meant.
    said = "" if ":" in where else "MLFLOW_ALLOW_FILE_STORE=true "
    see = f"{said}mlflow ui --backend-store-uri {where}"
    _fill(store, lambda records: mlflow(records, where), see)


def _fill(store: Store, write: Callable[[Iterable[Record]], int], see: str) -> None:
    from lehr.lab.store.trackers import ExportError

    errors = Console(stderr=True)
    records = track(
        store.records(),
        "writing",
        total=len(store),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )
    try:
        count = write(records)
    except ExportError as error:
        raise Refused(str(error)) from None
    click.echo(f"{count:,} trials written; to see all of them: {see}")


def _show(store: Store) -> None:
    """Print a line for each optimizer and schedule, at the peak rate that validation favours."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("task", no_wrap=True)
    table.add_column("steps", justify="right")
    table.add_column("optimizer", no_wrap=True)
    table.add_column("schedule", style="bold")
    for name in ("trials", "diverged", "peaks", "best peak", "validation", "test"):
        table.add_column(name, justify="right", no_wrap=True)
    kinds = _kinds(store)
    for (task, steps, optimizer, schedule), peaks in sorted(kinds.items(), key=_order):
        best = max(peaks, key=lambda peak: _mean(peaks[peak], "validation"))
        trials = [outcome for outcomes in peaks.values() for outcome in outcomes]
        table.add_row(
            task,
            f"{steps:,}",
            optimizer,
            schedule,
            f"{len(trials):,}",
            f"{sum(outcome.diverged is not None for outcome in trials):,}",
            str(len(peaks)),
            f"{best:g}",
            f"{100 * _mean(peaks[best], 'validation'):.1f}%",
            f"{100 * _mean(peaks[best], 'test'):.1f}%",
        )
    terminal = console()
    terminal.print(table)
    terminal.print(
        f"\n{len(store):,} trials in {store.path}. Scores are means over the trials at the best "
        "peak rate; `lehr compare` ranks them and says which tie.",
        markup=False,
        soft_wrap=True,
    )


_Kind = tuple[str, int, str, str]
_Peaks = dict[float, list["Outcome"]]


def _kinds(store: Store) -> dict[_Kind, _Peaks]:
    """The outcomes by what was trained: task, steps, optimizer and schedule; then by peak rate."""
    from lehr.lab.store.rows import short

    found: dict[_Kind, _Peaks] = {}
    for record in store.records():
        of = record.identity
        kind = (of["task"], of["steps"], of["optimizer"], short(of["schedule"]))
        found.setdefault(kind, {}).setdefault(of["peak"], []).append(record.kept.outcome)
    return found


def _order(entry: tuple[_Kind, _Peaks]) -> tuple[str, int, float]:
    (task, steps, _, _), peaks = entry
    return task, steps, -max(_mean(outcomes, "validation") for outcomes in peaks.values())


def _mean(outcomes: list[Outcome], score: str) -> float:
    return math.fsum(getattr(outcome, score) for outcome in outcomes) / len(outcomes)
