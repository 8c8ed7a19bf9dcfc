"""On a GPU: captured graphs take the scheduled rate, and nobody waits for the device."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

import lehr
from lehr.torch import Scheduler

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU here")

STEPS = 9_000  # more than a block of values


@contextmanager
def no_waiting() -> Generator[None]:
    """Whatever waits for the device is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the mode itself is said to be a prototype
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def on_gpu(value: float) -> torch.Tensor:
    return torch.tensor(value, device="cuda")


def make_optimizer(kind: str = "AdamW") -> torch.optim.Optimizer:
    """Return an optimizer that can be captured, with rates on the GPU and gradients that stay."""
    weights = [torch.nn.Parameter(torch.linspace(1, 2, 5, device="cuda")) for _ in range(2)]
    for weight in weights:
        weight.grad = torch.full((5,), 0.01, device="cuda")
    groups = [{"params": [w], "lr": on_gpu(0.01 * (i + 1))} for i, w in enumerate(weights)]
    if kind == "SGD":
        return torch.optim.SGD(groups, momentum=0.9, fused=True)
    return torch.optim.AdamW(groups, weight_decay=0.01, capturable=True)


def weights_of(optimizer: torch.optim.Optimizer) -> torch.Tensor:
    return torch.stack([p.detach() for group in optimizer.param_groups for p in group["params"]])


def captured(optimizer: torch.optim.Optimizer) -> Callable[[], None]:
    """Capture a step after three that were not, as torch's manual has it."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            optimizer.step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        optimizer.step()
    return graph.replay


SCHEDULE = lehr.warmup("10%") >> lehr.cosine()


@pytest.mark.parametrize("kind", ["AdamW", "SGD"])
def test_a_captured_graph_takes_the_new_rate_without_waiting(kind: str):
    optimizer, twin = make_optimizer(kind), make_optimizer(kind)
    scheduler = Scheduler(optimizer, SCHEDULE, over=STEPS, guards="error")
    replay = captured(optimizer)

    # The twin's numbers are put in by hand.
    run = SCHEDULE.over(STEPS)
    for t in range(-3, STEPS - 1):
        if t >= 0:
            with no_waiting():
                replay()
                scheduler.step()
        for i, group in enumerate(twin.param_groups):
            group["lr"].fill_(0.01 * (i + 1) * run(max(t, 0)))
        twin.step()
        if t % 1000 == 0:
            assert torch.allclose(weights_of(optimizer), weights_of(twin), rtol=1e-5)
            lrs = [float(group["lr"]) for group in optimizer.param_groups]
            assert lrs == pytest.approx([0.01 * run(t + 1), 0.02 * run(t + 1)], rel=1e-6)
    assert torch.allclose(weights_of(optimizer), weights_of(twin), rtol=1e-4)


def test_a_rate_set_by_hand_on_the_gpu_goes_on_from_there():
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, lehr.linear(1000))
    for _ in range(100):
        optimizer.step()
        scheduler.step()
    optimizer.param_groups[1]["lr"].fill_(0.5)
    for _ in range(100):
        optimizer.step()
        scheduler.step()
    lrs = [float(group["lr"]) for group in optimizer.param_groups]
    assert lrs == pytest.approx([0.01 * 0.8, 0.5 / 0.9 * 0.8], rel=1e-5)


def test_a_saved_run_goes_on_in_a_new_graph():
    def half(state: tuple[Any, Any] | None, steps: int) -> tuple[Any, torch.Tensor]:
        optimizer = make_optimizer()
        scheduler = Scheduler(optimizer, SCHEDULE, over=100)
        if state is not None:
            optimizer.load_state_dict(state[0])
            scheduler.load_state_dict(state[1])
            for group, weight in zip(optimizer.param_groups, state[2], strict=True):
                group["params"][0].data.copy_(weight)
        for _ in range(steps):
            optimizer.step()
            scheduler.step()
        saved = optimizer.state_dict(), scheduler.state_dict(), weights_of(optimizer)
        return saved, saved[2]

    whole, wanted = half(None, 80)
    first, _ = half(None, 40)
    second, found = half(first, 40)
    assert torch.equal(found, wanted)
    assert second[1] == whole[1]


@pytest.mark.parametrize("form", ["plain", "foreach", "fused"])
@pytest.mark.parametrize("zero_first", [False, True])
def test_the_schedule_does_not_move_with_a_skipped_update(form: str, zero_first: bool):
    weight = torch.nn.Parameter(torch.ones(2, device="cuda"))
    options: dict[str, Any] = {"plain": {"foreach": False}}.get(form, {form: True})
    optimizer = torch.optim.Adam([weight], lr=0.1, **options)
    scaler = torch.amp.GradScaler("cuda", init_scale=4.0)
    scheduler = Scheduler(optimizer, lehr.linear(), 100, scaler=scaler)
    made = 0
    for t in range(12):
        skipped = t in (0, 4, 5)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * (1 - made / 100))
        before = weight.detach().clone()
        scaler.scale((weight * (float("inf") if skipped else 1.0)).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        if zero_first:
            optimizer.zero_grad()
        scheduler.step()
        optimizer.zero_grad()
        made += not skipped
        assert torch.equal(before, weight.detach()) == skipped
        assert scheduler.last_epoch == made


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
def test_a_compiled_step_is_not_compiled_again(mode: str):
    torch._dynamo.reset()
    optimizer = make_optimizer()
    optimizer.step = torch.compile(optimizer.step, mode=mode)
    scheduler = Scheduler(optimizer, SCHEDULE, over=60)
    twin = make_optimizer()
    run = SCHEDULE.over(60)
    torch._dynamo.utils.counters.clear()
    for t in range(50):
        for i, group in enumerate(twin.param_groups):
            group["lr"].fill_(0.01 * (i + 1) * run(t))
        optimizer.step()
        scheduler.step()
        twin.step()
    assert torch.allclose(weights_of(optimizer), weights_of(twin), rtol=1e-5)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
