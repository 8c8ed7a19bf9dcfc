# pyright: basic
"""A task of one's own: `lehr compare --task examples/own_task.py:make_task --quick`."""

import torch
from sklearn.datasets import load_wine
from torch import nn

from lehr.lab import Task


def make_task() -> Task:
    table, kinds = load_wine(return_X_y=True)
    inputs = torch.tensor(table, dtype=torch.float32)
    inputs = (inputs - inputs.mean(0)) / inputs.std(0)

    def accuracy(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return (outputs.argmax(-1) == targets).double().mean()

    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(13, 16), nn.Tanh(), nn.Linear(16, 3))

    return Task.from_tensors(
        inputs, torch.tensor(kinds), model, nn.functional.cross_entropy, accuracy, chance=0.4
    )
