"""A LightningModule, for `lehr compare`: the trial builds what `configure_optimizers` returns.

lehr compare --train examples/own_script/with_lightning.py:train --steps 100
"""

import lightning
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lehr.lab import RunningTrial, current_trial


class Digits(lightning.LightningModule):
    def __init__(self, trial: RunningTrial) -> None:
        super().__init__()
        self.trial = trial
        self.network = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def configure_optimizers(self):
        optimizer = self.trial.optimizer_for(self.parameters())
        scheduler = self.trial.scheduler_for(optimizer)
        # Lightning steps a scheduler once an epoch, unless it is given the interval.
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def training_step(self, batch, batch_idx):
        images, digits = batch
        loss = nn.functional.cross_entropy(self.network(images), digits)
        self.trial.report(self.global_step + 1, loss=loss.item())
        return loss

    def test_step(self, batch, batch_idx, dataloader_idx=0):
        images, digits = batch
        self.log("loss", nn.functional.cross_entropy(self.network(images), digits))


def train(trial: RunningTrial):
    lightning.seed_everything(trial.seed, verbose=False)
    images, digits = (torch.tensor(part) for part in load_digits(return_X_y=True))
    images = images.float() / 16
    parts = [slice(1200), slice(1200, 1500), slice(1500, None)]
    training, validation, test = (TensorDataset(images[part], digits[part]) for part in parts)
    checkpoint = lightning.pytorch.callbacks.ModelCheckpoint(
        trial.folder, every_n_train_steps=50, save_last=True
    )
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_steps=trial.steps,
        callbacks=[checkpoint],
        default_root_dir=trial.folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=False,
    )
    model = Digits(trial)
    # A trial that was killed continues at its last checkpoint.
    last = trial.folder / "last.ckpt"
    trainer.fit(
        model,
        DataLoader(training, batch_size=32, shuffle=True, drop_last=True),
        ckpt_path=last if trial.resumed and last.exists() else None,
    )
    loaders = [DataLoader(part, batch_size=500) for part in (validation, test)]
    # With the model it tests the weights of the end; without it, those of some checkpoint.
    tested = trainer.test(model, dataloaders=loaders, verbose=False)
    losses = [next(iter(part.values())) for part in tested]
    return {"validation": {"loss": losses[0]}, "test": {"loss": losses[1]}}


if __name__ == "__main__":  # for --command
    trial = current_trial()
    trial.finish(train(trial))
