"""Drop-in: ``CosineAnnealingWarmRestarts``, down a cosine again and again."""

from __future__ import annotations

from typing import Any

from torch.optim import Optimizer, lr_scheduler

from lehr.catalogue.cyclic import warm_restarts
from lehr.errors import number, whole
from lehr.schedule.base import Schedule
from lehr.torch.binding import Binding, Group, Slot, plain
from lehr.torch.dropins.arguments import number_of
from lehr.torch.dropins.base import DropIn
from lehr.torch.dropins.parameters import Parameter
from lehr.torch.dropins.recursion import Carried


class CosineAnnealingWarmRestarts(DropIn):
    """Take the rate down along a cosine again and again, each time from its base.

    Formula: ``eta_min + (base_lr - eta_min) * (1 + cos(pi * T_cur / T_i)) / 2``, where ``T_cur``
    epochs have passed since the last restart, and ``T_i`` is the number between two restarts.

    Restarts come from an exact table: torch's ``step(n)`` misses some by rounding, and its
    ``last_epoch=n`` forgets the cycle's length.

    Arguments:
        optimizer: The optimizer to drive.
        T_0: Epochs until the first restart, a whole number of at least 1.
        T_mult: Each cycle's length over that of the previous one, a whole number of at least 1.
        eta_min: The rate at the bottom, the same for all groups.
        last_epoch: The last epoch done, or -1.

    Raises:
        ValueError: If an argument is out of its range.
    """

    _torch = lr_scheduler.CosineAnnealingWarmRestarts
    _recursive = False
    # Its step is meant to be called with an epoch, even a fraction: epoch + batch / batches.
    _deprecates_epoch = False

    T_0: Any = Parameter()
    T_mult: Any = Parameter()
    eta_min: Any = Parameter()

    __slots__ = ("_counted", "_cycles", "_sought")

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        self.T_0 = T_0  # pyright: ignore[reportConstantRedefinition]
        self.T_mult, self.eta_min = T_mult, eta_min
        super().__init__(optimizer, last_epoch)

    def _shape(self) -> Schedule:
        first = whole("T_0", self.T_0, at_least=1)
        number("eta_min", number_of("eta_min", self.eta_min), at_least=0)
        return warm_restarts(first, whole("T_mult", self.T_mult, at_least=1))

    def _bind(self, slot: Slot, index: int) -> Binding:
        floor = number_of("eta_min", self.eta_min)
        return Binding(gain=plain(self.base_lrs[index]) - floor, offset=floor)

    def _start_at(self, last_epoch: int) -> None:
        super()._start_at(last_epoch)
        # The epochs since the last restart and between two restarts, once they are counted; and the
        # T_0 and T_mult of the current plan.
        self._counted: tuple[float, float] | None = None
        self._cycles = 1, 1
        # Their values after a jump, if these differ from the plan's.
        self._sought: tuple[float, float] | None = None

    def _replan(self) -> None:
        if self._carried is None:
            self._counted = None
        super()._replan()
        self._cycles = int(self.T_0), int(self.T_mult)

    def _set_position(self, position: float) -> None:
        if self._from is None and position >= 0 and self._counted is None:
            # Torch's class goes on counting from the last restart when ``last_epoch`` is set.
            self._carry()
        super()._set_position(position)

    def _carry(self) -> Carried:
        # Torch counts from now on: T_0 has no effect any more.
        if self._carried is None:
            self._counted = self._cycle()
        return super()._carry()

    def _update_lr(self, epoch: float | None = None) -> None:
        if epoch is None:
            if self._fraction:
                self._carry()  # torch counts on from there, and stays between two epochs
        elif (position := self._read_position(epoch)) >= self.T_0 and self.T_mult == 1:
            # Torch then keeps the length of its cycles, which may have been set.
            self._sought = (position % self.T_0, self.T_i) if self.T_i != self.T_0 else None
        try:
            super()._update_lr(epoch)
        finally:
            self._sought = None

    def _leave_rule(self) -> None:
        if self._sought is not None:
            self._carry()
            return
        super()._leave_rule()
        self._counted = None

    def _advanced(self) -> Carried:
        if self._sought is not None:
            self._from = -1  # also where the jump is to the present position
        return super()._advanced()

    def _cycle(self) -> tuple[float, float]:
        """Return the epochs since the last restart, and between it and the next."""
        position = max(self.last_epoch + self._fraction, 0)
        begin, (length, factor) = 0, self._cycles
        if factor == 1:
            begin = int(position // length) * length
        while factor > 1 and position >= begin + length:
            begin, length = begin + length, length * factor
        return position - begin, length

    def begin(self, view: list[Group]) -> list[float]:
        """Return the rates at its position 0; T_cur and T_i may have been set before."""
        counted = self._counted
        rates = super().begin(view)
        if counted is None:
            return rates
        self._counted = counted
        return super()._next_rates(view)

    def _next_rates(self, view: list[Group]) -> list[float]:
        before = self._counted
        done, length = self._cycle() if before is None else (before[0] + 1, before[1])
        if done >= length:
            done, length = done % length, length * self.T_mult
        self._counted = self._sought or (done, length)
        try:
            return super()._next_rates(view)
        except BaseException:
            self._counted = before
            raise

    def state_dict(self) -> dict[str, Any]:
        """Return the position and the parameters, with the cycle that torch's class reads."""
        return {**super().state_dict(), "T_cur": self.T_cur, "T_i": self.T_i}

    def _load(self, state: dict[str, Any]) -> None:
        super()._load(state)
        self._counted = None
        if self._carried is not None and {"T_cur", "T_i"} <= state.keys():
            self._counted = (
                number("T_cur", state["T_cur"], at_least=0),
                number("T_i", state["T_i"], above=0),
            )

    @property
    def T_cur(self) -> float:
        """Epochs since the last restart; if it is set, the next step continues from there."""
        return (self._counted or self._cycle())[0]

    @T_cur.setter
    def T_cur(self, epochs: float) -> None:
        done = number("T_cur", epochs, at_least=0)
        self._carry()
        self._counted = done, self.T_i
        self.parameter_set()

    @property
    def T_i(self) -> float:
        """Epochs between the last restart and the next."""
        return (self._counted or self._cycle())[1]

    @T_i.setter
    def T_i(self, epochs: float) -> None:
        length = number("T_i", epochs, above=0)
        self._carry()
        self._counted = self.T_cur, length
        self.parameter_set()
