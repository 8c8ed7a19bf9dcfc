"""Your own task: `lehr compare --task examples/own_task.py:make_task --quick`."""

import torch
from sklearn.datasets import load_wine
from torch import nn

from lehr.lab import Metric, Task


def make_task() -> Task:
    table, kinds = (torch.tensor(part) for part in load_wine(return_X_y=True))
    return Task.from_tensors(
        ((table - table.mean(0)) / table.std(0)).float(),
        kinds,
        model=lambda: nn.Sequential(nn.Linear(13, 16), nn.Tanh(), nn.Linear(16, 3)),
        loss=nn.functional.cross_entropy,
        score=lambda outputs, targets: (outputs.argmax(-1) == targets).double().mean(),
        metric=Metric.score("accuracy", guess=0.4),
    )
