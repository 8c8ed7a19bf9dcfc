"""torch.distributed.checkpoint: save the state of a scheduler as a whole.

That library splits a state into its keys and loads only the keys that the new object has as well. A
scheduler whose plan was changed during training has more keys than a new one, and these would be
dropped silently.
"""

from __future__ import annotations

import json
from typing import Any

from lehr.errors import ScheduleError
from lehr.extras import needs

with needs("lehr.interop.checkpoint", "torch", "torch"):
    from torch.optim.lr_scheduler import LRScheduler

__all__ = ["Whole"]


class Whole:
    """Wrap a scheduler for a state that ``torch.distributed.checkpoint`` saves and loads.

    The state of the scheduler becomes one text, which is loaded as a whole or not at all. Every
    rank passes it to the library, which writes it once.

    Arguments:
        scheduler: A scheduler of ``lehr.torch``.

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
            ScheduleError: If JSON cannot hold the state, which is possible for torch's own classes.
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
        """Restore a state that :meth:`state_dict` returned.

        Raises:
            ScheduleError: If it is not such a state, or belongs to another schedule.
        """
        try:
            state = json.loads(state_dict["json"])
        except (KeyError, TypeError, ValueError) as error:
            raise ScheduleError(
                f"not a state that Whole has saved: {error!r}; pass what state_dict() returned"
            ) from None
        self._scheduler.load_state_dict(state)
