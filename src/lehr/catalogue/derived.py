"""Derived schedules: what is made of another schedule, and what is laid over one."""

from __future__ import annotations

from statistics import NormalDist

from lehr import functions
from lehr.catalogue.decay import cosine
from lehr.catalogue.registry import Paper, With, entry
from lehr.easing import EaseLike
from lehr.errors import ScheduleError, level, number, whole
from lehr.horizon import DurationLike
from lehr.leaves import formula, ramp
from lehr.schedule import Schedule

__all__ = ["noise", "proportional", "range_ramp", "swa"]


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

    Formula: ``schedule`` until ``start``, then by the ease from where it is to ``to`` in ``anneal``
    steps, then ``to``.

    Arguments:
        schedule: What goes before; shares in it are of the run.
        start: When to leave it.
        anneal: The steps from its rate to the new one.
        to: The rate at which weights are averaged.
        ease: How it goes there; ``"linear"`` is the other choice that torch has.

    Raises:
        ScheduleError: If the schedule is at ``to`` already when it is left.

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
    """Follow another schedule between two levels of its own.

    Formula: ``min_value + (max_value - min_value) * (schedule - min_lr) / (max_lr - min_lr)``.

    GSAM lets the size of its perturbation follow the learning rate so. It is plain arithmetic on
    schedules: ``0.2 + 0.8 * schedule``. (pytorch-optimizer's default levels are both 2, which gives
    a constant.)

    Arguments:
        schedule: What is followed.
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
    source, target = level("max_lr", max_lr) - level("min_lr", min_lr), max_value - min_value
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
    formula=r"\eta_t = \eta'_t \, (1 + \varepsilon_t), \quad |\varepsilon_t| < p",
    aliases=("noise_range_t", "noise_pct", "noise_seed"),
    example=With(0.2),
)
def noise(pct: float = 0.67, *, std: float | None = None, seed: int = 42) -> Schedule:
    """Shake another schedule by a seeded share at each step: a factor.

    Formula: ``1 + e[t]``, each ``e[t]`` drawn alike from ``-pct`` to ``pct``, or with ``std`` from
    a normal distribution cut off there.

    Multiply by it: ``cosine() * noise(0.1)``. The value at a step depends on the step and the seed
    alone, so it is the same in every process, after any resume, and for any kind of array. (timm
    draws its noise from torch's generator; its numbers are others.)

    Arguments:
        pct: The largest share, greater than 0 and at most 1.
        std: The standard deviation before it is cut off; without it, all shares are as likely.
        seed: From 0 to 2**31 - 1.

    Raises:
        ScheduleError: If an argument is outside its range.

    Example:
        >>> s = noise(0.1, seed=1)
        >>> s(7) == s(7), s(7) == s(8), all(0.9 < s(t) < 1.1 for t in range(1000))
        (True, False, True)
    """
    share = number("pct", pct, above=0, at_most=1)
    chosen = int(number("seed", whole("seed", seed, at_least=0), at_most=2**31 - 1))
    name = f"noise({share!r}, {chosen})"
    if std is not None:
        name = f"normal-noise({share!r}, {number('std', std, above=0)!r}, {chosen})"
    return formula(name, low=1 - share, high=1 + share)


def _uniform(t: float, seed: float) -> float:
    """Return a number between 0 and 1, both excluded, that is a hash of the step and the seed."""
    # 31 bits throughout: no product needs more than 62, and what 32-bit integers drop is masked
    # away, so that any array library could compute the same.
    mask = 0x7FFFFFFF
    x = (int(t) + int(seed) * 0x1E3779B1 + 0x5BD1E995) & mask
    for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39), (14, 0x1B56C4E9)):
        x = ((x ^ (x >> shift)) * factor) & mask
    x ^= x >> 16
    return (x + 0.5) / 2**31


@functions.family("noise")
class _UniformNoise(functions.Member):
    """The factor of :func:`noise` without ``std``."""

    def __init__(self, pct: float, seed: float) -> None:
        self._pct, self._seed = pct, seed

    def __call__(self, t: float) -> float:
        return 1 + self._pct * (2 * _uniform(t, self._seed) - 1)


@functions.family("normal-noise")
class _NormalNoise(functions.Member):
    """The factor of :func:`noise` with ``std``."""

    def __init__(self, pct: float, std: float, seed: float) -> None:
        self._pct, self._seed, self._normal = pct, seed, NormalDist(0.0, std)
        self._low = self._normal.cdf(-pct)

    def __call__(self, t: float) -> float:
        inside = self._low + (1 - 2 * self._low) * _uniform(t, self._seed)
        return 1 + min(max(self._normal.inv_cdf(inside), -self._pct), self._pct)


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
    """Rise over many orders of magnitude, to see at which rate training breaks.

    Formula: ``start * (to / start) ** (t / steps)``, or a straight line.

    DeepSpeed's ``min * (1 + rate * t / size)`` for ``n`` steps is
    ``range_ramp(n, start=min, to=min * (1 + rate * n / size), log=False)``.

    Arguments:
        steps: How long; without it, as long as there is room.
        start: The lowest rate, greater than 0 where ``log``.
        to: The highest.
        log: In equal factors, rather than equal steps.
        stairs: Hold each value for so many steps.

    Raises:
        ScheduleError: If ``start`` equals ``to``, or one is not positive where ``log``.

    Example:
        >>> s = range_ramp(100, start=1e-4)
        >>> [round(s(t), 6) for t in (0, 25, 50, 100)]
        [0.0001, 0.001, 0.01, 1.0]
    """
    rise = ramp(steps, start=start, to=to, log=log)
    return rise if stairs is None else rise.every(stairs)
