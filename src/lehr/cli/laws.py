"""Parts that the commands of loss laws share: options, logs, pictures, refusals."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lehr.cli import Refused, options, refusing, writing
from lehr.errors import ScheduleError
from lehr.view.printable import printable

if TYPE_CHECKING:
    from lehr.laws import LoggedRun, PredictedRun, Prediction


PEAK = click.FloatRange(0, min_open=True)

_how_logged = options(
    click.option("--step", metavar="NAME", help="The column of the step."),
    click.option("--lr", metavar="NAME", help="The column of the learning rate."),
    click.option("--loss", metavar="NAME", help="The column of the loss."),
    click.option("--effective-lr", metavar="NAME", help="The column of the measured rate / norm."),
    click.option("--weight-norm", metavar="NAME", help="The column of the weights' norm."),
    click.option("--warmup", type=click.IntRange(0), help="Length of the warmup, in updates."),
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


@dataclass(frozen=True)
class LogOptions:
    """How the runs given to a command are logged: the values of the options of `how_logged`."""

    step: str | None
    lr: str | None
    loss: str | None
    effective_lr: str | None
    weight_norm: str | None
    warmup: int | None
    schedules: tuple[str, ...]

    @property
    def given(self) -> list[str]:
        """The names of the options that have been given."""
        values = vars(self) | {"schedule": self.schedules or None}
        del values["schedules"]
        return given(**values)

    def read(self, paths: Sequence[Path], peak: float | None, steps: int | None) -> list[LoggedRun]:
        """Read runs; `peak` and `steps` belong to those whose schedule is an option."""
        from lehr.laws import Columns, read_run  # Loads NumPy and SciPy.

        texts: dict[Path, str] = {}
        for text in self.schedules:
            name, equals, schedule = text.partition("=")
            if not equals or Path(name) not in paths:
                raise Refused(f"--schedule {text!r}: write one of the files, '=', and its schedule")
            texts[Path(name)] = schedule
        return [
            read_run(
                path,
                columns=Columns(self.step, self.lr, self.loss, self.effective_lr, self.weight_norm),
                schedule=texts.get(path),
                peak=peak if path in texts else None,
                steps=steps if path in texts else None,
                warmup=self.warmup,
            )
            for path in paths
        ]


def how_logged(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a `LogOptions` to a command, which gets it as its argument `log`."""

    @wraps(command)
    def gathered(**given: Any) -> None:
        command(
            log=LogOptions(**{each.name: given.pop(each.name) for each in fields(LogOptions)}),
            **given,
        )

    return _how_logged(gathered)


def given(**options: object) -> list[str]:
    """Return the names of the options that have been given."""
    return [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]


def say(text: str) -> None:
    """Print a line, without the control characters that a file may have."""
    click.echo(printable(text))


@contextmanager
def refusing_law_errors() -> Generator[None]:
    """Turn an error in the input of a law into a `Refused`."""
    from lehr.laws import LawError  # Loads NumPy and SciPy, which help should not wait for.

    with refusing(LawError, ScheduleError):
        yield


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


def draw(curves: Sequence[tuple[str, Prediction, LoggedRun | None]], path: Path) -> None:
    """Draw predicted curves, each with its name and the run that measured it, into a file."""
    from lehr.view.laws import Drawn, draw_predictions  # Loads NumPy and SciPy.

    with writing(path), refusing(ValueError):
        draw_predictions([Drawn(*curve) for curve in curves], path)
