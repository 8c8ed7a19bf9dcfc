"""The commands that predict losses: fit, predict, design, bound. None of them trains anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lehr.cli import Refused
from lehr.cli.steps import Steps
from lehr.errors import ScheduleError
from lehr.extras import MissingExtra
from lehr.view.printable import printable

if TYPE_CHECKING:
    from lehr.laws import Columns, Design, Difference, Law, LoggedRun, Prediction
    from lehr.view.laws import Drawn

__all__ = ["bound", "design", "fit", "predict"]

_UNSURE = 3
"""The exit code of ``--strict`` where there is a warning."""

_Command = Callable[..., None]
_PEAK = click.FloatRange(0, min_open=True)


def _options(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    def add(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


_how_logged = _options(
    click.option("--step", metavar="NAME", help="The column of the step."),
    click.option("--lr", metavar="NAME", help="The column of the learning rate."),
    click.option("--loss", metavar="NAME", help="The column of the loss."),
    click.option("--warmup", type=click.IntRange(0), help="Updates in which the rate rose."),
    click.option(
        "--schedule",
        "schedules",
        multiple=True,
        metavar="FILE=TEXT",
        help="A run's schedule, in place of its column of rates; needs --peak.",
    ),
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
_picture = click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a picture, .png or .svg.",
)


def _say(text: str) -> None:
    """Print a line, without the control characters that a file may have."""
    click.echo(printable(text))


@contextmanager
def _refusing() -> Generator[None]:
    """Turn what is wrong with the input into a line on the error output."""
    try:
        # Loads NumPy and SciPy, which help should not wait for.
        from lehr.laws import LawError
    except MissingExtra as error:
        raise Refused(str(error)) from None

    try:
        yield
    except (LawError, ScheduleError) as error:
        raise Refused(printable(str(error))) from None


def _read(
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


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="RUN...")
@click.option("--optimizer", metavar="NAME", help="Such as adamw, or sgd.")
@click.option("--weight-decay", type=click.FloatRange(0), help="As AdamW has it, such as 0.1.")
@_how_logged
@click.option("--law", metavar="NAME", help="A law's name, in place of a choice by error.")
@click.option("--steps", type=Steps(), help="The length of the run to plan for, or scheduled.")
@click.option("--peak", type=_PEAK, help="The peak rate to plan for, or scheduled.")
@click.option("--plan", is_flag=True, help="Propose short runs to train first.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the law here.")
@click.option("--strict", is_flag=True, help="Exit with 3 where there is a warning.")
@_picture
@_as_json
@click.pass_context
def fit(
    ctx: click.Context,
    files: tuple[Path, ...],
    optimizer: str | None,
    weight_decay: float | None,
    step: str | None,
    lr: str | None,
    loss: str | None,
    warmup: int | None,
    schedules: tuple[str, ...],
    law: str | None,
    steps: int | None,
    peak: float | None,
    plan: bool,
    out: Path | None,
    strict: bool,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Fit a loss law to logged runs.

    RUN is a .csv, .jsonl or .json file with steps, learning rates and losses, or a folder of
    TensorBoard events. Give at least two, better three, one of which lowers its rate.
    """
    with _refusing():
        from lehr.laws import Columns, save  # Loads NumPy and SciPy.
        from lehr.laws import fit as fit_law  # Loads NumPy and SciPy.
        from lehr.laws.files import to_dict  # Loads NumPy and SciPy.

        if plan:
            _plan(files, optimizer, weight_decay, law, warmup, steps, peak, as_json)
            return
        if not files:
            raise Refused("give the files of at least two runs, or --plan")
        runs = _read(files, Columns(step, lr, loss), warmup, schedules, peak, steps)
        found = fit_law(runs, law=law, optimizer=optimizer, weight_decay=weight_decay)
        if out is not None:
            _written(out, lambda: save(found, out))
        if picture is not None:
            _draw([(run.name, found.predict(run), run) for run in runs], picture)
    if as_json:
        click.echo(json.dumps(to_dict(found), indent=2, allow_nan=False))
    else:
        _show_law(found, out)
    if strict and (found.warnings or found.blurred):
        ctx.exit(_UNSURE)


