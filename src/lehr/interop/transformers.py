# pyright: basic
"""transformers: a Trainer whose optimizer is driven by lehr.

The Trainer's own schedules are a closed list. This is mixed into a Trainer, and so it also works
where the optimizer is built late: with ``model_init``, FSDP and DeepSpeed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer

from lehr.errors import ScheduleError
from lehr.schedule.base import Schedule
from lehr.torch import Scheduler

__all__ = ["Scheduled"]


class Scheduled:
    """Mixed into a ``transformers.Trainer`` or a kin of it: the schedule is lehr's.

    The run is the updates that the Trainer counts: over all epochs, with accumulation, on all
    processes together.

    Arguments:
        *args: The Trainer's own.
        schedule: The schedule of the learning rate, or one for each number that is driven, by its
            name: ``{"lr": ..., "weight_decay": ...}``, as in :class:`lehr.torch.Scheduler`.
        **kwargs: The Trainer's own.

    Raises:
        ScheduleError: If the training arguments have a schedule or a warmup, too, or a scheduler
            is given in ``optimizers=``.

    Example::

        class Trainer(Scheduled, transformers.Trainer):
            pass


        schedule = lehr.warmup(500) >> lehr.cosine(to=0.1)
        trainer = Trainer(model, arguments, train_dataset=dataset, schedule=schedule)
    """

    args: Any
    optimizer: Any
    lr_scheduler: Any

    def __init__(self, *args: Any, schedule: Schedule | Mapping[str, Any], **kwargs: Any) -> None:
        if isinstance(schedule, Mapping):
            self._schedules = dict(schedule)
        else:
            self._schedules: dict[str, Any] = {"lr": schedule}
        super().__init__(*args, **kwargs)
        self._refuse_another()

    def _refuse_another(self) -> None:
        """Refuse a second schedule, which would be ignored."""
        if self.lr_scheduler is not None:
            raise ScheduleError(
                "optimizers=(..., scheduler) and schedule= both say how the rate moves; give "
                "optimizers=(optimizer, None)"
            )
        kind = getattr(self.args.lr_scheduler_type, "value", self.args.lr_scheduler_type)
        if kind != "linear" or self.args.lr_scheduler_kwargs:
            raise ScheduleError(
                f"lr_scheduler_type={kind!r} of the training arguments is not used where schedule= "
                "is given; leave it out, with its lr_scheduler_kwargs"
            )
        if self.args.warmup_steps:
            raise ScheduleError(
                f"warmup_steps={self.args.warmup_steps!r} of the training arguments is not used "
                "where schedule= is given; write schedule=lehr.warmup(...) >> ..."
            )

    def create_scheduler(self, num_training_steps: int, optimizer: Optimizer | None = None) -> Any:
        """Return the scheduler, built over the run when the Trainer asks for it.

        Arguments:
            num_training_steps: The run's updates.
            optimizer: What is driven; the Trainer's own, where it is not given.
        """
        if self.lr_scheduler is None:
            self.lr_scheduler = Scheduler(
                self.optimizer if optimizer is None else optimizer,
                over=num_training_steps,
                **self._schedules,
            )
            # A second train() builds it again, as it does the Trainer's own.
            self._created_lr_scheduler = True
        return self.lr_scheduler
