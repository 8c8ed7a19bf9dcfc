"""Decays along other curves, once from the peak down."""

from __future__ import annotations

import math

from lehr.catalogue.parts import distinct
from lehr.catalogue.registry import Paper, With, entry
from lehr.curves.easing import Ease
from lehr.errors import ScheduleError, number
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import ramp
from lehr.time.duration import Duration, DurationLike

__all__ = [
    "complement_power",
    "exp_hyperbolic",
    "geometric",
    "hyperbolic",
    "k_decay",
    "normalised_exponential",
    "rex",
    "tanh_decay",
]

HAEGELE = Paper(
    "Hägele et al.",
    2024,
    "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations",
    "2405.18392",
)
MINICPM = Paper(
    "Hu et al.",
    2024,
    "MiniCPM: Unveiling the Potential of Small Language Models with Scalable Training Strategies",
    "2404.06395",
)
K_DECAY = Paper(
    "Zhang and Li", 2020, "k-decay: A New Method For Learning Rate Schedule", "2004.05909"
)
_HYPERBOLIC = Paper(
    "Kim", 2024, "HyperbolicLR: Epoch insensitive learning rate scheduler", "2407.15200"
)


@entry(
    "decay",
    formula=r"\eta_t = \eta_0 \, (\eta_T / \eta_0)^{t / T}",
    aliases=("SchedExp", "exponential decay to an end value", "sched_exp"),
    example=With(to=0.01),
)
def geometric(
    steps: DurationLike | None = None, *, to: float, start: float | None = None
) -> Schedule:
    """Go to a level in equal factors: a straight line in log space.

    Formula: ``start * (to / start) ** (t / steps)``.

    Arguments:
        steps: Its length; by default the rest of the run.
        to: The level that it reaches after ``steps``, greater than 0.
        start: The level at which it begins, greater than 0; by default the end level of the
            previous piece.

    Raises:
        ScheduleError: If a level is not positive, or it would not move.

    Example:
        >>> round(geometric(100, to=0.01)(50), 12)
        0.1
    """
    return ramp(steps, to=to, start=start, log=True)


@entry(
    "decay",
    formula=r"\eta_t = \eta_T + (\eta_0 - \eta_T) \, \frac{r^{t / T} - r}{1 - r}",
    paper=MINICPM,
    aliases=("WSDLRScheduler(decay_fn='exp')", "lr_wsd_decay_style='exponential'"),
    example=With(),
)
def normalised_exponential(
    steps: DurationLike | None = None,
    *,
    ratio: float = 0.1,
    to: float | None = None,
    start: float | None = None,
) -> Schedule:
    """Go to a level exponentially, and reach it.

    Formula: ``to + (start - to) * (ratio**u - ratio) / (1 - ratio)`` with ``u = t / steps``.

    A plain exponential never reaches 0. This one is shifted and scaled so that it does; with
    ``ratio=0.5`` it is Megatron's ``2 * 0.5**u - 1``. MiniCPM's own decay is the plain one.

    Arguments:
        steps: Its length; by default the rest of the run.
        ratio: The end level of the exponential before it is shifted, between 0 and 1.
        to: The level that it reaches after ``steps``; by default 0, or 1 if ``start`` is 0.
        start: The level at which it begins; by default the end level of the previous piece.

    Raises:
        ScheduleError: If it would not move, or ``ratio`` is not between 0 and 1.

    Example:
        >>> s = normalised_exponential(2, ratio=0.25)
        >>> s(0), round(s(1), 6), s(2)
        (1.0, 0.333333, 0.0)
    """
    return ramp(steps, to=to, start=start, ease=Ease("exponential", (ratio,)))


@entry(
    "decay",
    formula=r"\eta_t = \eta_T + (\eta_0 - \eta_T) \, (1 - (t / T)^k)",
    paper=HAEGELE,
    aliases=("1-sqrt", "1-square", "minus_sqrt", "SchedPoly", "decay_type='sqrt'"),
    example=With(power=0.5),
)
def complement_power(
    steps: DurationLike | None = None,
    *,
    power: float = 0.5,
    to: float | None = None,
    start: float | None = None,
) -> Schedule:
    """Go to a level as a power of the time that has passed.

    Formula: ``to + (start - to) * (1 - (t / steps) ** power)``.

    With 0.5 it is the ``1-sqrt`` that did best at the end of a long run; with 2 it is ``1-square``.
    A decay that a library calls "sqrt" is often this one rather than ``polynomial(power=0.5)``.

    Arguments:
        steps: Its length; by default the rest of the run.
        power: Greater than 0; below 1 it falls fast at first, above 1 slowly.
        to: The level that it reaches after ``steps``; by default 0, or 1 if ``start`` is 0.
        start: The level at which it begins; by default the end level of the previous piece.

    Raises:
        ScheduleError: If it would not move, or ``power`` is not positive.

    Example:
        >>> complement_power(100)(25), complement_power(100, power=2.0)(50)
        (0.5, 0.75)
    """
    return ramp(steps, to=to, start=start, ease=Ease("complement", (power,)))


