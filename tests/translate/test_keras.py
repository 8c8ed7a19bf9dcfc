"""keras' schedules against their formulas, written here once more."""

from __future__ import annotations

import math
from typing import Any

import pytest
from cases_keras import CASES, MISSED, STEPS
from peer import Case, assert_curve, case_id, sampled, translated

from lehr import ScheduleError
from lehr.translate import names, translate


def formula(case: Case, t: int) -> float:
    name, a = case
    if name == "PiecewiseConstantDecay":
        # A boundary still has the value before it.
        return a["values"][sum(t > boundary for boundary in a["boundaries"])]
    rate, length, alpha = a["initial_learning_rate"], a.get("decay_steps"), a.get("alpha", 0.0)
    if name == "CosineDecay":
        target = a.get("warmup_target")
        rise = 0 if target is None else a["warmup_steps"]
        top = rate if target is None else target
        if t < rise:
            return rate + (top - rate) * t / rise
        p = min((t - rise) / length, 1)
        return top * ((1 - alpha) * (1 + math.cos(math.pi * p)) / 2 + alpha)
    if name == "CosineDecayRestarts":
        begin, size, cycle = 0, a["first_decay_steps"], 0
        while t >= begin + size:
            begin, size, cycle = begin + size, int(size * a.get("t_mul", 2.0)), cycle + 1
        wave = (1 + math.cos(math.pi * (t - begin) / size)) / 2
        return rate * ((1 - alpha) * a.get("m_mul", 1.0) ** cycle * wave + alpha)
    if name == "PolynomialDecay":
        end = a.get("end_learning_rate", 1e-4)
        p = t / (length * max(math.ceil(t / length), 1)) if a.get("cycle") else min(t / length, 1)
        return (rate - end) * (1 - p) ** a.get("power", 1.0) + end
    p = t / length
    p = math.floor(p) if a.get("staircase") else p
    if name == "ExponentialDecay":
        return rate * a["decay_rate"] ** p
    return rate / (1 + a["decay_rate"] * p)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_formula(case: Case) -> None:
    assert_curve(translated("keras", case), sampled(lambda t: formula(case, t), STEPS))
    name, given = case
    assert translate("keras", name, **given).absolute


def test_missed_restart() -> None:
    """On some backends keras does not see the cycle begin at step 25; this does, and says so."""
    name, given = MISSED
    lengths = [10, 15, 22.5, 33.75]

    def rate(t: float) -> float:
        for length in lengths:
            if t < length:
                return 0.1 * (1 + math.cos(math.pi * t / length)) / 2
            t -= length
        raise AssertionError

    expected = sampled(rate, 81)
    right = translate("keras", name, **given)
    assert_curve(right.schedule, expected)
    assert "with 32 bits" in right.notes[0]


def test_every_name() -> None:
    assert {name for name, _ in CASES} == set(names("keras"))


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 0}, "decay_steps=0"),
        ("PiecewiseConstantDecay", {"boundaries": [1], "values": [1.0]}, "one value more"),
        ("PiecewiseConstantDecay", {"boundaries": [2, 1], "values": [1.0] * 3}, "rising order"),
    ],
)
def test_refused(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        translate("keras", name, **given)
