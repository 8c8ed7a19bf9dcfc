"""Shared by all commands that train: where to train, progress, stopping and errors."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, redirect_stdout
from dataclasses import fields, replace
from fractions import Fraction
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from lehr.cli import Refused, options
from lehr.cli.names import split
from lehr.cli.steps import Seconds
from lehr.cli.stopping import Stop, stoppable
from lehr.extras import install
from lehr.lab.errors import WorkerError
from lehr.lab.optimizers import OPTIMIZERS
from lehr.lab.plan import SCHEDULES
from lehr.lab.tasks.registry import OTHERS, TASKS
from lehr.view.printable import printable

if TYPE_CHECKING:
    from lehr.lab import Progress, RunPlace


_PREPARING, _TRAINING, _WAITING = "preparing", "training", "waiting for another run"


def between_commas(read: Callable[[str], Any]) -> Callable[..., tuple[Any, ...] | None]:
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
    return int(Fraction(found[1]) * _UNITS[found[2]])


class NamesOption(click.Option):
    """An option whose help lists the names that can be given, read when the help is shown."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        names = {
            "tasks": f"{', '.join(TASKS)}, {OTHERS}",
            "optimizers": ", ".join(OPTIMIZERS),
            "schedules": ", ".join(SCHEDULES),
        }
        return record and (record[0], record[1].format(**names))


def usual(place: RunPlace, *, jobs: int, task: str) -> RunPlace:
    """Return a place with defaults for what the options leave open: the engine and the jobs."""
    # The code of a file may end its process, so it gets one of its own even for a single job.
    in_file = task.endswith(".py") or ".py:" in task
    return replace(
        place,
        engine=place.engine or ("processes" if in_file else None),
        jobs=place.jobs or (1 if place.engine == "population" else jobs),
    )


def continuing(words: str, place: RunPlace, usual_out: Path) -> str:
    """Return a command with the options of a place, to continue what was stopped there."""
    values = {
        "--out": None if place.out == usual_out else place.out,
        "--store": place.store,
        "--engine": place.engine,
        "--jobs": place.jobs,
        "--memory": place.memory,
        "--device": None if place.device == "cpu" else place.device,
        "--devices": ",".join(place.devices),
        "--timeout": None if place.timeout is None else f"{place.timeout:g}s",
    }
    given = [word for name, value in values.items() if value for word in (name, str(value))]
    return f"{words} {shlex.join(given)}".rstrip()


