"""Configurations of torchtitan's schedule."""

from typing import Any

STEPS = 115

CASES: list[dict[str, Any]] = [
    {"warmup_steps": warmup, "decay_type": kind, **more}
    for kind in ("linear", "sqrt", "cosine")
    for warmup, more in [
        (20, {}),
        (0, {"min_lr_factor": 0.1}),
        (20, {"decay_ratio": 0.3, "min_lr_factor": 0.2}),
        (30, {"decay_ratio": 0.9}),
        (1, {"decay_ratio": 0.1}),
    ]
]
TOTAL = 100
