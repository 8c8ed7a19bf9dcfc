"""Tasks beside the built-in ones on which `benchmarks/find.py` judges finders."""

# pyright: basic

import os
from dataclasses import replace
from pathlib import Path

import torch
from sklearn.datasets import load_diabetes
from torch import nn

from lehr.lab import Task
from lehr.lab.metric import Metric
from lehr.lab.tasks.classification import accuracy
from lehr.lab.tasks.text_file import text_task


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


def characters() -> Task:
    """Return the next character of the text in the file FIND_TEXT, scored by accuracy."""
    path = os.environ["FIND_TEXT"]
    task = text_task(path, Path(path).read_bytes())
    metric = Metric.score("accuracy", guess=0.0)
    return replace(task, name="characters", score=accuracy, metric=metric)
