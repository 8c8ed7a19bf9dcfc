"""The range test: the ramp that finds a peak rate."""

from __future__ import annotations

from lehr.catalogue.registry import Paper, With, entry
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import ramp
from lehr.time.duration import DurationLike

__all__ = ["range_ramp"]


@entry(
    "derived",
    formula=r"\eta_t = \eta_0 \, (\eta_1 / \eta_0)^{t / T} \quad \text{or} \quad "
    r"\eta_0 + (\eta_1 - \eta_0) \, t / T",
    paper=Paper(
        "Smith", 2015, "Cyclical Learning Rates for Training Neural Networks", "1506.01186"
    ),
    aliases=("LRRangeTest", "LRFinder", "lr_find", "FastaiLRFinder"),
    example=With(start=1e-4),
)
def range_ramp(
    steps: DurationLike | None = None,
    *,
    start: float = 1e-7,
    to: float = 1.0,
    log: bool = True,
    stairs: DurationLike | None = None,
) -> Schedule:
    """Rise over many orders of magnitude, to find the rate at which training breaks.

    Formula: ``start * (to / start) ** (t / steps)``, or a straight line.

    DeepSpeed's ``min * (1 + rate * t / size)`` for ``n`` steps is
    ``range_ramp(n, start=min, to=min * (1 + rate * n / size), log=False)``.

    Arguments:
        steps: How long; without it, as long as there is room.
        start: The lowest rate, greater than 0 where ``log``.
        to: The highest.
        log: In equal factors, rather than equal steps.
        stairs: The steps that each value is held for; without it, the rise is smooth.

    Raises:
        ScheduleError: If ``start`` equals ``to``, or one is not positive where ``log``.

    Example:
        >>> s = range_ramp(100, start=1e-4)
        >>> [round(s(t), 6) for t in (0, 25, 50, 100)]
        [0.0001, 0.001, 0.01, 1.0]
    """
    rise = ramp(steps, start=start, to=to, log=log)
    return rise if stairs is None else rise.every(stairs)
