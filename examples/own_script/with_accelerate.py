"""A loop under Accelerate, for `lehr compare`.

The trial's optimizer and scheduler are built before `prepare`, which wraps them as any others:

    lehr compare --train examples/own_script/with_accelerate.py:train --steps 100
"""

import torch
from accelerate import Accelerator
from sklearn.datasets import load_digits
from torch import nn

from lehr.interop.accelerate import prepare
from lehr.lab import RunningTrial, current_trial


def train(trial: RunningTrial):
    accelerator = Accelerator(cpu=True)
    torch.manual_seed(trial.seed)
    images, digits = (torch.tensor(part) for part in load_digits(return_X_y=True))
    images = images.float() / 16
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = trial.optimizer_for(model.parameters())
    scheduler = trial.scheduler_for(optimizer)
    model, optimizer = accelerator.prepare(model, optimizer)
    driver = prepare(accelerator, scheduler)
    for step in range(1, trial.steps + 1):
        batch = torch.randint(0, 1200, (32,))
        with accelerator.accumulate(model):
            loss = nn.functional.cross_entropy(model(images[batch]), digits[batch])
            optimizer.zero_grad()
            accelerator.backward(loss)
            optimizer.step()
            driver.step()
        trial.report(step, loss=loss.item())

    @torch.no_grad()
    def loss_on(part: slice) -> float:
        return nn.functional.cross_entropy(model(images[part]), digits[part]).item()

    validation, test = loss_on(slice(1200, 1500)), loss_on(slice(1500, None))
    return {"validation": {"loss": validation}, "test": {"loss": test}}


if __name__ == "__main__":  # for --command
    trial = current_trial()
    trial.finish(train(trial))
