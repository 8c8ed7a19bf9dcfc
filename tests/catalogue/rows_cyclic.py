"""Rows 30 to 44: cycles and restarts."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from mpmath import mpf
from rows import T, half_cosine, mix, row

import lehr


def _triangle(t: int, s: int) -> tuple[mpf, int]:
    """Smith (2015): the height, and the number of the cycle."""
    c = 1 + t // (2 * s)
    return max(mpf(0), 1 - abs(mpf(t) / s - 2 * c + 1)), c


row(
    30,
    "triangular",
    lehr.triangular(20, floor=0.001, peak=0.006),
    lambda t: mix(0.001, 0.006, _triangle(t, 20)[0]),
    peak=0.006,
)
row(
    30,
    "triangular",
    lehr.triangular(10, 30),
    lambda t: min(mpf(t % 40) / 10, (40 - mpf(t % 40)) / 30),
)
row(
    31,
    "triangular2",
    lehr.triangular2(20, floor=0.1),
    lambda t: mix(0.1, 1, _triangle(t, 20)[0] / 2 ** (_triangle(t, 20)[1] - 1)),
)
row(
    32,
    "exp_range",
    lehr.exp_range(20, gamma=0.99, floor=0.1),
    lambda t: mix(0.1, 1, _triangle(t, 20)[0] * mpf(0.99) ** t),
)
row(
    33,
    "cyclic",
    lehr.cyclic(20, floor=0.1, scale_fn=lambda c: 1 / c),
    lambda t: mix(0.1, 1, _triangle(t, 20)[0] / _triangle(t, 20)[1]),
)
row(
    33,
    "cyclic",
    lehr.cyclic(20, scale_fn=lambda t: 1 / (1 + t), scale_mode="iterations"),
    lambda t: _triangle(t, 20)[0] / (1 + t),
)


def _cycle(t: int, first: int, mult: int) -> tuple[int, int, int]:
    """Return the number of the cycle, the steps since it began, and its length."""
    index, start, length = 0, 0, first
    while t >= start + length:
        index, start, length = index + 1, start + length, length * mult
    return index, t - start, length


def _linear_cycle(t: int, mult: int, monotonic: bool) -> mpf:
    i, n, length = _cycle(t, 20, mult)
    u = mpf(n) / length
    there = u if monotonic else 1 - abs(1 - 2 * u)
    return mix(1.0 * 0.7**i, 0.1 * 0.5**i, there)


for mult, monotonic in ((1, False), (2, False), (1, True), (3, True)):
    row(
        34,
        "linear_cycles",
        lehr.linear_cycles(
            20,
            start=1.0,
            to=0.1,
            cycle_mult=mult,
            start_value_mult=0.7,
            end_value_mult=0.5,
            monotonic=monotonic,
        ),
        lambda t, m=mult, jump=monotonic: _linear_cycle(t, m, jump),
        last=250,
    )
for count in (1, 3, 4):
    row(
        35,
        "hard_restarts",
        lehr.hard_restarts(count).over(T),
        lambda t, n=count: half_cosine(mpf(n * t % T) / T) if t < T else mpf(0),
    )
row(
    36,
    "warm_restarts",
    lehr.warm_restarts(10, 2, floor=0.1),
    lambda t: mix(0.1, 1, half_cosine(mpf(_cycle(t, 10, 2)[1]) / _cycle(t, 10, 2)[2])),
    last=300,
)
row(
    36,
    "warm_restarts",
    lehr.warm_restarts(30),
    lambda t: half_cosine(mpf(t % 30) / 30),
)


def _limited(t: int, first: int, mult: int, limit: int) -> tuple[mpf, mpf]:
    """Return a cycle's peak, halved from cycle to cycle, and its cosine; none after the last."""
    i, n, length = _cycle(t, first, mult)
    return (mpf(0.5) ** i, half_cosine(mpf(n) / length)) if i < limit else (mpf(0), mpf(0))


def _keras(t: int) -> mpf:
    peak, wave = _limited(t, 10, 3, 3)
    return mix(0.1, 1, peak * wave)


def _timm(t: int) -> mpf:
    peak, wave = _limited(t, 10, 3, 3)
    return mpf(0.1) + (peak - mpf(0.1)) * wave


# The height above the floor falls (Keras), or the whole peak does (timm).
row(37, "warm_restarts", lehr.warm_restarts(10, 3, decay=0.5, cycles=3, floor=0.1), _keras)
_up = lehr.ramp(10, start=0.0, to=1.0, ease="cosine")
row(
    37,
    "warm_restarts",
    lehr.cosine(10).repeat(3, stretch=3, scale=0.5) + 0.1 * _up.repeat(3, stretch=3),
    _timm,
    last=300,
)


def _warmed(t: int, first: int, warmup: int, mult: int, gamma: float, floor: float) -> mpf:
    """katsura-jp: the decay alone is stretched, the whole peak is scaled."""
    peak, start, fall = mpf(1), 0, first - warmup
    for _ in range(3):
        n = t - start
        if n < warmup:
            return mix(floor, 1, mpf(0)) + (peak - mpf(floor)) * n / warmup
        if n < warmup + fall:
            return mpf(floor) + (peak - mpf(floor)) * half_cosine(mpf(n - warmup) / fall)
        peak, start, fall = peak * mpf(gamma), start + warmup + fall, fall * mult
    return mpf(floor)


