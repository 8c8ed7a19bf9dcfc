"""mmengine's schedules against their formulas, written here once more."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from cases_mmengine import CASES, LISTS, LR, STEPS, WAVES
from peer import Case, assert_curve, case_id, sampled

from lehr import ScheduleError
from lehr.translate import Translation, names, translate


def one_cycle(a: dict[str, Any], n: int) -> float:
    total, pct = a.get("total_steps", a["end"]), a.get("pct_start", 0.3)
    high = a["eta_max"]
    first = high / a.get("div_factor", 25.0)
    points = [(0.0, first), (pct * total - 1, high)]
    if a.get("three_phase"):
        points.append((2 * pct * total - 2, first))
    points.append((total - 1, first / a.get("final_div_factor", 1e4)))
    for (begin, low), (end, to) in itertools.pairwise(points):
        if n <= end:
            p = (n - begin) / (end - begin)
            if a.get("anneal_strategy", "cos") == "cos":
                p = (1 - math.cos(math.pi * p)) / 2
            return low + (to - low) * p
    return points[-1][1]


def formula(name: str, a: dict[str, Any], t: int) -> float:
    per = a.get("epoch_length", 1)
    begin, end = a.get("begin", 0) * per, a.get("end", 10**9) * per
    if t < begin:
        return 1.0
    # After the window the rate stays where its last step was.
    n, last = min(t, end - 1) - begin, end - begin - 1
    if name == "StepLR":
        return a.get("gamma", 0.1) ** (n // (a["step_size"] * per))
    if name == "MultiStepLR":
        return a.get("gamma", 0.1) ** sum(n >= m * per for m in a["milestones"])
    if name == "ConstantLR":
        return a["factor"] if n < last or last == 0 else 1.0
    if name == "ExponentialLR":
        return a["gamma"] ** n
    if name == "LinearLR":
        start, to = a.get("start_factor", 1 / 3), a.get("end_factor", 1.0)
        return start + (to - start) * n / last
    if name == "OneCycleLR":
        return one_cycle(a, n)
    low = a.get("eta_min_ratio", a.get("eta_min", 0.0) / LR)
    if name == "PolyLR":
        return low + (1 - low) * (1 - n / last) ** a.get("power", 1.0)
    if name == "CosineAnnealingLR":
        length = a["T_max"] * per if "T_max" in a else last + 1
        return low + (1 - low) * (1 + math.cos(math.pi * n / length)) / 2
    n = min(n, sum(a["periods"]) - 1)
    for period, weight in zip(a["periods"], a["restart_weights"], strict=True):
        if n < period:
            return low + (weight - low) * (1 + math.cos(math.pi * n / period)) / 2
        n -= period
    raise AssertionError


def ours(case: Case, **more: Any) -> Translation:
    name, given = case
    return translate(
        "mmengine", name, **given, **({"lr": LR} if "eta_min" in given else {}), **more
    )


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_formula(case: Case) -> None:
    expected = sampled(lambda t: formula(*case, t), STEPS)
    assert_curve(ours(case).schedule, expected)
    assert ours(case).notes == ()
    assert ours(case).absolute == (case[0] == "OneCycleLR")


@pytest.mark.parametrize("case", WAVES, ids=case_id)
def test_wave(case: Case) -> None:
    name, given = case
    expected = sampled(lambda t: formula(name, given, t), STEPS)
    assert_curve(ours(case, faithful=True).schedule, expected)
    turn = given.get("begin", 0) + given["T_max"]
    assert_curve(ours(case).schedule, [*expected[:turn], *[expected[turn]] * (STEPS - turn)])
    assert "follows the cosine back up" in ours(case).notes[0]


@pytest.mark.parametrize("configs", LISTS)
def test_list(configs: list[dict[str, Any]]) -> None:
    expected = sampled(
        lambda t: math.prod(formula(config["type"], config, t) for config in configs), STEPS
    )
    assert_curve(
        translate("mmengine", "param_scheduler", schedulers=configs, lr=LR).schedule, expected
    )


def test_every_name() -> None:
    more = {"param_scheduler", "ReduceOnPlateauLR"}
    assert {name for name, _ in CASES} | more == set(names("mmengine"))


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("StepLR", {"step_size": 3, "begin": 5, "end": 5}, "end=5 must be larger"),
        ("CosineAnnealingLR", {"eta_min": 0.1, "end": 9}, "eta_min=0.1 is a rate"),
        ("CosineRestartLR", {"periods": [3], "eta_min": 0.0, "restart_weights": []}, "for each"),
        ("ReduceOnPlateauLR", {"rule": "greater"}, r"lehr.plateau\(mode='max'"),
        ("param_scheduler", {"schedulers": []}, "empty"),
        ("param_scheduler", {"schedulers": [{"type": "Reduce"}]}, "type='Reduce' is unknown"),
        (
            "param_scheduler",
            {"schedulers": [{"type": "StepLR", "size": 3}]},
            "StepLR: size is not an argument",
        ),
        (
            "param_scheduler",
            {"schedulers": [{"type": "LinearLR", "end": 3, "convert_to_iter_based": True}]},
            "needs epoch_length",
        ),
    ],
)
def test_refused(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        translate("mmengine", name, **given)
