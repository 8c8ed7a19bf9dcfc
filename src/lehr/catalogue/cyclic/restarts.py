"""Restarts: decays that begin again, equal or not, and other cycles between two levels."""

from __future__ import annotations

from collections.abc import Sequence

from lehr.catalogue.decay.elementary import SGDR, cosine, inverse, linear, polynomial
from lehr.catalogue.parts import between, distinct, joined, one_each, written_out
from lehr.catalogue.registry import With, entry
from lehr.catalogue.warmup.elementary import warmup as _warmup
from lehr.errors import ScheduleError, number, whole
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold
from lehr.time.duration import Duration, DurationLike, ExactLike, exact

__all__ = [
    "hard_restarts",
    "linear_cycles",
    "polynomial_cycle",
    "restart_list",
    "warm_restarts",
    "warmup_restarts",
]


@entry(
    "cyclic",
    formula=r"\eta_t = \eta_f + \tfrac12 (\eta_0 - \eta_f) \, d^{\,i} "
    r"(1 + \cos(\pi T_{cur} / T_i)), \quad T_i = T_0 \, T_{mult}^{\,i}",
    paper=SGDR,
    aliases=(
        "CosineAnnealingWarmRestarts",
        "CosineDecayRestarts",
        "SGDR",
        "CosineAnnealingWarmRestartsScheduler",
        "fit_sgdr",
    ),
    example=With("25%"),
)
def warm_restarts(
    T_0: DurationLike,
    T_mult: ExactLike = 1,
    *,
    decay: float = 1.0,
    cycles: int | None = None,
    floor: float = 0.0,
    peak: float = 1.0,
) -> Schedule:
    """Cosine down, then back to the peak at once, again and again.

    Formula: in cycle ``i`` (from 0), ``n`` steps after it began,
    ``floor + (peak - floor) * decay**i * (1 + cos(pi * n / T_i)) / 2`` with
    ``T_i = T_0 * T_mult**i``.

    Arguments:
        T_0: The length of the first cycle.
        T_mult: Each cycle's length over that of the previous one, greater than 0.
        decay: Each peak's height above the floor over that of the previous one, greater than 0.
        cycles: How many, after which it holds the floor; by default as many as fit.
        floor: The level that each cycle goes down to.
        peak: The level at which the first cycle begins.

    Raises:
        ScheduleError: If ``peak`` equals ``floor``, or a factor is not positive.

    Example:
        >>> s = warm_restarts(10, T_mult=2, decay=0.5)
        >>> [round(s(t), 6) for t in (0, 5, 10, 20, 30)]
        [1.0, 0.5, 0.5, 0.25, 0.25]
    """
    number("decay", decay, above=0)
    if cycles is not None:
        whole("cycles", cycles, at_least=1)
    return between(cosine(T_0).repeat(cycles, stretch=T_mult, scale=decay), floor, peak)


@entry(
    "cyclic",
    formula=r"\eta_t = \eta_f + \tfrac12 (\eta - \eta_f) \, (1 + \cos(\pi \, (N t / T \bmod 1)))",
    paper=SGDR,
    aliases=(
        "get_cosine_with_hard_restarts_schedule_with_warmup",
        "cosine_with_restarts",
        "WarmupCosineWithHardRestartsSchedule",
    ),
    example=With(3),
)
def hard_restarts(cycles: int, *, floor: float = 0.0, peak: float = 1.0) -> Schedule:
    """Cosine down, then back to the peak at once: equal cycles that fill the run.

    Formula: ``floor + (peak - floor) * (1 + cos(pi * (cycles * t / T % 1))) / 2`` in a run of ``T``
    steps.

    For cycles of a given length, see :func:`warm_restarts`.

    Arguments:
        cycles: How many, at least 1.
        floor: The level that each cycle goes down to.
        peak: The level at which each cycle begins.

    Raises:
        ScheduleError: If ``peak`` equals ``floor``, or ``cycles`` is not a whole number above 0.

    Example:
        >>> s = hard_restarts(4).over(400)
        >>> [round(s(t), 6) for t in (0, 50, 100, 350, 400)]
        [1.0, 0.5, 1.0, 0.5, 0.0]
    """
    return between(cosine().repeat(whole("cycles", cycles, at_least=1)), floor, peak)


