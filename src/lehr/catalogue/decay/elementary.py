"""The elementary decays, once from the peak down."""

from __future__ import annotations

from collections.abc import Sequence

from lehr.catalogue.parts import in_order, jumps, listed
from lehr.catalogue.registry import Paper, With, entry
from lehr.curves.easing import Ease
from lehr.errors import ScheduleError, number, shown
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import Decay, hold, ramp
from lehr.time.duration import Duration, DurationLike

__all__ = [
    "constant",
    "cosine",
    "exponential",
    "inverse",
    "linear",
    "multistep",
    "piecewise_constant",
    "polynomial",
    "step",
]

SGDR = Paper(
    "Loshchilov and Hutter",
    2016,
    "SGDR: Stochastic Gradient Descent with Warm Restarts",
    "1608.03983",
)
_HE = Paper("He et al.", 2015, "Deep Residual Learning for Image Recognition", "1512.03385")


@entry(
    "decay",
    formula=r"\eta_t = \eta",
    aliases=(
        "get_constant_schedule",
        "constant_schedule",
        "ConstantParamScheduler",
        "ConstantScheduler",
        "SchedNo",
        "sched_no",
        "ConstantLRSchedule",
    ),
    example=With(),
)
def constant(value: float = 1.0) -> Schedule:
    """The same value at every step.

    Formula: ``value``.

    Arguments:
        value: The level.

    Example:
        >>> constant(0.1)(1_000_000)
        0.1
    """
    return hold(at=value)


@entry(
    "decay",
    formula=r"\eta_t = \eta_0 \, \gamma^{\lfloor t / s \rfloor}",
    paper=_HE,
    aliases=(
        "StepLR",
        "StepDecay",
        "step_decay",
        "exponential_decay(staircase=True)",
        "StepScheduler",
        "StepLRScheduler",
        "StepParamScheduler",
        "StepWithFixedGammaParamScheduler",
        "StepStateScheduler",
    ),
    example=With("30%"),
)
def step(every: DurationLike, gamma: float = 0.1) -> Schedule:
    """Fall by a factor at regular intervals: a staircase.

    Formula: ``gamma ** floor(t / every)`` times the level at which it begins.

    Arguments:
        every: The steps between two falls, greater than 0.
        gamma: The factor, greater than 0.

    Raises:
        ScheduleError: If ``every`` or ``gamma`` is not positive.

    Example:
        >>> s = step(30, gamma=0.5)
        >>> s(29), s(30), s(60)
        (1.0, 0.5, 0.25)
    """
    return exponential(gamma, every=every).every(every)


@entry(
    "decay",
    formula=r"\eta_t = \eta_0 \, \gamma^{\#\{m : m \le t\}}",
    paper=_HE,
    aliases=(
        "MultiStepLR",
        "MultiStepDecay",
        "MultiStepLRScheduler",
        "MultiStepScheduler",
        "MultiStepWithWarmupScheduler",
        "MultiStepParamScheduler",
        "MultiStepStateScheduler",
        "WarmupMultiStepLR",
    ),
    example=With(["50%", "75%"]),
)
def multistep(milestones: Sequence[DurationLike], gamma: float = 0.1) -> Schedule:
    """Fall by a factor at each of a list of milestones.

    Formula: ``gamma ** (how many milestones are at or before t)``.

    Arguments:
        milestones: When to fall, in order and in one unit; at a repeated one it falls twice.
        gamma: The factor, greater than 0.

    Raises:
        ScheduleError: If the milestones are not in order or not in one unit.

    Example:
        >>> s = multistep([30, 80])
        >>> [round(s(t), 3) for t in (29, 30, 80)]
        [1.0, 0.1, 0.01]
    """
    number("gamma", gamma, above=0)
    when = in_order("milestones", milestones)
    try:
        return jumps(when, [gamma**i for i in range(len(when) + 1)])
    except OverflowError as error:
        raise ScheduleError(
            f"gamma={gamma!r} to the power of {len(when)} milestones is too large"
        ) from error


