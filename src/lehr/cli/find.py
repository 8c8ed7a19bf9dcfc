"""`lehr find`: find the peak rate for a schedule."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lehr.cli import Refused, echo
from lehr.cli.names import complete_optimizers, complete_schedules, complete_tasks
from lehr.cli.own import own_options, subject_of
from lehr.cli.steps import Steps
from lehr.cli.training import NamesOption, check_installed, placed, processors, training, usual
from lehr.errors import ScheduleError
from lehr.lab.own.naming import is_own, own_words

if TYPE_CHECKING:
    from lehr.find.suggestion import Suggestion
    from lehr.find.value_sweep import ValueSweep
    from lehr.lab import RunPlace


_OUT = Path("lehr-find")
_USUAL = 400


@click.command()
@click.argument("task", required=False, shell_complete=complete_tasks)
@own_options
@click.option(
    "--optimizer",
    cls=NamesOption,
    default="adamw",
    show_default=True,
    shell_complete=complete_optimizers,
    help="Such as {optimizers}; or any other class, as `lehr compare` takes it.",
)
@click.option(
    "--schedule",
    default="cosine()",
    show_default=True,
    shell_complete=complete_schedules,
    help="A name from `lehr list`, or a text like 'warmup(\"5%\") >> cosine()'.",
)
@click.option("--steps", type=Steps(), default=1000, show_default=True, help="Updates in the run.")
@click.option(
    "--budget",
    default=str(_USUAL),
    show_default=True,
    metavar="UPDATES",
    help="Updates that the search may make: a number of at least 60, or a share of the run, 10%. "
    "What the short runs leave is spent on longer ones.",
)
@click.option(
    "--verify",
    is_flag=True,
    help="Train whole runs at the peak and at 1.8 times less and more, and take the best.",
)
@click.option(
    "--sweep",
    metavar="NAME=VALUES",
    help="Find the peak for each value of another number: momentum=0.8,0.9 or weight_decay=0,0.1 "
    "of the optimizer, cosine.to=0,0.1 of the schedule, or the batch size, batch=16,64.",
)
@placed(_OUT, "the store of trials, unless --store names another file")
@click.option("--json", "as_json", is_flag=True, help="Write the suggestion as JSON.")
def find(
    task: str | None,
    train: str | None,
    own_command: str | None,
    shell: bool,
    metric: str | None,
    optimizer: str,
    schedule: str,
    steps: int,
    budget: str,
    verify: bool,
    sweep: str | None,
    place: RunPlace,
    as_json: bool,
) -> None:
    """Find the peak rate for a schedule.

    Short runs of the schedule show at which rate they lose their progress; the peak is a known
    distance below. TASK is a task of `lehr compare`: digits, text:FILE, FILE.py:FUNCTION. With
    --train or --command, each short run is a trial of your own training.
    """
    check_installed("lehr find")
    allowed = _updates(budget, steps)
    subject = subject_of(train, own_command, shell, metric, task="TASK").get("subject")
    if (task is None) == (subject is None):
        raise Refused("TASK, --train and --command say what to train: give one, such as digits")
    name = task or subject or ""
    words = ["lehr", "find", *(own_words(name) or [name]), "--optimizer", optimizer]
    words += ["--schedule", schedule, "--steps", str(steps)]
    words += ["--budget", budget] if allowed != _USUAL else []
    words += ["--verify"] if verify else []
    words += ["--sweep", sweep] if sweep else []
    if sweep and verify:
        raise Refused("--verify is for one setting, and --sweep has several: leave out one of them")
    with training(place, _OUT) as run:
        from lehr.lab.search.ladder import find_peak  # Loads NumPy and more.
        from lehr.lab.search.values import find_peaks  # Loads NumPy and more.

        run.begin(shlex.join(words))
        # Short runs depend on each other, so only whole runs and those of several values go side by
        # side; users' own trainings share the machine only on request.
        several = (verify or sweep is not None) and not is_own(name)
        there = usual(place, jobs=processors() if several else 1, task=name)
        searched = name, optimizer, schedule, steps
        limits: dict[str, Any] = {"budget": allowed, "watch": run.watch, "notify": run.notify}
        found: Suggestion | ValueSweep
        if sweep is None:
            found = find_peak(*searched, there, verify=verify, **limits)
            lost = found.peak is None
        else:
            found = find_peaks(*searched, sweep, there, **limits)
            lost = not found.leading
    if as_json:
        click.echo(json.dumps(found.to_dict(), allow_nan=False))
    else:
        echo(str(found))
    if lost:
        raise click.ClickException("no peak rate can be suggested")


def _updates(budget: str, steps: int) -> int:
    """Read a budget: a number of updates, or a share of the run."""
    from lehr.find.runs import updates_of  # Loads NumPy.

    try:
        return updates_of(budget, steps)
    except ScheduleError as error:
        # As it is typed there: without the quotes of Python.
        raise Refused(str(error).replace("'", "")) from None
