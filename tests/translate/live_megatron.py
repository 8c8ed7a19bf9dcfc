"""Megatron's scheduler against Megatron itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from bare import module
from cases_megatron import CASES, DECAY, STEPS
from peer import LIVE, assert_curve

from lehr.translate import translate

megatron = module("megatron.core.optimizer_param_scheduler")
STILL = {"start_wd": 0.0, "end_wd": 0.0, "wd_incr_steps": 1, "wd_incr_style": "constant"}
RATE = {
    "init_lr": 0.0,
    "max_lr": 0.1,
    "min_lr": 0.0,
    "lr_warmup_steps": 0,
    "lr_decay_steps": 10,
    "lr_decay_style": "constant",
}


def live(given: dict[str, Any], key: str) -> list[float]:
    own = {"init_lr": 0.0, "lr_warmup_steps": 0, **given}
    increment = own.pop("increment", 1)
    optimizer: Any = SimpleNamespace(param_groups=[{}])
    scheduler = megatron.OptimizerParamScheduler(optimizer, **own)
    values: list[float] = []
    for _ in range(STEPS):
        values.append(optimizer.param_groups[0][key])
        scheduler.step(increment)
    return values


@pytest.mark.parametrize("given", CASES)
def test_live(given: dict[str, Any]) -> None:
    ours = translate("megatron", "OptimizerParamScheduler", **given)
    assert_curve(ours.schedule, live({**STILL, **given}, "lr"), LIVE)
    style = given["lr_decay_style"]
    rest = {key: value for key, value in given.items() if key != "lr_decay_style"}
    assert translate("megatron", style, **rest) == ours


@pytest.mark.parametrize("given", DECAY)
def test_live_weight_decay(given: dict[str, Any]) -> None:
    ours = translate("megatron", "weight_decay", **given)
    assert_curve(ours.schedule, live({**RATE, **given}, "weight_decay"), LIVE)
