"""`lehr compare`: compare optimizers and schedules by training."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from lehr.cli import Refused, console
from lehr.cli.names import complete_optimizers, complete_schedules, complete_tasks, split
from lehr.cli.steps import Steps
from lehr.cli.stopping import Stop, stoppable
from lehr.extras import install
from lehr.view.numbers import MISSING, count
from lehr.view.printable import printable

if TYPE_CHECKING:
    from lehr.lab import Plan, Progress, Results
    from lehr.lab.metric import Metric
    from lehr.lab.results import PairResult

__all__ = ["Terse", "compare", "echo", "ranking", "show"]

_OUT = Path("lehr-compare")
_TRAINING, _WAITING = "training", "waiting for another run"


class _Place(NamedTuple):
    """The options that say where to train and where to keep the trials."""

    out: Path
    store: Path | None
    engine: str | None
    jobs: int | None
    memory: int | None
    device: str
    retry_failed: bool

    @property
    def file(self) -> Path:
        """The file of the store."""
        from lehr.lab.comparison import STORE  # Loads NumPy and more.

        return self.store or self.out / STORE


class Terse(click.Command):
    """A command whose usage errors take one line."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            raise Refused(printable(error.format_message())) from error
        except ValueError as error:  # a path with a NUL character
            raise Refused(printable(str(error))) from error


def _between_commas(read: Callable[[str], Any]) -> Callable[..., tuple[Any, ...] | None]:
    """Return a callback that reads an option's value as a list."""

    def convert(
        ctx: click.Context, param: click.Parameter, value: str | None
    ) -> tuple[Any, ...] | None:
        if value is None:
            return None
        try:
            return tuple(read(part) for part in split(value))
        except ValueError as error:
            raise click.BadParameter(f"{value!r}: {error}", ctx, param) from None

    return convert


_UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def _bytes(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Read an option's value as a number of bytes."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kmg]i?b|)", value.lower())
    if found is None:
        raise click.BadParameter(f"{value!r} is not a size: write 2GB or 500MB", ctx, param)
    return int(float(found[1]) * _UNITS[found[2]])


class _NamesOption(click.Option):
    """An option whose help lists the names that can be given, read when the help is shown."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        from lehr.lab.optimizers import OPTIMIZERS  # Loads NumPy and more.
        from lehr.lab.plan import SCHEDULES  # Loads NumPy and more.
        from lehr.lab.tasks.registry import OTHERS, TASKS  # Loads NumPy and more.

        record = super().get_help_record(ctx)
        names = {
            "tasks": f"{', '.join(TASKS)}, {OTHERS}",
            "optimizers": ", ".join(OPTIMIZERS),
            "schedules": ", ".join(SCHEDULES),
        }
        return record and (record[0], record[1].format(**names))


@click.command(cls=Terse)
@click.option(
    "--task",
    cls=_NamesOption,
    default="digits",
    shell_complete=complete_tasks,
    show_default=True,
    help="The task to train: {tasks} for a task of your own.",
)
@click.option(
    "--optimizers",
    cls=_NamesOption,
    callback=_between_commas(str),
    shell_complete=complete_optimizers,
    help="Names between commas.  [default: {optimizers}]",
)
@click.option(
    "--schedules",
    cls=_NamesOption,
    callback=_between_commas(str),
    shell_complete=complete_schedules,
    help="Names from `lehr list`, or texts like 'cosine(to=0.1)', between commas.  "
    "[default: {schedules}]",
)
@click.option("--steps", type=Steps(), help="Updates in a training run: 300, or 10kst.")
@click.option("--seeds", type=int, help="Runs that score a pair at its best peak rate.")
@click.option("--tuning-seeds", type=int, help="Runs at each peak rate that choose the best.")
@click.option(
    "--peaks", callback=_between_commas(float), help="Peak rates between commas, ascending."
)
@click.option(
    "--halving",
    is_flag=True,
    default=None,
    help="Drop the worse half of a pair's peaks, again and again, before all tuning seeds are "
    "spent on them.",
)
@click.option(
    "--lengths",
    callback=_between_commas(int),
    help="Other numbers of updates to score a pair at, its schedule placed anew.",
)
@click.option(
    "--target",
    type=float,
    help="Validation score, or loss, for which to count the updates until it is reached.",
)
@click.option("--quick", is_flag=True, help="Train less: a first look.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=_OUT,
    show_default=True,
    help="Folder for the results, the report and, by default, the store of trials.",
)
@click.option(
    "--store",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to keep the trials in; runs may share one.  [default: trials.db in the folder]",
)
@click.option(
    "--engine",
    metavar="NAME",
    help="Where to train: population (this process), processes, dask or ray (a cluster on this "
    "machine), dask://HOST:PORT or ray://HOST:PORT (a running one).  [default: processes, or "
    "population for one job]",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Batches of trials to train at a time.  [default: one per processor]",
)
@click.option(
    "--memory",
    callback=_bytes,
    metavar="SIZE",
    help="Memory that training may use, such as 2GB; on a running cluster, in each worker.",
)
@click.option(
    "--device", default="cpu", show_default=True, help="Device to train on, as torch names it."
)
@click.option(
    "--retry-failed", is_flag=True, help="Train trials again that failed in an earlier run."
)
@click.option("--json", "as_json", is_flag=True, help="Write the results as JSON, for programs.")
def compare(
    quick: bool,
    out: Path,
    store: Path | None,
    engine: str | None,
    jobs: int | None,
    memory: int | None,
    device: str,
    retry_failed: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Compare optimizers and schedules by training.

    Every optimizer is paired with every schedule. Each pair gets its best peak rate from the same
    grid and is scored on test data over several seeds. Finished trials are kept: the same command
    continues a comparison that was stopped, and `lehr results` shows what is finished so far.
    """
    errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    _check_installed()
    place = _Place(out, store, engine, jobs, memory, device, retry_failed)
    given = {name: value for name, value in chosen.items() if value is not None}
    # What a task prints goes to the error output: this one is for results.
    with stoppable() as stop, redirect_stdout(sys.stderr):
        found = _compared(quick, given, place, stop, errors)
    if as_json:
        click.echo(json.dumps(found.to_json(), allow_nan=False))
    else:
        show(found)
        echo(f"\nReport: {out / 'report.html'}")
    if found.failed:
        raise click.ClickException(
            f"{count(len(found.failed), 'trial')} failed; {place.file} has the tracebacks "
            "(`lehr results --json`). They are not trained again without --retry-failed"
        )


def _compared(
    quick: bool, given: Mapping[str, Any], place: _Place, stop: Stop, errors: Console
) -> Results:
    """Train, with a progress bar, and say what happened on the error output."""
    plan: Plan | None = None
    seen: list[Progress] = []

    def notify(text: str) -> None:
        errors.print(printable(text))

    try:
        plan = _plan(quick, given)
        stop.farewell = (
            f"Stopped at once: finished trials are kept in {place.file}; to continue: "
            f"{_again(plan, place)}"
        )
        with _bar(errors) as advance:
            found = _run(plan, place, lambda p: (seen.append(p), advance(p)), notify)
    except KeyboardInterrupt:
        notify(_stopped(plan, place, seen))
        raise click.exceptions.Exit(stop.exit_code) from None
    if seen[0].reused:
        notify(f"{seen[0].reused:,} of {seen[0].total:,} trials were already in {place.file}.")
    return found


def _check_installed() -> None:
    missing = [name for name in ("torch", "scipy", "sklearn") if find_spec(name) is None]
    if missing:
        raise Refused(f"lehr compare needs {' and '.join(missing)}: {install('lab')}")


def _plan(quick: bool, chosen: Mapping[str, Any]) -> Plan:
    from lehr.lab import FULL, QUICK, Plan  # Loads NumPy and more.

    names = ("task", "optimizers", "schedules", "target")
    size = {name: value for name, value in chosen.items() if name not in names}
    try:
        return Plan(
            **{name: chosen[name] for name in names if name in chosen},
            size=replace(QUICK if quick else FULL, **size),
        )
    except (ValueError, OSError) as error:
        raise Refused(printable(str(error))) from None


def _run(
    plan: Plan,
    place: _Place,
    watch: Callable[[Progress], object],
    notify: Callable[[str], object],
) -> Results:
    from lehr.lab import WorkerError, compare  # Loads NumPy and more.
    from lehr.view.report import write_report  # Loads NumPy and more.

    try:
        return compare(
            plan,
            place.out,
            store=place.store,
            engine=place.engine,
            jobs=place.jobs or (1 if place.engine == "population" else _processors()),
            memory=place.memory,
            device=place.device,
            retry_failed=place.retry_failed,
            report=write_report,
            watch=watch,
            notify=notify,
        )
    except (ValueError, OSError) as error:
        raise Refused(printable(str(error))) from None
    except WorkerError as error:
        text = f"{error}; to continue: {_again(plan, place)}"
        raise click.ClickException(printable(text)) from None


def _processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _bar(errors: Console) -> Generator[Callable[[Progress], object]]:
    """Show a progress bar for the length of a block, if the error output is a terminal."""
    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("runs,"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )
    with bar:
        line = bar.add_task(_TRAINING, total=None)

        def advance(progress: Progress) -> None:
            done = progress.reused + progress.trained
            what = _WAITING if progress.waiting else _TRAINING
            bar.update(line, completed=done, total=progress.total, description=what)

        yield advance


def _again(plan: Plan, place: _Place) -> str:
    """Return the command that continues a comparison."""
    options = {
        "--out": None if place.out == _OUT else place.out,
        "--store": place.store,
        "--engine": place.engine,
        "--memory": place.memory,
        "--device": None if place.device == "cpu" else place.device,
    }
    words = [word for name, value in options.items() if value for word in (name, str(value))]
    return f"{plan.command()} {shlex.join(words)}".rstrip()


def _stopped(plan: Plan | None, place: _Place, seen: list[Progress]) -> str:
    if plan is None or not seen:
        return "Stopped before anything was trained."
    last = seen[-1]
    return (
        f"Stopped: {last.reused + last.trained:,} of {last.total:,} trials are kept in "
        f"{place.file}; to continue: {_again(plan, place)}"
    )


def show(results: Results) -> None:
    """Print the ranking and what it says."""
    terminal = console()
    if results.pairs:
        terminal.print(ranking(results, terminal.width))
    for sentence in results.summary:
        terminal.print(f"\n{printable(sentence)}", markup=False)


def echo(text: str) -> None:
    """Print a line that may be longer than the terminal is wide."""
    console().print(printable(text, lines=True), markup=False, soft_wrap=True)


class _Cells(NamedTuple):
    """A column of the ranking.

    Attributes:
        title: Its header.
        cells: Its cells.
        need: The columns of a narrow terminal are those with the lowest number.
        options: Further arguments of `Table.add_column`.
    """

    title: str
    cells: list[str]
    need: int
    options: Mapping[str, Any]

    @property
    def width(self) -> int:
        """The width of the longest cell, or of the header."""
        return max(self.narrow, cell_len(self.title))

    @property
    def narrow(self) -> int:
        """The width where the header is wrapped."""
        return max(map(cell_len, [*self.title.split(), *self.cells, ""]))


def ranking(results: Results, width: int = 10_000) -> Table:
    """Return the ranking as a table, best first.

    Arguments:
        results: The results.
        width: The width of the terminal. In a narrow one there are fewer columns: optimizer,
            schedule and score are always there, folded if they must be.
    """
    columns = _columns(results)
    chosen: set[int] = set()
    left = width + _GAP - sum(column.narrow + _GAP for column in columns if not column.need)
    for place in sorted(range(len(columns)), key=lambda i: columns[i].need):
        column = columns[place]
        extra = column.width - column.narrow if column.need == 0 else column.width + _GAP
        if column.need == 0 or extra <= left:
            chosen.add(place)
            left -= extra
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, _GAP, 0, 0))
    shown = [column for i, column in enumerate(columns) if i in chosen]
    widths: list[int | None] = [None] * len(shown)
    if left < 0:  # three columns, of which the names are folded
        room = max(2, width - 2 * _GAP - shown[2].narrow)
        first = max(1, min(shown[0].narrow, room // 3))
        widths = [first, max(1, room - first), shown[2].narrow]
    for column, fixed in zip(shown, widths, strict=True):
        table.add_column(
            column.title,
            width=fixed,
            min_width=None if fixed else column.narrow,
            no_wrap=not fixed and column.width == column.narrow,
            overflow="fold",
            **column.options,
        )
    for row in zip(*(column.cells for column in shown), strict=True):
        table.add_row(*(Text(cell) for cell in row))
    return table


def _columns(results: Results) -> list[_Cells]:
    pairs, target = results.pairs, results.settings.target
    metric = results.metric
    scores = [MISSING if pair.score is None else metric.text(pair.score) for pair in pairs]
    found = [
        _Cells("rank", [str(pair.rank) for pair in pairs], 1, {"justify": "right", "style": "dim"}),
        _Cells("optimizer", [printable(pair.optimizer) for pair in pairs], 0, {}),
        _Cells("schedule", [printable(pair.schedule) for pair in pairs], 0, {"style": "bold"}),
        _Cells("peak rate", [f"{pair.peak:g}" for pair in pairs], 1, {"justify": "right"}),
        _Cells(printable(f"test {metric.name}"), scores, 0, {}),
        _Cells("", [_interval(pair, metric) for pair in pairs], 4, {}),
        _Cells("", [_STANDINGS[pair.standing] for pair in pairs], 2, {"style": "green"}),
    ]
    if target is not None:
        title = f"updates to {metric.text(target)}"
        found.append(_Cells(title, list(map(_updates, pairs)), 3, {}))
    return found


_GAP = 2  # spaces between two columns


_STANDINGS = {
    "best": "best",
    "tie": "ties with the best",
    "undecided": "undecided",
    "behind": "",
}


def _updates(pair: PairResult) -> str:
    """Return the median number of updates to the target, and how many of the seeds reach it."""
    if pair.target is None:
        return ""
    seeds = f"({pair.target.reached} of {pair.seeds})"
    return f"more {seeds}" if pair.target.updates is None else f"{pair.target.updates:g} {seeds}"


def _interval(pair: PairResult, metric: Metric) -> str:
    if pair.low is None or pair.high is None:
        return ""
    return f"({metric.number(pair.low)} to {metric.number(pair.high)})"
