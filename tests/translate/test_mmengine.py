"""mmengine's schedules against their formulas, written here once more."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from cases_mmengine import CASES, LISTS, LR, MOMENTA, MOMENTUM, PAST, STEPS, WAVES
from peer import Case, assert_curve, case_id, sampled

from lehr import ScheduleError
from lehr.translate import Translation, names, translate


def one_cycle(a: dict[str, Any], n: int) -> float:
    total, pct = a.get("total_steps", a["end"] - a.get("begin", 0)), a.get("pct_start", 0.3)
    high = a["eta_max"]
    first = high / a.get("div_factor", 25.0)
    points = [(0.0, first), (pct * total - 1, high)]
    if a.get("three_phase"):
        points.append((2 * pct * total - 2, first))
    points.append((total - 1, first / a.get("final_div_factor", 1e4)))
    for i, ((begin, low), (end, to)) in enumerate(itertools.pairwise(points)):
        # The last phase goes on.
        if n <= end or i == len(points) - 2:
            p = (n - begin) / (end - begin)
            if a.get("anneal_strategy", "cos") == "cos":
                p = (1 - math.cos(math.pi * p)) / 2
            return low + (to - low) * p
    raise AssertionError


def formula(name: str, a: dict[str, Any], t: int) -> float:
    per = a.get("epoch_length", 1)
    begin, end = a.get("begin", 0) * per, a.get("end", 10**9) * per
    if t < begin:
        return LR if name == "OneCycleLR" else 1.0
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


def stepped(configs: list[dict[str, Any]]) -> list[float]:
    """Step schedulers in turn, each from what it finds, as mmengine does; return the factors."""
    rate, values = LR, []
    for t in range(STEPS):
        for a in configs:
            rate = updated(a["type"], a, t, rate)
        values.append(rate / LR)
    return values


def updated(name: str, a: dict[str, Any], t: int, rate: float) -> float:
    n, begin, end = t - a.get("begin", 0), a.get("begin", 0), a.get("end", 10**9)
    if not begin <= t < end:
        return rate
    if name == "OneCycleLR":
        return one_cycle(a, n)
    low = LR * a.get("eta_min_ratio", a.get("eta_min", 0.0) / LR)
    if name == "CosineRestartLR":
        for period, weight in zip(a["periods"], a["restart_weights"], strict=True):
            if n < period:
                cosine = [1 + math.cos(math.pi * i / period) for i in (n - 1, n)]
                return low + (rate - low) * cosine[1] / cosine[0] if n else weight * LR
            n -= period
        return rate
    if name == "CosineAnnealingLR" and n > a.get("T_max", end - begin):
        return rate
    # What is left of the way to the floor, now and a step before; before the first it is all.
    whole_way = {**a, "eta_min": 0.0, "eta_min_ratio": 0.0}
    before = formula(name, whole_way, t - 1) if n else 1.0
    return low + (rate - low) * formula(name, whole_way, t) / before


def ours(case: Case, **more: Any) -> Translation:
    name, given = case
    needs = {"lr": LR} if "eta_min" in given or given.get("begin") else {}
    return translate("mmengine", name, **given, **needs, **more)


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
    found = translate("mmengine", "param_scheduler", schedulers=configs, lr=LR)
    # The recursion rounds at each step.
    assert_curve(found.schedule, stepped(configs), 1e-11)
    assert not found.absolute


def test_overlapping_windows_with_a_floor_are_not_a_product() -> None:
    warmup = {"type": "LinearLR", "start_factor": 0.1, "begin": 0, "end": 20}
    cosine = {"type": "CosineAnnealingLR", "T_max": 60, "begin": 0, "end": 60, "eta_min": 0.001}
    found = translate("mmengine", "param_scheduler", schedulers=[warmup, cosine], lr=0.1)
    # Each step multiplies the way to the floor, and then the rate, by a ratio of its own.
    rate = 0.1 * 0.1
    for n in range(1, 20):
        line = [0.1 + 0.9 * i / 19 for i in (n - 1, n)]
        wave = [1 + math.cos(math.pi * i / 60) for i in (n - 1, n)]
        rate = 0.001 + (rate * line[1] / line[0] - 0.001) * wave[1] / wave[0]
    assert found.schedule(19) * 0.1 == pytest.approx(rate, rel=1e-12)
    assert found.schedule(19) * 0.1 == pytest.approx(0.0775783, abs=1e-7)


def test_a_gamma_of_0_is_met_again_after_a_restart() -> None:
    restarts = {"type": "CosineRestartLR", "periods": [20, 30], "restart_weights": [1, 0.5]}
    stairs = {"type": "StepLR", "step_size": 15, "gamma": 0.0}
    found = translate(
        "mmengine", "param_scheduler", schedulers=[{**restarts, "eta_min": 0.0}, stairs], lr=LR
    )
    rate, expected = LR, []
    for t in range(50):
        n, period, weight = (t, 20, 1.0) if t < 20 else (t - 20, 30, 0.5)
        cosine = [1 + math.cos(math.pi * i / period) for i in (n - 1, n)]
        rate = weight * LR if n == 0 else rate * cosine[1] / cosine[0]
        rate = 0.0 if t in (15, 30, 45) else rate
        expected.append(rate / LR)
    assert expected[19] == expected[31] == 0.0 < expected[29]
    assert_curve(found.schedule, expected, 1e-11)


@pytest.mark.parametrize("faithful", [False, True])
def test_of_two_one_cycles_the_bounds_of_the_last_count_from_the_second_step_on(
    faithful: bool,
) -> None:
    cycles = [
        {"type": "OneCycleLR", "eta_max": high, "begin": begin, "end": begin + 20}
        for high, begin in ((0.2, 0), (0.1, 20))
    ]
    found = translate("mmengine", "param_scheduler", schedulers=cycles, lr=LR, faithful=faithful)
    seen = [cycles[1] if faithful and t else cycles[0] for t in range(20)] + [cycles[1]] * 20
    expected = [one_cycle(a, min(t % 20, 19)) / LR for t, a in enumerate(seen)]
    assert [found.schedule(t) for t in range(40)] == pytest.approx(expected, abs=1e-12)
    assert any("overwrite the others" in note for note in found.notes) == (not faithful)


@pytest.mark.parametrize("case", PAST, ids=case_id)
def test_one_cycle_past_its_end(case: Case) -> None:
    end = case[1]["end"]
    expected = sampled(lambda t: formula(*case, min(t, end - 1)), STEPS)
    kept = ours(case, faithful=True)
    assert_curve(kept.schedule, expected)
    assert_curve(ours(case).schedule, [*expected[: end - 1], *[expected[end - 2]] * 20])
    assert "one past its end, mmengine goes to" in ours(case).notes[0]
    assert not any("one past its end" in note for note in kept.notes)


@pytest.mark.parametrize("case", MOMENTA, ids=case_id)
def test_momentum(case: Case) -> None:
    name, given = case
    found = translate("mmengine", name, **given, momentum=MOMENTUM)
    assert found.momentum is not None
    assert (found.schedule(0), found.absolute) == (1.0, False)
    own = dict(given)
    if "eta_min" in own:
        own["eta_min_ratio"] = own.pop("eta_min") / MOMENTUM
    expected = sampled(lambda t: formula(name.replace("Momentum", "LR"), own, t), STEPS)
    assert_curve(found.momentum, [MOMENTUM * value for value in expected])


def test_a_list_of_both() -> None:
    rate = {"type": "StepLR", "step_size": 30}
    momentum = {"type": "LinearMomentum", "end": 20}
    by_name = {"type": "LinearParamScheduler", "param_name": "momentum", "end": 20}
    for other in (momentum, by_name):
        found = translate(
            "mmengine", "param_scheduler", schedulers=[rate, other], momentum=MOMENTUM
        )
        assert found.schedule == translate("mmengine", "StepLR", step_size=30).schedule
        alone = translate("mmengine", "LinearMomentum", end=20, momentum=MOMENTUM)
        assert found.momentum == alone.momentum


@pytest.mark.parametrize("name", ["ConstantLR", "LinearLR"])
def test_divisions_by_zero_are_noted(name: str) -> None:
    key = "factor" if name == "ConstantLR" else "start_factor"
    found = translate("mmengine", name, **{key: 0.0}, end=5)
    assert found.schedule(5) == 1.0
    assert "divides by zero" in found.notes[0]


def test_every_name() -> None:
    feedback = {"ReduceOnPlateauLR", "ReduceOnPlateauMomentum"}
    alone = {name for name, _ in CASES + MOMENTA}
    assert alone | feedback | {"param_scheduler"} == set(names("mmengine"))


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
            "StepLR: size=3 is not an argument",
        ),
        (
            "param_scheduler",
            {"schedulers": [{"type": "LinearLR", "end": 3, "convert_to_iter_based": True}]},
            "needs epoch_length",
        ),
        ("OneCycleLR", {"eta_max": 0.1, "begin": 5, "end": 50}, "optimizer's own: give it"),
        (
            "param_scheduler",
            {"schedulers": [{"type": "OneCycleLR", "eta_max": 0.1, "end": 9}]},
            "OneCycleLR sets rates",
        ),
        (
            "param_scheduler",
            {
                "schedulers": [
                    {"type": "OneCycleLR", "eta_max": 0.1, "end": 9},
                    {"type": "CosineAnnealingLR", "T_max": 9, "eta_min_ratio": 0.1, "begin": 9},
                ],
                "lr": 0.1,
            },
            "put it before the OneCycleLR",
        ),
        (
            "param_scheduler",
            {
                "schedulers": [
                    {"type": "LinearLR", "end": 500, "by_epoch": False},
                    {"type": "StepLR", "step_size": 3},
                ]
            },
            "some count epochs and some steps",
        ),
        ("LinearMomentum", {"end": 9}, "give momentum=0.9"),
        ("ReduceOnPlateauMomentum", {"rule": "less"}, "act on the rate alone"),
    ],
)
def test_refused(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        translate("mmengine", name, **given)
