"""Drop-ins: ``SequentialLR`` and ``ChainedScheduler``, trees that compose to any depth.

A tree is driven as one scheduler: what its children would assign is composed to one schedule of the
position, so that a tree can be sought, nested and resumed as any other. Its children keep their
parameters and their part of the state, and do not drive any more.
"""

from __future__ import annotations

import math
import weakref
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from lehr.errors import ScheduleError, whole
from lehr.schedule.base import Schedule
from lehr.torch.binding import LR, Binding, Group, Slot, plain
from lehr.torch.checkpoint import short
from lehr.torch.driver import Driver
from lehr.torch.dropins.base import DropIn, counted
from lehr.torch.dropins.carrying import Carried, Carrying, copied
from lehr.torch.dropins.container_parts import Part, Switch, part_of, still
from lehr.torch.dropins.swa import SWALR
from lehr.torch.plan import ClockLevels, Driven, DrivePlan, StepLevels
from lehr.torch.shared import shared_of

__all__ = ["ChainedScheduler", "SequentialLR"]


class _Tree(DropIn):
    """A scheduler whose values are composed of its children's."""

    _deprecates_epoch = False
    _loading = False

    def __init__(self, optimizer: Any, children: Any, last_epoch: int = -1) -> None:
        self._schedulers = _checked(type(self).__name__, optimizer, children)
        super().__init__(self._schedulers[0].optimizer, last_epoch)

    def _initial_step(self) -> None:
        # Whatever cannot be composed is refused before the children are taken.
        self._replan()
        self._take()
        super()._initial_step()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._take()

    def _take(self) -> None:
        """Drive in the children's place."""
        shared = shared_of(self._optimizers)
        for child in self._schedulers:
            child._owner = weakref.ref(self)
            child.settle()
            shared.leave(child)

    def _undo(self) -> None:
        """Go back to before the first step; torch's containers undo each leaf of a tree."""
        if self._owned_by() is None:
            self._place(-1)
        super()._undo()

    # ----- going on from the present rates ------------------------------------------------------

    @staticmethod
    def _present(scheduler: Any) -> tuple[Any, ...]:
        children = (child for child in scheduler._schedulers if isinstance(child, Carrying))
        return *(child._present(child) for child in children), scheduler._own()

    def _own(self) -> Any:
        """Return its own parameters."""
        return None

    @property
    def _has_rule(self) -> bool:
        return any(child._has_rule for child in self._schedulers if isinstance(child, Carrying))

    def _note_parameters(self) -> None:
        # The children's lists change in place.
        self._seen = copied(self._present(self))

    def _on_parameters(self) -> None:
        self._recognize_groups()
        self._carry()
        for child in self._schedulers:
            if isinstance(child, Carrying) and child._present(child) != child._seen:
                child._on_parameters()
        super()._on_parameters()

    # ----- composing ----------------------------------------------------------------------------

    def _compose(self, slot: Slot, parts: list[Part | None], base: float) -> Part:
        """Return what the children give together for a number of a group with this base."""
        raise NotImplementedError

    def _local(self, child: Driver, position: int) -> int:
        """Return where a child is when the tree is at a position; -1 before its turn."""
        raise NotImplementedError

    def _resolve(self) -> DrivePlan:
        slots = {s.place: s for child in self._schedulers for s in child.plan.slots}
        return DrivePlan(tuple(driven for slot in slots.values() for driven in self._driven(slot)))

    def _driven(self, slot: Slot) -> list[Driven]:
        """Return an entry of the plan for all groups that have the same schedule in a slot."""
        found: list[tuple[Schedule, bool, list[Binding | None]]] = []
        for index, group in enumerate(self._known):
            parts = [part_of(child, slot, index) for child in self._schedulers]
            if all(part is None for part in parts):
                continue
            base = self._base(slot, index, group)
            whole = self._compose(slot, parts, base)
            ratio = None if whole.absolute else whole.ratio(base)
            schedule, absolute = (whole.value, True) if ratio is None else (ratio, False)
            alike = [bindings for *kind, bindings in found if kind == [schedule, absolute]]
            if not alike:
                alike = [list[Binding | None]([None] * len(self._known))]
                found.append((schedule, absolute, alike[0]))
            alike[0][index] = Binding() if absolute else Binding(gain=base)
        return [
            Driven(slot, StepLevels(schedule), tuple(bindings), absolute)
            for schedule, absolute, bindings in found
        ]

    def _base(self, slot: Slot, index: int, group: Group) -> float:
        if slot.place == LR.place:
            return plain(self.base_lrs[index])
        return shared_of(self._optimizers).base(slot, group)

    def _regroup(self, old: list[int | None]) -> None:
        for child in self._schedulers:
            child._recognize_groups()
        super()._regroup(old)

    def _set_base(self, slot: Slot, index: int, base: float) -> None:
        for child in self._schedulers:
            child._set_base(slot, index, base)
            child._replan()
        super()._set_base(slot, index, base)

    def read_bases(self) -> None:
        """Use the bases that a loaded optimizer brought, in the children too."""
        for child in self._schedulers:
            child.read_bases()
        super().read_bases()

    def snapshot(self) -> dict[str, Any]:
        """Return all attributes, and the children's, for :meth:`restore`."""
        children = [(child, child.snapshot()) for child in self._schedulers]
        return {**super().snapshot(), "children": children}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Put all attributes back."""
        attributes = dict(snapshot)
        for child, before in attributes.pop("children"):
            child.restore(before)
        super().restore(attributes)

    def _last_position(self) -> float:
        return math.inf

    # ----- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the position and the children's states, in plain types."""
        state = super().state_dict()
        state["_schedulers"] = [child.state_dict() for child in self._schedulers]
        return state

    def _load(self, state: dict[str, Any]) -> None:
        parts = state.pop("_schedulers", None)
        if not isinstance(parts, list | tuple) or len(parts) != len(self._schedulers):
            raise ScheduleError(
                f"not a state of a {type(self).__name__} of {len(self._schedulers)} "
                "_schedulers: the state has "
                + ("none" if not isinstance(parts, list | tuple) else f"{len(parts)}")
            )
        state.setdefault("base_lrs", [plain(lr) for lr in self.base_lrs])
        self._loading = True
        try:
            for index, (child, part) in enumerate(zip(self._schedulers, parts, strict=True)):
                try:
                    child.load_state_dict(part)
                except ScheduleError as error:
                    raise ScheduleError(f"_schedulers[{index}]: {error}") from None
            super()._load(state)
        finally:
            self._loading = False

    def _on_child_change(self) -> None:
        """Called when a child has other parameters."""
        if not self._loading:
            self._replan()
            self._resume(self._position, self._step_count)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._schedulers!r}, at {self.last_epoch})"


