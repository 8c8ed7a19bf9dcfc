"""ignite's schedulers against ignite itself."""

from __future__ import annotations

from typing import Any

import pytest
from bare import module
from cases_ignite import CASES, LR, STEPS, WARMUPS
from peer import LIVE, Case, assert_curve, case_id, translated

from lehr.translate import translate

torch = pytest.importorskip("torch")
handlers = module("ignite.handlers.param_scheduler")
states = module("ignite.handlers.state_param_scheduler")


def optimizer() -> Any:
    return torch.optim.SGD([torch.zeros(1)], lr=LR)


def curve(scheduler: Any) -> list[float]:
    rates: list[float] = []
    for _ in range(STEPS):
        scheduler(None)
        rates.append(scheduler.optimizer_param_groups[0]["lr"])
    return rates


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_live(case: Case) -> None:
    name, given = case
    live = getattr(handlers, name)(optimizer(), "lr", **given)
    assert_curve(translated("ignite", case), curve(live), LIVE)


@pytest.mark.parametrize(("warmup", "case"), WARMUPS)
def test_live_warmup(warmup: dict[str, Any], case: Case) -> None:
    name, given = case
    inner = getattr(handlers, name)(optimizer(), "lr", **given)
    live = handlers.create_lr_scheduler_with_warmup(inner, **warmup)
    ours = translate(
        "ignite",
        "create_lr_scheduler_with_warmup",
        lr_scheduler=translate("ignite", name, **given),
        lr=LR,
        **warmup,
    )
    rates: list[float] = []
    for _ in range(STEPS):
        live(None)
        rates.append(inner.optimizer.param_groups[0]["lr"])
    assert_curve(ours.schedule, rates, LIVE)


@pytest.mark.parametrize("case", [CASES[8], CASES[14]], ids=case_id)
def test_live_concat(case: Case) -> None:
    pairs = [CASES[0], case]
    group = optimizer()
    live = handlers.ConcatScheduler(
        [getattr(handlers, name)(group, "lr", **given) for name, given in pairs], [17]
    )
    ours = translate(
        "ignite",
        "ConcatScheduler",
        schedulers=[translate("ignite", name, **given) for name, given in pairs],
        durations=[17],
    )
    assert_curve(ours.schedule, curve(live), LIVE)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("ExpStateScheduler", {"initial_value": 10.0, "gamma": 0.9}),
        ("StepStateScheduler", {"initial_value": 10.0, "gamma": 0.9, "step_size": 5}),
        ("MultiStepStateScheduler", {"initial_value": 1.0, "gamma": 0.5, "milestones": [3, 9]}),
    ],
)
def test_live_state(name: str, given: dict[str, Any]) -> None:
    live = getattr(states, name)(param_name="x", **given)
    expected: list[float] = []
    for event in range(40):
        live.event_index = event
        expected.append(live.get_param())
    assert_curve(translate("ignite", name, **given).schedule, expected, LIVE)
