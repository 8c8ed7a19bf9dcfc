"""A schedule that is stepped once an epoch: up, hold, down.

Trains a small network on handwritten digits and prints, for each epoch, the learning rate that it
used and the share of the test images that it gets right:

    python examples/train_per_epoch.py --epochs 15
"""

import argparse

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lehr.torch import TrapezoidalLR


def load_data() -> tuple[DataLoader, torch.Tensor, torch.Tensor]:
    """Return the training images in batches, and the test images with their digits."""
    images, labels = load_digits(return_X_y=True)
    images = images / 16  # pixels from 0 to 1
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=0.25, random_state=0, stratify=labels
    )
    train_x, test_x = (torch.tensor(x, dtype=torch.float32) for x in (train_x, test_x))
    train_y, test_y = torch.tensor(train_y), torch.tensor(test_y)
    loader = DataLoader(TensorDataset(train_x, train_y), batch_size=32, shuffle=True)
    return loader, test_x, test_y


def main() -> None:
    parser = argparse.ArgumentParser(description="Train with a rate that is set once an epoch.")
    parser.add_argument("--epochs", type=int, default=15, help="at least 3 (default: 15)")
    epochs = parser.parse_args().epochs
    if epochs < 3:
        parser.error(f"--epochs {epochs}: up, hold and down take at least 3 epochs")

    torch.manual_seed(0)
    loader, test_x, test_y = load_data()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    loss_function = nn.CrossEntropyLoss()
    # The scheduler sets the learning rate: what is written as `lr` here is never used.
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    # A third of the epochs up to the highest rate, a third there, a third back down.
    third = epochs // 3
    scheduler = TrapezoidalLR(
        optimizer, base_lr=0.01, max_lr=0.2, step_size=third, anneal_start_epoch=epochs - third
    )

    for epoch in range(epochs):
        rate = scheduler.get_last_lr()[0]

        model.train()
        for images, labels in loader:
            optimizer.zero_grad()
            loss = loss_function(model(images), labels)
            loss.backward()
            optimizer.step()

        # Once an epoch, after its updates: the rate for the next one.
        scheduler.step()

        model.eval()
        with torch.no_grad():
            accuracy = (model(test_x).argmax(dim=1) == test_y).float().mean().item()
        print(f"epoch {epoch + 1:2d}  rate {rate:.6f}  test accuracy {accuracy:.1%}")


if __name__ == "__main__":
    main()
