"""Accelerate: prepare a scheduler that counts updates.

``Accelerator.prepare`` wraps a scheduler so that each update moves it by as many steps as there are
processes, because it assumes a schedule that counts the batches of one process. lehr counts
updates.
"""

from __future__ import annotations

from typing import Any

from lehr.errors import ScheduleError
from lehr.extras import needs

with needs("lehr.interop.accelerate", "torch", "torch"):
    from torch.optim.lr_scheduler import LRScheduler
with needs("lehr.interop.accelerate", None, "accelerate"):
    from accelerate.scheduler import AcceleratedScheduler

from lehr.interop.deepspeed import refuse_scheduler

__all__ = ["prepare"]


def prepare(accelerator: Any, scheduler: LRScheduler) -> AcceleratedScheduler:
    """Wrap a scheduler as Accelerate does, but take one step for each update.

    The scheduler still waits while gradients are accumulated and when a scaler skips an update, and
    ``save_state`` and ``load_state`` include it. Call this instead of ``accelerator.prepare`` for
    the scheduler, after the optimizer has been prepared. It makes no difference whether the
    Accelerator has ``split_batches`` or ``step_scheduler_with_optimizer``.

    Arguments:
        accelerator: The Accelerator.
        scheduler: A scheduler over the run's updates, built on the bare optimizer.

    Raises:
        ScheduleError: If its optimizer is not prepared, the scheduler is prepared already, or the
            DeepSpeed configuration names another scheduler.

    Example::

        scheduler = Scheduler(optimizer, lr=schedule, over=updates)
        model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
        scheduler = lehr.interop.accelerate.prepare(accelerator, scheduler)
    """
    if isinstance(scheduler, AcceleratedScheduler):
        raise ScheduleError(
            "the scheduler is already prepared, and takes a step for each process at each update; "
            "leave it out of accelerator.prepare(...)"
        )
    plugin = getattr(accelerator.state, "deepspeed_plugin", None)
    refuse_scheduler(getattr(plugin, "deepspeed_config", None))
    driven = getattr(scheduler, "optimizer", None)
    optimizers = [
        wrapped
        for wrapped in accelerator._optimizers
        if wrapped is driven or wrapped.optimizer is driven
    ]
    if not optimizers:
        raise ScheduleError(
            "the scheduler's optimizer is not prepared; write optimizer = "
            "accelerator.prepare(optimizer) before it"
        )
    # With split batches, Accelerate takes one step for each update on any number of processes.
    wrapped = AcceleratedScheduler(scheduler, optimizers, split_batches=True)
    wrapped._is_accelerate_prepared = True  # type: ignore[attr-defined]
    return accelerator.prepare_scheduler(wrapped)
