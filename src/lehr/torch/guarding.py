"""Watching a run: the guards of a scheduler, and how they see what happens."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from lehr.check import JUMP, jump, lengths
from lehr.schedule.times import Over
from lehr.torch.driver import Driver
from lehr.torch.guards import Guards, Mode
from lehr.torch.lookahead import Levels
from lehr.torch.shared import Change, Updates

if TYPE_CHECKING:
    from lehr.torch.binding import Track
    from lehr.torch.groups import Meaning
    from lehr.torch.plan_edits import Course
    from lehr.walltime.wallclock import WallClock

__all__ = ["Watched"]

# So often in a row another rate was found than had been written: it is no change by hand.
_FIGHT: Final = 3


class Watched(Driver):
    """A driver that notices the mistakes that tutorials warn of; see ``lehr.torch.GUARDS``."""

    _chosen: dict[str, list[Course | None]]
    _walls: dict[Meaning, WallClock]

    def _watch(self, guards: Mode | Mapping[str, Mode], scaler: Any) -> None:
        self._guards = Guards(guards)
        self._scaler = scaler
        self._highest = 0.0
        # The levels that lie ahead, as the highest so far, and where they begin.
        self._climb, self._climb_from = np.empty(0), 0
        self._edge: tuple[int, list[float]] = (-1, [])
        self._fights = 0
        self._many = 0

    # ----- before the run -----------------------------------------------------------------------

    def _look_ahead(self) -> None:
        """Tell of what can be seen before the first update."""
        for course in self._courses():
            for finding in lengths(course.now):
                if finding.name == "warmup":
                    self._guards.tell("warmup", finding.message)
        board = self._attach()
        for other in board.members:
            if other is self or other._silent or not self._shares(other):
                continue
            if repr(other).partition(", at ")[0] == repr(self).partition(", at ")[0]:
                self._guards.tell(
                    "conflict",
                    f"another scheduler like this one, {other!r}, drives the same optimizer, and "
                    "their factors multiply: delete it first (a list or a notebook's cell may "
                    "keep it)",
                )
            elif self._is_absolute and other._is_absolute:
                self._guards.tell(
                    "conflict",
                    f"{other!r} drives the same number, and neither is a factor: the one that "
                    "moved last is heard, the other is not",
                )

    def _shares(self, other: Driver) -> bool:
        mine = {track.slot.place for track in self._tracks}
        return any(track.slot.place in mine for track in other._tracks)

    def _courses(self) -> list[Course]:
        if self._walls:
            # What follows the time that passes has no steps to look at.
            return []
        return list({id(c): c for c in self._chosen.get("lr", ()) if c is not None}.values())

    @property
    def _run(self) -> float:
        """The steps of the run that the rate was given, or infinity."""
        ends = [
            course.begin + course.now.length
            for course in self._courses()
            if isinstance(course.now, Over) and course.now.length is not None
        ]
        return max(ends, default=math.inf)

    # ----- while training -----------------------------------------------------------------------

    def _step_slowly(self, epoch: float | None) -> None:
        if epoch is not None:
            # Trainers that pass what they have, such as a batch size, must not move it there.
            raise TypeError(
                f"step({epoch!r}): step takes no argument; write seek({epoch!r}) to go there"
            )
        updates = self._attach().updates
        if updates is not None:
            if updates.read():
                self.step()  # one that goes the fast way, now that the update counts
                return
            if self._is_held(updates):
                return
        super()._step_slowly(epoch)

    def _is_held(self, updates: Updates) -> bool:
        """Look at the updates since the last step; return whether the schedule must not move."""
        made = updates.count - self._seen if self._seen >= 0 else updates.count
        first, self._seen = self._step_count <= 1, updates.count
        self._watched = updates
        if made > 1 and not first:
            self._many += 1
            if self._many == 2:
                self._tell_per_epoch(made)
        elif made == 1:
            self._many = 0
        elif made == 0:
            if updates.skipped or (not self._is_captured(updates) and self._was_skipped()):
                self._guards.tell(
                    "skipped", "the gradient scaler skipped an update: the schedule does not move"
                )
                return True
            # Nothing more to be seen until updates are made again.
            self._watched = None
            if updates.count and not first and not self._is_captured(updates):
                self._guards.tell(
                    "repeated",
                    "scheduler.step() was called again without an update in between: with gradient "
                    "accumulation or several processes, call it once after each "
                    "`optimizer.step()`. (Where a gradient scaler skips updates, write "
                    "Scheduler(..., scaler=scaler))",
                )
        return False

    def _tell_per_epoch(self, made: int) -> None:
        run = self._run
        if run >= made and run != math.inf:
            self._guards.tell(
                "per_epoch",
                f"{made} updates were made between two steps of the scheduler, whose run of "
                f"{run:g} steps seems to count updates: call scheduler.step() after each "
                "`optimizer.step()`",
            )

    def _was_skipped(self) -> bool:
        """Return whether a gradient scaler kept the optimizer from its update."""
        if self._scaler is not None:
            return bool(self._scaler.is_enabled())
        gradients = [
            p.grad
            for group in self.optimizer.param_groups
            for p in group["params"]
            if p.grad is not None and not p.grad.is_sparse
        ]
        return any(not bool(torch.isfinite(gradient).all()) for gradient in gradients)

    def _is_captured(self, updates: Updates) -> bool:
        """Return whether updates are made that are not seen, by replaying a CUDA graph."""
        # It may have been captured before anybody counted.
        likely = any(group.get("capturable") for group in self.optimizer.param_groups)
        return updates.captured or (likely and self._scaler is None)

    def _warn_of_order(self) -> None:
        updates = self._attach().updates
        if updates is None or updates.count or getattr(self.optimizer, "_opt_called", False):
            return
        self._guards.tell(
            "order",
            "Detected call of `lr_scheduler.step()` before `optimizer.step()`: the schedule's "
            "first value is never used. Call `optimizer.step()` first, then `lr_scheduler.step()`",
        )

    def _block_end(self, position: int) -> float:
        # The step past the end shall be seen.
        run = self._run
        return min(self._last_position(), run) if position <= run else self._last_position()

    def _move(self, position: float) -> None:
        run = self._run
        if position > run and self._guards.watches("past_end"):
            self._guards.tell(
                "past_end",
                f"the run ends after {run:g} steps, and this is update {position + 1:g}: the "
                "schedule stays at its end level; write over=... for a longer run, or extend(...)",
            )
        super()._move(position)

    def _place(self, position: float) -> None:
        self._highest = self._reached
        self._climb = np.empty(0)
        super()._place(position)

    @property
    def _reached(self) -> float:
        """The highest level of the rate so far."""
        done = self.last_epoch - self._climb_from + 1
        climb = self._climb[: max(done, 0)]
        return max(self._highest, float(climb[-1])) if len(climb) else self._highest

    def _look(self, levels: Levels) -> None:
        position = self.last_epoch
        rates = [
            level
            for track, level in zip(self._tracks, levels, strict=True)
            if track.slot.name == "lr"
        ]
        for level in rates if self._guards.watches("jump") else ():
            self._look_for_jumps(position, level)
        if rates:
            highest = np.max(rates, axis=0)
            self._climb, self._climb_from = np.maximum.accumulate(highest), position
            self._edge = position + len(highest), [float(level[-1]) for level in rates]

    def _look_for_jumps(self, position: int, levels: NDArray[np.float64]) -> None:
        """Look at the levels that were computed ahead, with those before them."""
        end, lasts = self._edge
        before = max(lasts) if end == position else None
        earlier = np.concatenate([levels[:1] if before is None else [before], levels[:-1]])
        if not ((earlier > 0) & (levels > JUMP * earlier)).any():
            return
        found = jump(levels.tolist(), before, self._highest)
        if found is not None:
            index, low, high = found
            self._tell_of_jump(position + index, low, high)

    def _level_of(self, track: Track) -> Callable[[int], float]:
        ask = track.level
        if track.slot.name != "lr" or not self._guards.watches("jump"):
            return ask
        before = max(self._edge[1])

        def level(position: int) -> float:
            nonlocal before
            found = ask(position)
            if jump([found], before, self._highest) is not None:
                self._tell_of_jump(position, before, found)
            before, self._highest = found, max(self._highest, before, found)
            self._edge = position + 1, [found]
            return found

        return level

    def _tell_of_jump(self, step: int, low: float, high: float) -> None:
        self._guards.tell(
            "jump",
            f"the rate rises from {low:.4g} to {high:.4g} of its base at once, at step {step}",
        )

    def _tell(self, name: str, message: str) -> None:
        self._guards.tell(name, message)

    def _noticed(self, changes: list[Change]) -> None:
        rates = [change for change in changes if change[0].name == "lr"]
        self._fights = self._fights + 1 if rates else 0
        if self._fights == _FIGHT:
            slot, index, value = rates[0]
            self._guards.tell(
                "conflict",
                f"somebody else sets the {slot.name} between steps (group {index} to {value:g}): "
                "is there another scheduler on this optimizer?",
            )
