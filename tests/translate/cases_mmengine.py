"""Schedulers of mmengine, as names and arguments."""

from peer import Case

STEPS = 160
LR = 0.2
WINDOW = {"begin": 10, "end": 110}

CASES: list[Case] = [
    ("StepLR", {"step_size": 30}),
    ("StepLR", {"step_size": 20, "gamma": 0.5, **WINDOW}),
    ("StepLR", {"step_size": 2, "gamma": 0.5, "end": 6, "epoch_length": 13}),
    ("MultiStepLR", {"milestones": [30, 60, 60]}),
    ("MultiStepLR", {"milestones": [30, 60, 120], "gamma": 0.5, **WINDOW}),
    ("ConstantLR", {"factor": 0.5, "end": 20}),
    ("ConstantLR", {"factor": 0.5, **WINDOW}),
    ("ConstantLR", {"factor": 0.5, "begin": 5, "end": 6}),
    ("ExponentialLR", {"gamma": 0.97}),
    ("ExponentialLR", {"gamma": 0.97, **WINDOW}),
    ("CosineAnnealingLR", {"end": 100}),
    ("CosineAnnealingLR", {"eta_min": 0.01, **WINDOW}),
    ("CosineAnnealingLR", {"eta_min_ratio": 0.1, "T_max": 150, **WINDOW}),
    ("CosineAnnealingLR", {"T_max": 9, "end": 9, "epoch_length": 13, "eta_min": 0.01}),
    ("LinearLR", {"end": 20}),
    ("LinearLR", {"start_factor": 0.001, "end_factor": 0.9, **WINDOW}),
    ("PolyLR", {"end": 100}),
    ("PolyLR", {"eta_min": 0.01, "power": 0.9, **WINDOW}),
    ("CosineRestartLR", {"periods": [30, 60], "restart_weights": [1, 0.5], "eta_min": 0.01}),
    (
        "CosineRestartLR",
        {"periods": [30, 60], "restart_weights": [1, 0.5], "eta_min_ratio": 0.1, **WINDOW},
    ),
    ("OneCycleLR", {"eta_max": 0.5, "total_steps": 100, "end": 100}),
    ("OneCycleLR", {"eta_max": 0.5, "end": 100, "anneal_strategy": "linear", "pct_start": 0.25}),
    ("OneCycleLR", {"eta_max": 0.5, "end": 100, "three_phase": True, "final_div_factor": 10.0}),
    ("OneCycleLR", {"eta_max": 0.5, "begin": 5, "end": 105}),
    ("OneCycleLR", {"eta_max": 0.5, "end": 100, "pct_start": 0.0}),
    ("OneCycleLR", {"eta_max": 0.5, "end": 100, "pct_start": 1.0}),
    ("StepLR", {"step_size": 7, "gamma": 0.0, "begin": 5}),
    ("ExponentialLR", {"gamma": 0.0, "end": 20}),
    ("PolyLR", {"power": 0, "end": 20}),
]

PAST: list[Case] = [
    ("OneCycleLR", {"eta_max": 0.5, "total_steps": 100, "end": 101}),
    ("OneCycleLR", {"eta_max": 0.5, "total_steps": 60, "begin": 7, "end": 68}),
    ("OneCycleLR", {"eta_max": 0.5, "total_steps": 60, "end": 61, "anneal_strategy": "linear"}),
]
"""Those that mmengine takes one step past their end."""

MOMENTUM = 0.9
MOMENTA: list[Case] = [
    ("StepMomentum", {"step_size": 20, "gamma": 0.5, **WINDOW}),
    ("MultiStepMomentum", {"milestones": [30, 60, 60]}),
    ("ConstantMomentum", {"factor": 0.5, **WINDOW}),
    ("ExponentialMomentum", {"gamma": 0.97, **WINDOW}),
    ("CosineAnnealingMomentum", {"eta_min": 0.1, **WINDOW}),
    ("CosineAnnealingMomentum", {"T_max": 9, "end": 9, "epoch_length": 13, "eta_min_ratio": 0.1}),
    ("LinearMomentum", {"start_factor": 0.001, "end_factor": 0.9, **WINDOW}),
    ("PolyMomentum", {"eta_min": 0.01, "power": 0.9, **WINDOW}),
    ("CosineRestartMomentum", {"periods": [30, 60], "restart_weights": [1, 0.5], "eta_min": 0.1}),
]

WAVES: list[Case] = [
    ("CosineAnnealingLR", {"T_max": 40}),
    ("CosineAnnealingLR", {"T_max": 30, "eta_min": 0.01, **WINDOW}),
]
"""Those that go up again."""

LISTS: list[list[dict[str, object]]] = [
    [
        {"type": "LinearLR", "start_factor": 0.01, "begin": 0, "end": 20, "by_epoch": False},
        {"type": "CosineAnnealingLR", "begin": 20, "end": 120, "by_epoch": False},
    ],
    [
        {"type": "LinearLR", "start_factor": 0.1, "begin": 0, "end": 50},
        {"type": "MultiStepLR", "milestones": [30, 90], "gamma": 0.5},
    ],
    [
        {"type": "LinearLR", "start_factor": 0.1, "begin": 0, "end": 21},
        {"type": "PolyLR", "power": 0.9, "eta_min": 0.01, "begin": 21, "end": 121},
    ],
    # From here on, several act at once and one has a floor, or sets the rate.
    [
        {"type": "LinearLR", "start_factor": 0.1, "begin": 0, "end": 20},
        {"type": "CosineAnnealingLR", "T_max": 60, "begin": 0, "end": 60, "eta_min": 0.001},
    ],
    [
        {"type": "MultiStepLR", "milestones": [30, 90], "gamma": 0.5},
        {"type": "CosineAnnealingLR", "begin": 40, "end": 120, "eta_min": 0.01},
        {"type": "LinearLR", "start_factor": 0.1, "begin": 0, "end": 60},
    ],
    [
        {"type": "ExponentialLR", "gamma": 0.97, "end": 40},
        {"type": "PolyLR", "power": 0.9, "eta_min": 0.01, "begin": 60, "end": 121},
        {"type": "StepLR", "step_size": 10, "gamma": 0.9, "begin": 90},
    ],
    [
        {"type": "LinearLR", "start_factor": 0.1, "begin": 0, "end": 20},
        {
            "type": "CosineRestartLR",
            "periods": [25, 30],
            "restart_weights": [1, 0.5],
            "eta_min": 0.01,
            "begin": 10,
        },
        {"type": "StepLR", "step_size": 15, "gamma": 0.5, "begin": 50, "end": 90},
    ],
    [
        {"type": "OneCycleLR", "eta_max": 0.5, "begin": 10, "end": 90},
        {"type": "LinearLR", "start_factor": 0.1, "begin": 0, "end": 20},
        {"type": "MultiStepLR", "milestones": [50, 100], "gamma": 0.5},
    ],
    [
        {"type": "CosineAnnealingLR", "T_max": 60, "end": 100, "eta_min_ratio": 0.1},
        {"type": "ExponentialLR", "gamma": 0.99},
        {"type": "OneCycleLR", "eta_max": 0.1, "begin": 120, "end": 150},
    ],
    [
        {"type": "ConstantLR", "factor": 0.7, "begin": 0, "end": 19},
        {"type": "CosineAnnealingLR", "begin": 0, "end": 35, "T_max": 7},
    ],
]
