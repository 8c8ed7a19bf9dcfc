"""The transformers Trainer: resumed is uninterrupted, and a second schedule is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from running import check_learns, check_rates, check_resume

import lehr
from lehr.errors import ScheduleError

transformers = pytest.importorskip("transformers", reason="transformers: `make trainers` has it")
from lehr.interop.transformers import Scheduled  # noqa: E402
from lehr.torch import Scheduler  # noqa: E402

pytestmark = pytest.mark.slow


class Trainer(Scheduled, transformers.Trainer):
    """As in the docs."""


class Line(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.slope = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": ((self.slope * x - labels) ** 2).mean()}


def trainer(folder: Path, given: dict[str, Any] | None = None, **arguments: Any) -> Trainer:
    """Return one that trains 3 epochs of 4 updates, of 2 batches of 2."""
    settings = {
        "num_train_epochs": 3, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 2,
        "learning_rate": 0.5, "logging_steps": 1, "save_strategy": "no", "report_to": "none",
        "use_cpu": True, "disable_tqdm": True, **arguments,
    }  # fmt: skip
    dataset = [{"x": torch.tensor([float(i)]), "labels": torch.tensor([2.0])} for i in range(16)]
    return Trainer(
        Line(),
        transformers.TrainingArguments(output_dir=str(folder), **settings),
        train_dataset=dataset,
        **{"schedule": lehr.linear(), **(given or {})},
    )


def rates(trained: Trainer) -> list[float]:
    return [log["learning_rate"] for log in trained.state.log_history if "learning_rate" in log]


def test_resumed_is_uninterrupted(tmp_path: Path) -> None:
    rows = check_resume(
        "train_transformers.py", tmp_path, stop=17, total=40, warnings="default",
        TQDM_DISABLE="1", HF_HUB_OFFLINE="1",
    )  # fmt: skip
    check_rates(rows, 3e-3, 40)
    check_learns(rows)


def test_the_run_is_the_trainers_updates(tmp_path: Path) -> None:
    trained = trainer(tmp_path)
    trained.train()
    assert rates(trained) == [pytest.approx(0.5 * (1 - t / 12), rel=1e-12) for t in range(12)]
    # A second run gets a second scheduler, over a run of its own.
    trained.train()
    assert rates(trained)[-12:] == [pytest.approx(0.5 * (1 - t / 12)) for t in range(12)]


def test_a_model_that_is_made_for_each_run(tmp_path: Path) -> None:
    trained = Trainer(
        args=transformers.TrainingArguments(
            output_dir=str(tmp_path), max_steps=4, learning_rate=0.5, logging_steps=1,
            report_to="none", use_cpu=True, disable_tqdm=True, save_strategy="no",
        ),
        model_init=Line,
        train_dataset=[{"x": torch.ones(1), "labels": torch.ones(1)}] * 16,
        schedule=lehr.linear(),
    )  # fmt: skip
    trained.train()
    assert rates(trained) == [0.5, 0.375, 0.25, 0.125]


def test_other_numbers_are_driven_by_name(tmp_path: Path) -> None:
    trained = trainer(
        tmp_path, {"schedule": {"lr": lehr.cosine(), "weight_decay": lehr.linear(to=0.5)}},
        weight_decay=0.1, max_steps=4,
    )  # fmt: skip
    trained.train()
    group = trained.optimizer.param_groups[0]
    assert group["weight_decay"] == pytest.approx(0.1 * 0.5)
    assert group["lr"] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"warmup_steps": 100}, r"warmup_steps=100 .* write schedule=lehr\.warmup"),
        ({"lr_scheduler_type": "cosine"}, "lr_scheduler_type='cosine' .* leave it out"),
    ],
)
def test_a_second_schedule_is_refused(tmp_path: Path, arguments: Any, says: str) -> None:
    with pytest.raises(ScheduleError, match=says):
        trainer(tmp_path, **arguments)


def test_a_second_scheduler_is_refused(tmp_path: Path) -> None:
    optimizer = torch.optim.SGD(Line().parameters(), lr=0.1)
    scheduler = Scheduler(optimizer, lr=lehr.linear(), over=12)
    with pytest.raises(ScheduleError, match=r"give optimizers=\(optimizer, None\)"):
        trainer(tmp_path, {"optimizers": (optimizer, scheduler)})


def test_a_scheduler_of_ones_own_needs_no_mixin(tmp_path: Path) -> None:
    """The other way in the docs: ``optimizers=(optimizer, scheduler)``."""
    model = Line()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    scheduler = Scheduler(optimizer, lr=lehr.linear(), over=4)
    trained = transformers.Trainer(
        model,
        transformers.TrainingArguments(
            output_dir=str(tmp_path), max_steps=4, per_device_train_batch_size=2, logging_steps=1,
            report_to="none", use_cpu=True, disable_tqdm=True, save_strategy="no",
        ),
        train_dataset=[{"x": torch.ones(1), "labels": torch.ones(1)}] * 16,
        optimizers=(optimizer, scheduler),
    )  # fmt: skip
    trained.train()
    assert rates(trained) == [0.5, 0.375, 0.25, 0.125]
    assert os.listdir(tmp_path) == []
