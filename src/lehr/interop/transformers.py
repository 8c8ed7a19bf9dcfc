"""transformers: a Trainer whose optimizer is driven by lehr.

The Trainer's own schedules are a closed list. The class here is mixed into a Trainer, so it also
works where the optimizer is built late: with ``model_init``, FSDP and DeepSpeed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lehr.errors import ScheduleError
from lehr.extras import needs
from lehr.schedule.base import Schedule

with needs("lehr.interop.transformers", "torch", "torch"):
    import torch
    from torch.optim import Optimizer

from lehr.find import Suggestion
from lehr.interop.deepspeed import refuse_scheduler
from lehr.notation import ScheduleLike
from lehr.torch import Scheduler, find_lr
from lehr.torch.finding.training import accumulated

__all__ = ["Scheduled", "found_peak"]


class Scheduled:
    """Give a ``transformers.Trainer``, or a subclass of it, a schedule of lehr.

    The run is the number of updates that the Trainer counts: over all epochs, with accumulation, on
    all processes together.

    Arguments:
        *args: The Trainer's own.
        schedule: The schedule of the learning rate, or one for each number to drive, by its name:
            ``{"lr": ..., "weight_decay": ...}``, as in :class:`lehr.torch.Scheduler`.
        **kwargs: The Trainer's own.

    Raises:
        ScheduleError: If the training arguments, the DeepSpeed configuration or ``optimizers=``
            contain a schedule or a warmup as well, or if the Trainer goes on to train with a
            scheduler of its own.

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
        if self.lr_scheduler is not None:
            raise ScheduleError(
                "optimizers=(..., scheduler) and schedule= both set the rate; give "
                "optimizers=(optimizer, None)"
            )
        _refuse_another(self.args)

    def create_scheduler(self, num_training_steps: int, optimizer: Optimizer | None = None) -> Any:
        """Build and return the scheduler, over the run of the Trainer.

        Arguments:
            num_training_steps: The run's updates.
            optimizer: The optimizer to drive; by default the Trainer's own.
        """
        if self.lr_scheduler is None:
            self.lr_scheduler = Scheduler(
                self.optimizer if optimizer is None else optimizer,
                over=num_training_steps,
                **self._schedules,
            )
            # The Trainer then builds a new one for a second train(), as it does for its own.
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """Train on one batch.

        Raises:
            ScheduleError: If the Trainer steps another scheduler than the one built here, as some
                releases do that have a second way to build it.
        """
        scheduler = self.lr_scheduler
        # Accelerate and DeepSpeed each wrap it.
        while not isinstance(scheduler, Scheduler) and hasattr(scheduler, "scheduler"):
            scheduler = scheduler.scheduler
        if not isinstance(scheduler, Scheduler):
            raise ScheduleError(
                f"this Trainer would step a {type(scheduler).__name__} and ignore schedule=; give "
                "optimizers=(optimizer, lehr.torch.Scheduler(optimizer, ...)) instead of schedule="
            )
        return super().training_step(*args, **kwargs)  # type: ignore[misc]


def _refuse_another(arguments: Any) -> None:
    """Raise a ScheduleError for a second schedule, which would be ignored."""
    kind = _text(arguments.lr_scheduler_type)
    if kind != _text(getattr(type(arguments), "lr_scheduler_type", "linear")):
        raise ScheduleError(
            f"lr_scheduler_type={kind!r} of the training arguments is not used where schedule= "
            "is given; leave it out, with its lr_scheduler_kwargs"
        )
    if arguments.lr_scheduler_kwargs:
        raise ScheduleError(
            f"lr_scheduler_kwargs={arguments.lr_scheduler_kwargs!r} of the training arguments is "
            "not used where schedule= is given; leave it out"
        )
    optimizer = _text(getattr(arguments, "optim", ""))
    for name in ("warmup_steps", "warmup_ratio"):
        value = getattr(arguments, name, None)
        # Two of the schedule-free optimizers have a warmup of their own, with this length.
        own = name == "warmup_steps" and optimizer in ("schedule_free_adamw", "schedule_free_sgd")
        if value and not own:
            raise ScheduleError(
                f"{name}={value!r} of the training arguments is not used where schedule= is given; "
                "write schedule=lehr.warmup(...) >> ..."
            )
    if optimizer.endswith("_layerwise"):
        raise ScheduleError(
            f"optim={optimizer!r} updates each parameter through an optimizer of its own, which a "
            f"schedule does not reach; use optim={optimizer.removesuffix('_layerwise')!r}"
        )
    plugin = getattr(arguments, "deepspeed_plugin", None)
    for holder in (arguments, plugin):
        found = getattr(holder, "hf_deepspeed_config", getattr(holder, "hf_ds_config", None))
        refuse_scheduler(getattr(found, "config", None))


def _text(value: Any) -> str:
    """Return a member of an enumeration as its value."""
    return str(getattr(value, "value", value))


def found_peak(trainer: Any, schedule: ScheduleLike, **options: Any) -> Suggestion:
    """Find the peak rate of a Trainer before it trains, and write it into its arguments.

    Short runs call the Trainer's ``compute_loss`` on its training data, in its precision, with its
    accumulation and clipping. The optimizer is built for them and then dropped: the Trainer builds
    its own, with the rate that was found.

    Arguments:
        trainer: The Trainer, in one process.
        schedule: The schedule that will be trained with.
        **options: ``budget``, ``score`` and ``watch`` of :func:`lehr.torch.find_lr`.

    Example::

        trainer = Trainer(model, arguments, train_dataset=dataset, schedule=schedule)
        print(found_peak(trainer, schedule))
        trainer.train()
    """
    loader, arguments, model = trainer.get_train_dataloader(), trainer.args, trainer.model
    before = trainer.optimizer
    optimizer = trainer.create_optimizer()
    parts, scaler = arguments.gradient_accumulation_steps, trainer.accelerator.scaler
    updates = arguments.max_steps
    if updates <= 0:
        updates = math.ceil(arguments.num_train_epochs * math.ceil(len(loader) / parts))

    def loss_of(batch: Any) -> Any:
        model.train()
        with trainer.compute_loss_context_manager():
            return trainer.compute_loss(model, trainer._prepare_inputs(batch))

    def clip(_: Any) -> None:
        if arguments.max_grad_norm:
            torch.nn.utils.clip_grad_norm_(model.parameters(), arguments.max_grad_norm)

    step = accumulated(loss_of, trainer.accelerator.backward, [optimizer], parts, scaler, clip)
    try:
        found = find_lr(
            model,
            loader,
            optimizer=optimizer,
            train_step=step,
            schedule=schedule,
            steps=updates,
            accumulate=parts,
            scaler=scaler,
            **options,
        )
    finally:
        trainer.optimizer = before
    if found.peak is not None:
        arguments.learning_rate = found.peak
        for group, rate in zip(before.param_groups if before else [], found.peaks, strict=False):
            group["lr"] = rate
    return found
