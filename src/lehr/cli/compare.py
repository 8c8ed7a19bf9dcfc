"""`lehr compare`: which optimizer and schedule go together, by training."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from lehr.cli import Refused, console
from lehr.cli.names import complete_optimizers, complete_schedules, complete_tasks
from lehr.cli.steps import Steps

if TYPE_CHECKING:
    from lehr.lab import Plan, Progress

__all__ = ["compare"]

_OUT = Path("lehr-compare")
_TRAINING, _WAITING = "training", "waiting for another run"
_INTERRUPTED = 130  # what a shell expects of a program that Ctrl-C ended


class _How(NamedTuple):
    """What the user said about where things are kept and who trains."""

    out: Path
    store: Path | None
    engine: str | None
    jobs: int | None
    memory: int | None
    device: str

    @property
    def file(self) -> Path:
        """The file that the trials are in."""
        return self.store or self.out / "trials.db"


class _Terse(click.Command):
    """A command that says in one line what is wrong with how it was called."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            raise Refused(error.format_message()) from error


def _between_commas(read: Callable[[str], Any]) -> Callable[..., tuple[Any, ...] | None]:
    """A callback that reads an option's value as a list."""

    def convert(
        ctx: click.Context, param: click.Parameter, value: str | None
    ) -> tuple[Any, ...] | None:
        if value is None:
            return None
        try:
            return tuple(read(part.strip()) for part in _split(value))
        except ValueError as error:
            raise click.BadParameter(f"{value!r}: {error}", ctx, param) from None

    return convert


_UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def _bytes(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """A callback that reads an option's value as a number of bytes."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kmg]i?b|)", value.lower())
    if found is None:
        raise click.BadParameter(f"{value!r} is not a size: write 2GB or 500MB", ctx, param)
    return int(float(found[1]) * _UNITS[found[2]])


def _split(value: str) -> list[str]:
    """The parts between commas, but not those between brackets or quotes: 'a, b(1, 2)' is two."""
    parts, depth, quote = [""], 0, ""
    for letter in value:
        if quote or letter in "\"'":
            quote = "" if letter == quote else quote or letter
        elif letter in "([":
            depth += 1
        elif letter in ")]":
            depth -= 1
        if letter == "," and not (quote or depth > 0):
            parts.append("")
        else:
            parts[-1] += letter
    return parts


@click.command(cls=_Terse)
@click.option(
    "--task",
    default="digits",
    shell_complete=complete_tasks,
    show_default=True,
    help="What is trained: digits, digits-conv, mnist5k, breast_cancer, quadratic, text:FILE, or "
    "FILE.py:FUNCTION for a task of your own.",
)
@click.option(
    "--optimizers",
    callback=_between_commas(str),
    shell_complete=complete_optimizers,
    help="Names between commas.  [default: all]",
)
@click.option(
    "--schedules",
    callback=_between_commas(str),
    shell_complete=complete_schedules,
    help="Names between commas, of those that `lehr list` shows, or texts like 'cosine(to=0.1)'.  "
    "[default: the usual eleven]",
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
@click.option("--target", type=float, help="Score for which to tell the updates that it takes.")
@click.option("--quick", is_flag=True, help="Train less: a first look.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=_OUT,
    show_default=True,
    help="Folder for results, report and, unless it is named, the store of trials.",
)
@click.option(
    "--store",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to keep trials in; runs may share one.  [default: trials.db in the folder]",
)
@click.option(
    "--engine",
    metavar="NAME",
    help="Who trains: population (this process), processes, dask or ray (a cluster of this "
    "machine), dask://HOST:PORT or ray://HOST:PORT (a running one).  [default: processes, or "
    "population for one job]",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Populations to train at a time.  [default: one per processor]",
)
@click.option(
    "--memory",
    callback=_bytes,
    metavar="SIZE",
    help="What training may take, such as 2GB; on a running cluster, in each worker.",
)
@click.option(
    "--device", default="cpu", show_default=True, help="Where to train, as torch names it."
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
    as_json: bool,
    **chosen: Any,
) -> None:
    """Compare optimizers and schedules by training.

    Every optimizer is paired with every schedule. Each pair gets its best peak rate from the same
    grid and is scored on test data over several seeds; pairs that cannot be told apart tie. What is
    trained is kept: the same command takes up where it was stopped, and `lehr results` shows it
    meanwhile.
    """
    errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    _check_installed()
    plan: Plan | None = None
    seen: list[Progress] = []
    how = _How(out, store, engine, jobs, memory, device)
    try:
        plan = _plan(quick, {name: value for name, value in chosen.items() if value is not None})
        with _bar(errors) as show:
            found = _run(plan, how, lambda p: (seen.append(p), show(p)), errors.print)
    except KeyboardInterrupt:
        errors.print(_stopped(plan, how, seen))
        raise click.exceptions.Exit(_INTERRUPTED) from None
    if seen[0].reused:
        errors.print(f"{seen[0].reused:,} of {seen[0].total:,} trials were already in {how.file}.")
    if as_json:
        click.echo(json.dumps(found, allow_nan=False))
    else:
        _show(found, out)


def _check_installed() -> None:
    missing = [name for name in ("torch", "scipy", "sklearn") if find_spec(name) is None]
    if missing:
        raise Refused(f"lehr compare needs {' and '.join(missing)}: pip install 'lehr[lab]'")


def _plan(quick: bool, chosen: Mapping[str, Any]) -> Plan:
    # Here and not above: no other command should wait for what this imports.
    from lehr.lab import FULL, QUICK, Plan

    names = ("task", "optimizers", "schedules", "target")
    size = {name: value for name, value in chosen.items() if name not in names}
    try:
        return Plan(
            **{name: chosen[name] for name in names if name in chosen},
            size=replace(QUICK if quick else FULL, **size),
        )
    except ValueError as error:
        raise Refused(str(error)) from None


def _run(
    plan: Plan,
    how: _How,
    watch: Callable[[Progress], object],
    tell: Callable[[str], object],
) -> dict[str, Any]:
    from lehr.lab import WorkerError, compare

    try:
        return compare(
            plan,
            how.out,
            store=how.store,
            engine=how.engine,
            jobs=how.jobs or (1 if how.engine == "population" else _processors()),
            memory=how.memory,
            device=how.device,
            watch=watch,
            tell=tell,
        )
    except (ValueError, OSError) as error:  # what it was given cannot be
        raise Refused(str(error)) from None
    except WorkerError as error:
        raise click.ClickException(f"{error}; to go on: {_again(plan, how)}") from None


def _processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _bar(errors: Console) -> Generator[Callable[[Progress], object]]:
    """A line that shows how far it is, while it lasts; none where nobody would see it move."""
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

        def show(progress: Progress) -> None:
            done = progress.reused + progress.trained
            what = _WAITING if progress.waiting else _TRAINING
            bar.update(line, completed=done, total=progress.total, description=what)

        yield show


def _again(plan: Plan, how: _How) -> str:
    """What to type to go on with a comparison."""
    said = {
        "--out": None if how.out == _OUT else how.out,
        "--store": how.store,
        "--engine": how.engine,
        "--memory": how.memory,
        "--device": None if how.device == "cpu" else how.device,
    }
    words = [word for name, value in said.items() if value for word in (name, str(value))]
    return f"{plan.command()} {shlex.join(words)}".rstrip()


def _stopped(plan: Plan | None, how: _How, seen: list[Progress]) -> str:
    if plan is None or not seen:
        return "Stopped before anything was trained."
    last = seen[-1]
    return (
        f"Stopped: {last.reused + last.trained:,} of {last.total:,} trials are kept in "
        f"{how.file}; to go on: {_again(plan, how)}"
    )


def _show(found: Mapping[str, Any], out: Path) -> None:
    """Print the ranking, what it says, and where the rest is."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("rank", justify="right", style="dim")
    table.add_column("optimizer", no_wrap=True)
    table.add_column("schedule", style="bold", no_wrap=True)
    table.add_column("peak rate", justify="right")
    table.add_column(found["task"]["score"], no_wrap=True)
    table.add_column("", style="green", no_wrap=True)
    target = found["settings"]["target"]
    if target is not None:
        table.add_column(f"updates to {100 * target:.1f}%", no_wrap=True)
    best = found["pairs"][0]
    for pair in found["pairs"]:
        tied = pair is best or f"{best['optimizer']}/{best['schedule']}" in pair["ties"]
        table.add_row(
            str(pair["rank"]),
            pair["optimizer"],
            pair["schedule"],
            f"{pair['peak_lr']:g}",
            _score(pair),
            "best" if pair is best else "ties with the best" if tied else "",
            *([] if target is None else [_updates(pair)]),
        )
    terminal = console()
    terminal.print(table)
    for sentence in found["summary"]:
        terminal.print(f"\n{sentence}", markup=False)
    terminal.print(f"\nReport: {out / 'report.html'}", markup=False, soft_wrap=True)


def _updates(pair: Mapping[str, Any]) -> str:
    """The median number of updates to the target, and how many of the seeds got there."""
    updates, reached = pair["target"]["updates"], pair["target"]["reached"]
    seeds = f"({reached} of {pair['seeds']})"
    return f"more {seeds}" if updates is None else f"{updates:g} {seeds}"


def _score(pair: Mapping[str, Any]) -> str:
    score = f"{100 * pair['score']:.1f}%"
    if pair["low"] is None:
        return score
    return f"{score}  ({100 * pair['low']:.1f} to {100 * pair['high']:.1f})"
