"""Schedules as code: plain Python, torch's own schedulers, optax, transformers."""

from __future__ import annotations

import importlib
from typing import Final

from lehr.errors import ScheduleError, shown
from lehr.notation import ScheduleLike, as_schedule

__all__ = ["export"]

# Loaded by name when it is used.
_TARGETS: Final = ("python", "torch", "optax", "transformers")


def export(schedule: ScheduleLike, target: str) -> str:
    """Return a schedule as code that can be pasted into a program without lehr.

    ``"python"`` is a function ``lr(step)`` that needs :mod:`math` only. ``"torch"`` makes a
    ``scheduler`` for an ``optimizer``: torch's own classes where they give the same values, else a
    ``LambdaLR``; the schedule is a factor of each group's rate. ``"optax"`` is a schedule ``lr``
    that joins optax's own functions where they give the same values, and JAX functions otherwise.
    ``"transformers"`` makes a ``scheduler`` by ``get_scheduler`` where one of its names gives the
    same values over the run, else a ``LambdaLR``; a comment says how the Trainer takes it.

    Arguments:
        schedule: Placed over its run, where it needs one.
        target: ``"python"``, ``"torch"``, ``"optax"`` or ``"transformers"``.

    Returns:
        Lines of code that define ``lr`` or ``scheduler``.

    Raises:
        NeedsHorizon: If the schedule has shares, or a part without a length.
        ScheduleError: If the target is unknown, or cannot express a part of the schedule.

    Example:
        >>> import lehr
        >>> print(export(lehr.warmup(100, start=0.1) >> lehr.linear(900), "python"))
        def lr(step):
            # warmup(100, start=0.1) >> linear(900, to=0.0)
            if step < 100:
                u = step / 100
                w = (100 - step) / 100
                return 0.1 * w + u
            if step < 1000:
                t = step - 100
                w = (900 - t) / 900
                return w
            return 0.0
        <BLANKLINE>
        >>> print(export(lehr.step(30), "torch"))
        from torch.optim.lr_scheduler import StepLR
        <BLANKLINE>
        # exponential(0.1, every=30).every(30)
        scheduler = StepLR(optimizer, step_size=30, gamma=0.1)
        <BLANKLINE>
    """
    if not isinstance(target, str) or target not in _TARGETS:
        raise ScheduleError(
            f"target={shown(target)} is unknown; write one of {', '.join(_TARGETS)}"
        )
    schedule = as_schedule("schedule", schedule)
    writer = importlib.import_module(f"lehr.export.{target}")
    try:
        return writer.code(schedule)
    except ScheduleError as error:
        raise type(error)(f"{schedule} as {target} code: {error}") from None
