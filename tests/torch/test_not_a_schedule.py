"""The error for something that is not a schedule says what to write, and that is valid."""

from __future__ import annotations

from typing import Any

import pytest
from driving import make_optimizer

import lehr
import lehr.torch as ours


@pytest.mark.parametrize(
    ("given", "advised"),
    [
        ("1e-3", "lehr.parse('cosine(to=0.1)')"),
        (0.5, "lehr.constant(0.5)"),
        (object(), "lehr.cosine()"),
    ],
    ids=["a text", "a number", "an object"],
)
def test_what_is_advised_is_named(given: Any, advised: str) -> None:
    optimizer = make_optimizer()
    with pytest.raises((lehr.ScheduleError, TypeError)) as refusal:
        ours.Scheduler(optimizer, lr=given, over=10)
    assert advised in str(refusal.value)


@pytest.mark.parametrize(
    "schedule", [lehr.parse("cosine(to=0.1)"), lehr.constant(0.5), lehr.cosine()]
)
def test_what_is_advised_is_taken(schedule: lehr.Schedule) -> None:
    optimizer = make_optimizer()
    ours.Scheduler(optimizer, lr=schedule, over=10)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * schedule.over(10)(0))
