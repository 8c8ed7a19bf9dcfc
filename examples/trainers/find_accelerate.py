"""Accelerate: find the peak rate for a schedule with your own training step, then train.

Finds the rate on handwritten digits, prints the suggestion, and trains with it. Each process gets
the same suggestion, because the losses are averaged over them:

    python examples/trainers/find_accelerate.py
    torchrun --standalone --nproc-per-node 2 examples/trainers/find_accelerate.py
"""

import torch
from accelerate import Accelerator
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import lehr
from lehr.interop.accelerate import prepare
from lehr.torch import Scheduler, find_lr

SCHEDULE = lehr.warmup("10%") >> lehr.cosine()
EPOCHS, ACCUMULATE = 6, 2  # batches whose gradients are summed for one update


def main() -> None:
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=ACCUMULATE)
    images, digits = (torch.tensor(part) for part in load_digits(return_X_y=True))
    data = TensorDataset(images.float() / 16, digits)  # pixels from 0 to 1

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model, optimizer, loader = accelerator.prepare(
        model, optimizer, DataLoader(data, batch_size=32, shuffle=True)
    )
    updates = EPOCHS * -(-len(loader) // ACCUMULATE)

    def train_step(batch):
        inputs, targets = batch
        with accelerator.accumulate(model):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
        return loss.detach()

    found = find_lr(
        model,
        loader,
        optimizer=optimizer.optimizer,  # the one inside Accelerate's
        train_step=train_step,
        accumulate=ACCUMULATE,
        schedule=SCHEDULE,
        steps=updates,
    )
    print(f"rank {accelerator.process_index}  peak {found.peak!r}")
    accelerator.print(found)

    for group, rate in zip(optimizer.param_groups, found.peaks, strict=True):
        group["lr"] = rate
    driver = prepare(accelerator, Scheduler(optimizer.optimizer, lr=SCHEDULE, over=updates))
    for epoch in range(EPOCHS):
        total = torch.zeros(1)
        for batch in loader:
            total += train_step(batch) / len(loader)
            driver.step()  # after each batch: it moves when the optimizer does
        loss = accelerator.gather(total).mean().item()
        accelerator.print(f"epoch {epoch}  rate {driver.get_last_lr()[0]:.2g}  loss {loss:.4f}")
    accelerator.end_training()


if __name__ == "__main__":
    main()