@entry(
    "cyclic",
    formula=r"\eta_t = \eta_f + \tfrac12 (w_i - \eta_f) \, (1 + \cos(\pi \, n / T_i))",
    paper=SGDR,
    aliases=(
        "CosineRestartLR",
        "CosineAnnealingRestartLR",
        "sgdr_schedule",
        "CosineRestartParamScheduler",
    ),
    example=With(["20%", "30%", "50%"], weights=[1.0, 0.8, 0.4]),
)
def restart_list(
    periods: Sequence[DurationLike],
    *,
    weights: Sequence[float] | None = None,
    floor: float = 0.0,
) -> Schedule:
    """Cosine down again and again, each time from its own level and for its own time.

    Formula: ``n`` steps into period ``i``,
    ``floor + (weights[i] - floor) * (1 + cos(pi * n / periods[i])) / 2``.

    Arguments:
        periods: The lengths of the cycles, at least one.
        weights: The levels at which they begin, one for each; by default all 1.
        floor: The level that each cycle goes down to.

    Raises:
        ScheduleError: If there is no period, the numbers of weights and periods differ, or a weight
            equals ``floor``.

    Example:
        >>> s = restart_list([100, 200], weights=[1.0, 0.5])
        >>> [round(s(t), 6) for t in (0, 50, 100, 200, 300)]
        [1.0, 0.5, 0.5, 0.25, 0.0]
    """
    pairs = zip(periods, one_each("weights", weights, periods), strict=True)
    return joined(cosine(period, start=weight, to=floor) for period, weight in pairs)


@entry(
    "cyclic",
    formula=r"\eta_t = \begin{cases} \eta_f + (\eta_i - \eta_f) \, n / W & n < W \\ "
    r"\mathrm{cos}(\eta_i \to \eta_f) & W \le n < T_i \end{cases}, \quad \eta_i = \eta \, \gamma^i",
    paper=SGDR,
    aliases=("CosineAnnealingWarmupRestarts", "CosineAnnealingWarmupRestartsScheduler"),
    example=With("25%", "5%", cycles=4, gamma=0.7),
    writes_out="cycles",
)
def warmup_restarts(
    T_0: DurationLike,
    warmup: DurationLike,
    *,
    cycles: int,
    T_mult: ExactLike = 1,
    gamma: float = 1.0,
    floor: float = 0.0,
    peak: float = 1.0,
) -> Schedule:
    """Warm up and go down along a cosine, again and again, to lower and lower peaks.

    Formula: in cycle ``i`` (from 0) up in a straight line from ``floor`` to ``peak * gamma**i`` in
    ``warmup`` steps, then down along half a cosine wave in ``(T_0 - warmup) * T_mult**i``.

    Only the decay grows from cycle to cycle; the warmup keeps its length. ``gamma`` lowers the
    whole peak, not its height above the floor.

    Arguments:
        T_0: The length of the first cycle with its warmup.
        warmup: The steps of each warmup, less than ``T_0`` and in its unit.
        cycles: How many, at least 1; then it holds the floor.
        T_mult: Each decay's length over that of the previous one, greater than 0.
        gamma: Each peak over the previous one, greater than 0.
        floor: The level at which each cycle begins and ends.
        peak: The first peak.

    Raises:
        ScheduleError: If a peak equals ``floor``, the warmup takes the whole cycle, the lengths
            have different units, or an argument is outside its range.

    Example:
        >>> s = warmup_restarts(100, 10, cycles=2, T_mult=2, gamma=0.5)
        >>> [round(s(t), 6) for t in (0, 10, 55, 100, 110, 200, 290)]
        [0.0, 1.0, 0.5, 0.0, 0.5, 0.25, 0.0]
    """
    distinct(floor=floor, peak=peak)
    first, rise = Duration.of(T_0, "T_0"), Duration.of(warmup, "warmup")
    number("gamma", gamma, above=0)
    if first.unit == rise.unit and first.amount <= rise.amount:
        raise ScheduleError(f"warmup={rise} leaves nothing of T_0={first} for the decay")
    fall, growth = first - rise, exact("T_mult", T_mult)
    parts: list[Schedule] = []
    for _ in range(written_out("cycles", cycles, at_least=1)):
        parts += [linear(rise, start=floor, to=peak), cosine(fall, to=floor)]
        peak, fall = peak * gamma, Duration(fall.amount * growth, fall.unit)
    return joined(parts)


