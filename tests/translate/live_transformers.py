"""transformers' schedules against transformers itself."""

from __future__ import annotations

import pytest
from cases_transformers import CASES, LR, STEPS, WAVES, arguments
from peer import LIVE, Case, assert_curve, case_id

from lehr.translate import translate

torch = pytest.importorskip("torch")
optimization = pytest.importorskip("transformers.optimization")


def live(case: Case) -> list[float]:
    """Return the rates of the updates as transformers sets them, as factors."""
    name, given = case
    special = {
        key: value
        for key, value in given.items()
        if key not in ("num_warmup_steps", "num_training_steps")
    }
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=LR)
    scheduler = optimization.get_scheduler(
        name,
        optimizer,
        given.get("num_warmup_steps"),
        given.get("num_training_steps"),
        special or None,
    )
    rates: list[float] = []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"] / LR)
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("case", CASES + WAVES, ids=case_id)
def test_live(case: Case) -> None:
    name, given = arguments(case)
    faithful = {"faithful": True} if case in WAVES else {}
    expected = live(case)
    assert_curve(translate("transformers", name, **given, **faithful).schedule, expected, LIVE)


def test_no_other_schedule() -> None:
    from lehr.translate import names

    known = {kind.value for kind in optimization.TYPE_TO_SCHEDULER_FUNCTION}
    assert known | {"get_scheduler"} == set(names("transformers"))
