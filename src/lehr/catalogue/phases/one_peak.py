"""One peak: a rise, a fall, and perhaps a level between them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, cast

from lehr.catalogue.decay.curves import MINICPM
from lehr.catalogue.decay.elementary import inverse
from lehr.catalogue.parts import distinct
from lehr.catalogue.registry import Paper, With, entry
from lehr.curves.easing import LINEAR, Ease, EaseLike
from lehr.errors import ScheduleError, number, rising, shown, whole
from lehr.schedule.arguments import checked
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold, ramp
from lehr.time.duration import Duration, DurationLike

__all__ = [
    "one_cycle",
    "one_cycle_inverse",
    "one_cycle_momentum",
    "slanted_triangular",
    "trapezoid",
    "wsd",
]


@entry(
    "phases",
    formula=r"\eta_t = \eta_b + (\eta_m - \eta_b) \, \min(1,\, t / s,\, (T - t) / s)",
    paper=Paper("Xing et al.", 2018, "A Walk with SGD", "1802.08770"),
    aliases=("TrapezoidalLR", "knee schedule", "linear WSD"),
    example=With("20%"),
)
def trapezoid(
    up: DurationLike,
    down: DurationLike | None = None,
    *,
    hold_for: DurationLike | None = None,
    floor: float = 0.0,
    peak: float = 1.0,
    ease: EaseLike = "linear",
    scale_fn: Callable[[Any], float] | str | None = None,
    scale_mode: Literal["zero2one", "iterations"] = "zero2one",
) -> Schedule:
    """Up to the peak, hold it, and down again.

    Formula: ``floor + (peak - floor) * rise(t / up)`` while it rises, ``peak`` while it holds,
    ``floor + (peak - floor) * (1 - rise(n / down))`` for ``n`` steps of the fall.

    Arguments:
        up: The steps from floor to peak.
        down: The steps back; by default as many as up.
        hold_for: The steps at the peak; by default the rest of the run.
        floor: The level at both ends.
        peak: The level in the middle.
        ease: The shape of both ramps: a name from :mod:`lehr.curves.easing`.
        scale_fn: Instead of an ease, a function from the progress of a ramp to the height, both 0
            to 1, or its registered name. If it does not reach 1, the peak is the level that it
            reaches.
        scale_mode: With ``"zero2one"`` it is called with the share of the ramp done, with
            ``"iterations"`` with the steps since the ramp began.

    Raises:
        ScheduleError: If ``peak`` equals ``floor``, both ``ease`` and ``scale_fn`` are given, or
            ``scale_mode`` is unknown.

    Example:
        >>> s = trapezoid(5, hold_for=5, floor=0.001, peak=0.006)
        >>> [round(s(t), 4) for t in (0, 5, 9, 10, 15)]
        [0.001, 0.006, 0.006, 0.006, 0.001]
    """
    distinct(floor=floor, peak=peak)
    both = _shape(ease, scale_fn, scale_mode)
    rise = ramp(up, start=floor, to=peak, ease=both)
    fall = ramp(up if down is None else down, start=peak, to=floor, ease=both)
    return rise >> hold(hold_for) >> fall


def _shape(
    ease: EaseLike,
    scale_fn: Callable[[Any], float] | str | None,
    scale_mode: str,
) -> Ease:
    """Return the ease of a trapezoid's ramps from its three arguments."""
    if scale_fn is None:
        if scale_mode == "iterations":
            raise ScheduleError("scale_mode='iterations' without a scale_fn has no meaning")
        return Ease.of(ease)
    if Ease.of(ease) != LINEAR:
        raise ScheduleError(f"ease={shown(str(ease))} and scale_fn both say how to move; give one")
    return Ease.by(cast("Callable[[Any], float]", scale_fn), iterations=scale_mode == "iterations")


