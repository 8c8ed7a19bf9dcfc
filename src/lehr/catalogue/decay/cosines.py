"""Decays along cosines other than half a wave."""

from __future__ import annotations

import math
from fractions import Fraction

from lehr.catalogue.decay.curves import HAEGELE, K_DECAY
from lehr.catalogue.decay.elementary import cosine
from lehr.catalogue.parts import distinct, joined, written_out
from lehr.catalogue.registry import Paper, With, entry
from lehr.curves.easing import Ease
from lehr.errors import ScheduleError, number, rising
from lehr.schedule.base import Schedule
from lehr.schedule.leaves import hold, ramp
from lehr.time.duration import Duration, DurationLike

__all__ = [
    "chebyshev",
    "cosine_power",
    "k_decay_cosine",
    "mirror_cosine",
    "quarter_cosine",
    "second_half_cosine",
    "soft_cosine",
]


@entry(
    "decay",
    formula=r"\eta_t = \left(\tfrac{M + m}{2} - \tfrac{M - m}{2} "
    r"\cos\frac{(\sigma(t) + 1/2) \, \pi}{n}\right)^{-1}",
    paper=Paper(
        "Agarwal, Goel and Zhang",
        2021,
        "Acceleration via Fractal Learning Rate Schedules",
        "2103.01338",
    ),
    aliases=("get_chebyshev_schedule",),
    example=With(16, every="6.25%", small_m=1.0, big_m=5.0),
    writes_out="nodes",
)
def chebyshev(
    nodes: int, *, every: DurationLike = 1, small_m: float = 0.05, big_m: float = 1.0
) -> Schedule:
    """Jump between large and small steps in the fractal order that keeps them stable.

    Formula: ``1 / ((M + m) / 2 - (M - m) / 2 * cos((k + 1/2) * pi / nodes))`` for the nodes ``k``
    in the order that begins with ``0`` and, doubling, puts ``2n - 1 - k`` after each ``k`` of the
    order of ``n`` nodes.

    The values lie between ``1 / big_m`` and ``1 / small_m``: with the default, up to 20 times the
    base rate. (What pytorch-scheduler calls "Chebyshev" is a plain cosine.)

    Arguments:
        nodes: How many values, a power of 2.
        every: The steps for which each value is held.
        small_m: The curvature ``m`` that determines the largest step, greater than 0.
        big_m: The curvature ``M`` that determines the smallest step, greater than ``small_m``.

    Raises:
        ScheduleError: If ``nodes`` is not a power of 2, or unless ``0 < small_m < big_m``.

    Example:
        >>> s = chebyshev(4, small_m=1.0, big_m=3.0)
        >>> [round(s(t), 4) for t in range(4)]
        [0.9293, 0.342, 0.6183, 0.4197]
    """
    count = written_out("nodes", nodes, at_least=2)
    if count & (count - 1):
        raise ScheduleError(f"nodes={nodes!r} must be a power of 2: the fractal order doubles")
    low = number("small_m", small_m, above=0)
    rising("small_m", low, "big_m", big_m)
    angles = [(k + 0.5) / count * math.pi for k in _fractal(count)]
    values = [2 / (big_m + low - (big_m - low) * math.cos(angle)) for angle in angles]
    return joined(hold(every, at=value) for value in values)


def _fractal(count: int) -> list[int]:
    order = [0]
    while len(order) < count:
        last = 2 * len(order) - 1
        order = [index for k in order for index in (k, last - k)]
    return order


@entry(
    "decay",
    formula=r"\eta_t = \eta_T + (\eta_0 - \eta_T) "
    r"\left(\tfrac12 (1 + \cos(\pi t / T))\right)^e",
    aliases=("cosine_decay_schedule(exponent=...)",),
    example=With(exponent=2.0),
)
def cosine_power(
    steps: DurationLike | None = None,
    *,
    exponent: float,
    to: float | None = None,
    start: float | None = None,
) -> Schedule:
    """Go to a level along a power of half a cosine wave.

    Formula: ``to + (start - to) * ((1 + cos(pi * t / steps)) / 2) ** exponent``.

    Arguments:
        steps: Its length; by default the rest of the run.
        exponent: Greater than 0; 1 is :func:`cosine`, a larger one falls sooner.
        to: The level that it reaches after ``steps``; by default 0, or 1 if ``start`` is 0.
        start: The level at which it begins; by default the end level of the previous piece.

    Raises:
        ScheduleError: If it would not move, or ``exponent`` is not positive.

    Example:
        >>> round(cosine_power(100, exponent=2.0)(50), 6)
        0.25
    """
    return ramp(steps, to=to, start=start, ease=Ease("cosine-power", (exponent,)))


@entry(
    "decay",
    formula=r"\eta_t = \eta_T + \tfrac12 (\eta_0 - \eta_T) \, (1 + \cos(\pi \, (t / T)^k))",
    paper=K_DECAY,
    aliases=("CosineLRScheduler(k_decay=...)", "KDecayScheduler"),
    example=With(k=3.0),
)
def k_decay_cosine(
    steps: DurationLike | None = None,
    *,
    k: float,
    to: float | None = None,
    start: float | None = None,
) -> Schedule:
    """Go to a level along half a cosine wave, with time replaced by a power of itself.

    Formula: ``to + (start - to) * (1 + cos(pi * (t / steps) ** k)) / 2``. The same idea for a
    polynomial is :func:`k_decay`.

    Arguments:
        steps: Its length; by default the rest of the run.
        k: Greater than 0; 1 is :func:`cosine`, above 1 the rate stays high for longer.
        to: The level that it reaches after ``steps``; by default 0, or 1 if ``start`` is 0.
        start: The level at which it begins; by default the end level of the previous piece.

    Raises:
        ScheduleError: If it would not move, or ``k`` is not positive.

    Example:
        >>> round(k_decay_cosine(100, k=2.0)(50), 6)
        0.853553
    """
    return ramp(steps, to=to, start=start, ease=Ease("k-cosine", (k,)))


