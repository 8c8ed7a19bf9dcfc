"""Powers of time: decays without an end, after a warmup or a stretch at the peak."""

from __future__ import annotations

import math
from fractions import Fraction

from lehr.catalogue.decay.elementary import inverse
from lehr.catalogue.registry import Paper, With, entry
from lehr.errors import ScheduleError, number
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold, ramp
from lehr.time.duration import DurationLike

__all__ = ["inverse_sqrt", "noam", "power_law", "power_scheduler", "relative_step"]

_POWER = Paper(
    "Shen et al.",
    2024,
    "Power Scheduler: A Batch Size and Token Number Agnostic Learning Rate Scheduler",
    "2408.13359",
)


@entry(
    "decay",
    formula=r"\eta_t = \eta \, \min(t / W,\, \sqrt{W / t})",
    paper=Paper("Vaswani et al.", 2017, "Attention Is All You Need", "1706.03762"),
    aliases=(
        "NoamDecay",
        "NoamLR",
        "InvSqrtWithWarmup",
        "inverse-square-root",
        "inv_sqrt_with_warmup",
    ),
    example=With("10%"),
)
def noam(warmup: DurationLike, *, peak: float = 1.0) -> Schedule:
    """Warm up, then fall as the inverse square root of the step: the Transformer's.

    Formula: ``peak * min(t / warmup, (warmup / t) ** 0.5)``.

    The paper's ``d_model**-0.5 * min(t**-0.5, t * warmup**-1.5)`` has the peak
    ``(d_model * warmup) ** -0.5`` and counts from 1: ``noam(4000, peak=(512 * 4000)**-0.5)[1:]``.

    Arguments:
        warmup: The steps of the linear warmup, greater than 0; also the time scale of the decay.
        peak: The level that it reaches.

    Raises:
        ScheduleError: If ``warmup`` or ``peak`` is 0.

    Example:
        >>> s = noam(100)
        >>> s(50), s(100), s(400)
        (0.5, 1.0, 0.5)
    """
    return power_law(warmup, power=0.5, peak=peak)


@entry(
    "decay",
    formula=r"\eta_t = \begin{cases} \eta \, t / W & t < W \\ "
    r"\eta \, (1 + (t - W) / \tau)^{-1/2} & t \ge W \end{cases}",
    paper=Paper("Zhai et al.", 2021, "Scaling Vision Transformers", "2106.04560"),
    aliases=(
        "get_inverse_sqrt_schedule",
        "rsqrt",
        "stable_fn='rsqrt'",
        "inv_sqrt",
        "inv_sqrt_decay",
    ),
    example=With("5%", timescale="10%"),
)
def inverse_sqrt(warmup: DurationLike, *, timescale: DurationLike, peak: float = 1.0) -> Schedule:
    """Warm up, then fall as an inverse square root with its own time scale.

    Formula: ``peak * t / warmup``, then ``peak * (1 + (t - warmup) / timescale) ** -0.5``.

    If the time scale equals the warmup, it is :func:`noam`.

    Arguments:
        warmup: The steps of the linear warmup.
        timescale: How long the rate stays near its peak, greater than 0; big_vision's is 10,000.
        peak: The level that it reaches.

    Raises:
        ScheduleError: If ``timescale`` or ``peak`` is 0.

    Example:
        >>> s = inverse_sqrt(10, timescale=100)
        >>> s(5), s(10), s(310)
        (0.5, 1.0, 0.5)
    """
    return power_law(warmup, power=0.5, timescale=timescale, peak=peak)


@entry(
    "decay",
    formula=r"\eta_t = \begin{cases} \eta \, t / W & t < W \\ "
    r"\eta \, (1 + (t - W) / \tau)^{-p} & t \ge W \end{cases}",
    paper=_POWER,
    aliases=("PowerLR", "PowerDecayScheduler", "stable_fn='power'", "power_lr"),
    example=With("5%", power=0.51),
)
def power_law(
    warmup: DurationLike,
    *,
    power: float,
    timescale: DurationLike | None = None,
    peak: float = 1.0,
) -> Schedule:
    """Warm up, then fall as a power of the step.

    Formula: ``peak * t / warmup``, then ``peak * (1 + (t - warmup) / timescale) ** -power``; with
    the warmup as time scale that is ``peak * (t / warmup) ** -power``.

    Without a warmup, use :func:`inverse`: ``inverse(1, power=p)`` is ``(1 + t) ** -p``.

    Arguments:
        warmup: The steps of the linear warmup.
        power: Greater than 0; OLMo's is 0.51.
        timescale: The time scale of the decay, greater than 0; by default the warmup.
        peak: The level that it reaches.

    Raises:
        ScheduleError: If ``power``, ``peak`` or the time scale is 0.

    Example:
        >>> power_law(10, power=1.0)(40), power_law(10, power=2.0, timescale=30)(40)
        (0.25, 0.25)
    """
    tau = warmup if timescale is None else timescale
    return ramp(warmup, start=0.0, to=peak) >> inverse(tau, power=power)


