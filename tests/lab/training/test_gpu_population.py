"""Populations on a GPU: the same answers as on the processor, alone."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.func import functional_call

from lehr.lab.optimizers import OPTIMIZERS
from lehr.lab.plan import Pair, Plan
from lehr.lab.tasks.registry import find_task
from lehr.lab.training.convolution import Products
from lehr.lab.training.population import exact, train_population
from lehr.lab.training.single import SingleNetwork
from lehr.lab.training.stacked import Stack, in_order
from lehr.lab.trial import Trial

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU here")
DEVICES = ["cpu", pytest.param("cuda", marks=on_a_gpu)]

UPDATES = 50


def trials_of(task: str, optimizer: str, count: int, steps: int = UPDATES) -> list[Trial]:
    plan = Plan(task=task)
    kinds = [plan.scoring(Pair(optimizer, s), 1.0)[0] for s in ("cosine", "one_cycle", "constant")]
    trials = [
        replace(kinds[i % 3], steps=steps, seed=i, peak=0.003 * (1 + i % 5)) for i in range(count)
    ]
    return [trials[place] for place in in_order(trials)]


@on_a_gpu
@pytest.mark.parametrize("task", ["digits", "digits-conv"])
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_a_population_equals_the_same_trials_alone_on_the_processor(task: str, optimizer: str):
    trials, found = trials_of(task, optimizer, 6), find_task(task)
    with exact():
        stack = Stack(trials, found, "cuda")
        together = torch.stack([stack.update() for _ in range(UPDATES)], 1).cpu()
        for trial, losses in zip(trials, together, strict=True):
            alone = SingleNetwork(trial, found)
            wanted = torch.cat([alone.update() for _ in range(UPDATES)])
            assert torch.allclose(losses, wanted, rtol=2e-3, atol=1e-4)


@on_a_gpu
def test_company_changes_nothing():
    trials = trials_of("digits-conv", "momentum", 9)
    everybody = train_population(trials, device="cuda")
    few = train_population(trials[:3], device="cuda")
    for one, other in zip(few, everybody[:3], strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-3)


@on_a_gpu
def test_what_diverges_is_dropped():
    trials = trials_of("digits-conv", "sgd", 6)
    trials = [replace(t, peak=1e30 if i == 2 else t.peak) for i, t in enumerate(trials)]
    outcomes = train_population(trials, device="cuda")
    assert [outcome.diverged is not None for outcome in outcomes] == [i == 2 for i in range(6)]


@on_a_gpu
def test_the_memory_is_bounded():
    trials = trials_of("digits-conv", "adam", 256, steps=4)
    train_population(
        trials[:2], device="cuda"
    )  # what the libraries take for themselves is there then
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    train_population(trials, device="cuda", memory=64 * 2**20)
    assert torch.cuda.max_memory_allocated() - before <= 64 * 2**20


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 5, 3),
        nn.Conv2d(3, 5, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2)),
        nn.Conv2d(3, 5, 1, bias=False),
        nn.Conv2d(3, 6, 3, padding="same"),
        nn.Conv2d(3, 6, 3, groups=3),
        nn.Conv1d(3, 4, 5, stride=2, padding=3, dilation=2),
    ],
)
@pytest.mark.parametrize("device", DEVICES)
def test_convolutions_are_what_they_were(layer: nn.Module, device: str):
    layer = copy.deepcopy(layer).double().to(device)
    size = (7, 9) if isinstance(layer, nn.Conv2d) else (15,)
    inputs = torch.randn(2, 3, *size, dtype=torch.float64, device=device, requires_grad=True)
    wanted, stacks = (
        layer(inputs),
        {n: torch.stack([w, 2 * w]) for n, w in layer.state_dict().items()},
    )

    def made(weights: dict[str, torch.Tensor]) -> torch.Tensor:
        return functional_call(layer, weights, (inputs,)).view(2, -1)

    with Products():
        found = torch.vmap(made)(stacks)[0].view_as(wanted)
    assert torch.allclose(found, wanted)
    weights = torch.randn_like(wanted)
    gradients = [torch.autograd.grad((x * weights).sum(), inputs)[0] for x in (wanted, found)]
    assert torch.allclose(*gradients)
