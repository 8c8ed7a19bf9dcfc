"""Plans for long runs: for pre-training, for continuing, and for annealing at any time."""

from __future__ import annotations

from collections.abc import Sequence

from lehr.catalogue.decay.curves import HAEGELE, geometric
from lehr.catalogue.decay.elementary import cosine
from lehr.catalogue.decay.powers import power_law
from lehr.catalogue.parts import distinct, joined, one_each, rest, written_out
from lehr.catalogue.registry import Paper, With, entry
from lehr.catalogue.warmup.elementary import warmup as _warmup
from lehr.curves.easing import EaseLike
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold, ramp
from lehr.time.duration import Duration, DurationLike

__all__ = [
    "cosine_linear",
    "cosine_then_floor",
    "flat_cosine",
    "infinite",
    "power_cooldown",
    "rewarm_cycles",
    "wsd_s",
]


@entry(
    "phases",
    formula=r"\eta_t = \begin{cases} \eta \, t / W & t < W \\ \eta & W \le t < W + F \\ "
    r"\mathrm{cos}(\eta \to \eta_f) & W + F \le t \end{cases}",
    aliases=("fit_flat_cos", "FlatCosineScheduler", "WarmupHoldCosineScheduler"),
    example=With("70%", warmup="5%"),
)
def flat_cosine(
    flat: DurationLike, *, warmup: DurationLike = 0, floor: float = 0.0, peak: float = 1.0
) -> Schedule:
    """Warm up, stay at the peak for most of the run, and go down along half a cosine wave.

    Formula: ``peak * t / warmup``, then ``peak`` for ``flat`` steps, then
    ``floor + (peak - floor) * (1 + cos(pi * n / rest)) / 2`` over the rest.

    fastai's ``fit_flat_cos`` is ``flat_cosine("75%", floor=1e-5)``.

    Arguments:
        flat: The steps at the peak.
        warmup: The steps of the linear warmup from 0; by default none.
        floor: The level at the end.
        peak: The level in the middle.

    Raises:
        ScheduleError: If ``peak`` equals ``floor`` or 0.

    Example:
        >>> s = flat_cosine(60, warmup=20).over(100)
        >>> [round(s(t), 6) for t in (0, 10, 20, 80, 90, 100)]
        [0.0, 0.5, 1.0, 1.0, 0.5, 0.0]
    """
    distinct(floor=floor, peak=peak)
    return _warmup(warmup, to=peak) >> hold(flat) >> ramp(to=floor, ease="cosine")


@entry(
    "phases",
    formula=r"\eta_t = \begin{cases} m_i \, \eta & n < P_i - D \\ "
    r"\mathrm{decay}(m_i \, \eta \to \eta_f) & P_i - D \le n < P_i \end{cases}",
    paper=Paper(
        "Wen et al.",
        2024,
        "Understanding Warmup-Stable-Decay Learning Rates: A River Valley Loss Landscape "
        "Perspective",
        "2410.05192",
    ),
    aliases=("WSDS", "WSD-S", "wsds"),
    example=With("5%", ["40%", "30%", "30%"], "6%"),
)
def wsd_s(
    warmup: DurationLike,
    periods: Sequence[DurationLike],
    decay: DurationLike,
    *,
    multipliers: Sequence[float] | None = None,
    floor: float = 0.0,
    peak: float = 1.0,
    ease: EaseLike = "linear",
) -> Schedule:
    """Stay stable and decay, jump back to the peak, and repeat: a checkpoint per period.

    Formula: ``n`` steps into period ``i``, ``peak * multipliers[i]``, and by the ease from there to
    ``floor`` over its last ``decay`` steps. The first period begins with the warmup.

    Every period ends with a network that is ready for use; the next period continues from it.

    Arguments:
        warmup: The steps of the linear warmup from 0.
        periods: The lengths of the periods, at least one, in the same unit as the others.
        decay: The steps of each decay.
        multipliers: The levels of the periods over the peak, one for each; by default all 1.
        floor: The level at the end of each period.
        peak: The stable level.
        ease: How it decays.

    Raises:
        ScheduleError: If there is no period, the numbers of multipliers and periods differ, a
            period is shorter than its parts, or a level equals ``floor``.

    Example:
        >>> s = wsd_s(10, [100, 50], 20)
        >>> [s(t) for t in (0, 5, 10, 80, 90, 100, 140, 150)]
        [0.0, 0.5, 1.0, 1.0, 0.5, 1.0, 0.5, 0.0]
    """
    distinct(floor=floor, peak=peak)
    factors = one_each("multipliers", multipliers, periods)
    rise, fall = Duration.of(warmup, "warmup"), Duration.of(decay, "decay")
    parts: list[Schedule] = []
    for index, (period, factor) in enumerate(zip(periods, factors, strict=True)):
        top, taken = factor * peak, fall
        if index == 0:
            parts.append(_warmup(rise, to=top))
            taken = fall + rise
        parts.append(hold(rest(Duration.of(period, "periods"), taken, "periods"), at=top))
        parts.append(ramp(fall, to=floor, ease=ease))
    return joined(parts)


