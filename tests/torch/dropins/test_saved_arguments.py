"""A state brings each argument along: loaded into a scheduler built with another, it wins."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import pytest

from twins import ARGUMENTS, PLATEAU, build, flat, inverse, saved, scheduler_class

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

# For each argument, beside those of ARGUMENTS, another value under which the numbers differ.
OTHERS: dict[str, dict[str, dict[str, Any]]] = {
    "StepLR": {"step_size": {"step_size": 3}, "gamma": {"gamma": 0.9}},
    "MultiStepLR": {"milestones": {"milestones": [7, 12]}, "gamma": {"gamma": 0.9}},
    "ExponentialLR": {"gamma": {"gamma": 0.8}},
    "ConstantLR": {"factor": {"factor": 0.5}, "total_iters": {"total_iters": 12}},
    "LinearLR": {
        "start_factor": {"start_factor": 0.3},
        "end_factor": {"end_factor": 0.6},
        "total_iters": {"total_iters": 12},
    },
    "PolynomialLR": {"total_iters": {"total_iters": 30}, "power": {"power": 2.0}},
    "CosineAnnealingLR": {"T_max": {"T_max": 20}, "eta_min": {"eta_min": 0.05}},
    "CosineAnnealingWarmRestarts": {
        "T_0": {"T_0": 7},
        "T_mult": {"T_mult": 1},
        "eta_min": {"eta_min": 0.05},
    },
    "CyclicLR": {
        "base_lr": {"base_lr": 0.05},
        "max_lr": {"max_lr": [0.5, 2.0]},
        "step_size_up": {"step_size_up": 8},
        "step_size_down": {"step_size_down": 2},
        "mode": {"mode": "triangular"},
        "gamma": {"gamma": 0.9},
        "scale_mode": {"scale_mode": "iterations"},
        "cycle_momentum": {"cycle_momentum": False},
        "base_momentum": {"base_momentum": 0.5},
        "max_momentum": {"max_momentum": 0.99},
    },
    "OneCycleLR": {
        "max_lr": {"max_lr": [0.5, 2.0]},
        "total_steps": {"total_steps": 60},
        "epochs": {"total_steps": None, "epochs": 6, "steps_per_epoch": 10},
        "steps_per_epoch": {"total_steps": None, "epochs": 5, "steps_per_epoch": 11},
        "pct_start": {"pct_start": 0.5},
        "anneal_strategy": {"anneal_strategy": "linear"},
        "cycle_momentum": {"cycle_momentum": False},
        "base_momentum": {"base_momentum": 0.5},
        "max_momentum": {"max_momentum": 0.99},
        "div_factor": {"div_factor": 5.0},
        "final_div_factor": {"final_div_factor": 2.0},
        "three_phase": {"three_phase": True},
    },
    "SWALR": {
        "swa_lr": {"swa_lr": 0.02},
        "anneal_epochs": {"anneal_epochs": 16},
        "anneal_strategy": {"anneal_strategy": "linear"},
    },
    PLATEAU: {
        "mode": {"mode": "max"},
        "factor": {"factor": 0.3},
        "patience": {"patience": 0},
        "threshold": {"threshold": 0.13},
        "threshold_mode": {"threshold_mode": "abs"},
        "cooldown": {"cooldown": 4},
        "min_lr": {"min_lr": [0.09, 0.01]},
        "eps": {"eps": 0.03},
    },
}
CASES = [(name, argument) for name, others in OTHERS.items() for argument in others]
# What else both schedulers are built with, where the value makes no difference without it.
CONTEXT: dict[tuple[str, str], dict[str, Any]] = {
    ("CyclicLR", "gamma"): {"mode": "exp_range"},
    ("CyclicLR", "scale_mode"): {"scale_fn": inverse},
    (PLATEAU, "threshold"): {"patience": 2},
    (PLATEAU, "threshold_mode"): {"patience": 2, "threshold": 0.11},
}
# A state holds no functions: a run that is resumed has them in its program, as in torch.
FUNCTIONS = {"lr_lambda", "scale_fn"}


def test_every_argument_has_another_value() -> None:
    for name in ARGUMENTS:
        taken = inspect.signature(scheduler_class("lehr", name)).parameters.keys()
        others = OTHERS.get(name, {}).keys()
        assert others == taken - {"optimizer", "last_epoch", *FUNCTIONS}, name


@pytest.mark.parametrize(("name", "argument"), CASES)
def test_a_state_wins_over_the_arguments(name: str, argument: str) -> None:
    usual = {**ARGUMENTS[name], **CONTEXT.get((name, argument), {})}
    first = build("lehr", name, {**usual, **OTHERS[name][argument]})
    first.steps(4)
    optimizer, scheduler = copy.deepcopy((first.optimizer.state_dict(), saved(first)))
    second = build("lehr", name, usual)
    second.optimizer.load_state_dict(optimizer)
    second.scheduler.load_state_dict(scheduler)
    second.made = first.made
    plain = build("lehr", name, usual)
    plain.steps(4)
    expected = flat(first.steps(25))
    assert expected != flat(plain.steps(25)), "the value makes no difference: choose another"
    assert flat(second.steps(25)) == expected