@entry(
    "decay",
    formula=r"\eta_t = \eta_T + (\eta_0 - \eta_T) \, (1 - (t / T)^k)^q",
    paper=K_DECAY,
    aliases=("PolyLRScheduler(k_decay=...)",),
    example=With(k=3.0),
)
def k_decay(
    steps: DurationLike | None = None,
    *,
    k: float,
    power: float = 1.0,
    to: float | None = None,
    start: float | None = None,
) -> Schedule:
    """Go to a level along a polynomial, with time replaced by a power of itself.

    Formula: ``to + (start - to) * (1 - (t / steps) ** k) ** power``. The same idea for a cosine is
    :func:`k_decay_cosine`.

    Arguments:
        steps: Its length; by default the rest of the run.
        k: Greater than 0; above 1 the rate stays high for longer.
        power: The power of the polynomial, greater than 0.
        to: The level that it reaches after ``steps``; by default 0, or 1 if ``start`` is 0.
        start: The level at which it begins; by default the end level of the previous piece.

    Raises:
        ScheduleError: If it would not move, or ``k`` or ``power`` is not positive.

    Example:
        >>> k_decay(100, k=2.0, power=2.0)(50)
        0.5625
    """
    return ramp(steps, to=to, start=start, ease=Ease("k-power", (k, power)))


@entry(
    "decay",
    formula=r"\eta_t = \eta_f + \tfrac12 (\eta - \eta_f) "
    r"\left(1 - \tanh(L \, (1 - t / T) + U \, t / T)\right)",
    paper=Paper(
        "Hsueh, Li and Wu",
        2018,
        "Stochastic Gradient Descent with Hyperbolic-Tangent Decay on Classification",
        "1806.01593",
    ),
    aliases=("TanhLRScheduler", "HTD", "tanh"),
    example=With(),
)
def tanh_decay(
    steps: DurationLike | None = None,
    *,
    lower: float = -7.0,
    upper: float = 3.0,
    floor: float = 0.0,
    peak: float = 1.0,
) -> Schedule:
    """Stay high, then fall along a hyperbolic tangent, and flatten out.

    Formula: ``floor + (peak - floor) * (1 - tanh(lower * (1 - u) + upper * u)) / 2`` with
    ``u = t / steps``.

    The tangent is not scaled: it begins a little below ``peak`` and ends a little above ``floor``
    (0.0025 of the way with the defaults). ``ramp(ease="tanh(7, 3)")`` is the same curve scaled to
    go exactly from level to level.

    Arguments:
        steps: Its length; by default the rest of the run.
        lower: The tangent's argument at the start, from -20 to less than 0.
        upper: The tangent's argument at the end, greater than 0 up to 20.
        floor: The level at which it would end if the tangent reached 1.
        peak: The level at which it would begin if the tangent reached -1.

    Raises:
        ScheduleError: If ``peak`` equals ``floor``, or a bound is outside its range.

    Example:
        >>> s = tanh_decay(100, lower=-2.0, upper=2.0)
        >>> [round(s(t), 6) for t in (0, 50, 100)]
        [0.982014, 0.5, 0.017986]
    """
    distinct(floor=floor, peak=peak)
    number("lower", lower, at_least=-20, at_most=math.nextafter(0, -1))
    number("upper", upper, above=0, at_most=20)

    def at(x: float) -> float:
        return floor + (peak - floor) / (1 + math.exp(2 * x))  # (1 - tanh(x)) / 2

    return ramp(steps, start=at(lower), to=at(upper), ease=Ease("tanh", (-lower, upper)))


@entry(
    "decay",
    formula=r"\eta_t = \eta_T + (\eta_0 - \eta_T) \, \frac{1 - t / T}{1 - t / 2 T}",
    paper=Paper(
        "Chen et al.",
        2021,
        "REX: Revisiting Budgeted Training with an Improved Schedule",
        "2107.04197",
    ),
    aliases=("REXScheduler", "RexScheduler"),
    example=With(),
)
def rex(
    steps: DurationLike | None = None, *, to: float | None = None, start: float | None = None
) -> Schedule:
    """Stay above a straight line, and fall steeply at the end: reflected exponential.

    Formula: ``to + (start - to) * (1 - u) / (1 - u / 2)`` with ``u = t / steps``.

    Arguments:
        steps: Its length; by default the rest of the run.
        to: The level that it reaches after ``steps``; by default 0, or 1 if ``start`` is 0.
        start: The level at which it begins; by default the end level of the previous piece.

    Raises:
        ScheduleError: If it would not move.

    Example:
        >>> round(rex(100)(50), 6)
        0.666667
    """
    return ramp(steps, to=to, start=start, ease="rex")


