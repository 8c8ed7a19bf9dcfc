"""DeepSpeed's schedules against their formulas, written here once more."""

from __future__ import annotations

import math
from typing import Any

import pytest
from cases_deepspeed import CASES, LR, STEPS
from peer import Case, assert_curve, case_id, sampled

from lehr import ScheduleError
from lehr.translate import Translation, names, translate


def rise(a: dict[str, Any], b: int) -> float | None:
    """Return the share of the warmup at DeepSpeed's step b, or None after it."""
    count = max(2, a["warmup_num_steps"])
    if b >= count:
        return None
    if a.get("warmup_type", "log") == "log":
        return math.log(b + 1) / math.log(count)
    return b / count


def height(a: dict[str, Any], t: int) -> float:
    """Return the share of the cycle's height at update t."""
    first = a["cycle_first_step_size"]
    second = a.get("cycle_second_step_size", first)
    stairs = a.get("cycle_first_stair_count", 0)
    if t <= first:
        return math.floor(t * stairs / first) / stairs if stairs else t / first
    back = a.get("cycle_second_stair_count", stairs)
    left = first + second - t
    if left <= 0:
        return 0.0
    return (left * back // second) / back if back else left / second


def after(a: dict[str, Any], t: int) -> float:
    first = a["cycle_first_step_size"]
    return max(0, t - first - a.get("cycle_second_step_size", first))


def formula(case: Case, t: int) -> float:
    name, a = case
    if name == "LRRangeTest":
        done = t / a["lr_range_test_step_size"]
        done = math.floor(done) if a.get("lr_range_test_staircase") else done
        return 1e-3 * (1 + a.get("lr_range_test_step_rate", 1.0) * done)
    if name == "OneCycle":
        low, high = a["cycle_min_lr"], a["cycle_max_lr"]
        over = after(a, t)
        if over and a.get("decay_step_size"):
            return low / (1 + a.get("decay_lr_rate", 0.0) * over / a["decay_step_size"])
        return low + (high - low) * height(a, t)
    # The first update comes before DeepSpeed's step 0.
    low = a.get("warmup_min_lr", 0.0)
    if t == 0:
        return low
    share = rise(a, t - 1)
    if name == "WarmupCosineLR":
        least, end = a.get("warmup_min_ratio", 0.0), a.get("cos_min_ratio", 0.0001)
        if share is not None:
            return least + (1 - least) * share
        p = min(1, (t - a["warmup_num_steps"]) / (a["total_num_steps"] - a["warmup_num_steps"]))
        return end + (1 - end) * (1 + math.cos(math.pi * p)) / 2
    high = a.get("warmup_max_lr", LR if name == "WarmupLR" else 0.001)
    if share is None:
        share = 1.0
        if name == "WarmupDecayLR":
            total = a["total_num_steps"]
            share = max(0.0, (total - t + 1) / max(1, total - a["warmup_num_steps"]))
    return low + (high - low) * share


def ours(case: Case, **more: Any) -> Translation:
    name, given = case
    return translate(
        "deepspeed", name, **given, **({"lr": LR} if name == "WarmupLR" else {}), **more
    )


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_formula(case: Case) -> None:
    assert_curve(ours(case).schedule, sampled(lambda t: formula(case, t), STEPS))
    assert ours(case).absolute == (case[0] != "WarmupCosineLR")


@pytest.mark.parametrize("case", [case for case in CASES if case[0] == "OneCycle"], ids=case_id)
def test_momentum(case: Case) -> None:
    _, a = case
    if a.get("cycle_momentum") is False:
        assert ours(case).momentum is None
        return

    def momentum(t: int) -> float:
        rate = a.get("decay_mom_rate", 0.0) / (a.get("decay_step_size") or 1)
        return (0.9 - 0.1 * height(a, t)) * (1 + rate * after(a, t))

    expected = sampled(momentum, STEPS)
    right, faithful = ours(case), ours(case, faithful=True)
    assert right.momentum is not None
    assert faithful.momentum is not None
    assert_curve(right.momentum, expected)
    assert "lowest momentum" in right.notes[0]
    assert_curve(faithful.momentum, [0.8, *expected[1:]])
    assert faithful.notes == ()


def test_every_name() -> None:
    assert {name for name, _ in CASES} == set(names("deepspeed"))


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("WarmupLR", {}, "give it, or lr"),
        ("WarmupLR", {"lr": 0.1, "warmup_num_steps": 0}, "warmup_num_steps=0"),
        ("WarmupLR", {"lr": 0.1, "warmup_type": "cosine"}, "warmup_type='cosine' is unknown"),
    ],
)
def test_refused(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        translate("deepspeed", name, **given)
