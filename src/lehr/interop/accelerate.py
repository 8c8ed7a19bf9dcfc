# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false
"""Accelerate: a scheduler that is prepared, and counts updates.

``Accelerator.prepare`` wraps a scheduler so that it takes as many steps an update as there are
processes: it takes the schedule to be counted in batches of one process. lehr counts updates.
"""

from __future__ import annotations

from typing import Any

from accelerate.scheduler import AcceleratedScheduler
from torch.optim.lr_scheduler import LRScheduler

from lehr.errors import ScheduleError

__all__ = ["prepare"]


def prepare(accelerator: Any, scheduler: LRScheduler) -> AcceleratedScheduler:
    """Wrap a scheduler as Accelerate does, to take one step for each update.

    It still waits where gradients are accumulated or a scaler skips the update, and
    ``save_state`` and ``load_state`` have it. Write it in place of ``accelerator.prepare`` for the
    scheduler, and after it for the optimizer.

    Arguments:
        accelerator: The Accelerator.
        scheduler: A scheduler over the run's updates, built on the bare optimizer.

    Raises:
        ScheduleError: If its optimizer is not prepared, or the scheduler is prepared already.

    Example::

        scheduler = Scheduler(optimizer, lr=schedule, over=updates)
        model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
        scheduler = lehr.interop.accelerate.prepare(accelerator, scheduler)
    """
    if isinstance(scheduler, AcceleratedScheduler):
        raise ScheduleError(
            "the scheduler is prepared already, and takes a step for each process at each update; "
            "leave it out of accelerator.prepare(...)"
        )
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
    # "Split batches" is Accelerate's word for: one step an update, whatever the processes.
    wrapped = AcceleratedScheduler(scheduler, optimizers, split_batches=True)
    wrapped._is_accelerate_prepared = True  # type: ignore[attr-defined]
    return accelerator.prepare_scheduler(wrapped)
