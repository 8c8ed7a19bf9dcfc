"""Rows 1 to 29: decays."""

from __future__ import annotations

import math
from fractions import Fraction

from mpmath import cos, e, mpf, pi, sqrt, tanh
from rows import T, half_cosine, mix, over_run, row, share

import lehr

row(1, "constant", lehr.constant(0.3), lambda t: mpf(0.3))
row(2, "constant_factor", lehr.constant_factor(5), lambda t: mpf(1 / 3) if t < 5 else mpf(1))
row(2, "constant_factor", lehr.constant_factor(30, 0.2), lambda t: mpf(0.2) if t < 30 else mpf(1))
row(3, "step", lehr.step(30), lambda t: mpf(0.1) ** (t // 30))
row(3, "step", lehr.step(7, gamma=0.9), lambda t: mpf(0.9) ** (t // 7))
row(4, "multistep", lehr.multistep([30, 80]), lambda t: mpf(0.1) ** ((t >= 30) + (t >= 80)))
row(
    5,
    "piecewise_constant",
    lehr.piecewise_constant([20, 50, 50, 90], [1.0, 0.4, 7.0, 0.2, 0.05]),
    lambda t: mpf([1.0, 0.4, 7.0, 0.2, 0.05][(t >= 20) + 2 * (t >= 50) + (t >= 90)]),
)
# Keras: a value holds for t <= boundary.
row(
    5,
    "piecewise_constant",
    lehr.piecewise_constant([21, 51], [1.0, 0.5, 0.1]),
    lambda t: mpf(1.0 if t <= 20 else 0.5 if t <= 50 else 0.1),
)
row(6, "exponential", lehr.exponential(0.9, every=10), lambda t: mpf(0.9) ** (mpf(t) / 10))
row(6, "exponential", lehr.exponential(math.exp(-0.05)), lambda t: e ** (-mpf(0.05) * t))
row(6, "geometric", lehr.geometric(T, to=0.01), lambda t: mpf(0.01) ** share(t, 0, T))
row(
    6, "geometric", lehr.geometric(T, start=1e-9, to=1.0), lambda t: mpf(1e-9) ** share(T - t, 0, T)
)
row(
    6,
    "exponential",
    lehr.hold(20) >> lehr.exponential(0.5, every=30).clip(low=0.3),
    lambda t: max(mpf(0.5) ** (mpf(max(t - 20, 0)) / 30), mpf(0.3)),
)
for ratio in (0.1, 0.5):
    row(
        7,
        "normalised_exponential",
        lehr.normalised_exponential(T, ratio=ratio),
        over_run(lambda p, r=ratio: (mpf(r) ** p - r) / (1 - mpf(r))),
    )
row(
    7,
    "normalised_exponential",
    lehr.normalised_exponential(T, ratio=0.5, to=0.1),
    over_run(lambda p: 2 * mpf(0.5) ** p - 1, to=0.1),
)
row(8, "inverse", lehr.inverse(Fraction(10) / Fraction("0.5")), lambda t: 1 / (1 + t / mpf(20)))
row(8, "inverse", lehr.inverse(20).every(10), lambda t: 1 / (1 + mpf(0.5) * (t // 10)))
row(8, "inverse", lehr.inverse(20) * 0.9 + 0.1, lambda t: mix(0.1, 1, 1 / (1 + t / mpf(20))))
row(9, "noam", lehr.noam(40), lambda t: min(mpf(t) / 40, sqrt(mpf(40) / max(t, 1))))
row(
    9,
    "noam",
    lehr.noam(4000, peak=(512 * 4000) ** -0.5)[1:],
    lambda t: mpf(512) ** -0.5 * min(mpf(t + 1) ** -0.5, (t + 1) * mpf(4000) ** -1.5),
    last=20_000,
    peak=(512 * 4000) ** -0.5,
)
row(
    10,
    "inverse_sqrt",
    lehr.inverse_sqrt(40, timescale=25, peak=0.5),
    lambda t: mpf(0.5) * (mpf(t) / 40 if t < 40 else 1 / sqrt(1 + mpf(t - 40) / 25)),
    peak=0.5,
)
# levanter: min(1, sqrt(tau / (t + W))).
row(
    10,
    "inverse_sqrt",
    lehr.hold(60, at=1.0) >> lehr.inverse(100, power=0.5),
    lambda t: min(mpf(1), sqrt(mpf(100) / (t + 40))),
)
row(
    11,
    "power_law",
    lehr.power_law(20, power=0.51),
    lambda t: mpf(t) / 20 if t < 20 else (mpf(t) / 20) ** -mpf(0.51),
)
row(
    11,
    "power_law",
    lehr.power_law(20, power=0.7, timescale=35),
    lambda t: mpf(t) / 20 if t < 20 else (1 + mpf(t - 20) / 35) ** -mpf(0.7),
)
row(11, "inverse", lehr.inverse(1, power=1.3), lambda t: mpf(t + 1) ** -mpf(1.3))
TOKENS = 128 * 4096
row(
    12,
    "power_scheduler",
    lehr.power_scheduler(0.02, batch_size=128, per_step=TOKENS),
    lambda t: min(mpf(0.02), 128 * mpf(4.6) * mpf(max(t, 1) * TOKENS) ** -mpf(0.51)),
    last=9_000,
    peak=0.02,
)
row(13, "linear", lehr.linear(T, to=0.1, start=0.7), over_run(lambda p: 1 - p, 0.1, 0.7), peak=0.7)
row(13, "linear", lehr.linear(5, start=1 / 3, to=1.0), lambda t: mix(1 / 3, 1, share(t, 0, 5)))
row(
    13,
    "linear",
    lehr.hold(30) >> lehr.linear(T, to=0.0),
    lambda t: 1 - share(t, 30, T),
)
for power in (0.5, 0.9, 1.0, 2.0, 3.5):
    row(
        14,
        "polynomial",
        lehr.polynomial(T, power=power, to=0.1),
        over_run(lambda p, k=power: (1 - p) ** k, to=0.1),
    )
for power, floor in ((1.0, 0.0), (1.5, 0.2)):
    row(
        15,
        "polynomial_cycle",
        lehr.polynomial_cycle(30, power=power, floor=floor),
        lambda t, k=power, f=floor: mix(f, 1, (1 - mpf(t) / (30 * max(1, -(-t // 30)))) ** k),
        last=400,
    )
for power in (0.5, 2.0, 0.3, 1.7):
    row(
        16,
        "complement_power",
        lehr.complement_power(T, power=power, to=0.1),
        over_run(lambda p, k=power: 1 - p**k, to=0.1),
    )
row(16, "complement_power", lehr.ramp(T, ease="1-sqrt"), over_run(lambda p: 1 - sqrt(p)))
row(16, "complement_power", lehr.ramp(T, ease="1-square"), over_run(lambda p: 1 - p**2))
for k, power in ((1.0, 1.0), (1.5, 0.9), (3.0, 2.0), (0.5, 0.5)):
    row(
        17,
        "k_decay",
        lehr.k_decay(T, k=k, power=power, to=0.1),
        over_run(lambda p, k=k, q=power: (1 - p**k) ** q, to=0.1),
    )
row(18, "cosine", lehr.cosine(T, to=0.1), over_run(half_cosine, to=0.1))
row(18, "cosine", lehr.cosine(20_000), lambda t: half_cosine(mpf(t) / 20_000), last=20_000)
for exponent in (1.0, 2.0, 0.7):
    row(
        19,
        "cosine_power",
        lehr.cosine_power(T, exponent=exponent, to=0.1),
        over_run(lambda p, x=exponent: half_cosine(p) ** x, to=0.1),
    )
for k in (1.0, 1.7, 0.4):
    row(
        20,
        "k_decay_cosine",
        lehr.k_decay_cosine(T, k=k, to=0.1),
        over_run(lambda p, k=k: half_cosine(p**k), to=0.1),
    )
row(21, "quarter_cosine", lehr.quarter_cosine(T, to=0.1), over_run(lambda p: cos(pi * p / 2), 0.1))
row(
    22,
    "second_half_cosine",
    lehr.second_half_cosine(T, start=0.5),
    over_run(lambda p: half_cosine((1 + p) / 2)),
)
row(
    22,
    "second_half_cosine",
    lehr.second_half_cosine(T, start=0.55, to=0.1),
    over_run(lambda p: half_cosine((1 + p) / 2), to=0.1),
)
row(
    23,
    "mirror_cosine",
    lehr.mirror_cosine(T, to=0.1),
    lambda t: 2 * mix(1, 0.1, share(t, 0, T)) - mix(0.1, 1, half_cosine(share(t, 0, T))),
)
for cycles in (0.5, 0.3, 1.0, 2.25):
    row(
        24,
        "soft_cosine",
        lehr.soft_cosine(cycles, T, floor=0.1),
        over_run(lambda p, c=cycles: (1 + cos(2 * pi * c * p)) / 2, to=0.1),
    )
    row(
        24,
        "soft_cosine",
        lehr.soft_cosine(cycles).over(T),
        over_run(lambda p, c=cycles: (1 + cos(2 * pi * c * p)) / 2),
    )
for lower, upper, floor in ((-7.0, 3.0, 0.0), (-3.0, 3.0, 0.1), (-6.0, 4.0, 0.0)):
    row(
        25,
        "tanh_decay",
        lehr.tanh_decay(T, lower=lower, upper=upper, floor=floor),
        over_run(lambda p, a=lower, b=upper: (1 - tanh(a * (1 - p) + b * p)) / 2, to=floor),
    )
row(26, "rex", lehr.rex(T, to=0.1), over_run(lambda p: (1 - p) / (1 - p / 2), to=0.1))


def _hyperbola(t: int, length: int, bound: int) -> mpf:
    x, n, u = mpf(min(t, length)), mpf(length), mpf(bound)
    return sqrt((n - x) / u * (2 - (n + x) / u))


for bound in (100, 130, 1000):
    row(
        27,
        "hyperbolic",
        lehr.hyperbolic(T, upper_bound=bound, infimum=1e-6),
        lambda t, u=bound: 1 + (1 - mpf(1e-6)) * (_hyperbola(t, T, u) - _hyperbola(0, T, u)),
    )
    row(
        28,
        "exp_hyperbolic",
        lehr.exp_hyperbolic(T, upper_bound=bound, infimum=1e-6, start=0.5),
        lambda t, u=bound: (
            mpf(0.5) * (mpf(0.5) / mpf(1e-6)) ** (_hyperbola(t, T, u) - _hyperbola(0, T, u))
        ),
        peak=0.5,
    )


def _permutation(count: int) -> list[int]:
    """Agarwal et al. (2021), Definition 2: from T to 2T by putting 2T + 1 - s after each s."""
    order = [1]
    while len(order) < count:
        order = [index for s in order for index in (s, 2 * len(order) + 1 - s)]
    return order


def _node(index: int, count: int, m: float, big: float) -> mpf:
    angle = (index - mpf(1) / 2) / count * pi
    return 1 / ((mpf(big) + m) / 2 - (mpf(big) - m) / 2 * cos(angle))


for nodes, every, m, big in ((8, 1, 0.05, 1.0), (64, 1, 0.1, 1.0), (16, 5, 1.0, 7.0)):
    row(
        29,
        "chebyshev",
        lehr.chebyshev(nodes, every=every, small_m=m, big_m=big),
        lambda t, n=nodes, w=every, m=m, big=big: _node(
            _permutation(n)[min(t // w, n - 1)], n, m, big
        ),
        peak=1 / m,
    )
