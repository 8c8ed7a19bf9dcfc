"""The planner of a scheduler: each group's schedule, the run, and the changes of plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from fractions import Fraction
from typing import Any

from lehr.catalogue.registry import Rule, State
from lehr.errors import NeedsClock, NeedsHorizon, ScheduleError
from lehr.schedule.base import Schedule
from lehr.schedule.horizon import Horizon, HorizonLike
from lehr.schedule.run import Run
from lehr.time.duration import Duration
from lehr.torch.assignment import Assignment
from lehr.torch.binding import LR, Group, Slot
from lehr.torch.checkpoint import Saved
from lehr.torch.choosing import Choosers
from lehr.torch.clocks import WallClocks
from lehr.torch.groups import Interpreted
from lehr.torch.optimizers import Optimizers
from lehr.torch.plan import DrivePlan
from lehr.torch.progress import position_of_reading, reading
from lehr.torch.shared import Shared, shared_of


class Planner:
    """Plans for a scheduler, for whatever groups its optimizers have.

    Arguments:
        given: For each number, its schedules as the user gives them; ``"lr"`` for a number that
            moves in proportion to the rate.
        over: The run that the schedules are placed over, or None.
        rule: The feedback rule that the rate also follows, or None.
        clock: Returns seconds, for schedules that follow elapsed time.
        optimizers: The number of optimizers.

    Attributes:
        assignment: Each group's schedules, their bases and the changes of plan.
        clocks: The wall clock of each schedule that follows elapsed time.
        rule: The feedback rule, or None.

    Raises:
        ScheduleError: If nothing is driven, or an argument is not a schedule.
    """

    def __init__(
        self,
        given: Mapping[str, Any],
        over: HorizonLike | None,
        rule: Rule | None,
        clock: Callable[[], float],
        optimizers: int,
    ) -> None:
        if not given:
            raise ScheduleError("nothing is driven; write Scheduler(optimizer, lr=schedule)")
        coupled = tuple(
            name
            for name, value in given.items()
            if isinstance(value, str) and value == "lr" and name != "lr"
        )
        if coupled and "lr" not in given:
            raise ScheduleError(f"{coupled[0]}='lr' follows the rate, which is not driven")
        self.rule = rule
        self.feedback: State = {} if rule is None else rule.init()
        self._horizon = None if over is None else Horizon.of(over)
        schedules = {name: value for name, value in given.items() if name not in coupled}
        self._choosers = Choosers.of(schedules, optimizers)
        self.assignment = Assignment(
            dict.fromkeys(schedules, ()), coupled, dict.fromkeys((*schedules, *coupled), ())
        )
        self.clocks = WallClocks(clock)

    # ----- groups -------------------------------------------------------------------------------

    def assign_first(self, optimizers: Optimizers) -> None:
        """Choose the schedules of all groups, unless that has been done.

        Raises:
            ScheduleError: If a group has no schedule, or a schedule has no group.
        """
        if not any(self._choosers.found):
            self._choosers.check_used([each.param_groups for each in optimizers])
            self.assign(optimizers, [None] * len(optimizers.source.param_groups))

    def assign(self, optimizers: Optimizers, old: Sequence[int | None]) -> None:
        """Choose the schedules of new groups, and read their bases.

        Arguments:
            optimizers: The optimizers.
            old: For each group its index among those assigned so far, or None for a new one.
        """
        assignment, self._choosers = self._choosers.assign(
            self.assignment, [each.param_groups for each in optimizers], old, self._placed
        )
        shared = shared_of(optimizers)
        for name in assignment.names:
            for index, (group, interpreted) in enumerate(
                zip(optimizers.source.param_groups, assignment.of(name), strict=True)
            ):
                if interpreted is not None and assignment.bases[name][index] is None:
                    slot = Slot.find_existing(name, index, group)
                    base = shared.base(slot, group)
                    assignment = assignment.with_base(name, index, base)
        self.assignment = assignment

    def _placed(self, name: str, chosen: Interpreted) -> Interpreted:
        """Place a schedule over the run; one that follows elapsed time gets a clock."""
        schedule = chosen.schedule if self._horizon is None else chosen.schedule.over(self._horizon)
        try:
            schedule(0)
        except NeedsClock:
            self.clocks.start(schedule)
        except NeedsHorizon as error:
            raise NeedsHorizon(
                f"{name}={schedule}: {error}, or give Scheduler(..., over=1000)"
            ) from None
        return replace(chosen, schedule=schedule)

    def set_base(self, slot: Slot, index: int, group: Group, base: float) -> None:
        """Use a new base for a number of a group."""
        for name in self.assignment.names:
            if Slot.find(name, group).place == slot.place:
                self.assignment = self.assignment.with_base(name, index, base)

    def plan(self, groups: Sequence[Group]) -> DrivePlan:
        """Return the plan for the groups that were assigned.

        Raises:
            ScheduleError: If a value could leave its range, or a number is driven twice.
        """
        scale = 1.0 if self.rule is None else self.rule.value(self.feedback)
        return self.assignment.plan(groups, self.clocks, scale)

    @property
    def run(self) -> float:
        """The steps of the run that the rate was given, or infinity."""
        return math.inf if self.clocks else self.assignment.run

    @property
    def rates(self) -> list[Schedule]:
        """The current schedules of the rate; none if they follow elapsed time."""
        if self.clocks or "lr" not in self.assignment.schedules:
            return []
        return [revised.now for revised in self.assignment.revised("lr").values()]

    # ----- changes ------------------------------------------------------------------------------

    def feedback_after(self, metric: Any) -> State:
        """Return the state of the feedback rule after one more metric.

        Raises:
            ScheduleError: If the scheduler has no rule, or the rule cannot read the metric.
        """
        if self.rule is None:
            raise ScheduleError(
                f"report({metric!r}): this scheduler has no feedback rule; write "
                "Scheduler(..., feedback=lehr.plateau())"
            )
        return self.rule.update(self.feedback, metric)

    def _run_at(self, here: int) -> Run:
        """Return the run at a position, with the changes of plan so far."""
        horizon, end = self.assignment.horizon, self.assignment.end
        if horizon is None or end is None:
            return Run(here=Fraction(here))
        return Run(horizon.units, end, here=Fraction(here))

    def whole_steps(self, duration: Duration, here: int) -> int:
        """Return a duration in whole steps of the run, from a position."""
        return math.ceil(self._run_at(here).place(duration))

    def position_at(self, text: str) -> float:
        """Return the position that a text such as ``"64ksa"`` means, in the units of the run.

        Raises:
            ScheduleError: If it is not a duration, or the run lacks its unit.
        """
        duration = Duration.of(text, "position")
        try:
            return float(self._run_at(0).measure(duration))
        except ScheduleError as error:
            raise ScheduleError(f"position {text!r}: {error}") from None

    def change(self, change: Mapping[str, Any]) -> None:
        """Add a change of plan."""
        assignment = self.assignment
        self.assignment = replace(assignment, changes=(*assignment.changes, change))

    # ----- state --------------------------------------------------------------------------------

    def saved(self, position: float, steps: int, highest: float) -> Saved:
        """Return the content of a state.

        Arguments:
            position: The updates made.
            steps: torch's ``_step_count``.
            highest: The highest level of the rate so far.
        """
        assignment = self.assignment
        return Saved(
            position=position,
            progress={} if self.clocks else reading(assignment.horizon, position),
            steps=steps,
            plan=assignment.to_dict(),
            bases={name: list(bases) for name, bases in assignment.bases.items()},
            changes=[dict(change) for change in assignment.changes],
            highest=highest,
            clocks=self.clocks.states(),
            rule=self._rule_text,
            feedback=dict(self.feedback),
        )

    @property
    def _rule_text(self) -> str | None:
        return None if self.rule is None else repr(self.rule)

    def load(
        self, saved: Saved, adopt: str | None, groups: Sequence[Group], shared: Shared
    ) -> dict[int, float]:
        """Restore everything but the position.

        Arguments:
            saved: The content of a state.
            adopt: As for :meth:`Scheduler.load_state_dict`.
            groups: The groups that were assigned.
            shared: Receives the bases.

        Returns:
            The saved base rates, by the index of the group.

        Raises:
            ScheduleError: If the state does not fit.
        """
        rates: dict[int, float] = {}
        if adopt != "here":
            saved.check_groups(len(groups))
            if adopt is None:
                saved.check_same(self.assignment.to_dict(), self._rule_text)
            else:
                self.assignment = saved.assignment(self.assignment, self._rule_text, len(groups))
            rates = self._load_bases(saved, groups, shared)
            self.clocks.load(saved.clocks)
            self.assignment = self.assignment.with_changes(saved.changes)
        if self.rule is not None and saved.rule == self._rule_text:
            try:
                self.feedback = self.rule.check_state(saved.feedback)
            except ScheduleError as error:
                raise ScheduleError(f"feedback: {error}") from None
        return rates

    def _load_bases(
        self, saved: Saved, groups: Sequence[Group], shared: Shared
    ) -> dict[int, float]:
        """Use the saved bases; return those of the rate."""
        rates: dict[int, float] = {}
        for name, bases in saved.bases.items():
            for index, (group, base) in enumerate(zip(groups, bases, strict=True)):
                if base is None:
                    continue
                slot = Slot.find_existing(name, index, group)
                shared.set_base(slot, group, base)
                self.assignment = self.assignment.with_base(name, index, base)
                if slot.place == LR.place:
                    rates[index] = base
        return rates

    def position_of(self, saved: Saved) -> tuple[float, int]:
        """Return the position and step count for a state that belongs to another run.

        If this run is measured in samples, tokens or epochs, the amount already seen decides;
        otherwise the step does.
        """
        there = position_of_reading(self.assignment.horizon, saved.progress)
        if there is None:
            return saved.position, saved.steps
        return there, saved.steps + math.floor(there) - math.floor(saved.position)

    def copied(self) -> Planner:
        """Return a copy with its own changes and clocks."""
        twin = copy(self)
        twin.clocks = self.clocks.copied()
        return twin

    def snapshot(self) -> Callable[[], None]:
        """Return a function that restores everything, including the clocks."""
        attributes, clocks, states = dict(vars(self)), dict(self.clocks), self.clocks.states()

        def restore() -> None:
            vars(self).update(attributes)
            self.clocks.clear()
            self.clocks.update(clocks)
            self.clocks.load(states)

        return restore

    def __str__(self) -> str:
        return str(self.assignment)
