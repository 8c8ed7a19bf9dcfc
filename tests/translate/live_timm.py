"""timm's schedules against timm itself."""

from __future__ import annotations

from typing import Any

import pytest
from bare import module
from cases_timm import CASES, LR, MISSED, MISSED_END, STEPS, arguments
from peer import LIVE, Case, assert_curve, case_id

from lehr.translate import translate

torch = pytest.importorskip("torch")
timm = module("timm.scheduler", empty=("timm",))


def live(case: Case, count: int = STEPS) -> list[float]:
    """Return the rates of timm's scheduler at each step, as factors."""
    name, given = case
    optimizer: Any = torch.optim.SGD([torch.zeros(1)], lr=LR)
    if name.endswith("Scheduler"):
        scheduler = getattr(timm, name)(optimizer, **given)
    else:
        scheduler, _ = timm.create_scheduler_v2(optimizer, sched=name, **given)
    if scheduler is None:
        return [1.0] * count
    if given.get("cycle_mul", 1) < 1:
        # Where shrinking cycles have no steps left, timm fails.
        count = min(count, int(given["t_initial"] / (1 - given["cycle_mul"])))
    return [scheduler._get_lr(t)[0] / LR for t in range(count)]


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_live(case: Case) -> None:
    name, given = arguments(case)
    assert_curve(translate("timm", name, **given).schedule, live(case), LIVE)


def test_live_missed() -> None:
    name, given = arguments(MISSED)
    expected = live(MISSED, 3700)
    assert_curve(translate("timm", name, **given, faithful=True).schedule, expected, LIVE)
    assert expected[1210] == pytest.approx(0, abs=1e-9)
    right = translate("timm", name, **given)
    assert "1210" in right.notes[0]
    assert right.schedule(1210) == 1
    expected[1210] = 1.0
    assert_curve(right.schedule, expected, LIVE)


def test_live_missed_end() -> None:
    name, given = arguments(MISSED_END)
    faithful = translate("timm", name, **given, faithful=True)
    assert_curve(faithful.schedule, live(MISSED_END, 260), LIVE)
