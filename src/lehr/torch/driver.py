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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lehr.errors import PastEnd, ScheduleError
from lehr.operators import Over
from lehr.schedule import Schedule

__all__ = ["Binding", "Driver", "Slot", "Track", "plain"]

Group = dict[str, Any]

# Steps computed at once where all groups share a curve, and numbers computed at once where not:
# both small enough to stay in the cache, large enough that the cost of computing them vanishes.
_BLOCK: Final = 1024
_NUMBERS: Final = 65536


def plain(value: Any) -> float:
    """Return a rate as a Python float, be it a number or a tensor of one."""
    return float(value.item()) if isinstance(value, Tensor) else float(value)


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a parameter group: ``group[key]``, or ``group[key][index]``."""

    name: str
    key: str
    index: int | None = None

    @classmethod
    def find(cls, name: str, optimizer: Optimizer) -> Slot:
        """Return the place that ``name`` means for an optimizer.

        Arguments:
            name: ``"lr"`` or any other key of its groups; ``"momentum"``, which is the first beta
                where the optimizer has betas; ``"beta1"`` or ``"beta2"``.

        Raises:
            ScheduleError: If its groups have no such number.
        """
        group = optimizer.param_groups[0]
        if name in ("momentum", "beta1") and name not in group and "betas" in group:
            return cls(name, "betas", 0)
        if name == "beta2" and name not in group and "betas" in group:
            return cls(name, "betas", 1)
        value = group.get(name)
        number = isinstance(value, Tensor) or (
            isinstance(value, int | float) and not isinstance(value, bool)
        )
        if not number:
            known = [key for key, v in group.items() if isinstance(v, int | float | Tensor)]
            known = [key for key in known if not isinstance(group[key], bool)]
            betas = ["beta1", "beta2"] if "betas" in group else []
            raise ScheduleError(
                f"{type(optimizer).__name__} has no number {name!r} to drive; it has "
                f"{', '.join([*known, *betas])}"
            )
        return cls(name, name)

    def read(self, group: Group) -> Any:
        """Return what stands there: a number or a tensor."""
        value = group[self.key]
        return value if self.index is None else value[self.index]

    def write(self, group: Group, value: float) -> None:
        """Put a number there; a tensor keeps its identity, which compiled steps hold on to."""
        current = self.read(group)
        if isinstance(current, Tensor):
            current.fill_(value)
        elif self.index is None:
            group[self.key] = value
        else:
            values = list(group[self.key])
            values[self.index] = value
            group[self.key] = tuple(values)


@dataclass(frozen=True, slots=True)
class Binding:
    """What a schedule means for one group: ``offset + gain * schedule(t)``."""

    gain: float = 1.0
    offset: float = 0.0


class Track:
    """One driven number: its slot, its schedule, and the binding of each group.

    Arguments:
        slot: The place that is driven.
        schedule: The curve, placed over its run.
        bind: Returns the binding of a group; asked for each group, and again for one added later.
        low: A number that no driven value may be below; minus infinity leaves it unchecked.
        high: A number that no driven value may be above.
    """

    def __init__(
        self,
        slot: Slot,
        schedule: Schedule,
        bind: Callable[[int, Group], Binding],
        *,
        low: float = -math.inf,
        high: float = math.inf,
    ) -> None:
        self.slot, self.schedule = slot, schedule
        self._bind, self._low, self._high = bind, low, high
        self.bindings: list[Binding] = []
        self._rows: list[Any] = []
        self._shared = True
        self._direct = True

    def join(self, groups: Sequence[Group]) -> None:
        """Take in all groups, keeping the bindings of those that are known.

        Raises:
            ScheduleError: If a value could leave the range that the number may have.
        """
        added = [self._bind(i, groups[i]) for i in range(len(self.bindings), len(groups))]
        for binding in added:
            self._check(binding)
        self.bindings = [*self.bindings[: len(groups)], *added]

    def _check(self, binding: Binding) -> None:
        if self._low == -math.inf and self._high == math.inf:
            return
        ends = [binding.offset + binding.gain * bound for bound in self.schedule.bounds]
        if any(math.isnan(end) for end in ends) or min(ends) < self._low or max(ends) > self._high:
            raise ScheduleError(
                f"{self.slot.name}={self.schedule} could give values from {min(ends):g} to "
                f"{max(ends):g}; it must stay between {self._low:g} and {self._high:g}. "
                "Write .clip(low=..., high=...) around it"
            )

    def at(self, position: float) -> list[float]:
        """Return the value of each group at a position."""
        value = self.schedule(position)
        return [binding.offset + binding.gain * value for binding in self.bindings]

    def fill(self, steps: np.ndarray[Any, Any], groups: Sequence[Group]) -> None:
        """Compute the values of a block of steps."""
        length = self.schedule.length
        # A block may reach past the run's end, where the value is that of the end.
        curve = self.schedule(steps if length is None else np.minimum(steps, math.ceil(length)))
        self._shared = all(binding == self.bindings[0] for binding in self.bindings)
        self._direct = self.slot.index is None and not any(
            isinstance(self.slot.read(group), Tensor) for group in groups
        )
        if self._shared:
            self._rows = (self.bindings[0].offset + self.bindings[0].gain * curve).tolist()
            return
        gains = np.array([binding.gain for binding in self.bindings])
        offsets = np.array([binding.offset for binding in self.bindings])
        self._rows = (offsets + gains * curve[:, None]).tolist()

    @property
    def limit(self) -> float:
        """The last position that has a value: finite where the schedule raises past its end."""
        schedule = self.schedule
        ends = isinstance(schedule, Over) and schedule.past == "raise"
        return schedule.length or math.inf if ends else math.inf

    @property
    def shared(self) -> bool:
        """Whether all groups have the same value."""
        return all(binding == self.bindings[0] for binding in self.bindings)

    def write(self, index: int, groups: Sequence[Group]) -> None:
        """Assign the values of one step of the block."""
        row = self._rows[index]
        if not self._direct:
            self.assign([row] * len(groups) if self._shared else row, groups)
        elif self._shared:
            key = self.slot.key
            for group in groups:
                group[key] = row
        else:
            key = self.slot.key
            for group, value in zip(groups, row, strict=True):
                group[key] = value

    def assign(self, values: Sequence[float], groups: Sequence[Group]) -> None:
        """Assign the given values, one a group."""
        for group, value in zip(groups, values, strict=True):
            self.slot.write(group, value)


class Driver(LRScheduler):
    """A torch scheduler that assigns the values of schedules.

    Subclasses say what is driven by :meth:`_plan`, which is asked once at the start and again
    whenever their parameters change.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self._tracks: list[Track] = []
        self._begin = self._count = 0
        self._limit = math.inf
        super().__init__(optimizer, last_epoch)

    def _plan(self) -> list[Track]:
        """Return what is driven; ``base_lrs`` is known by then."""
        raise NotImplementedError

    def _replan(self) -> None:
        """Ask for the plan again, and forget the values computed by the old one."""
        tracks = self._plan()
        groups = self.optimizer.param_groups
        for track in tracks:
            track.join(groups)
        self._tracks = tracks
        self._limit = min((track.limit for track in tracks), default=math.inf)
        self._count = 0

    def _check_position(self, position: float) -> None:
        """Refuse a position that has no value; drop-ins with an end override it."""
        if position < 0:
            raise ScheduleError(f"position {position!r} is negative; the first step is 0")
        if position > self._limit:
            raise PastEnd(f"position {position!r} is after the run's {self._limit:g} steps")

    # ----- moving -------------------------------------------------------------------------------

    def _initial_step(self) -> None:
        self._replan()
        self._step_count = 1
        self.seek(self.last_epoch + 1)

    def step(self, epoch: float | None = None) -> None:
        """Go to the next position and assign its values; call it after ``optimizer.step()``.

        Arguments:
            epoch: In place of the next position, the one to go to: see :meth:`seek`.
        """
        if epoch is None and self._step_count == 1:
            self._warn_of_order()
        self._update_lr(epoch)
        self._step_count += 1

    def seek(self, position: float) -> None:
        """Go to a position and assign its values, at once and from anywhere.

        Arguments:
            position: How many updates came before, at least 0; between two, where a real number.

        Raises:
            ScheduleError: If it is negative.
        """
        self._update_lr(position)

    def _update_lr(self, epoch: float | None = None) -> None:
        position = self.last_epoch + 1 if epoch is None else epoch
        self._check_position(position)
        groups = self.optimizer.param_groups
        if position != int(position):
            self._join()
            for track in self._tracks:
                track.assign(track.at(position), groups)
            self.last_epoch = math.floor(position)
            return
        index = int(position) - self._begin
        if not 0 <= index < self._count or len(groups) != len(self.base_lrs):
            self._fill(int(position))
            index = 0
        self.last_epoch = self._begin + index
        for track in self._tracks:
            track.write(index, groups)

    def _fill(self, position: int) -> None:
        """Compute the block of values that begins at a position."""
        self._join()
        groups = self.optimizer.param_groups
        size = _BLOCK
        if not all(track.shared for track in self._tracks):
            size = max(16, _NUMBERS // len(groups))
        steps = np.arange(position, position + size)
        for track in self._tracks:
            track.fill(steps, groups)
        self._begin, self._count = position, size

    def _join(self) -> None:
        """Take in the groups that were added since."""
        groups = self.optimizer.param_groups
        for group in groups[len(self.base_lrs) :]:
            self.base_lrs.append(group.setdefault("initial_lr", plain(group["lr"])))
        for track in self._tracks:
            track.join(groups)

    def _warn_of_order(self) -> None:
        """Give torch's own warning where the scheduler moves before the optimizer did."""
        wrapped = hasattr(self.optimizer.step, "_wrapped_by_lr_sched")
        if wrapped and not getattr(self.optimizer, "_opt_called", False):
            import warnings

            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`: the schedule's "
                "first value is never used. Call `optimizer.step()` first, then "
                "`lr_scheduler.step()`.",
                UserWarning,
                stacklevel=3,
            )

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
