"""Every place that takes a schedule takes its text, and says which argument is not one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import lehr
from lehr.notation import as_schedule

TEXT = "warmup(2) >> cosine(8, to=0.1)"


def check(schedule: Any) -> Any:
    return [str(finding) for finding in lehr.check(schedule, over=10)]


def export(schedule: Any) -> Any:
    return lehr.export(schedule, "python")


def wall_clock(schedule: Any) -> Any:
    return lehr.WallClock(schedule).schedule


PLACES: list[Callable[[Any], Any]] = [check, export, wall_clock]


@pytest.mark.parametrize("place", PLACES)
def test_a_text_is_its_schedule(place: Callable[[Any], Any]) -> None:
    assert place(TEXT) == place(lehr.parse(TEXT))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("cosin()", "did you mean 'cosine'?"),
        ("1e-3", "write constant(0.001)"),
        (0.5, "write lehr.constant(0.5)"),
        (True, "write one such as lehr.cosine()"),
        (None, "schedule=None is not a schedule"),
    ],
)
def test_anything_else_is_refused(place: Callable[[Any], Any], given: Any, said: str) -> None:
    with pytest.raises(lehr.ScheduleError) as refusal:
        place(given)
    assert said in str(refusal.value)
    assert str(refusal.value).startswith("schedule")


def test_the_error_of_a_text_has_its_place() -> None:
    with pytest.raises(lehr.ParseError, match=r"^lr: unknown schedule 'cosin'") as refusal:
        as_schedule("lr", "warmup(10) >> cosin()")
    assert refusal.value.place == 14