@entry(
    "phases",
    formula=r"\eta_t = \begin{cases} \eta_f + (\eta - \eta_f) \, n / R & n < R \\ "
    r"\eta & R \le n < C - D \\ \mathrm{decay}(\eta \to \eta_f) & C - D \le n < C \end{cases}",
    aliases=("LrScheduler(cycles=...) of levanter",),
    example=With("25%", 4, decay="10%", rewarmup="3%", floor=0.1),
    writes_out="cycles",
)
def rewarm_cycles(
    cycle: DurationLike,
    cycles: int,
    *,
    warmup: DurationLike | None = None,
    rewarmup: DurationLike = 0,
    decay: DurationLike | None = None,
    floor: float = 0.0,
    peak: float = 1.0,
    ease: EaseLike = "cosine",
) -> Schedule:
    """Warm up, stay, decay; warm up again from there, and so on.

    Formula: ``n`` steps into a cycle, in a straight line to ``peak`` over ``rewarmup`` steps (the
    first time from 0 over ``warmup``), then ``peak``, then by the ease to ``floor`` over the last
    ``decay`` steps.

    To cool down to 0 at the end, append a decay: ``rewarm_cycles(...) >> linear("5%")``.

    Arguments:
        cycle: The length of each cycle.
        cycles: How many, at least 1.
        warmup: The steps of the first warmup, from 0; by default ``rewarmup``.
        rewarmup: The steps of each later warmup; with 0 it jumps back.
        decay: The steps of each decay; by default the rest of the cycle after the warmup.
        floor: The level at which each cycle ends.
        peak: The highest level.
        ease: How it decays.

    Raises:
        ScheduleError: If a cycle is shorter than its parts, the lengths have two units, or
            ``peak`` equals ``floor``.

    Example:
        >>> s = rewarm_cycles(100, 2, warmup=20, rewarmup=10, decay=50, floor=0.2, ease="linear")
        >>> [round(s(t), 6) for t in (0, 10, 20, 50, 75, 100, 105, 110, 150, 200)]
        [0.0, 0.5, 1.0, 1.0, 0.6, 0.2, 0.6, 1.0, 1.0, 0.2]
    """
    distinct(floor=floor, peak=peak)
    length = Duration.of(cycle, "cycle")
    again = _in_unit_of(length, rewarmup, "rewarmup")
    first = again if warmup is None else _in_unit_of(length, warmup, "warmup")
    parts: list[Schedule] = []
    for index in range(written_out("cycles", cycles, at_least=1)):
        rise = again if index else first
        fall = rest(length, rise, "cycle") if decay is None else Duration.of(decay, "decay")
        parts.append(ramp(rise, start=floor if index else 0.0, to=peak))
        parts.append(hold(rest(length, rise + fall, "cycle")))
        parts.append(ramp(fall, to=floor, ease=ease))
    return joined(parts)


