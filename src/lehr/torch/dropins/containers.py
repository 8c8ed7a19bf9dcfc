"""Drop-ins: ``SequentialLR`` and ``ChainedScheduler``, which nest to any depth."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lehr.errors import ScheduleError, several, whole
from lehr.torch.binding import Binding, Group, Slot, plain
from lehr.torch.driver import Driver
from lehr.torch.dropins.arguments import counted
from lehr.torch.dropins.base import DropIn
from lehr.torch.dropins.parameters import Parameter
from lehr.torch.dropins.recursion import Carried
from lehr.torch.dropins.swa import SWALR
from lehr.torch.dropins.tree import PlanPart, Switch, Tree, plan_rates, still


def _whole_numbers(name: str, values: Any) -> list[int]:
    return [counted(name, value, at_least=0) for value in several(name, values)]


class SequentialLR(Tree):
    """One scheduler after the other, each from its own beginning.

    Formula: from milestone ``k`` on (the first scheduler from 0), scheduler ``k`` at the position
    ``epoch - milestone``.

    If only some of the schedulers drive a number, such as the momentum of a ``OneCycleLR``, the
    others leave it as it was. Unlike torch's, ``last_epoch=n`` equals n steps, containers may be
    children, and a child can no longer be stepped by itself.

    Arguments:
        optimizer: The optimizer that all of them drive.
        schedulers: At least one, of :mod:`lehr.torch`; containers too.
        milestones: Where each scheduler but the first begins: whole numbers of at least 0, in
            order.
        last_epoch: The last position done, or -1.

    Raises:
        ValueError: If there are none, their optimizers differ, the milestones do not fit or
            are not in order, or one of them is a ``ReduceLROnPlateau``.
        TypeError: If one is not a scheduler, or not of :mod:`lehr.torch`.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> from lehr.torch import ExponentialLR, LinearLR
        >>> parts = [LinearLR(optimizer, 0.5, total_iters=2), ExponentialLR(optimizer, 0.5)]
        >>> scheduler = SequentialLR(optimizer, parts, milestones=[2])
        >>> for _ in range(4):
        ...     optimizer.step()
        ...     print(scheduler.get_last_lr())
        ...     scheduler.step()
        [0.5]
        [0.75]
        [1.0]
        [0.5]
    """

    _milestones: Any = Parameter(_whole_numbers)

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: list[LRScheduler],
        milestones: list[int],
        last_epoch: int = -1,
    ) -> None:
        self._milestones = several("milestones", milestones)
        super().__init__(optimizer, schedulers, last_epoch)

    def _starts(self) -> list[int]:
        """Return where each child begins."""
        found = [whole("milestones", milestone, at_least=0) for milestone in self._milestones]
        if len(found) != len(self._schedulers) - 1:
            raise ScheduleError(
                "Sequential Schedulers expects number of schedulers provided to be one more than "
                f"the number of milestone points, but got number of schedulers "
                f"{len(self._schedulers)} and the number of milestones to be equal to {len(found)}"
            )
        if found != sorted(found):
            raise ScheduleError(f"milestones={self._milestones!r} must be in order")
        return [0, *found]

    def _next_rates(self, view: list[Group]) -> list[float]:
        starts, position = self._starts(), self.last_epoch
        index = bisect_right(starts, position) - 1
        child = self._schedulers[index]
        if not isinstance(child, DropIn):
            return plan_rates(child, child.last_epoch, view)
        return child.begin(view) if position == starts[index] else child._next_rates(view)

    def _local(self, child: Driver, position: int) -> int:
        starts = self._starts()
        index = next(i for i, other in enumerate(self._schedulers) if other is child)
        if position < starts[index] or (
            index + 1 < len(starts) and starts[index] == starts[index + 1]
        ):
            return -1
        end = starts[index + 1] if index + 1 < len(starts) else position + 1
        return min(position + 1, end) - 1 - starts[index]

    def _compose(self, slot: Slot, parts: list[PlanPart | None], base: float) -> PlanPart:
        starts = self._starts()
        left, whole_parts = still(base), list[PlanPart]()
        for index, (child, part) in enumerate(zip(self._schedulers, parts, strict=True)):
            if part is None:
                part = left
            elif isinstance(child, SWALR):
                # It starts from wherever the previous one left the rate.
                start = float(left.value(0))
                swa_lr = part.binding.offset
                part = PlanPart(part.schedule, Binding(gain=start - swa_lr, offset=swa_lr), True)
            whole_parts.append(part)
            length = starts[index + 1] - starts[index] if index + 1 < len(starts) else 0
            if length > 0:
                left = part.at(length - 1, base)
        if len(whole_parts) == 1:
            return whole_parts[0]
        ratios = [part.ratio(base) for part in whole_parts]
        absolute = any(part.absolute for part in whole_parts)
        milestones = tuple(starts[1:])
        if absolute or None in ratios:
            return PlanPart(
                Switch(tuple(p.value for p in whole_parts), milestones), Binding(), True
            )
        switch = Switch(tuple(ratio for ratio in ratios if ratio is not None), milestones)
        return PlanPart(switch, Binding(gain=base))


class ChainedScheduler(Tree):
    """Several schedulers at the same time: their factors multiply.

    Formula: ``base_lr`` times, for each scheduler, its rate over ``base_lr``; or, where one of them
    has rates of its own (``OneCycleLR``, ``CyclicLR``), those times the factors of the others.

    Torch's class calls one after the other, so a scheduler that assigns its rate (``LambdaLR``,
    ``CosineAnnealingWarmRestarts``) erases the effect of those before it.

    Arguments:
        schedulers: At least one, of :mod:`lehr.torch`; containers too.
        optimizer: The optimizer that all of them drive; by default that of the first.

    Raises:
        ValueError: If there are none, they are of different optimizers, one of them is a
            ``ReduceLROnPlateau`` or an ``SWALR``, or two have rates of their own.
        TypeError: If one is not a scheduler, or not of :mod:`lehr.torch`.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> from lehr.torch import ConstantLR, ExponentialLR
        >>> parts = [ConstantLR(optimizer, 0.5, total_iters=1), ExponentialLR(optimizer, 0.5)]
        >>> scheduler = ChainedScheduler(parts)
        >>> scheduler.get_last_lr()
        [0.5]
        >>> optimizer.step()
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [0.5]
    """

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        for index, child in enumerate(schedulers):
            if isinstance(child, SWALR):
                raise ScheduleError(
                    f"ChainedScheduler: the SWALR at index {index} goes to a rate of its own, "
                    "which no other may change; write a SequentialLR that ends with it"
                )
        super().__init__(optimizer, schedulers)

    def _carry(self) -> Carried:
        for child in self.drop_ins:
            child._carry()
        return super()._carry()

    def _next_rates(self, view: list[Group]) -> list[float]:
        """Return the product of the children's rates, each continued from the child's own."""
        position = self.last_epoch
        before = self._product(position - 1, view)
        # As in torch, a child that computes its rate from the base discards the written one.
        if self.drop_ins and all(child._recursive for child in self.drop_ins):
            for index, group in enumerate(view):
                if group["lr"] != before[index]:
                    self._go_on_from(index, group["lr"], before[index])
        carried: list[Carried] = []
        for child in self.drop_ins:
            own = child._carry().rates
            part = [{**group, "lr": rate} for group, rate in zip(view, own, strict=True)]
            carried.append(Carried(tuple(child._next_rates(part))))
            for group, seen in zip(view, part, strict=True):
                group.update({**seen, "lr": group["lr"]})
        for child, each in zip(self.drop_ins, carried, strict=True):
            child._carried = each
        return self._product(position, view)

    def _go_on_from(self, index: int, rate: float, before: float) -> None:
        """Make the children's product equal a rate that was written by hand into a group."""
        first, *others = self.drop_ins
        if not before:
            # If the product was 0, no child keeps a 0.
            for child in others:
                child._carried = child._carry().at(index, plain(self.base_lrs[index]))
        own = first._carry().rates[index] * rate / before if before else rate
        first._carried = first._carry().at(index, own)

    def _product(self, position: int, view: list[Group]) -> list[float]:
        """Return the product of the children's own rates at a position."""
        found: list[float] = []
        order = sorted(self._schedulers, key=lambda child: not child.is_absolute)
        rates = [
            child._carry().rates if isinstance(child, DropIn) else plan_rates(child, position, view)
            for child in order
        ]
        for index, base in enumerate(map(plain, self.base_lrs)):
            first, *others = (own[index] for own in rates)
            found.append(first * math.prod(rate / base if base else 1.0 for rate in others))
        return found

    def _local(self, child: Driver, position: int) -> int:
        return position

    def _compose(self, slot: Slot, parts: list[PlanPart | None], base: float) -> PlanPart:
        driving = [part for part in parts if part is not None]
        if len(driving) == 1:
            return driving[0]
        leads = [part for part in driving if part.absolute or part.ratio(base) is None]
        if len(leads) > 1:
            raise ScheduleError(
                f"two of {self._schedulers!r} give {slot.name} numbers of their own, which cannot "
                "both hold; chain one of them with factors, or write a SequentialLR"
            )
        product = leads[0].value if leads else None
        for part in driving:
            ratio = part.ratio(base)
            if part not in leads and ratio is not None:
                product = ratio if product is None else product * ratio
        assert product is not None
        return (
            PlanPart(product, Binding(), True) if leads else PlanPart(product, Binding(gain=base))
        )

    def _load(self, state: dict[str, Any]) -> None:
        # Torch's states have no position of their own: the first child's is used.
        parts = state.get("_schedulers")
        while "last_epoch" not in state and isinstance(parts, list | tuple) and parts:
            if not isinstance(parts[0], dict):
                break
            if "last_epoch" in parts[0]:
                state["last_epoch"] = parts[0]["last_epoch"]
            parts = parts[0].get("_schedulers")
        super()._load(state)
