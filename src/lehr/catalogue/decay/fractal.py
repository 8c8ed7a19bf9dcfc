"""Chebyshev's steps: large and small ones, in an order that stays stable."""

from __future__ import annotations

import math

from lehr.catalogue.parts import joined, written_out
from lehr.catalogue.registry import Paper, With, entry
from lehr.errors import ScheduleError, number, rising
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.time.duration import DurationLike

__all__ = ["chebyshev"]


@entry(
    "decay",
    formula=r"\eta_t = \left(\tfrac{M + m}{2} - \tfrac{M - m}{2} "
    r"\cos\frac{(\sigma(t) + 1/2) \, \pi}{n}\right)^{-1}",
    paper=Paper(
        "Agarwal, Goel and Zhang",
        2021,
        "Acceleration via Fractal Learning Rate Schedules",
        "2103.01338",
    ),
    aliases=("get_chebyshev_schedule",),
    example=With(16, every="6.25%", small_m=1.0, big_m=5.0),
    writes_out="nodes",
)
def chebyshev(
    nodes: int, *, every: DurationLike = 1, small_m: float = 0.05, big_m: float = 1.0
) -> Schedule:
    """Jump between large and small steps in the fractal order that keeps them stable.

    Formula: ``1 / ((M + m) / 2 - (M - m) / 2 * cos((k + 1/2) * pi / nodes))`` for the nodes ``k``
    in the order that begins with ``0`` and, doubling, puts ``2n - 1 - k`` after each ``k`` of the
    order of ``n`` nodes.

    The values lie between ``1 / big_m`` and ``1 / small_m``: with the default, up to 20 times the
    base rate. (In pytorch-scheduler the name "Chebyshev" stands for a plain cosine.)

    Arguments:
        nodes: How many values, a power of 2.
        every: The steps that each is held for.
        small_m: The curvature ``m`` that the largest step is made for, greater than 0.
        big_m: The curvature ``M`` that the smallest step is made for, greater than ``small_m``.

    Raises:
        ScheduleError: If ``nodes`` is not a power of 2, or not ``0 < small_m < big_m``.

    Example:
        >>> s = chebyshev(4, small_m=1.0, big_m=3.0)
        >>> [round(s(t), 4) for t in range(4)]
        [0.9293, 0.342, 0.6183, 0.4197]
    """
    count = written_out("nodes", nodes, at_least=2)
    if count & (count - 1):
        raise ScheduleError(f"nodes={nodes!r} must be a power of 2: the fractal order doubles")
    low = number("small_m", small_m, above=0)
    rising("small_m", low, "big_m", big_m)
    angles = [(k + 0.5) / count * math.pi for k in _fractal(count)]
    values = [2 / (big_m + low - (big_m - low) * math.cos(angle)) for angle in angles]
    return joined(hold(every, at=value) for value in values)


def _fractal(count: int) -> list[int]:
    order = [0]
    while len(order) < count:
        last = 2 * len(order) - 1
        order = [index for k in order for index in (k, last - k)]
    return order
