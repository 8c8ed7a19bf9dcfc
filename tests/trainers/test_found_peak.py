"""The peak rate found with a trainer's own step and data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from running import run
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lehr
from lehr.torch import find_lr

pytestmark = [
    pytest.mark.slow,
    # Lightning's own, about torch's next release.
    pytest.mark.filterwarnings("default::FutureWarning"),
    pytest.mark.filterwarnings("default:Found .* in eval mode"),
]

SCHEDULE = lehr.warmup("10%") >> lehr.cosine()


def data() -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(256, 4, generator=generator)
    return TensorDataset(inputs, inputs @ torch.tensor([1.0, -2.0, 0.5, 3.0]))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(4, 1)


def lightning_module(kind: str = "ours") -> Any:
    lightning = pytest.importorskip("lightning", reason="lightning: `make trainers` has it")
    from lehr.interop.lightning import configured

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.rates, self.learning_rate = network(), list[float](), 0.01
            self.drop = nn.Dropout(0.5).eval()

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            loss = nn.functional.mse_loss(self.net(batch[0])[:, 0], batch[1])
            self.log("loss", loss)
            return {"loss": loss}

        def configure_optimizers(self) -> Any:
            groups = [
                {"params": [self.net.weight]},
                {"params": [self.net.bias], "lr": 2 * self.learning_rate},
            ]
            optimizer = torch.optim.SGD(groups, lr=self.learning_rate)
            if kind == "ours":
                return configured(self, optimizer, lr=SCHEDULE)
            if kind == "none":
                return optimizer
            schedulers = torch.optim.lr_scheduler
            made = {
                "torch": lambda: schedulers.LambdaLR(optimizer, SCHEDULE.over(64)),
                "one_cycle": lambda: schedulers.OneCycleLR(
                    optimizer, [0.01, 0.02], total_steps=64, cycle_momentum=False
                ),
                "sequence": lambda: schedulers.SequentialLR(
                    optimizer,
                    [
                        schedulers.LinearLR(optimizer, 0.5, total_iters=9),
                        schedulers.CosineAnnealingLR(optimizer, 55),
                    ],
                    [9],
                ),
            }[kind]()
            return [optimizer], [{"scheduler": made, "interval": "step"}]

        def on_before_optimizer_step(self, optimizer: Any) -> None:
            self.rates.append([group["lr"] for group in optimizer.param_groups])

    return Module()


def fit(module: Any, callbacks: list[Any], ckpt_path: Path | None = None, **options: Any) -> Any:
    import lightning

    given = {"max_epochs": 4, "accelerator": "cpu", "logger": False, "enable_progress_bar": False}
    given |= {"enable_model_summary": False, "enable_checkpointing": False} | options
    trainer = lightning.Trainer(callbacks=callbacks, **given)
    trainer.fit(module, DataLoader(data(), batch_size=16, shuffle=True), ckpt_path=ckpt_path)
    return trainer


@pytest.mark.parametrize("kind", ["ours", "none", "torch", "one_cycle", "sequence"])
def test_lightnings_callback_scales_the_rates_of_the_run(kind: str) -> None:
    from lehr.interop.lightning import LearningRateFinder

    plain, module = lightning_module(kind), lightning_module(kind)
    fit(plain, [])
    finder = LearningRateFinder(SCHEDULE)
    fit(module, [finder])
    found = finder.suggestion
    assert found is not None
    assert found.peak is not None
    assert found.steps == 64
    assert found.peaks == pytest.approx((found.peak, 2 * found.peak))
    assert module.learning_rate == found.peak
    # Exactly the run that there would have been, with other rates.
    ratio = found.peak / 0.01
    assert [one for one, _ in module.rates] == pytest.approx([ratio * a for a, _ in plain.rates])
    assert [two for _, two in module.rates] == pytest.approx([ratio * b for _, b in plain.rates])


def test_lightnings_callback_leaves_all_as_it_was() -> None:
    from lehr.interop.lightning import LearningRateFinder

    class Watch(LearningRateFinder):
        def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
            before = [p.detach().clone() for p in pl_module.parameters()]
            modes = [m.training for m in pl_module.modules()]
            random = torch.get_rng_state()
            super().on_fit_start(trainer, pl_module)
            assert all(map(torch.equal, before, pl_module.parameters()))
            assert [m.training for m in pl_module.modules()] == modes
            assert torch.equal(random, torch.get_rng_state())
            assert all(p.grad is None for p in pl_module.parameters())
            assert not trainer.optimizers[0].state
            assert trainer.global_step == 0
            assert "log" not in vars(pl_module)

    finder = Watch("cosine()", over=64)
    trainer = fit(lightning_module(), [finder], accumulate_grad_batches=2, gradient_clip_val=1.0)
    assert finder.suggestion is not None
    assert finder.suggestion.steps == 64
    assert trainer.global_step == 32


def test_lightnings_callback_in_mixed_precision_and_with_a_budget() -> None:
    from lehr.interop.lightning import LearningRateFinder

    spent = list[int]()
    finder = LearningRateFinder("cosine()", over=4_000, budget="40%", watch=spent.append)
    fit(lightning_module(), [finder], precision="bf16-mixed")
    assert finder.suggestion is not None
    # More than short runs take.
    assert 400 < finder.suggestion.spent == spent[-1] <= 1_600


def test_lightnings_callback_does_not_search_again_when_a_fit_resumes(tmp_path: Path) -> None:
    from lehr.interop.lightning import LearningRateFinder

    finder, again = LearningRateFinder(SCHEDULE), LearningRateFinder(SCHEDULE)
    module, resumed = lightning_module(), lightning_module()
    saved = tmp_path / "half.ckpt"
    lightning = pytest.importorskip("lightning")

    class Save(lightning.Callback):
        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            if trainer.global_step == 32:
                trainer.save_checkpoint(saved)

    fit(module, [finder, Save()])
    fit(resumed, [again], ckpt_path=saved)
    assert again.suggestion is None
    assert resumed.rates == module.rates[32:]


def test_lightnings_callback_refuses_manual_optimization() -> None:
    from lehr.interop.lightning import LearningRateFinder

    module = lightning_module("none")
    module.automatic_optimization = False
    with pytest.raises(lehr.ScheduleError, match=r"call lehr\.torch\.find_lr with a train_step"):
        fit(module, [LearningRateFinder(SCHEDULE)])


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
        output_dir=str(tmp_path), per_device_train_batch_size=8, num_train_epochs=2,
        gradient_accumulation_steps=2, report_to=[], save_strategy="no", use_cpu=True,
        disable_tqdm=True, logging_steps=1,
    )  # fmt: skip
    trainer = Trainer(Labelled(), arguments, train_dataset=rows, schedule=SCHEDULE)
    before, spent = [p.clone() for p in trainer.model.parameters()], list[int]()
    found = found_peak(trainer, SCHEDULE, watch=spent.append)
    assert all(map(torch.equal, before, trainer.model.parameters()))
    assert found.steps == 32
    assert found.spent == spent[-1]
    trainer.train()
    assert trainer.state.global_step == 32
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
    # Whole runs end at a loss below 1e-12 from 0.1 to 1.1, and diverge at 1.5.
    assert 0.1 < found.peak < 1.4
    assert all(map(torch.equal, before, model.parameters()))


@pytest.mark.parametrize("processes", [1, 2])
def test_the_program_for_accelerate(processes: int) -> None:
    pytest.importorskip("accelerate", reason="accelerate: `make trainers` has it")
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    printed = run(
        "find_accelerate.py", warnings="default", launched=launch if processes > 1 else (),
        GLOO_SOCKET_IFNAME="lo",
    )  # fmt: skip
    # Two processes print at once, so that their lines may run into each other.
    peaks = re.findall(r"rank \d  peak ([\d.e-]+)", printed)
    assert len(peaks) == processes
    assert len(set(peaks)) == 1
    losses = [float(loss) for loss in re.findall(r"loss (\d\S*)$", printed, re.MULTILINE)]
    assert losses[-1] < 0.1 < losses[0]
