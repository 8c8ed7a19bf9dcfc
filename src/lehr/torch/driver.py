# pyright: basic
"""Driving an optimizer: what the scheduler and the drop-ins have in common.

A driver holds a position and nothing else that matters. At each step it *assigns*

    value of group g = offset_g + gain_g * schedule(position)

and never multiplies into what was there; so it makes no difference in which order an optimizer and
its scheduler are built and loaded, and a position can be sought. Values are computed a block of
steps at a time, so that a step costs little more than the assignment.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import EPOCH_DEPRECATION_WARNING, LRScheduler

from lehr.errors import PastEnd, ScheduleError
from lehr.torch.track import Binding, Group, Slot, Track, check_optimizer, plain, warn

__all__ = ["Driver"]

# Steps computed at once: few enough to stay in the cache, enough that their cost vanishes.
_BLOCK: Final = 1024


class Driver(LRScheduler):
    """A torch scheduler that assigns the values of schedules.

    Subclasses say what is driven by :meth:`_plan`, which is asked once at the start and again
    whenever their parameters change.
    """

    _deprecates_epoch = False
    """Whether ``step(epoch)`` warns, as torch's own schedulers do."""

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        self._tracks: list[Track] = []
        self._forget()
        self._fraction = 0.0
        super().__init__(optimizer, last_epoch)

    def _plan(self) -> list[Track]:
        """Return what is driven; ``base_lrs`` is known by then."""
        raise NotImplementedError

    def _bind(self, slot: Slot, index: int, group: Group) -> Binding:
        """Return what a schedule means for a group: the one of this index."""
        raise NotImplementedError

    def _replan(self) -> None:
        """Ask for the plan again, and forget the values computed by the old one."""
        tracks = self._plan()
        groups = self.optimizer.param_groups
        for track in tracks:
            track.join(groups, self._bind)
        self._tracks = tracks
        self._forget()

    def _last_position(self) -> float:
        """Return the last position that has a value; drop-ins with an end override it."""
        return min((track.limit for track in self._tracks), default=math.inf)

    def _check_position(self, position: float) -> None:
        """Refuse a position that has no value."""
        if not 0 <= position < math.inf:
            raise ScheduleError(f"position {position!r} must be a finite number of at least 0")
        if position > self._last_position():
            raise PastEnd(
                f"position {position!r} is after the run's {self._last_position():g} steps"
            )

    # ----- moving -------------------------------------------------------------------------------

    def _initial_step(self) -> None:
        self._replan()
        self._step_count = 0
        self.seek(self.last_epoch + 1)
        self._step_count = 1

    def step(self, epoch: float | None = None) -> None:
        """Go to the next position and assign its values; call it after ``optimizer.step()``.

        Arguments:
            epoch: In place of the next position, the one to go to: see :meth:`seek`.
        """
        # Nearly every call ends here: nothing but the assignments, from values computed before.
        index = self.last_epoch + 1 - self._begin
        groups = self.optimizer.param_groups
        if epoch is None and 0 <= index < self._count and self._is_known(groups):
            for key, values in self._even:
                value = values[index]
                for group in groups:
                    group[key] = value
            for key, levels, bindings in self._scaled:
                level = levels[index]
                for group, (offset, gain) in zip(groups, bindings):  # noqa: B905  (twice the time)
                    group[key] = offset + gain * level
            for track, levels in self._uneven:
                track.assign(levels[index], groups)
            self.last_epoch += 1
            self._step_count += 1
            return
        self._step_slowly(epoch)

    def _is_known(self, groups: list[Group]) -> bool:
        """Return whether the groups are those that the block was computed for.

        Loading an optimizer makes new groups, and a rate may have become a tensor by hand.
        """
        if groups is not self._known or len(groups) != self._size or self._step_count < 2:
            return False
        first = groups[0]
        for key in self._plain:  # noqa: SIM110  (all() of a generator takes three times as long)
            if first[key].__class__ is not float:
                return False
        return True

    def _step_slowly(self, epoch: float | None) -> None:
        if epoch is not None and self._deprecates_epoch:
            warn(EPOCH_DEPRECATION_WARNING)
        if epoch is None and self._step_count == 1:
            self._warn_of_order()
        self._update_lr(epoch)
        self._step_count += 1

    def seek(self, position: float) -> None:
        """Go to a position and assign its values, at once and from anywhere.

        Arguments:
            position: How many updates came before, at least 0; between two, where a real number.

        Raises:
            ScheduleError: If it is negative or not finite.
        """
        self._update_lr(position)

    def _resume(self, position: float, step_count: int) -> None:
        """Take up a saved position. At -1, a child whose turn has not come, nothing is assigned."""
        self._forget()
        self._step_count = step_count
        if position < 0:
            self.last_epoch, self._fraction = -1, 0.0
        else:
            self.seek(position)

    def _update_lr(self, epoch: float | None = None) -> None:
        position = self.last_epoch + 1 if epoch is None else plain(epoch)
        self._check_position(position)
        groups = self.optimizer.param_groups
        if position == int(position):
            index = int(position) - self._begin
            if not (0 <= index < self._count and self._is_known(groups)):
                self._fill(int(position))
                index = 0
            for key, values in self._even:
                for group in groups:
                    group[key] = values[index]
            for key, levels, bindings in self._scaled:
                for group, (offset, gain) in zip(groups, bindings, strict=True):
                    group[key] = offset + gain * levels[index]
            for track, levels in self._uneven:
                track.assign(levels[index], groups)
        else:
            self._join()
            for track in self._tracks:
                track.assign(track.schedule(position), groups)
            self._forget()
        self.last_epoch = math.floor(position)
        self._fraction = position - self.last_epoch

    def _fill(self, position: int) -> None:
        """Compute the block of values that begins at a position."""
        self._join()
        groups = self.optimizer.param_groups
        size = int(min(_BLOCK, self._last_position() - position + 1))
        # A user's function may have no values past the run: it is not asked ahead of time.
        if any(track.schedule.calls for track in self._tracks):
            size = 1
        steps = np.arange(position, position + size)
        with np.errstate(over="ignore", invalid="ignore"):
            blocks = [np.asarray(track.schedule(steps)) for track in self._tracks]
        finite = np.logical_and.reduce([np.isfinite(block) for block in blocks])
        self._count = size if finite.all() else int(finite.argmin())
        if self._count == 0:
            self._forget()
            raise ScheduleError(f"the schedule has no finite value at position {position}")
        self._even, self._scaled, self._uneven = [], [], []
        for track, block in zip(self._tracks, blocks, strict=True):
            if not track.is_plain(groups):
                self._uneven.append((track, block.tolist()))
            elif track.is_shared:
                all_alike = track.bindings[0]
                values = track.scale * (all_alike.offset + all_alike.gain * block)
                self._even.append((track.slot.key, values.tolist()))
            elif track.scale == 1:
                bindings = [(binding.offset, binding.gain) for binding in track.bindings]
                self._scaled.append((track.slot.key, block.tolist(), bindings))
            else:
                self._uneven.append((track, block.tolist()))
        self._plain = [key for key, *_ in (*self._even, *self._scaled)]
        self._begin, self._known, self._size = position, groups, len(groups)

    def _forget(self) -> None:
        """Drop the block of values: the next step computes them again."""
        self._begin = self._count = self._size = 0
        self._known: list[Group] | None = None
        self._plain: list[str] = []
        self._even: list[tuple[str, list[float]]] = []
        self._scaled: list[tuple[str, list[float], list[tuple[float, float]]]] = []
        self._uneven: list[tuple[Track, list[float]]] = []

    def _join(self) -> None:
        """Take in the groups that were added since."""
        groups = self.optimizer.param_groups
        for group in groups[len(self.base_lrs) :]:
            self.base_lrs.append(group.setdefault("initial_lr", plain(group["lr"])))
        for track in self._tracks:
            track.join(groups, self._bind)

    def _warn_of_order(self) -> None:
        """Give torch's own warnings where the scheduler moves before the optimizer did."""
        if not hasattr(self.optimizer.step, "_wrapped_by_lr_sched"):
            warn(
                "Seems like `optimizer.step()` has been overridden after learning rate scheduler "
                "initialization: whether it is called before `lr_scheduler.step()` cannot be seen."
            )
        elif not getattr(self.optimizer, "_opt_called", False):
            warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`: the schedule's "
                "first value is never used. Call `optimizer.step()` first, then "
                "`lr_scheduler.step()`."
            )

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: all but the values, which are computed again."""
        dropped = {"_even": [], "_scaled": [], "_uneven": [], "_plain": []}
        return {**self.__dict__, **dropped, "_count": 0, "_known": None}

    # ----- asking -------------------------------------------------------------------------------

    def get_lr(self) -> list[float | Tensor]:
        """Return the rate of each group at the present position."""
        return self.get_last_lr()

    def get_last_lr(self) -> list[float | Tensor]:
        """Return the rate of each group, as it stands in the optimizer."""
        return [
            lr.clone() if isinstance(lr, Tensor) else lr
            for lr in (group["lr"] for group in self.optimizer.param_groups)
        ]

    @property
    def _last_lr(self) -> list[float | Tensor]:
        # torch's containers read it from their children.
        return self.get_last_lr()
