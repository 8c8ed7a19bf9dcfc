# pyright: basic
"""Lightning: what ``configure_optimizers`` returns, with the interval at which lehr counts."""

from __future__ import annotations

import math
from typing import Any

from torch.optim import Optimizer

from lehr.errors import NeedsHorizon, ScheduleError
from lehr.schedule.horizon import Horizon, HorizonLike
from lehr.torch import Scheduler

__all__ = ["configured"]


def configured(
    module: Any, optimizer: Optimizer, over: HorizonLike | None = None, **schedules: Any
) -> dict[str, Any]:
    """Return an optimizer and its scheduler as Lightning's ``configure_optimizers`` should.

    Lightning steps a scheduler once an epoch unless told otherwise; this one is told, and is
    stepped after each update. The run is what Lightning expects to train: over all epochs, with
    accumulation and on all devices. Its epochs are known, so ``"3ep"`` is a duration.

    Arguments:
        module: The LightningModule, while its Trainer fits.
        optimizer: What is driven.
        over: The run in updates, where it is not the one that the Trainer expects.
        **schedules: ``lr=`` and others, as in :class:`lehr.torch.Scheduler`.

    Raises:
        NeedsHorizon: If the Trainer has no end, and ``over`` is not given.
        ScheduleError: If there is nothing to train.

    Example::

        def configure_optimizers(self):
            optimizer = torch.optim.AdamW(self.parameters(), lr=3e-4)
            return configured(self, optimizer, lr=lehr.warmup("5%") >> lehr.cosine(to=0.1))
    """
    scheduler = Scheduler(
        optimizer, over=expected(module.trainer) if over is None else over, **schedules
    )
    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": scheduler, "interval": "step", "frequency": 1},
    }


def expected(trainer: Any) -> Horizon:
    """Return the run that a Lightning Trainer expects, in updates, with its epochs where known."""
    updates = trainer.estimated_stepping_batches
    if math.isinf(updates):
        raise NeedsHorizon(
            "this Trainer has no end (max_epochs=-1, or a data set without a length); give it "
            "max_steps=, or write configured(..., over=10_000)"
        )
    if updates < 1:
        raise ScheduleError(f"this Trainer expects {updates} updates; a schedule needs at least 1")
    batches = trainer.num_training_batches
    if math.isinf(batches):
        return Horizon(int(updates))
    return Horizon(int(updates), math.ceil(batches / trainer.accumulate_grad_batches))