@entry(
    "cyclic",
    formula=r"\eta_t = a^i \, \eta_0 \, (1 - s(n / T_i)) + b^i \, \eta_1 \, s(n / T_i), "
    r"\quad T_i = T_0 \, m^i, \quad s(u) = 1 - |1 - 2 u| \text{ or } u",
    aliases=("LinearCyclicalScheduler",),
    example=With("25%", start=1.0, to=0.1, start_value_mult=0.7),
)
def linear_cycles(
    cycle: DurationLike,
    *,
    start: float,
    to: float,
    cycle_mult: ExactLike = 1,
    start_value_mult: float = 1.0,
    end_value_mult: float = 1.0,
    monotonic: bool = False,
) -> Schedule:
    """Straight from one level to another and back, both levels and the length changing.

    Formula: in cycle ``i`` (from 0) of ``cycle * cycle_mult**i`` steps, from
    ``start * start_value_mult**i`` to ``to * end_value_mult**i`` and back; or, if monotonic, not
    back: a sawtooth.

    Arguments:
        cycle: The length of the first cycle.
        start: The level at which the first cycle begins.
        to: The level that it goes to.
        cycle_mult: Each cycle's length over that of the previous one, greater than 0.
        start_value_mult: The factor of the start from cycle to cycle, greater than 0.
        end_value_mult: The factor of the other level, greater than 0.
        monotonic: Whether to jump back at the end of each cycle rather than move back.

    Raises:
        ScheduleError: If both levels are equal, or a factor is not positive.

    Example:
        >>> s = linear_cycles(4, start=1.0, to=0.0, start_value_mult=0.5)
        >>> [s(t) for t in (0, 1, 2, 3, 4, 5)]
        [1.0, 0.5, 0.0, 0.5, 0.5, 0.25]
    """
    number("start_value_mult", start_value_mult, above=0)
    number("end_value_mult", end_value_mult, above=0)
    if start == to:
        raise ScheduleError(f"start={start} and to={to} are equal; write constant({start})")
    length = Duration.of(cycle, "cycle")
    half = Duration(length.amount / (1 if monotonic else 2), length.unit)
    away, back = linear(half), _warmup(half)
    # Each level is its own cycle, with the height of that level where the other is 0.
    begins, ends = (away, back) if monotonic else (away >> back, back >> away)
    begins = begins.repeat(stretch=cycle_mult, scale=start_value_mult)
    ends = ends.repeat(stretch=cycle_mult, scale=end_value_mult)
    return _mixed(begins, start, ends, to)


def _mixed(first: Schedule, a: float, second: Schedule, b: float) -> Schedule:
    """Return ``a * first + b * second``, without factors of 1 and terms of 0."""
    if a == 0:
        return second if b == 1 else b * second
    scaled = first if a == 1 else a * first
    return scaled if b == 0 else scaled + (second if b == 1 else b * second)


@entry(
    "cyclic",
    formula=r"\eta_t = \eta_f + (\eta - \eta_f) "
    r"\left(1 - \frac{t}{s \lceil t / s \rceil}\right)^p",
    aliases=("PolynomialDecay(cycle=True)", "polynomial_decay(cycle=True)"),
    example=With(100),
)
def polynomial_cycle(
    steps: int, *, power: float = 1.0, floor: float = 0.0, peak: float = 1.0
) -> Schedule:
    """Polynomial decay to the floor that begins again, half, a third, ... as high.

    Formula: ``floor + (peak - floor) * (1 - t / (steps * ceil(t / steps))) ** power``: whenever the
    end is reached, it is moved ``steps`` further away, and the rate jumps onto that longer decay.

    At a multiple of ``steps`` the value is the floor; the jump comes one step later. (In
    pytorch-scheduler ``cycle=True`` goes back to the full peak instead.)

    Arguments:
        steps: The length of a cycle, a whole number of at least 1.
        power: Greater than 0.
        floor: The level that each cycle goes down to.
        peak: The level at the start.

    Raises:
        ScheduleError: If ``peak`` equals ``floor``, ``steps`` is not a whole number, or ``power``
            is not positive.

    Example:
        >>> s = polynomial_cycle(10)
        >>> [round(s(t), 6) for t in (0, 5, 10, 11, 15, 20)]
        [1.0, 0.5, 0.0, 0.45, 0.25, 0.0]
    """
    length = whole("steps", steps, at_least=1)
    once = polynomial(length, power=power)
    # In cycle i, 1 - t / (i * steps) is (1 - n / steps) / i with n counted from the cycle's start.
    # Cycles end with their last step here, so all but the first are one step late.
    cycles = hold(1, at=1.0) >> once[1 : length + 1].repeat()
    heights = hold(1, at=1.0) >> inverse(length, power=power).every(length)
    return between(cycles * heights, floor, peak)