@entry(
    "decay",
    formula=r"\eta(n) = \min(\eta_{max},\, B \, a \, n^b)",
    paper=_POWER,
    aliases=("power", "PowerLrSchedule"),
    example=With(1.0, batch_size=1, a=10.0, b=-0.5),
)
def power_scheduler(
    peak: float, *, batch_size: float, a: float = 4.6, b: float = -0.51, per_step: float = 1
) -> Schedule:
    """Stay at the peak until a power of the tokens seen, times the batch size, falls below it.

    Formula: ``min(peak, batch_size * a * n ** b)`` after ``n = per_step * t`` tokens.

    The values are learning rates, not factors of one, which is what makes the schedule independent
    of the batch size and the number of tokens. The paper puts a warmup before it and a decay after
    it.

    Arguments:
        peak: The highest rate, greater than 0.
        batch_size: In sequences, greater than 0.
        a: The amplitude, greater than 0.
        b: The exponent, less than 0.
        per_step: The tokens in a step; 1 if the schedule itself counts tokens.

    Raises:
        ScheduleError: If an argument is outside its range.

    Example:
        >>> s = power_scheduler(0.02, batch_size=10, a=0.1, b=-0.5)
        >>> s(0), s(2500), round(s(10_000), 6)
        (0.02, 0.02, 0.01)
    """
    scale = number("batch_size", batch_size, above=0) * number("a", a, above=0)
    power = -number("b", b, at_most=math.nextafter(0, -1))
    ratio = scale / number("peak", peak, above=0)
    try:
        steps = ratio ** (1 / power) / number("per_step", per_step, above=0)
    except OverflowError:
        raise ScheduleError(
            f"b={b!r} is so near to 0 that the rate would never leave its peak; write "
            f"constant({peak!r})"
        ) from None
    turn = Fraction(str(number("the steps at the peak", steps)))
    return hold(turn, at=peak) >> inverse(turn, power=power)


@entry(
    "decay",
    formula=r"\eta_t = s \, \min(10^{-2},\, 1 / \sqrt{n}) \quad \text{or} \quad "
    r"s \, \min(10^{-6} n,\, 1 / \sqrt{n}), \quad n = t + 1",
    paper=Paper(
        "Shazeer and Stern",
        2018,
        "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost",
        "1804.04235",
    ),
    aliases=("Adafactor(relative_step=True)", "Adafactor(warmup_init=True)"),
    example=With("10%", scale=100.0),
)
def relative_step(
    turn: DurationLike = 10_000, *, warmup_init: bool = False, scale: float = 1.0
) -> Schedule:
    """Adafactor's own step size, as a schedule for any optimizer.

    Formula: ``scale * min(1e-2, (t + 1) ** -0.5)``, or, with ``warmup_init``,
    ``scale * min(1e-6 * (t + 1), (t + 1) ** -0.5)``.

    It needs no metric. (Adafactor also multiplies it by the size of each weight, which a schedule
    cannot do.) The two parts meet at ``n = 10_000`` in any run; another ``turn`` moves that point
    and keeps the level of 0.01.

    Arguments:
        turn: Where the decay begins, greater than 0.
        warmup_init: Whether to rise in a straight line before the decay, rather than stay.
        scale: A factor of all values, greater than 0; 100 makes the highest value 1.

    Raises:
        ScheduleError: If ``turn`` or ``scale`` is not positive.

    Example:
        >>> s = relative_step()
        >>> s(0), s(9_999), round(s(39_999), 6)
        (0.01, 0.01, 0.005)
    """
    top = 0.01 * number("scale", scale, above=0)
    before = ramp(turn, start=0.0, to=top) if warmup_init else hold(turn, at=top)
    return (before >> inverse(turn, power=0.5))[1:]