class SequentialLR(_Tree):
    """One scheduler after the other, each from its own beginning.

    Formula: from milestone ``k`` on (the first scheduler from 0), scheduler ``k`` at the position
    ``epoch - milestone``.

    What a scheduler does not drive while others of them do, such as the momentum of a
    ``OneCycleLR``, stays where the one before left it. Unlike torch's, ``last_epoch=n`` is n steps,
    containers may be children, and a child is a child: it is not stepped by itself any more.

    Arguments:
        optimizer: The optimizer that all of them drive.
        schedulers: At least one, of :mod:`lehr.torch`; containers too.
        milestones: Where each of them but the first begins: whole numbers of at least 0, in order.
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

    _saved = ("_milestones",)

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: list[LRScheduler],
        milestones: list[int],
        last_epoch: int = -1,
    ) -> None:
        self._milestones = list(milestones)
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

    def _own(self) -> Any:
        return self._milestones

    def _checked(self, name: str, value: Any) -> Any:
        if not isinstance(value, list) or len(value) != len(self._schedulers) - 1:
            raise ScheduleError(
                f"milestones={short(value)} must be a list with one for each scheduler but the "
                f"first of {len(self._schedulers)}"
            )
        return [counted("milestones", milestone, at_least=0) for milestone in value]

    def _next_rates(self, view: list[Group]) -> list[float]:
        starts, position = self._starts(), self.last_epoch
        index = bisect_right(starts, position) - 1
        child = self._schedulers[index]
        if not isinstance(child, Carrying):
            return _plan_rates(child, child.last_epoch, view)
        return child._begin(view) if position == starts[index] else child._next_rates(view)

    def _local(self, child: Driver, position: int) -> int:
        starts = self._starts()
        index = next(i for i, other in enumerate(self._schedulers) if other is child)
        if position < starts[index] or (
            index + 1 < len(starts) and starts[index] == starts[index + 1]
        ):
            return -1
        end = starts[index + 1] if index + 1 < len(starts) else position + 1
        return min(position + 1, end) - 1 - starts[index]

    def _compose(self, slot: Slot, parts: list[Part | None], base: float) -> Part:
        starts = self._starts()
        left, whole_parts = still(base), list[Part]()
        for index, (child, part) in enumerate(zip(self._schedulers, parts, strict=True)):
            if part is None:
                part = left
            elif isinstance(child, SWALR):
                # It goes from wherever the one before has left the rate.
                start = float(left.value(0))
                swa_lr = part.binding.offset
                part = Part(part.schedule, Binding(gain=start - swa_lr, offset=swa_lr), True)
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
            return Part(Switch(tuple(p.value for p in whole_parts), milestones), Binding(), True)
        switch = Switch(tuple(ratio for ratio in ratios if ratio is not None), milestones)
        return Part(switch, Binding(gain=base))


class ChainedScheduler(_Tree):
    """Schedulers all at once: their factors multiply.

    Formula: ``base_lr`` times, for each scheduler, its rate over ``base_lr``; or, where one of them
    has rates of its own (``OneCycleLR``, ``CyclicLR``), those times the factors of the others.

    Torch's calls one after the other, so that what assigns its rate (``LambdaLR``,
    ``CosineAnnealingWarmRestarts``) erases those before it.

    Arguments:
        schedulers: At least one, of :mod:`lehr.torch`; containers too.
        optimizer: The optimizer that all of them drive; that of the first without it.

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
        for child in self._carrying():
            child._carry()
        return super()._carry()

    def _carrying(self) -> list[Carrying]:
        return [child for child in self._schedulers if isinstance(child, Carrying)]

    def _next_rates(self, view: list[Group]) -> list[float]:
        """Return the product of the children's rates, each of which goes on from its own."""
        position = self.last_epoch
        before = self._product(position - 1, view)
        first = next((child for child in self._carrying() if child._recursive), None)
        if first is not None:
            for index, group in enumerate(view):
                # A rate that was written by hand is that of the first that goes on from it.
                if group["lr"] != before[index]:
                    own = first._carry().rates[index]
                    rate = own * group["lr"] / before[index] if before[index] else group["lr"]
                    first._carried = first._carry().at(index, rate)
        carried: list[Carried] = []
        for child in self._carrying():
            own = child._carry().rates
            part = [{**group, "lr": rate} for group, rate in zip(view, own, strict=True)]
            carried.append(Carried(tuple(child._next_rates(part))))
            for group, seen in zip(view, part, strict=True):
                group.update({**seen, "lr": group["lr"]})
        for child, each in zip(self._carrying(), carried, strict=True):
            child._carried = each
        return self._product(position, view)

    def _product(self, position: int, view: list[Group]) -> list[float]:
        """Return the rates that the children's own give together at a position."""
        found: list[float] = []
        order = sorted(self._schedulers, key=lambda child: not child.is_absolute)
        rates = [
            child._carry().rates
            if isinstance(child, Carrying)
            else _plan_rates(child, position, view)
            for child in order
        ]
        for index, base in enumerate(map(plain, self.base_lrs)):
            first, *others = (own[index] for own in rates)
            found.append(first * math.prod(rate / base if base else 1.0 for rate in others))
        return found

    def _local(self, child: Driver, position: int) -> int:
        return position

    def _compose(self, slot: Slot, parts: list[Part | None], base: float) -> Part:
        said = [part for part in parts if part is not None]
        if len(said) == 1:
            return said[0]
        leads = [part for part in said if part.absolute or part.ratio(base) is None]
        if len(leads) > 1:
            raise ScheduleError(
                f"two of {self._schedulers!r} give {slot.name} numbers of their own, which cannot "
                "both stand; chain one of them with factors, or write a SequentialLR"
            )
        product = leads[0].value if leads else None
        for part in said:
            ratio = part.ratio(base)
            if part not in leads and ratio is not None:
                product = ratio if product is None else product * ratio
        assert product is not None
        return Part(product, Binding(), True) if leads else Part(product, Binding(gain=base))

    def _load(self, state: dict[str, Any]) -> None:
        # Torch's states have no position of their own: it is that of the first child.
        parts = state.get("_schedulers")
        while "last_epoch" not in state and isinstance(parts, list | tuple) and parts:
            if not isinstance(parts[0], dict):
                break
            if "last_epoch" in parts[0]:
                state["last_epoch"] = parts[0]["last_epoch"]
            parts = parts[0].get("_schedulers")
        super()._load(state)


