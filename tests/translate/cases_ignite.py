"""Schedulers of ignite, as names and arguments."""

from typing import Any

from peer import Case

STEPS = 160

_CYCLES: list[dict[str, Any]] = [
    {"cycle_size": 20},
    {"cycle_size": 21, "cycle_mult": 2},
    {"cycle_size": 20, "start_value_mult": 0.5},
    {"cycle_size": 10, "cycle_mult": 2, "start_value_mult": 0.5, "end_value_mult": 0.8},
    {"cycle_size": 11, "cycle_mult": 1.3, "start_value_mult": 0.9, "end_value_mult": 1.1},
]
_WARM: list[dict[str, Any]] = [
    {"cycle_size": 20, "warmup_duration": 5},
    {"cycle_size": 10, "cycle_mult": 2, "start_value_mult": 0.5, "warmup_duration": 4},
    {"cycle_size": 11, "cycle_mult": 1.3, "end_value_mult": 0.8, "warmup_duration": 3},
]
_UP = {"start_value": 0.01, "end_value": 0.5}
_DOWN = {"start_value": 0.5, "end_value": 0.0}

CASES: list[Case] = [
    *[("LinearCyclicalScheduler", {**_UP, **given}) for given in _CYCLES],
    *[("LinearCyclicalScheduler", {**_DOWN, **given, "monotonic": True}) for given in _WARM],
    *[("CosineAnnealingScheduler", {**_DOWN, **given}) for given in _CYCLES + _WARM],
    *[("CosineAnnealingScheduler", {**_UP, **given}) for given in _CYCLES + _WARM],
    ("PiecewiseLinear", {"milestones_values": [(10, 0.5), (20, 0.45), (60, 0.3), (80, 0.3)]}),
    ("PiecewiseLinear", {"milestones_values": [(0, 0.1), (30, 0.6), (30, 0.2), (90, 0.0)]}),
    ("PiecewiseLinear", {"milestones_values": [(12, 0.3)]}),
]

WARMUPS: list[tuple[dict[str, Any], Case]] = [
    ({"warmup_start_value": 0.0, "warmup_duration": 10}, CASES[14]),
    ({"warmup_start_value": 0.0, "warmup_duration": 10, "warmup_end_value": 0.5}, CASES[8]),
    ({"warmup_start_value": 0.0, "warmup_duration": 2, "warmup_end_value": 0.5}, CASES[8]),
]
"""Arguments of a warmup, and what comes after it."""
LR = 0.2
