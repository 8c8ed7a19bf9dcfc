"""The peak rate found with a trainer's own step and data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lehr
from lehr.torch import find_lr

pytestmark = [
    pytest.mark.slow,
    # Lightning's own, about torch's next release.
    pytest.mark.filterwarnings("default::FutureWarning"),
]

SCHEDULE = lehr.warmup("10%") >> lehr.cosine()


def data() -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(256, 4, generator=generator)
    return TensorDataset(inputs, inputs @ torch.tensor([1.0, -2.0, 0.5, 3.0]))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(4, 1)


def test_lightning() -> None:
    lightning = pytest.importorskip("lightning", reason="lightning: `make trainers` has it")
    from lehr.interop.lightning import configured, found_peak

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.rates = network(), list[float]()

        def training_step(self, batch: Any, _: int) -> Any:
            loss = nn.functional.mse_loss(self.net(batch[0])[:, 0], batch[1])
            self.log("loss", loss)
            return loss

        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.SGD(self.parameters(), lr=0.01)
            before = [p.clone() for p in self.parameters()]
            self.found = found_peak(self, optimizer, SCHEDULE)
            assert all(map(torch.equal, before, self.parameters()))
            return configured(self, optimizer, lr=SCHEDULE)

        def on_before_optimizer_step(self, optimizer: Any) -> None:
            self.rates.append(optimizer.param_groups[0]["lr"])

    module = Module()
    lightning.Trainer(
        max_epochs=4, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    ).fit(module, DataLoader(data(), batch_size=16))  # fmt: skip
    assert module.found.steps == 64
    assert module.rates == [
        pytest.approx(module.found.peak * SCHEDULE.over(64)(t)) for t in range(64)
    ]


def test_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip(
        "transformers", reason="transformers: `make trainers` has it"
    )
    from lehr.interop.transformers import Scheduled, found_peak

    class Labelled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = network()

        def forward(self, values: Any, labels: Any) -> dict[str, Any]:
            return {"loss": nn.functional.mse_loss(self.net(values)[:, 0], labels)}

    class Trainer(Scheduled, transformers.Trainer):
        pass

    rows = [{"values": x, "labels": y} for x, y in data()]
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), per_device_train_batch_size=16, num_train_epochs=2,
        report_to=[], save_strategy="no", use_cpu=True, disable_tqdm=True, logging_steps=1,
    )  # fmt: skip
    trainer = Trainer(Labelled(), arguments, train_dataset=rows, schedule=SCHEDULE)
    before = [p.clone() for p in trainer.model.parameters()]
    found = found_peak(trainer, SCHEDULE)
    assert all(map(torch.equal, before, trainer.model.parameters()))
    assert found.steps == 32
    trainer.train()
    logged = [row["learning_rate"] for row in trainer.state.log_history if "learning_rate" in row]
    assert max(logged) == pytest.approx(found.peak, rel=0.02)


def test_accelerate() -> None:
    accelerate = pytest.importorskip("accelerate", reason="accelerate: `make trainers` has it")
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=2)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    model, optimizer, loader = accelerator.prepare(
        model, optimizer, DataLoader(data(), batch_size=16)
    )

    def step(batch: Any) -> Any:
        with accelerator.accumulate(model):
            loss = nn.functional.mse_loss(model(batch[0])[:, 0], batch[1])
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
        return loss

    before = [p.clone() for p in model.parameters()]
    found = find_lr(
        model, loader, optimizer=optimizer.optimizer, train_step=step, accumulate=2,
        schedule=SCHEDULE, steps=200,
    )  # fmt: skip
    assert found.peak is not None
    assert 0.005 < found.peak < 1
    assert all(map(torch.equal, before, model.parameters()))
