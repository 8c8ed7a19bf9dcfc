"""Code that trains as a trial did, for use in another program."""

from __future__ import annotations

import json

from lehr.lab.optimizers import find_optimizer
from lehr.lab.trial import Trial

_WIDTH = 88


def recipe(trial: Trial) -> str:
    """Return Python code that builds the optimizer and the scheduler of a trial.

    It needs `model`, the network, and nothing else.
    """
    place, made = _optimizer(trial)
    schedules = [f"lr={_quoted(trial.schedule)}"]
    if trial.momentum is not None:
        schedules.append(f"momentum={_quoted(trial.momentum)}")
    return "\n".join(
        (
            *place,
            "from lehr.torch import Scheduler",
            "",
            f"optimizer = {made}",
            _call("scheduler = Scheduler", ["optimizer", *schedules, f"over={trial.steps}"]),
            f"# after each of the {trial.steps:,} updates: scheduler.step()",
        )
    )


def _optimizer(trial: Trial) -> tuple[list[str], str]:
    """Return the lines that import an optimizer, and the call that makes it."""
    entry = find_optimizer(trial.optimizer, check=False)
    if entry.kind.islower() or entry.place or not entry.text.endswith(")"):
        # It needs more than one call of a torch class, or the installed torch lacks the class.
        text = json.dumps(trial.optimizer, ensure_ascii=False)
        made = f"find_optimizer({text}).make(model, lr={trial.peak!r})"
        return ["from lehr.lab.optimizers import find_optimizer"], made
    settings = entry.text.removeprefix(f"{entry.kind}(")
    settings = settings if settings == ")" else f", {settings}"
    made = f"{entry.kind}(model.parameters(), lr={trial.peak!r}{settings}"
    return [f"from torch.optim import {entry.kind}", ""], made


def _call(start: str, arguments: list[str]) -> str:
    """Write a call on one line, or with one line per argument if that is too long."""
    line = f"{start}({', '.join(arguments)})"
    if len(line) <= _WIDTH:
        return line
    return "\n".join((f"{start}(", *(f"    {each}," for each in arguments), ")"))


def _quoted(schedule: object) -> str:
    return json.dumps(repr(schedule), ensure_ascii=False)