@entry(
    "phases",
    formula=r"\eta_t = \begin{cases} \mathrm{cos}(\eta_m / d \to \eta_m) & t \le \varphi T \\ "
    r"\mathrm{cos}(\eta_m \to \eta_m / (d f)) & t > \varphi T \end{cases}",
    paper=Paper(
        "Smith and Topin",
        2017,
        "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates",
        "1708.07120",
    ),
    aliases=(
        "OneCycleLR",
        "fit_one_cycle",
        "cosine_onecycle_schedule",
        "OneCycle",
        "OneCycleParamScheduler",
        "linear_onecycle_schedule",
        "combined_cos",
    ),
    example=With(),
    momentum=lambda: one_cycle_momentum(),
)
def one_cycle(
    *,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    three_phase: bool = False,
    ease: EaseLike = "cosine",
    peak: float = 1.0,
) -> Schedule:
    """Up to a high peak and far down, once over the whole run.

    Formula: with ``start = peak / div_factor`` and ``end = start / final_div_factor``, by the ease
    from ``start`` to ``peak`` over ``pct_start`` of the run, then to ``end`` over the rest. With
    three phases: back to ``start`` over another ``pct_start``, then to ``end``.

    Momentum goes the other way: see :func:`one_cycle_momentum`. (torch's ``OneCycleLR`` puts its
    peak one step earlier and its end on the last step, and so does :class:`lehr.torch.OneCycleLR`.)

    Arguments:
        pct_start: The share of the run that rises, between 0 and 1 (0 to 0.5 with three phases).
        div_factor: The peak over the level at the start, greater than 1.
        final_div_factor: The level at the start over that at the end, greater than 1.
        three_phase: Whether to return to the starting level before going down to the end.
        ease: How the phases move.
        peak: The highest level.

    Raises:
        ScheduleError: If a factor or ``pct_start`` is out of its range.

    Example:
        >>> s = one_cycle(pct_start=0.25, div_factor=10, final_div_factor=100).over(100)
        >>> [round(s(t), 6) for t in (0, 25, 100)]
        [0.1, 1.0, 0.001]
    """
    peak = number("peak", peak, above=0)
    start = peak / number("div_factor", div_factor, above=1)
    end = start / number("final_div_factor", final_div_factor, above=1)
    rising = _share(pct_start, three_phase)
    rise = ramp(rising, start=start, to=peak, ease=ease)
    if three_phase:
        return rise >> ramp(rising, to=start, ease=ease) >> ramp(to=end, ease=ease)
    return rise >> ramp(to=end, ease=ease)


@checked
def one_cycle_momentum(
    *,
    pct_start: float = 0.3,
    base_momentum: float = 0.85,
    max_momentum: float = 0.95,
    three_phase: bool = False,
    ease: EaseLike = "cosine",
) -> Schedule:
    """The momentum that goes with :func:`one_cycle`: down while the rate goes up, and back.

    Formula: by the ease from ``max_momentum`` to ``base_momentum`` over ``pct_start`` of the run,
    then back over the rest. With three phases: back over another ``pct_start``, then held.

    Arguments:
        pct_start: The share of the run in which the rate rises.
        base_momentum: The lowest momentum, where the rate is highest; at least 0.
        max_momentum: The highest momentum, less than 1.
        three_phase: Whether the rate has three phases.
        ease: How the phases move.

    Raises:
        ScheduleError: If a momentum or ``pct_start`` is out of its range.

    Example:
        >>> s = one_cycle_momentum(pct_start=0.25).over(100)
        >>> [round(s(t), 6) for t in (0, 25, 100)]
        [0.95, 0.85, 0.95]
    """
    low = number("base_momentum", base_momentum, at_least=0)
    high = number("max_momentum", max_momentum, at_most=math.nextafter(1, 0))
    rising("base_momentum", low, "max_momentum", high)
    falling = _share(pct_start, three_phase)
    fall = ramp(falling, start=high, to=low, ease=ease)
    if three_phase:
        return fall >> ramp(falling, to=high, ease=ease) >> hold()
    return fall >> ramp(to=high, ease=ease)


def _share(pct_start: float, three_phase: bool) -> Duration:
    number("pct_start", pct_start, above=0, at_most=0.5 if three_phase else 1)
    return Duration.of(float(pct_start), "pct_start")


@entry(
    "phases",
    formula=r"\eta_t = \begin{cases} \eta \, t / W & t < W \\ \eta & W \le t < T - D \\ "
    r"\mathrm{decay}(\eta \to \eta_f) & T - D \le t \end{cases}",
    paper=MINICPM,
    aliases=(
        "get_wsd_schedule",
        "WSDScheduler",
        "warmup_stable_decay_schedule",
        "WSD",
        "WSDLRScheduler",
        "warmup_stable_decay",
    ),
    example=With("10%", "20%"),
)
def wsd(
    warmup: DurationLike,
    decay: DurationLike,
    *,
    stable: DurationLike | None = None,
    floor: float = 0.0,
    peak: float = 1.0,
    ease: EaseLike = "1-sqrt",
    warmup_ease: EaseLike = "linear",
) -> Schedule:
    """Warm up, stay stable for most of the run, and decay at the end.

    Formula: ``peak * t / warmup``, then ``peak``, then by the ease from ``peak`` to ``floor`` over
    the last ``decay`` steps.

    Arguments:
        warmup: The steps of the warmup from 0.
        decay: The steps of the decay.
        stable: The steps between; by default the rest of the run.
        floor: The level at the end.
        peak: The level in the middle.
        ease: The shape of the decay; ``"1-sqrt"`` did best in Hägele et al. (2024),
            arXiv:2405.18392.
        warmup_ease: The shape of the warmup; the "1-sqrt" of transformers is ``"power(0.5)"``
            upwards.

    Raises:
        ScheduleError: If ``peak`` equals ``floor`` or 0.

    Example:
        >>> s = wsd(100, 200, ease="linear").over(1000)
        >>> s(50), s(500), s(900), s(1000)
        (0.5, 1.0, 0.5, 0.0)
    """
    distinct(floor=floor, peak=peak)
    rise = ramp(warmup, start=0.0, to=peak, ease=warmup_ease)
    return rise >> hold(stable) >> ramp(decay, to=floor, ease=ease)


