"""The base of the drop-ins: torch's interface, torch's rule, a state of parameters."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, Literal

from torch.optim import Optimizer

from lehr.errors import ScheduleError, number
from lehr.schedule.base import Schedule
from lehr.torch.binding import LR, Binding, Group, Slot, plain, warn
from lehr.torch.checkpoint import check_adopt, fraction_in, loading, short
from lehr.torch.driver import Driver
from lehr.torch.dropins.arguments import counted, current, plain_copy, rates_of
from lehr.torch.dropins.parameters import Parameter, Parameters, check_alike
from lehr.torch.dropins.recursion import Carried, View, Watched, rates_in
from lehr.torch.optimizers import check_optimizer
from lehr.torch.plan import Contribution, Driven, DrivePlan, StepLevels
from lehr.torch.shared import shared_of
from lehr.torch.tensor_writers import Mixed
from lehr.torch.updates import TOO_EARLY, has_begun, own_step

# torch's recursions are off by this share; by more in single precision, if rates are tensors.
_ROUNDING = 1e-6


class DropIn(Driver):
    """A scheduler with torch's interface: loading a state replaces its parameters.

    It assigns the values of its plan, or continues from its current numbers by torch's rule
    (:mod:`lehr.torch.dropins.recursion`).
    """

    _torch: ClassVar[Any] = None
    """Torch's class, whose ``get_lr`` is the rule."""

    _deprecates_epoch = True

    _absolute: ClassVar[bool] = False
    """Whether the values are independent of the groups' bases."""

    _own_base: ClassVar[bool] = False
    """Whether ``base_lrs`` come from its arguments rather than from the optimizer."""

    _recursive: ClassVar[bool] = True
    """Whether the rule continues from the current rate, or discards it."""

    _carries_changes: ClassVar[bool] = True
    """Whether a changed parameter applies from now on only, not to the whole formula."""

    __slots__ = (
        *("_carried", "_from", "_stale", "_view", "_watched"),
        *("_get_lr_called_within_step", "_is_initial"),
    )

    base_lrs: Any = Parameter(saved=False)
    _parameters: ClassVar[Parameters] = Parameters({"base_lrs": base_lrs})
    """The attributes that its plan depends on."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._parameters = cls._parameters.of_class(cls)

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        for index, group in enumerate(optimizer.param_groups):
            if "lr" in group:
                LR.check(index, group)
        super().__init__(optimizer, counted("last_epoch", last_epoch, at_least=-1))

    def _start_at(self, last_epoch: int) -> None:
        super()._start_at(last_epoch)
        self._carried: Carried | None = None
        self._stale = False
        # The view of the groups that torch's rule reads while it runs.
        self._view: View | None = None
        # During a move, the position before it.
        self._from: float | None = None
        self._watched = Watched()
        # Attributes that torch's methods read.
        self._is_initial, self._get_lr_called_within_step = False, True

    def _initial_step(self) -> None:
        self._stepped = own_step(self.optimizer)
        if self._has_rule or self._begins_elsewhere():
            self._carried = Carried(rates_in(self.groups))
        self._is_initial = True
        try:
            super()._initial_step()
        finally:
            self._is_initial = False

    def _begins_elsewhere(self) -> bool:
        """Return whether torch's class would start from rates other than the groups' bases.

        An optimizer has such rates if it was loaded, or if its rate was written before.
        """
        if not self._recursive or self.last_epoch >= 0 or shared_of(self._optimizers).members:
            return False
        pairs = zip(self.groups, self.base_lrs, strict=True)
        return any("lr" in group and plain(group["lr"]) != plain(base) for group, base in pairs)

    # ----- the plan -----------------------------------------------------------------------------

    def _shape(self) -> Schedule:
        """Return the factor of each group's base rate."""
        raise NotImplementedError

    def _shapes(self) -> list[tuple[Slot, Schedule]]:
        """Return each number that is driven, with its schedule."""
        return [(LR, self._shape())]

    def _bind(self, slot: Slot, index: int) -> Binding:
        """Return how a level becomes a number of a group."""
        return Binding(gain=plain(self.base_lrs[index]))

    def _resolve(self) -> DrivePlan:
        driven: list[Driven] = []
        for slot, schedule in self._shapes():
            bindings = tuple(self._bind(slot, index) for index in range(len(self._known)))
            driven.append(Driven(slot, StepLevels(schedule), bindings, self._absolute))
        return DrivePlan(tuple(driven))

    def _get_closed_form_lr(self) -> list[float]:
        return self.plan.driven[0].values(self._position)

    # ----- groups that come and go --------------------------------------------------------------

    def _recognize_groups(self) -> None:
        # An empty list of groups is temporary, so the previous groups are remembered.
        if self.groups:
            super()._recognize_groups()

    def _regroup(self, old: list[int | None]) -> None:
        self._carry_over(old)
        self._parameters.regroup(self, old)
        if self._own_base and None in old:
            # Groups added later get the others' base rate instead of their own.
            check_alike(old, "base_lr", [plain(lr) for lr in self.base_lrs])
            for group, origin in zip(self.groups, old, strict=True):
                if origin is None:
                    group["initial_lr"] = self.base_lrs[0]
        super()._regroup(old)

    def _set_base(self, slot: Slot, index: int, base: float) -> None:
        if not self._own_base:
            super()._set_base(slot, index, base)

    keeps_loaded_values = True

    def use_loaded_bases(self) -> None:
        """Continue from the rates of a loaded optimizer, where torch's class does."""
        if self._owned_by() is not None:
            return
        if self._has_changes():
            self._follow_changes()
        super().use_loaded_bases()
        if len(self._attach().members) == 1 and not self.membership.silent:
            for group, rate in zip(self.groups, rates_in(self.groups), strict=True):
                if (index := self._known.index_of(group)) is not None and not self._is_at(
                    index, rate
                ):
                    self.base_for(LR, group, rate)

    def _is_at(self, index: int, rate: float) -> bool:
        """Return whether a rate is, up to rounding, a group's rate at the current position."""
        if self._carried is not None:
            return self._carried.rates[index] == rate
        driven = self.plan.of_slot(LR, index)
        value = rate if driven is None else driven.value(index, driven.levels.at(self._at))
        return math.isclose(value, rate, rel_tol=_ROUNDING)

    def _follows_bases(self) -> bool:
        # Its bases are in its state, as in torch.
        return False

    # ----- changed parameters -------------------------------------------------------------------

    def parameter_set(self) -> None:
        """Note that a parameter was set: the next step resolves the plan again."""
        self._stale = True
        if hasattr(self, "_ahead"):  # otherwise it is being built
            self.settle()

    def lists(self) -> list[Any]:
        """Return the parameters that people change in place; each step compares them."""
        return self._parameters.lists(self)

    def _keys(self) -> tuple[str, ...]:
        """Return the keys that torch reads from the groups at each step."""
        return ()

    def _replan(self) -> None:
        super()._replan()
        self._note_parameters()

    def _note_parameters(self) -> None:
        self._watched = Watched.now(self.lists(), self._keys(), self.groups)
        self._stale = False

    def _has_changes(self) -> bool:
        """Return whether parameters were changed since the plan was resolved."""
        return self._stale or not self._watched.unchanged(self.groups)

    def _follow_changes(self) -> None:
        """Resolve the plan again after parameters were changed."""
        plan = self._parameters.resolve(self)
        # Only torch's rule reads the groups' other keys.
        if self._carries_changes or self._watched.keys_changed(self.groups):
            self._carry()
        self.plan = plan
        self.settle()
        self._note_parameters()

    # ----- moving -------------------------------------------------------------------------------

    def _check_order(self) -> None:
        # These are torch's own warnings.
        if self._stepped not in (None, own_step(self.optimizer)):
            warn(
                "`optimizer.step()` has been overridden since this scheduler was built: make sure "
                "that the new one updates the weights, and before `lr_scheduler.step()`"
            )
        if not has_begun(self.optimizer, self._updates):
            warn(
                f"{TOO_EARLY}; see "
                "https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"
            )

    def _step_slowly(self, epoch: float | None) -> None:
        if epoch is not None:
            # As in torch, the value then depends on the epoch alone.
            self._attach().forget()
        super()._step_slowly(epoch)

    def _update_lr(self, epoch: float | None = None) -> None:
        carried = self._carried
        if epoch is not None:
            self._check_position(self._read_position(epoch))
            self._leave_rule()
        try:
            super()._update_lr(epoch)
        except BaseException:
            self._carried = self._carried or carried
            raise
        if self._has_rule:
            self._carry()

    def _leave_rule(self) -> None:
        """Return to the formula, as a jump does."""
        if self._has_changes():
            self._follow_changes()
        # As in torch, the rule of a subclass is ignored where there is a closed form.
        if self._carried is not None and (
            not self._has_rule or hasattr(self._torch, "_get_closed_form_lr")
        ):
            self._carried = None
            self._replan()

    def _move(self, position: float) -> None:
        if self._has_changes():
            self._follow_changes()
        carries = self._carried is not None
        goes_on = position == self.last_epoch + 1 and (carries or not self._fraction)
        if not goes_on:
            self._leave_rule()
        before, uncounted = self._position, self._count_offset
        self._from = before
        try:
            super()._move(position)
        except BaseException:
            if self._carried is not None and self._from is not None:
                # Its rates are still those of the previous step.
                self._ahead, self._count_offset = self._ahead.emptied(before), uncounted
            raise
        finally:
            self._from = None

    def write_alone(self) -> bool:
        """Write its values, and compute those of the next steps where they are known."""
        if self._carried is None:
            if not super().write_alone():
                return False
            self._ahead.step = self._watched.guarding(self._ahead.step)
            return True
        groups = self.groups
        if not self._known.are(groups):
            return False
        carried, shared = self._advanced(), self._attach()
        for slot, values in carried.numbers:
            shared.writer(slot, Mixed).write(groups, list(values))
        self.settle()
        return True

    # ----- torch's rule -------------------------------------------------------------------------

    @property
    def _has_rule(self) -> bool:
        """Whether a subclass has a ``get_lr`` of its own, which is called at each step."""
        return not getattr(type(self).get_lr, "__module__", "").startswith("lehr.torch.")

    def _carry(self) -> Carried:
        """Continue from the current rates from now on."""
        if self._carried is None:
            plan = DrivePlan() if self._at < 0 or self.membership.silent else self.plan
            self._carried = Carried(Carried.of_plan(plan, self._at, self._known).rates)
            self.settle()
        return self._carried

    @property
    def _at(self) -> float:
        """Its own position, even when it is part of a container."""
        return self.last_epoch + self._fraction

    def _carry_over(self, old: list[int | None]) -> None:
        """Reorder the numbers that it continues from, for a new order of groups."""
        if self._carried is not None or (None in old and self._recursive):
            self._carried = self._carry().regrouped(old, self.groups)

    def base_for(self, slot: Slot, group: Group, value: float) -> float | None:
        """Continue from a rate written by hand, where torch's class does; it is never a base."""
        index = self._known.index_of(group)
        if slot.place == LR.place and index is not None and (self._recursive or self._has_rule):
            self._carried = self._carry().at(index, value)
        return None

    @property
    def carries(self) -> bool:
        return self._carried is not None

    def scale_carried(self, group: Group, ratio: float) -> None:
        index = self._known.index_of(group)
        if self._carried is not None and index is not None and not self.is_absolute:
            self._carried = self._carried.at(index, ratio * self._carried.rates[index])

    def get_lr(self) -> list[Any]:
        """Return the rate of each group at the current position.

        A subclass may override this: it is called once per step, as in torch, and
        ``super().get_lr()`` is torch's rule.
        """
        if self._view is None:
            return super().get_lr()
        if self._torch is None:
            return list(Carried.of_plan(self.plan, self._at, self._known).rates)
        return self._torch.get_lr(self)

    @property
    def optimizer(self) -> Any:
        """The optimizer that it was built with; to torch's rule, a view with its own rates."""
        return super().optimizer if self._view is None else self._view

    @optimizer.setter
    def optimizer(self, optimizer: Any) -> None:
        self._use_wrapper(optimizer)

    def _advanced(self) -> Carried:
        """Make the step that is due, and return the resulting numbers."""
        carried = self._carry()
        if self._from is None or self._from == self._position:
            return carried
        view = [{**g, "lr": rate} for g, rate in zip(self._known, carried.rates, strict=True)]
        rates = self._next_rates(view)
        others = [slot for slot in self.plan.slots if slot.place != LR.place]
        self._carried = Carried(
            tuple(rates),
            tuple(
                (slot, tuple(plain(slot.read(g)) if slot.exists_in(g) else None for g in view))
                for slot in others
            ),
        )
        self._from = None
        return self._carried

    def _next_rates(self, view: list[Group]) -> list[float]:
        """Return the rates at the current position, computed from the previous ones.

        Arguments:
            view: Copies of the groups with the previous rates; other numbers are written there.
        """
        uncounted = self._count_offset
        self._view, self._count_offset = View(self.optimizer, view), 1
        try:
            values = list(self.get_lr())
        finally:
            self._view, self._count_offset = None, uncounted
        if len(values) != len(view):
            raise ScheduleError(
                f"{type(self).__name__}.get_lr() must return one rate for each of the "
                f"{len(view)} groups; it returned {len(values)}"
            )
        return [number("get_lr()", plain(value)) for value in values]

    def begin(self, view: list[Group]) -> list[float]:
        """Return the rates at its position 0, when its turn in a container has come."""
        self._carried = None
        self._replan()
        if self._has_rule and not hasattr(self._torch, "_get_closed_form_lr"):
            return self._next_rates(view)
        first = Carried.of_plan(self.plan, 0, view)
        for slot, values in first.others:
            for group, value in zip(view, values, strict=True):
                if value is not None:
                    slot.write(group, value)
        return list(first.rates)

    def contributions(self) -> list[tuple[Slot, Group, Contribution]]:
        """Return its contribution to each number at its position."""
        if self._carried is None:
            return super().contributions()
        carried, present = self._advanced(), self._known.present(self.groups)
        found: list[tuple[Slot, Group, Contribution]] = []
        for slot, values in carried.numbers:
            for index, value in enumerate(values):
                if value is not None and index in present:
                    base = plain(self.base_lrs[index]) if slot is LR else 1.0
                    share = Contribution(value, value / base if base else 1.0, self.is_absolute)
                    found.append((slot, present[index], share))
        return found

    # ----- copies -------------------------------------------------------------------------------

    def callables(self) -> dict[str, list[Any]]:
        """Return, by key of the state, the user's callable objects whose attributes it restores."""
        return {}

    def snapshot(self) -> Callable[[], None]:
        """Return a function that restores all attributes, and those of callable objects."""
        functions = [each for functions in self.callables().values() for each in functions]
        owned = [(each, dict(vars(each))) for each in functions if hasattr(each, "__dict__")]
        restore_own = super().snapshot()

        def restore() -> None:
            for each, before in owned:
                vars(each).clear()
                vars(each).update(before)
            restore_own()

        return restore

    def __copy__(self) -> Any:
        """Return a scheduler that continues from the current rates, alongside this one."""
        twin = super().__copy__()
        if self._recursive or self._has_rule:
            twin._carried = Carried(rates_in(self.groups))
        return twin

    # ----- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the position and the parameters, in plain types."""
        self._attach().notice()
        if self._owned_by() is None and self._has_changes():
            self._follow_changes()
        self._recognize_groups()
        return {
            "last_epoch": self.last_epoch,
            "_step_count": self._step_count,
            **({"fraction": self._fraction} if self._fraction else {}),
            "base_lrs": [plain(lr) for lr in self.base_lrs],
            **{name: plain_copy(getattr(self, name)) for name in self._parameters.saved},
            **({} if self._carried is None else {"rates": list(self._carried.rates)}),
        }

    def load_state_dict(
        self, state_dict: dict[str, Any], *, adopt: Literal["saved", "here"] = "saved"
    ) -> None:
        """Restore a saved position with its parameters, and assign its values at once.

        It also reads a state saved by torch's scheduler of the same name.

        Arguments:
            state_dict: What :meth:`state_dict` returned.
            adopt: ``"saved"`` continues with the saved parameters, as torch does; ``"here"`` keeps
                those that the scheduler was built with, and restores the position only.

        Raises:
            ScheduleError: If the state lacks a parameter, has an invalid value, or has another
                number of groups. Nothing changes then.
        """
        check_adopt(adopt, "saved", "here")
        with loading(self, state_dict):
            self._recognize_groups()
            state = current(state_dict)
            self._load(state if adopt == "saved" else self._with_own(state))

    def _with_own(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return a state with its position and this scheduler's own parameters."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            own = self.state_dict()
        own.pop("rates", None)
        position = ("last_epoch", "_step_count", "fraction")
        return {**own, **{name: state[name] for name in position if name in state}}

    def _load(self, state: dict[str, Any]) -> None:
        """Restore a state; the caller undoes everything if this fails."""
        saved = self._parameters.saved
        missing = [n for n in ("last_epoch", "base_lrs", *saved) if n not in state]
        if missing:
            advice = "" if "last_epoch" in missing else "; adopt='here' restores the position only"
            raise ScheduleError(
                f"not a state of a {type(self).__name__}: {', '.join(missing)} missing{advice}"
            )
        whole_steps = counted("last_epoch", state["last_epoch"], at_least=-1)
        position = whole_steps + fraction_in(state)
        count = counted("_step_count", state.get("_step_count", whole_steps + 1), at_least=0)
        before = dict(vars(self))
        self.base_lrs = rates_of("base_lrs", state["base_lrs"])
        self._parameters.load(self, state, len(self._known))
        if not self._own_base:
            for group, base in zip(self.groups, self.base_lrs, strict=True):
                group["initial_lr"] = base
        with self._parameters.blamed(self, before, position):
            self._replan()
            if position != -1:
                self._check_loaded(position)
            self.check_plan(position)
        self._resume_from(state.get("rates"), position, count)

    def check_plan(self, position: float) -> None:
        """Raise ScheduleError unless the current parameters give finite rates at a position."""
        plan = self._resolve()
        shares = plan.contributions(position) if position >= 0 else []
        if not all(math.isfinite(share.value) for _, _, share in shares):
            raise ScheduleError(f"the schedule has no finite value at position {position:g}")

    def _resume_from(self, rates: Any, position: float, count: int) -> None:
        """Restore a position and, if the state has them, the rates to continue from."""
        self._carried = None
        if rates is None and not self._has_rule:
            self._resume(position, count)
            return
        found = rates_in(self.groups) if rates is None else tuple(rates_of("rates", rates))
        if len(found) != len(self._known):
            raise ScheduleError(
                f"the state has rates={short(rates)}; the optimizer has {len(self._known)} groups"
            )
        # A user's own rule gives rates only; other numbers do not change.
        plan = DrivePlan() if self._has_rule or position < 0 else self.plan
        self._carried = replace(Carried.of_plan(plan, position, self._known), rates=found)
        self._attach().forget()
        self._set_position(position)
        self.membership.silent = position < 0
        self._step_count = count
        self._attach().write()

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._parameters.saved)
        kind, optimizer = type(self).__name__, type(self.optimizer).__name__
        return f"{kind}({optimizer}, {given}, at {self._position:g})"
