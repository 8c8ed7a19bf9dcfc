"""composer's schedules against their formulas, written here once more."""

from __future__ import annotations

import math
from typing import Any

import pytest
from cases_composer import CASES, SCALED, STEPS
from peer import Case, assert_curve, case_id, sampled, translated

from lehr import ScheduleError
from lehr.translate import names, translate

TOKENS = {"t_warmup": "100tok", "max_duration": "1000tok"}


def batches(a: dict[str, Any], time: str, ratio: float) -> int:
    """Return a time in batches, as composer cuts it."""
    per = a.get("dataloader_len", 1)
    if time.endswith("dur"):
        run = int(a["max_duration"].rstrip("epba"))
        return int(float(time[:-3]) * (per if a["max_duration"].endswith("ep") else 1) * run)
    count = int(time[:-2]) * (per if time.endswith("ep") else 1)
    return int(count * ratio)


def formula(case: Case, t: int, *, scaled: bool = True) -> float:
    name, a = case
    ratio = a.get("ssr", 1.0)

    def at(key: str, default: str = "1dur") -> int:
        return batches(a, a.get(key, default), ratio)

    def falls() -> float:
        times = [batches(a, milestone, ratio) for milestone in a["milestones"]]
        return a.get("gamma", 0.1) ** sum(t >= time for time in times)

    end, first = a.get("alpha_f", 0.0), a.get("alpha_i", a.get("alpha", 1.0))
    if "WithWarmup" in name:
        rise = batches(a, a["t_warmup"], 1.0)
        slope = batches(a, a["t_warmup"], ratio) if a.get("scale_warmup") else rise
        rise = slope if scaled else rise
        if t < rise:
            return first * min(t / slope, 1)
        if name.startswith("MultiStep"):
            return falls()
        left = at("t_max") - rise
        p = min((t - rise) / left, 1) if left > 0 else 0.0
    elif name == "StepScheduler":
        return a.get("gamma", 0.1) ** (t // at("step_size"))
    elif name == "MultiStepScheduler":
        return falls()
    elif name == "ConstantScheduler":
        return first if t < at("t_max") else 1.0
    elif name == "ExponentialScheduler":
        return a["gamma"] ** (t / at("decay_period", "1ep"))
    elif "Restarts" in name:
        begin, size = 0, at("t_0")
        while t >= begin + size:
            begin, size = begin + size, int(size * a.get("t_mult", 1.0))
        p = (t - begin) / size
    else:
        p = min(t / at("t_max"), 1)
    if name.startswith("Constant"):
        return first
    if name.startswith("Linear"):
        return first + (end - first) * p
    if name.startswith("Cosine"):
        return end + (1 - end) * (1 + math.cos(math.pi * p)) / 2
    return end + (1 - end) * (1 - p) ** a.get("power", 2.0)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_formula(case: Case) -> None:
    assert_curve(translated("composer", case), sampled(lambda t: formula(case, t), STEPS))


@pytest.mark.parametrize("case", SCALED, ids=case_id)
def test_scaled_warmup(case: Case) -> None:
    """composer scales only the slope of a warmup, not its length; by default both are scaled."""
    name, given = case
    right = translate("composer", name, **given)
    assert_curve(right.schedule, sampled(lambda t: formula(case, t), STEPS))
    assert "scales the slope" in right.notes[0]
    faithful = translate("composer", name, **given, faithful=True)
    assert_curve(faithful.schedule, sampled(lambda t: formula(case, t, scaled=False), STEPS))
    assert faithful.notes == ()


def test_tokens() -> None:
    t = translate("composer", "CosineAnnealingWithWarmupScheduler", **TOKENS)
    assert t.schedule(100) == 1
    assert t.schedule(550) == pytest.approx(0.5)
    assert t.notes == ("a step of the schedule is one of its tokens",)


def test_the_trainer_s_ratio_scales_its_run() -> None:
    given = {"t_warmup": "20ba", "t_max": "0.5dur"}
    name = "CosineAnnealingWithWarmupScheduler"
    state = translate("composer", name, **given, max_duration="400ba", ssr=0.8)
    trainer = translate("composer", name, **given, max_duration="500ba", scale_schedule_ratio=0.8)
    assert trainer.schedule == state.schedule
    assert trainer.notes == ()
    assert trainer.schedule(200) == 0
    with pytest.raises(ScheduleError, match=r"ssr=0\.8, scale_schedule_ratio=0\.8: give one"):
        translate("composer", name, **given, max_duration="9ba", ssr=0.8, scale_schedule_ratio=0.8)
    with pytest.raises(ScheduleError, match="leaves nothing of max_duration='1ba'"):
        translate(
            "composer",
            "LinearScheduler",
            max_duration="1ba",
            scale_schedule_ratio=0.8,
        )


def test_every_name() -> None:
    assert {name for name, _ in CASES} == set(names("composer"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"t_max": "1dur"}, "give max_duration"),
        ({"t_max": "2ep"}, "give dataloader_len"),
        ({"t_max": "1dur", "max_duration": "3ep"}, "give dataloader_len"),
        ({"t_max": "30sec"}, "t_max='30sec' is not a time"),
        ({"t_max": "100"}, "t_max='100' is not a time"),
        ({"t_max": "0.5ep"}, "only whole numbers of 'ep'"),
    ],
)
def test_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        translate("composer", "LinearScheduler", **given)


def test_two_units() -> None:
    with pytest.raises(ScheduleError, match="different units"):
        translate("composer", "CosineAnnealingWithWarmupScheduler", **TOKENS | {"t_max": "9ba"})
