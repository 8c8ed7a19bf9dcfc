"""The options that name a user's own training, in place of a task."""

from __future__ import annotations

import click

from lehr.cli import Refused, options
from lehr.lab.own.naming import is_own

own_options = options(
    click.option(
        "--train",
        metavar="FILE.py:FUNCTION",
        help="In place of a task: your own training, a function of a Python file that gets the "
        "trial and returns its losses or scores.",
    ),
    click.option(
        "--command",
        "own_command",
        metavar="TEXT",
        help="In place of a task: your own training, a command such as 'python train.py --lr "
        "{peak} --schedule {schedule} --seed {seed} --steps {steps} --out {out}'.",
    ),
    click.option("--shell", is_flag=True, help="Let a shell run the command."),
    click.option(
        "--metric",
        metavar="NAME",
        help="The number of your own training that counts: score, loss (in nats), or with "
        "another unit, loss:bits.  [default: the score of the first trial, if it has one, else "
        "its loss]",
    ),
)


def subject_of(
    train: str | None,
    command: str | None,
    shell: bool | None,
    metric: str | None,
    *,
    task: str = "--task",
) -> dict[str, str]:
    """Return the name of a user's own training under "subject", if there is one.

    The arguments are the values of `own_options`; `task` is how this command gets a task.
    """
    if train is not None and command is not None:
        raise Refused(f"{task}, --train and --command say what to train: give one")
    if shell and command is None:
        raise Refused("--shell is for --command: give that too")
    if train is None and command is None:
        if metric is not None:
            raise Refused("--metric is for --train and --command: a task has its own metric")
        return {}
    kind, text = ("train", train) if train else ("shell" if shell else "command", command)
    subject = f"{kind}[{metric}]:{text}" if metric else f"{kind}:{text}"
    if not is_own(subject):
        raise Refused(f"--metric {metric}: write score, loss, or with a unit, loss:bits")
    return {"subject": subject}
