"""Triangles: straight up and straight down, again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from lehr.catalogue.decay.elementary import exponential, linear
from lehr.catalogue.parts import between
from lehr.catalogue.registry import Paper, With, entry
from lehr.catalogue.warmup.elementary import warmup
from lehr.errors import ScheduleError
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import formula
from lehr.time.duration import Duration, DurationLike

__all__ = ["cyclic", "exp_range", "triangular", "triangular2"]

_CLR = Paper("Smith", 2015, "Cyclical Learning Rates for Training Neural Networks", "1506.01186")


@entry(
    "cyclic",
    formula=r"\eta_t = \eta_b + (\eta_m - \eta_b) \max(0,\, 1 - |t / s - 2 c + 1|), "
    r"\quad c = \lfloor 1 + t / 2 s \rfloor",
    paper=_CLR,
    aliases=("CyclicLR(mode='triangular')", "CyclicalLearningRate"),
    example=With("12.5%"),
)
def triangular(
    up: DurationLike,
    down: DurationLike | None = None,
    *,
    floor: float = 0.0,
    peak: float = 1.0,
) -> Schedule:
    """Straight up to the peak and straight down to the floor, again and again.

    Formula: ``floor + (peak - floor) * max(0, 1 - |t/up - 2c + 1|)`` with the cycle
    ``c = floor(1 + t / (2 up))``, where ``down`` equals ``up``.

    Arguments:
        up: The steps from floor to peak.
        down: The steps back; by default as many as up.
        floor: The lower level.
        peak: The upper level.

    Raises:
        ScheduleError: If ``peak`` equals ``floor``.

    Example:
        >>> s = triangular(4, floor=0.0, peak=1.0)
        >>> [s(t) for t in (0, 2, 4, 6, 8, 10)]
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.5]
    """
    return cyclic(up, down, floor=floor, peak=peak)


@entry(
    "cyclic",
    formula=r"\eta_t = \eta_b + (\eta_m - \eta_b) \, 2^{1 - c} \max(0,\, 1 - |t / s - 2 c + 1|)",
    paper=_CLR,
    aliases=("CyclicLR(mode='triangular2')",),
    example=With("12.5%"),
)
def triangular2(
    up: DurationLike,
    down: DurationLike | None = None,
    *,
    floor: float = 0.0,
    peak: float = 1.0,
) -> Schedule:
    """Triangles, each half as high as the previous one.

    Formula: as :func:`triangular`, the height times ``2 ** (1 - c)`` in cycle ``c`` (from 1).

    Arguments:
        up: The steps from floor to peak.
        down: The steps back; by default as many as up.
        floor: The lower level.
        peak: The upper level of the first triangle.

    Raises:
        ScheduleError: If ``peak`` equals ``floor``.

    Example:
        >>> s = triangular2(4)
        >>> s(4), s(12), s(20)
        (1.0, 0.5, 0.25)
    """
    return between(_triangles(up, down).repeat(scale=0.5), floor, peak)


@entry(
    "cyclic",
    formula=r"\eta_t = \eta_b + (\eta_m - \eta_b) \, \gamma^t \max(0,\, 1 - |t / s - 2 c + 1|)",
    paper=_CLR,
    aliases=("CyclicLR(mode='exp_range')",),
    example=With("12.5%", gamma=0.1, every="50%"),
)
def exp_range(
    up: DurationLike,
    down: DurationLike | None = None,
    *,
    gamma: float,
    every: DurationLike = 1,
    floor: float = 0.0,
    peak: float = 1.0,
) -> Schedule:
    """Triangles under an exponential decay.

    Formula: as :func:`triangular`, the height times ``gamma ** (t / every)``.

    Arguments:
        up: The steps from floor to peak.
        down: The steps back; by default as many as up.
        gamma: The factor, greater than 0.
        every: The steps in which the height falls by this factor.
        floor: The lower level.
        peak: The upper level, without the decay.

    Raises:
        ScheduleError: If ``peak`` equals ``floor``, or ``gamma`` is not positive.

    Example:
        >>> s = exp_range(4, gamma=0.5, every=4)
        >>> s(4), s(8), s(12)
        (0.5, 0.0, 0.125)
    """
    triangles = _triangles(up, down).repeat()
    return between(triangles * exponential(gamma, every=every), floor, peak)


@entry(
    "cyclic",
    formula=r"\eta_t = \eta_b + (\eta_m - \eta_b) \, f(c \text{ or } t) "
    r"\max(0,\, 1 - |t / s - 2 c + 1|)",
    paper=_CLR,
    aliases=("CyclicLR(scale_fn=...)",),
    example=With("10%", "20%"),
)
def cyclic(
    up: DurationLike,
    down: DurationLike | None = None,
    *,
    floor: float = 0.0,
    peak: float = 1.0,
    scale_fn: Callable[[Any], float] | str | None = None,
    scale_mode: Literal["cycle", "iterations"] = "cycle",
) -> Schedule:
    """Triangles whose height is scaled by a function of your own.

    Formula: as :func:`triangular`, the height times ``scale_fn(c)`` for the cycle ``c`` (from 1),
    or ``scale_fn(t)``.

    Arguments:
        up: The steps from floor to peak.
        down: The steps back; by default as many as up.
        floor: The lower level.
        peak: The upper level, where the scale is 1.
        scale_fn: The height's factor, from 0 to 1, or its registered name; by default 1.
        scale_mode: With ``"cycle"`` it is called with the number of the cycle; ``up`` and ``down``
            must then be steps, not shares. With ``"iterations"`` it is called with the step.

    Raises:
        ScheduleError: If ``peak`` equals ``floor``, ``scale_mode`` is unknown, or cycles in shares
            would have to be counted.

    Example:
        >>> s = cyclic(4, scale_fn=lambda cycle: 1 / cycle)
        >>> s(4), s(12)
        (1.0, 0.5)
    """
    triangles = _triangles(up, down).repeat()
    if scale_fn is not None:
        triangles = triangles * _cycle_scale(up, down, scale_fn, scale_mode)
    elif scale_mode != "cycle":
        raise ScheduleError(f"scale_mode={scale_mode!r} without a scale_fn has no meaning")
    return between(triangles, floor, peak)


def _cycle_scale(
    up: DurationLike,
    down: DurationLike | None,
    scale_fn: Callable[[Any], float] | str,
    scale_mode: str,
) -> Schedule:
    """Return the height's factor of :func:`cyclic` as a schedule."""
    if scale_mode == "iterations":
        return formula(scale_fn, low=0.0, high=1.0)
    rise, fall = Duration.of(up, "up"), Duration.of(up if down is None else down, "down")
    if rise.rounds or fall.rounds:
        raise ScheduleError(
            f"up={rise.code}, down={fall.code}: cycles are counted in steps; write numbers of "
            "steps, or scale_mode='iterations'"
        )
    return formula(scale_fn, per=rise + fall, low=0.0, high=1.0)


def _triangles(up: DurationLike, down: DurationLike | None) -> Schedule:
    return warmup(up) >> linear(up if down is None else down)
