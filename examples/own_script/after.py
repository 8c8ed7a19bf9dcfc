"""The same script for `lehr compare`, as a function or as a command: the trial decides the rest."""

import torch
from sklearn.datasets import load_digits
from torch import nn

from lehr.lab import RunningTrial, current_trial


def train(trial: RunningTrial):
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

    @torch.no_grad()
    def loss_on(part: slice) -> float:
        return nn.functional.cross_entropy(model(images[part]), digits[part]).item()

    validation, test = loss_on(slice(1200, 1500)), loss_on(slice(1500, None))
    return {"validation": {"loss": validation}, "test": {"loss": test}}


if __name__ == "__main__":  # for --command
    trial = current_trial()
    trial.finish(train(trial))
