"""Schedulers of OLMo-core, as names and arguments."""

from peer import Case

T_MAX = 100
LR = 0.2
WARM = {"warmup": 20, "warmup_min_lr": 0.01}
SHARE = {"warmup_fraction": 0.13}

CASES: list[Case] = [
    ("constant", {}),
    ("constant_with_warmup", WARM),
    ("constant_with_warmup", SHARE),
    ("constant_with_warmup", {"warmup_fraction": 0.127}),  # to the nearest step
    ("linear_with_warmup", WARM),
    ("linear_with_warmup", {**SHARE, "alpha_f": 0.0}),
    ("cos_with_warmup", WARM),
    ("cos_with_warmup", {**SHARE, "alpha_f": 0.0}),
    ("half_cos_with_warmup", WARM),
    ("half_cos_with_warmup", {**SHARE, "alpha_f": 0.3}),
    ("inv_sqrt_with_warmup", WARM),
    ("inv_sqrt_with_warmup", {**SHARE, "alpha_f": 0.0}),
    ("exponential", {}),
    ("exponential", {"lr_min": 1e-3}),
    ("wsds", {"period_lengths": [40, 50, 30], "warmup": 10, "decay": 8}),
    (
        "wsds",
        {
            "period_lengths": [40, 50],
            "warmup_fraction": 0.1,
            "decay_fraction": 0.2,
            "decay_min_lr": 0.01,
            "period_lr_multipliers": [0.7, 1.3],
        },
    ),
    (
        "composable",
        {
            "stages": [
                {"duration": 20, "start_lr": 0.0, "end_lr_fraction": 1.0},
                {"duration": 40, "shape": "cosine", "end_lr": 0.05},
                {"duration": 30, "start_lr_fraction": 0.8, "end_lr_fraction": 0.1},
            ]
        },
    ),
    (
        "composable",
        {
            "stages": [{"duration": 90, "shape": "cosine", "end_lr_fraction": 0.1}],
            "override_decay": {"start": 50, "duration": 20, "end_lr": 0.0},
        },
    ),
]

FALLING: list[Case] = [
    ("wsd", WARM),
    ("wsd", {**SHARE, "decay": 30, "decay_fraction": None, "decay_min_lr": 0.01}),
    ("power_lr", WARM),
    ("power_lr", {**SHARE, "b": -0.8, "decay_fraction": 0.3}),
    ("cos_with_warmup_and_linear_decay", WARM),
    ("cos_with_warmup_and_linear_decay", {**SHARE, "decay_fraction": 0.25}),
]
"""Those that go on below 0."""
