"""The scheduler: any schedule on any optimizer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Literal

from torch.optim import Optimizer

from lehr.catalogue.decay.elementary import constant
from lehr.catalogue.registry import Rule
from lehr.curves.easing import Ease
from lehr.errors import NeedsClock, ScheduleError, number, several, whole
from lehr.notation import ScheduleLike, as_schedule
from lehr.schedule.horizon import HorizonLike
from lehr.time.duration import Duration, DurationLike
from lehr.torch.binding import LR, Group, Slot, flag, item_of, plain
from lehr.torch.checkpoint import Saved, check_adopt, loading, restored_on_error
from lehr.torch.choosing import Given
from lehr.torch.driver import Driver
from lehr.torch.guards import GuardMode, Guards
from lehr.torch.lookahead import GROWTH, SHORT
from lehr.torch.plan import DrivePlan
from lehr.torch.planner import Planner


class Scheduler(Driver):
    """Drive an optimizer's learning rate, and any other number of its groups, with schedules.

    At position ``n`` (the number of updates made) each group's value is ``base * schedule(n)`` for
    ``lr``, ``weight_decay`` and other keys, where ``base`` is the value that the group was given,
    and ``schedule(n)`` for ``momentum``, ``beta1`` and ``beta2``. :func:`absolute` and
    :func:`factor` change that. Values are assigned, never multiplied into the current one, so
    building and loading in any order resumes exactly.

    Call :meth:`step` after each ``optimizer.step()``. Building the scheduler assigns the values of
    the first update.

    A rate set by hand, as in ``group["lr"] = 0.01``, replaces the scheduled one: the group's base
    becomes the one from which the schedule would have reached it (at level 0, the base is the rate
    itself). It is noticed at the next step, in any group. Absolute numbers, such as a momentum, are
    assigned again at the next step.

    Arguments:
        optimizer: A torch optimizer. Numbers and tensors of one number are driven alike; a tensor
            is filled, never replaced. Or a list of optimizers: all their groups, in order, are
            driven as if they belonged to a single one, with one position and one state. A list of
            schedules then has one entry for each optimizer.
        lr: The schedule of the learning rate. For schedules that differ by group: a list with one
            for each, a mapping from indices and ``"name"`` of groups (``"*"`` is the rest), or a
            function of the group; None leaves a group alone.
        over: The run that the schedules are placed over: updates, or a
            :class:`~lehr.Horizon`. Not needed if they have lengths of their own.
        momentum: The schedule of the momentum, or of the first beta if there are betas.
        feedback: A rule that follows a metric, such as :func:`lehr.plateau`: its factor multiplies
            that of ``lr`` (1 if none is given). Pass it the metric with :meth:`report`.
        guards: How to react to mistakes that show up during training: ``"warn"``, ``"error"`` or
            ``"off"``, for all or by name; the names are those of ``lehr.torch.GUARDS``.
        scaler: The gradient scaler, if there is one: when it skips an update, the schedule does not
            move. Without it, a skipped update is noticed only if the gradients have not been
            cleared.
        clock: Returns seconds, for schedules over a time such as ``"90min"``: these follow elapsed
            time (:class:`lehr.WallClock`), and cannot be sought or changed. In distributed training
            all ranks follow the clock of rank 0.
        last_epoch: The position before the first; -1 for a new run. (torch's own name.)
        any_optimizer: Whether to accept objects that are not torch optimizers: anything with a list
            ``param_groups`` of dicts, such as a library's wrapper. Updates of such an object are
            not counted, so the guards that compare steps with updates are silent.
        **others: Schedules for other keys of the parameter groups, such as ``weight_decay``,
            ``eps``, ``beta2`` or a key of your own, or for one number of a tuple, as in
            ``**{"nus[1]": schedule}``. ``"lr"`` means in proportion to the rate.

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
        if feedback is not None and not hasattr(feedback, "init"):
            raise TypeError(f"feedback={feedback!r} must be a rule, such as lehr.plateau()")
        if feedback is not None and lr is None:
            lr = constant()
        given: dict[str, Any] = {"lr": lr, "momentum": momentum, **others}
        given = {name: value for name, value in given.items() if value is not None}
        optimizers = len(optimizer) if isinstance(optimizer, list | tuple) else 1
        self._planner = Planner(given, over, feedback, clock, optimizers)
        self._restoring = False
        self._guards: Guards = Guards(guards, scaler)
        first = whole("last_epoch", last_epoch, at_least=-1)
        super().__init__(optimizer, first, any_optimizer=any_optimizer)

    # ----- the plan -----------------------------------------------------------------------------

    def _initial_step(self) -> None:
        self._planner.assign_first(self._optimizers)
        super()._initial_step()
        rates = self._planner.rates
        self._guards.check_lengths(rates)
        self._guards.check_schedule_free(self._optimizers.given, rates)
        self._guards.check_optimizers(self._optimizers, self.groups)
        self._guards.check_beside(self, self._attach().members)

    @property
    def param_groups(self) -> list[Group]:
        """The groups whose rate it drives, for :func:`lehr.check`."""
        rates = self._planner.assignment.schedules.get("lr", ())
        present = self._known.present(self.groups)
        return [
            group
            for index, group in present.items()
            if index < len(rates) and rates[index] is not None
        ]

    @property
    def base_lrs(self) -> tuple[Any, ...]:
        """The base rate of each group. Assign all of them at once; the next step uses them."""
        return tuple(self._bases)

    @base_lrs.setter
    def base_lrs(self, bases: Sequence[Any]) -> None:
        given = enumerate(several("base_lrs", bases))
        rates = [number(f"base_lrs[{i}]", item_of(base), at_least=0) for i, base in given]
        groups, shared = self.groups, self._attach()
        if len(rates) != len(groups):
            raise ScheduleError(
                f"base_lrs={rates!r} must have one rate for each group, {len(groups)} in all"
            )
        self._guards.on_changes(shared.notice(), self._position)
        self._recognize_groups()
        with ExitStack() as stack:
            for member in shared.members:
                stack.enter_context(restored_on_error(member))
            for group, rate in zip(groups, rates, strict=True):
                before = plain(shared.base(LR, group)) if "lr" in group else 0.0
                shared.set_base(LR, group, rate)
                for member in shared.members:
                    member.rebase(LR, group, rate)
                    if before:
                        member.scale_carried(group, rate / before)

    @property
    def feedback(self) -> Rule | None:
        """The rule that it follows, or None."""
        return self._planner.rule

    def _keep_bases(self, bases: list[Any]) -> None:
        self._bases = bases

    def _resolve(self) -> DrivePlan:
        self._guards.run = self._planner.run
        return self._planner.plan(self._known)

    def _regroup(self, old: list[int | None]) -> None:
        self._planner.assign(self._optimizers, old)
        super()._regroup(old)

    def _set_base(self, slot: Slot, index: int, base: float) -> None:
        if slot.place == LR.place:
            self._bases[index] = base
        self._planner.set_base(slot, index, self._known[index], base)

    # ----- moving -------------------------------------------------------------------------------

    def _read_position(self, given: Any) -> float:
        if isinstance(given, str):
            return self._planner.position_at(given)
        return super()._read_position(given)

    def _step_slowly(self, epoch: float | None) -> None:
        if epoch is not None:
            # Trainers pass what they have: if calling step with its lr_kwargs raises a TypeError,
            # DeepSpeed's engine calls it again with the batch size.
            raise ScheduleError(
                f"step({epoch!r}): the schedule counts updates, one at each step(); leave out the "
                f"engine's lr_kwargs, or write seek({epoch!r}) to go there"
            )
        updates = self._updates
        if updates is not None:
            if updates.read():
                self.step()  # a fast step, now that the update counts
                return
            made = updates.count - self._ahead.seen
            self._ahead.await_updates(updates, updates.count)
            if self._guards.is_held(updates, made, self._step_count, self.groups):
                return
            if made == 0:
                # There is nothing to wait for until updates are made again. Check for them soon if
                # steps without an update have not been reported.
                self._ahead.await_updates(None, updates.count)
                if self._guards.watches("repeated") and not updates.captured:
                    self._size = SHORT // GROWTH
        super()._step_slowly(epoch)

    def _check_order(self) -> None:
        self._guards.check_order(self._updates, self.optimizer)

    def _move(self, position: float) -> None:
        last = self.last_epoch
        if not self._restoring and position != last and not position == last + 1 == 0:
            jump = position != last + 1 or self._step_count == 0
            self._planner.clocks.advance(position, jump=jump)
        super()._move(position)

    def skip_time(self) -> None:
        """Ignore the time since the last step, as for an evaluation or for saving a checkpoint."""
        self._planner.clocks.skip()

    # ----- feedback -----------------------------------------------------------------------------

    def report(self, metric: Any) -> None:
        """Pass a metric to the feedback rule, and assign the rates that follow from it at once.

        Arguments:
            metric: Whatever the rule reads; for most a number, such as a validation loss.

        Raises:
            ScheduleError: If the scheduler has no rule, or the rule cannot read the metric.
        """
        feedback, shared = self._planner.feedback_after(metric), self._attach()
        self._guards.on_changes(shared.notice(), self._position)
        self._planner.feedback = feedback
        self._replan()
        shared.write()

    # ----- changes of plan ----------------------------------------------------------------------

    @property
    def history(self) -> list[dict[str, Any]]:
        """The changes of plan so far, in plain types: step, kind and arguments."""
        return [dict(change) for change in self._planner.assignment.changes]

    def extend(self, steps: DurationLike, *, of: str = "lr") -> None:
        """Make the run longer from now on, by stretching the rest of the schedule.

        Arguments:
            steps: The number of steps to add, at least 1; or a duration such as ``"10%"`` of the
                run.
            of: Which driven number's schedule.

        Raises:
            ScheduleError: If the schedule is at its end, or has none. Nothing changes then.

        Example:
            >>> import lehr, torch
            >>> from lehr.torch import Scheduler
            >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
            >>> scheduler = Scheduler(optimizer, lehr.linear(), over=100)
            >>> scheduler.seek(50)
            >>> scheduler.extend(100)
            >>> scheduler.seek(125)
            >>> scheduler.get_last_lr()
            [0.25]
        """
        self._change("extend", of, steps=self._whole("steps", steps))

    def cooldown(
        self, steps: DurationLike, *, to: float = 0.0, ease: str = "linear", of: str = "lr"
    ) -> None:
        """End the run from here: go down from the current level to another.

        Arguments:
            steps: In how many steps, at least 1.
            to: The level at the end, at least 0.
            ease: The shape: a name from :class:`lehr.Ease`, such as ``"cosine"`` or ``"1-sqrt"``.
            of: Which driven number's schedule.

        Raises:
            ScheduleError: If the schedule is at that level already. Nothing changes then.

        Source: Hägele et al. (2024), Scaling Laws and Compute-Optimal Training Beyond Fixed
        Training Durations, arXiv:2405.18392.
        """
        if not isinstance(ease, str):
            raise ScheduleError(
                f"ease={ease!r} has no name to be saved by; write lehr.register('mine')(function) "
                "and ease='mine'"
            )
        Ease.of(ease)
        self._change(
            "cooldown", of, steps=self._whole("steps", steps), to=number("to", to), ease=ease
        )

    def rewarm(
        self,
        steps: DurationLike,
        *,
        to: float = 1.0,
        then: ScheduleLike | None = None,
        over: DurationLike | None = None,
        of: str = "lr",
    ) -> None:
        """Rise again from here, as for more data or a longer run.

        Arguments:
            steps: In how many steps, at least 1.
            to: The level that it rises to, greater than 0.
            then: The schedule that follows; by default the level stays. A part without a length
                takes the remaining steps.
            over: How long all of this lasts from now on; by default the rest of the run.
            of: Which driven number's schedule.

        Raises:
            ScheduleError: If it does not fit. Nothing changes then.

        Source: Ibrahim et al. (2024), Simple and Scalable Strategies to Continually Pre-train Large
        Language Models, arXiv:2403.08763.
        """
        self._change(
            "rewarm",
            of,
            steps=self._whole("steps", steps),
            to=number("to", to),
            then=None if then is None else _saved_schedule("then", then),
            over=None if over is None else self._whole("over", over),
        )

    def replace(
        self,
        schedule: ScheduleLike,
        *,
        over: DurationLike | None = None,
        jump: bool = False,
        of: str = "lr",
    ) -> None:
        """Continue from here with another schedule.

        Arguments:
            schedule: The schedule that follows; without a start of its own it begins at the current
                level. Its shares are shares of the rest of the run.
            over: How long it lasts; by default the rest of the run.
            jump: Whether it may begin at a level other than the current one.
            of: Which driven number's schedule.

        Raises:
            ScheduleError: If it would jump and ``jump`` is False, or it does not fit. Nothing
                changes then.
        """
        self._change(
            "replace",
            of,
            schedule=_saved_schedule("schedule", schedule),
            over=None if over is None else self._whole("over", over),
            jump=flag("jump", jump),
        )

    def scale(self, factor: float, *, steps: DurationLike = 0, of: str = "lr") -> None:
        """Multiply the rest of the schedule by a factor.

        Arguments:
            factor: Greater than 0.
            steps: The number of steps over which the factor is reached in a straight line; 0 means
                at once.
            of: Which driven number's schedule.

        Raises:
            ScheduleError: If the factor is not positive. Nothing changes then.
        """
        self._change(
            "scale", of, factor=number("factor", factor), steps=self._whole("steps", steps)
        )

    def _whole(self, name: str, value: DurationLike) -> int:
        """Return a duration in whole steps of this run."""
        self._refuse_timed(f"{name}={value!r}")
        return self._planner.whole_steps(Duration.of(value, name), self.last_epoch)

    def _refuse_timed(self, what: str) -> None:
        if self._planner.clocks:
            raise NeedsClock(
                f"{what}: {self!r} follows elapsed time, so its plan cannot be changed; "
                "build a new scheduler with what is to follow"
            )

    def _change(self, kind: str, of: str, **arguments: Any) -> None:
        schedules = self._planner.assignment.schedules
        if not isinstance(of, str) or of not in schedules:
            raise ScheduleError(f"of={of!r} is not driven here; driven: {', '.join(schedules)}")
        self._refuse_timed(kind)
        if self._fraction:
            raise ScheduleError(f"{kind}: the position lies between two steps; seek a whole one")
        with restored_on_error(self):
            shared = self._attach()
            self._guards.on_changes(shared.notice(), self._position)
            self._planner.change({"at": self.last_epoch, "change": kind, "of": of, **arguments})
            self._replan()
            shared.write()

    # ----- state --------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the position, the changes of plan, and the schedules and bases, in plain types.

        The schedules are included in their dict form, for comparison when the state is loaded.
        """
        self._attach().notice()
        self._recognize_groups()
        highest = self._guards.reached(self._position)
        return self._planner.saved(self._position, self._step_count, highest).to_dict()

    def load_state_dict(
        self, state_dict: dict[str, Any], *, adopt: Literal["saved", "here"] | None = None
    ) -> None:
        """Restore a saved position with its changes of plan, and assign its values at once.

        Arguments:
            state_dict: What :meth:`state_dict` returned.
            adopt: For a state that belongs to other schedules or bases: continue with the
                ``"saved"`` ones, or keep those that are ``"here"`` and restore the position only:
                the samples, tokens or epochs seen if the run is measured in them, otherwise the
                step.

        Raises:
            ScheduleError: If it is not a scheduler's state, or belongs to other schedules or other
                groups and ``adopt`` is not given. Nothing changes then.
        """
        check_adopt(adopt, None, "saved", "here")
        with loading(self, state_dict):
            saved = Saved.from_dict(state_dict)
            self._recognize_groups()
            self._restore(saved, adopt)

    def _restore(self, saved: Saved, adopt: str | None) -> None:
        rates = self._planner.load(saved, adopt, self._known, self._attach())
        for index, rate in rates.items():
            self._bases[index] = rate
        self._replan()
        position, steps = saved.position, saved.steps
        if adopt == "here":
            position, steps = self._planner.position_of(saved)
        self._check_position(position)
        self._guards.resume(saved.highest)
        self._restoring = True
        try:
            self._resume(position, steps)
        finally:
            self._restoring = False

    def __copy__(self) -> Any:
        """Return a scheduler that writes into the same optimizer, alongside this one."""
        twin = super().__copy__()
        twin._planner, twin._bases = self._planner.copied(), list(self._bases)
        twin._replan()
        return twin

    def snapshot(self) -> Callable[[], None]:
        """Return a function that restores all attributes, and the clocks."""
        restore_attributes, restore_planner = super().snapshot(), self._planner.snapshot()

        def restore() -> None:
            restore_planner()
            restore_attributes()

        return restore

    def __repr__(self) -> str:
        kind = type(self.optimizer).__name__
        return f"Scheduler({kind}, {self._planner}, at {self.last_epoch})"


def _saved_schedule(name: str, schedule: ScheduleLike) -> dict[str, Any]:
    """Return a schedule's dict form; raise ScheduleError if it has none."""
    return as_schedule(name, schedule).to_dict()
