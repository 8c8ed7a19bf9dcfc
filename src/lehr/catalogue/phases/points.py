"""A schedule through arbitrary points."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from lehr.catalogue.parts import in_order, joined
from lehr.catalogue.registry import With, entry
from lehr.curves.easing import EaseLike
from lehr.errors import ScheduleError, shown
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold, ramp
from lehr.time.duration import DurationLike

__all__ = ["piecewise"]


@entry(
    "phases",
    formula=r"\eta_t = v_i + (v_{i + 1} - v_i) \, "
    r"\mathrm{rise}\left(\frac{t - t_i}{t_{i + 1} - t_i}\right), \quad t_i \le t < t_{i + 1}",
    aliases=(
        "piecewise_interpolate_schedule",
        "PiecewiseLinear",
        "combine_scheds",
        "SequentialScheduler",
        "PiecewiseLinearStateScheduler",
    ),
    example=With([("0%", 0.1), ("20%", 1.0), ("60%", 0.3), ("100%", 0.0)]),
)
def piecewise(
    points: Sequence[tuple[DurationLike, float]], *, ease: EaseLike = "linear"
) -> Schedule:
    """Go through arbitrary points, from each one to the next by an ease.

    Formula: from ``v[i]`` at ``t[i]`` to ``v[i + 1]`` at ``t[i + 1]``; the first value before the
    first point, the last one after the last.

    For values that jump, see :func:`piecewise_constant`; for a different ease in each stretch,
    write ``ramp(...) >> ramp(...)``.

    Arguments:
        points: Pairs of a time and a value, the times in order and in one unit.
        ease: How it moves from each point to the next.

    Raises:
        ScheduleError: If there is no point, or the times are not in order or not in one unit.

    Example:
        >>> s = piecewise([(0, 0.0), (10, 1.0), (30, 0.5)])
        >>> [s(t) for t in (0, 5, 10, 20, 30, 99)]
        [0.0, 0.5, 1.0, 0.75, 0.5, 0.5]
    """
    if not points or any(len(pair) != 2 for pair in points):
        raise ScheduleError(
            f"points={shown(points)} must be pairs of a time and a value, at least one, such as "
            "[(0, 1.0), (100, 0.1)]"
        )
    times = in_order("points", (time for time, _ in points))
    values = [value for _, value in points]
    parts = [hold(times[0], at=values[0])]
    pairs = list(zip(times, values, strict=True))
    for (begin, start), (end, to) in itertools.pairwise(pairs):
        steps = end - begin
        parts.append(hold(steps) if start == to else ramp(steps, start=start, to=to, ease=ease))
    return joined(parts)
