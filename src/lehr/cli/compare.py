"""`lehr compare`: compare optimizers and schedules by training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lehr.cli import Refused, echo
from lehr.cli.names import complete_optimizers, complete_schedules, complete_tasks
from lehr.cli.own import own_options, subject_of
from lehr.cli.ranking import show
from lehr.cli.steps import Steps
from lehr.cli.training import (
    NamesOption,
    TrainingCommand,
    between_commas,
    check_installed,
    placed,
    processors,
    training,
    usual,
)
from lehr.lab.own.naming import is_own
from lehr.lab.plan import FULL, QUICK, Plan
from lehr.view.numbers import count

if TYPE_CHECKING:
    from lehr.lab import Results, RunPlace


_FITTED = ("seeds", "tuning_seeds", "further")  # what a budget sets

_OUT = Path("lehr-compare")


@click.command()
@click.option(
    "--task",
    cls=NamesOption,
    shell_complete=complete_tasks,
    help="The task to train: {tasks} for a task of your own.  [default: digits]",
)
@own_options
@click.option(
    "--optimizers",
    cls=NamesOption,
    callback=between_commas(str),
    shell_complete=complete_optimizers,
    help="Names between commas.  [default: {optimizers}]",
)
@click.option(
    "--schedules",
    cls=NamesOption,
    callback=between_commas(str),
    shell_complete=complete_schedules,
    help="Names from `lehr list`, or texts like 'cosine(to=0.1)', between commas.  "
    "[default: {schedules}]",
)
@click.option("--steps", type=Steps(), help="Updates in a training run: 300, or 10kst.")
@click.option("--seeds", type=int, help="Runs that score a pair at its best peak rate.")
@click.option("--tuning-seeds", type=int, help="Runs at each peak rate that choose the best.")
@click.option(
    "--peaks",
    callback=between_commas(float),
    help="Peak rates between commas, ascending.  [default: a grid that fits each optimizer]",
)
@click.option(
    "--further",
    type=click.IntRange(min=0),
    help="Further peak rates for each pair, around its best one or beyond the edge of the grid.  "
    "[default: 2, or none with --peaks]",
)
@click.option(
    "--tune",
    multiple=True,
    default=None,
    help="Another number to tune, with its values, at the same budget for every pair: "
    "weight_decay=0,0.1 or cosine.to=0,0.1. Can be repeated.",
)
@click.option(
    "--first",
    multiple=True,
    default=None,
    metavar="OPTIMIZER/SCHEDULE=PEAK",
    help="A setting known to be good: its pair is trained first, and this peak before others. Can "
    "be repeated.",
)
@click.option(
    "--find",
    is_flag=True,
    default=None,
    help="Find the peak of each pair by short runs first, as `lehr find` does, and tune around it, "
    "in place of a grid.",
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
    callback=between_commas(int),
    help="Other lengths of the run, in updates, at which to score each pair.",
)
@click.option(
    "--target",
    type=float,
    help="Validation score, or loss; count the updates until it is reached.",
)
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    help="At most this many trials; seeds, tuning seeds and further peaks are chosen to fit.",
)
@click.option(
    "--hours",
    type=float,
    help="At most this long: a trial of each optimizer is trained first, to see how long it takes.",
)
@click.option("--quick", is_flag=True, help="Train less: a first look.")
@placed(_OUT, "the results, the report and, by default, the store of trials")
@click.option("--json", "as_json", is_flag=True, help="Write the results as JSON, for programs.")
def compare(
    quick: bool,
    place: RunPlace,
    as_json: bool,
    budget: int | None,
    hours: float | None,
    **chosen: Any,
) -> None:
    """Compare optimizers and schedules by training.

    Every optimizer is paired with every schedule. Each pair gets its best peak rate from the same
    grid and is scored on test data over several seeds. Finished trials are kept: the same command
    continues a comparison that was stopped, and `lehr results` shows what is finished so far.
    """
    check_installed("lehr compare")
    given = {name: value for name, value in chosen.items() if value is not None}
    limits = [f"--{n}" for n, v in (("budget", budget), ("hours", hours)) if v is not None]
    if {"find", "peaks"} <= given.keys():
        raise Refused("--find and --peaks both say where tuning begins: leave out one of them")
    fixed = [f"--{n.replace('_', '-')}" for n in _FITTED if n in given]
    if len(limits + fixed) > 1 and limits:
        raise Refused(
            f"{limits[0]} sets what {(limits + fixed)[1]} sets too: leave out one of them"
        )
    subject = [given.pop(name, None) for name in ("train", "own_command", "shell", "metric")]
    given |= subject_of(*subject)
    if len({"task", "subject"} & given.keys()) == 2:
        raise Refused("--task, --train and --command say what to train: give one")
    given["task"] = given.pop("subject", given.get("task", "digits"))
    with training(place, _OUT) as run:
        found = _compared(_fitted(_plan(quick, given), budget, hours, place, run), place, run)
    if as_json:
        click.echo(json.dumps(found.to_json(), allow_nan=False))
    else:
        show(found)
        echo(f"\nReport: {place.out / 'report.html'}")
    if found.failed:
        raise click.ClickException(
            f"{count(len(found.failed), 'trial')} failed; {place.file} has the tracebacks "
            "(`lehr results --json`). They are not trained again without --retry-failed"
        )


def _plan(quick: bool, chosen: Mapping[str, Any]) -> Plan:
    names = ("task", "optimizers", "schedules", "target", "tune", "first")
    size = {name: value for name, value in chosen.items() if name not in names}
    return Plan(
        **{name: chosen[name] for name in names if name in chosen},
        size=replace(QUICK if quick else FULL, **size),
    )


def _fitted(
    plan: Plan, budget: int | None, hours: float | None, place: RunPlace, run: TrainingCommand
) -> Plan:
    """Return the plan with as many seeds and peaks as fit a budget, if there is one."""
    from lehr.lab.outlook import sized, within  # Loads NumPy and more.

    if budget is not None:
        return within(plan, budget)
    if hours is None:
        return plan
    return sized(plan, hours, _usual(place, plan), watch=run.watch, notify=run.notify)


def _compared(plan: Plan, place: RunPlace, run: TrainingCommand) -> Results:
    from lehr.lab.comparison import compare  # Loads NumPy and more.
    from lehr.view.report import write_report  # Loads NumPy and more.

    run.begin(plan.command())
    there = _usual(place, plan)
    return compare(plan, there, report=write_report, watch=run.watch, notify=run.notify)


def _usual(place: RunPlace, plan: Plan) -> RunPlace:
    # Trials of a user's own training share the machine only on request.
    jobs = 1 if is_own(plan.task) else processors()
    return usual(place, jobs=jobs, task=plan.task)
