"""A training run: its definition and its outcome."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from lehr.lab.optimizers import identity, label
from lehr.schedule.base import Schedule

# Part of every trial's identity. Raise it whenever the same trial would have another outcome: a
# changed network, split, optimizer setting or evaluation. Old outcomes are then not reused.
FORMAT = 2

_EVALUATIONS = 20

# Bytes of an identity's hash: two of a billion trials collide with a probability of about 1e-21.
_DIGEST = 16


def digest(identity: Mapping[str, Any]) -> bytes:
    """Return the hash of a trial's identity; it is the same in every process and machine."""
    text = json.dumps(identity, sort_keys=True)
    return hashlib.sha256(text.encode()).digest()[:_DIGEST]


@dataclass(frozen=True)
class Trial:
    """A training run yet to be made. Equal trials have equal outcomes.

    Attributes:
        task: The task's name as `find_task` reads it, pinned if the task is in a file.
        optimizer: The canonical text of the optimizer; the folder of its file does not matter.
        schedule: The factor on the peak rate over the run.
        momentum: The momentum (or beta1) over the run, if a schedule changes it.
        steps: The number of updates, at least 1.
        peak: The rate where the schedule is 1, above 0.
        seed: The seed of the starting weights and of the order of the batches, from 0.
        task_identity: The identity of a task in a file, wherever the file is; empty for a built-in
            task, which is defined by its name.
    """

    task: str
    optimizer: str
    schedule: Schedule
    momentum: Schedule | None
    steps: int
    peak: float
    seed: int
    task_identity: str = ""

    def identity(self) -> dict[str, Any]:
        """Return everything that defines the run, in JSON's types."""
        return {
            "format": FORMAT,
            "task": self.task_identity or self.task,
            "optimizer": identity(self.optimizer),
            "schedule": repr(self.schedule),
            "momentum": None if self.momentum is None else repr(self.momentum),
            "steps": self.steps,
            "peak": float(self.peak),  # 1 and 1.0 are the same peak
            "seed": self.seed,
        }

    @cached_property
    def digest(self) -> bytes:
        """The hash of the identity, used as the trial's key in a store."""
        return digest(self.identity())

    @property
    def kind(self) -> Hashable:
        """The part that trials must have in common to be trained in one batch."""
        return self.task, self.optimizer, self.steps

    def __str__(self) -> str:
        return (
            f"{label(self.optimizer)} with {self.schedule!r} at a peak rate of {self.peak:g} "
            f"with seed {self.seed}"
        )


IMPORTED = "imported"
"""The additional number that marks a run trained without lehr."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a trial, with the values of its task's metric.

    In a run that diverged, lost values are the metric's guess, or None.

    Attributes:
        diverged: The update (from 1) whose loss was not finite, or after which the metric was not;
            None if the run did not diverge.
        loss: The mean training loss since the previous evaluation, one per evaluation; None once
            diverged.
        validations: The metric on the validation data at each evaluation; None where a user's own
            training did not report it.
        validation: The metric on the validation data after the last update.
        test: The metric on the test data after the last update.
        test_loss: The loss on the test data after the last update; None if diverged or unknown.
        numbers: Additional numbers, by name.
    """

    diverged: int | None
    loss: tuple[float | None, ...]
    validations: tuple[float | None, ...]
    validation: float | None
    test: float | None
    test_loss: float | None
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])


class FinishedTrial(NamedTuple):
    """The outcome of a trial and its cost, in seconds of one core."""

    outcome: Outcome
    seconds: float


class FailedTrial(NamedTuple):
    """A trial that has no outcome, because the code of its task failed.

    Attributes:
        reason: One line: the class and the message of the error.
        trace: The traceback, of several lines.
    """

    reason: str
    trace: str


Ended = FinishedTrial | FailedTrial
"""The two ways in which a trial ends."""


def evaluation_steps(steps: int) -> list[int]:
    """Return the updates after which a run is evaluated: 20, evenly spaced, the last at its end."""
    count = min(_EVALUATIONS, steps)
    return [round(steps * i / count) for i in range(1, count + 1)]
