"""OLMo-core's schedules against their formulas, written here once more."""

from __future__ import annotations

import math
from typing import Any

import pytest
from cases_olmo_core import CASES, FALLING, LR, T_MAX
from peer import Case, assert_curve, case_id, sampled

from lehr import ScheduleError
from lehr.translate import Translation, names, translate

STEPS = 130


def length(a: dict[str, Any], what: str, total: int = T_MAX) -> int:
    given = a.get(what)
    if given is not None:
        return given
    return round(total * a.get(f"{what}_fraction", 0.1))


def line(start: float, end: float, p: float) -> float:
    return start + (end - start) * p


def wave(start: float, end: float, p: float) -> float:
    return line(start, end, (1 - math.cos(math.pi * p)) / 2)


def formula(case: Case, t: int) -> float:
    name, a = case
    if name == "constant":
        return 1.0
    if name == "composable":
        return staged(a, t)
    if name == "exponential":
        low = a.get("lr_min", 1e-9) / LR
        return low ** (1 - t / T_MAX) if t < T_MAX else 1.0
    if name == "wsds":
        return periods(a, t)
    rise, end = length(a, "warmup"), a.get("alpha_f", 0.1)
    top = end + (1 - end) / 2 if name == "half_cos_with_warmup" else 1.0
    tail = T_MAX - length(a, "decay")
    if name in ("wsd", "power_lr", "cos_with_warmup_and_linear_decay") and t >= tail:
        base = {"wsd": 1.0, "power_lr": (tail / rise) ** a.get("b", -0.51)}
        start = base.get(name) or wave(1.0, end, (tail - rise) / (T_MAX - rise))
        return line(start, a.get("decay_min_lr", 0.0) / LR, (t - tail) / (T_MAX - tail))
    if t < rise:
        return line(a.get("warmup_min_lr", 0.0) / LR, top, t / rise)
    if name in ("constant_with_warmup", "wsd"):
        return 1.0
    if name == "power_lr":
        return (t / rise) ** a.get("b", -0.51)
    if name == "inv_sqrt_with_warmup":
        return end + (1 - end) * math.sqrt(rise / t)
    p = min((t - rise) / (T_MAX - rise), 1)
    if name == "linear_with_warmup":
        return line(1.0, end, p)
    if name == "half_cos_with_warmup":
        return end + (1 - end) * (1 + math.cos(math.pi * (1 + p) / 2)) / 2
    return wave(1.0, end, p)


def periods(a: dict[str, Any], t: int) -> float:
    lengths = list(a["period_lengths"])
    peaks = a.get("period_lr_multipliers", [1.0] * len(lengths))
    low = a.get("decay_min_lr", 0.0) / LR
    rise = length(a, "warmup", lengths[0])
    if t < rise:
        return peaks[0] * t / rise
    begin = 0
    for index, (size, peak) in enumerate(zip(lengths, peaks, strict=True)):
        fall = length(a, "decay", size)
        # The step that a period ends with is its own.
        if t <= begin + size:
            left = begin + size - t
            return peak if left >= fall else line(low, peak, left / fall)
        begin += size
        assert index < len(lengths)
    return low


def staged(a: dict[str, Any], t: int) -> float:
    override = a.get("override_decay")
    if override is not None and t >= override["start"]:
        p = min((t - override["start"]) / override["duration"], 1)
        return line(staged({"stages": a["stages"]}, override["start"]), target(override, "end"), p)
    at = 1.0
    for stage in a["stages"]:
        start = target(stage, "start") if "start_lr" in str(stage) else at
        at = target(stage, "end")
        if t < stage["duration"]:
            curve = wave if stage.get("shape") == "cosine" else line
            return curve(start, at, t / stage["duration"])
        t -= stage["duration"]
    return at


def target(stage: dict[str, Any], which: str) -> float:
    if f"{which}_lr" in stage:
        return stage[f"{which}_lr"] / LR
    return stage[f"{which}_lr_fraction"]


