"""A compiled optimizer step: tensors are filled, so one graph serves the whole run."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch._dynamo.testing import CompileCounter

import lehr
from lehr.torch import Scheduler


def tensor(value: float) -> torch.Tensor:
    return torch.tensor(value)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "arguments", "driven"),
    [
        (torch.optim.SGD, {}, {}),
        (torch.optim.Adam, {}, {}),
        (torch.optim.AdamW, {"weight_decay": 0.1}, {}),
        (
            torch.optim.AdamW,
            {"capturable": True},
            {"beta1": lehr.linear(100, start=0.9, to=0.5)},
        ),
    ],
)
def test_one_graph_serves_the_whole_run(
    kind: Any, arguments: dict[str, Any], driven: dict[str, Any]
):
    torch._dynamo.reset()
    counter = CompileCounter()
    weight = torch.nn.Parameter(torch.ones(3))
    if driven:
        arguments = {**arguments, "betas": (tensor(0.9), tensor(0.999))}
    optimizer = kind([weight], lr=tensor(0.1), **arguments)
    # The scheduler is built on the compiled step, as torchtune does; torch's own cannot be.
    optimizer.step = torch.compile(optimizer.step, backend=counter)
    schedule = lehr.warmup(3) >> lehr.cosine()
    scheduler = Scheduler(optimizer, schedule, over=60, guards="error", **driven)
    run = schedule.over(60)
    for t in range(50):
        group = optimizer.param_groups[0]
        assert float(group["lr"]) == pytest.approx(0.1 * run(t), rel=1e-6)
        if driven:
            assert float(group["betas"][0]) == pytest.approx(0.9 - 0.4 * t / 100, rel=1e-6)
        weight.grad = torch.full((3,), 0.1)
        optimizer.step()
        scheduler.step()
    assert counter.frame_count == 1
