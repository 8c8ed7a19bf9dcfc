"""torchtitan's schedule against its formula, written here once more."""

from __future__ import annotations

import math
from typing import Any

import pytest
from cases_torchtitan import CASES, STEPS, TOTAL
from peer import assert_curve, sampled

from lehr import ScheduleError
from lehr.translate import translate

NAME = "LRSchedulersContainer"


def formula(a: dict[str, Any], t: int) -> float:
    rise, ratio = a["warmup_steps"], a.get("decay_ratio")
    fall = TOTAL - rise
    if ratio is not None:
        fall = min(fall, round(TOTAL * ratio))
    if t < rise:
        return (t + 1) / rise
    if t <= TOTAL - fall:
        return 1.0
    p = (t - TOTAL + fall) / fall
    left = {
        "linear": 1 - p,
        "sqrt": 1 - math.sqrt(p),
        "cosine": (1 + math.cos(math.pi * p)) / 2,
    }[a["decay_type"]]
    low = a.get("min_lr_factor", 0.0)
    return low + (1 - low) * left


@pytest.mark.parametrize("given", CASES)
def test_formula(given: dict[str, Any]) -> None:
    expected = sampled(lambda t: formula(given, t), STEPS)
    faithful = translate("torchtitan", NAME, training_steps=TOTAL, **given, faithful=True)
    assert_curve(faithful.schedule, expected)
    assert faithful.notes == ()
    right = translate("torchtitan", NAME, training_steps=TOTAL, **given)
    assert_curve(right.schedule, [*expected[:TOTAL], *[expected[TOTAL]] * (STEPS - TOTAL)])
    assert "below 0" in right.notes[0]
    assert right.schedule.bounds[0] >= 0


def test_lengths() -> None:
    """The length of the schedule may differ from that of the run; a long warmup is cut to it."""
    given = {"warmup_steps": 20, "total_steps": TOTAL}
    assert translate("torchtitan", NAME, training_steps=10, **given) == translate(
        "torchtitan", NAME, training_steps=TOTAL, warmup_steps=20
    )
    short = translate("torchtitan", NAME, training_steps=10)
    assert_curve(short.schedule, [(t + 1) / 10 for t in range(10)])


def test_refused() -> None:
    with pytest.raises(ScheduleError, match="decay_type='cubic' is unknown"):
        translate("torchtitan", NAME, training_steps=10, decay_type="cubic")