@entry(
    "decay",
    formula=r"\eta_t = \eta_T + (\eta_0 - \eta_T) \cos(\tfrac{\pi}{2} \, t / T)",
    aliases=("cosine annealing of torch-schedule-anything",),
    example=With(),
)
def quarter_cosine(
    steps: DurationLike | None = None, *, to: float | None = None, start: float | None = None
) -> Schedule:
    """Go to a level along the first quarter of a cosine wave: slow, then ever faster.

    Formula: ``to + (start - to) * cos(pi / 2 * t / steps)``.

    torch-schedule-anything calls this "cosine annealing", which elsewhere is :func:`cosine`.

    Arguments:
        steps: Its length; by default the rest of the run.
        to: The level that it reaches after ``steps``; by default 0, or 1 if ``start`` is 0.
        start: The level at which it begins; by default the end level of the previous piece.

    Raises:
        ScheduleError: If it would not move.

    Example:
        >>> round(quarter_cosine(90)(60), 6)
        0.5
    """
    return ramp(steps, to=to, start=start, ease="quarter-cosine")


@entry(
    "decay",
    formula=r"\eta_t = \eta_T + (\eta_0 - \eta_T) \, (1 + \cos(\tfrac{\pi}{2} (1 + t / T)))",
    aliases=("half_cos_with_warmup", "HalfCosWithWarmup"),
    example=With(),
)
def second_half_cosine(
    steps: DurationLike | None = None, *, to: float | None = None, start: float | None = None
) -> Schedule:
    """Go to a level along the second half of a falling cosine: fast, then ever slower.

    Formula: ``to + (start - to) * (1 + cos(pi / 2 * (1 + t / steps)))``.

    OLMo's version starts in the middle, where that half starts: ``second_half_cosine(start=0.5)``.

    Arguments:
        steps: Its length; by default the rest of the run.
        to: The level that it reaches after ``steps``; by default 0, or 1 if ``start`` is 0.
        start: The level at which it begins; by default the end level of the previous piece.

    Raises:
        ScheduleError: If it would not move.

    Example:
        >>> round(second_half_cosine(90)(30), 6)
        0.5
    """
    return ramp(steps, to=to, start=start, ease="second-half-cosine")


@entry(
    "decay",
    formula=r"\eta_t = 2 \left(\eta_0 + (\eta_T - \eta_0) \, t / T\right) "
    r"- \mathrm{cos}(\eta_0 \to \eta_T)",
    paper=HAEGELE,
    aliases=("decay_type='miror_cosine'",),
    example=With(),
)
def mirror_cosine(
    steps: DurationLike | None = None, *, to: float | None = None, start: float | None = None
) -> Schedule:
    """Go to a level along a cosine mirrored about the straight line: fast, slow, fast.

    Formula: ``2 * linear - cosine``, both from ``start`` to ``to`` in ``steps``.

    It appears in the paper's code, not in its text.

    Arguments:
        steps: Its length; by default the rest of the run.
        to: The level that it reaches after ``steps``; by default 0, or 1 if ``start`` is 0.
        start: The level at which it begins; by default the end level of the previous piece.

    Raises:
        ScheduleError: If it would not move.

    Example:
        >>> s = mirror_cosine(100)
        >>> [round(s(t), 6) for t in (0, 25, 50, 75, 100)]
        [1.0, 0.646447, 0.5, 0.353553, 0.0]
    """
    return ramp(steps, to=to, start=start, ease="mirror-cosine")


@entry(
    "decay",
    formula=r"\eta_t = \eta_f + \tfrac12 (\eta - \eta_f) \, (1 + \cos(2 \pi c \, t / T))",
    aliases=("get_cosine_schedule_with_warmup(num_cycles=...)", "CosineAnnealingScheduler"),
    example=With(2.5),
)
def soft_cosine(
    cycles: float = 0.5,
    steps: DurationLike | None = None,
    *,
    floor: float = 0.0,
    peak: float = 1.0,
) -> Schedule:
    """Several whole cosine waves, down and softly up again.

    Formula: ``floor + (peak - floor) * (1 + cos(2 * pi * cycles * t / steps)) / 2``.

    With 0.5 it is half a wave, like :func:`cosine`; with a whole number it ends at the peak. For
    cycles that jump back up, see :func:`hard_restarts`.

    Arguments:
        cycles: How many waves, greater than 0; need not be whole.
        steps: Its length, after which it holds; by default the rest of the run, with ``cycles``
            waves over the whole run.
        floor: The lower level.
        peak: The upper level, at which it begins.

    Raises:
        ScheduleError: If ``peak`` equals ``floor``, or ``cycles`` is not positive.

    Example:
        >>> s = soft_cosine(1.5).over(300)
        >>> [round(s(t), 6) for t in (0, 50, 100, 200, 300)]
        [1.0, 0.5, 0.0, 1.0, 0.0]
    """
    distinct(floor=floor, peak=peak)
    number("cycles", cycles, above=0)
    length = Duration.of("100%" if steps is None else steps)
    half = Duration(length.amount / (2 * Fraction(str(cycles))), length.unit)
    waves = (cosine(half, start=peak, to=floor) >> cosine(half, to=peak)).repeat()
    return waves if steps is None else waves[:length]
