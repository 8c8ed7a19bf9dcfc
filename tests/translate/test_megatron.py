"""Megatron's schedule against its formula, written here once more."""

from __future__ import annotations

import math
from typing import Any

import pytest
from cases_megatron import CASES, DECAY, STEPS
from peer import assert_curve, sampled

from lehr import ScheduleError
from lehr.translate import names, translate


def formula(a: dict[str, Any], t: int) -> float:
    n = t * a.get("increment", 1)
    high, low, total = a["max_lr"], a["min_lr"], a["lr_decay_steps"]
    rise, style = a.get("lr_warmup_steps", 0), a["lr_decay_style"]
    if rise and n <= rise:
        return a["init_lr"] + (high - a["init_lr"]) * n / rise
    if style == "constant":
        return high
    if n > total:
        return low
    if style == "inverse-square-root":
        return max(low, high * math.sqrt(max(rise, 1) / max(n, 1)))
    p = (n - rise) / (total - rise)
    if style == "WSD":
        p = max(0.0, (n - total + a["wsd_decay_steps"]) / max(a["wsd_decay_steps"], 1))
        style = a["lr_wsd_decay_style"]
    left = {
        "linear": 1 - p,
        "cosine": (1 + math.cos(math.pi * p)) / 2,
        "exponential": 2 * 0.5**p - 1,
        "minus_sqrt": 1 - math.sqrt(p),
    }[style]
    return low + (high - low) * left


@pytest.mark.parametrize("given", CASES)
def test_formula(given: dict[str, Any]) -> None:
    expected = sampled(lambda t: formula(given, t), STEPS)
    ours = translate("megatron", "OptimizerParamScheduler", **given)
    assert ours.absolute
    assert_curve(ours.schedule, expected)
    rest = {key: value for key, value in given.items() if key != "lr_decay_style"}
    assert translate("megatron", given["lr_decay_style"], **rest) == ours


@pytest.mark.parametrize("given", DECAY)
def test_weight_decay(given: dict[str, Any]) -> None:
    start, end = given["start_wd"], given["end_wd"]

    def weight(t: int) -> float:
        p = min(t / given["wd_incr_steps"], 1)
        if given["wd_incr_style"] == "cosine":
            p = (1 - math.cos(math.pi * p)) / 2
        return start + (end - start) * p

    assert_curve(translate("megatron", "weight_decay", **given).schedule, sampled(weight, STEPS))


def test_every_name() -> None:
    styles = {given["lr_decay_style"] for given in CASES}
    assert styles | {"OptimizerParamScheduler", "weight_decay"} == set(names("megatron"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lr_decay_style": "sqrt"}, "lr_decay_style='sqrt' is unknown"),
        ({"lr_decay_style": "WSD"}, "wsd_decay_steps is missing"),
        ({"lr_decay_style": "linear", "lr_warmup_steps": 100}, "must be less than"),
        ({"lr_decay_style": "linear", "min_lr": 1.0}, "max_lr=0.1 must be at least 1"),
    ],
)
def test_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        translate("megatron", "OptimizerParamScheduler", max_lr=0.1, lr_decay_steps=100, **given)
