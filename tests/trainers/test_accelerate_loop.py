"""Accelerate: one step for each update, whatever is accumulated and however many processes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from running import check_learns, check_rates, check_resume

import lehr
from lehr.errors import GuardError, ScheduleError
from lehr.torch import Scheduler

accelerate = pytest.importorskip("accelerate", reason="accelerate: `make trainers` has it")
from lehr.interop.accelerate import prepare  # noqa: E402

pytestmark = pytest.mark.slow

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.mark.parametrize("processes", [1, 2])
def test_resumed_is_uninterrupted(tmp_path: Path, processes: int) -> None:
    launched = TORCHRUN if processes > 1 else ()
    rows = check_resume(
        "train_accelerate.py", tmp_path, stop=17, total=40, warnings="default",
        launched=launched, GLOO_SOCKET_IFNAME="lo",
    )  # fmt: skip
    assert {row.rank for row in rows} == set(range(processes))
    check_rates(rows, 3e-3, 40)
    check_learns(rows)


@pytest.fixture
def parts() -> Any:
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=2)
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    scheduler = Scheduler(optimizer, lr=lehr.linear(), over=8)
    return accelerator, model, optimizer, scheduler


def several(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Accelerate's wrapper of a scheduler believe that there are four processes."""
    monkeypatch.setattr(
        "accelerate.scheduler.AcceleratorState", lambda: SimpleNamespace(num_processes=4)
    )


def train(accelerator: Any, model: Any, optimizer: Any, driver: Any, batches: int) -> None:
    for _ in range(batches):
        with accelerator.accumulate(model):
            accelerator.backward(model(torch.ones(1, 1)).mean())
            optimizer.step()
            driver.step()
            optimizer.zero_grad()


def test_one_step_an_update_on_any_number_of_processes(
    parts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    accelerator, model, optimizer, scheduler = parts
    model, wrapped = accelerator.prepare(model, optimizer)
    driver = prepare(accelerator, scheduler)
    several(monkeypatch)
    train(accelerator, model, wrapped, driver, batches=6)
    assert scheduler.last_epoch == 3
    assert driver.get_last_lr() == [0.5 * (1 - 3 / 8)]


def test_it_is_saved_and_prepared_once(parts: Any, tmp_path: Path) -> None:
    accelerator, model, optimizer, scheduler = parts
    model, wrapped = accelerator.prepare(model, optimizer)
    driver = prepare(accelerator, scheduler)
    assert accelerator.prepare(driver) is driver
    train(accelerator, model, wrapped, driver, batches=6)
    accelerator.save_state(str(tmp_path))
    train(accelerator, model, wrapped, driver, batches=4)
    assert scheduler.last_epoch == 5
    accelerator.load_state(str(tmp_path))
    assert scheduler.last_epoch == 3
    assert optimizer.param_groups[0]["lr"] == 0.5 * (1 - 3 / 8)


def test_what_is_prepared_by_accelerate_is_refused(parts: Any) -> None:
    accelerator, _, optimizer, scheduler = parts
    _, prepared = accelerator.prepare(optimizer, scheduler)
    with pytest.raises(ScheduleError, match=r"leave it out of accelerator\.prepare"):
        prepare(accelerator, prepared)


def test_the_optimizer_comes_first(parts: Any) -> None:
    accelerator, _, _, scheduler = parts
    with pytest.raises(ScheduleError, match="optimizer is not prepared"):
        prepare(accelerator, scheduler)


def test_the_two_ways_without_it(parts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the docs say: step where gradients are summed up, or count the steps of all processes."""
    several(monkeypatch)
    _, model, optimizer, scheduler = parts
    unlinked = accelerate.Accelerator(cpu=True, step_scheduler_with_optimizer=False)
    model, wrapped, driver = unlinked.prepare(model, optimizer, scheduler)
    for _ in range(3):
        unlinked.backward(model(torch.ones(1, 1)).mean())
        wrapped.step()
        if unlinked.sync_gradients:
            driver.step()
        wrapped.zero_grad()
    assert scheduler.last_epoch == 3

    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    accelerator = accelerate.Accelerator(cpu=True)
    scheduler = Scheduler(optimizer, lr=lehr.linear(), over=8 * 4, guards="off")
    model, wrapped, driver = accelerator.prepare(model, optimizer, scheduler)
    train(accelerator, model, wrapped, driver, batches=3)
    assert driver.get_last_lr() == [0.5 * (1 - 3 / 8)]


def test_without_it_the_scheduler_itself_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    accelerator = accelerate.Accelerator(cpu=True)
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    scheduler = Scheduler(optimizer, lr=lehr.linear(), over=8, guards="error")
    model, wrapped, driver = accelerator.prepare(model, optimizer, scheduler)
    several(monkeypatch)
    with pytest.raises(GuardError, match="again without an update"):
        train(accelerator, model, wrapped, driver, batches=2)