def placed(out: Path, holds: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options of `RunPlace` to a command, which gets them as its argument `place`.

    Arguments:
        out: The folder for its results, where --out does not name another.
        holds: What the folder holds, in words.
    """
    added = options(
        click.option(
            "--out",
            type=click.Path(file_okay=False, path_type=Path),
            default=out,
            show_default=True,
            help=f"Folder for {holds}.",
        ),
        click.option(
            "--store",
            type=click.Path(dir_okay=False, path_type=Path),
            help="File to keep the trials in; runs may share one.  "
            "[default: trials.db in the folder]",
        ),
        click.option(
            "--engine",
            metavar="NAME",
            help="Where to train: population (this process), processes, dask or ray (a cluster on "
            "this machine), dask://HOST:PORT or ray://HOST:PORT (a running one).  [default: "
            "processes, or population for one job]",
        ),
        click.option(
            "--jobs",
            type=click.IntRange(min=1),
            help="Batches of trials to train at a time.  [default: one per processor]",
        ),
        click.option(
            "--memory",
            callback=_bytes,
            metavar="SIZE",
            help="Memory that training may use, such as 2GB; on a running cluster, in each worker.",
        ),
        click.option(
            "--device",
            default="cpu",
            show_default=True,
            help="Device to train on, as torch names it.",
        ),
        click.option(
            "--devices",
            callback=between_commas(str),
            metavar="NAMES",
            help="Several devices of this machine, such as cuda:0,cuda:1: a process for each.",
        ),
        click.option(
            "--timeout",
            type=Seconds(),
            help="Time that a trial may take, such as 90s, 30min or 2h; one that takes longer "
            "fails.",
        ),
        click.option(
            "--retry-failed", is_flag=True, help="Train again trials that failed in an earlier run."
        ),
    )

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def gathered(**given: Any) -> Any:
            from lehr.lab.place import RunPlace  # Loads NumPy and more.

            parts = {each.name: given.pop(each.name) for each in fields(RunPlace)}
            parts["devices"] = parts["devices"] or ()
            return command(place=RunPlace(**parts), **given)

        return added(gathered)

    return add


def check_installed(command: str) -> None:
    """Refuse a command, such as "lehr compare", unless the packages for training are installed."""
    missing = [name for name in ("torch", "scipy", "sklearn") if find_spec(name) is None]
    if missing:
        raise Refused(f"{command} needs {' and '.join(missing)}: {install('lab')}")


class TrainingCommand:
    """A command that trains: how far it is, and how it is continued once it has stopped.

    `watch` and `notify` are the arguments of those names of `lehr.lab.study.train`.
    """

    def __init__(
        self, place: RunPlace, usual_out: Path, stop: Stop, errors: Console, bar: Bar
    ) -> None:
        self._place, self._usual_out = place, usual_out
        self._stop, self._errors, self._bar = stop, errors, bar
        self._line = bar.add_task(_PREPARING, total=None)
        self._first: Progress | None = None
        self._last: Progress | None = None
        self._again = ""

    def begin(self, words: str) -> None:
        """Set the command of this training, without the options of its `RunPlace`."""
        self._again = continuing(words, self._place, self._usual_out)
        self._stop.farewell = (
            f"Stopped at once: finished trials are kept in {self._place.file}; to continue: "
            f"{self._again}"
        )

    def watch(self, progress: Progress) -> None:
        """Show the progress."""
        self._first, self._last = self._first or progress, progress
        done = progress.reused + progress.trained
        what = _WAITING if progress.waiting else _TRAINING
        self._bar.update(self._line, completed=done, total=progress.total, description=what)

    def notify(self, text: str) -> None:
        """Write a line on the error output."""
        self._errors.print(printable(text))

    def continued(self, text: str) -> str:
        """Add the command that continues to a sentence, if there is one."""
        return f"{text}; to continue: {self._again}" if self._again else text

    def stopped(self) -> str:
        """Return the last line of a training that was stopped."""
        if self._last is None:
            return "Stopped before anything was trained."
        done = self._last.reused + self._last.trained
        return self.continued(
            f"Stopped: {done:,} of {self._last.total:,} trials are kept in {self._place.file}"
        )

    def failed(self, error: OSError) -> str:
        """Return the last line of a training whose results cannot be written."""
        if self._last is None or error.filename is None:
            return str(error)
        return self.continued(
            f"{error.filename}: {error.strerror}; finished trials are kept in {self._place.file}"
        )

    def reused(self) -> None:
        """Say how many trials were in the store at the beginning, if there were any."""
        if self._first is not None and self._first.reused:
            known, total = self._first.reused, self._first.total
            self.notify(f"{known:,} of {total:,} trials were already in {self._place.file}.")


@contextmanager
def training(place: RunPlace, usual_out: Path) -> Generator[TrainingCommand]:
    """Train in the block, with a progress bar if the error output is a terminal.

    What is printed in the block goes to the error output, because the other one is for results.
    Ctrl-C, SIGTERM and the errors of training end the command with one line and an exit code; a
    line also says how many trials were known before. `usual_out` is the folder that the command
    writes into by default.
    """
    errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
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
    with stoppable() as stop, redirect_stdout(sys.stderr):
        now = TrainingCommand(place, usual_out, stop, errors, bar)
        try:
            with bar:
                yield now
        except KeyboardInterrupt:
            now.notify(now.stopped())
            raise click.exceptions.Exit(stop.exit_code) from None
        except WorkerError as error:
            raise click.ClickException(printable(now.continued(str(error)))) from None
        except OSError as error:
            raise Refused(now.failed(error)) from None
        except ValueError as error:
            raise Refused(error) from None
        now.reused()


def processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