def _plan(
    files: Sequence[Path],
    optimizer: str | None,
    weight_decay: float | None,
    law: str | None,
    warmup: int | None,
    steps: int | None,
    peak: float | None,
    as_json: bool,
) -> None:
    from lehr.laws import plan_runs  # Loads NumPy and SciPy.
    from lehr.laws.fit import weight_decay_of  # Loads NumPy and SciPy.

    if files or steps is None or peak is None:
        raise Refused("--plan needs --steps and --peak of the run to predict, and no files")
    decay = weight_decay_of(optimizer, weight_decay, law)
    found = plan_runs(steps, peak, weight_decay=decay, warmup=warmup or 0, law=law)
    if as_json:
        rows = [{"schedule": p.schedule, "steps": p.steps, "peak": p.peak} for p in found]
        click.echo(json.dumps({"runs": rows}, indent=2))
        return
    total = sum(proposal.steps for proposal in found)
    _say(f"Train these {len(found)}, {total:,} steps in all, and log their losses:")
    for proposal in found:
        _say(f"  {proposal.schedule}    {proposal.steps:,} steps, peak {proposal.peak:g}")


def _show_law(law: Law, out: Path | None) -> None:
    from lehr.laws.files import to_dict  # Loads NumPy and SciPy.

    _say(f"{law.form.title} law ({law.form.paper}), {law.kind or 'loss'}")
    numbers = to_dict(law)["parameters"]
    _say("  " + "  ".join(f"{name} {value:.4g}" for name, value in numbers.items()))
    for run in law.fitted:
        _say(
            f"  {run.name}: {run.steps:,} steps, peak {run.peak:g}, {run.points} losses, "
            f"mean error {run.error:.4f}"
        )
        for note in run.notes:
            _say(f"    {note}")
    if law.choice:
        listed = ", ".join(f"{name} {error:.4f}" for name, error in law.choice)
        _say(f"Chosen by the error on runs left out in turn (nats): {listed}")
    for warning in law.warnings:
        _say(f"warning: {warning}")
    if law.blurred:
        _say("These runs do not tell apart:")
        for words in law.blurred:
            _say(f"  {words}")
        _say(f"The run to add: {law.advice}")
    if out is not None:
        _say(f"Wrote {out}")


@click.command()
@click.argument("law", type=click.Path(path_type=Path))
@click.argument("schedule", required=False)
@click.option("--steps", type=Steps(), help="The length of the run.")
@click.option("--peak", type=_PEAK, help="The peak rate; the fitted one by default.")
@click.option(
    "--level", type=click.FloatRange(0, 1, True, True), default=0.9, help="Of the interval."
)
@click.option(
    "--against", type=click.Path(path_type=Path), metavar="RUN", help="Compare with a logged run."
)
@_how_logged
@_picture
@_as_json
def predict(
    law: Path,
    schedule: str | None,
    steps: int | None,
    peak: float | None,
    level: float,
    against: Path | None,
    step: str | None,
    lr: str | None,
    loss: str | None,
    warmup: int | None,
    schedules: tuple[str, ...],
    picture: Path | None,
    as_json: bool,
) -> None:
    """Predict the loss curve of a schedule, or compare with a run.

    SCHEDULE is the text of a schedule, as factors on the peak rate.
    """
    with _refusing():
        from lehr.laws import Columns, agreement, load  # Loads NumPy and SciPy.

        if (schedule is None) == (against is None):
            raise Refused("give a schedule, or a run by --against")
        fitted = load(law)
        run = None
        if against is not None:
            columns = Columns(step, lr, loss)
            warmup = fitted.warmup if warmup is None else warmup
            (run,) = _read([against], columns, warmup, schedules, peak, steps)
        if run is None and steps is None:
            raise Refused("--steps is missing: the length of the run")
        found = fitted.predict(run or schedule or "", steps=steps, peak=peak, level=level)
        if picture is not None:
            _draw([(run.name if run else str(schedule), found, run)], picture)
        agrees = agreement(found, run) if run else None
    if as_json:
        rows = {name: getattr(found, name).tolist() for name in ("steps", "loss", "low", "high")}
        low, high = found.final_interval
        final = {"loss": found.final, "low": low, "high": high, "level": level}
        value = {**(agrees.as_dict() if agrees else {}), "final": final, "curve": rows}
        click.echo(json.dumps({**value, "notes": list(found.notes)}, indent=2))
        return
    if agrees:
        for name, value in agrees.as_dict().items():
            _say(f"{name:<8} {value:.5g}")
    _show_final(found)


