"""Rows 45 to 54: schedules of several phases."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from mpmath import mpf, sqrt
from rows import half_cosine, mix, row, share

import lehr

Fall = Callable[[mpf], mpf]


def straight(p: mpf) -> mpf:
    return 1 - p


def phased(t: int, warmup: int, stable: int, decay: int, fall: Fall, floor: float = 0.0) -> mpf:
    """Up from 0 in a straight line, level at 1, and down to the floor."""
    if t < warmup:
        return mpf(t) / warmup
    return mix(floor, 1, fall(share(t, warmup + stable, decay)))


row(
    45,
    "flat_cosine",
    lehr.flat_cosine(60, warmup=10, floor=0.1).over(100),
    lambda t: phased(t, 10, 60, 30, half_cosine, 0.1),
)
row(
    45,
    "flat_cosine",
    lehr.flat_cosine("75%", floor=1e-5).over(100),
    lambda t: phased(t, 0, 75, 25, half_cosine, 1e-5),
)
row(
    46,
    "trapezoid",
    lehr.trapezoid(20, hold_for=50, floor=0.001, peak=0.006),
    lambda t: mix(0.001, 0.006, max(mpf(0), min(mpf(1), mpf(t) / 20, mpf(90 - t) / 20))),
    peak=0.006,
)
row(
    46,
    "wsd",
    lehr.wsd(20, 30, ease="linear").over(100),
    lambda t: phased(t, 20, 50, 30, straight),
)

DECAYS: list[tuple[str, Fall]] = [
    ("linear", straight),
    ("cosine", half_cosine),
    ("1-sqrt", lambda p: 1 - sqrt(p)),
    ("1-square", lambda p: 1 - p**2),
    ("exponential(0.5)", lambda p: 2 * mpf(0.5) ** p - 1),
    ("mirror-cosine", lambda p: 2 * (1 - p) - half_cosine(p)),
    ("power(2)", lambda p: (1 - p) ** 2),
]
for name, fall in DECAYS:
    row(
        47,
        "wsd",
        lehr.wsd(20, 30, ease=name, floor=0.1).over(100),
        lambda t, fall=fall: phased(t, 20, 50, 30, fall, 0.1),
    )
row(
    47,
    "wsd",
    lehr.wsd(20, 32, ease=lambda u: u**3).over(100),
    lambda t: phased(t, 20, 48, 32, lambda p: 1 - p**3),
)
RISES: list[tuple[str, Fall]] = [
    ("linear", lambda p: p),
    ("cosine", lambda p: 1 - half_cosine(p)),
    ("power(0.5)", lambda p: 1 - sqrt(1 - p)),  # the "1-sqrt" warmup of transformers
]
for name, rise in RISES:
    row(
        47,
        "wsd",
        lehr.wsd(20, 30, warmup_ease=name, ease="cosine").over(100),
        lambda t, rise=rise: rise(mpf(t) / 20) if t < 20 else phased(t, 20, 50, 30, half_cosine),
    )


def _periodic(t: int, multipliers: list[float], floor: float) -> mpf:
    for index, (period, factor) in enumerate(zip((60, 40, 30), multipliers, strict=True)):
        if t < period:
            if index == 0 and t < 10:
                return mpf(factor) * t / 10
            return mix(floor, factor, 1 - share(t, period - 12, 12))
        t -= period
    return mpf(floor)


for multipliers, floor in (([1.0, 1.0, 1.0], 0.0), ([1.0, 0.7, 0.4], 0.1)):
    row(
        48,
        "wsd_s",
        lehr.wsd_s(10, [60, 40, 30], 12, multipliers=multipliers, floor=floor),
        lambda t, m=multipliers, f=floor: _periodic(t, m, f),
    )


def _rewarmed(t: int, first: int, again: int, decay: int | None, fall: Fall) -> mpf:
    """levanter: each cycle warms up from where the last one ended."""
    if t >= 150:
        return mpf(0.1)
    index, n = divmod(t, 50)
    rise, low = (again, 0.1) if index else (first, 0.0)
    length = 50 - rise if decay is None else decay
    return (
        mix(low, 1, mpf(n) / rise) if n < rise else mix(0.1, 1, fall(share(n, 50 - length, length)))
    )


row(
    49,
    "rewarm_cycles",
    lehr.rewarm_cycles(50, 3, warmup=8, rewarmup=5, decay=20, floor=0.1),
    lambda t: _rewarmed(t, 8, 5, 20, half_cosine),
    last=160,
)
row(
    49,
    "rewarm_cycles",
    lehr.rewarm_cycles(50, 3, warmup=8, floor=0.1, ease="linear"),
    lambda t: _rewarmed(t, 8, 0, None, straight),
    last=160,
)
row(
    49,
    "rewarm_cycles",
    lehr.rewarm_cycles("50%", 2, decay="10%", floor=0.1).over(80) >> lehr.linear(20),
    lambda t: (
        mix(0.1, 1, half_cosine(share(t % 40, 32, 8)))
        if t < 80
        else mpf(0.1) * (1 - share(t, 80, 20))
    ),
)
for power, timescale in ((0.5, None), (0.51, 35)):
    row(
        50,
        "power_cooldown",
        lehr.power_cooldown(20, 30, power=power, timescale=timescale).over(100),
        lambda t, p=power, tau=timescale or 20: (
            mpf(t) / 20
            if t < 20
            else (1 + mpf(min(t, 100) - 20) / tau) ** -mpf(p) * (1 - share(t, 70, 30))
        ),
    )
# FastAI's and OLMo's bodies freeze where the cooldown begins.
row(
    50,
    "power_law",
    (lehr.power_law(20, power=0.51) >> lehr.linear("10%", to=0.0)).over(100),
    lambda t: (
        mpf(t) / 20 if t < 20 else (mpf(min(t, 90)) / 20) ** -mpf(0.51) * (1 - share(t, 90, 10))
    ),
)


def _left(t: int) -> mpf:
    at = mix(0.1, 1, half_cosine(share(min(t, 90), 5, 95)))
    return mpf(t) / 5 if t < 5 else at + (mpf(0.05) - at) * share(t, 90, 10)


row(51, "cosine_linear", lehr.cosine_linear("10%", warmup=5, to=0.05).over(100), _left)
row(51, "cosine_linear", lehr.cosine_linear(10, steps=100, warmup=5, to=0.05), _left)
row(
    52,
    "cosine_then_floor",
    lehr.cosine_then_floor(25, warmup=5).over(100),
    lambda t: phased(t, 5, 0, 70, half_cosine, 0.1),
)
row(
    52,
    "infinite",
    lehr.infinite(10, 40, 20, constant=0.4, floor=0.01).over(100),
    lambda t: (
        phased(t, 10, 0, 40, half_cosine, 0.4)
        if t < 80
        else mpf(0.4) * (mpf(0.01) / mpf(0.4)) ** share(t, 80, 20)
    ),
)
_TIMES, _VALUES = [10, 30, 30, 60, 80, 100], [0.2, 1.0, 0.5, 0.7, 0.7, 0.1]


def _through(t: int, fall: Fall) -> mpf:
    if t < _TIMES[0]:
        return mpf(_VALUES[0])
    for i, (begin, end) in enumerate(itertools.pairwise(_TIMES)):
        if begin <= t < end:
            return mix(_VALUES[i + 1], _VALUES[i], fall(mpf(t - begin) / (end - begin)))
    return mpf(_VALUES[-1])


_POINTS = list(zip(_TIMES, _VALUES, strict=True))
row(53, "piecewise", lehr.piecewise(_POINTS), lambda t: _through(t, straight))
row(53, "piecewise", lehr.piecewise(_POINTS, ease="cosine"), lambda t: _through(t, half_cosine))
row(
    54,
    "swa",
    lehr.swa(lehr.linear(100), 60, 10, to=0.2),
    lambda t: mpf(100 - t) / 100 if t < 60 else mix(0.2, 0.4, half_cosine(share(t, 60, 10))),
)
row(
    54,
    "swa",
    lehr.swa(lehr.cosine("100%"), "50%", "10%", to=0.7, ease="linear").over(100),
    lambda t: half_cosine(mpf(t) / 100) if t < 50 else mix(0.7, 0.5, 1 - share(t, 50, 10)),
)
