"""Drop-in: ``ReduceLROnPlateau``, which follows a metric."""

from __future__ import annotations

import math
import sys
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import EPOCH_DEPRECATION_WARNING
from torch.optim.lr_scheduler import ReduceLROnPlateau as Theirs

from lehr.catalogue.feedback import Mode, ThresholdMode, plateau
from lehr.errors import ScheduleError, number
from lehr.schedule.leaves import hold
from lehr.torch.binding import LR, Binding, Group, Slot, plain, warn
from lehr.torch.checkpoint import loading
from lehr.torch.dropins.arguments import (
    counted,
    current,
    listed,
    number_of,
    per_group,
    plain_copy,
    rates_of,
)
from lehr.torch.dropins.base import DropIn
from lehr.torch.dropins.recursion import rates_in
from lehr.torch.optimizers import check_optimizer
from lehr.torch.plan import Contribution, Driven, DrivePlan, StepLevels

_GIVEN = ("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "eps")


# Also an instance of torch's class: trainers check that before they pass a metric.
class ReduceLROnPlateau(DropIn, Theirs):
    """Reduce the rate when a metric has stopped improving.

    Formula: after more than ``patience`` metrics in a row that are not better than the best one,
    ``lr`` becomes ``max(lr * factor, min_lr)``; then ``cooldown`` metrics do not count.

    A metric is better if it is below ``best - threshold * abs(best)``, or ``best - threshold`` with
    ``"abs"``; for ``"max"``, above the same with a plus. Torch's class, without the ``abs``, counts
    -0.95 after -1 as better by a share of 0.1. A metric that is infinite or NaN is never better.

    Its reductions multiply with the factors of other schedulers, and are saved in its state, which
    holds no infinities and may be loaded before or after the optimizer's.

    Arguments:
        optimizer: The optimizer to drive.
        mode: ``"min"`` if lower is better, as for a loss; ``"max"`` if higher is.
        factor: What the rate is multiplied by, between 0 and 1.
        patience: How many metrics in a row may fail to improve, a whole number of at least 0.
        threshold: By how much a metric must be better, at least 0.
        threshold_mode: Whether that is a share of the best (``"rel"``) or a number (``"abs"``).
        cooldown: How many metrics after a reduction do not count, a whole number of at least 0.
        min_lr: The lowest rate, at least 0; one for all groups or a list.
        eps: Reductions by this much or less are not made.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
        >>> for loss in (1.0, 0.9, 0.95, 0.93):
        ...     scheduler.step(loss)
        >>> scheduler.get_last_lr(), scheduler.best
        ([0.5], 0.9)
    """

    _recursive = False

    def __init__(
        self,
        optimizer: Optimizer,
        mode: Mode = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: ThresholdMode = "rel",
        cooldown: int = 0,
        min_lr: list[float] | float = 0,
        eps: float = 1e-8,
    ) -> None:
        check_optimizer(optimizer)
        self.mode: Mode = mode
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.threshold_mode: ThresholdMode = threshold_mode
        self.cooldown, self.eps = cooldown, eps
        self.min_lrs = per_group("min_lr", min_lr, optimizer)
        self.default_min_lr = plain(min_lr) if listed(min_lr) is None else None
        self._check()
        self._rates: list[float] = []
        # Whether the rates are still the optimizer's, because nothing has been reduced so far.
        self._follows = True
        self._reset()
        super().__init__(optimizer)

    def _check(self) -> plateau:
        """Return the rule for the current parameters, which users change in the middle of a run."""
        number("eps", self.eps, at_least=0)
        # Torch also accepts a factor of 0: the rate falls to min_lr at once. The rule only counts.
        number("factor", self.factor, at_least=0)
        for lr in self.min_lrs:
            number("min_lr", lr, at_least=0)
        return plateau(
            mode=self.mode,
            factor=self.factor or 0.5,
            patience=counted("patience", self.patience, at_least=0),
            threshold=self.threshold,
            threshold_mode=self.threshold_mode,
            cooldown=counted("cooldown", self.cooldown, at_least=0),
        )

    def _reset(self) -> None:
        """Restart the counts, and forget the best metric."""
        self.best = self.mode_worse
        self.num_bad_epochs = self.cooldown_counter = 0
        # A step's outcome until it is counted: after an interrupt the next step counts it.
        self._found: tuple[float, Any] | None = None

    @property
    def mode_worse(self) -> float:
        """The value that any metric is better than."""
        return math.inf if self.mode == "min" else -math.inf

    @property
    def in_cooldown(self) -> bool:
        """Whether the next metric does not count."""
        return self.cooldown_counter > 0

    # ----- driving ------------------------------------------------------------------------------

    def _initial_step(self) -> None:
        self._take_rates()
        super()._initial_step()

    def _take_rates(self) -> None:
        """Start from the current rates, or from the groups' bases if there are other schedulers."""
        alone = all(member is self for member in self._attach().members)
        rates = (group["lr"] for group in self._known) if alone else self.base_lrs
        self._rates = [plain(rate) for rate in rates]

    def _resolve(self) -> DrivePlan:
        bindings = tuple(Binding(gain=rate) for rate in self._rates)
        return DrivePlan((Driven(LR, StepLevels(hold(at=1.0)), bindings),))

    def _ratio(self, index: int) -> float:
        base = plain(self.base_lrs[index])
        return self._rates[index] / base if base else 1.0

    def contributions(self) -> list[tuple[Slot, Group, Contribution]]:
        """Return the rates; their ratio is the reduction made here."""
        return [
            (slot, group, share._replace(ratio=self._ratio(index)))
            for slot, group, share in super().contributions()
            if (index := self._known.index_of(group)) is not None
        ]

    def base_for(self, slot: Slot, group: Group, value: float) -> float | None:
        """Reduce from a rate written by hand, as torch does; it is never a base."""
        index = self._known.index_of(group)
        if slot.place == LR.place and index is not None:
            self._rates[index] = value
            self._replan()
        return None

    def __copy__(self) -> Any:
        """Return a scheduler that writes into the same optimizer alongside this one."""
        twin = super().__copy__()
        twin._rates = list(rates_in(self.groups))
        twin._replan()
        return twin

    def _set_base(self, slot: Slot, index: int, base: float) -> None:
        if slot.place == LR.place:
            self._rates[index] = self._ratio(index) * base
        super()._set_base(slot, index, base)

    def use_loaded_bases(self) -> None:
        """Use the bases of a loaded optimizer, reduced as before."""
        super().use_loaded_bases()
        if self._follows and len(self._attach().members) > 1:
            self._take_rates()
            self._replan()

    def _regroup(self, old: list[int | None]) -> None:
        self._rates = [
            plain(group.get("initial_lr", group["lr"])) if origin is None else self._rates[origin]
            for group, origin in zip(self.groups, old, strict=True)
        ]
        if None not in old or self.default_min_lr is not None:
            # Otherwise the user must append to the list, as in torch.
            added: Any = self.default_min_lr
            self.min_lrs = [added if origin is None else self.min_lrs[origin] for origin in old]
        super()._regroup(old)

    def step(self, metrics: Any, epoch: int | None = None) -> None:
        """Record a metric, and reduce the rates if it is time.

        Arguments:
            metrics: The metric, a number or a tensor of one.
            epoch: The epoch's number, if not the next one; nothing depends on it.

        Raises:
            ScheduleError: If the metric is not a number. Nothing changes then.
            RuntimeError: If it is time, and ``min_lr`` was a list for fewer groups.
        """
        if epoch is not None:
            warn(EPOCH_DEPRECATION_WARNING)
        self._count()
        before = {
            "best": None if self.best == self.mode_worse else _finite(self.best),
            "bad": self.num_bad_epochs,
            "cooldown": self.cooldown_counter,
            "reductions": 0,
        }
        after = self._check().update(before, metrics)
        position = self.last_epoch + 1 if epoch is None else number_of("epoch", epoch)
        if after["reductions"]:
            self._reduce()
        self._found = position, after
        self._set_position(position)
        self._count()

    def _count(self) -> None:
        """Record the outcome of the step to the current position."""
        if self._found is not None and self._found[0] == self._position:
            after = self._found[1]
            best = self.mode_worse if after["best"] is None else after["best"]
            best = self.best if best == _finite(self.best) else best
            counts = best, after["bad"], after["cooldown"], None
            self.best, self.num_bad_epochs, self.cooldown_counter, self._found = counts

    def _reduce(self) -> None:
        """Reduce the current rates, whatever other schedulers contributed to them."""
        shared = self._attach()
        self._guards.on_changes(shared.notice(), self._position)
        self._recognize_groups()
        self._check_min_lrs()
        for index, group in enumerate(self._known):
            now = plain(group["lr"])
            lower = max(now * self.factor, self.min_lrs[index])
            if now - lower > self.eps:
                # If it is alone, its rate is the group's own, to the last digit.
                rate = self._rates[index]
                self._rates[index] = lower if rate == now else rate * (lower / now)
        self._follows = False
        self._replan()
        shared.moved(self)
        shared.write()

    def _check_min_lrs(self) -> None:
        groups = len(self.groups)
        if len(self.min_lrs) == groups:
            return
        if self.default_min_lr is None:
            raise RuntimeError(
                f"The number of param groups in the `optimizer` ({groups}) differs from that of "
                f"min_lr, which was a list for {len(self.min_lrs)}: append to `min_lrs`"
            )
        self.min_lrs = [self.default_min_lr] * groups

    # ----- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the counters, the parameters and the rates, in plain types."""
        self._attach().notice()
        self._count()
        self._recognize_groups()
        names = (*_GIVEN, "default_min_lr", "min_lrs", "num_bad_epochs", "cooldown_counter")
        return {
            **{name: plain_copy(getattr(self, name)) for name in names},
            # Before the first metric there is no best one, and torch's class keeps its own.
            **({"best": self.best} if math.isfinite(self.best) else {}),
            "last_epoch": self.last_epoch,
            "base_lrs": [plain(lr) for lr in self.base_lrs],
            "rates": list(self._rates),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore saved counters and parameters, and assign the rates.

        It also reads a state of torch's own class, which leaves the rates to the optimizer's state.

        Raises:
            ScheduleError: If it is not a state of this class. Nothing changes then.
        """
        with loading(self, state_dict):
            needed = ("last_epoch", "min_lrs", "num_bad_epochs", "cooldown_counter", *_GIVEN)
            missing = [name for name in needed if name not in state_dict]
            if missing:
                raise ScheduleError(
                    f"not a state of a ReduceLROnPlateau: {', '.join(missing)} missing"
                )
            self._recognize_groups()
            self._read(current(state_dict))
            self._replan()
            position = counted("last_epoch", state_dict["last_epoch"], at_least=0)
            self._check_loaded(position)
            self._resume(position, 1)

    def _read(self, state: dict[str, Any]) -> None:
        groups, self._found = self._known, None
        for name in _GIVEN:
            setattr(self, name, plain_copy(state[name]))
        for name in ("num_bad_epochs", "cooldown_counter"):
            setattr(self, name, counted(name, state[name], at_least=0))
        best, default = state.get("best"), state.get("default_min_lr")
        finite = best is not None and best not in (math.inf, -math.inf)
        self.best = number("best", best) if finite else self.mode_worse
        self.default_min_lr = None if default is None else number("default_min_lr", default)
        self.min_lrs = rates_of("min_lrs", state["min_lrs"])
        self._check()
        self._check_min_lrs()
        self._follows = "rates" not in state
        if self._follows:
            self._take_rates()
            return
        self._rates = rates_of("rates", state["rates"])
        self.base_lrs = rates_of("base_lrs", state["base_lrs"])
        if not len(self._rates) == len(self.base_lrs) == len(groups):
            raise ScheduleError(
                f"the state has rates={self._rates!r} and base_lrs={self.base_lrs!r}; the "
                f"optimizer has {len(groups)} groups"
            )
        for group, base in zip(groups, self.base_lrs, strict=True):
            group["initial_lr"] = base

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={getattr(self, name)!r}" for name in _GIVEN)
        kind, optimizer = type(self).__name__, type(self.optimizer).__name__
        return f"{kind}({optimizer}, {given}, at {self.last_epoch})"


def _finite(best: float) -> float:
    """Return the nearest finite number: if the mode was changed, no metric may be better."""
    return max(-sys.float_info.max, min(best, sys.float_info.max))