def _show_final(found: Prediction) -> None:
    low, high = found.final_interval
    _say(f"final loss {found.final:.4f}, {100 * found.level:g}% interval {low:.4f} to {high:.4f}")
    for note in found.notes:
        _say(f"note: {note}")


@click.command()
@click.argument("law", type=click.Path(path_type=Path))
@click.option("--steps", type=Steps(), required=True, help="The length of the run.")
@click.option("--peak", type=_PEAK, help="The peak rate; the fitted one by default.")
@click.option("--warmup", type=click.IntRange(0), help="Its warmup; the fitted one by default.")
@_picture
@_as_json
def design(
    law: Path,
    steps: int,
    peak: float | None,
    warmup: int | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Propose the best schedule for a budget."""
    with _refusing():
        from lehr.laws import load  # Loads NumPy and SciPy.

        found = load(law).design(steps=steps, peak=peak, warmup=warmup)
        if picture is not None:
            _draw([(repr(found.schedule), found.prediction, None)], picture)
    if as_json:
        click.echo(json.dumps(_design_json(found), indent=2))
        return
    _say(f"{found.schedule!r}")
    _say(f"{found.steps:,} steps at a peak of {found.peak:g}")
    _show_final(found.prediction)
    for rival in found.rivals:
        _say(f"against {rival.name}: {_gain(rival.gain)}")
    for tie in found.ties:
        _say(f"as good as far as is known: {tie.schedule!r}")
    for note in found.notes:
        if note not in found.prediction.notes:
            _say(f"note: {note}")


def _gain(gain: Difference) -> str:
    numbers = f"{gain.value:.4f} ({gain.low:.4f} to {gain.high:.4f})"
    return f"a tie, {numbers}" if gain.tie else f"{numbers} lower"


def _design_json(found: Design) -> dict[str, Any]:
    def rows(candidates: Sequence[Any]) -> list[dict[str, Any]]:
        return [
            {
                "name": one.name,
                "schedule": repr(one.schedule),
                "final": one.final,
                "gain": one.gain.value,
                "low": one.gain.low,
                "high": one.gain.high,
                "tie": one.gain.tie,
            }
            for one in candidates
        ]

    low, high = found.prediction.final_interval
    return {
        "schedule": repr(found.schedule),
        "steps": found.steps,
        "peak": found.peak,
        "final": {"loss": found.prediction.final, "low": low, "high": high},
        "against": rows(found.rivals),
        "ties": rows(found.ties),
        "notes": list(found.notes),
    }


@click.command()
@click.argument("schedule")
@click.option("--steps", type=Steps(), default=1000, show_default=True, help="The run's length.")
@click.option("--against", metavar="SCHEDULE", default="linear()", show_default=True)
@_as_json
def bound(schedule: str, steps: int, against: str, as_json: bool) -> None:
    """Compare a schedule's best peak rate with another's, by the convex bound.

    The bound ranks schedules that decay, and the ratio of their best peaks; it says nothing about
    a loss, and fails for a constant rate.
    """
    with _refusing():
        from lehr.laws import bound as bound_of  # Loads NumPy and SciPy.

        mine, theirs = bound_of(schedule, steps), bound_of(against, steps, whole=False)
    ratio = mine.relative_peak(theirs)
    if as_json:
        curve = {"steps": mine.steps.tolist(), "bound": mine.curve().tolist()}
        value = {"relative_peak": ratio, "bound": mine.best, "against": theirs.best}
        click.echo(json.dumps({**value, "curve": curve}))
        return
    _say(f"best peak: {ratio:.3g} times that of {against}")
    _say(f"bound there: {mine.best:.4g}, against {theirs.best:.4g} (D = G = 1)")


def _written(path: Path, write: Callable[[], object]) -> None:
    try:
        write()
    except OSError as error:
        raise Refused(printable(f"{path} cannot be written: {error.strerror}")) from None
    except MissingExtra as error:
        raise Refused(str(error)) from None


def _draw(curves: Sequence[tuple[str, Prediction, LoggedRun | None]], path: Path) -> None:
    from lehr.view import laws as pictures  # Loads NumPy and SciPy.

    drawn: list[Drawn] = [pictures.Drawn(name, found, run) for name, found, run in curves]
    try:
        _written(path, lambda: pictures.draw_predictions(drawn, path))
    except ValueError as error:
        raise Refused(str(error)) from None
