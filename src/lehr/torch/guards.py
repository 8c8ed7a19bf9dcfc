"""Guards: detect, during training, the mistakes that tutorials warn about.

A driver calls its guards as it moves; those of a drop-in are off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.optim import Optimizer

from lehr.check import JUMP, jump, lengths
from lehr.errors import GuardError, ScheduleError
from lehr.schedule.base import Schedule
from lehr.torch.binding import LR, Group, warn
from lehr.torch.optimizers import copies_its_groups
from lehr.torch.plan import Driven, DrivePlan
from lehr.torch.shared import Change
from lehr.torch.updates import TOO_EARLY, JointUpdates, Updates, has_begun

GuardMode = Literal["error", "warn", "off"]

GUARDS: Final = {
    "order": "the scheduler was stepped before the optimizer",
    "per_epoch": "it was stepped once an epoch, and its schedule counts updates",
    "repeated": "it was stepped more than once an update",
    "skipped": "the gradient scaler skipped an update, so the schedule did not move",
    "past_end": "training went on past the end of the run",
    "warmup": "the warmup is longer than the run",
    "jump": "the rate rises at once by more than tenfold, to above anything before",
    "conflict": "something else drives the same number",
    "unscheduled": "an optimizer inside the one that is driven follows no schedule",
    "schedule_free": "a schedule-free optimizer follows a schedule that decays",
}
"""The guards, and the mistake that each of them reports."""

_QUIET: Final = ("skipped",)
"""Guards that are off by default: what they report is normal, and handled."""

_DECAYED: Final = 0.9
"""A level below this share of the highest is a decay."""

# Nobody makes this many changes of the rate in a row by hand.
_FIGHT: Final = 3


class Guards:
    """Looks for each kind of mistake, and reports it once.

    Arguments:
        given: ``"warn"``, ``"error"`` or ``"off"`` for all, or a mapping from names of guards (and
            ``"*"`` for the rest).
        scaler: The gradient scaler, or None.

    Raises:
        ScheduleError: If a name or a mode is unknown.
    """

    def __init__(
        self, given: GuardMode | Mapping[str, GuardMode] = "warn", scaler: Any = None
    ) -> None:
        named: dict[str, Any] = dict(given) if isinstance(given, Mapping) else {"*": given}
        default = named.pop("*", "warn")
        for name in named:
            if name not in GUARDS:
                raise ScheduleError(
                    f"guards: {name!r} is not a guard; there are {', '.join(GUARDS)}"
                )
        for mode in (default, *named.values()):
            if not isinstance(mode, str) or mode not in ("error", "warn", "off"):
                raise ScheduleError(f"guards: {mode!r} must be 'error', 'warn' or 'off'")
        self._modes: dict[str, Any] = {
            name: named.get(name, "off" if name in _QUIET else default) for name in GUARDS
        }
        self._reported: set[str] = set()
        self._scaler = scaler
        self.run = math.inf
        """The steps of the run that the rate was given."""
        self.highest = 0.0
        """The highest level of the rate before those that are computed ahead."""
        self._ahead, self._ahead_start = np.empty(0), 0
        self._edge: tuple[int, float] = (-1, 0.0)
        # How often in a row something happened, and the step at which it last did.
        self._fights, self._fought_at = 0, -math.inf
        self._many, self._many_at = 0, -math.inf

    def watches(self, name: str) -> bool:
        """Return whether a guard still has something to report."""
        return self._modes[name] != "off" and name not in self._reported

    def report(self, name: str, message: str) -> None:
        """Report a mistake, once.

        Raises:
            GuardError: If the guard's mode is ``"error"``.
        """
        if self._modes[name] == "error":
            raise GuardError(f"{message} (guard {name!r})")
        if self.watches(name):
            self._reported.add(name)
            warn(f"{message} (guard {name!r}; guards={{{name!r}: 'off'}} silences it)")

    # ----- before the run -----------------------------------------------------------------------

    def check_lengths(self, schedules: Iterable[Schedule]) -> None:
        """Report warmups that are longer than their runs."""
        for schedule in schedules:
            for finding in lengths(schedule):
                if finding.name == "warmup":
                    self.report("warmup", finding.message)

    def check_beside(self, mine: Any, others: Iterable[Any]) -> None:
        """Report schedulers that drive the same numbers as ``mine`` but should not."""
        places = {slot.place for slot in mine.plan.slots}
        for other in others:
            if other is mine or other.membership.silent:
                continue
            if not places & {slot.place for slot in other.plan.slots}:
                continue
            if repr(other).partition(", at ")[0] == repr(mine).partition(", at ")[0]:
                self.report(
                    "conflict",
                    f"another scheduler like this one, {other!r}, drives the same optimizer, and "
                    "their factors multiply: delete it first (a list or a notebook's cell may "
                    "keep it)",
                )
            elif mine.is_absolute and other.is_absolute:
                self.report(
                    "conflict",
                    f"{other!r} drives the same number, and neither is a factor: the one that "
                    "moved last wins, the other has no effect",
                )

    def check_optimizers(self, optimizers: Iterable[Any], groups: Sequence[Group]) -> None:
        """Report optimizers inside the driven ones whose groups are not driven.

        Some optimizers combine two, such as Muon and AdamW, but expose the groups of only one.

        Arguments:
            optimizers: Those that are driven.
            groups: Their groups.
        """
        driven = {id(group) for group in groups}
        for optimizer in optimizers:
            if copies_its_groups(optimizer):
                continue
            for name, inner in _optimizers_in(optimizer):
                if any(id(group) not in driven for group in inner.param_groups):
                    kind, inside = type(optimizer).__name__, type(inner).__name__
                    self.report(
                        "unscheduled",
                        f"the {inside} in `.{name}` of {kind} has groups that follow no schedule: "
                        f"pass it too, as in Scheduler([optimizer, optimizer.{name}], ...)",
                    )

    def check_schedule_free(self, optimizers: Iterable[Any], schedules: Iterable[Schedule]) -> None:
        """Report schedule-free optimizers whose rate decays."""
        free = [each for each in optimizers if _is_schedule_free(each)]
        for schedule in schedules if free else ():
            end = None if schedule.length is None or schedule._has_callbacks else schedule.end
            if end is not None and end < _DECAYED * schedule.bounds[1]:
                self.report(
                    "schedule_free",
                    f"{type(free[0]).__name__} is a schedule-free optimizer, which averages "
                    f"weights in place of a decay, and its rate falls to {end:.4g} of its base: "
                    "write lr=lehr.warmup('5%') >> lehr.hold()",
                )

    # ----- updates ------------------------------------------------------------------------------

    def is_held(
        self, updates: Updates | JointUpdates, made: int, step: int, groups: Sequence[Group]
    ) -> bool:
        """Return whether the schedule must not move, because the last update was skipped.

        Arguments:
            updates: The optimizer's counter of updates.
            made: How many updates were made since the last step.
            step: The number of this step, from 1.
            groups: The groups, whose gradients show whether an update was skipped.
        """
        if made > 1 and step > 1:
            self._many = self._many + 1 if step == self._many_at + 1 else 1
            self._many_at = step
            if self._many == 2 and made <= self.run < math.inf:
                self.report(
                    "per_epoch",
                    f"{made} updates were made between two steps of the scheduler, whose run of "
                    f"{self.run:g} steps seems to count updates: call scheduler.step() after each "
                    "`optimizer.step()`, or give the run in calls of scheduler.step()",
                )
        elif made == 0:
            captured = self._is_captured(updates, groups)
            if updates.skipped or (not captured and self._was_skipped(groups)):
                self.report(
                    "skipped", "the gradient scaler skipped an update: the schedule does not move"
                )
                return True
            if updates.count and step > 1 and not captured:
                self.report(
                    "repeated",
                    "scheduler.step() was called again without an update in between: with gradient "
                    "accumulation or several processes, call it once after each "
                    "`optimizer.step()`. (Where a gradient scaler skips updates, write "
                    "Scheduler(..., scaler=scaler))",
                )
        return False

    def _was_skipped(self, groups: Sequence[Group]) -> bool:
        """Return whether a gradient scaler made the optimizer skip its update."""
        if self._scaler is not None:
            return bool(self._scaler.is_enabled())
        gradients = [
            p.grad
            for group in groups
            for p in group["params"]
            if p.grad is not None and not p.grad.is_sparse
        ]
        return any(not bool(torch.isfinite(gradient).all()) for gradient in gradients)

    def _is_captured(self, updates: Updates | JointUpdates, groups: Sequence[Group]) -> bool:
        """Return whether a CUDA graph is replayed, whose updates are not counted."""
        # It may have been captured before updates were counted.
        likely = any(group.get("capturable") for group in groups)
        return updates.captured or (likely and self._scaler is None)

    def check_order(self, updates: Updates | JointUpdates | None, optimizer: Any) -> None:
        """Report a first step that comes before the optimizer's."""
        if not has_begun(optimizer, updates):
            self.report("order", TOO_EARLY)

    # ----- moves --------------------------------------------------------------------------------

    def on_move(self, here: float, position: float) -> None:
        """Called before a driver moves from one position to another, unless by a fast step."""
        if position > self.run and self.watches("past_end"):
            self.report(
                "past_end",
                f"the run ends after {self.run:g} steps, and this is update {position + 1:g}: the "
                "schedule stays at its end level; write over=... for a longer run, or extend(...)",
            )
        self.highest, self._ahead = self.reached(here), np.empty(0)

    def resume(self, highest: float) -> None:
        """Continue from the saved highest level of the rate."""
        self.highest, self._ahead, self._edge = highest, np.empty(0), (-1, 0.0)

    def block_end(self, position: int, last: float) -> float:
        """Return the last step to compute ahead from a position."""
        # The step past the end must be a slow one, which reports it.
        return min(last, self.run) if position <= self.run else last

    def on_changes(self, changes: Sequence[Change], position: float) -> None:
        """Called at a position with the values that user code changed since the last write."""
        rates = [change for change in changes if change[0].place == LR.place]
        if not rates:
            return
        self._fights = self._fights + 1 if 0 <= position - self._fought_at <= 1 else 1
        self._fought_at = position
        if self._fights == _FIGHT:
            slot, _, value = rates[0]
            self.report(
                "conflict",
                f"something else sets the {slot.name} between steps (to {value:g}): is there "
                "another scheduler on this optimizer?",
            )

    # ----- jumps --------------------------------------------------------------------------------

    def reached(self, position: float) -> float:
        """Return the highest level of the rate up to a position."""
        levels = self._ahead[: max(math.floor(position) - self._ahead_start + 1, 0)]
        return max(self.highest, float(levels.max(initial=0.0)))

    def on_levels(self, position: int, plan: DrivePlan, blocks: Sequence[NDArray[Any]]) -> None:
        """Called with the levels of each driven number from a position on, before they are used."""
        rates = [
            block
            for driven, block in zip(plan.driven, blocks, strict=True)
            if driven.slot.name == "lr"
        ]
        for levels in rates if self.watches("jump") else ():
            self._look_for_jumps(position, levels)
        if rates:
            self._ahead, self._ahead_start = np.maximum.reduce(rates), position
            self._edge = position + len(self._ahead), float(self._ahead[-1])

    def _look_for_jumps(self, position: int, levels: NDArray[np.float64]) -> None:
        """Look for jumps in the coming levels, starting from the one before them."""
        end, level = self._edge
        before = level if end == position else None
        earlier = np.concatenate([levels[:1] if before is None else [before], levels[:-1]])
        if not ((earlier > 0) & (levels > JUMP * earlier)).any():
            return
        found = jump(levels.tolist(), before, self.highest)
        if found is not None:
            index, low, high = found
            self._report_jump(position + index, low, high)

    def level_of(self, driven: Driven) -> Callable[[int], float]:
        """Return a function from the position to a level, for levels that are not known ahead."""
        level_at = driven.levels.at
        if driven.slot.name != "lr" or not self.watches("jump"):
            return level_at
        before = self._edge[1]

        def level(position: int) -> float:
            nonlocal before
            found = level_at(position)
            if jump([found], before, self.highest) is not None:
                self._report_jump(position, before, found)
            before, self.highest = found, max(self.highest, before, found)
            self._edge = position + 1, found
            return found

        return level

    def _report_jump(self, step: int, low: float, high: float) -> None:
        self.report(
            "jump",
            f"the rate rises from {low:.4g} to {high:.4g} of its base at once, at step {step}",
        )


def _optimizers_in(optimizer: Any) -> list[tuple[str, Any]]:
    """Return the optimizers among an optimizer's attributes, by attribute name."""
    found: list[tuple[str, Any]] = []
    for name, value in vars(optimizer).items():
        items = value if isinstance(value, list | tuple) else [value]
        found += [(name, item) for item in items if isinstance(item, Optimizer)]
    return found


def _is_schedule_free(optimizer: Any) -> bool:
    """Return whether an optimizer averages weights in place of a schedule's decay."""
    kinds = [kind.__name__.casefold() for kind in type(optimizer).__mro__]
    marked = any(
        "scheduled_lr" in group and "weight_sum" in group for group in optimizer.param_groups
    )
    return marked or any("schedulefree" in kind for kind in kinds)
