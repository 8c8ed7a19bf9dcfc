"""A typical training script: handwritten digits, one rate, one schedule, one result."""

import torch
from sklearn.datasets import load_digits
from torch import nn


def train():
    torch.manual_seed(0)
    images, digits = (torch.tensor(part) for part in load_digits(return_X_y=True))
    images = images.float() / 16
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=200)
    for step in range(1, 201):
        batch = torch.randint(0, 1200, (32,))
        loss = nn.functional.cross_entropy(model(images[batch]), digits[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if step % 20 == 0:
            print(f"step {step}  loss {loss.item():.3f}")

    @torch.no_grad()
    def loss_on(part: slice) -> float:
        return nn.functional.cross_entropy(model(images[part]), digits[part]).item()

    validation, test = loss_on(slice(1200, 1500)), loss_on(slice(1500, None))
    print(f"validation loss {validation:.3f}, test loss {test:.3f}")


if __name__ == "__main__":
    train()
