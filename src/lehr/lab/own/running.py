"""The running trial, as seen by a user's own training."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lehr.files import write_whole
from lehr.lab.errors import TrialError
from lehr.lab.optimizers import find_optimizer
from lehr.lab.own.curve import CURVE, LossCurve
from lehr.lab.own.returned import OUTCOME, check_returned, plain
from lehr.notation import parse
from lehr.schedule.base import Schedule

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from lehr.torch import Scheduler


TRIAL = "LEHR_TRIAL"
"""The environment variable with the trial, as JSON."""


@dataclass(frozen=True)
class RunningTrial:
    """A trial, as passed to the training that runs it.

    Attributes:
        optimizer: The optimizer, as a name or a text.
        peak: The rate where the schedule is 1.
        seed: The seed; trials of different pairs share seeds.
        steps: The number of updates to make.
        schedule: The schedule over these steps, as a factor on the peak.
        momentum: The momentum (or beta1) over these steps, if the schedule changes it.
        device: The device to train on, as torch names it.
        folder: A folder for this trial alone. A trial that is started again, because the machine or
            the comparison was stopped, finds there what it left.
        resumed: Whether it was started before but did not finish.
        batch: The batch size that `lehr find --sweep batch=...` sets; None without it.
    """

    optimizer: str
    peak: float
    seed: int
    steps: int
    schedule: Schedule
    momentum: Schedule | None
    device: str
    folder: Path
    resumed: bool
    batch: int | None = None

    @property
    def rate(self) -> Schedule:
        """The rate itself, ``peak * schedule``: call it with the number of updates made so far."""
        return self.peak * self.schedule

    def optimizer_for(self, parameters: Any, **options: Any) -> Optimizer:
        """Return the trial's optimizer, with its peak as the rate.

        Arguments:
            parameters: Parameters or parameter groups, or the network, which `muon` needs.
            options: Additional arguments of the optimizer's class.
        """
        return find_optimizer(self.optimizer).make(parameters, self.peak, **options)

    def scheduler_for(self, optimizer: Optimizer) -> Scheduler:
        """Return a scheduler that drives an optimizer with the trial's schedule.

        Call its `step` after each of the trial's updates.

        Raises:
            ValueError: If no group of the optimizer has the trial's peak as its rate; trials with
                different peaks would then be alike.
        """
        rates = [float(group.get("initial_lr", group["lr"])) for group in optimizer.param_groups]
        if not any(abs(rate - self.peak) <= 1e-6 * self.peak for rate in rates):
            raise ValueError(
                f"the optimizer's rate is {', '.join(f'{rate:g}' for rate in rates)}, and the "
                f"trial's peak is {self.peak:g}: build it by trial.optimizer_for(parameters), or "
                "with lr=trial.peak"
            )
        from lehr.lab.optimizers.making import rates as rates_of  # Loads torch.
        from lehr.torch import Scheduler  # Loads torch.

        lr = rates_of(find_optimizer(self.optimizer), optimizer, self.schedule)
        return Scheduler(optimizer, lr=lr, over=self.steps, momentum=self.momentum)

    def report(
        self,
        step: int,
        loss: float | None = None,
        score: float | None = None,
        validation_loss: float | None = None,
    ) -> None:
        """Add to the learning curves.

        Arguments:
            step: The number of updates made, from 1 to `steps`.
            loss: The training loss. The curve shows the mean of the losses between two points.
            score: The score on the validation data, if the training returns scores.
            validation_loss: The loss on the validation data, if the training returns losses.
        """
        if isinstance(step, bool) or not 1 <= int(step) <= self.steps or int(step) != step:
            raise ValueError(
                f"step={step!r} must be the number of updates made, from 1 to {self.steps}"
            )
        if score is not None and validation_loss is not None:
            raise ValueError("score and validation_loss are both given: report what is returned")
        value = validation_loss if score is None else score
        self._curve.add(
            int(step),
            None if loss is None else float(loss),
            None if value is None else float(value),
        )

    @cached_property
    def _curve(self) -> LossCurve:
        return LossCurve(self.steps, self.folder / CURVE)

    def finish(self, returned: Mapping[str, Any]) -> None:
        """Write the result of the training. A function returns it; a command's script calls this.

        Raises:
            TrialError: If it cannot be used; the message says why.
        """
        check_returned(returned)
        self._curve.save()
        write_whole(self.folder / OUTCOME, json.dumps(plain(returned), allow_nan=False))


def current_trial() -> RunningTrial:
    """Return the trial for which this process, or its parent, was started.

    Raises:
        TrialError: If it was not started by a comparison.
    """
    text = os.environ.get(TRIAL)
    if text is None:
        reason = f"{TRIAL} is not set: this process was not started by `lehr compare --command`"
        raise TrialError(reason, reason)
    given = json.loads(text)
    steps = given["steps"]
    momentum = given["momentum"]
    return RunningTrial(
        optimizer=given["optimizer"],
        peak=given["peak"],
        seed=given["seed"],
        steps=steps,
        schedule=parse(given["schedule"]).over(steps),
        momentum=None if momentum is None else parse(momentum).over(steps),
        device=given["device"],
        folder=Path(given["folder"]),
        resumed=given["resumed"],
        batch=given["batch"],
    )
