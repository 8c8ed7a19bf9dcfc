"""Warmups of a given length: from a low rate to the peak, before anything else."""

from __future__ import annotations

import math

from lehr.catalogue.decay.elementary import exponential
from lehr.catalogue.registry import Paper, With, entry
from lehr.curves.easing import Ease
from lehr.errors import number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold, ramp
from lehr.time.duration import DurationLike

__all__ = [
    "complement_warmup",
    "constant_factor",
    "cosine_warmup",
    "exponential_warmup",
    "inverse_warmup",
    "log_warmup",
    "power_warmup",
    "warmup",
]

UNTUNED = Paper(
    "Ma and Yarats",
    2019,
    "On the adequacy of untuned warmup for adaptive optimization",
    "1910.04209",
)


@entry(
    "warmup",
    formula=r"\eta_t = \eta_s + (\eta - \eta_s) \, \min(1,\, t / W)",
    paper=Paper(
        "Goyal et al.",
        2017,
        "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour",
        "1706.02677",
    ),
    aliases=(
        "LinearLR",
        "get_constant_schedule_with_warmup",
        "LinearWarmup",
        "WarmupLR",
        "constant_with_warmup",
        "ConstantWithWarmup",
        "ConstantWithWarmupScheduler",
        "warmup_constant_schedule",
        "WarmupConstantSchedule",
        "create_lr_scheduler_with_warmup",
    ),
    example=With("10%"),
)
def warmup(steps: DurationLike, *, start: float = 0.0, to: float = 1.0) -> Schedule:
    """Rise in a straight line, before the rest of the schedule.

    Formula: ``start + (to - start) * t / steps``.

    The first update, ``t = 0``, uses ``start``; at 0 it has no effect. To begin one step in, write
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


@entry(
    "warmup",
    formula=r"\eta_t = \begin{cases} f \, \eta & t < W \\ \eta & t \ge W \end{cases}",
    aliases=("ConstantLR", "ConstantParamScheduler"),
    example=With("10%"),
)
def constant_factor(steps: DurationLike, factor: float = 1 / 3) -> Schedule:
    """Stay at a fraction of the rate for a while, then jump to the full rate.

    Formula: ``factor`` while ``t < steps``, then 1.

    Arguments:
        steps: How long.
        factor: The fraction, at least 0.

    Raises:
        ScheduleError: If ``factor`` is negative.

    Example:
        >>> s = constant_factor(5, factor=0.25)
        >>> s(4), s(5)
        (0.25, 1.0)
    """
    return hold(steps, at=number("factor", factor, at_least=0)) >> hold(at=1.0)


@entry(
    "warmup",
    formula=r"\eta_t = \eta \, (1 - e^{-(t + 1) / \tau})",
    paper=UNTUNED,
    aliases=("ExponentialWarmup",),
    example=With("5%"),
)
def exponential_warmup(tau: DurationLike) -> Schedule:
    """Approach the full rate exponentially: a factor for another schedule.

    Formula: ``1 - exp(-(t + 1) / tau)``.

    It never quite reaches 1, so multiply by it: ``exponential_warmup(100) * cosine()``. (What
    pytorch-scheduler calls "exponential" is a square: :func:`power_warmup`.)

    Arguments:
        tau: The steps in which the distance to 1 falls by the factor ``e``, greater than 0.

    Raises:
        ScheduleError: If ``tau`` is 0.

    Example:
        >>> round(exponential_warmup(10)(9), 6)
        0.632121
    """
    return (1 - exponential(math.exp(-1), every=tau))[1:]


@entry(
    "warmup",
    formula=r"\eta_t = \eta \, \frac{\ln(t + 1)}{\ln W}",
    aliases=("WarmupLR(warmup_type='log')",),
    example=With(100),
)
def log_warmup(steps: int, *, to: float = 1.0) -> Schedule:
    """Rise as the logarithm of the step: fast at first, then ever slower.

    Formula: ``to * ln(t + 1) / ln(steps)``, which reaches ``to`` at ``t = steps - 1``.

    DeepSpeed's ``WarmupLR`` does this by default.

    Arguments:
        steps: The step with the full rate, counted from 1; a whole number of at least 2.
        to: The level that it reaches.

    Raises:
        ScheduleError: If ``steps`` is not a whole number of at least 2, or ``to`` is 0.

    Example:
        >>> s = log_warmup(100)
        >>> s(0), round(s(9), 6), s(99)
        (0.0, 0.5, 1.0)
    """
    count = whole("steps", steps, at_least=2)
    return ramp(count - 1, start=0.0, to=to, ease=Ease("log", (count,)))


@entry(
    "warmup",
    formula=r"\eta_t = \eta_s + \tfrac12 (\eta - \eta_s) \, (1 - \cos(\pi t / W))",
    aliases=("warmup_type='cosine'", "SchedCos", "sched_cos"),
    example=With("10%"),
)
def cosine_warmup(steps: DurationLike, *, start: float = 0.0, to: float = 1.0) -> Schedule:
    """Rise along half a cosine wave: slow, fast, slow.

    Formula: ``start + (to - start) * (1 - cos(pi * t / steps)) / 2``.

    Arguments:
        steps: How long.
        start: The level at which it begins.
        to: The level that it reaches after ``steps``.

    Raises:
        ScheduleError: If ``start`` equals ``to``.

    Example:
        >>> s = cosine_warmup(100)
        >>> [round(s(t), 6) for t in (0, 25, 50, 100)]
        [0.0, 0.146447, 0.5, 1.0]
    """
    return ramp(steps, start=start, to=to, ease="cosine")


@entry(
    "warmup",
    formula=r"\eta_t = \eta_s + (\eta - \eta_s) \, (t / W)^k",
    aliases=("warmup_type='exponential' of pytorch-scheduler",),
    example=With("10%"),
)
def power_warmup(
    steps: DurationLike, *, power: float = 2.0, start: float = 0.0, to: float = 1.0
) -> Schedule:
    """Rise as a power of the step: slow at first.

    Formula: ``start + (to - start) * (t / steps) ** power``.

    With the default, a square, it is what pytorch-scheduler calls "exponential"; for a true
    exponential see :func:`exponential_warmup`.

    Arguments:
        steps: How long.
        power: Greater than 0.
        start: The level at which it begins.
        to: The level that it reaches after ``steps``.

    Raises:
        ScheduleError: If ``start`` equals ``to``, or ``power`` is not positive.

    Example:
        >>> power_warmup(100)(50)
        0.25
    """
    return ramp(steps, start=start, to=to, ease=Ease("complement", (power,)))


@entry(
    "warmup",
    formula=r"\eta_t = \eta_s + (\eta - \eta_s) \, (1 - (1 - t / W)^k)",
    aliases=("warmup_type='1-sqrt'",),
    example=With("10%"),
)
def complement_warmup(
    steps: DurationLike, *, power: float = 0.5, start: float = 0.0, to: float = 1.0
) -> Schedule:
    """Rise as a power of the remaining time; with a square root slow, then ever faster.

    Formula: ``start + (to - start) * (1 - (1 - t / steps) ** power)``.

    With the default it is the "1-sqrt" warmup. It is :func:`polynomial` going up.

    Arguments:
        steps: How long.
        power: Greater than 0; above 1 it is fast at first.
        start: The level at which it begins.
        to: The level that it reaches after ``steps``.

    Raises:
        ScheduleError: If ``start`` equals ``to``, or ``power`` is not positive.

    Example:
        >>> complement_warmup(100)(75)
        0.5
    """
    return ramp(steps, start=start, to=to, ease=Ease("power", (power,)))


@entry(
    "warmup",
    formula=r"\eta_t = \eta \, (R - (R - 1) \, t / W)",
    aliases=("warmup_multiplier of torch-schedule-anything",),
    example=With("10%", multiplier=20.0, to=0.05),
)
def inverse_warmup(steps: DurationLike, *, multiplier: float = 20.0, to: float = 1.0) -> Schedule:
    """Begin high and come down to the rate in a straight line: a warmup in reverse.

    Formula: ``to * (multiplier - (multiplier - 1) * t / steps)``.

    Use it for numbers that should be large at first, such as weight decay.

    Arguments:
        steps: How long.
        multiplier: The level at which it begins, in units of ``to``; greater than 1.
        to: The level to which it comes down.

    Raises:
        ScheduleError: If ``multiplier`` is not above 1, or ``to`` is 0.

    Example:
        >>> s = inverse_warmup(100, multiplier=3.0)
        >>> s(0), s(50), s(100)
        (3.0, 2.0, 1.0)
    """
    return ramp(steps, start=number("multiplier", multiplier, above=1) * to, to=to)
