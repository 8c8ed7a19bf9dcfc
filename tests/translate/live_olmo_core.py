"""OLMo-core's schedulers against OLMo-core itself."""

from __future__ import annotations

import enum
import warnings
from typing import Any

import pytest
from bare import module
from cases_olmo_core import CASES, FALLING, LR, T_MAX
from peer import LIVE, Case, assert_curve, case_id

from lehr.translate import names, translate

pytest.importorskip("torch")
registry = pytest.importorskip("dataclass_extensions", reason="OLMo-core needs it")
olmo = module(
    "olmo_core.optim.scheduler",
    empty=("olmo_core", "olmo_core.optim", "olmo_core.distributed"),
    stubs={
        "olmo_core.config": {
            "Config": type("Config", (), {}),
            "Registrable": registry.Registrable,
            "StrEnum": enum.StrEnum,
        },
        "olmo_core.distributed.utils": {"get_rank": lambda: 1},
        "olmo_core.optim.config": {"INITIAL_LR_FIELD": "initial_lr", "LR_FIELD": "lr"},
    },
)
STEPS = 130


def made(case: Case) -> Any:
    name, given = case
    own = dict(given)
    kind = olmo.Scheduler.get_registered_class(name)
    if "stages" in own:
        own["stages"] = [olmo.ComposableSchedulerStage(**stage) for stage in own["stages"]]
    if "override_decay" in own:
        own["override_decay"] = olmo.OverrideDecay(**own["override_decay"])
    return kind(**own)


def rates(scheduler: Any, count: int = STEPS) -> list[float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [scheduler.get_lr(LR, t, T_MAX) for t in range(count)]


def needs(name: str) -> dict[str, Any]:
    return {} if name == "constant" else {"lr": LR, "t_max": T_MAX}


@pytest.mark.parametrize("case", CASES + FALLING, ids=case_id)
def test_live(case: Case) -> None:
    name, given = case
    faithful = {"faithful": True} if case in FALLING else {}
    ours = translate("olmo_core", name, **given, **needs(name), **faithful)
    assert_curve(ours.schedule * LR, rates(made(case)), LIVE)


def test_live_sequential() -> None:
    first, last = ("linear_with_warmup", {"warmup": 5}), ("cos_with_warmup", {"warmup": 5})
    live = olmo.SequentialScheduler(schedulers=[made(first), made(last)], schedulers_max=[40])
    ours = translate(
        "olmo_core",
        "sequential",
        schedulers=[
            translate("olmo_core", first[0], **first[1], t_max=40),
            translate("olmo_core", last[0], **last[1], t_max=T_MAX - 40),
        ],
        schedulers_max=[40],
    )
    assert_curve(ours.schedule * LR, rates(live, T_MAX + 1), LIVE)


def test_no_other_scheduler() -> None:
    assert set(olmo.Scheduler.get_registered_names()) == set(names("olmo_core"))
