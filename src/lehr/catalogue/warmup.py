"""Warmups: from little to the peak, before anything else."""

from __future__ import annotations

from lehr.catalogue.registry import Paper, With, entry
from lehr.horizon import DurationLike
from lehr.leaves import ramp
from lehr.schedule import Schedule

__all__ = ["warmup"]


@entry(
    "warmup",
    formula=r"\eta_t = \eta_s + (\eta - \eta_s) \, \min(1,\, t / W)",
    paper=Paper(
        "Goyal et al.",
        2017,
        "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour",
        "1706.02677",
    ),
    aliases=("LinearLR", "get_constant_schedule_with_warmup", "LinearWarmup", "WarmupLR"),
    example=With("10%"),
)
def warmup(steps: DurationLike, *, start: float = 0.0, to: float = 1.0) -> Schedule:
    """Rise in a straight line, before whatever follows.

    Formula: ``start + (to - start) * t / steps``.

    The first update, ``t = 0``, uses ``start``: at 0 it trains nothing. To begin one step in, write
    ``warmup(500)[1:]``; to begin elsewhere, give ``start``.

    Arguments:
        steps: How long.
        start: The level at which it begins.
        to: The level that it reaches after ``steps``.

    Raises:
        ScheduleError: If ``start`` equals ``to``.

    Example:
        >>> from lehr import cosine
        >>> s = warmup(100) >> cosine(900)
        >>> s(0), s(50), s(100)
        (0.0, 0.5, 1.0)
    """
    return ramp(steps, to=to, start=start)
