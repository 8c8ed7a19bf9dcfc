"""Schedulers of fvcore, as names and arguments, and how many steps the run has."""

from peer import Case

RUNS = (1, 10, 97, 100, 240)

CASES: list[Case] = [
    ("ConstantParamScheduler", {"value": 0.3}),
    ("CosineParamScheduler", {"start_value": 0.1, "end_value": 0.001}),
    ("CosineParamScheduler", {"start_value": 0.1, "end_value": 0.1}),
    ("LinearParamScheduler", {"start_value": 0.001, "end_value": 0.1}),
    ("ExponentialParamScheduler", {"start_value": 0.1, "decay": 0.02}),
    ("PolynomialDecayParamScheduler", {"base_value": 0.1, "power": 0.9}),
    ("StepParamScheduler", {"num_updates": 90, "values": [0.1, 0.01, 0.001]}),
    ("StepParamScheduler", {"num_updates": 90, "values": [0.1]}),
    (
        "StepWithFixedGammaParamScheduler",
        {"base_value": 0.1, "num_decays": 6, "gamma": 0.5, "num_updates": 90},
    ),
    ("MultiStepParamScheduler", {"values": [0.1, 0.01, 0.001], "milestones": [30, 60, 80]}),
    (
        "MultiStepParamScheduler",
        {"values": [0.1, 0.01, 0.001], "milestones": [30, 60], "num_updates": 97},
    ),
    ("MultiStepParamScheduler", {"values": [0.1, 0.01, 0.001, 0.5], "num_updates": 90}),
]
