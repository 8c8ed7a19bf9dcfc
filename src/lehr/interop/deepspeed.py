# pyright: basic
"""DeepSpeed: a function that its engine builds the scheduler with.

Where a scheduler's ``step`` raises a TypeError, the engine calls it again with the batch size as
its argument, which torch's schedulers take for a position. These take no argument at all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch.optim import Optimizer

from lehr.errors import ScheduleError
from lehr.schedule.horizon import HorizonLike
from lehr.torch import Scheduler

__all__ = ["factory"]


class _Stepped(Scheduler):
    """A scheduler that an engine steps: one update at a time, and nothing else."""

    def step(self, *junk: Any, **more: Any) -> None:
        """Go to the next position.

        Raises:
            ScheduleError: If there is any argument. Nothing moves then.
        """
        if junk or more:
            given = ", ".join(
                [*map(repr, junk), *(f"{name}={value!r}" for name, value in more.items())]
            )
            raise ScheduleError(
                f"step({given}): the schedule counts updates, one at each step(); leave out the "
                "engine's lr_kwargs"
            )
        super().step()


def factory(
    lr: Any = None, over: HorizonLike | None = None, **others: Any
) -> Callable[[Optimizer], Scheduler]:
    """Return what ``deepspeed.initialize(lr_scheduler=...)`` builds the scheduler with.

    Arguments:
        lr: The schedule of the learning rate.
        over: The run in updates.
        **others: As in :class:`lehr.torch.Scheduler`.

    Example:
        >>> import lehr, torch
        >>> build = factory(lr=lehr.linear(), over=10)
        >>> scheduler = build(torch.optim.SGD([torch.zeros(1)], lr=0.5))
        >>> scheduler.get_last_lr()
        [0.5]
    """
    return partial(_Stepped, lr=lr, over=over, **others)
