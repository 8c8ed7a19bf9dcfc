"""DeepSpeed's schedulers against DeepSpeed itself."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from bare import module
from cases_deepspeed import CASES, LR, STEPS
from peer import LIVE, Case, assert_curve, case_id

from lehr.translate import names, translate

torch = pytest.importorskip("torch")
schedules = module(
    "deepspeed.runtime.lr_schedules",
    empty=("deepspeed", "deepspeed.runtime"),
    stubs={"deepspeed.utils": {"logger": logging.getLogger("deepspeed")}},
)


def live(case: Case) -> tuple[list[float], list[float]]:
    """Return the rates and the first betas that the updates see."""
    name, given = case
    optimizer: Any = torch.optim.Adam([torch.zeros(1)], lr=LR)
    scheduler = getattr(schedules, name)(optimizer, **given)
    rates: list[float] = []
    momenta: list[float] = []
    for _ in range(STEPS):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        momenta.append(optimizer.param_groups[0]["betas"][0])
        scheduler.step()
    return rates, momenta


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_live(case: Case) -> None:
    name, given = case
    more: dict[str, Any] = {"lr": LR} if name == "WarmupLR" else {}
    ours = translate("deepspeed", name, **given, **more, faithful=True)
    rates, momenta = live(case)
    assert_curve(ours.schedule if ours.absolute else ours.schedule * LR, rates, LIVE)
    if ours.momentum is not None:
        assert_curve(ours.momentum, momenta, LIVE)


def test_no_other_scheduler() -> None:
    assert set(schedules.VALID_LR_SCHEDULES) == set(names("deepspeed"))
