"""A schedule that is stepped after each batch: one cycle.

Trains a small network on handwritten digits and prints, for each epoch, the learning rate and the
momentum of its last update, and the share of the test images that it gets right:

    python examples/train_per_batch.py --epochs 10
"""

import argparse

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lehr.torch import OneCycleLR


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
    parser = argparse.ArgumentParser(description="Train with a rate that is set after each batch.")
    parser.add_argument("--epochs", type=int, default=10, help="at least 1 (default: 10)")
    epochs = parser.parse_args().epochs
    if epochs < 1:
        parser.error(f"--epochs {epochs}: write at least 1")

    torch.manual_seed(0)
    loader, test_x, test_y = load_data()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    loss_function = nn.CrossEntropyLoss()
    # The scheduler sets the rate and the momentum: what is written here is never used.
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    # The cycle is as long as the training: it must know how many updates there will be.
    scheduler = OneCycleLR(optimizer, max_lr=0.3, epochs=epochs, steps_per_epoch=len(loader))

    for epoch in range(epochs):
        model.train()
        for images, labels in loader:
            rate, momentum = optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]
            optimizer.zero_grad()
            loss = loss_function(model(images), labels)
            loss.backward()
            optimizer.step()
            # After each batch: the rate and the momentum for the next one.
            scheduler.step()

        model.eval()
        with torch.no_grad():
            accuracy = (model(test_x).argmax(dim=1) == test_y).float().mean().item()
        print(
            f"epoch {epoch + 1:2d}  rate {rate:.6f}  momentum {momentum:.4f}  "
            f"test accuracy {accuracy:.1%}"
        )


if __name__ == "__main__":
    main()
