"""Schedules made from another schedule, and the ramp of a range test."""

from __future__ import annotations

from lehr.catalogue.decay.elementary import cosine
from lehr.catalogue.registry import Paper, With, entry
from lehr.curves.easing import EaseLike
from lehr.errors import ScheduleError
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import ramp
from lehr.time.duration import DurationLike

__all__ = ["proportional", "range_ramp", "swa"]


@entry(
    "derived",
    formula=r"\eta_t = \begin{cases} \eta'_t & t < S \\ "
    r"\mathrm{cos}(\eta'_S \to \eta_{SWA}) & S \le t < S + A \\ "
    r"\eta_{SWA} & t \ge S + A \end{cases}",
    paper=Paper(
        "Izmailov et al.",
        2018,
        "Averaging Weights Leads to Wider Optima and Better Generalization",
        "1803.05407",
    ),
    aliases=("SWALR",),
    example=With(cosine("100%"), "75%", "10%", to=0.4),
)
def swa(
    schedule: Schedule,
    start: DurationLike,
    anneal: DurationLike,
    *,
    to: float,
    ease: EaseLike = "cosine",
) -> Schedule:
    """Leave a schedule for the constant rate at which weights are averaged.

    Formula: ``schedule`` until ``start``, then by the ease from its level there to ``to`` in
    ``anneal`` steps, then ``to``.

    Arguments:
        schedule: The schedule before ``start``; its shares are shares of the run.
        start: When to leave it.
        anneal: The steps from its rate to the constant one.
        to: The rate at which weights are averaged.
        ease: The shape of the transition; torch also has ``"linear"``.

    Raises:
        ScheduleError: If the schedule is already at ``to`` at ``start``.

    Example:
        >>> from lehr import linear
        >>> s = swa(linear(100), 50, 10, to=0.3)
        >>> [round(s(t), 6) for t in (0, 49, 50, 55, 60, 100)]
        [1.0, 0.51, 0.5, 0.4, 0.3, 0.3]
    """
    return schedule[:start] >> ramp(anneal, to=to, ease=ease)


@entry(
    "derived",
    formula=r"v_t = v_{min} + (v_{max} - v_{min}) \, "
    r"\frac{\eta_t - \eta_{min}}{\eta_{max} - \eta_{min}}",
    paper=Paper(
        "Zhuang et al.",
        2022,
        "Surrogate Gap Minimization Improves Sharpness-Aware Training",
        "2203.08065",
    ),
    aliases=("ProportionScheduler",),
    example=With(cosine(), min_value=0.2, max_value=1.0),
)
def proportional(
    schedule: Schedule,
    *,
    min_value: float,
    max_value: float,
    min_lr: float = 0.0,
    max_lr: float = 1.0,
) -> Schedule:
    """Follow another schedule, rescaled to other levels.

    Formula: ``min_value + (max_value - min_value) * (schedule - min_lr) / (max_lr - min_lr)``.

    This is how the size of GSAM's perturbation follows the learning rate. It is plain arithmetic on
    schedules, such as ``0.2 + 0.8 * schedule``. (pytorch-optimizer's default levels are both 2,
    which gives a constant.)

    Arguments:
        schedule: The schedule to follow.
        min_value: The value where the schedule is at ``min_lr``.
        max_value: The value where the schedule is at ``max_lr``.
        min_lr: The schedule's lower level.
        max_lr: The schedule's upper level.

    Raises:
        ScheduleError: If two levels of a pair are equal.

    Example:
        >>> from lehr import linear
        >>> s = proportional(linear(100), min_value=0.01, max_value=0.05)
        >>> [round(s(t), 6) for t in (0, 50, 100)]
        [0.05, 0.03, 0.01]
    """
    source, target = max_lr - min_lr, max_value - min_value
    if source == 0:
        raise ScheduleError(f"min_lr={min_lr!r} and max_lr={max_lr!r} are equal: no share of them")
    if target == 0:
        raise ScheduleError(
            f"min_value={min_value!r} and max_value={max_value!r} are equal; "
            f"write constant({min_value!r})"
        )
    above = schedule - min_lr if min_lr else schedule
    return above * (target / source) + min_value


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
        steps: Its length; by default the rest of the run.
        start: The lowest rate; greater than 0 if ``log``.
        to: The highest rate.
        log: Whether to rise by equal factors rather than by equal steps.
        stairs: The steps for which each value is held; by default the rise is smooth.

    Raises:
        ScheduleError: If ``start`` equals ``to``, or one of them is not positive although ``log``.

    Example:
        >>> s = range_ramp(100, start=1e-4)
        >>> [round(s(t), 6) for t in (0, 25, 50, 100)]
        [0.0001, 0.001, 0.01, 1.0]
    """
    rise = ramp(steps, start=start, to=to, log=log)
    return rise if stairs is None else rise.every(stairs)