@entry(
    "decay",
    formula=r"\eta_t = \eta_0 + (\eta_0 - \eta_\infty) (f(t) - f(0)), \quad "
    r"f(t) = \sqrt{\tfrac{T - t}{U} \left(2 - \tfrac{T + t}{U}\right)}",
    paper=_HYPERBOLIC,
    aliases=("HyperbolicLR",),
    example=With("100%", upper_bound="250%", infimum=0.0),
)
def hyperbolic(
    steps: DurationLike,
    *,
    upper_bound: DurationLike,
    infimum: float = 1e-6,
    start: float = 1.0,
) -> Schedule:
    """Fall along a hyperbola whose first part hardly depends on the length of the run.

    Formula: ``start + (start - infimum) * (f(t) - f(0))`` with
    ``f(t) = sqrt((steps - t) / upper_bound * (2 - (steps + t) / upper_bound))``.

    It does not end at ``infimum``, which no run reaches: its end level is ``start - (start -
    infimum) * f(0)``, which is lower the nearer ``steps`` is to ``upper_bound``.

    Arguments:
        steps: How long.
        upper_bound: The longest that a run may ever be, at least ``steps`` and in its unit. Keep it
            when the run is made longer, so that the first part does not change.
        infimum: The level that a run of ``upper_bound`` steps would go down to.
        start: The level at which it begins.

    Raises:
        ScheduleError: If ``upper_bound`` is less than ``steps`` or in another unit, or ``start``
            equals ``infimum``.

    Example:
        >>> s = hyperbolic(60, upper_bound=100, infimum=0.0)
        >>> s(0), round(s(60), 6), round(hyperbolic(100, upper_bound=100, infimum=0.0)(100), 6)
        (1.0, 0.083485, 0.0)
    """
    ratio = _ratio(steps, upper_bound)
    drop = (start - infimum) * math.sqrt(2 * ratio - 1) / ratio
    return ramp(steps, start=start, to=start - drop, ease=Ease("hyperbolic", (ratio,)))


@entry(
    "decay",
    formula=r"\eta_t = \eta_0 \, (\eta_0 / \eta_\infty)^{f(t) - f(0)}",
    paper=_HYPERBOLIC,
    aliases=("ExpHyperbolicLR",),
    example=With("100%", upper_bound="250%", infimum=0.001),
)
def exp_hyperbolic(
    steps: DurationLike,
    *,
    upper_bound: DurationLike,
    infimum: float = 1e-6,
    start: float = 1.0,
) -> Schedule:
    """Fall along a hyperbola in log space.

    Formula: ``start * (start / infimum) ** (f(t) - f(0))`` with ``f`` as in :func:`hyperbolic`.

    It does not end at ``infimum`` either.

    Arguments:
        steps: How long.
        upper_bound: The longest that a run may ever be, at least ``steps`` and in its unit.
        infimum: The level that a run of ``upper_bound`` steps would go down to, greater than 0.
        start: The level at which it begins, greater than 0.

    Raises:
        ScheduleError: If ``upper_bound`` is less than ``steps`` or in another unit, a level is not
            positive, or ``start`` equals ``infimum``.

    Example:
        >>> s = exp_hyperbolic(100, upper_bound=100, infimum=0.01)
        >>> s(0), round(s(50), 6), round(s(100), 6)
        (1.0, 0.1, 0.01)
    """
    ratio = _ratio(steps, upper_bound)
    number("start", start, above=0)
    number("infimum", infimum, above=0)
    end = start * (infimum / start) ** (math.sqrt(2 * ratio - 1) / ratio)
    return ramp(steps, start=start, to=end, ease=Ease("hyperbolic", (ratio,)), log=True)


def _ratio(steps: DurationLike, upper_bound: DurationLike) -> float:
    length, bound = Duration.of(steps), Duration.of(upper_bound, "upper_bound")
    if length.unit != bound.unit:
        raise ScheduleError(f"steps={length}, upper_bound={bound}: write both in one unit")
    if length.amount == 0 or bound.amount < length.amount:
        raise ScheduleError(
            f"upper_bound={bound} is the longest run that there may be: at least steps={length}, "
            "which is at least 1"
        )
    return float(bound.amount / length.amount)
