"""composer's schedulers against composer itself (without its trainer)."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from bare import module
from cases_composer import CASES, SCALED, STEPS
from peer import LIVE, Case, assert_curve, case_id, translated

from lehr.translate import names

pytest.importorskip("torch")
EMPTY = ("composer", "composer.core", "composer.utils", "composer.optim")
enums = module("composer.utils.string_enum", empty=EMPTY)
vars(sys.modules["composer.utils"])["StringEnum"] = enums.StringEnum
time = module("composer.core.time")
vars(sys.modules["composer.core"]).update(State=object, Time=time.Time, TimeUnit=time.TimeUnit)
scheduler = module("composer.optim.scheduler")


def live(case: Case) -> list[float]:
    name, given = case
    own = dict(given)
    run = {key: own.pop(key, None) for key in ("max_duration", "dataloader_len")}
    ratio = own.pop("ssr", 1.0)
    made = getattr(scheduler, name)(**own)
    state: Any = SimpleNamespace(
        max_duration=time.Time.from_timestring(run["max_duration"] or "1ba"),
        dataloader_len=run["dataloader_len"],
        optimizers=MagicMock(),
    )
    rates: list[float] = []
    for t in range(STEPS):
        state.timestamp = time.Timestamp(batch=t)
        rates.append(float(made(state, ratio)))
    return rates


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_live(case: Case) -> None:
    assert_curve(translated("composer", case), live(case), LIVE)


@pytest.mark.parametrize("case", SCALED, ids=case_id)
def test_live_scaled_warmup(case: Case) -> None:
    assert_curve(translated("composer", case, faithful=True), live(case), LIVE)


def test_no_other_scheduler() -> None:
    known = {name for name in scheduler.__all__ if name.endswith("Scheduler")}
    assert known - {"ComposerScheduler"} == set(names("composer"))
