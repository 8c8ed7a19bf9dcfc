"""ignite's schedules against their formulas, written here once more."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from cases_ignite import CASES, LR, STEPS, WARMUPS
from peer import Case, assert_curve, case_id, sampled, translated

from lehr import ScheduleError
from lehr.translate import names, translate


def cyclical(name: str, a: dict[str, Any], t: int) -> float:
    size, back = a["cycle_size"], a.get("warmup_duration", 0)
    growth = a.get("cycle_mult", 1.0)
    cycle = 0
    while t >= size + back:
        t -= size + back
        size, back, cycle = int(size * growth), int(back * growth), cycle + 1
    start = a["start_value"] * a.get("start_value_mult", 1.0) ** cycle
    end = a["end_value"] * a.get("end_value_mult", 1.0) ** cycle
    if t > size:
        following = start * a.get("start_value_mult", 1.0)
        return end + (following - end) * (t - size) / back
    p = t / size
    if name == "CosineAnnealingScheduler":
        return start + (end - start) * (1 - math.cos(math.pi * p)) / 2
    if a.get("monotonic"):
        return start + (end - start) * p
    return start + (end - start) * (1 - abs(2 * p - 1))


def formula(case: Case, t: int) -> float:
    name, a = case
    if name != "PiecewiseLinear":
        return cyclical(name, a, t)
    points = a["milestones_values"]
    if t < points[0][0]:
        return points[0][1]
    for (begin, low), (end, high) in itertools.pairwise(points):
        if begin <= t < end:
            return low + (high - low) * (t - begin) / (end - begin)
    return points[-1][1]


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_formula(case: Case) -> None:
    assert_curve(translated("ignite", case), sampled(lambda t: formula(case, t), STEPS))


@pytest.mark.parametrize(("warmup", "case"), WARMUPS)
def test_warmup(warmup: dict[str, Any], case: Case) -> None:
    """The warmup ends on its own last step, which a scheduler that begins there takes over."""
    name, given = case
    ours = translate(
        "ignite",
        "create_lr_scheduler_with_warmup",
        lr_scheduler=translate("ignite", name, **given),
        lr=LR,
        **warmup,
    )
    count, end = warmup["warmup_duration"], warmup.get("warmup_end_value", LR)
    begin = count - 1 if formula(case, 0) == end else count

    def warmed(t: int) -> float:
        return end * t / (count - 1) if t < begin else formula(case, t - begin)

    assert_curve(ours.schedule, sampled(warmed, STEPS))


def test_warmup_of_a_factor() -> None:
    given = {
        "lr_scheduler": translate(
            "keras", "CosineDecay", initial_learning_rate=1.0, decay_steps=10
        ).schedule
    }
    ours = translate(
        "ignite",
        "create_lr_scheduler_with_warmup",
        warmup_start_value=0.0,
        warmup_duration=5,
        lr=LR,
        **given,
    )
    assert ours.schedule(4) == LR
    assert ours.schedule(9) == pytest.approx(LR / 2)


def test_concat() -> None:
    pair = [CASES[0], CASES[8]]
    ours = translate(
        "ignite",
        "ConcatScheduler",
        schedulers=[translate("ignite", name, **given) for name, given in pair],
        durations=[17],
    )
    expected = sampled(lambda t: formula(pair[0], t) if t < 17 else formula(pair[1], t - 17), STEPS)
    assert_curve(ours.schedule, expected)


def test_states() -> None:
    exp = translate("ignite", "ExpStateScheduler", initial_value=10.0, gamma=0.9)
    assert_curve(exp.schedule, sampled(lambda t: 10 * 0.9**t, 40))
    step = translate("ignite", "StepStateScheduler", initial_value=10.0, gamma=0.9, step_size=5)
    assert_curve(step.schedule, sampled(lambda t: 10 * 0.9 ** (t // 5), 40))
    given = {"initial_value": 2.0, "gamma": 0.5, "milestones": [3, 9]}
    many = translate("ignite", "MultiStepStateScheduler", **given)
    assert_curve(many.schedule, sampled(lambda t: 2 * 0.5 ** ((t >= 3) + (t >= 9)), 40))


def test_cycles_that_are_cut() -> None:
    given = {"start_value": 1.0, "end_value": 0.0, "cycle_size": 8, "cycle_mult": 0.5}
    shrinking = translate("ignite", "CosineAnnealingScheduler", **given)
    assert shrinking.notes == ("at step 15 a cycle would have no steps, and the library fails",)


def test_every_name() -> None:
    more = {
        "ConcatScheduler",
        "ReduceLROnPlateauScheduler",
        "create_lr_scheduler_with_warmup",
        "ExpStateScheduler",
        "StepStateScheduler",
        "MultiStepStateScheduler",
        "LambdaStateScheduler",
        "ParamGroupScheduler",
    }
    assert {name for name, _ in CASES} | more == set(names("ignite"))


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        (
            "LinearCyclicalScheduler",
            {"start_value": 0.0, "end_value": 1.0, "cycle_size": 9, "warmup_duration": 3},
            "monotonic=True",
        ),
        (
            "CosineAnnealingScheduler",
            {"start_value": 0.0, "end_value": 1.0, "cycle_size": 1},
            "cycle_size=1",
        ),
        ("PiecewiseLinear", {"milestones_values": [(5, 0.1), (3, 0.2)]}, "in rising order"),
        ("ReduceLROnPlateauScheduler", {"factor": 0.5}, r"lehr.plateau\(.*factor=0.5"),
        ("ConcatScheduler", {"schedulers": [], "durations": []}, "is empty"),
    ],
)
def test_refused(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        translate("ignite", name, **given)
