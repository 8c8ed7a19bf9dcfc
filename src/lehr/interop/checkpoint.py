# pyright: basic
"""torch.distributed.checkpoint: a scheduler's state, saved whole.

That library takes a state apart into its keys and loads only those that the new object has too. A
scheduler whose plan was changed while training has more of them than a new one: they would be
dropped without a word.
"""

from __future__ import annotations

import json
from typing import Any

from torch.optim.lr_scheduler import LRScheduler

from lehr.errors import ScheduleError

__all__ = ["Whole"]


class Whole:
    """A scheduler, to be put into a state that ``torch.distributed.checkpoint`` saves and loads.

    Its state is one text, so it arrives whole or not at all. Every rank passes it; the library
    writes it once.

    Arguments:
        scheduler: A scheduler of lehr's.

    Example:
        >>> import lehr, torch
        >>> from lehr.torch import Scheduler
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
        >>> whole = Whole(Scheduler(optimizer, lr=lehr.linear(), over=10))
        >>> list(whole.state_dict())
        ['json']
        >>> whole.load_state_dict(whole.state_dict())
    """

    def __init__(self, scheduler: LRScheduler) -> None:
        self._scheduler = scheduler

    def state_dict(self) -> dict[str, Any]:
        """Return the scheduler's state as one text.

        Raises:
            ScheduleError: If the state has what JSON does not, as that of torch's own may.
        """
        state = self._scheduler.state_dict()
        try:
            return {"json": json.dumps(state, allow_nan=False)}
        except (TypeError, ValueError) as error:
            raise ScheduleError(
                f"the state of {type(self._scheduler).__name__} is not JSON ({error}); use a "
                "scheduler of lehr.torch"
            ) from None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a state that :meth:`state_dict` gave.

        Raises:
            ScheduleError: If it is no such state, or belongs to another schedule.
        """
        try:
            state = json.loads(state_dict["json"])
        except (KeyError, TypeError, ValueError) as error:
            raise ScheduleError(f"this is no state of a scheduler: {error!r}") from None
        self._scheduler.load_state_dict(state)
