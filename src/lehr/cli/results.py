"""`lehr results`: show the comparisons and trials in a store."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import track

from lehr.cli import Refused, echo, refusing
from lehr.cli.laws import refusing_law_errors, say_predicted
from lehr.cli.ranking import show, show_contrast
from lehr.extras import install
from lehr.files import write_whole
from lehr.lab.errors import ExportError, StoreError
from lehr.view.numbers import count
from lehr.view.printable import printable

if TYPE_CHECKING:
    from lehr.lab import Results, Store
    from lehr.laws import PredictedRun


_FILE = Path("lehr-compare")


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default=_FILE)
@click.argument("other", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="Write all trials as JSON, with curves.")
@click.option("--csv", "as_csv", is_flag=True, help="Write all trials as CSV, without curves.")
@click.option(
    "--tensorboard",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write all trials for TensorBoard into a folder.",
)
@click.option(
    "--mlflow",
    metavar="WHERE",
    help="Write all trials as MLflow runs into a folder, or to a tracking address.",
)
@click.option(
    "--comparison",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Show this comparison of the store.  [default: the one that was started last]",
)
@click.option(
    "--law",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A law of `lehr fit`: write the report again, with predicted beside measured curves.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PAGE",
    help="Write the report, or that of two comparisons, into this file.  [default, with --law: "
    "report.html beside the store]",
)
@click.option(
    "--import",
    "table",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="RUNS.csv",
    help="Add runs that you already have to the store, from a table with a line for each.",
)
def results(
    file: Path,
    other: Path | None,
    as_json: bool,
    as_csv: bool,
    tensorboard: Path | None,
    mlflow: str | None,
    comparison: int | None,
    law: Path | None,
    report: Path | None,
    table: Path | None,
) -> None:
    """Show the results of a comparison, from its store.

    FILE is the store of `lehr compare`, or the folder with its trials.db (by default
    lehr-compare). It may be read while a comparison is running. The folders for TensorBoard and
    MLflow get the trials that they lack: repeat the command when more have finished.

    With a second store, OTHER, its last comparison is shown beside that of FILE, pair by pair.
    """
    where = [as_json, as_csv, tensorboard is not None, mlflow is not None]
    of_comparisons = any(each is not None for each in (other, law, report))
    if any(where) and of_comparisons:
        raise Refused(
            "a second store, --law and --report are for comparisons: leave out the others"
        )
    if other is not None and law is not None:
        raise Refused("--law is for one comparison: leave out the second store")
    if sum(where) > 1:
        raise Refused("--json, --csv, --tensorboard and --mlflow say where to write: give one")
    if table is not None:
        if any(where[1:]) or of_comparisons:
            raise Refused("--import adds to a store: give at most --comparison and --json with it")
        _import(file, table, comparison, as_json)
        return
    if report is not None and not report.name:
        raise Refused("--report needs the name of a file, such as report.html")
    with opened(file) as store:
        if as_json:
            _write_json(store)
        elif as_csv:
            _write_csv(store)
        elif tensorboard is not None or mlflow is not None:
            _fill(store, tensorboard, mlflow)
        elif other is None:
            _show(store, comparison, law, report)
        else:
            with opened(other) as second:
                first = _existing(chosen(store, comparison)[0], store)
                _contrast(first, _existing(chosen(second, None)[0], second), report)


def _import(file: Path, table: Path, number: int | None, as_json: bool) -> None:
    """Add the runs of a table to a store, and print what was done with them."""
    from lehr.lab.comparison import trained  # Loads NumPy and more.
    from lehr.lab.imported import import_runs  # Loads NumPy and more.
    from lehr.lab.place import STORE  # Loads NumPy and more.

    is_folder = file.is_dir() or (not file.exists() and not file.suffix)
    path = file / STORE if is_folder else file
    known = None
    if path.exists():
        with opened(path) as store:
            chosen(store, number)
            known = trained(store, number)
    with refusing(ValueError, OSError):
        done = import_runs(path, table, known)
    if as_json:
        echo(json.dumps(done._asdict()))
        return
    echo(f"{count(done.runs, 'run')} imported from {table.name} into {path}.")
    if done.trials:
        echo(f"{count(done.trials, 'trial')} of a comparison need no training.")
    if done.present:
        echo(f"{count(done.present, 'trial')} already in the store, which kept its own numbers.")
    if done.settings:
        echo(
            f"{count(done.settings, 'run')} without a seed or a test value only say which peak "
            "is good."
        )
    if done.ignored:
        echo(f"Columns that were not read: {', '.join(map(printable, done.ignored))}.")


def _write_report(results: Results, law: Path | None, page: Path) -> list[PredictedRun]:
    """Write the report of a comparison, and return what a law predicts if there is one."""
    from lehr.view.report import render  # Loads NumPy and more.

    if law is None:
        write_whole(page, render(results))
        return []
    with refusing_law_errors():
        from lehr.laws import load, predict_compared  # Loads SciPy.

        found = load(law)
        predicted = predict_compared(results, found)
        write_whole(page, render(results, found))
    return predicted


@contextmanager
def opened(file: Path) -> Generator[Store]:
    """Open a store, or that of a folder."""
    if find_spec("scipy") is None:
        raise Refused(f"reading a store needs scipy: {install('lab')}")
    from lehr.lab.place import STORE  # Loads NumPy and more.
    from lehr.lab.store.store import Store  # Loads NumPy and more.

    def warn(text: str) -> None:
        click.echo(f"Warning: {printable(text)}", err=True)

    try:
        path = file / STORE if file.is_dir() else file
        with Store(path, notify=warn) as store:
            yield store
    except StoreError as error:
        raise Refused(error) from None
    except OSError as error:
        if error.filename is None:
            raise  # from the output, which may be full, or a pipe that was closed early
        raise Refused(error) from None


def _write_json(store: Store) -> None:
    from lehr.lab.store.rows import row  # Loads NumPy and more.

    # Trial by trial: a large store may not fit into memory.
    click.echo('{"trials": [', nl=False)
    for number, record in enumerate(store.records()):
        text = json.dumps(row(record), allow_nan=False)
        click.echo(f"{',' if number else ''}\n{text}", nl=False)
    failed = [
        record.identity | {"reason": record.failure.reason, "traceback": record.failure.trace}
        for record in store.failures()
    ]
    click.echo(f'\n],\n"failed": {json.dumps(failed)}}}')


def _write_csv(store: Store) -> None:
    from lehr.lab.store.rows import COLUMNS, row  # Loads NumPy and more.
    from lehr.view.downloads import cell  # Loads NumPy and more.

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for record in store.records():
        found = row(record)
        writer.writerow([cell(found[name]) for name in COLUMNS])


def _fill(store: Store, tensorboard: Path | None, mlflow: str | None) -> None:
    """Write the trials for TensorBoard or MLflow, and say how to see them."""
    from lehr.lab.store import trackers  # Loads NumPy and more.

    errors = Console(stderr=True)
    records = track(
        store.records(),
        "writing",
        total=len(store),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )
    with refusing(ExportError):
        if tensorboard is not None:
            written = trackers.tensorboard(records, tensorboard)
            see = f"tensorboard --logdir {tensorboard}"
        else:
            assert mlflow is not None
            written = trackers.mlflow(records, mlflow)
            # MLflow reads folders only with this variable.
            allowed = "" if ":" in mlflow else "MLFLOW_ALLOW_FILE_STORE=true "
            see = f"{allowed}mlflow ui --backend-store-uri {mlflow}"
    click.echo(f"{written:,} trials written; to see all of them: {see}")


def chosen(store: Store, number: int | None) -> tuple[Results | None, list[Results]]:
    """Return the comparison of a number, by default the last one, and all in the store."""
    from lehr.lab.comparison import stored_results  # Loads NumPy and more.

    found = stored_results(store)
    if number is not None and number > len(found):
        raise Refused(f"--comparison {number}: {store.path} has {len(found)} comparisons")
    return (found[(number or len(found)) - 1] if found else None), found


def _show(store: Store, number: int | None, law: Path | None, report: Path | None) -> None:
    """Print the ranking of a comparison, and the number of trials."""
    shown, found = chosen(store, number)
    page, predicted = report or store.path.parent / "report.html", []
    is_written = law is not None or report is not None
    if is_written:  # first, because a refusal must not follow half of the output
        predicted = _write_report(_existing(shown, store), law, page)
    if shown is not None:
        show(shown)
    if predicted:
        echo("")
        say_predicted(predicted)
    if is_written:
        echo(f"\nReport: {page}")
    failures = sum(1 for _ in store.failures())
    failed = f", and {failures:,} failed ones" if failures else ""
    echo(f"\n{len(store):,} trials in {store.path}{failed}.")
    if len(found) > 1:
        echo("Comparisons, for --comparison NUMBER:")
        for i, each in enumerate(found, start=1):
            echo(f"{i:3}  {each.settings.command}")


def _existing(results: Results | None, store: Store) -> Results:
    if results is None:
        raise Refused(f"{store.path} has no comparison: name a store of `lehr compare`")
    return results


def _contrast(first: Results, second: Results, report: Path | None) -> None:
    """Print two comparisons beside each other."""
    from lehr.lab.analysis.contrast import contrast  # Loads NumPy and more.
    from lehr.view.contrast import write  # Loads NumPy and more.

    found = contrast(first, second)
    if report is not None:
        write(found, report)
    show_contrast(found)
    if report is not None:
        echo(f"\nReport: {report}")
