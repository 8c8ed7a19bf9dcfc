"""Schedules of timm, as names and arguments: those of the factory, and the classes."""

from peer import Case

LR = 0.05
STEPS = 160

_CYCLES: dict[str, dict[str, object]] = {
    "plain": {"t_initial": 50},
    "floor": {"t_initial": 50, "lr_min": 1e-3},
    "under": {"t_initial": 50, "warmup_t": 8, "warmup_lr_init": 1e-4},
    "before": {"t_initial": 50, "warmup_t": 8, "warmup_lr_init": 1e-4, "warmup_prefix": True},
    "long": {"t_initial": 20, "warmup_t": 30, "warmup_lr_init": 1e-4, "lr_min": 1e-3},
    "restarts": {"t_initial": 20, "cycle_limit": 4, "lr_min": 1e-3},
    "lower": {"t_initial": 20, "cycle_limit": 4, "cycle_decay": 0.5},
    "lower to a floor": {"t_initial": 20, "cycle_limit": 3, "cycle_decay": 0.5, "lr_min": 1e-3},
    "longer": {"t_initial": 10, "cycle_mul": 2.0, "cycle_limit": 3, "cycle_decay": 0.8},
    "shorter": {"t_initial": 40, "cycle_mul": 0.5, "cycle_limit": 3, "lr_min": 1e-3},
    "half steps": {"t_initial": 10, "cycle_mul": 1.5, "cycle_limit": 4, "warmup_t": 3},
    "none": {"t_initial": 10, "cycle_limit": 0},
}

CASES: list[Case] = [
    *[("CosineLRScheduler", given) for given in _CYCLES.values()],
    ("CosineLRScheduler", {"t_initial": 50, "k_decay": 1.5, "lr_min": 1e-3}),
    *[("TanhLRScheduler", given) for given in _CYCLES.values()],
    ("TanhLRScheduler", {"t_initial": 50, "lb": -3.0, "ub": 2.0, "lr_min": 1e-3, "warmup_t": 5}),
    *[("PolyLRScheduler", given) for given in _CYCLES.values()],
    ("PolyLRScheduler", {"t_initial": 50, "power": 1.0}),
    ("PolyLRScheduler", {"t_initial": 50, "power": 2.0, "k_decay": 0.7, "lr_min": 1e-3}),
    ("StepLRScheduler", {"decay_t": 30}),
    ("StepLRScheduler", {"decay_t": 30, "decay_rate": 0.3, "warmup_t": 5}),
    (
        "StepLRScheduler",
        {"decay_t": 30.5, "decay_rate": 0.3, "warmup_t": 5, "warmup_prefix": False},
    ),
    ("MultiStepLRScheduler", {"decay_t": [30, 60, 60, 90], "decay_rate": 0.1}),
    (
        "MultiStepLRScheduler",
        {"decay_t": [10, 60], "decay_rate": 0.5, "warmup_t": 20, "warmup_prefix": False},
    ),
    ("MultiStepLRScheduler", {"decay_t": [10, 60], "decay_rate": 0.5, "warmup_t": 20}),
    ("WSDLRScheduler", {"t_initial": 100, "decay_t": 20}),
    ("WSDLRScheduler", {"t_initial": 60, "decay_t": 60, "decay_fn": "linear", "lr_min": 1e-3}),
    ("WSDLRScheduler", {"t_initial": 90, "decay_t": 20, "warmup_t": 10, "decay_fn": "cosine"}),
    ("WSDLRScheduler", {"t_initial": 90, "decay_t": 20, "decay_fn": "power", "decay_power": 2.0}),
    ("WSDLRScheduler", {"t_initial": 90, "decay_t": 20, "decay_fn": "exp", "lr_min": 1e-3}),
    ("WSDLRScheduler", {"t_initial": 90, "decay_t": 20, "decay_fn": lambda p: (1 - p) ** 3}),
    (
        "WSDLRScheduler",
        {"t_initial": 90, "decay_t": 20, "warmup_t": 10, "stable_fn": "rsqrt", "lr_min": 1e-3},
    ),
    (
        "WSDLRScheduler",
        {
            "t_initial": 90,
            "decay_t": 20,
            "stable_fn": "power",
            "stable_power": 1.5,
            "stable_timescale": 12,
            "lr_min": 5e-3,
            "decay_fn": "linear",
        },
    ),
    ("cosine", {"num_epochs": 100}),
    ("cosine", {"num_epochs": 30, "warmup_epochs": 5, "min_lr": 1e-4, "cycle_limit": 2}),
    (
        "cosine",
        {
            "num_epochs": 10,
            "warmup_epochs": 2,
            "step_on_epochs": False,
            "updates_per_epoch": 7,
            "warmup_prefix": True,
            "k_decay": 1.2,
        },
    ),
    ("tanh", {"num_epochs": 100, "warmup_epochs": 5}),
    ("step", {"num_epochs": 100}),
    ("step", {"decay_epochs": 2.4, "warmup_epochs": 3, "decay_rate": 0.97}),
    ("constant", {"warmup_epochs": 4}),
    ("multistep", {"decay_milestones": [20, 40], "warmup_epochs": 5}),
    ("multistep", {"decay_milestones": [2, 4], "step_on_epochs": False, "updates_per_epoch": 9}),
    ("poly", {"num_epochs": 100, "min_lr": 1e-4}),
    ("poly", {"num_epochs": 100, "decay_rate": 0.9, "warmup_epochs": 5, "k_decay": 1.1}),
    ("wsd", {"num_epochs": 100, "warmup_epochs": 5}),
    ("wsd", {"num_epochs": 100, "warmup_epochs": 5, "warmup_prefix": True, "decay_epochs": 30}),
    ("rsqrt", {"num_epochs": 100, "warmup_epochs": 5, "min_lr": 1e-3}),
    (
        "rsqrt",
        {
            "num_epochs": 20,
            "warmup_epochs": 2,
            "decay_epochs": 0.5,
            "decay_fn": "cosine",
            "stable_timescale": 3,
            "step_on_epochs": False,
            "updates_per_epoch": 6,
        },
    ),
    ("none", {}),
    ("PolyLRScheduler", {"t_initial": 20, "power": 0, "cycle_limit": 2, "cycle_decay": 0.5}),
    ("StepLRScheduler", {"decay_t": 7, "decay_rate": 0.0, "warmup_t": 3}),
    ("MultiStepLRScheduler", {"decay_t": [3, 9], "decay_rate": 0.0}),
]

MISSED: Case = ("CosineLRScheduler", {"t_initial": 10, "cycle_mul": 3.0, "cycle_limit": 6})
"""A case in which timm misses a restart, at step 1210."""

MISSED_END: Case = ("TanhLRScheduler", {"t_initial": 2, "cycle_mul": 3.0, "cycle_limit": 5})
"""A case in which it misses that the last cycle is over, at step 242."""


def arguments(case: Case) -> Case:
    """Return the case with the optimizer's rate."""
    name, given = case
    return (name, given) if name == "none" else (name, {**given, "lr": LR})