@entry(
    "phases",
    formula=r"\eta_t = \eta \, \min(t / W,\, (1 + (t - W) / \tau)^{-p}) \cdot "
    r"\begin{cases} 1 & t < T - D \\ \mathrm{decay}(1 \to 0) & t \ge T - D \end{cases}",
    paper=Paper("Zhai et al.", 2021, "Scaling Vision Transformers", "2106.04560"),
    aliases=("WSDLRScheduler(stable_fn=...)", "PolynomialCooldown", "rsqrt with cooldown"),
    example=With("5%", "20%"),
)
def power_cooldown(
    warmup: DurationLike,
    cooldown: DurationLike,
    *,
    power: float = 0.5,
    timescale: DurationLike | None = None,
    peak: float = 1.0,
    ease: EaseLike = "linear",
) -> Schedule:
    """Warm up, fall as a power of the step, and cool down to 0 at the end of the run.

    Formula: :func:`power_law`, times a factor that goes by the ease from 1 to 0 over the last
    ``cooldown`` steps.

    The power law continues during the cooldown. To freeze it there instead, write ``power_law(...)
    >> linear("20%")``.

    Arguments:
        warmup: The steps of the linear warmup.
        cooldown: The steps of the cooldown.
        power: Greater than 0.
        timescale: The time scale of the power law; by default the warmup.
        peak: The highest level.
        ease: How it cools down.

    Raises:
        ScheduleError: If ``power``, ``peak`` or the time scale is 0.

    Example:
        >>> s = power_cooldown(100, 200, power=1.0).over(500)
        >>> s(100), s(200), s(400), s(500)
        (1.0, 0.5, 0.125, 0.0)
    """
    body = power_law(warmup, power=power, timescale=timescale, peak=peak)
    return body * (hold() >> ramp(cooldown, to=0.0, ease=ease))


@entry(
    "phases",
    formula=r"\eta_t = \begin{cases} \mathrm{cos}(\eta \to \eta_f) \text{ over } T & t < T - D \\ "
    r"\mathrm{lin}(\eta_{T - D} \to \eta_T) & t \ge T - D \end{cases}",
    aliases=("CosWithWarmupAndLinearDecay", "cos_with_warmup_and_linear_decay"),
    example=With("10%", warmup="5%"),
)
def cosine_linear(
    decay: DurationLike,
    *,
    steps: DurationLike = "100%",
    warmup: DurationLike = 0,
    floor: float = 0.1,
    to: float = 0.0,
    peak: float = 1.0,
) -> Schedule:
    """Follow a cosine, leave it before its end, and go straight down.

    Formula: ``peak * t / warmup``, then half a cosine wave towards ``floor`` that would end at
    ``steps``; over the last ``decay`` steps a straight line from there to ``to``.

    Arguments:
        decay: The steps of the straight line, in the unit of ``steps``.
        steps: The total length.
        warmup: The steps of the linear warmup from 0; by default none.
        floor: The level at which the cosine would end.
        to: The level at the end.
        peak: The highest level.

    Raises:
        ScheduleError: If ``peak`` equals ``floor`` or 0, or ``decay`` is longer than ``steps`` or
            in another unit.

    Example:
        >>> s = cosine_linear(50, steps=100, floor=0.0)
        >>> [round(s(t), 6) for t in (0, 50, 75, 100)]
        [1.0, 0.5, 0.25, 0.0]
    """
    distinct(floor=floor, peak=peak)
    length = Duration.of(steps)
    left = rest(length, Duration.of(decay, "decay"), "steps").amount / length.amount
    wave = (_warmup(warmup, to=peak) >> cosine(to=floor)).over("100%")
    return (wave[: Duration(left, "%")] >> ramp(to=to)).over(length)


