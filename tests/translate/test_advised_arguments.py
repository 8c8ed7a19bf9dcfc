"""The advice in the refusal of an argument is itself accepted."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

import lehr
from lehr import ScheduleError
from lehr.translate import names, translate

ROWS: list[tuple[str, str, dict[str, Any], str, dict[str, Any]]] = [
    ("torch", "StepLR", {"step_size": 0}, "write at least 1", {"step_size": 1}),
    ("torch", "CosineAnnealingLR", {"T_max": 0}, "write at least 1", {"T_max": 1}),
    ("torch", "CosineAnnealingLR", {"T_max": 5, "eta_min": 0.01}, "as in lr=0.1", {"lr": 0.1}),
    (
        "torch",
        "CyclicLR",
        {"base_lr": 0.1, "max_lr": 1, "step_size_up": 4, "mode": "x"},
        "'triangular'",
        {"mode": "triangular"},
    ),
    (
        "torch",
        "ChainedScheduler",
        {"schedulers": ["LinearLR"]},
        "write ('LinearLR', {'total_iters': 5})",
        {"schedulers": [("LinearLR", {"total_iters": 5})]},
    ),
    (
        "torch",
        "OneCycleLR",
        {"max_lr": 1.0},
        "epochs and steps_per_epoch",
        {"epochs": 2, "steps_per_epoch": 9},
    ),
    ("torch", "SWALR", {"swa_lr": 0.1}, "as in lr=0.1", {"lr": 0.1}),
    (
        "composer",
        "StepScheduler",
        {"step_size": "3ep"},
        "give dataloader_len",
        {"dataloader_len": 9},
    ),
    (
        "composer",
        "StepScheduler",
        {"step_size": "0.5dur"},
        "give max_duration",
        {"max_duration": "9ba"},
    ),
    (
        "mmengine",
        "StepLR",
        {"step_size": 3, "convert_to_iter_based": True},
        "needs epoch_length",
        {"epoch_length": 5},
    ),
    ("mmengine", "StepMomentum", {"step_size": 3}, "give momentum=0.9", {"momentum": 0.9}),
    ("mmengine", "OneCycleLR", {"eta_max": 1.0, "begin": 3, "end": 9}, "lr=0.1", {"lr": 0.1}),
    (
        "olmo_core",
        "wsd",
        {"warmup": 3, "t_max": 20, "decay": 3},
        "write decay_fraction=None",
        {"decay_fraction": None},
    ),
    (
        "transformers",
        "warmup_stable_decay",
        {"num_warmup_steps": 1, "num_decay_steps": 9},
        "give num_training_steps or num_stable_steps",
        {"num_stable_steps": 5},
    ),
    (
        "transformers",
        "cosine_with_min_lr",
        {"num_warmup_steps": 1, "num_training_steps": 9, "min_lr": 0.01},
        "as in lr=0.1",
        {"lr": 0.1},
    ),
    (
        "ignite",
        "LinearCyclicalScheduler",
        {"start_value": 0, "end_value": 1, "cycle_size": 4, "warmup_duration": 3},
        "needs monotonic=True",
        {"monotonic": True},
    ),
    ("deepspeed", "WarmupLR", {}, "give it, or lr", {"lr": 0.1}),
    ("fastai", "fit_one_cycle", {}, "give it, or lr", {"lr": 0.1}),
    ("fastai", "fit_sgdr", {"n_cycles": 2, "cycle_len": 1}, "give it, or lr", {"lr": 0.1}),
    (
        "keras",
        "PiecewiseConstantDecay",
        {"boundaries": [5, 2], "values": [1, 2, 3]},
        "write faithful=True",
        {"faithful": True},
    ),
    (
        "levanter",
        "cosine",
        {"num_train_steps": 10, "warmup": 1.5},
        "a number of steps, which is whole",
        {"warmup": 2},
    ),
    (
        "composer",
        "LinearWithWarmupScheduler",
        {"t_warmup": "5ba", "t_max": "3ep"},
        "give dataloader_len",
        {"dataloader_len": 9},
    ),
    (
        "composer",
        "LinearWithWarmupScheduler",
        {"t_warmup": "5tok", "t_max": "3ba"},
        "write both in one, such as 'ba'",
        {"t_warmup": "1ba"},
    ),
    (
        "composer",
        "StepScheduler",
        {"step_size": "5ba", "max_duration": "30ba", "ssr": 0.5, "scale_schedule_ratio": 0.5},
        "give one",
        {"ssr": ...},
    ),
    (
        "composer",
        "StepScheduler",
        {"step_size": "1.5ba"},
        "whole numbers of 'ba'",
        {"step_size": "2ba"},
    ),
    (
        "composer",
        "CosineAnnealingScheduler",
        {"max_duration": "30ba", "scale_schedule_ratio": 0.001},
        "leaves nothing of max_duration",
        {"scale_schedule_ratio": 0.5},
    ),
    (
        "fvcore",
        "StepParamScheduler",
        {"values": [], "num_updates": 10},
        "write at least one",
        {"values": [1.0]},
    ),
    (
        "fvcore",
        "MultiStepParamScheduler",
        {"values": [1, 0.1]},
        "give num_updates or milestones",
        {"num_updates": 10},
    ),
    (
        "fvcore",
        "MultiStepParamScheduler",
        {"values": [1, 0.1, 0.01], "milestones": [5], "num_updates": 10},
        "3 values change 2 times",
        {"milestones": [5, 7]},
    ),
    (
        "fvcore",
        "MultiStepParamScheduler",
        {"values": [1], "milestones": []},
        "its last one is the end of the run",
        {"values": [1], "milestones": [10]},
    ),
    (
        "fvcore",
        "MultiStepParamScheduler",
        {"values": [1, 0.1, 0.01], "milestones": [5, 3], "num_updates": 10},
        "must rise, and stay below 10",
        {"milestones": [3, 5]},
    ),
    (
        "fvcore",
        "CompositeParamScheduler",
        {"schedulers": [lehr.constant(1.0)], "lengths": [0.5, 0.5], "interval_scaling": ["fixed"]},
        "write one of each for 1 schedulers",
        {"lengths": [1.0]},
    ),
    (
        "ignite",
        "PiecewiseLinear",
        {"milestones_values": []},
        "write at least one, in rising order",
        {"milestones_values": [(0, 1.0), (5, 0.5)]},
    ),
    (
        "ignite",
        "PiecewiseLinear",
        {"milestones_values": [(5, 1), (0, 0.5)]},
        "in rising order",
        {"milestones_values": [(0, 1.0), (5, 0.5)]},
    ),
    (
        "keras",
        "PiecewiseConstantDecay",
        {"boundaries": [5, 7], "values": [1, 2]},
        "write one value more, and at least one boundary",
        {"values": [1, 2, 3]},
    ),
    (
        "keras",
        "PiecewiseConstantDecay",
        {"boundaries": [], "values": [1]},
        "at least one boundary",
        {"boundaries": [5], "values": [1, 2]},
    ),
    (
        "keras",
        "PiecewiseConstantDecay",
        {"boundaries": [5, 2], "values": [1, 2, 3]},
        "sort them with their values",
        {"boundaries": [2, 5]},
    ),
    (
        "megatron",
        "OptimizerParamScheduler",
        {"max_lr": 0.1, "lr_warmup_steps": 10, "lr_decay_steps": 10, "lr_decay_style": "linear"},
        "must be less than lr_decay_steps=10",
        {"lr_warmup_steps": 9},
    ),
    (
        "megatron",
        "OptimizerParamScheduler",
        {
            "max_lr": 0.1,
            "lr_warmup_steps": 1,
            "lr_decay_steps": 10,
            "lr_decay_style": "WSD",
            "lr_wsd_decay_style": "linear",
        },
        "write wsd_decay_steps=100, or how many",
        {"wsd_decay_steps": 5},
    ),
    ("mmengine", "StepLR", {"step_size": 0}, "write at least 1", {"step_size": 1}),
    (
        "mmengine",
        "CosineRestartLR",
        {"periods": [5, 5], "restart_weights": [1], "eta_min": 0},
        "write one for each of periods",
        {"restart_weights": [1, 0.5]},
    ),
    (
        "mmengine",
        "CosineAnnealingLR",
        {"T_max": 5, "eta_min": 0.1, "eta_min_ratio": 0.1, "lr": 1.0},
        "give at most one",
        {"eta_min": None},
    ),
    (
        "mmengine",
        "param_scheduler",
        {"schedulers": []},
        "write at least one dict with its type",
        {"schedulers": [{"type": "StepLR", "step_size": 3}]},
    ),
    (
        "mmengine",
        "param_scheduler",
        {
            "schedulers": [
                {"type": "StepLR", "step_size": 3},
                {"type": "LinearLR", "by_epoch": False, "end": 5},
            ]
        },
        "give epoch_length to those that count epochs",
        {
            "schedulers": [
                {
                    "type": "StepLR",
                    "step_size": 3,
                    "epoch_length": 5,
                    "convert_to_iter_based": True,
                },
                {"type": "LinearLR", "by_epoch": False, "end": 5},
            ]
        },
    ),
    (
        "mmengine",
        "param_scheduler",
        {
            "schedulers": [
                {"type": "StepLR", "step_size": 3},
                {"type": "LinearLR", "by_epoch": False, "end": 5},
            ]
        },
        "give epoch_length to those that count epochs",
        {
            "schedulers": [
                {"type": "StepLR", "step_size": 3, "epoch_length": 5},
                {"type": "LinearLR", "by_epoch": False, "end": 5},
            ]
        },
    ),
    (
        "mmengine",
        "param_scheduler",
        {
            "schedulers": [
                {"type": "StepLR", "step_size": 3},
                {"type": "LinearLR", "by_epoch": False, "end": 5},
            ]
        },
        "or by_epoch=False to all",
        {
            "schedulers": [
                {"type": "StepLR", "step_size": 3, "by_epoch": False},
                {"type": "LinearLR", "by_epoch": False, "end": 5},
            ]
        },
    ),
    (
        "mmengine",
        "param_scheduler",
        {
            "schedulers": [
                {"type": "OneCycleLR", "eta_max": 1.0, "total_steps": 9},
                {"type": "StepLR", "step_size": 3},
            ]
        },
        "give the optimizer's, as in lr=0.1",
        {
            "lr": 0.1,
            "schedulers": [
                {"type": "StepLR", "step_size": 3},
                {"type": "OneCycleLR", "eta_max": 1.0, "total_steps": 9},
            ],
        },
    ),
    (
        "mmengine",
        "StepLR",
        {"step_size": 3, "epoch_length": 5, "by_epoch": False},
        "needs by_epoch=True",
        {"by_epoch": True},
    ),
    (
        "mmengine",
        "StepLR",
        {"step_size": 3, "begin": 5, "end": 5},
        "must be larger than begin=5",
        {"end": 6},
    ),
    ("olmo_core", "wsd", {"warmup": 3}, "is of the run: give t_max", {"t_max": 100}),
    ("olmo_core", "power_lr", {"warmup": 0, "t_max": 20}, "write at least 1 step", {"warmup": 1}),
    (
        "olmo_core",
        "power_lr",
        {"warmup": 1, "t_max": 20, "decay": 20, "decay_fraction": None},
        "write less than t_max=20",
        {"decay": 19},
    ),
    (
        "olmo_core",
        "cos_with_warmup_and_linear_decay",
        {"warmup": 1, "t_max": 20, "decay": 30, "decay_fraction": None},
        "write at most 20",
        {"decay": 20},
    ),
    (
        "olmo_core",
        "wsds",
        {
            "period_lengths": [9, 9],
            "period_lr_multipliers": [1.0],
            "warmup": 1,
            "decay_fraction": 0.1,
        },
        "write one for each of period_lengths",
        {"period_lr_multipliers": [1.0, 0.5]},
    ),
    (
        "olmo_core",
        "composable",
        {"stages": []},
        "write at least one dict",
        {"stages": [{"type": "linear", "duration": 5, "end_lr_fraction": 0.1}]},
    ),
    (
        "olmo_core",
        "sequential",
        {"schedulers": [lehr.constant(1.0), lehr.constant(0.5)]},
        "write one for each scheduler",
        {"schedulers_max": [5]},
    ),
    (
        "optax",
        "warmup_cosine_decay_schedule",
        {"init_value": 0, "peak_value": 1, "warmup_steps": 5, "decay_steps": 5},
        "more than warmup_steps=5",
        {"decay_steps": 6},
    ),
    (
        "optax",
        "sgdr_schedule",
        {"cosine_kwargs": []},
        "write one dict a cycle",
        {
            "cosine_kwargs": [
                {"init_value": 0.0, "peak_value": 1.0, "warmup_steps": 1, "decay_steps": 5}
            ]
        },
    ),
    (
        "optax",
        "join_schedules",
        {"schedules": [], "boundaries": []},
        "write at least one",
        {"schedules": [lehr.constant(0.5)]},
    ),
    (
        "optax",
        "join_schedules",
        {"schedules": [1.0], "boundaries": []},
        "write lehr.constant(0.5), or",
        {"schedules": [lehr.constant(0.5)]},
    ),
    (
        "timm",
        "CosineLRScheduler",
        {"t_initial": 9, "noise_range_t": 3},
        "leave it out",
        {"noise_range_t": None},
    ),
    ("torch", "StepLR", {"optimizer": 1, "step_size": 3}, "leave it out", {"optimizer": ...}),
    ("torch", "StepLR", {}, "step_size is missing", {"step_size": 3}),
    (
        "torch",
        "StepLR",
        {"step_siz": 3},
        "did you mean 'step_size'",
        {"step_siz": ..., "step_size": 3},
    ),
    (
        "torch",
        "SequentialLR",
        {"schedulers": [], "milestones": []},
        "give at least one",
        {"schedulers": [("StepLR", {"step_size": 3})]},
    ),
    (
        "torch",
        "SequentialLR",
        {
            "schedulers": [
                ("ConstantLR", {}),
                ("StepLR", {"step_size": 3}),
                ("StepLR", {"step_size": 3}),
            ],
            "milestones": [5, 3],
        },
        "sort them",
        {"milestones": [3, 5]},
    ),
    (
        "torch",
        "ChainedScheduler",
        {
            "schedulers": [
                ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9}),
                ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 3}),
            ],
            "lr": 0.1,
        },
        "or with faithful=True",
        {"faithful": True},
    ),
    (
        "torch",
        "CyclicLR",
        {"base_lr": 0.1, "max_lr": 1, "step_size_up": 0},
        "write at least 1",
        {"step_size_up": 1},
    ),
    (
        "torch",
        "CyclicLR",
        {"base_lr": 0.1, "max_lr": 1, "scale_mode": "x"},
        "must be 'cycle' or 'iterations'",
        {"scale_mode": "cycle"},
    ),
    (
        "torch",
        "CyclicLR",
        {"base_lr": 0.1, "max_lr": 1, "mode": "x"},
        "or give scale_fn",
        {"scale_fn": abs},
    ),
    (
        "torch",
        "SWALR",
        {"swa_lr": 0.1, "lr": 0.1, "anneal_strategy": "x"},
        "must be 'cos' or 'linear'",
        {"anneal_strategy": "cos"},
    ),
    (
        "transformers",
        "polynomial",
        {"num_warmup_steps": 1, "num_training_steps": 9, "lr": 0.1, "lr_end": 0.2},
        "must be less than lr=0.1",
        {"lr_end": 0.05},
    ),
    (
        "optax",
        "join_schedules",
        {"schedules": [lehr.constant(0.5)], "boundaries": [3]},
        "one less than the 1 schedules",
        {"boundaries": []},
    ),
    (
        "megatron",
        "weight_decay",
        {"start_wd": 0.1, "end_wd": 0.2, "wd_incr_steps": 9},
        "write wd_incr_style='linear' or 'cosine'",
        {"wd_incr_style": "linear"},
    ),
    (
        "fastai",
        "fit_one_cycle",
        {"lr": 0.1, "moms": (0.9, 0.8)},
        "must be three",
        {"moms": (0.9, 0.8, 0.9)},
    ),
    (
        "olmo_core",
        "composable",
        {"stages": [{"type": "linear", "duration": 5}]},
        "give end_lr or end_lr_fraction",
        {"stages": [{"type": "linear", "duration": 5, "end_lr_fraction": 0.1}]},
    ),
    (
        "olmo_core",
        "wsds",
        {"period_lengths": [9, 9], "decay": 30, "decay_fraction": None, "warmup": 1},
        "more than period 0 has: 8",
        {"decay": 8},
    ),
    (
        "olmo_core",
        "wsd",
        {"t_max": 20, "warmup": 2, "decay_fraction": None},
        "decay_fraction=None: give exactly one",
        {"decay": 3},
    ),
    (
        "levanter",
        "linear",
        {"num_train_steps": 10, "cycles": [5, 3]},
        "rising steps, above 0",
        {"cycles": [3, 5]},
    ),
    (
        "levanter",
        "linear",
        {"num_train_steps": 10, "cycles": 2, "cycle_length": 3},
        "give at most one",
        {"cycles": ...},
    ),
    (
        "levanter",
        "cosine",
        {"num_train_steps": 10, "cooldown": 11},
        "at most 10, the run",
        {"cooldown": 10},
    ),
]
"""A refused call, a part of its message, and the arguments that do as it says; `...` leaves out."""


@pytest.mark.parametrize(("library", "name", "given", "advice", "mended"), ROWS)
def test_translate(
    library: str, name: str, given: dict[str, Any], advice: str, mended: dict[str, Any]
) -> None:
    with pytest.raises(ScheduleError, match=re.escape(advice)):
        translate(library, name, **given)
    changed = {key: value for key, value in {**given, **mended}.items() if value is not ...}
    assert isinstance(translate(library, name, **changed).schedule, lehr.Schedule)


def test_objects() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    live = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    with pytest.raises(ScheduleError, match=re.escape("write translate(scheduler) for")):
        translate(torch.optim.lr_scheduler.StepLR)
    with pytest.raises(ScheduleError, match=re.escape("write translate(scheduler) alone")):
        translate(live, step_size=3)
    advice = "write translate('torch', 'StepLR', state=scheduler.state_dict())"
    with pytest.raises(ScheduleError, match=re.escape(advice)):
        translate(live.state_dict())
    assert translate(live) == translate("torch", "StepLR", state=live.state_dict())
    state: Any = 3
    with pytest.raises(ScheduleError, match="is not a saved state; give a dict"):
        translate("torch", "StepLR", state=state)


def test_times_of_composer() -> None:
    with pytest.raises(ScheduleError) as caught:
        translate("composer", "StepScheduler", step_size="5")
    advised = re.findall(r"'([^']+)'", str(caught.value).partition("write ")[2])
    assert len(advised) == 4
    for time in advised:
        run: dict[str, Any] = {"max_duration": "100ep", "dataloader_len": 9}
        translate("composer", "StepScheduler", step_size=time, **run)


@pytest.mark.parametrize("name", ["StepL", "CosineAnneal", "nothing"])
def test_names(name: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        translate("torch", name)
    for advised in re.findall(r"\w+", str(caught.value).partition("write one of ")[2]):
        assert advised in names("torch")


def test_exports() -> None:
    with pytest.raises(ScheduleError) as caught:
        lehr.export(lehr.cosine(), "torhc")
    targets = re.findall(r"\w+", str(caught.value).partition("write one of ")[2])
    assert targets
    for target in targets:
        assert lehr.export(lehr.constant(0.5), target)
    with pytest.raises(ScheduleError, match=re.escape("write .over(1000) first")):
        lehr.export(lehr.cosine(), "torch")
    assert lehr.export(lehr.cosine().over(1000), "torch")


def test_a_function_is_exported_as_the_table_that_is_advised() -> None:
    schedule = lehr.formula(lambda t: 1 / (1 + t), low=0, high=1)
    with pytest.raises(ScheduleError, match=re.escape("lehr.table(schedule.over(1000).values())")):
        lehr.export(schedule, "torch")
    assert lehr.export(lehr.table(schedule.over(1000).values()), "torch")


def test_checks() -> None:
    number: Any = 0.1
    with pytest.raises(ScheduleError, match=re.escape("write lehr.constant(0.1)")):
        lehr.check(number, 100)
    lehr.check(lehr.constant(0.1), 100)
    with pytest.raises(ScheduleError, match="write 100 for steps"):
        lehr.check(lehr.cosine(), 100.0)
    lehr.check(lehr.cosine(), 100)
    with pytest.raises(ScheduleError, match=re.escape("write .over(1000) first")):
        lehr.check(lehr.cosine())
    lehr.check(lehr.cosine().over(1000))
