"""DeepSpeed: a function that its engine calls to build the scheduler.

If a scheduler's ``step`` raises a TypeError, the engine calls it again with the batch size as its
argument, which torch's schedulers take for a position. lehr's accepts no argument.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from lehr.errors import ScheduleError
from lehr.extras import needs
from lehr.schedule.horizon import HorizonLike

with needs("lehr.interop.deepspeed", "torch", "torch"):
    from torch.optim import Optimizer

from lehr.torch import Scheduler

__all__ = ["factory", "refuse_scheduler"]


def factory(
    lr: Any = None,
    over: HorizonLike | None = None,
    *,
    config: Mapping[str, Any] | str | Path | None = None,
    **others: Any,
) -> Callable[[Optimizer], Scheduler]:
    """Return a function for ``deepspeed.initialize(lr_scheduler=...)`` that builds the scheduler.

    Arguments:
        lr: The schedule of the learning rate.
        over: The run in updates.
        config: The engine's configuration, a dict or the path of its JSON file. It is only checked:
            which of two schedulers an engine uses depends on the release of DeepSpeed.
        **others: As in :class:`lehr.torch.Scheduler`.

    Raises:
        ScheduleError: If ``config`` names a scheduler.

    Example:
        >>> import lehr, torch
        >>> build = factory(lr=lehr.linear(), over=10)
        >>> scheduler = build(torch.optim.SGD([torch.zeros(1)], lr=0.5))
        >>> scheduler.get_last_lr()
        [0.5]
    """
    refuse_scheduler(config)
    return partial(Scheduler, lr=lr, over=over, **others)


def refuse_scheduler(config: Mapping[str, Any] | str | Path | None) -> None:
    """Raise a ScheduleError if a DeepSpeed configuration names a scheduler of its own.

    Arguments:
        config: The configuration, the path of its JSON file, or None.
    """
    if isinstance(config, str | Path):
        config = json.loads(Path(config).read_text(encoding="utf-8"))
    found = config.get("scheduler") if isinstance(config, Mapping) else None
    if found:
        kind = found.get("type") if isinstance(found, Mapping) else found
        raise ScheduleError(
            f'"scheduler" of the DeepSpeed configuration (type {kind!r}) is a second schedule, and '
            "depending on DeepSpeed's release one of the two is ignored; delete that key"
        )
