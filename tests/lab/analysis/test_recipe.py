"""The code of a pair does in another program what its trial did."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import lehr
from lehr.lab.analysis.recipe import recipe
from lehr.lab.optimizers import OPTIMIZERS, find_optimizer
from lehr.lab.schedules import find_contender
from lehr.lab.trial import Trial
from lehr.torch import Scheduler


def rates(optimizer: Any, scheduler: Any, steps: int) -> list[tuple[float, Any]]:
    found: list[tuple[float, Any]] = []
    for _ in range(steps):
        group = optimizer.param_groups[0]
        found.append((group["lr"], group.get("betas", group.get("momentum"))))
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize("name", ["linear", "one_cycle", "warmup('10%') >> cosine(to=0.1)"])
def test_it_runs_and_gives_the_same_rates(optimizer: str, name: str) -> None:
    entry = find_optimizer(optimizer)
    schedule, momentum, _ = find_contender(name)
    momentum = momentum if entry.has_momentum else None
    trial = Trial("digits", optimizer, schedule, momentum, 12, 0.05, 0)
    space: dict[str, Any] = {"model": torch.nn.Linear(2, 1)}
    exec(recipe(trial), space)
    own = entry.make(torch.nn.Linear(2, 1).parameters(), 0.05)
    driven = Scheduler(own, lr=schedule, momentum=momentum, over=12)
    assert type(space["optimizer"]) is type(own)
    assert space["optimizer"].defaults == own.defaults
    assert rates(space["optimizer"], space["scheduler"], 12) == rates(own, driven, 12)


def test_lines_are_short() -> None:
    schedule = lehr.parse("warmup('10%') >> hold() >> cosine('20%', to=0.01)")
    code = recipe(Trial("digits", "adamw", schedule, schedule, 1000, 0.05, 0))
    assert max(map(len, code.splitlines())) <= 100
    assert code.endswith("# after each of the 1,000 updates: scheduler.step()")


def test_what_is_no_single_class_of_torchs_is_found_by_its_text() -> None:
    code = recipe(Trial("digits", "lion.py:Lion", lehr.cosine(), None, 10, 0.05, 0))
    assert code.startswith("from lehr.lab.optimizers import find_optimizer\nfrom lehr.torch import")
    assert 'optimizer = find_optimizer("lion.py:Lion").make(model, lr=0.05)' in code