@entry(
    "decay",
    formula=r"\eta_t = v_i, \quad b_i \le t < b_{i + 1}",
    aliases=(
        "PiecewiseConstantDecay",
        "PiecewiseDecay",
        "piecewise_constant_schedule",
        "MultiStepParamScheduler",
        "StepParamScheduler",
    ),
    example=With(["30%", "60%", "90%"], [1.0, 0.5, 0.1, 0.02]),
)
def piecewise_constant(boundaries: Sequence[DurationLike], values: Sequence[float]) -> Schedule:
    """Jump from one value to the next at each of a list of boundaries.

    Formula: ``values[how many boundaries are at or before t]``.

    Keras jumps one step later, after its boundaries: add 1 to each.

    Arguments:
        boundaries: When to jump, in order and in one unit.
        values: One more than there are boundaries.

    Raises:
        ScheduleError: If there is not exactly one more value than boundaries, or the boundaries are
            not in order or not in one unit.

    Example:
        >>> s = piecewise_constant([10, 20], [1.0, 0.5, 0.25])
        >>> s(9), s(10), s(20)
        (1.0, 0.5, 0.25)
    """
    when = in_order("boundaries", boundaries)
    if len(values) != len(when) + 1:
        raise ScheduleError(
            f"boundaries={listed(when)}, values={shown(values)}: write one "
            "value more than boundaries"
        )
    return jumps(when, values)


@entry(
    "decay",
    formula=r"\eta_t = \eta_0 \, \gamma^{t / s}",
    aliases=(
        "ExponentialLR",
        "ExponentialDecay",
        "exponential_decay",
        "NaturalExpDecay",
        "ExponentialScheduler",
        "ExponentialParamScheduler",
        "ExpStateScheduler",
        "warmup_exponential_decay_schedule",
    ),
    example=With(0.1, every="50%"),
)
def exponential(gamma: float, *, every: DurationLike = 1, start: float | None = None) -> Schedule:
    """Fall by the same factor in equal times, without an end.

    Formula: ``start * gamma ** (t / every)``.

    Arguments:
        gamma: The factor, greater than 0.
        every: The steps in which it falls by this factor.
        start: The level at which it begins; by default the end level of the previous piece.

    Raises:
        ScheduleError: If ``gamma`` or ``every`` is not positive.

    Example:
        >>> exponential(0.5, every=10)(20)
        0.25
    """
    return Decay("exponential", gamma, Duration.of(every, "every"), start)


@entry(
    "decay",
    formula=r"\eta_t = \eta_0 \, (1 + t / \tau)^{-p}",
    paper=Paper("Robbins and Monro", 1951, "A Stochastic Approximation Method"),
    aliases=("InverseTimeDecay", "inverse_time_decay", "inv"),
    example=With("10%"),
)
def inverse(tau: DurationLike, *, power: float = 1.0, start: float | None = None) -> Schedule:
    """Fall as a power of the time, without an end.

    Formula: ``start * (1 + t / tau) ** -power``. With ``power=0.5`` after a warmup of ``tau`` steps
    it is the inverse square root decay of the Transformer.

    Arguments:
        tau: The time scale, greater than 0.
        power: Greater than 0.
        start: The level at which it begins; by default the end level of the previous piece.

    Raises:
        ScheduleError: If ``tau`` or ``power`` is not positive.

    Example:
        >>> inverse(100, power=0.5)(300)
        0.5
    """
    return Decay("inverse", power, Duration.of(tau, "tau"), start)


