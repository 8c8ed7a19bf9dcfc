"""Lightning: the result of ``configure_optimizers``, with the interval that lehr counts in."""

from __future__ import annotations

import math
import warnings
from typing import Any

from lehr.errors import NeedsHorizon, ScheduleError
from lehr.extras import needs
from lehr.schedule.horizon import Horizon, HorizonLike

with needs("lehr.interop.lightning", "torch", "torch"):
    from torch.optim import Optimizer

from lehr.find import Suggestion
from lehr.interop.deepspeed import refuse_scheduler
from lehr.notation import ScheduleLike
from lehr.torch import Scheduler, find_lr

__all__ = ["configured", "expected", "found_peak"]


def configured(
    module: Any, optimizer: Optimizer, over: HorizonLike | None = None, **schedules: Any
) -> dict[str, Any]:
    """Return an optimizer and its scheduler for Lightning's ``configure_optimizers``.

    By default Lightning steps a scheduler once an epoch; this result makes it step after each
    update. The run is the one that Lightning expects to train: over all epochs, with accumulation
    and on all devices. The length of an epoch is known, so ``"3ep"`` is a valid duration.

    Arguments:
        module: The LightningModule, while its Trainer fits.
        optimizer: The optimizer to drive.
        over: The run in updates, if it differs from the one that the Trainer expects.
        **schedules: ``lr=`` and others, as in :class:`lehr.torch.Scheduler`.

    Raises:
        NeedsHorizon: If the Trainer has no end, and ``over`` is not given.
        ScheduleError: If the run has no updates, or the DeepSpeed strategy's configuration names
            another scheduler.

    Warns:
        UserWarning: If Lightning will not use the schedule, or not to the end: the module optimizes
            manually, or a callback replaces the scheduler.

    Example::

        def configure_optimizers(self):
            optimizer = torch.optim.AdamW(self.parameters(), lr=3e-4)
            return configured(self, optimizer, lr=lehr.warmup("5%") >> lehr.cosine(to=0.1))
    """
    _check_another(module)
    scheduler = Scheduler(
        optimizer, over=expected(module.trainer) if over is None else over, **schedules
    )
    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": scheduler, "interval": "step", "frequency": 1},
    }


def _check_another(module: Any) -> None:
    """Look for what else decides about the rate, or keeps the scheduler from being stepped."""
    trainer = module.trainer
    refuse_scheduler(getattr(getattr(trainer, "strategy", None), "config", None))
    if not getattr(module, "automatic_optimization", True):
        warnings.warn(
            f"{type(module).__name__} has automatic_optimization=False, so Lightning steps no "
            "scheduler: call self.lr_schedulers().step() after each update; or build "
            "lehr.torch.Scheduler yourself, step it, and return the bare optimizer",
            stacklevel=3,
        )
    for callback in getattr(trainer, "callbacks", ()):
        # By name, also of a base class: lightning and pytorch_lightning have a class each.
        if any(base.__name__ == "StochasticWeightAveraging" for base in type(callback).__mro__):
            warnings.warn(
                "the callback StochasticWeightAveraging replaces this schedule by its own rate "
                "(swa_lrs) when averaging begins; to keep the schedule, average with the callback "
                "WeightAveraging",
                stacklevel=3,
            )


def expected(trainer: Any) -> Horizon:
    """Return the run that a Lightning Trainer expects, in updates, and its epochs if known."""
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


def found_peak(
    module: Any, optimizer: Optimizer, schedule: ScheduleLike, over: HorizonLike | None = None
) -> Suggestion:
    """Find the peak rate in ``configure_optimizers``, and give it to the optimizer's groups.

    The short runs call the module's ``training_step`` on the Trainer's training data; what it logs
    in them is dropped. Precision plugins and gradient clipping of the Trainer are not used.

    Arguments:
        module: The LightningModule, while its Trainer fits.
        optimizer: The optimizer.
        schedule: The schedule that will be trained with.
        over: The run in updates, if it differs from the one that the Trainer expects.

    Raises:
        NeedsHorizon: If the Trainer has no end, and ``over`` is not given.

    Example::

        def configure_optimizers(self):
            optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3)
            found_peak(self, optimizer, schedule)
            return configured(self, optimizer, lr=schedule)
    """
    run = expected(module.trainer) if over is None else over
    names = ("log", "log_dict")
    kept = {name: vars(module)[name] for name in names if name in vars(module)}

    def step(batch: Any) -> Any:
        module.train()
        found = module.training_step(module.transfer_batch_to_device(batch, module.device, 0), 0)
        loss = found["loss"] if isinstance(found, dict) else found
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    try:
        for name in names:
            vars(module)[name] = lambda *_, **__: None
        found = find_lr(
            module,
            module.trainer.train_dataloader,
            optimizer=optimizer,
            train_step=step,
            schedule=schedule,
            steps=run,
        )
    finally:
        for name in names:
            del vars(module)[name]
        vars(module).update(kept)
    for group, rate in zip(optimizer.param_groups, found.peaks, strict=False):
        group["lr"] = rate
    return found
