"""Tasks beside the built-in ones on which `benchmarks/find.py` judges finders."""

# pyright: basic

import torch
from sklearn.datasets import load_diabetes
from torch import nn

from lehr.lab import Task


def regression() -> Task:
    """Return a regression, scored by the share of the variance that it explains."""
    inputs, targets = load_diabetes(return_X_y=True)
    x = torch.tensor(inputs, dtype=torch.float32)
    y = torch.tensor(targets, dtype=torch.float32)[:, None]

    def explained(outputs: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        rest = (outputs - wanted).square().mean() / wanted.var(correction=0)
        return (1 - rest).clamp(0, 1).double()

    return Task.from_tensors(
        (x - x.mean(0)) / x.std(0),
        (y - y.mean()) / y.std(),
        model=lambda: nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 1)),
        loss=nn.functional.mse_loss,
        score=explained,
    )
