"""Drop-in: ``SWALR``, from the current rate to the rate of weight averaging."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor
from torch.optim import Optimizer, swa_utils

from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold, ramp
from lehr.torch.binding import Binding, Group, Slot, plain
from lehr.torch.checkpoint import groups_restored_on_error
from lehr.torch.driver import Driver
from lehr.torch.dropins.arguments import counted, per_group
from lehr.torch.dropins.base import DropIn
from lehr.torch.dropins.parameters import Parameter
from lehr.torch.dropins.recursion import rates_in


class SWALR(DropIn):
    """Take the rate from its current value to ``swa_lr`` and keep it there, for weight averaging.

    Formula: ``start + (swa_lr - start) * f(min(1, epoch / anneal_epochs))``, where ``start`` is the
    rate that another scheduler, or none, left in the group before this one's first step, and
    ``f(u) = (1 - cos(pi * u)) / 2`` or ``f(u) = u``.

    Building it changes nothing (but with ``anneal_epochs=0`` it goes to ``swa_lr`` at once); from
    its first step on it alone sets the rate. Torch's class works out the start again at every step,
    from the current rate and the share of the way done; this one remembers it, and saves it in its
    state.

    Arguments:
        optimizer: The optimizer to drive.
        swa_lr: The rate at the end, at least 0; one for all groups or a list. It is kept in the
            groups as ``swa_lr``, as torch does, and read from there at the first step.
        anneal_epochs: Steps on the way, a whole number of at least 0.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        last_epoch: The last epoch done, or -1.

    Raises:
        ValueError: If an argument is out of its range, or a list has the wrong length.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> scheduler = SWALR(optimizer, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
        >>> optimizer.step()
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [0.75]

    Source: Izmailov et al. (2018), arXiv:1803.05407.
    """

    _torch = swa_utils.SWALR

    anneal_epochs: Any = Parameter()
    _anneal_strategy: Any = Parameter()
    swa_lrs: Any = Parameter(per_group=True)
    starts: Any = Parameter(per_group=True)

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        self.swa_lrs = per_group("swa_lr", swa_lr, optimizer)
        self.anneal_epochs, self._anneal_strategy = anneal_epochs, anneal_strategy
        self.starts = []
        # Everything is checked before the optimizer is touched.
        self._shape()
        with groups_restored_on_error(optimizer.param_groups):
            self._mark_groups(optimizer)
            super().__init__(optimizer, last_epoch)

    _get_initial_lr = staticmethod(swa_utils.SWALR._get_initial_lr)

    def _keys(self) -> tuple[str, ...]:
        return ("swa_lr",)

    def _shape(self) -> Schedule:
        for lr in self.swa_lrs:
            number("swa_lr", lr, at_least=0)
        return _left(self.anneal_epochs, self._anneal_strategy)

    def _bind(self, slot: Slot, index: int) -> Binding:
        return Binding(gain=self.starts[index] - self.swa_lrs[index], offset=self.swa_lrs[index])

    def _initial_step(self) -> None:
        self._under_way = self.last_epoch >= 0
        for group in self.optimizer.param_groups:
            # It writes nothing yet, but no NumPy scalar may stay in the optimizer's state.
            if not isinstance(group["lr"], Tensor | float | int):
                group["lr"] = plain(group["lr"])
            elif type(group["lr"]).__module__ == "numpy":
                group["lr"] = float(group["lr"])
        left = self._shape()(self.last_epoch + 1)
        self.starts = [
            _start(plain(group["lr"]), lr, left)
            for group, lr in zip(self.optimizer.param_groups, self.swa_lrs, strict=True)
        ]
        super()._initial_step()

    def _mark_groups(self, optimizer: Optimizer) -> None:
        """Write the final rates into the groups, where torch keeps them."""
        for group, lr in zip(optimizer.param_groups, self.swa_lrs, strict=True):
            group["swa_lr"] = lr

    def _move(self, position: float) -> None:
        if not self._under_way and not self._has_rule:
            # It starts from the current rates, and contributes nothing until then.
            self._check_free()
            self._recognize_groups()
            ratios = self._ratios()
            rates, self._carried = (plain(group["lr"]) for group in self.groups), None
            self.starts = [lr / ratio for lr, ratio in zip(rates, ratios, strict=True)]
            self.swa_lrs = self._swa_lrs_in_groups()
            self._recognize_groups()
            self._replan()
            if position == 0 and self.anneal_epochs > 0:
                self._attach()
                self._set_position(position)
                self.membership.silent = True
                return
        # Set first: rates left by an interrupted write must not be taken for the start.
        before, self._under_way = self._under_way, position > 0
        try:
            super()._move(position)
        except Exception:
            self._under_way = before
            raise

    def begin(self, view: list[Group]) -> list[float]:
        """Return the rates at its position 0: those that the previous scheduler left."""
        self.starts = list(rates_in(view))
        return super().begin(view)

    def _ratios(self) -> list[float]:
        """Return its own factor in each current rate: 1, except at the end."""
        groups = len(self.groups)
        if self.last_epoch < 0 or self.anneal_epochs:
            return [1.0] * groups
        known = [d.contribution(i, 0.0).ratio for d in self.plan.driven for i in d.groups]
        return [ratio or 1.0 for ratio in known] + [1.0] * (groups - len(known))

    def _swa_lrs_in_groups(self) -> list[float]:
        pairs = zip(self.groups, self.swa_lrs, strict=False)
        return [plain(group.get("swa_lr", lr)) for group, lr in pairs]

    def _regroup(self, old: list[int | None]) -> None:
        swa_lrs, starts = list(self.swa_lrs), list(self.starts)
        known = len(swa_lrs)
        self.swa_lrs, self.starts = [], []
        left = self._shape()(max(self.last_epoch, 0))
        for group, origin in zip(self.groups, old, strict=True):
            if origin is None and "swa_lr" not in group and len(set(swa_lrs)) > 1:
                raise ValueError(
                    f"group {known} was added, but swa_lr={swa_lrs!r} is a list for {known} "
                    "groups; give the new group a swa_lr of its own"
                )
            if origin is None:
                swa_lr = plain(group.setdefault("swa_lr", swa_lrs[0]))
                self.swa_lrs.append(number("swa_lr", swa_lr, at_least=0))
                self.starts.append(_start(plain(group["lr"]), swa_lr, left))
            else:
                self.swa_lrs.append(swa_lrs[origin])
                self.starts.append(starts[origin])
        self._carry_over(old)
        Driver._regroup(self, old)

    def _resume_from(self, rates: Any, position: float, count: int) -> None:
        self._under_way = position > 0 or self.anneal_epochs == 0
        self._mark_groups(self.optimizer)
        super()._resume_from(rates, position, count)

    def _load(self, state: dict[str, Any]) -> None:
        if (
            "starts" not in state
            and {"_step_count", "_last_lr", "anneal_epochs", "_anneal_strategy"} <= state.keys()
        ):
            # Torch's state counts steps, and has only the rate after the last one.
            steps = whole("_step_count", state["_step_count"], at_least=1) - 1
            left = _left(state["anneal_epochs"], state["_anneal_strategy"])(steps)
            state["last_epoch"], state["swa_lrs"] = steps, self._swa_lrs_in_groups()
            pairs = zip(state["_last_lr"], state["swa_lrs"], strict=False)
            state["starts"] = [_start(plain(lr), swa_lr, left) for lr, swa_lr in pairs]
        super()._load(state)

    @property
    def anneal_func(self) -> Any:
        """The function from the share of the time to the share of the way, both from 0 to 1."""
        way = _left(1, self._anneal_strategy)
        return lambda t: 1 - way(t)


def _left(epochs: Any, strategy: Any) -> Schedule:
    """Return how much of the way is left: 1 at the start, 0 at the end."""
    if strategy not in ("cos", "linear"):
        raise ScheduleError(
            f"anneal_strategy must be one of 'cos' or 'linear', instead got {strategy!r}"
        )
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 0:
        raise ScheduleError(f"anneal_epochs must be an int of at least 0, got {epochs!r}")
    counted("anneal_epochs", epochs, at_least=0)
    ease = "cosine" if strategy == "cos" else "linear"
    return ramp(epochs, start=1.0, to=0.0, ease=ease) >> hold()


def _start(lr: float, swa_lr: float, left: float) -> float:
    """Return where a rate started, given the share of its way that is left."""
    return swa_lr + (lr - swa_lr) / left if left else swa_lr
