"""Parts that the commands of loss laws share: options, logs, pictures, refusals."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lehr.cli import Refused
from lehr.errors import ScheduleError
from lehr.extras import MissingExtra
from lehr.view.printable import printable

if TYPE_CHECKING:
    from lehr.laws import Columns, LoggedRun, PredictedRun, Prediction
    from lehr.view.laws import Drawn


_Command = Callable[..., None]
PEAK = click.FloatRange(0, min_open=True)


def _options(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    def add(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


how_logged = _options(
    click.option("--step", metavar="NAME", help="The column of the step."),
    click.option("--lr", metavar="NAME", help="The column of the learning rate."),
    click.option("--loss", metavar="NAME", help="The column of the loss."),
    click.option("--effective-lr", metavar="NAME", help="The column of the measured rate / norm."),
    click.option("--weight-norm", metavar="NAME", help="The column of the weights' norm."),
    click.option("--warmup", type=click.IntRange(0), help="Updates in which the rate rose."),
    click.option(
        "--schedule",
        "schedules",
        multiple=True,
        metavar="FILE=TEXT",
        help="A run's schedule, in place of its column of rates; needs --peak.",
    ),
)
as_json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
picture_option = click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a picture, .png or .svg.",
)


def given(**options: object) -> list[str]:
    """Return the names of those options that have been given."""
    return [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]


def say(text: str) -> None:
    """Print a line, without the control characters that a file may have."""
    click.echo(printable(text))


@contextmanager
def refusing() -> Generator[None]:
    """Turn what is wrong with the input into a line on the error output."""
    try:
        # Loads NumPy and SciPy, which help should not wait for.
        from lehr.laws import LawError
    except MissingExtra as error:
        raise Refused(error) from None

    try:
        yield
    except (LawError, ScheduleError) as error:
        raise Refused(error) from None


def say_predicted(found: Sequence[PredictedRun]) -> None:
    """Print the last losses of a comparison's runs, measured and predicted."""
    width = max(len(one.run.name) for one in found)
    for one in found:
        low, high = one.prediction.final_interval
        fitted = ", fitted" if one.is_fitted else ""
        say(
            f"  {one.run.name:<{width}}  measured {one.run.losses[-1]:.4f}, predicted "
            f"{one.prediction.final:.4f} ({low:.4f} to {high:.4f}){fitted}"
        )


def read_runs(
    paths: Sequence[Path],
    columns: Columns,
    warmup: int | None,
    schedules: Sequence[str],
    peak: float | None,
    steps: int | None,
) -> list[LoggedRun]:
    from lehr.laws import read_run  # Loads NumPy and SciPy.

    texts: dict[Path, str] = {}
    for text in schedules:
        name, equals, schedule = text.partition("=")
        if not equals or Path(name) not in paths:
            raise Refused(f"--schedule {text!r}: write one of the files, '=', and its schedule")
        texts[Path(name)] = schedule
    return [
        read_run(
            path,
            columns=columns,
            schedule=texts.get(path),
            peak=peak if path in texts else None,
            steps=steps if path in texts else None,
            warmup=warmup,
        )
        for path in paths
    ]


def written(path: Path, write: Callable[[], object]) -> None:
    try:
        write()
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from None
    except MissingExtra as error:
        raise Refused(error) from None


def draw(curves: Sequence[tuple[str, Prediction, LoggedRun | None]], path: Path) -> None:
    from lehr.view import laws as pictures  # Loads NumPy and SciPy.

    drawn: list[Drawn] = [pictures.Drawn(name, found, run) for name, found, run in curves]
    try:
        written(path, lambda: pictures.draw_predictions(drawn, path))
    except ValueError as error:
        raise Refused(error) from None
