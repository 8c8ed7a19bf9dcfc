"""Tasks beside the built-in ones, and Lion, with which `benchmarks/find.py` judges finders."""

# pyright: basic

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from sklearn.datasets import (
    load_diabetes,
    load_digits,
    make_friedman1,
    make_friedman3,
    make_moons,
)
from torch import nn

from lehr.lab import Task
from lehr.lab.metric import Metric
from lehr.lab.tasks.classification import accuracy, cross_entropy
from lehr.lab.tasks.seeding import seeded
from lehr.lab.tasks.text_file import text_task


def _explained(outputs: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    rest = (outputs - wanted).square().mean() / wanted.var(correction=0)
    return (1 - rest).clamp(0, 1).double()


def _regression(inputs, targets, *widths: int) -> Task:
    """Return a regression, scored by the share of the variance that it explains."""
    x = torch.tensor(inputs, dtype=torch.float32)
    y = torch.tensor(targets, dtype=torch.float32)[:, None]

    def model() -> nn.Module:
        layers: list[nn.Module] = []
        for a, b in zip((x.shape[1], *widths), widths, strict=False):
            layers += [nn.Linear(a, b), nn.Tanh()]
        return nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    return Task.from_tensors(
        (x - x.mean(0)) / x.std(0),
        (y - y.mean()) / y.std(),
        model=model,
        loss=nn.functional.mse_loss,
        score=_explained,
    )


def diabetes() -> Task:
    """Return a regression on 222 noisy rows, which whole runs overfit."""
    inputs, targets = load_diabetes(return_X_y=True)
    return _regression(inputs, targets, 32)


def friedman() -> Task:
    """Return a regression on 2,000 rows of Friedman's function."""
    return _regression(*make_friedman1(2_000, noise=0.5, random_state=1), 32, 32)


def angles() -> Task:
    """Return a regression on 1,500 rows of Friedman's third function, an angle."""
    return _regression(*make_friedman3(1_500, noise=0.1, random_state=2), 48)


def moons() -> Task:
    """Return two noisy half moons, 2,000 points."""
    x, y = make_moons(2_000, noise=0.25, random_state=4)
    return Task.from_tensors(
        torch.tensor(x, dtype=torch.float32),
        torch.tensor(y),
        model=lambda: nn.Sequential(
            nn.Linear(2, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 2)
        ),
        loss=cross_entropy,
        score=accuracy,
        batch_size=32,
    )


def characters() -> Task:
    """Return the next character of the text in the file FIND_TEXT, scored by accuracy."""
    path = os.environ["FIND_TEXT"]
    task = text_task(path, Path(path).read_bytes())
    metric = Metric.score("accuracy", guess=0.0)
    return replace(task, name="characters", score=accuracy, metric=metric)


class Recurrent(nn.Module):
    """Gated recurrent units, in plain operations, so that many can be trained as one."""

    def __init__(self, kinds: int, width: int = 48) -> None:
        super().__init__()
        self.characters, self.width = nn.Embedding(kinds, width), width
        self.inputs, self.gates = nn.Linear(width, 3 * width), nn.Linear(width, 2 * width)
        self.candidate, self.guesses = nn.Linear(width, width), nn.Linear(width, kinds)

    def forward(self, text: torch.Tensor) -> torch.Tensor:
        rows = self.inputs(self.characters(text))
        state = torch.zeros_like(rows[..., 0, : self.width])
        states = []
        for row in rows.unbind(-2):
            keep, reset, new = row.split(self.width, -1)
            a, b = self.gates(state).split(self.width, -1)
            keep, reset = torch.sigmoid(keep + a), torch.sigmoid(reset + b)
            state = keep * state + (1 - keep) * torch.tanh(new + self.candidate(reset * state))
            states.append(state)
        return self.guesses(torch.stack(states, -2))


def recurrent() -> Task:
    """Return the characters with a recurrent network."""
    task = characters()
    kinds = int(task.load().train.inputs.max()) + 1

    def model(generator: torch.Generator) -> nn.Module:
        with seeded(generator.initial_seed()):
            return Recurrent(kinds)

    return replace(task, name="recurrent", model=model)


def _digits(half: int, turned: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = load_digits(return_X_y=True)
    images = torch.tensor(x[half::2] / 16, dtype=torch.float32).reshape(-1, 8, 8)
    images = images.rot90(1, (1, 2)) if turned else images
    return images.reshape(-1, 64), torch.tensor(y[half::2])


@cache
def _trained(seed: int) -> dict[str, torch.Tensor]:
    """Return the weights of a perceptron that was trained on one half of the digits."""
    x, y = _digits(0)
    with seeded(seed):
        model = _perceptron()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for step in range(600):
            optimizer.param_groups[0]["lr"] = 0.01 * (1 - step / 600)
            rows = torch.randint(len(x), (64,))
            optimizer.zero_grad()
            cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
    return model.state_dict()


def _perceptron() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
    )


def _tuned(turned: bool) -> Task:
    def model(generator: torch.Generator) -> nn.Module:
        network = _perceptron()
        network.load_state_dict(_trained(generator.initial_seed() % 8))
        return network

    x, y = _digits(1, turned)
    task = Task.from_tensors(
        x, y, model=_perceptron, loss=cross_entropy, score=accuracy, batch_size=32
    )
    return replace(task, model=model)


def turned() -> Task:
    """Return a perceptron that knows one half of the digits, and learns the other turned by 90°."""
    return _tuned(turned=True)


def converged() -> Task:
    """Return a perceptron that knows one half of the digits, and goes on with the other."""
    return _tuned(turned=False)


class Lion(torch.optim.Optimizer):
    """Lion (https://arxiv.org/abs/2302.06675): each weight moves by the rate, up or down."""

    def __init__(self, params, lr: float = 1e-4, betas=(0.9, 0.99), weight_decay: float = 0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            lr, (now, kept) = group["lr"], group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                mean = self.state[p].setdefault("mean", torch.zeros_like(p))
                p.mul_(1 - lr * group["weight_decay"])
                p.add_(mean.lerp(p.grad, 1 - now).sign_(), alpha=-lr)
                mean.lerp_(p.grad, 1 - kept)
        return loss
