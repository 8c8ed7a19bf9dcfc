"""torchtitan's schedule against torchtitan itself."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from bare import module
from cases_torchtitan import CASES, STEPS, TOTAL
from peer import LIVE, assert_curve

from lehr.translate import translate

torch = pytest.importorskip("torch")


class Configurable:
    class Config: ...


titan = module(
    "torchtitan.components.optimizer.lr_scheduler",
    empty=(
        "torchtitan",
        "torchtitan.components",
        "torchtitan.components.optimizer",
        "torchtitan.tools",
    ),
    stubs={
        "torchtitan.config": {"Configurable": Configurable},
        "torchtitan.tools.logging": {"logger": logging.getLogger("torchtitan")},
        "torchtitan.components.optimizer.optimizer": {"OptimizersContainer": list},
    },
)


@pytest.mark.parametrize("given", CASES)
def test_live(given: dict[str, Any]) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    config = titan.LRSchedulersContainer.Config(**given)
    scheduler = config.build(optimizers=[optimizer], training_steps=TOTAL)
    factors: list[float] = []
    for _ in range(STEPS):
        factors.append(optimizer.param_groups[0]["lr"] / 0.5)
        optimizer.step()
        scheduler.step()
    ours = translate(
        "torchtitan", "LRSchedulersContainer", training_steps=TOTAL, **given, faithful=True
    )
    assert_curve(ours.schedule, factors, LIVE)
