"""The error for something that is not a schedule says what to write, and that is valid."""

from __future__ import annotations

from typing import Any

import pytest

import lehr
import lehr.torch as ours
from driving import make_optimizer


@pytest.mark.parametrize(
    ("given", "advised"),
    [
        ("1e-3", "write constant(0.001)"),
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


@pytest.mark.parametrize("schedule", ["constant(0.001)", lehr.constant(0.5), lehr.cosine()])
def test_what_is_advised_is_taken(schedule: lehr.Schedule | str) -> None:
    optimizer = make_optimizer()
    ours.Scheduler(optimizer, lr=schedule, over=10)
    value = lehr.parse(str(schedule)).over(10)(0)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * value)


TEXT = "warmup(2) >> cosine(to=0.1)"
OTHER = "linear()"


@pytest.mark.parametrize(
    "given",
    [
        TEXT,
        [TEXT, OTHER],
        {"*": OTHER, 0: TEXT},
        lambda group: TEXT if group["lr"] == 0.1 else OTHER,
        [ours.absolute(TEXT), ours.factor(OTHER, floor=0.01)],
    ],
    ids=["one", "list", "mapping", "function", "bindings"],
)
def test_a_text_drives_as_its_schedule_does(given: Any) -> None:
    def read(value: Any) -> Any:
        if isinstance(value, str):
            return lehr.parse(value)
        if isinstance(value, list):
            return [read(each) for each in value]
        if isinstance(value, dict):
            return {key: read(each) for key, each in value.items()}
        return value

    rates: list[list[list[float]]] = []
    for schedules in (given, read(given)):
        optimizer = make_optimizer(rates=(0.1, 0.3))
        scheduler = ours.Scheduler(optimizer, lr=schedules, over=10)
        rates.append([])
        for _ in range(10):
            rates[-1].append([group["lr"] for group in optimizer.param_groups])
            optimizer.step()
            scheduler.step()
    assert rates[0] == rates[1]


def test_a_plan_is_changed_by_a_text() -> None:
    schedulers = [ours.Scheduler(make_optimizer(), lr="hold()", over=10) for _ in range(2)]
    schedulers[0].replace("cosine(to=0.1)")
    schedulers[1].replace(lehr.cosine(to=0.1))
    for scheduler in schedulers:
        scheduler.seek(7)
    assert schedulers[0].get_last_lr() == schedulers[1].get_last_lr()
    with pytest.raises(lehr.ScheduleError, match="schedule: unknown schedule 'cosin'"):
        schedulers[0].replace("cosin()")
