"""optax' schedules against their formulas, written here once more."""

from __future__ import annotations

import math
from typing import Any

import pytest
from cases_optax import CASES, STEPS
from peer import Case, assert_curve, case_id, sampled, translated

from lehr import ScheduleError
from lehr.translate import names, translate


def polynomial(a: dict[str, Any], t: float) -> float:
    length = a["transition_steps"]
    if length <= 0:
        return a["init_value"]
    done = min(max(t - max(a.get("transition_begin", 0), 0), 0), length)
    power = a.get("power", 1)
    return (a["init_value"] - a["end_value"]) * (1 - done / length) ** power + a["end_value"]


def cosine(a: dict[str, Any], t: float) -> float:
    wave = (1 + math.cos(math.pi * min(t / a["decay_steps"], 1))) / 2
    alpha = a.get("alpha", 0.0)
    return a["init_value"] * ((1 - alpha) * wave ** a.get("exponent", 1.0) + alpha)


def exponential(a: dict[str, Any], t: float) -> float:
    done = t - max(a.get("transition_begin", 0), 0)
    rate = a["decay_rate"]
    if a["transition_steps"] <= 0 or rate == 0:
        return a["init_value"]
    share = done / a["transition_steps"]
    value = a["init_value"]
    if done > 0:
        value *= rate ** (math.floor(share) if a.get("staircase") else share)
    end = a.get("end_value")
    if end is None:
        return value
    return max(value, end) if rate < 1 else min(value, end)


def interpolated(kind: str, first: float, scales: dict[int, float], t: int) -> float:
    begin, low = 0, first
    for boundary, scale in sorted(scales.items()):
        high = low * scale
        if begin <= t < boundary:
            p = (t - begin) / (boundary - begin)
            p = p if kind == "linear" else (1 - math.cos(math.pi * p)) / 2
            return low + (high - low) * p
        begin, low = boundary, high
    return low


def warmed(a: dict[str, Any], t: int, after: Any) -> float:
    rise = a["warmup_steps"]
    if t < rise:
        return a["init_value"] + (a["peak_value"] - a["init_value"]) * t / rise
    return after(t - rise)


def warm_cosine(a: dict[str, Any], t: int) -> float:
    decay = {
        "init_value": a["peak_value"],
        "decay_steps": a["decay_steps"] - a["warmup_steps"],
        "alpha": a.get("end_value", 0.0) / a["peak_value"],
        "exponent": a.get("exponent", 1.0),
    }
    return warmed(a, t, lambda left: cosine(decay, left))


def formula(case: Case, t: int) -> float:
    name, a = case
    if name == "constant_schedule":
        return a["value"]
    if name in ("polynomial_schedule", "linear_schedule"):
        return polynomial(a, t)
    if name == "cosine_decay_schedule":
        return cosine(a, t)
    if name == "exponential_decay":
        return exponential(a, t)
    if name == "piecewise_constant_schedule":
        scales = a.get("boundaries_and_scales", {})
        passed = [scale for boundary, scale in scales.items() if t >= boundary]
        return a["init_value"] * math.prod(passed)
    if name == "piecewise_interpolate_schedule":
        return interpolated(a["interpolate_type"], a["init_value"], a["boundaries_and_scales"], t)
    if name.endswith("onecycle_schedule"):
        total, div, final = a["transition_steps"], a.get("div_factor", 25.0), 1e4
        final = a.get("final_div_factor", final)
        turn = int(a.get("pct_start", 0.3) * total)
        scales = {turn: div}
        if name.startswith("linear"):
            scales[int(a.get("pct_final", 0.85) * total)] = 1 / div
            scales[total] = 1 / final
        else:
            scales[total] = 1 / (div * final)
        return interpolated(name.partition("_")[0], a["peak_value"] / div, scales, t)
    if name == "warmup_constant_schedule":
        return warmed(a, t, lambda left: a["peak_value"])
    if name == "warmup_cosine_decay_schedule":
        return warm_cosine(a, t)
    if name == "warmup_exponential_decay_schedule":
        return warmed(a, t, lambda left: exponential({**a, "init_value": a["peak_value"]}, left))
    for cycle in a["cosine_kwargs"][:-1]:
        if t < cycle["decay_steps"]:
            return warm_cosine(cycle, t)
        t -= cycle["decay_steps"]
    return warm_cosine(a["cosine_kwargs"][-1], t)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_formula(case: Case) -> None:
    assert_curve(translated("optax", case), sampled(lambda t: formula(case, t), STEPS))
    name, given = case
    assert translate("optax", name, **given).absolute


def test_join() -> None:
    """Each part has its own time, and holds where its turn lasts longer than itself."""
    parts, boundaries = [CASES[1], CASES[12], CASES[16]], [70, 90]
    ours = translate(
        "optax",
        "join_schedules",
        schedules=[translate("optax", name, **given) for name, given in parts],
        boundaries=boundaries,
    )

    def joined(t: int) -> float:
        turn = sum(t >= boundary for boundary in boundaries)
        return formula(parts[turn], t - [0, *boundaries][turn])

    assert_curve(ours.schedule, sampled(joined, STEPS))


def test_warmup_of_no_steps() -> None:
    given = {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 0}
    right = translate("optax", "warmup_constant_schedule", **given)
    assert right.schedule(0) == 0.1
    assert "stays at init_value" in right.notes[0]
    faithful = translate("optax", "warmup_constant_schedule", **given, faithful=True)
    assert faithful.schedule(99) == 0.0


def test_every_name() -> None:
    assert {name for name, _ in CASES} | {"join_schedules"} == set(names("optax"))


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("cosine_decay_schedule", {"init_value": 1.0, "decay_steps": 0}, "decay_steps=0"),
        (
            "warmup_cosine_decay_schedule",
            {"init_value": 0.0, "peak_value": 1.0, "warmup_steps": 9, "decay_steps": 9},
            "includes the warmup",
        ),
        ("sgdr_schedule", {"cosine_kwargs": []}, "empty"),
        ("join_schedules", {"schedules": [1.0], "boundaries": []}, "neither a schedule"),
    ],
)
def test_refused(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        translate("optax", name, **given)
