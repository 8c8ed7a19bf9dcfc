"""Schedules of keras, as names and arguments."""

from peer import Case

STEPS = 160
RATE = {"initial_learning_rate": 0.1}

CASES: list[Case] = [
    ("ExponentialDecay", {**RATE, "decay_steps": 30, "decay_rate": 0.5}),
    ("ExponentialDecay", {**RATE, "decay_steps": 30, "decay_rate": 0.5, "staircase": True}),
    ("PiecewiseConstantDecay", {"boundaries": [30, 70], "values": [0.1, 0.5, 0.01]}),
    ("PiecewiseConstantDecay", {"boundaries": [40], "values": [0.1, 0.01]}),
    ("PolynomialDecay", {**RATE, "decay_steps": 100}),
    ("PolynomialDecay", {**RATE, "decay_steps": 80, "end_learning_rate": 0.01, "power": 2.0}),
    ("PolynomialDecay", {**RATE, "decay_steps": 40, "cycle": True}),
    ("PolynomialDecay", {**RATE, "decay_steps": 40, "power": 0.5, "cycle": True}),
    ("InverseTimeDecay", {**RATE, "decay_steps": 10, "decay_rate": 0.5}),
    ("InverseTimeDecay", {**RATE, "decay_steps": 10, "decay_rate": 0.5, "staircase": True}),
    ("InverseTimeDecay", {**RATE, "decay_steps": 10, "decay_rate": 0.0}),
    ("CosineDecay", {**RATE, "decay_steps": 90}),
    ("CosineDecay", {**RATE, "decay_steps": 90, "alpha": 0.1, "warmup_steps": 20}),
    (
        "CosineDecay",
        {
            "initial_learning_rate": 0.0,
            "decay_steps": 90,
            "alpha": 0.1,
            "warmup_target": 0.1,
            "warmup_steps": 20,
        },
    ),
    ("CosineDecayRestarts", {**RATE, "first_decay_steps": 20}),
    ("CosineDecayRestarts", {**RATE, "first_decay_steps": 32, "t_mul": 1.0, "m_mul": 0.5}),
    (
        "CosineDecayRestarts",
        {**RATE, "first_decay_steps": 16, "t_mul": 2.0, "m_mul": 0.5, "alpha": 0.1},
    ),
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0}),
    (
        "ExponentialDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0, "staircase": True},
    ),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 30, "power": 0}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 10, "m_mul": 0.0}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.0, "first_decay_steps": 10}),
]

MISSED: Case = ("CosineDecayRestarts", {**RATE, "first_decay_steps": 10, "t_mul": 1.5})
"""A case in which keras misses a restart on some backends, at step 25."""