@entry(
    "phases",
    formula=r"\eta_t = \begin{cases} \eta \, t / W & t < W \\ "
    r"\mathrm{cos}(\eta \to \eta_f) & W \le t < T - F \\ \eta_f & t \ge T - F \end{cases}",
    paper=HAEGELE,
    aliases=("cos_inf",),
    example=With("20%", warmup="5%"),
)
def cosine_then_floor(
    flat: DurationLike, *, warmup: DurationLike = 0, floor: float = 0.1, peak: float = 1.0
) -> Schedule:
    """Warm up, go down along half a cosine wave, and stay at the floor.

    Formula: ``peak * t / warmup``, then
    ``floor + (peak - floor) * (1 + cos(pi * n / rest)) / 2``, then ``floor`` for ``flat`` steps.

    Arguments:
        flat: The steps at the floor, at the end.
        warmup: The steps of the linear warmup from 0; by default none.
        floor: The level that it goes down to.
        peak: The highest level.

    Raises:
        ScheduleError: If ``peak`` equals ``floor`` or 0.

    Example:
        >>> s = cosine_then_floor(50, floor=0.2).over(150)
        >>> [round(s(t), 6) for t in (0, 50, 100, 149)]
        [1.0, 0.6, 0.2, 0.2]
    """
    distinct(floor=floor, peak=peak)
    return _warmup(warmup, to=peak) >> cosine(to=floor) >> hold(flat)


@entry(
    "phases",
    formula=r"\eta_t = \begin{cases} \eta \, t / W & \text{warmup} \\ "
    r"\mathrm{cos}(\eta \to \eta_c) & \text{cooldown} \\ \eta_c & \text{constant} \\ "
    r"\eta_c \, (\eta_f / \eta_c)^{n / A} & \text{annealing} \end{cases}",
    paper=Paper(
        "Ibrahim et al.",
        2024,
        "Simple and Scalable Strategies to Continually Pre-train Large Language Models",
        "2403.08763",
    ),
    aliases=("infinite learning rate", "cosine-inf"),
    example=With("5%", "30%", "15%"),
)
def infinite(
    warmup: DurationLike,
    cooldown: DurationLike,
    annealing: DurationLike,
    *,
    constant: float = 0.4,
    floor: float = 0.01,
    peak: float = 1.0,
    ease: EaseLike = "cosine",
) -> Schedule:
    """Warm up, cool down to a level at which training can continue, and anneal at the end.

    Formula: ``peak * t / warmup``, then by the ease from ``peak`` to ``constant`` over
    ``cooldown`` steps, then ``constant``, then ``constant * (floor / constant) ** (n / annealing)``
    over the last ``annealing`` steps.

    Training on new data starts from the constant phase, without warming up again.

    Arguments:
        warmup: The steps of the linear warmup from 0.
        cooldown: The steps from the peak to the constant level.
        annealing: The steps of the final decay.
        constant: The level at which it stays, greater than 0.
        floor: The level at the end, greater than 0.
        peak: The highest level.
        ease: How it cools down.

    Raises:
        ScheduleError: If a level is not positive, or two successive levels are equal.

    Example:
        >>> s = infinite(10, 40, 20, constant=0.5, floor=0.005).over(100)
        >>> [round(s(t), 6) for t in (0, 10, 30, 50, 79, 90, 100)]
        [0.0, 1.0, 0.75, 0.5, 0.5, 0.05, 0.005]
    """
    start = _warmup(warmup, to=peak) >> ramp(cooldown, to=constant, ease=ease)
    return start >> hold() >> geometric(annealing, to=floor)


def _in_unit_of(length: Duration, given: DurationLike, name: str) -> Duration:
    """Return a duration; a zero gets the unit of ``length``, however it was written."""
    duration = Duration.of(given, name)
    return duration if duration.amount else length - length
