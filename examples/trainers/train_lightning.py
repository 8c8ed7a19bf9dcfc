"""Lightning: `configure_optimizers` in one line, with the right interval.

Trains a small network on handwritten digits and prints the rate and the loss of every update.
Interrupted and resumed, it continues as if nothing had happened:

    python examples/trainers/train_lightning.py --out run --stop-after 20
    python examples/trainers/train_lightning.py --out run
"""

import argparse
from pathlib import Path

import lightning
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lehr
from lehr.interop.lightning import configured

SCHEDULE = lehr.warmup("10%") >> lehr.hold() >> lehr.cosine("40%", to=0.1)
EPOCHS, BATCHES, ACCUMULATE = 4, 20, 2  # 4 epochs of 10 updates, of 2 batches each


class Digits(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        images, digits = (torch.tensor(part) for part in load_digits(return_X_y=True))
        self.images, self.digits = images.float() / 16, digits  # pixels from 0 to 1
        self.losses: list[float] = []

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3)
        return configured(self, optimizer, lr=SCHEDULE)  # over what the Trainer will train

    def training_step(self, batch, batch_idx):
        # Seeded by its number, so that a resumed run sees the same batches.
        draw = torch.Generator().manual_seed(self.current_epoch * BATCHES + batch_idx)
        chosen = torch.randint(len(self.images), (32,), generator=draw)
        loss = nn.functional.cross_entropy(self.network(self.images[chosen]), self.digits[chosen])
        self.losses.append(loss.item())
        return loss

    def on_before_optimizer_step(self, optimizer):
        rate = optimizer.param_groups[0]["lr"]
        loss = sum(self.losses[-ACCUMULATE:]) / ACCUMULATE
        print(f"update {self.global_step}  rate {rate!r}  loss {loss!r}")


class Stop(lightning.Callback):
    """Save and stop after an update, as a job that runs out of time would."""

    def __init__(self, after: int, checkpoint: Path) -> None:
        self.after, self.checkpoint = after, checkpoint

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step >= self.after and not trainer.should_stop:
            trainer.save_checkpoint(self.checkpoint)
            trainer.should_stop = True


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="where the checkpoint is kept")
    parser.add_argument("--stop-after", type=int, default=10**9, help="save and stop early")
    arguments = parser.parse_args()

    lightning.seed_everything(0, verbose=False)
    checkpoint = arguments.out / "checkpoint.ckpt"
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        accumulate_grad_batches=ACCUMULATE,
        callbacks=[Stop(arguments.stop_after, checkpoint)],
        default_root_dir=arguments.out,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=False,
    )
    resumed = checkpoint if checkpoint.exists() else None
    data = DataLoader(TensorDataset(torch.arange(BATCHES)))
    trainer.fit(Digits(), data, ckpt_path=resumed, weights_only=True)


if __name__ == "__main__":
    main()
