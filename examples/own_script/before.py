"""A training script as people have them: handwritten digits, one rate, one schedule, one result."""

import torch
from sklearn.datasets import load_digits
from torch import nn


def main() -> None:
    torch.manual_seed(0)
    images, digits = (torch.tensor(part) for part in load_digits(return_X_y=True))
    images = images.float() / 16
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=200)
    for _ in range(200):
        batch = torch.randint(0, 1200, (32,))
        loss = nn.functional.cross_entropy(model(images[batch]), digits[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()

    def loss_on(part: slice) -> float:
        with torch.no_grad():
            return nn.functional.cross_entropy(model(images[part]), digits[part]).item()

    print(f"validation loss {loss_on(slice(1200, 1500)):.3f}")


if __name__ == "__main__":
    main()
