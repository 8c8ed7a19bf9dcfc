"""Schedules of optax, as names and arguments."""

from peer import Case

STEPS = 160

CASES: list[Case] = [
    ("constant_schedule", {"value": 0.3}),
    (
        "polynomial_schedule",
        {"init_value": 0.1, "end_value": 0.01, "power": 2.0, "transition_steps": 50},
    ),
    (
        "polynomial_schedule",
        {
            "init_value": 0.1,
            "end_value": 0.5,
            "power": 0.5,
            "transition_steps": 50,
            "transition_begin": 20,
        },
    ),
    (
        "polynomial_schedule",
        {"init_value": 0.1, "end_value": 0.01, "power": 2.0, "transition_steps": 0},
    ),
    ("linear_schedule", {"init_value": 0.0, "end_value": 0.1, "transition_steps": 40}),
    (
        "linear_schedule",
        {"init_value": 0.2, "end_value": 0.1, "transition_steps": 40, "transition_begin": -5},
    ),
    ("piecewise_constant_schedule", {"init_value": 0.1}),
    (
        "piecewise_constant_schedule",
        {"init_value": 0.1, "boundaries_and_scales": {60: 0.5, 30: 0.1, 90: 2.0}},
    ),
    (
        "piecewise_constant_schedule",
        {"init_value": 0.1, "boundaries_and_scales": {0: 0.5, 30: 0.0}},
    ),
    (
        "piecewise_interpolate_schedule",
        {
            "interpolate_type": "linear",
            "init_value": 0.1,
            "boundaries_and_scales": {50: 3.0, 20: 0.5},
        },
    ),
    (
        "piecewise_interpolate_schedule",
        {
            "interpolate_type": "cosine",
            "init_value": 0.1,
            "boundaries_and_scales": {50: 3.0, 20: 1.0, 90: 0.0},
        },
    ),
    (
        "piecewise_interpolate_schedule",
        {
            "interpolate_type": "linear",
            "init_value": 0.1,
            "boundaries_and_scales": {0: 0.5, 20: 0.1},
        },
    ),
    ("exponential_decay", {"init_value": 0.1, "transition_steps": 20, "decay_rate": 0.5}),
    (
        "exponential_decay",
        {
            "init_value": 0.1,
            "transition_steps": 20,
            "decay_rate": 0.5,
            "transition_begin": 13,
            "staircase": True,
            "end_value": 0.01,
        },
    ),
    (
        "exponential_decay",
        {"init_value": 0.1, "transition_steps": 20, "decay_rate": 1.5, "end_value": 0.7},
    ),
    ("exponential_decay", {"init_value": 0.1, "transition_steps": 20, "decay_rate": 0.0}),
    ("cosine_decay_schedule", {"init_value": 0.1, "decay_steps": 90}),
    (
        "cosine_decay_schedule",
        {"init_value": 0.1, "decay_steps": 90, "alpha": 0.1, "exponent": 1.5},
    ),
    ("linear_onecycle_schedule", {"transition_steps": 100, "peak_value": 0.5}),
    (
        "linear_onecycle_schedule",
        {"transition_steps": 37, "peak_value": 0.5, "pct_start": 0.2, "pct_final": 0.7},
    ),
    ("linear_onecycle_schedule", {"transition_steps": 2, "peak_value": 0.5}),
    ("cosine_onecycle_schedule", {"transition_steps": 100, "peak_value": 0.5}),
    (
        "cosine_onecycle_schedule",
        {"transition_steps": 41, "peak_value": 0.5, "div_factor": 10.0, "final_div_factor": 100.0},
    ),
    (
        "warmup_constant_schedule",
        {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 30},
    ),
    (
        "warmup_cosine_decay_schedule",
        {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 30, "decay_steps": 100},
    ),
    (
        "warmup_cosine_decay_schedule",
        {
            "init_value": 0.01,
            "peak_value": 0.1,
            "warmup_steps": 0,
            "decay_steps": 100,
            "end_value": 0.001,
            "exponent": 2.0,
        },
    ),
    (
        "warmup_exponential_decay_schedule",
        {
            "init_value": 0.0,
            "peak_value": 0.1,
            "warmup_steps": 30,
            "transition_steps": 20,
            "decay_rate": 0.7,
            "transition_begin": 10,
            "end_value": 0.01,
        },
    ),
    (
        "sgdr_schedule",
        {
            "cosine_kwargs": [
                {
                    "init_value": 0.0,
                    "peak_value": 0.1 / (i + 1),
                    "warmup_steps": 5,
                    "decay_steps": 40 * (i + 1),
                    "end_value": 0.001,
                }
                for i in range(2)
            ]
        },
    ),
    (
        "polynomial_schedule",
        {"init_value": 0.1, "end_value": 1.0, "power": 0, "transition_steps": 20},
    ),
    ("cosine_decay_schedule", {"init_value": 0.1, "decay_steps": 20, "exponent": 0}),
]