def _checked(name: str, optimizer: Any, children: Any) -> list[Driver]:
    """Return the children, each of which must be one that can be composed."""
    found = list(children)
    if not found:
        raise ScheduleError(f"{name} expects at least one scheduler, but got no scheduler.")
    for index, child in enumerate(found):
        if not hasattr(child, "optimizer"):
            raise TypeError(f"{name} at index {index} should have `optimizer` as its attribute.")
        optimizer = child.optimizer if optimizer is None else optimizer
        if isinstance(child, ReduceLROnPlateau) or getattr(child, "_rule", None) is not None:
            raise ScheduleError(
                f"{name} does not support `ReduceLROnPlateau`, nor any other scheduler that "
                f"follows a metric (at index {index}): leave it beside this one, and their "
                "factors multiply"
            )
        if child.optimizer is not optimizer:
            raise ScheduleError(
                f"{name} expects all schedulers to belong to the same optimizer, but the "
                f"{type(child).__name__} at index {index} has another one"
            )
        if not isinstance(child, Driver):
            kind = type(child)
            raise TypeError(
                f"{name} takes schedulers of lehr.torch, but the one at index {index} is a "
                f"{kind.__module__}.{kind.__qualname__}: write lehr.torch.{kind.__name__}, or take "
                f"torch.optim.lr_scheduler.{name}, which takes those of lehr.torch as well"
            )
        if any(isinstance(driven.levels, ClockLevels) for driven in child.plan.driven):
            raise ScheduleError(
                f"the {type(child).__name__} at index {index} goes by the time, and a container by "
                "the position: write one schedule of both, and drive that"
            )
        if any(child is other for other in found[:index]):
            raise ScheduleError(f"the scheduler at index {index} is there twice: {child!r}")
    return found


def _plan_rates(child: Driver, position: int, view: list[Group]) -> list[float]:
    """Return the rates of a child that always follows its plan, as a ``Scheduler`` does.

    Its other numbers are written into the view.
    """
    rates: list[float] = [plain(group["lr"]) for group in view]
    for slot, index, share in child.plan.contributions(position):
        if slot.place == LR.place:
            rates[index] = share.value
        else:
            slot.write(view[index], share.value)
    return rates
