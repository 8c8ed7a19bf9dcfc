"""timm's schedules against their formulas, written here once more."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from cases_timm import CASES, LR, MISSED, MISSED_END, STEPS, arguments
from peer import Case, assert_curve, case_id, sampled, translated

from lehr import ScheduleError
from lehr.translate import names, translate


def warm(a: dict[str, Any], t: int, target: float = 1.0) -> float:
    start = a.get("warmup_lr_init", 0.0) / LR
    return start + (target - start) * t / a["warmup_t"]


def position(a: dict[str, Any], t: int) -> tuple[int, float]:
    """Return the cycle and the share of it that is over, by exact addition of lengths."""
    begin, length = Fraction(0), Fraction(a["t_initial"])
    growth = Fraction(a.get("cycle_mul", 1.0))
    cycle, limit = 0, a.get("cycle_limit", 1)
    while cycle < limit and t >= begin + length:
        begin, length, cycle = begin + length, length * growth, cycle + 1
    return cycle, float((t - begin) / length)


def cyclic(name: str, a: dict[str, Any], t: int) -> float:
    rise = a.get("warmup_t", 0)
    before = a.get("warmup_prefix", False)
    if t < rise:
        over = name == "TanhLRScheduler" and not before
        return warm(a, t, cyclic(name, {**a, "warmup_t": 0}, rise) if over else 1.0)
    cycle, p = position(a, t - rise if before else t)
    floor = a.get("lr_min", 0.0) / LR
    if cycle >= a.get("cycle_limit", 1):
        return floor
    height = a.get("cycle_decay", 1.0) ** cycle - floor
    k = a.get("k_decay", 1.0)
    if name == "CosineLRScheduler":
        return floor + height * (1 + math.cos(math.pi * p**k)) / 2
    if name == "PolyLRScheduler":
        return floor + height * (1 - p**k) ** a.get("power", 0.5)
    low, high = a.get("lb", -7.0), a.get("ub", 3.0)
    return floor + height * (1 - math.tanh(low * (1 - p) + high * p)) / 2


def stepped(name: str, a: dict[str, Any], t: int) -> float:
    rise = a.get("warmup_t", 0)
    if t < rise:
        return warm(a, t)
    if a.get("warmup_prefix", True):
        t -= rise
    if name == "StepLRScheduler":
        return a.get("decay_rate", 1.0) ** (t // a["decay_t"])
    return a.get("decay_rate", 1.0) ** sum(t + 1 >= milestone for milestone in a["decay_t"])


def wsd(a: dict[str, Any], t: int) -> float:
    rise = a.get("warmup_t", 0)
    if t < rise:
        return warm(a, t)
    t -= rise
    floor = a.get("lr_min", 0.0) / LR
    stable = 1.0
    if a.get("stable_fn", "constant") != "constant":
        power = 0.5 if a["stable_fn"] == "rsqrt" else a["stable_power"]
        stable = max((1 + t / (a.get("stable_timescale") or rise)) ** -power, floor)
    p = min(max(t - (a["t_initial"] - a["decay_t"]), 0) / a["decay_t"], 1.0)
    kind = a.get("decay_fn", "1-sqrt")
    if callable(kind):
        left = kind(p)
    else:
        left = {
            "linear": 1 - p,
            "1-sqrt": 1 - math.sqrt(p),
            "cosine": (1 + math.cos(math.pi * p)) / 2,
            "power": 1 - p ** a.get("decay_power", 0.5),
            "exp": (0.1**p - 0.1) / 0.9,
        }[kind]
    return floor + (stable - floor) * left


def classed(case: Case) -> Case:
    """Return the class that the factory makes, and its arguments."""
    name, a = case
    if name.endswith("Scheduler"):
        return case
    per = a.get("updates_per_epoch", 1)
    total, rise = a.get("num_epochs", 300) * per, a.get("warmup_epochs", 0) * per
    common = {
        "warmup_t": rise,
        "warmup_lr_init": 1e-5,
        "warmup_prefix": a.get("warmup_prefix", False),
    }
    if name in ("wsd", "rsqrt"):
        left = total if a.get("warmup_prefix") else total - rise
        part = a.get("decay_epochs", 0.2)
        rest: dict[str, Any] = {"stable_fn": "rsqrt"} if name == "rsqrt" else {}
        if "stable_timescale" in a:
            rest["stable_timescale"] = a["stable_timescale"] * per
        return "WSDLRScheduler", {
            **common,
            "t_initial": left,
            "decay_t": round(part * left if part < 1 else part * per),
            "lr_min": a.get("min_lr", 0.0),
            "decay_fn": a.get("decay_fn", "linear" if name == "rsqrt" else "1-sqrt"),
            **rest,
        }
    rate = a.get("decay_rate", 0.1)
    if name == "constant":
        return "StepLRScheduler", {**common, "decay_t": 1}
    if name == "step":
        return "StepLRScheduler", {
            **common,
            "decay_t": a.get("decay_epochs", 90) * per,
            "decay_rate": rate,
        }
    if name == "multistep":
        falls = [milestone * per for milestone in a.get("decay_milestones", [90, 180, 270])]
        return "MultiStepLRScheduler", {**common, "decay_t": falls, "decay_rate": rate}
    given = {
        **common,
        "t_initial": total,
        "lr_min": a.get("min_lr", 0.0),
        "cycle_decay": 0.1,
        "cycle_limit": a.get("cycle_limit", 1),
        "k_decay": a.get("k_decay", 1.0),
        "power": rate,
    }
    return {"cosine": "Cosine", "tanh": "Tanh", "poly": "Poly"}[name] + "LRScheduler", given


def formula(case: Case, t: int) -> float:
    if case[0] == "none":
        return 1.0
    name, a = classed(case)
    if name == "WSDLRScheduler":
        return wsd(a, t)
    return stepped(name, a, t) if "Step" in name else cyclic(name, a, t)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_formula(case: Case) -> None:
    expected = sampled(lambda t: formula(case, t), STEPS)
    assert_curve(translated("timm", arguments(case)), expected)


def test_missed_restart() -> None:
    """timm's logarithm does not see the cycle begin at step 1210; only faithful misses it too."""
    name, given = arguments(MISSED)
    expected = sampled(lambda t: formula(MISSED, t), 3700)
    right = translate("timm", name, **given)
    assert_curve(right.schedule, expected)
    assert "1210" in right.notes[0]
    faithful = translate("timm", name, **given, faithful=True)
    assert faithful.notes == ()
    expected[1210] = 0.0
    assert_curve(faithful.schedule, expected)


