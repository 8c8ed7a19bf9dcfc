"""Rows 55 to 64: warmups."""

from __future__ import annotations

from mpmath import e, log, mpf, sqrt
from rows import half_cosine, mix, row, share

import lehr

row(55, "warmup", lehr.warmup(40), lambda t: share(t, 0, 40))
row(55, "warmup", lehr.warmup(40, start=0.2), lambda t: mix(0.2, 1, share(t, 0, 40)))
row(55, "warmup", lehr.warmup(40)[1:], lambda t: share(t + 1, 0, 40))
row(55, "warmup", lehr.warmup(39), lambda t: min(mpf(t) / (40 - 1), mpf(1)))
row(56, "exponential_warmup", lehr.exponential_warmup(20), lambda t: 1 - e ** (-mpf(t + 1) / 20))
row(
    57,
    "log_warmup",
    lehr.log_warmup(100),
    lambda t: log(t + 1) / log(100) if t < 100 else mpf(1),
)
row(58, "cosine_warmup", lehr.cosine_warmup(40), lambda t: 1 - half_cosine(share(t, 0, 40)))
row(
    58,
    "cosine_warmup",
    lehr.cosine_warmup(40, start=0.1, to=0.8),
    lambda t: mix(0.8, 0.1, half_cosine(share(t, 0, 40))),
)
row(59, "power_warmup", lehr.power_warmup(40), lambda t: share(t, 0, 40) ** 2)
row(59, "power_warmup", lehr.power_warmup(40, power=1.5), lambda t: share(t, 0, 40) ** mpf(1.5))
row(60, "complement_warmup", lehr.complement_warmup(40), lambda t: 1 - sqrt(1 - share(t, 0, 40)))


def _radam(t: int, beta2: str) -> mpf:
    """Liu et al. (2019), from the first step on at which the variance is tractable."""
    beta = mpf(beta2)
    limit = 2 / (1 - beta) - 1

    def rho(n: int) -> mpf:
        return limit - 2 * n * beta**n / (1 - beta**n)

    first = 1
    while rho(first) <= 4:
        first += 1
    r = rho(t + first)
    return sqrt((r - 4) * (r - 2) * limit / ((limit - 4) * (limit - 2) * r))


# Where the usual way to write it loses its digits, and far out.
for beta2 in ("0.6000000001", "0.61", "0.9999", "0.999999", "0.999999999", "0.999999999999"):
    row(
        61,
        "radam_warmup",
        lehr.radam_warmup(float(beta2)),
        lambda t, b=beta2: _radam(t, b),
        last=200,
    )
    row(
        61,
        "radam_warmup",
        lehr.radam_warmup(float(beta2)),
        lambda t, b=beta2: _radam(t, b),
        last=20_000_000,
    )
for beta2 in ("0.9", "0.98", "0.99", "0.999"):
    row(
        61,
        "radam_warmup",
        lehr.radam_warmup(float(beta2)),
        lambda t, b=beta2: _radam(t, b),
        last=3_000,
    )
    row(
        62,
        "untuned_linear",
        lehr.untuned_linear(float(beta2)),
        lambda t, b=beta2: min(mpf(1), (1 - mpf(b)) / 2 * (t + 1)),
        last=2_500,
    )
    row(
        63,
        "untuned_exponential",
        lehr.untuned_exponential(float(beta2)),
        lambda t, b=beta2: 1 - e ** (-(1 - mpf(b)) * (t + 1)),
        last=2_500,
    )
row(
    64,
    "inverse_warmup",
    lehr.inverse_warmup(40, to=0.05),
    lambda t: mpf(0.05) * (20 - 19 * share(t, 0, 40)),
)
row(
    64,
    "inverse_warmup",
    lehr.inverse_warmup(40, multiplier=3.0),
    lambda t: 3 - 2 * share(t, 0, 40),
    peak=3.0,
)
