"""Trees of drop-ins: what ``SequentialLR`` and ``ChainedScheduler`` have in common.

A tree is driven as one scheduler: the values that its children would assign are composed into one
schedule of the position, so a tree can be sought, nested and resumed like any other scheduler. Its
children keep their parameters and their part of the state, but no longer drive.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from torch.optim.lr_scheduler import ReduceLROnPlateau

from lehr.curves import Curve, Path
from lehr.curves.path import Window
from lehr.errors import ScheduleError
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.schedule.node import ATOM, Length, Reach, Site
from lehr.schedule.run import Run
from lehr.torch.binding import LR, Binding, Group, Slot, plain
from lehr.torch.checkpoint import short
from lehr.torch.driver import Driver
from lehr.torch.dropins.base import DropIn
from lehr.torch.plan import Driven, DrivePlan, StepLevels
from lehr.torch.shared import shared_of


@dataclass(frozen=True, repr=False)
class Switch(Schedule):
    """Endless schedules one after the other, each from its own beginning.

    Unlike in a sequence, no level passes from one to the next, and no user-defined function is
    called for an unused value.
    """

    parts: tuple[Schedule, ...]
    milestones: tuple[int, ...]

    @property
    def _reach(self) -> Reach:
        return Reach.ENDLESS

    def _span(self, run: Run) -> Length | None:
        return None

    def _place(self, at: Site) -> Curve:
        lengths = [b - a for a, b in zip((0, *self.milestones), self.milestones, strict=False)]
        curves = [
            Window(part._path, Fraction(0), None if length is None else Fraction(length))
            for part, length in zip(self.parts, [*lengths, None], strict=True)
        ]
        return Path(curves)

    def _text(self) -> tuple[str, int]:
        return f"switch({list(self.parts)}, {list(self.milestones)})", ATOM


@dataclass(frozen=True)
class PlanPart:
    """A child's value of one number of one group: ``offset + gain * schedule(position)``."""

    schedule: Schedule
    binding: Binding
    absolute: bool = False
    """Whether it is independent of the group's base."""

    @property
    def value(self) -> Schedule:
        """The child's value, as a schedule."""
        if self.binding == Binding():
            return self.schedule
        return self.schedule * self.binding.gain + self.binding.offset

    def ratio(self, base: float) -> Schedule | None:
        """Return the value over the group's base; None where that is not finite."""
        if self.binding == Binding(gain=base):
            return self.schedule
        scale, high = 1 / base if base else math.inf, self.value.bounds[1]
        overflows = scale == math.inf or (high * scale == math.inf > high)
        return None if overflows else self.value * scale

    def at(self, position: int, base: float) -> PlanPart:
        """Return a copy held at the value of one position."""
        level = float(self.value(position))
        return PlanPart(hold(at=1.0), Binding(gain=level), self.absolute or level != base)


def part_of(child: Driver, slot: Slot, index: int) -> PlanPart | None:
    """Return a child's value of a number of a group; None if it does not drive it."""
    driven = child.plan.of_slot(slot, index)
    if driven is None:
        return None
    offset, gain = driven.line(index)
    return PlanPart(driven.levels.schedule, Binding(gain, offset), driven.absolute)


def still(level: float) -> PlanPart:
    """Return a constant number."""
    return PlanPart(hold(at=1.0), Binding(gain=level))


