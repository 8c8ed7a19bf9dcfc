"""The commands that use a loss law: predict, design, bound. None of them trains anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lehr.cli import Refused
from lehr.cli.laws import (
    PEAK,
    LogOptions,
    as_json_option,
    draw,
    how_logged,
    picture_option,
    refusing_law_errors,
    say,
)
from lehr.cli.steps import Steps

if TYPE_CHECKING:
    from lehr.laws import Design, Difference, Prediction


@click.command()
@click.argument("law", type=click.Path(path_type=Path))
@click.argument("schedule", required=False)
@click.option("--steps", type=Steps(), help="The length of the run.")
@click.option("--peak", type=PEAK, help="The peak rate; the fitted one by default.")
@click.option(
    "--level", type=click.FloatRange(0, 1, True, True), default=0.9, help="Level of the interval."
)
@click.option(
    "--against", type=click.Path(path_type=Path), metavar="RUN", help="Compare with a logged run."
)
@how_logged
@picture_option
@as_json_option
def predict(
    law: Path,
    schedule: str | None,
    steps: int | None,
    peak: float | None,
    level: float,
    against: Path | None,
    log: LogOptions,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Predict the loss curve of a schedule, or compare with a run.

    SCHEDULE is the text of a schedule, as factors on the peak rate.
    """
    with refusing_law_errors():
        from lehr.laws import agreement, load  # Loads NumPy and SciPy.

        if (schedule is None) == (against is None):
            raise Refused("give a schedule, or a run with --against")
        if against is None and log.given:
            raise Refused(f"{log.given[0]} describes a logged run: give that with --against")
        fitted = load(law)
        run = None
        if against is not None:
            warmup = fitted.warmup if log.warmup is None else log.warmup
            (run,) = replace(log, warmup=warmup).read([against], peak, steps)
        if run is None and steps is None:
            raise Refused("--steps is missing: the length of the run")
        found = fitted.predict(run or schedule or "", steps=steps, peak=peak, level=level)
        if picture is not None:
            draw([(run.name if run else str(schedule), found, run)], picture)
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
            say(f"{name:<8} {value:.5g}")
    _show_final(found)


def _show_final(found: Prediction) -> None:
    low, high = found.final_interval
    say(f"final loss {found.final:.4f}, {100 * found.level:g}% interval {low:.4f} to {high:.4f}")
    for note in found.notes:
        say(f"note: {note}")


@click.command()
@click.argument("law", type=click.Path(path_type=Path))
@click.option("--steps", type=Steps(), required=True, help="The length of the run.")
@click.option("--peak", type=PEAK, help="The peak rate; the fitted one by default.")
@click.option("--warmup", type=click.IntRange(0), help="The warmup; the fitted one by default.")
@picture_option
@as_json_option
def design(
    law: Path,
    steps: int,
    peak: float | None,
    warmup: int | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Propose the best schedule for a budget."""
    with refusing_law_errors():
        from lehr.laws import load  # Loads NumPy and SciPy.

        found = load(law).design(steps=steps, peak=peak, warmup=warmup)
        if picture is not None:
            draw([(repr(found.schedule), found.prediction, None)], picture)
    if as_json:
        click.echo(json.dumps(_design_json(found), indent=2))
        return
    say(f"{found.schedule!r}")
    say(f"{found.steps:,} steps at a peak of {found.peak:g}")
    _show_final(found.prediction)
    for rival in found.rivals:
        say(f"against {rival.name}: {_gain(rival.gain)}")
    for tie in found.ties:
        say(f"as good as far as is known: {tie.schedule!r}")
    for note in found.notes:
        if note not in found.prediction.notes:
            say(f"note: {note}")


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
@click.option(
    "--norms",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="A log with the norm of the gradients; without it, all updates count alike.",
)
@click.option("--norm", metavar="NAME", help="Its column.")
@as_json_option
def bound(
    schedule: str, steps: int, against: str, norms: Path | None, norm: str | None, as_json: bool
) -> None:
    """Compare a schedule's best peak rate with another's, by the convex bound.

    The bound ranks schedules that decay, and the ratio of their best peaks; it says nothing about
    a loss, and fails for a constant rate.
    """
    with refusing_law_errors():
        from lehr.laws import bound as bound_of  # Loads NumPy and SciPy.
        from lehr.laws import read_norms  # Loads NumPy and SciPy.

        measured = None if norms is None else read_norms(norms, steps, norm)
        mine = bound_of(schedule, steps, norms=measured)
        theirs = bound_of(against, steps, norms=measured, whole=False)
    ratio = mine.relative_peak(theirs)
    if as_json:
        curve = {"steps": mine.steps.tolist(), "bound": mine.curve().tolist()}
        value = {"relative_peak": ratio, "bound": mine.best, "against": theirs.best}
        click.echo(json.dumps({**value, "curve": curve}))
        return
    say(f"best peak: {ratio:.3g} times that of {against}")
    say(f"bound there: {mine.best:.4g}, against {theirs.best:.4g} (D = G = 1)")
