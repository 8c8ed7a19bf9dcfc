"""Schedulers of DeepSpeed, as names and arguments."""

from peer import Case

STEPS = 160
LR = 0.2
CYCLE = {"cycle_min_lr": 0.01, "cycle_max_lr": 0.1, "cycle_first_step_size": 30}

CASES: list[Case] = [
    ("WarmupLR", {"warmup_num_steps": 20}),
    ("WarmupLR", {"warmup_num_steps": 20, "warmup_type": "linear", "warmup_min_lr": 0.01}),
    ("WarmupLR", {"warmup_num_steps": 1, "warmup_max_lr": 0.5}),
    ("WarmupDecayLR", {"total_num_steps": 100, "warmup_num_steps": 20}),
    (
        "WarmupDecayLR",
        {
            "total_num_steps": 100,
            "warmup_num_steps": 20,
            "warmup_type": "linear",
            "warmup_min_lr": 0.01,
            "warmup_max_lr": 0.3,
        },
    ),
    ("WarmupDecayLR", {"total_num_steps": 20, "warmup_num_steps": 20}),
    ("WarmupCosineLR", {"total_num_steps": 100, "warmup_num_steps": 20}),
    (
        "WarmupCosineLR",
        {
            "total_num_steps": 100,
            "warmup_num_steps": 20,
            "warmup_type": "linear",
            "warmup_min_ratio": 0.1,
            "cos_min_ratio": 0.2,
        },
    ),
    ("LRRangeTest", {"lr_range_test_step_size": 20}),
    (
        "LRRangeTest",
        {
            "lr_range_test_step_size": 20,
            "lr_range_test_staircase": True,
            "lr_range_test_step_rate": 2.5,
        },
    ),
    ("OneCycle", CYCLE),
    ("OneCycle", {**CYCLE, "cycle_second_step_size": 50, "cycle_momentum": False}),
    (
        "OneCycle",
        {
            **CYCLE,
            "cycle_second_step_size": 41,
            "cycle_first_stair_count": 4,
            "decay_step_size": 10,
            "decay_lr_rate": 0.5,
        },
    ),
    (
        "OneCycle",
        {
            **CYCLE,
            "cycle_first_stair_count": 7,
            "cycle_second_stair_count": 5,
            "decay_step_size": 10,
            "decay_mom_rate": 0.01,
        },
    ),
]
