"""The command that fits a loss law, or plans the runs for one. It trains nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lehr.cli import Refused, writing
from lehr.cli.laws import (
    PEAK,
    LogOptions,
    as_json_option,
    draw,
    given,
    how_logged,
    picture_option,
    refusing_law_errors,
    say,
    say_predicted,
)
from lehr.cli.steps import Steps

if TYPE_CHECKING:
    from lehr.laws import Law, PredictedRun


_UNSURE = 3
"""The exit code of ``--strict`` where there is a warning."""


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="RUN...")
@click.option("--optimizer", metavar="NAME", help="Such as adamw, or sgd.")
@click.option("--weight-decay", type=click.FloatRange(0), help="Decoupled, as AdamW's: 0.1.")
@how_logged
@click.option("--law", metavar="NAME", help="Fit this law, instead of choosing one by error.")
@click.option("--steps", type=Steps(), help="Length of the run: with --plan or --schedule.")
@click.option("--peak", type=PEAK, help="Peak rate of the run: with --plan or --schedule.")
@click.option("--plan", is_flag=True, help="Propose short runs to train first.")
@click.option(
    "--only",
    metavar="NAMES",
    default="",
    help="With a comparison: schedules to fit on, between commas; the others are predicted.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the law here.")
@click.option("--strict", is_flag=True, help="Exit with 3 where there is a warning.")
@picture_option
@as_json_option
@click.pass_context
def fit(
    ctx: click.Context,
    files: tuple[Path, ...],
    optimizer: str | None,
    weight_decay: float | None,
    log: LogOptions,
    law: str | None,
    steps: int | None,
    peak: float | None,
    plan: bool,
    only: str,
    out: Path | None,
    strict: bool,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Fit a loss law to logged runs.

    RUN is a .csv, .jsonl or .json file with steps, learning rates and losses, or a folder of
    TensorBoard events. Give at least two, better three, one of which lowers its rate. Or give one
    store of `lehr compare` (its trials.db, or the folder with it), and --optimizer.
    """
    with refusing_law_errors():
        from lehr.laws import fit as fit_law  # Loads NumPy and SciPy.
        from lehr.laws import save  # Loads NumPy and SciPy.
        from lehr.laws.files import to_dict  # Loads NumPy and SciPy.

        logged = [name for name in log.given if name != "--warmup"]
        if plan:
            more = given(only=only or None, out=out, picture=picture, strict=strict or None)
            if logged + more:
                raise Refused(f"--plan trains and fits nothing: leave out {(logged + more)[0]}")
            _plan(files, optimizer, weight_decay, law, log.warmup, steps, peak, as_json)
            return
        if not files:
            raise Refused("give the files of at least two runs, or --plan")
        others: list[PredictedRun] = []
        if len(files) == 1 and _is_store(files[0]):
            if more := logged + given(warmup=log.warmup, steps=steps, peak=peak):
                raise Refused(f"{more[0]}: the comparison has that already; leave it out")
            found, others = _fit_store(files[0], optimizer, only, law, weight_decay)
            runs = [one.run for one in others]
        elif only:
            raise Refused("--only names schedules of a comparison: give its store, or leave it out")
        else:
            runs = log.read(files, peak, steps)
            found = fit_law(runs, law=law, optimizer=optimizer, weight_decay=weight_decay)
        if out is not None:
            with writing(out):
                save(found, out)
        if picture is not None:
            draw([(run.name, found.predict(run), run) for run in runs], picture)
    if as_json:
        click.echo(json.dumps(to_dict(found), indent=2, allow_nan=False))
    else:
        _show_law(found, out)
        if others:
            say("The runs of the comparison:")
            say_predicted(others)
    if strict and (found.warnings or found.blurred):
        ctx.exit(_UNSURE)


def _is_store(path: Path) -> bool:
    # Unlike Path.is_file, it is False for a name that is too long for a file.
    return path.suffix == ".db" or os.path.isfile(path / "trials.db")


def _fit_store(
    path: Path, optimizer: str | None, only: str, law: str | None, weight_decay: float | None
) -> tuple[Law, list[PredictedRun]]:
    """Fit a law to runs of a comparison, and predict all of them."""
    from lehr.cli.results import chosen, opened  # Loads rich.
    from lehr.laws import fit_compared, predict_compared  # Loads NumPy and SciPy.

    with opened(path) as store:
        results, _ = chosen(store, None)
    if results is None:
        raise Refused(f"{path}: has no comparison")
    if optimizer is None:
        raise Refused(f"--optimizer is missing: one of {', '.join(results.optimizers)}")
    names = [name.strip() for name in only.split(",") if name.strip()]
    found = fit_compared(results, optimizer, only=names, law=law, weight_decay=weight_decay)
    return found, predict_compared(results, found)


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
    say(f"Train these {len(found)}, {total:,} steps in all, and log their losses:")
    for proposal in found:
        say(f"  {proposal.schedule}    {proposal.steps:,} steps, peak {proposal.peak:g}")


def _show_law(law: Law, out: Path | None) -> None:
    from lehr.laws.files import to_dict  # Loads NumPy and SciPy.

    say(f"{law.form.title} law ({law.form.paper}), {law.kind or 'loss'}")
    numbers = to_dict(law)["parameters"]
    say("  " + "  ".join(f"{name} {value:.4g}" for name, value in numbers.items()))
    for run in law.fitted:
        say(
            f"  {run.name}: {run.steps:,} steps, peak {run.peak:g}, {run.points} losses, "
            f"mean error {run.error:.4f}"
        )
        for note in run.notes:
            say(f"    {note}")
    if law.choice:
        listed = ", ".join(f"{name} {error:.4f}" for name, error in law.choice)
        say(f"Chosen by the error on runs left out in turn (nats): {listed}")
    for warning in law.warnings:
        say(f"warning: {warning}")
    if law.blurred:
        say("These runs do not tell apart:")
        for words in law.blurred:
            say(f"  {words}")
        say(f"The run to add: {law.advice}")
    if out is not None:
        say(f"Wrote {out}")
