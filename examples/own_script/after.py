"""The same script for `lehr compare --train after.py:train`: the trial decides what was fixed."""

import torch
from sklearn.datasets import load_digits
from torch import nn

from lehr.lab import RunningTrial


def train(trial: RunningTrial) -> dict[str, dict[str, float]]:
    torch.manual_seed(trial.seed)
    images, digits = (torch.tensor(part) for part in load_digits(return_X_y=True))
    images = images.float() / 16
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = trial.optimizer_for(model.parameters())
    scheduler = trial.scheduler_for(optimizer)
    for step in range(1, trial.steps + 1):
        batch = torch.randint(0, 1200, (32,))
        loss = nn.functional.cross_entropy(model(images[batch]), digits[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        trial.report(step, loss=loss.item())

    def loss_on(part: slice) -> float:
        with torch.no_grad():
            return nn.functional.cross_entropy(model(images[part]), digits[part]).item()

    return {
        "validation": {"loss": loss_on(slice(1200, 1500))},
        "test": {"loss": loss_on(slice(1500, None))},
    }
