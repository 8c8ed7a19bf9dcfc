"""Schedules of levanter, as names and fields of its configuration."""

from peer import Case

TOTAL = 200
STEPS = 240
LR = 0.01
CYCLES = {"cycles": 3, "rewarmup": 0.2}

CASES: list[Case] = [
    ("constant", {}),
    ("constant", {"warmup": 0.25, "cooldown": 0.1}),
    ("cosine", {}),
    ("cosine", {"warmup": 20, "decay": 0.4, "min_lr_ratio": 0.0}),
    ("cosine", {"exponent": 1.7, "warmup": 0.1, **CYCLES}),
    ("linear", {"warmup": 0, "decay": 0}),
    ("linear", {"warmup": 1}),
    ("linear", {"warmup": 0.0}),
    ("linear", {"decay": 0.2, "cycles": [50, 120], "rewarmup": 10, "warmup": 10}),
    ("linear", {"decay": 20, "cycles": [50, 120, 200], "warmup": 10}),
    ("linear", {"cycle_length": 60, "decay": 0.5, "rewarmup": 0.1}),
    ("linear", {"cycle_length": 0.25, "decay": 10, "rewarmup": 5}),
    ("linear", {"cycle_length": [30, 80, 40], "rewarmup": 0.1}),
    ("linear", {"haps": [70, 140], "rewarmup": 0.1, "cooldown": 20}),
    ("linear", {"override_lr": 0.05, "cooldown": 0.2, "decay": 0.5}),
    ("inv_sqrt", {"timescale": 30, "warmup": 10}),
    ("inv_sqrt", {"timescale": 5, "warmup": 0.1, "min_lr_ratio": 0.3, **CYCLES}),
    ("inv_sqrt", {}),
    ("inv", {"warmup": 10}),
    ("inv", {"decay": 0.3, "min_lr_ratio": 0.05, **CYCLES}),
    ("inv", {"min_lr_ratio": 1.0}),
    ("power", {"batch_size": 4, "seq_length": 256, "warmup": 5}),
    ("power", {"batch_size": 1, "seq_length": 10**6, "a": 2.0, "b": -0.4, **CYCLES}),
    ("power", {"batch_size": 256, "seq_length": 4096}),
]

NEWER: list[Case] = [
    ("cosine", {"warmup": 0, "decay": 0}),
    ("cosine", {"warmup": 1}),
    ("polynomial", {"warmup": 10}),
    ("polynomial", {"power": 0.5, "min_lr_ratio": 0.0, **CYCLES}),
    ("inv_sqrt_decay", {"warmup": 10}),
    ("inv_sqrt_decay", {"decay_constant": 3.0, "min_lr_ratio": 0.6, **CYCLES}),
    ("linear", {"warmup": 0.5, "decay": 0.8}),
]
"""Those that the release in peers-alone.txt does not have yet, or that it does otherwise."""
