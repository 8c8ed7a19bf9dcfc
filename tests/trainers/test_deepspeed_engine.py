"""DeepSpeed: its engine builds the scheduler from a function, steps it, saves it and loads it."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
from pathlib import Path

import pytest
import torch
from running import check_learns, check_rates, check_resume, free_port

import lehr
import lehr.interop.deepspeed
from lehr.errors import ScheduleError
from lehr.interop.deepspeed import factory
from lehr.torch import Scheduler

needs_deepspeed = pytest.mark.skipif(
    importlib.util.find_spec("deepspeed") is None, reason="deepspeed: `make trainers` has it"
)


def test_the_examples() -> None:
    results = doctest.testmod(lehr.interop.deepspeed)
    assert results.attempted
    assert not results.failed


def test_a_scheduler_is_no_function() -> None:
    """DeepSpeed takes what can be called for a function of the optimizer, and calls it."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    build = factory(lr=lehr.linear(), over=10)
    assert callable(build)
    scheduler = build(optimizer)
    assert isinstance(scheduler, Scheduler)
    assert not callable(scheduler)


def test_a_bare_schedule_is_refused_where_a_scheduler_is_meant() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    with pytest.raises(TypeError, match=r"lehr\.torch\.Scheduler\(optimizer, lr=schedule"):
        lehr.linear(10)(optimizer)


def test_the_batch_size_is_no_position() -> None:
    scheduler = factory(lr=lehr.linear(), over=100)(torch.optim.SGD([torch.zeros(1)], lr=0.5))
    with pytest.raises(TypeError, match="increment"):
        scheduler.step(increment=64)  # type: ignore[call-arg]  # what the engine catches, to call step(64) instead
    with pytest.raises(ScheduleError, match=r"step\(64\).*counts updates"):
        scheduler.step(epoch=64)
    with pytest.raises(ScheduleError, match=r"step\(64\)"):
        scheduler.step(64)
    assert scheduler.last_epoch == 0
    assert scheduler.get_last_lr() == [0.5]


@needs_deepspeed
@pytest.mark.slow
def test_the_engine_gives_it_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "DS_ACCELERATOR": "cpu", "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "GLOO_SOCKET_IFNAME": "lo",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    deepspeed = importlib.import_module("deepspeed")
    model = torch.nn.Linear(1, 1)
    engine, _, _, scheduler = deepspeed.initialize(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.5),
        lr_scheduler=factory(lr=lehr.linear(), over=100),
        config={"train_micro_batch_size_per_gpu": 1, "gradient_accumulation_steps": 2},
    )
    try:
        for _ in range(6):
            engine.backward(engine(torch.ones(1, 1)).mean())
            engine.step()
        assert scheduler.last_epoch == 3
        for _ in range(2):
            engine.backward(engine(torch.ones(1, 1)).mean())
            if engine.is_gradient_accumulation_boundary():
                with pytest.raises(ScheduleError, match="leave out the engine's lr_kwargs"):
                    engine.step(lr_kwargs={"increment": 2})
            else:
                engine.step()
        assert scheduler.last_epoch == 3
    finally:
        torch.distributed.destroy_process_group()


@needs_deepspeed
@pytest.mark.slow
def test_resumed_is_uninterrupted(tmp_path: Path) -> None:
    rows = check_resume(
        "train_deepspeed.py", tmp_path, stop=17, total=40, warnings="default",
        DS_ACCELERATOR="cpu", RANK="0", LOCAL_RANK="0", WORLD_SIZE="1",
        MASTER_ADDR="127.0.0.1", MASTER_PORT=free_port(), GLOO_SOCKET_IFNAME="lo",
    )  # fmt: skip
    check_rates(rows, 3e-3, 40)
    check_learns(rows)
