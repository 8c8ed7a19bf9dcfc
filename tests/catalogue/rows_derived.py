"""Rows 68 to 71: what is derived from other schedules."""

from __future__ import annotations

from mpmath import mpf, sqrt
from rows import half_cosine, mix, row, share

import lehr

row(
    68,
    "relative_step",
    lehr.relative_step(scale=0.5),
    lambda t: mpf(0.5) * min(mpf("0.01"), 1 / sqrt(mpf(t + 1))),
    last=40_000,
    peak=0.005,
)
row(
    68,
    "relative_step",
    lehr.relative_step(warmup_init=True),
    lambda t: min(mpf("1e-6") * (t + 1), 1 / sqrt(mpf(t + 1))),
    last=40_000,
    peak=0.01,
)
row(
    69,
    "proportional",
    lehr.proportional(
        lehr.cosine(100, to=0.1), min_lr=0.1, max_lr=1.0, min_value=0.01, max_value=0.05
    ),
    lambda t: mix(0.01, 0.05, half_cosine(share(t, 0, 100))),
    peak=0.05,
)
row(
    69,
    "proportional",
    lehr.proportional(lehr.linear(100), min_value=2.0, max_value=0.5),
    lambda t: mix(2.0, 0.5, 1 - share(t, 0, 100)),
    peak=2.0,
)
row(
    71,
    "range_ramp",
    lehr.range_ramp(100),
    lambda t: mpf(1e-7) ** (1 - share(t, 0, 100)),
)
# DeepSpeed: min * (1 + rate * t / size), smooth or in stairs.
row(
    71,
    "range_ramp",
    lehr.range_ramp(100, start=1e-3, to=1e-3 * 6, log=False),
    lambda t: mix(1e-3, 6e-3, share(t, 0, 100)),
    peak=6e-3,
)
row(
    71,
    "range_ramp",
    lehr.range_ramp(100, start=1e-3, to=1e-3 * 6, log=False, stairs=20),
    lambda t: mpf(1e-3) * (1 + min(t // 20, 5)),
    peak=6e-3,
)