@entry(
    "phases",
    formula=r"\eta_t = \eta \, \frac{1 + p \, (r - 1)}{r}, \quad p = "
    r"\begin{cases} t / c & t < c \\ 1 - (t - c) / (T - c) & t \ge c \end{cases}, \quad "
    r"c = \varphi T",
    paper=Paper(
        "Howard and Ruder",
        2018,
        "Universal Language Model Fine-tuning for Text Classification",
        "1801.06146",
    ),
    aliases=("STLR", "SlantedTriangularScheduler"),
    example=With(),
)
def slanted_triangular(
    *, cut_frac: float = 0.1, ratio: float = 32.0, peak: float = 1.0
) -> Schedule:
    """Up fast and down slowly in straight lines, once over the whole run.

    Formula: ``peak * (1 + p * (ratio - 1)) / ratio``, where ``p`` rises from 0 to 1 over the first
    ``cut_frac`` of the run and falls back to 0 over the rest.

    Arguments:
        cut_frac: The share of the run that rises, between 0 and 1.
        ratio: The peak over the level at both ends, greater than 1.
        peak: The highest level.

    Raises:
        ScheduleError: If ``cut_frac`` or ``ratio`` is out of its range, or ``peak`` is 0.

    Example:
        >>> s = slanted_triangular(cut_frac=0.25, ratio=5.0).over(100)
        >>> [round(s(t), 6) for t in (0, 25, 50, 100)]
        [0.2, 1.0, 0.733333, 0.2]
    """
    low = peak / number("ratio", ratio, above=1)
    rise = number("cut_frac", cut_frac, above=0, at_most=math.nextafter(1, 0))
    return ramp(rise, start=low, to=peak) >> ramp(to=low)


@entry(
    "phases",
    formula=r"\eta_t = \begin{cases} \mathrm{triangle}(\eta_f \to \eta \to \eta_f) & t < U + D \\ "
    r"\eta_f \, (1 + (t - U - D) / \tau)^{-1} & t \ge U + D \end{cases}",
    paper=Paper(
        "Smith",
        2018,
        "A disciplined approach to neural network hyper-parameters: Part 1 -- learning rate, "
        "batch size, momentum, and weight decay",
        "1803.09820",
    ),
    aliases=("OneCycle of DeepSpeed", "OneCycle"),
    example=With("30%", tau="10%", floor=0.1),
)
def one_cycle_inverse(
    up: DurationLike,
    down: DurationLike | None = None,
    *,
    tau: DurationLike | None = None,
    stairs_up: int | None = None,
    stairs_down: int | None = None,
    floor: float = 0.0,
    peak: float = 1.0,
) -> Schedule:
    """Up and down in straight lines or stairs, then fall as the inverse of time, without an end.

    Formula: from ``floor`` to ``peak`` in ``up`` steps and back in ``down``, then
    ``floor / (1 + n / tau)`` for the ``n`` steps after that.

    DeepSpeed writes the tail's time scale as ``decay_step_size / decay_lr_rate``.

    Arguments:
        up: The steps from floor to peak.
        down: The steps back; by default as many as up.
        tau: The time scale of the tail, greater than 0; by default the rate stays at the floor.
        stairs_up: The number of stairs in the rise; by default it is smooth.
        stairs_down: The number of stairs in the fall; by default it is smooth.
        floor: The level at both ends of the cycle.
        peak: The highest level.

    Raises:
        ScheduleError: If ``peak`` equals ``floor``, or a number of stairs or ``tau`` is not
            positive.

    Example:
        >>> s = one_cycle_inverse(4, tau=10, stairs_down=2, floor=0.5, peak=1.0)
        >>> [s(t) for t in (0, 2, 4, 5, 6, 8, 18)]
        [0.5, 0.75, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    distinct(floor=floor, peak=peak)
    rise, fall = Duration.of(up, "up"), Duration.of(up if down is None else down, "down")
    cycle = _stairs(ramp(rise, start=floor, to=peak), rise, "stairs_up", stairs_up)
    cycle = cycle >> _stairs(ramp(fall, start=peak, to=floor), fall, "stairs_down", stairs_down)
    return cycle >> (hold() if tau is None else inverse(tau))


def _stairs(ramp: Schedule, length: Duration, name: str, count: int | None) -> Schedule:
    if count is None:
        return ramp
    return ramp.every(Duration(length.amount / whole(name, count, at_least=1), length.unit))
