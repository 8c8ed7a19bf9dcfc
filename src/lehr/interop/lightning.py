"""Lightning: ``configure_optimizers`` with the interval that lehr counts in, and a finder."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

from lehr.errors import NeedsHorizon, ScheduleError
from lehr.extras import needs
from lehr.schedule.horizon import Horizon, HorizonLike

with needs("lehr.interop.lightning", "torch", "torch"):
    from torch import Tensor
    from torch.optim import Optimizer
with needs("lehr.interop.lightning", None, "lightning"):
    try:
        from lightning.pytorch import Callback
    except ModuleNotFoundError:
        # The same library under its older name.
        if find_spec("pytorch_lightning") is None:
            raise
        from pytorch_lightning import Callback

from lehr.find import Suggestion
from lehr.interop.deepspeed import refuse_scheduler
from lehr.notation import ScheduleLike, as_schedule
from lehr.torch import Scheduler, find_lr
from lehr.torch.driver import Driver
from lehr.torch.finding.training import accumulated

__all__ = ["LearningRateFinder", "configured", "expected"]


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
    """Refuse, or warn of, what else sets the rate or keeps the scheduler from being stepped."""
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


class LearningRateFinder(Callback):
    """Find the peak rate before training begins, and give it to the optimizer.

    In place of Lightning's callback of this name, which does not know the schedule. The short runs
    call ``training_step`` through the Trainer's strategy: in its precision, with its accumulation
    and clipping, on its devices, and on its training data. What they log is dropped, and everything
    is left as it was. A fit that resumes from a checkpoint is not preceded by a search.

    The rates of all groups are multiplied by one factor, and so are schedulers' copies of them.
    A module that has ``lr`` or ``learning_rate`` has the peak there afterwards.

    Arguments:
        schedule: The schedule that will be trained with.
        over: The run in updates, if it differs from the one that the Trainer expects.
        update_attr: Whether ``lr`` or ``learning_rate`` of the module are set.
        **options: ``budget``, ``score`` and ``watch`` of :func:`lehr.torch.find_lr`.

    Attributes:
        suggestion: The suggestion, or None before the search.

    Raises:
        NeedsHorizon: In ``fit``, if the Trainer has no end, and ``over`` is not given.
        ScheduleError: In ``fit``, if the module optimizes manually, or a class of optimizer needs
            a closure.

    Warns:
        UserWarning: In ``fit``, if no rate can be suggested; the optimizer keeps its own.

    Example::

        finder = LearningRateFinder(lehr.warmup("5%") >> lehr.cosine())
        lightning.Trainer(max_epochs=10, callbacks=[finder]).fit(module, loader)
        print(finder.suggestion)
    """

    def __init__(
        self,
        schedule: ScheduleLike,
        over: HorizonLike | None = None,
        *,
        update_attr: bool = True,
        **options: Any,
    ) -> None:
        super().__init__()
        self.suggestion: Suggestion | None = None
        self._schedule, self._over = as_schedule("schedule", schedule), over
        self._update_attr, self._options = update_attr, options

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Search, unless the fit resumes."""
        if trainer.ckpt_path is not None:
            return
        if not pl_module.automatic_optimization:
            raise ScheduleError(
                f"{type(pl_module).__name__} has automatic_optimization=False, so the callback "
                "does not know how it trains: call lehr.torch.find_lr with a train_step"
            )
        found = self._found(trainer, pl_module)
        self.suggestion = found
        if found.peak is None:
            warnings.warn(
                f"no peak rate is suggested, and the optimizer keeps its own: {found.warnings[-1]}",
                stacklevel=2,
            )
            return
        _give(trainer, found.peaks)
        names = [name for name in ("lr", "learning_rate") if hasattr(pl_module, name)]
        for name in names if self._update_attr else ():
            setattr(pl_module, name, found.peak)

    def _found(self, trainer: Any, module: Any) -> Suggestion:
        steps = expected(trainer) if self._over is None else self._over
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        names = ("log", "log_dict")
        kept = {name: vars(module)[name] for name in names if name in vars(module)}
        try:
            for name in names:
                vars(module)[name] = lambda *_, **__: None
            return find_lr(
                module,
                _batches(trainer),
                optimizer=trainer.optimizers,
                train_step=_step_of(trainer, module, scaler),
                schedule=self._schedule,
                steps=steps,
                accumulate=trainer.accumulate_grad_batches,
                scaler=scaler,
                **self._options,
            )
        finally:
            for name in names:
                vars(module).pop(name, None)
            vars(module).update(kept)


def _batches(trainer: Any) -> Any:
    """Return the Trainer's training data, set up as when it determines the length of an epoch."""
    trainer.fit_loop.setup_data()
    loader = trainer.train_dataloader
    if not isinstance(loader, list | tuple | dict):
        return loader
    combined = trainer.fit_loop._combined_loader
    return [batch for batch, _, _ in combined]


def _step_of(trainer: Any, module: Any, scaler: Any) -> Callable[[Any], Any]:
    """Return a function that trains on one batch as the Trainer's loop does."""
    strategy = trainer.strategy
    takes_number = "batch_idx" in inspect.signature(module.training_step).parameters

    def loss_of(batch: Any) -> Any:
        moved = strategy.batch_to_device(batch)
        found = strategy.training_step(*((moved, 0) if takes_number else (moved,)))
        return found["loss"] if isinstance(found, dict) else found

    def clip(optimizer: Any) -> None:
        value, algorithm = trainer.gradient_clip_val, trainer.gradient_clip_algorithm
        module.configure_gradient_clipping(optimizer, value, algorithm)

    return accumulated(
        loss_of,
        lambda loss: strategy.backward(loss, None),
        trainer.optimizers,
        trainer.accumulate_grad_batches,
        scaler,
        clip,
    )


def _give(trainer: Any, peaks: Sequence[float]) -> None:
    """Write the rates into the groups, and scale what schedulers have derived from the old ones."""
    groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
    for group, peak in zip(groups, peaks, strict=True):
        before = float(group.get("max_lr", group.get("initial_lr", group["lr"])))
        for name in ("lr", "initial_lr", "max_lr", "min_lr"):
            if before and name in group:
                value = group[name] * (peak / before)
                if isinstance(group[name], Tensor):
                    group[name].copy_(value)
                else:
                    group[name] = value
    for config in trainer.lr_scheduler_configs:
        _rebase(config.scheduler)


def _rebase(scheduler: Any) -> None:
    if isinstance(scheduler, Driver):
        scheduler.use_loaded_bases()
        return
    for child in getattr(scheduler, "_schedulers", ()):
        _rebase(child)
    if hasattr(scheduler, "base_lrs"):
        scheduler.base_lrs = [group["initial_lr"] for group in scheduler.optimizer.param_groups]
    if hasattr(scheduler, "_last_lr"):
        scheduler._last_lr = [group["lr"] for group in scheduler.optimizer.param_groups]
