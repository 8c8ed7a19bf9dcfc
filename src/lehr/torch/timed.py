"""What follows the time that passes: a driven number whose schedule is over seconds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from lehr.torch.binding import Track
from lehr.walltime.wallclock import WallClock

__all__ = ["Timed", "of_rank_zero"]


class Timed(Track):
    """A driven number that is asked for its present value only: no step has one ahead of time.

    Arguments:
        wall: The schedule with its clock.
        track: The arguments of a :class:`Track`, but for the schedule.
    """

    def __init__(self, wall: WallClock, *, slot: Any, **track: Any) -> None:
        super().__init__(slot, wall.schedule, **track)
        self._wall = wall

    @property
    def bounds(self) -> tuple[float, float]:
        """Two numbers that all levels lie between."""
        return self._wall.bounds

    @property
    def one_by_one(self) -> bool:
        """Whether it is asked for one step at a time."""
        return True

    @property
    def limit(self) -> float:
        """The last position that has a value."""
        return math.inf

    def level(self, position: float) -> float:
        """Return the present level, whatever the position."""
        return self._wall.value

    def levels(self, steps: NDArray[Any]) -> NDArray[np.float64]:
        """Return the level of the present step, which is the only one that is asked for."""
        return np.full(len(steps), self._wall.value)


def of_rank_zero(seconds: float) -> float:
    """Return the seconds that the process of rank 0 has counted; those given, where it is alone."""
    if not dist.is_available() or not dist.is_initialized():
        return seconds
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    message = torch.tensor([seconds], dtype=torch.float64, device=device)
    dist.broadcast(message, src=0)
    return float(message.item())