def ours(case: Case, **more: Any) -> Translation:
    name, given = case
    run = {} if name == "constant" else {"lr": LR, "t_max": T_MAX}
    return translate("olmo_core", name, **given, **run, **more)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_formula(case: Case) -> None:
    assert_curve(ours(case).schedule, sampled(lambda t: formula(case, t), STEPS))
    assert ours(case).notes == ()


@pytest.mark.parametrize("case", FALLING, ids=case_id)
def test_falling(case: Case) -> None:
    expected = sampled(lambda t: formula(case, t), STEPS)
    assert_curve(ours(case, faithful=True).schedule, expected)
    assert expected[-1] < 0
    assert_curve(ours(case).schedule, [*expected[:T_MAX], *[expected[T_MAX]] * (STEPS - T_MAX)])
    assert "below 0" in ours(case).notes[0]
    assert ours(case).schedule.bounds[0] >= 0


def test_sequential() -> None:
    """A scheduler also sets the rate of its last step; the next one goes on from there."""
    first, last = {"warmup": 5, "t_max": 40}, {"warmup": 5, "t_max": 60}
    joined = translate(
        "olmo_core",
        "sequential",
        schedulers=[
            translate("olmo_core", "linear_with_warmup", **first),
            translate("olmo_core", "cos_with_warmup", **last),
        ],
        schedulers_max=[40],
    ).schedule

    def rate(t: int) -> float:
        if t <= 40:
            return t / 5 if t < 5 else line(1.0, 0.1, (t - 5) / 35)
        t -= 40
        return 0.1 * (t / 5 if t < 5 else wave(1.0, 0.1, min((t - 5) / 55, 1)))

    assert_curve(joined, sampled(rate, STEPS))


def test_a_decay_longer_than_the_run_begins_on_the_warmup_before_it() -> None:
    given = {"warmup": 5, "warmup_min_lr": 0.09, "decay": 12, "decay_fraction": None}
    found = translate(
        "olmo_core", "cos_with_warmup_and_linear_decay",
        t_max=10, lr=0.1, decay_min_lr=0.01, **given,
    )  # fmt: skip
    # OLMo-core's `_linear_warmup` at step -2, and its `_linear_decay` from there.
    start = 0.09 + (0.1 - 0.09) * -2 / 5
    for step in range(10):
        expected = 0.01 + (start - 0.01) * (10 - step) / 12
        assert 0.1 * found.schedule.over(10)(step) == pytest.approx(expected, rel=1e-14)


def test_a_decay_that_begins_under_the_warmup_is_seen_after_it() -> None:
    """The last step of the warmup is still the warmup's."""
    given = {"warmup": 20, "decay": 90, "decay_fraction": None}
    found = translate("olmo_core", "wsd", t_max=T_MAX, lr=LR, **given).schedule

    def rate(t: int) -> float:
        return t / 20 if t <= 20 else line(1.0, 0.0, min((t - 10) / 90, 1))

    assert_curve(found, sampled(rate, STEPS))


def test_every_name() -> None:
    assert {name for name, _ in CASES + FALLING} | {"sequential"} == set(names("olmo_core"))


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("wsd", {"t_max": 100, "warmup": 5, "decay": 5}, "decay_fraction=None"),
        ("wsd", {"t_max": 100}, "warmup=None, warmup_fraction=None"),
        (
            "cos_with_warmup_and_linear_decay",
            {"t_max": 10, "warmup": 1, "decay": 11, "decay_fraction": None},
            "at most 10",
        ),
        (
            "power_lr",
            {"t_max": 10, "warmup": 5, "decay": 10, "decay_fraction": None},
            "less than t_max=10",
        ),
        ("power_lr", {"t_max": 10, "warmup": 0}, "at least 1"),
        ("cos_with_warmup", {"t_max": 10, "warmup": 1, "warmup_min_lr": 0.1}, "is a rate"),
        ("composable", {"stages": [{"duration": 5}]}, "end_lr or end_lr_fraction"),
    ],
)
def test_refused(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        translate("olmo_core", name, **given)
