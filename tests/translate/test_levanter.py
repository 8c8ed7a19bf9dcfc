"""levanter's schedules against their formulas, written here once more."""

from __future__ import annotations

import math
from typing import Any

import pytest
from cases_levanter import CASES, LR, NEWER, STEPS, TOTAL
from peer import Case, assert_curve, case_id, sampled

from lehr import ScheduleError
from lehr.translate import Translation, names, translate


def steps_of(given: float, total: int) -> int:
    return int(given * total) if given <= 1 else int(given)


def decayed(name: str, a: dict[str, Any], count: int, warmup: int, length: int) -> float:
    """The decay's rate, ``count`` steps after it began, as a factor of the peak."""
    low, share = a.get("min_lr_ratio", 0.1), min(count / length, 1.0)
    match name:
        case "cosine":
            wave = ((1 + math.cos(math.pi * share)) / 2) ** a.get("exponent", 1.0)
            return low + (1 - low) * wave
        case "linear":
            return low + (1 - low) * (1 - share)
        case "polynomial":
            return low + (1 - low) * (1 - share) ** a.get("power", 2.0)
        case "inv_sqrt":
            root = math.sqrt(a.get("timescale", 10000) / max(count + warmup, 1))
            return max(min(root, 1.0), low)
        case "inv":
            return max(1 / (1 + (1 / low - 1) * max(count, 1) / length), low)
        case "inv_sqrt_decay":
            return max(1 / math.sqrt(1 + a.get("decay_constant", 28.6) * count / length), low)
        case "power":
            tokens = count * a["batch_size"] * a["seq_length"]
            if tokens == 0:
                return 1.0
            return min(a["batch_size"] * a.get("a", 4.6) * tokens ** a.get("b", -0.51) / LR, 1.0)
    return 1.0


def ends(a: dict[str, Any], total: int) -> list[int]:
    """The first steps of the cycles, and the end of the last."""
    given = a.get("cycle_length")
    inner: list[int] = []
    if isinstance(given, list):
        inner = [sum(given[: i + 1]) for i in range(len(given))]
    elif given is not None:
        size = steps_of(given, total)
        inner = [size * i for i in range(1, total // size)]
    elif isinstance(a.get("cycles"), int):
        inner = [int(total / a["cycles"] * i) for i in range(1, a["cycles"])]
    else:
        inner = list(a.get("cycles", a.get("haps", [])))
    return [0, *[end for end in inner if end < total], total]


def formula(name: str, a: dict[str, Any], t: int) -> float:
    peak = a.get("override_lr", LR)
    cooldown = steps_of(a.get("cooldown", 0), TOTAL)
    main = TOTAL - cooldown
    left = 0.0
    for begin, end in zip(ends(a, main), ends(a, main)[1:], strict=False):
        size = end - begin
        rise = steps_of(a.get("warmup", 0.01) if begin == 0 else a.get("rewarmup", 0.0), size)
        fall = size - rise if "decay" not in a else min(steps_of(a["decay"], size), size - rise)
        since = end - fall
        now = t - begin
        if begin <= t and (t < end or (end == main and not cooldown)):
            if now < rise:
                return left + (peak - left) * now / rise
            if t < since or fall == 0:
                return peak
            return peak * decayed(name, a, t - since, rise, fall)
        left = peak * decayed(name, a, fall, rise, fall) if fall else peak
    low = peak * a.get("min_lr_ratio", 0.1)
    return left + (low - left) * min((t - main) / cooldown, 1.0)


def ours(case: Case) -> Translation:
    name, given = case
    return translate("levanter", name, num_train_steps=TOTAL, learning_rate=LR, **given)


@pytest.mark.parametrize("case", CASES + NEWER, ids=case_id)
def test_formula(case: Case) -> None:
    found = ours(case)
    assert_curve(found.schedule, sampled(lambda t: formula(*case, t), STEPS))
    assert found.absolute
    overlapping = case[1].get("warmup", 0) + case[1].get("decay", 0) == 1.3
    assert bool(found.notes) == overlapping


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_a_configuration_names_its_schedule(case: Case) -> None:
    name, given = case
    own = ("exponent", "timescale", "batch_size", "seq_length", "a", "b")
    fields = {key: value for key, value in given.items() if key in own}
    rest = {key: value for key, value in given.items() if key not in own}
    found = translate(
        "levanter",
        "OptimizerConfig",
        num_train_steps=TOTAL,
        learning_rate=LR,
        lr_schedule={"type": name, **fields} if fields else name,
        weight_decay=0.1,
        beta2=0.95,
        **rest,
    )
    assert found == ours(case)


def test_a_decay_that_does_not_fit_is_cut() -> None:
    found = ours(("linear", {"warmup": 0.5, "decay": 0.8}))
    assert "do not fit into a cycle" in found.notes[0]


def test_tokens_that_overflow_are_noted() -> None:
    found = ours(("power", {"batch_size": 1024, "seq_length": 2**16}))
    assert "32 steps after a decay began" in found.notes[0]


def test_every_name() -> None:
    assert {name for name, _ in CASES + NEWER} | {"OptimizerConfig"} == set(names("levanter"))


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("linear", {"warmup": 1.5}, "warmup=1.5: above 1 it is a number of steps"),
        ("linear", {"decay": -1}, "decay=-1 must be at least 0"),
        ("linear", {"cycles": 2, "haps": [5]}, r"cycles=2 and haps=\[5\]: give at most one"),
        ("linear", {"cycles": [50, 40]}, r"cycles=\[50, 40\].* rising"),
        ("linear", {"cycle_length": [150, 100]}, "more than the 200 steps"),
        ("linear", {"cycle_length": 0.001}, "comes to 0 of 200"),
        ("inv", {"min_lr_ratio": 0.0}, "min_lr_ratio=0.0 must be greater than 0"),
        ("power", {}, "batch_size is missing"),
        ("power", {"batch_size": 1, "seq_length": 1, "b": 0.5}, "b=0.5 must be less than 0"),
        ("OptimizerConfig", {"lr_schedule": "square"}, "lr_schedule='square' is unknown"),
        ("OptimizerConfig", {"lr_schedule": {"type": "cosine", "exp": 2}}, "exp=2 is not an arg"),
        ("linear", {"warm_up": 2}, "did you mean 'warmup'"),
    ],
)
def test_refused(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        ours((name, given))
