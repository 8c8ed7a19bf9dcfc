"""Lightning: stepped after each update, over the run that the Trainer expects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from running import check_learns, check_rates, check_resume
from torch.utils.data import DataLoader, TensorDataset

import lehr
from lehr.errors import GuardError, NeedsHorizon

lightning = pytest.importorskip("lightning", reason="lightning: `make trainers` has it")
from lehr.interop.lightning import configured  # noqa: E402
from lehr.torch import Scheduler  # noqa: E402

pytestmark = pytest.mark.slow


class Line(lightning.LightningModule):
    def __init__(self, **schedules: Any) -> None:
        super().__init__()
        self.slope = torch.nn.Parameter(torch.zeros(1))
        self.schedules, self.rates = schedules, []

    def configure_optimizers(self) -> Any:
        return configured(self, torch.optim.SGD(self.parameters(), lr=0.5), **self.schedules)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        return (self.slope * batch[0]).mean()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        self.rates.append(optimizer.param_groups[0]["lr"])


def fit(module: Line, batches: int = 7, **arguments: Any) -> None:
    lightning.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, **arguments,
    ).fit(module, DataLoader(TensorDataset(torch.ones(batches))))  # fmt: skip


def test_resumed_is_uninterrupted(tmp_path: Path) -> None:
    rows = check_resume("train_lightning.py", tmp_path, stop=17, total=40, warnings="default")
    check_rates(rows, 3e-3, 40)
    check_learns(rows)


def test_the_run_is_over_all_epochs_and_counts_updates() -> None:
    module = Line(lr=lehr.linear())
    # 7 batches, of which 3 make an update: two updates of three, and one of what is left.
    fit(module, max_epochs=4, accumulate_grad_batches=3)
    assert module.rates == [pytest.approx(0.5 * (1 - t / 12), rel=1e-12) for t in range(12)]


def test_epochs_are_known() -> None:
    module = Line(lr=lehr.warmup("1ep") >> lehr.hold("1ep") >> lehr.linear("1ep"))
    fit(module, max_epochs=3, accumulate_grad_batches=3)
    heights = [0, 1 / 3, 2 / 3, 1, 1, 1, 1, 2 / 3, 1 / 3]
    assert module.rates == [pytest.approx(0.5 * height) for height in heights]


def test_a_run_of_steps() -> None:
    module = Line(lr=lehr.linear())
    fit(module, max_steps=5)
    assert module.rates == [pytest.approx(0.5 * (1 - t / 5)) for t in range(5)]


def test_a_run_without_an_end_asks_for_one() -> None:
    with pytest.raises(NeedsHorizon, match=r"configured\(\.\.\., over=10_000\)"):
        fit(Line(lr=lehr.linear()), max_epochs=-1)
    module = Line(lr=lehr.linear(), over=10)
    fit(module, max_epochs=-1, max_time={"seconds": 1})
    assert module.rates[:11] == [pytest.approx(0.5 * (1 - t / 10)) for t in range(11)]


def test_without_it_the_scheduler_itself_notices() -> None:
    class PerEpoch(Line):
        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.SGD(self.parameters(), lr=0.5)
            scheduler = Scheduler(optimizer, lr=lehr.linear(), over=21, guards="error")
            return [optimizer], [scheduler]

    with pytest.raises(GuardError, match=r"call scheduler\.step\(\) after each"):
        fit(PerEpoch(), max_epochs=3)