@entry(
    "decay",
    formula=r"\eta_t = \eta_0 + (\eta_T - \eta_0) \, t / T",
    paper=Paper(
        "Li, Yumer and Ramanan",
        2019,
        "Budgeted Training: Rethinking Deep Neural Network Training Under Resource Constraints",
        "1905.04753",
    ),
    aliases=(
        "LinearLR",
        "linear_schedule",
        "get_linear_schedule_with_warmup",
        "D2Z",
        "LinearScheduler",
        "LinearParamScheduler",
        "SchedLin",
        "sched_lin",
        "LinearWithWarmupScheduler",
        "LinearWithWarmup",
        "linear_with_warmup",
        "WarmupDecayLR",
        "WarmupLinearSchedule",
    ),
    example=With(),
)
def linear(
    steps: DurationLike | None = None, *, to: float | None = None, start: float | None = None
) -> Schedule:
    """Go to a level in a straight line.

    Formula: ``start * (1 - u) + to * u`` with ``u = t / steps``.

    Arguments:
        steps: Its length; by default the rest of the run.
        to: The level that it reaches after ``steps``; by default 0, or 1 if ``start`` is 0.
        start: The level at which it begins; by default the end level of the previous piece.

    Raises:
        ScheduleError: If it would not move.

    Example:
        >>> linear(100, to=0.0)(25)
        0.75
    """
    return ramp(steps, to=to, start=start)


@entry(
    "decay",
    formula=r"\eta_t = \eta_T + (\eta_0 - \eta_T) \, (1 - t / T)^p",
    paper=Paper(
        "Chen et al.",
        2016,
        "DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous Convolution, "
        "and Fully Connected CRFs",
        "1606.00915",
    ),
    aliases=(
        "PolynomialLR",
        "PolynomialDecay",
        "polynomial_schedule",
        "PolyLRScheduler",
        "PolynomialScheduler",
        "PolynomialWithWarmupScheduler",
        "PolynomialDecayParamScheduler",
        "PolyLR",
        "PolyParamScheduler",
        "poly",
        "get_polynomial_decay_schedule_with_warmup",
    ),
    example=With(power=2.0),
)
def polynomial(
    steps: DurationLike | None = None,
    *,
    power: float = 2.0,
    to: float | None = None,
    start: float | None = None,
) -> Schedule:
    """Go to a level as a power of the remaining time.

    Formula: ``to + (start - to) * (1 - t / steps) ** power``.

    Arguments:
        steps: Its length; by default the rest of the run.
        power: Greater than 0; 1 is a straight line, 0.9 is DeepLab's.
        to: The level that it reaches after ``steps``; by default 0, or 1 if ``start`` is 0.
        start: The level at which it begins; by default the end level of the previous piece.

    Raises:
        ScheduleError: If it would not move, or ``power`` is not positive.

    Example:
        >>> polynomial(100, power=2.0)(50)
        0.25
    """
    return ramp(steps, to=to, start=start, ease=Ease("power", (power,)))


@entry(
    "decay",
    formula=r"\eta_t = \eta_T + \tfrac12 (\eta_0 - \eta_T) \, (1 + \cos(\pi t / T))",
    paper=SGDR,
    aliases=(
        "CosineAnnealingLR",
        "CosineDecay",
        "cosine_decay_schedule",
        "CosineLRScheduler",
        "CosineAnnealingScheduler",
        "CosineAnnealingWithWarmupScheduler",
        "CosineAnnealingParamScheduler",
        "CosineParamScheduler",
        "get_cosine_schedule_with_warmup",
        "get_cosine_with_min_lr_schedule_with_warmup",
        "get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
        "cosine_with_min_lr",
        "cosine_warmup_with_min_lr",
        "warmup_cosine_decay_schedule",
        "CosWithWarmup",
        "cos_with_warmup",
        "WarmupCosineLR",
        "WarmupCosineSchedule",
        "LinearWarmupCosineAnnealingLR",
    ),
    example=With(),
)
def cosine(
    steps: DurationLike | None = None, *, to: float | None = None, start: float | None = None
) -> Schedule:
    """Go to a level along half a cosine wave: slow, fast, slow.

    Formula: ``to + (start - to) * (1 + cos(pi * t / steps)) / 2``.

    Arguments:
        steps: Its length; by default the rest of the run.
        to: The level that it reaches after ``steps``; by default 0, or 1 if ``start`` is 0.
        start: The level at which it begins; by default the end level of the previous piece.

    Raises:
        ScheduleError: If it would not move.

    Example:
        >>> s = cosine(100, to=0.1)
        >>> [round(s(t), 6) for t in (0, 50, 100)]
        [1.0, 0.55, 0.1]
    """
    return ramp(steps, to=to, start=start, ease="cosine")
