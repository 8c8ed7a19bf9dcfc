"""transformers' schedules against their formulas, written here once more."""

from __future__ import annotations

import math
from typing import Any

import pytest
from cases_transformers import CASES, LR, RUN, STEPS, WAVES, arguments
from peer import Case, assert_curve, case_id, sampled, translated

from lehr import ScheduleError
from lehr.translate import translate


def wave(p: float, cycles: float, floor: float) -> float:
    return floor + (1 - floor) * (1 + math.cos(2 * math.pi * cycles * p)) / 2


def formula(case: Case, t: int) -> float:
    name, a = case
    rise: int = a.get("num_warmup_steps", 0)
    if name == "constant":
        return 1.0
    if name == "warmup_stable_decay":
        return stable(a, t)
    if name == "cosine_warmup_with_min_lr":
        return counted_from_one(a, t)
    if t < rise:
        return t / rise
    if name == "constant_with_warmup":
        return 1.0
    if name == "inverse_sqrt":
        scale = a.get("timescale") or rise or 10_000
        return 1 / math.sqrt(1 + (t - rise) / scale)
    total: int = a["num_training_steps"]
    p = (t - rise) / max(1, total - rise)
    if name == "linear":
        return max(0.0, 1 - p) if total > rise else 0.0
    if name == "polynomial":
        end = a.get("lr_end", 1e-7) / LR
        # Past the end it asks for no power.
        return end if t > total else end + (1 - end) * (1 - p) ** a.get("power", 1.0)
    if name == "cosine_with_restarts":
        cycles = a.get("num_cycles", 1)
        # In whole steps, so that no rounding error hides a restart.
        part = ((t - rise) * cycles) % (total - rise) / (total - rise)
        return 0.0 if p >= 1 else (1 + math.cos(math.pi * part)) / 2
    return wave(p, a.get("num_cycles", 0.5), floor(a))


def floor(a: dict[str, Any]) -> float:
    return a["min_lr"] / LR if "min_lr" in a else a.get("min_lr_rate", 0.0)


def counted_from_one(a: dict[str, Any], t: int) -> float:
    rise, total, start = a["num_warmup_steps"], a["num_training_steps"], a.get("warmup_lr_rate")
    if t < rise:
        if start is None:
            return (t + 1) / rise
        return start + (1 - start) * t / max(1, rise - 1)
    return wave((t - rise + 1) / (total - rise), a.get("num_cycles", 0.5), floor(a))


def stable(a: dict[str, Any], t: int) -> float:
    rise, fall, least = a["num_warmup_steps"], a["num_decay_steps"], a.get("min_lr_ratio", 0.0)
    begin = a.get("num_training_steps", rise + a.get("num_stable_steps", 0) + fall) - fall
    if t < rise:
        p = t / rise
        up = {
            "linear": p,
            "cosine": (1 - math.cos(math.pi * p)) / 2,
            "1-sqrt": 1 - math.sqrt(1 - p),
        }[a.get("warmup_type", "linear")]
        return least + (1 - least) * up
    if t < begin:
        return 1.0
    if t >= begin + fall:
        return least
    p = (t - begin) / fall
    down = {
        "linear": 1 - p,
        "cosine": wave(p, a.get("num_cycles", 0.5), 0.0),
        "1-sqrt": 1 - math.sqrt(p),
    }[a.get("decay_type", "cosine")]
    return least + (1 - least) * down


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_formula(case: Case) -> None:
    expected = sampled(lambda t: formula(case, t), STEPS)
    assert_curve(translated("transformers", arguments(case)), expected)
    assert translate("transformers", case[0], **arguments(case)[1]).notes == ()


@pytest.mark.parametrize("case", WAVES, ids=case_id)
def test_wave(case: Case) -> None:
    """By default it holds what it ended at; when asked, it follows transformers."""
    name, given = arguments(case)
    expected = sampled(lambda t: formula(case, t), STEPS)
    assert_curve(translate("transformers", name, **given, faithful=True).schedule, expected)
    last = given["num_training_steps"] - (name == "cosine_warmup_with_min_lr")
    held = [*expected[:last], *[expected[last]] * (STEPS - last)]
    right = translate("transformers", name, **given)
    assert_curve(right.schedule, held)
    assert len(right.notes) == 1
    assert translate("transformers", name, **given, faithful=True).notes == ()


def test_every_name_of_get_scheduler() -> None:
    from lehr.translate import names

    others = {"reduce_lr_on_plateau", "greedy", "get_scheduler"}
    assert {name for name, _ in CASES + WAVES} | others == set(names("transformers"))


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("polynomial", RUN, "lr is missing"),
        ("polynomial", {**RUN, "lr": 1e-3, "lr_end": 1e-2}, "lr_end=0.01 must be less"),
        ("cosine_with_min_lr", RUN, "give one of them"),
        ("cosine_with_min_lr", {**RUN, "min_lr": 1e-4}, "lr=0.1"),
        ("warmup_stable_decay", {"num_warmup_steps": 1, "num_decay_steps": 1}, "num_stable_steps"),
        (
            "warmup_stable_decay",
            {**RUN, "num_decay_steps": 1, "decay_type": "cubic"},
            "decay_type='cubic' is unknown",
        ),
        ("reduce_lr_on_plateau", {"patience": 3}, r"lehr.plateau\(.*patience=3"),
        ("greedy", {"lr": 0.5}, r"lehr.greedy\(.*floor=0.002, ceiling=2.0, eps=2e-08\)"),
        ("linear", {"num_warmup_steps": -1, "num_training_steps": 10}, "num_warmup_steps=-1"),
    ],
)
def test_refused(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        translate("transformers", name, **given)