for mult, gamma, floor in ((1, 1.0, 0.001), (2, 0.5, 0.1), (1, 0.9, 0.0)):
    row(
        38,
        "warmup_restarts",
        lehr.warmup_restarts(30, 8, cycles=3, T_mult=mult, gamma=gamma, floor=floor),
        lambda t, m=mult, g=gamma, f=floor: _warmed(t, 30, 8, m, g, f),
        last=220,
    )


def _listed(t: int, periods: list[int], weights: list[float], floor: float) -> mpf:
    for period, weight in zip(periods, weights, strict=True):
        if t < period:
            return mix(floor, weight, half_cosine(mpf(t) / period))
        t -= period
    return mpf(floor)


row(
    39,
    "restart_list",
    lehr.restart_list([20, 50, 30], weights=[1.0, 0.5, 0.8], floor=0.1),
    lambda t: _listed(t, [20, 50, 30], [1.0, 0.5, 0.8], 0.1),
)
row(
    39,
    "restart_list",
    lehr.restart_list([20, 50]),
    lambda t: _listed(t, [20, 50], [1.0, 1.0], 0.0),
)


def _slanted(t: int, run: int, cut_frac: float, ratio: float) -> mpf:
    """Howard and Ruder (2018), equation 3."""
    cut = int(run * cut_frac)
    p = mpf(t) / cut if t < cut else 1 - mpf(t - cut) / (run - cut)
    return (1 + p * (mpf(ratio) - 1)) / mpf(ratio)


row(
    40,
    "slanted_triangular",
    lehr.slanted_triangular().over(200),
    lambda t: _slanted(min(t, 200), 200, 0.1, 32.0),
    last=210,
)
row(
    40,
    "slanted_triangular",
    lehr.slanted_triangular(cut_frac=0.25, ratio=7.0).over(80),
    lambda t: _slanted(min(t, 80), 80, 0.25, 7.0),
)


def _phases(t: int, points: list[tuple[int, mpf]], fall: Callable[[mpf], mpf]) -> mpf:
    """Through points, from each to the next by a curve that goes from 1 to 0."""
    for (begin, start), (end, to) in itertools.pairwise(points):
        if t < end:
            return to + (start - to) * fall(mpf(t - begin) / (end - begin))
    return points[-1][1]


def _straight(p: mpf) -> mpf:
    return 1 - p


_LOW, _LAST = mpf(1) / 25, mpf(1) / 25 / 10_000
row(
    41,
    "one_cycle",
    lehr.one_cycle().over(100),
    lambda t: _phases(t, [(0, _LOW), (30, mpf(1)), (100, _LAST)], half_cosine),
)
row(
    41,
    "one_cycle",
    lehr.one_cycle(ease="linear").over(100),
    lambda t: _phases(t, [(0, _LOW), (30, mpf(1)), (100, _LAST)], _straight),
)
# fastai ends at peak / div_final.
row(
    41,
    "one_cycle",
    lehr.one_cycle(pct_start=0.25, final_div_factor=1e5 / 25).over(100),
    lambda t: _phases(t, [(0, _LOW), (25, mpf(1)), (100, mpf(1) / 100_000)], half_cosine),
)
row(
    42,
    "one_cycle",
    lehr.one_cycle(three_phase=True).over(100),
    lambda t: _phases(t, [(0, _LOW), (30, mpf(1)), (60, _LOW), (100, _LAST)], half_cosine),
)
# optax.linear_onecycle_schedule.
row(
    42,
    "piecewise",
    lehr.piecewise([("0%", 0.04), ("30%", 1.0), ("85%", 0.04), ("100%", 4e-6)]).over(100),
    lambda t: _phases(
        t, [(0, mpf(0.04)), (30, mpf(1)), (85, mpf(0.04)), (100, mpf(4e-6))], _straight
    ),
)
row(
    43,
    "",
    lehr.one_cycle_momentum().over(100),
    lambda t: _phases(t, [(0, mpf(0.95)), (30, mpf(0.85)), (100, mpf(0.95))], half_cosine),
)
row(
    43,
    "",
    0.9 - (0.9 - 0.8) * lehr.triangular(20),
    lambda t: mpf(0.9) - (mpf(0.9) - mpf(0.8)) * _triangle(t, 20)[0],
)


def _deepspeed(t: int, stairs: int | None) -> mpf:
    low, high = mpf(0.1), mpf(1)
    if t < 70:
        up, n, size = t < 40, t if t < 40 else t - 40, 40 if t < 40 else 30
        n = n if stairs is None else n * stairs // size * mpf(size) / stairs
        height = mpf(n) / size
        return low + (high - low) * (height if up else 1 - height)
    return low / (1 + mpf(0.5) * (t - 70) / 10)


row(
    44,
    "one_cycle_inverse",
    lehr.one_cycle_inverse(40, 30, tau=20, floor=0.1),
    lambda t: _deepspeed(t, None),
    last=200,
)
row(
    44,
    "one_cycle_inverse",
    lehr.one_cycle_inverse(40, 30, tau=20, stairs_up=5, stairs_down=5, floor=0.1),
    lambda t: _deepspeed(t, 5),
    last=200,
)