class Tree(DropIn):
    """A scheduler whose values are composed of its children's."""

    _deprecates_epoch = False
    _loading = False

    def __init__(self, optimizer: Any, children: Any, last_epoch: int = -1) -> None:
        self._schedulers = _checked(type(self).__name__, optimizer, children)
        super().__init__(self._schedulers[0].optimizer, last_epoch)

    def _initial_step(self) -> None:
        # As in torch, each child begins at its base.
        for child in self.drop_ins:
            if not child._has_rule:
                child._carried = None
        # Children that cannot be composed are refused before any is taken.
        self._replan()
        self._take()
        super()._initial_step()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._take()

    def _take(self) -> None:
        """Start to drive in the children's place."""
        shared = shared_of(self._optimizers)
        for child in self._schedulers:
            child._owner = weakref.ref(self)
            child.settle()
            shared.leave(child)

    def _undo(self) -> None:
        """Undo the first step, as torch's containers undo each leaf of a tree."""
        if self._owned_by() is None:
            self._set_position(-1)
        super()._undo()

    def _begins_elsewhere(self) -> bool:
        return False

    # ----- going on from the present rates ------------------------------------------------------

    @property
    def drop_ins(self) -> list[DropIn]:
        """The children that can continue from their current rates: all but a ``Scheduler``."""
        return [child for child in self._schedulers if isinstance(child, DropIn)]

    def lists(self) -> list[Any]:
        """Return the lists among its parameters and its children's."""
        return [*super().lists(), *(each for child in self.drop_ins for each in child.lists())]

    def _keys(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(key for child in self.drop_ins for key in child._keys()))

    @property
    def _has_rule(self) -> bool:
        return any(child._has_rule for child in self.drop_ins)

    def _has_changes(self) -> bool:
        return super()._has_changes() or any(child._has_changes() for child in self.drop_ins)

    def _follow_changes(self) -> None:
        self._recognize_groups()
        self._carry()
        for child in self.drop_ins:
            if child._has_changes():
                child._follow_changes()
        super()._follow_changes()

    # ----- composing ----------------------------------------------------------------------------

    def _compose(self, slot: Slot, parts: list[PlanPart | None], base: float) -> PlanPart:
        """Return the children's joint value of a number of a group with this base."""
        raise NotImplementedError

    def _local(self, child: Driver, position: int) -> int:
        """Return a child's position when the tree is at ``position``; -1 before its turn."""
        raise NotImplementedError

    def _resolve(self) -> DrivePlan:
        slots = {s.place: s for child in self._schedulers for s in child.plan.slots}
        return DrivePlan(tuple(driven for slot in slots.values() for driven in self._driven(slot)))

    def _driven(self, slot: Slot) -> list[Driven]:
        """Return the plan's entries for a slot, one for all groups with the same schedule."""
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

    def use_loaded_bases(self) -> None:
        """Use the bases of a loaded optimizer, in the children too."""
        for child in self._schedulers:
            child.use_loaded_bases()
        super().use_loaded_bases()

    def snapshot(self) -> Callable[[], None]:
        """Return a function that restores all attributes, and the children's."""
        parts = [*(child.snapshot() for child in self._schedulers), super().snapshot()]

        def restore() -> None:
            for restore_part in parts:
                restore_part()

        return restore

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
                + (f"{len(parts)}" if isinstance(parts, list | tuple) else short(parts))
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
        """Called when a child's parameters have changed."""
        if not self._loading:
            self._replan()
            self._resume(self._position, self._step_count)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._schedulers!r}, at {self.last_epoch})"


def _checked(name: str, optimizer: Any, children: Any) -> list[Driver]:
    """Return the children, after checking that they can be composed."""
    found = list(children)
    if not found:
        raise ScheduleError(f"{name} expects at least one scheduler, but got no scheduler.")
    for index, child in enumerate(found):
        if not hasattr(child, "optimizer"):
            raise TypeError(f"{name} at index {index} should have `optimizer` as its attribute.")
        optimizer = child.optimizer if optimizer is None else optimizer
        if isinstance(child, ReduceLROnPlateau) or getattr(child, "feedback", None) is not None:
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
        if child.plan.follows_time:
            raise ScheduleError(
                f"the {type(child).__name__} at index {index} follows elapsed time, and a "
                "container follows the position: write one schedule of both, and drive that"
            )
        if any(child is other for other in found[:index]):
            raise ScheduleError(f"the scheduler at index {index} appears twice: {child!r}")
    return found


def plan_rates(child: Driver, position: int, view: list[Group]) -> list[float]:
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
