"""The wall clocks of a scheduler, one for each schedule that follows elapsed time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.distributed as dist

from lehr.errors import ScheduleError
from lehr.schedule.base import Schedule
from lehr.walltime.wallclock import WallClock


class WallClocks(dict[Schedule, WallClock]):
    """The wall clock of each schedule that follows elapsed time.

    Arguments:
        seconds: Returns the time.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        super().__init__()
        self._seconds = seconds

    def start(self, schedule: Schedule) -> None:
        """Start the clock of a schedule, unless it has one."""
        if schedule not in self:
            self[schedule] = WallClock(schedule, clock=self._seconds, agree=_of_rank_zero)

    def advance(self, position: float, *, jump: bool) -> None:
        """Advance the clocks to a position; if it is not the next one, seek it first."""
        for clock in self.values():
            if jump:
                clock.seek(int(position))
            clock.advance()

    def copied(self) -> WallClocks:
        """Return clocks for the same schedules that continue from the same times."""
        twin = WallClocks(self._seconds)
        for schedule in self:
            twin.start(schedule)
        twin.load(self.states())
        return twin

    def skip(self) -> None:
        """Leave out the time since the last step."""
        for clock in self.values():
            clock.skip()

    def states(self) -> list[dict[str, Any]]:
        """Return the state of each clock."""
        return [clock.state_dict() for clock in self.values()]

    def load(self, states: Sequence[dict[str, Any]]) -> None:
        """Restore the states.

        Raises:
            ScheduleError: If the number of states differs from the number of clocks.
        """
        if len(states) != len(self):
            raise ScheduleError(
                f"the state has {len(states)} clocks; {len(self)} schedules here follow "
                "elapsed time"
            )
        for clock, state in zip(self.values(), states, strict=True):
            clock.load_state_dict(state)


def _of_rank_zero(seconds: float) -> float:
    """Return the seconds counted by rank 0; in a single process, by itself."""
    if not dist.is_available() or not dist.is_initialized():
        return seconds
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    message = torch.tensor([seconds], dtype=torch.float64, device=device)
    dist.broadcast(message, src=0)
    return float(message.item())
