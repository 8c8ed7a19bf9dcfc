"""mmengine's schedulers against mmengine itself."""

from __future__ import annotations

from typing import Any

import pytest
from bare import module
from cases_mmengine import CASES, LISTS, LR, MOMENTA, MOMENTUM, PAST, STEPS, WAVES
from peer import LIVE, Case, assert_curve, case_id

from lehr.translate import translate

torch = pytest.importorskip("torch")
schedulers = module("mmengine.optim.scheduler")


def live(configs: list[tuple[str, dict[str, Any]]], key: str = "lr") -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=LR, momentum=MOMENTUM)
    made: list[Any] = []
    for name, given in configs:
        own = dict(given)
        per = own.pop("epoch_length", None)
        kind = getattr(schedulers, name)
        if per is None:
            made.append(kind(optimizer, **own))
        else:
            made.append(kind.build_iter_from_epoch(optimizer, epoch_length=per, **own))
    rates: list[float] = []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0][key])
        optimizer.step()
        for scheduler in made:
            scheduler.step()
    return rates


@pytest.mark.parametrize("case", CASES + WAVES + PAST, ids=case_id)
def test_live(case: Case) -> None:
    name, given = case
    ours = translate("mmengine", name, **given, lr=LR, faithful=case in WAVES + PAST)
    expected = live([case])
    assert_curve(ours.schedule if ours.absolute else ours.schedule * LR, expected, LIVE)


@pytest.mark.parametrize("case", MOMENTA, ids=case_id)
def test_live_momentum(case: Case) -> None:
    name, given = case
    ours = translate("mmengine", name, **given, momentum=MOMENTUM)
    assert ours.momentum is not None
    assert_curve(ours.momentum, live([case], "momentum"), LIVE)


@pytest.mark.parametrize("configs", LISTS)
def test_live_list(configs: list[dict[str, Any]]) -> None:
    pairs = [
        (config["type"], {key: config[key] for key in config if key != "type"})
        for config in configs
    ]
    ours = translate("mmengine", "param_scheduler", schedulers=configs, lr=LR, faithful=True)
    assert_curve(ours.schedule * LR, live(pairs), LIVE)
