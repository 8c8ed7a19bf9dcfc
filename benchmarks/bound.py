"""The convex bound: seconds of the processor for whole curves, and how exact they are.

python benchmarks/bound.py [--steps 50000] [--json]
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np

from lehr.laws import bound
from lehr.laws.runs import rates_of

SCHEDULES = ("linear()", "cosine()", "hold() >> linear('20%')", "hold()", "exponential(0.9998)")


def direct(rates: Any, every: int) -> Any:
    """Return the bound's noise term after some of the updates, each by its own sum."""
    sums = np.cumsum(rates)
    at = np.arange(0, len(rates), every)
    tails = [np.sum(rates[:t] ** 2 / (sums[t] - sums[:t])) for t in at]
    return at, rates[at] / 2 + np.array(tails) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    for text in SCHEDULES:
        rates = rates_of(text, options.steps, 1.0)
        start = time.process_time()
        curve = bound(rates)
        seconds = time.process_time() - start
        at, expected = direct(rates, max(1, options.steps // 200))
        errors = np.abs(curve.noise[at] / expected - 1)
        found[text] = {"seconds": seconds, "relative_error": float(errors.max())}
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for text, numbers in found.items():
        print(f"{text:<26} {numbers['seconds']:.3f} s, off by {numbers['relative_error']:.1e}")


if __name__ == "__main__":
    main()