def test_missed_end() -> None:
    name, given = arguments(MISSED_END)
    expected = sampled(lambda t: formula(MISSED_END, t), 260)
    assert expected[242] == 0
    assert_curve(translate("timm", name, **given).schedule, expected)
    expected[242] = (1 - math.tanh(3)) / 2
    assert_curve(translate("timm", name, **given, faithful=True).schedule, expected)


def test_factors_need_no_rate() -> None:
    s = translate("timm", "CosineLRScheduler", t_initial=100).schedule
    assert s(50) == pytest.approx(0.5)


def test_every_name_of_the_factory() -> None:
    factory = {"cosine", "tanh", "step", "constant", "multistep", "poly", "wsd", "rsqrt", "none"}
    assert factory <= set(names("timm"))
    others = {"plateau", "PlateauLRScheduler", "create_scheduler_v2"}
    assert {name for name, _ in CASES} | others == set(names("timm"))


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("CosineLRScheduler", {"t_initial": 10, "lr_min": 1e-3}, "lr_min=0.001 is a rate"),
        ("cosine", {"warmup_epochs": 3}, "warmup_lr_init=1e-05 is a rate"),
        ("cosine", {"noise": 0.5}, "random"),
        ("cosine", {"step_on_epochs": False}, "updates_per_epoch=0"),
        ("WSDLRScheduler", {"t_initial": 10, "decay_t": 11}, "decay_t=11"),
        ("WSDLRScheduler", {"t_initial": 10, "decay_t": 5, "decay_fn": "x"}, "decay_fn='x'"),
        ("plateau", {"patience_epochs": 5}, "lehr.plateau.mode='max', factor=0.1, patience=5"),
        ("PlateauLRScheduler", {"lr_min": 0.1, "lr": 0.2}, "floor=0.5"),
    ],
)
def test_refused(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        translate("timm", name, **given)
