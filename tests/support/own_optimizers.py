"""Optimizers as a person would write them, for texts such as ``lion.py:Lion``."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer


class Lion(Optimizer):
    """Lion (arXiv 2302.06675): the sign of an average moves each number by the whole rate."""

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                average = self.state[p].setdefault("average", torch.zeros_like(p))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.sub_(group["lr"] * (beta1 * average + (1 - beta1) * p.grad).sign())
                average.mul_(beta2).add_(p.grad, alpha=1 - beta2)


class ScheduleFree(Optimizer):
    """Schedule-free SGD (arXiv 2405.15682), with the modes of its authors' package."""

    def __init__(self, params, lr=1.0, beta=0.9):
        super().__init__(params, {"lr": lr, "beta": beta, "steps": 0, "training": False})

    def _move(self, training: bool) -> None:
        for group in self.param_groups:
            beta = group["beta"]
            for p in group["params"] if group["training"] != training else ():
                if "z" in self.state[p]:
                    # y = (1 - beta) z + beta x
                    z = self.state[p]["z"]
                    p.data.lerp_(z, 1 - beta) if training else p.data.lerp_(z, 1 - 1 / beta)
            group["training"] = training

    def train(self) -> None:
        self._move(True)

    def eval(self) -> None:
        self._move(False)

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            if not group["training"]:
                raise RuntimeError("call train() first")
            group["steps"] += 1
            share, beta = 1 / group["steps"], group["beta"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                z = self.state[p].setdefault("z", p.detach().clone())
                x = p.lerp(z, 1 - 1 / beta)
                z.sub_(group["lr"] * p.grad)
                x.lerp_(z, share)
                p.copy_(x.lerp(z, 1 - beta))


class SAM(Optimizer):
    """Sharpness-aware minimisation (arXiv 2010.01412), in the form that is used most."""

    def __init__(self, params, base_optimizer, rho=0.05, **kwargs):
        super().__init__(params, {"rho": rho, **kwargs})
        self.base = base_optimizer(self.param_groups, **kwargs)
        self.param_groups = self.base.param_groups

    def step(self, closure=None):
        assert closure is not None, "SAM needs a closure"
        every = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        size = torch.stack([p.grad.norm() for p in every]).norm()
        moves = [p.grad * self.param_groups[0]["rho"] / (size + 1e-12) for p in every]
        with torch.no_grad():
            for p, move in zip(every, moves, strict=True):
                p.add_(move)
        with torch.enable_grad():
            closure()
        with torch.no_grad():
            for p, move in zip(every, moves, strict=True):
                p.sub_(move)
        self.base.step()


class Lookahead:
    """k steps forward, one step back (arXiv 1907.08610), around any optimizer."""

    def __init__(self, optimizer: Any, k: int = 5, alpha: float = 0.5):
        self.optimizer, self.k, self.alpha, self.made = optimizer, k, alpha, 0
        self.slow = [[p.detach().clone() for p in g["params"]] for g in optimizer.param_groups]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return self.optimizer.param_groups

    def zero_grad(self) -> None:
        self.optimizer.zero_grad()

    @torch.no_grad()
    def step(self) -> None:
        self.optimizer.step()
        self.made += 1
        for group, slow in zip(self.param_groups, self.slow, strict=True):
            for p, kept in zip(group["params"], slow, strict=True):
                if self.made % self.k == 0:
                    p.copy_(kept.lerp_(p, self.alpha))


class Growing(Optimizer):
    """SGD that finds its own rate from all parameters together (as D-Adaptation, 2301.07733)."""

    def __init__(self, params, lr=1.0):
        super().__init__(params, {"lr": lr, "d": 1e-6, "numerator": 0.0})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            rate, size = group["d"] * group["lr"], 0.0
            for p in group["params"]:
                start = self.state[p].setdefault("start", p.detach().clone())
                total = self.state[p].setdefault("total", torch.zeros_like(p))
                group["numerator"] += float(rate * (p.grad * (start - p)).sum())
                total.add_(p.grad, alpha=rate)
                size += float(total.abs().sum())
            group["d"] = max(group["d"], group["numerator"] / (size + 1e-30))
            for p in group["params"]:
                p.sub_(p.grad, alpha=rate)
