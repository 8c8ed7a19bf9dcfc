"""fvcore's schedules against their formulas, written here once more."""

from __future__ import annotations

import math
from typing import Any

import pytest
from cases_fvcore import CASES, RUNS
from peer import Case, assert_curve, case_id, sampled, translated

from lehr import ScheduleError
from lehr.translate import names, translate


def formula(case: Case, where: float) -> float:
    name, a = case
    if name == "ConstantParamScheduler":
        return a["value"]
    if name == "CosineParamScheduler":
        low, high = a["end_value"], a["start_value"]
        return low + (high - low) * (1 + math.cos(math.pi * where)) / 2
    if name == "LinearParamScheduler":
        return a["start_value"] + (a["end_value"] - a["start_value"]) * where
    if name == "ExponentialParamScheduler":
        return a["start_value"] * a["decay"] ** where
    if name == "PolynomialDecayParamScheduler":
        return a["base_value"] * (1 - where) ** a["power"]
    if name == "StepWithFixedGammaParamScheduler":
        count = a["num_decays"] + 1
        return a["base_value"] * a["gamma"] ** int((where + 1e-6) * count)
    values = a["values"]
    if name == "StepParamScheduler":
        return values[int((where + 1e-6) * len(values))]
    total, milestones = a.get("num_updates"), a.get("milestones")
    if milestones is None:
        width = math.ceil(total / len(values))
        milestones = [width * i for i in range(1, len(values))]
    if total is None:
        *milestones, total = milestones
    update = int((where + 1e-6) * total)
    return values[sum(update >= milestone for milestone in milestones)]


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_formula(case: Case, run: int) -> None:
    expected = sampled(lambda t: formula(case, t / run), run)
    assert_curve(translated("fvcore", case).over(run), expected)


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("second", ["rescaled", "fixed"])
def test_composite(second: str, run: int) -> None:
    parts = [CASES[3], CASES[1]]
    ours = translate(
        "fvcore",
        "CompositeParamScheduler",
        schedulers=[translate("fvcore", name, **given) for name, given in parts],
        lengths=[0.25, 0.75],
        interval_scaling=["rescaled", second],
    )

    def composite(t: int) -> float:
        where = t / run
        if where < 0.25:
            return formula(parts[0], where / 0.25)
        return formula(parts[1], (where - 0.25) / 0.75 if second == "rescaled" else where)

    assert_curve(ours.schedule.over(run), sampled(composite, run))


def test_every_name() -> None:
    assert {name for name, _ in CASES} | {"CompositeParamScheduler"} == set(names("fvcore"))


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("MultiStepParamScheduler", {"values": [1.0, 0.1]}, "give num_updates or milestones"),
        ("MultiStepParamScheduler", {"values": [1.0, 0.1], "milestones": [9, 3, 5]}, "values"),
        ("MultiStepParamScheduler", {"values": [1.0, 0.1], "milestones": [9, 3]}, "must rise"),
        ("StepParamScheduler", {"num_updates": 0, "values": [1.0]}, "num_updates=0"),
        (
            "CompositeParamScheduler",
            {"schedulers": [], "lengths": [1.0], "interval_scaling": ["fixed"]},
            "one of each",
        ),
    ],
)
def test_refused(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        translate("fvcore", name, **given)
