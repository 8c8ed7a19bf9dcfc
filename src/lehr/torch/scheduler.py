"""The scheduler: any schedule on any optimizer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal

from torch.optim import Optimizer

from lehr.catalogue.decay.elementary import constant
from lehr.catalogue.registry import Rule, State
from lehr.errors import NeedsClock, NeedsHorizon, ScheduleError, whole
from lehr.schedule.horizon import Horizon, HorizonLike
from lehr.schedule.run import Run
from lehr.time.duration import Duration, DurationLike
from lehr.torch import plan_changes
from lehr.torch.assignment import Assignment
from lehr.torch.binding import Group, Slot
from lehr.torch.checkpoint import Saved, check_adopt, loading, restore, restored_on_error
from lehr.torch.choosing import Choosers, Given
from lehr.torch.clocks import WallClocks
from lehr.torch.driver import Driver
from lehr.torch.groups import Interpreted, origins
from lehr.torch.guards import GuardMode, Guards
from lehr.torch.lookahead import SHORT
from lehr.torch.plan import DrivePlan
from lehr.torch.progress import position_at, reading
from lehr.torch.shared import shared_of


class Scheduler(Driver):
    """Drive an optimizer's learning rate, and any other number of its groups, with schedules.

    At position ``n`` (the number of updates made) each group's value is
    ``base * schedule(n)`` for ``lr``, ``weight_decay`` and other keys, where ``base`` is what the
    group was given; and ``schedule(n)`` for ``momentum``, ``beta1`` and ``beta2``.
    :func:`absolute` and :func:`factor` change that. Values are assigned, never multiplied into
    what is there, so building and loading in any order resumes exactly.

    Call :meth:`step` after each ``optimizer.step()``. Building it assigns the values of the first
    update.

    A rate that is set by hand, ``group["lr"] = 0.01``, replaces the scheduled one: the group's base
    becomes the one from which the schedule would have reached it (at level 0, the base is the rate
    that was set). It is noticed at the next step, in any group. Absolute numbers, such as a
    momentum, are assigned again at the next step.

    Arguments:
        optimizer: A torch optimizer. Numbers and tensors of one number are driven alike; a tensor
            is filled, never replaced. Or a list of optimizers: their groups, one optimizer after
            the other, are driven as those of a single one, with one position and one state. A list
            of schedules then has one entry for each optimizer.
        lr: The schedule of the learning rate. For schedules that differ by group: a list with one
            for each, a mapping from indices and ``"name"`` of groups (``"*"`` is the rest), or a
            function of the group; None leaves a group alone.
        over: The run that the schedules are placed over: updates, or a
            :class:`~lehr.Horizon`. Not needed where they have lengths of their own.
        momentum: The schedule of the momentum, or of the first beta where there are betas.
        feedback: A rule that follows a metric, such as :func:`lehr.plateau`: its factor joins that
            of ``lr`` (1, where none is given). Pass it the metric by :meth:`report`.
        guards: How to react to mistakes that show while training: ``"warn"``, ``"error"``
            or ``"off"``, for all or by name; the names are those of ``lehr.torch.GUARDS``.
        scaler: The gradient scaler, if there is one: where it skips an update, the schedule does
            not move. Without it this is seen only from gradients that are still there.
        clock: Returns seconds, for schedules over a time such as ``"90min"``: these follow the time
            that passes (:class:`lehr.WallClock`), and cannot be sought or changed. Where processes
            train together, all go by the time of rank 0.
        last_epoch: The position before the first; -1 for a new run. (torch's own name.)
        any_optimizer: Whether to drive objects that are not torch optimizers as well: anything with
            a list ``param_groups`` of dicts, as libraries' wrappers have. Updates of such an object
            are not counted, so the guards that compare steps with updates are silent.
        **others: Schedules for other keys of the parameter groups, such as ``weight_decay``,
            ``eps``, ``beta2`` or a key of your own, also one number of a tuple:
            ``**{"nus[1]": schedule}``. ``"lr"`` means: in proportion to the rate.

    Raises:
        ScheduleError: If nothing is driven, a schedule does not fit its run, could give a negative
            rate or a momentum of 1 or more, or the optimizer has no such number.
        NeedsHorizon: If a schedule needs a run and ``over`` is not given.

    Example:
        >>> import lehr, torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9)
        >>> scheduler = Scheduler(optimizer, lr=lehr.warmup(2) >> lehr.linear(), over=4)
        >>> for _ in range(4):
        ...     optimizer.step()
        ...     print(scheduler.get_last_lr())
        ...     scheduler.step()
        [0.0]
        [0.05]
        [0.1]
        [0.05]
    """

    def __init__(
        self,
        optimizer: Optimizer | Sequence[Optimizer],
        lr: Given | None = None,
        over: HorizonLike | None = None,
        *,
        momentum: Given | None = None,
        feedback: Rule | None = None,
        guards: GuardMode | Mapping[str, GuardMode] = "warn",
        scaler: Any = None,
        clock: Callable[[], float] = time.monotonic,
        last_epoch: int = -1,
        any_optimizer: bool = False,
        **others: Given | str,
    ) -> None:
        if feedback is not None and lr is None:
            lr = constant()
        given: dict[str, Any] = {"lr": lr, "momentum": momentum, **others}
        given = {name: value for name, value in given.items() if value is not None}
        if not given:
            raise ScheduleError("nothing is driven; write Scheduler(optimizer, lr=schedule)")
        coupled = tuple(
            name
            for name, value in given.items()
            if isinstance(value, str) and value == "lr" and name != "lr"
        )
        if coupled and "lr" not in given:
            raise ScheduleError(f"{coupled[0]}='lr' follows the rate, which is not driven")
        if feedback is not None and not hasattr(feedback, "init"):
            raise TypeError(f"feedback={feedback!r} must be a rule, such as lehr.plateau()")
        self._rule = feedback
        self._feedback: State = {} if feedback is None else feedback.init()
        self._horizon = None if over is None else Horizon.of(over)
        optimizers = len(optimizer) if isinstance(optimizer, list | tuple) else 1
        self._choosers = Choosers.of(
            {name: value for name, value in given.items() if name not in coupled}, optimizers
        )
        names = tuple(self._choosers.by_name)
        self._assignment = Assignment(
            dict.fromkeys(names, ()), coupled, dict.fromkeys((*names, *coupled), ())
        )
        self._clocks = WallClocks(clock)
        self._restoring = False
        self._guards: Guards = Guards(guards, scaler)
        first = whole("last_epoch", last_epoch, at_least=-1)
        super().__init__(optimizer, first, any_optimizer=any_optimizer)

    # ----- the plan -----------------------------------------------------------------------------

    def _initial_step(self) -> None:
        if not any(self._choosers.found):
            self._choosers.check_used([each.param_groups for each in self._optimizers])
            self._assign([None] * len(self._known))
        super()._initial_step()
        if not self._clocks:
            assignment = self._assignment
            rates = assignment.revised("lr").values() if "lr" in assignment.schedules else ()
            schedules = [revised.now for revised in rates]
            self._guards.check_lengths(schedules)
            self._guards.check_schedule_free(self._optimizers.given, schedules)
        self._guards.check_optimizers(self._optimizers, self.groups)
        self._guards.check_beside(self, self._attach().members)

    def _assign(self, old: list[int | None]) -> None:
        """Choose the schedules of new groups, and read their bases.

        Arguments:
            old: For each group its index among those assigned so far, or None for a new one.
        """
        optimizers = [each.param_groups for each in self._optimizers]
        assignment, self._choosers = self._choosers.assign(
            self._assignment, optimizers, old, self._placed
        )
        shared = shared_of(self._optimizers)
        for name in assignment.names:
            for index, (group, interpreted) in enumerate(
                zip(self.groups, assignment.of(name), strict=True)
            ):
                needs_base = interpreted is not None and assignment.bases[name][index] is None
                if needs_base and (slot := Slot.find_existing(name, index, group)):
                    base = shared.base(slot, group)
                    assignment = assignment.with_base(name, index, base)
        self._assignment = assignment

    @property
    def param_groups(self) -> list[Group]:
        """The groups whose rate it drives, as :func:`lehr.check` reads them."""
        rates = self._assignment.schedules.get("lr", ())
        return [
            group
            for group, origin in zip(self.groups, origins(self._known, self.groups), strict=True)
            if origin is not None and origin < len(rates) and rates[origin] is not None
        ]

    def _check_numbers(self) -> None:
        """Do nothing: each driven number is checked when its group is bound."""

    def _placed(self, name: str, chosen: Interpreted) -> Interpreted:
        """Place a schedule over the run; one that follows the time gets a clock."""
        schedule = chosen.schedule if self._horizon is None else chosen.schedule.over(self._horizon)
        try:
            schedule(0)
        except NeedsClock:
            self._clocks.start(schedule)
        except NeedsHorizon as error:
            raise NeedsHorizon(
                f"{name}={schedule}: {error}, or give Scheduler(..., over=1000)"
            ) from None
        return replace(chosen, schedule=schedule)

    def _resolve(self) -> DrivePlan:
        scale = 1.0 if self._rule is None else self._rule.value(self._feedback)
        self._guards.run = math.inf if self._clocks else self._assignment.run
        return self._assignment.plan(self._known, self._clocks, scale)

    def _regroup(self, old: list[int | None]) -> None:
        self._assign(old)
        super()._regroup(old)

    def _set_base(self, slot: Slot, index: int, base: float) -> None:
        super()._set_base(slot, index, base)
        for name in self._assignment.names:
            if Slot.find(name, self._known[index]).place == slot.place:
                self._assignment = self._assignment.with_base(name, index, base)

    # ----- moving -------------------------------------------------------------------------------

    def _read_position(self, given: Any) -> float:
        if isinstance(given, str):
            return position_at(self._assignment.horizon, given)
        return super()._read_position(given)

    def _step_slowly(self, epoch: float | None) -> None:
        if epoch is not None:
            # Trainers pass what they have: DeepSpeed's engine calls step again with the batch size
            # where a call with its lr_kwargs was a TypeError.
            raise ScheduleError(
                f"step({epoch!r}): the schedule counts updates, one at each step(); leave out the "
                f"engine's lr_kwargs, or write seek({epoch!r}) to go there"
            )
        updates = self._attach().updates
        if updates is not None:
            if updates.read():
                self.step()  # a fast step, now that the update counts
                return
            made = updates.count - self._ahead.seen
            self._ahead.await_updates(updates, updates.count)
            if self._guards.is_held(updates, made, self._step_count <= 1, self.groups):
                return
            if made == 0:
                # There is nothing to wait for until updates are made again. Look for them soon if
                # steps without an update have not been reported.
                self._ahead.await_updates(None, updates.count)
                if self._guards.watches("repeated") and not updates.captured:
                    self._size = SHORT // 8
        super()._step_slowly(epoch)

    def _check_order(self) -> None:
        self._guards.check_order(self._attach().updates, self.optimizer)

    def _asks_step_by_step(self) -> bool:
        # A clock is advanced by each move, which a fast step is not.
        return not self._clocks

    def _move(self, position: float) -> None:
        last = self.last_epoch
        if not self._restoring and position != last and not position == last + 1 == 0:
            jump = position != last + 1 or self._step_count == 0
            self._clocks.advance(position, jump=jump)
        super()._move(position)

    def skip_time(self) -> None:
        """Leave out the time since the last step: an evaluation, the writing of a checkpoint."""
        self._clocks.skip()

    # ----- feedback -----------------------------------------------------------------------------

    def report(self, metric: Any) -> None:
        """Pass a metric to the feedback rule, and assign the rates that follow from it at once.

        Arguments:
            metric: Whatever the rule reads: a number for most, such as a validation loss.

        Raises:
            ScheduleError: If there is no rule, or the rule cannot read the metric.
        """
        if self._rule is None:
            raise ScheduleError(
                f"report({metric!r}): there is no feedback rule; write "
                "Scheduler(..., feedback=lehr.plateau())"
            )
        feedback = self._rule.update(self._feedback, metric)
        shared = self._attach()
        self._guards.on_changes(shared.notice())
        self._feedback = feedback
        self._replan()
        shared.write()

    # ----- changes of plan ----------------------------------------------------------------------

    @property
    def history(self) -> list[dict[str, Any]]:
        """The changes of plan so far, in plain types: step, kind and arguments."""
        return [dict(change) for change in self._assignment.changes]

    extend = plan_changes.extend
    cooldown = plan_changes.cooldown
    rewarm = plan_changes.rewarm
    replace = plan_changes.replace
    scale = plan_changes.scale

    def _whole(self, name: str, value: DurationLike) -> int:
        """Return a duration in whole steps of this run."""
        self._refuse_timed(f"{name}={value!r}")
        duration = Duration.of(value, name)
        here, run = Fraction(self.last_epoch), Run(here=Fraction(self.last_epoch))
        if self._horizon is not None:
            run = Run(self._horizon.units, Fraction(self._horizon.steps), here=here)
        return math.ceil(run.place(duration))

    def _refuse_timed(self, what: str) -> None:
        if self._clocks:
            raise NeedsClock(
                f"{what}: {self!r} follows the time that passes, and its plan cannot be changed; "
                "build a new scheduler with what is to follow"
            )

    def _change(self, kind: str, of: str, **arguments: Any) -> None:
        if not isinstance(of, str) or of not in self._assignment.schedules:
            driven = ", ".join(self._assignment.schedules)
            raise ScheduleError(f"of={of!r} is not driven here; driven: {driven}")
        self._refuse_timed(kind)
        if self._fraction:
            raise ScheduleError(f"{kind}: the position lies between two steps; seek a whole one")
        change = {"at": self.last_epoch, "change": kind, "of": of, **arguments}
        with restored_on_error(self):
            shared = self._attach()
            self._guards.on_changes(shared.notice())
            self._assignment = replace(
                self._assignment, changes=(*self._assignment.changes, change)
            )
            self._replan()
            shared.write()

    # ----- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the position, the changes of plan, and what they belong to, in plain types.

        The schedules are there in their dict form, to be compared when the state is loaded.
        """
        self._attach().notice()
        self._recognize_groups()
        assignment = self._assignment
        timed = bool(self._clocks)
        return Saved(
            position=self._position,
            progress={} if timed else reading(assignment.horizon, self._position),
            steps=self._step_count,
            plan=assignment.to_dict(),
            bases={name: list(bases) for name, bases in assignment.bases.items()},
            changes=self.history,
            highest=self._guards.reached(self._position),
            clocks=self._clocks.states(),
            rule=None if self._rule is None else repr(self._rule),
            feedback=dict(self._feedback),
        ).to_dict()

    def load_state_dict(
        self, state_dict: dict[str, Any], *, adopt: Literal["saved", "here"] | None = None
    ) -> None:
        """Restore a saved position with its changes of plan, and assign its values at once.

        Arguments:
            state_dict: What :meth:`state_dict` returned.
            adopt: For a state that belongs to other schedules or bases: go on with the ``"saved"``
                ones, or keep those that are ``"here"`` and restore the position only: the samples,
                tokens or epochs that were seen if the run is measured in them, else the step.

        Raises:
            ScheduleError: If it is not the state of a scheduler, or belongs to other schedules or
                other groups and ``adopt`` is not given. Nothing is changed then.
        """
        check_adopt(adopt, None, "saved", "here")
        with loading(self, state_dict):
            saved = Saved.from_dict(state_dict)
            self._recognize_groups()
            restore(self, saved, adopt)

    def snapshot(self) -> Callable[[], None]:
        """Return a function that puts all attributes back, and the clocks."""
        restore_attributes = super().snapshot()
        clocks, states = dict(self._clocks), self._clocks.states()

        def restore() -> None:
            self._clocks.clear()
            self._clocks.update(clocks)
            self._clocks.load(states)
            restore_attributes()

        return restore

    def __repr__(self) -> str:
        kind = type(self.optimizer).__name__
        return f"Scheduler({kind}, {self._assignment}, at {self.last_epoch})"
