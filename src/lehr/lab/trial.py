"""One training run: what defines it, and what came of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

from lehr.lab.tasks.base import identity as task_identity
from lehr.schedule.base import Schedule

# Part of every trial's identity. Raise it whenever the same trial would come out differently: a
# changed network, split, optimizer setting or evaluation; then no old outcome is taken for a new.
FORMAT = 1

_LOOKS = 20

# Bytes of a hash that stands for an identity: two of a billion trials would share one with a chance
# of about 1e-21.
_DIGEST = 16


def digest(identity: Mapping[str, Any]) -> bytes:
    """The hash of a trial's identity, the same in every process and on every machine."""
    text = json.dumps(identity, sort_keys=True)
    return hashlib.sha256(text.encode()).digest()[:_DIGEST]


@dataclass(frozen=True)
class Trial:
    """A training run before it happens. Equal trials have equal outcomes.

    Attributes:
        task: name of the task, as `find_task` reads it; one with a file is pinned to its content.
        optimizer: name of the optimizer.
        schedule: factor of the peak rate over the run.
        momentum: the momentum (or beta1) over the run, where a schedule moves it.
        steps: updates, at least 1.
        peak: the rate where the schedule is 1, above 0.
        seed: of the starting weights and of the order of the batches, from 0.
    """

    task: str
    optimizer: str
    schedule: Schedule
    momentum: Schedule | None
    steps: int
    peak: float
    seed: int

    def identity(self) -> dict[str, Any]:
        """Everything that defines the run, in JSON's types."""
        return {
            "format": FORMAT,
            "task": task_identity(self.task),
            "optimizer": self.optimizer,
            "schedule": repr(self.schedule),
            "momentum": None if self.momentum is None else repr(self.momentum),
            "steps": self.steps,
            "peak": float(self.peak),  # 1 and 1.0 are one peak
            "seed": self.seed,
        }

    @cached_property
    def key(self) -> str:
        """The identity as one line of text."""
        return json.dumps(self.identity(), sort_keys=True)

    @cached_property
    def digest(self) -> bytes:
        """The identity's hash, under which a store keeps the trial."""
        return digest(self.identity())


@dataclass(frozen=True)
class Outcome:
    """What came of a trial. A run that diverged scores what guessing would.

    Attributes:
        diverged: the update (from 1) whose loss was not finite, or None.
        loss: mean training loss between two looks, one per look; None once diverged.
        accuracy: score on the validation data at each look.
        validation: score on the validation data after the last update.
        test: score on the test data after the last update.
        test_loss: loss on the test data after the last update; None if diverged.
    """

    diverged: int | None
    loss: tuple[float | None, ...]
    accuracy: tuple[float, ...]
    validation: float
    test: float
    test_loss: float | None

    def record(self) -> dict[str, Any]:
        """The outcome in JSON's types."""
        return asdict(self)

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Self:
        """The outcome that `record()` gave.

        Raises:
            KeyError: If a part is missing.
        """
        return cls(
            diverged=record["diverged"],
            loss=tuple(record["loss"]),
            accuracy=tuple(record["accuracy"]),
            validation=record["validation"],
            test=record["test"],
            test_loss=record["test_loss"],
        )


class Kept(NamedTuple):
    """An outcome and what it cost, in seconds of one core."""

    outcome: Outcome
    seconds: float


def looks(steps: int) -> list[int]:
    """After how many updates a run is looked at: 20 times, evenly, the last at its end."""
    count = min(_LOOKS, steps)
    return [round(steps * i / count) for i in range(1, count + 1)]
