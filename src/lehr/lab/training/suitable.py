"""A test of whether a task's networks can be trained side by side.

Two small networks make an update on a tiny batch, side by side and one by one. If the results
differ, or the first fails, the networks are trained one by one.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from torch.func import functional_call

from lehr.catalogue.decay.elementary import constant
from lehr.lab.errors import TaskError, describe
from lehr.lab.optimizers import find_optimizer, label
from lehr.lab.tasks.base import Split, Task
from lehr.lab.tasks.registry import find_task
from lehr.lab.tasks.seeding import network, seeded
from lehr.lab.training.loop import stacked
from lehr.lab.training.single import SingleNetwork
from lehr.lab.training.unit_step import UnitStep
from lehr.lab.trial import Trial

_SAMPLES = 4
_UPDATES = 12  # some optimizers do something else in every fifth or tenth update
# Side by side, sums are computed in another order; a wrong result is off by much more.
_RELATIVE, _ABSOLUTE = 1e-3, 1e-5

Gradients = dict[str, Tensor]


@cache
def obstacle(task: str, optimizer: str) -> str | None:
    """Return why networks of this task cannot be trained side by side, or None if they can.

    The reason is phrased to follow "is trained one run at a time: ". An optimizer that cannot train
    such a network at all raises TaskError.
    """
    found = find_task(task)
    with seeded(0):
        reason = _of_network(found) or _of_optimizer(optimizer)
        if reason is not None:
            _check_alone(found, optimizer)
    return reason


def _check_alone(task: Task, optimizer: str) -> None:
    """Check that an optimizer makes an update of a network by itself."""
    trial = Trial(task.name, optimizer, constant(), None, steps=1, peak=1e-3, seed=0)
    try:
        SingleNetwork(trial, task).update()
    # The optimizer may be a user's, and raise anything.
    except Exception as error:
        raise TaskError(
            f"optimizer {label(optimizer)} cannot train the network of task {task.name}: "
            f"{describe(error)}"
        ) from error


def _of_network(task: Task) -> str | None:
    data = task.load()
    if not all(isinstance(part, Split) for part in data) or not isinstance(data.train, Split):
        return "its data come in batches of their own"
    few = Split(*(part[: min(_SAMPLES, task.batch_size)] for part in data.train))
    networks = [network(task, seed) for seed in (0, 1)]
    alone: list[tuple[Tensor, Gradients]] = []
    for one in networks:
        before = {name: buffer.clone() for name, buffer in one.named_buffers()}
        state = torch.get_rng_state()
        alone.append(_gradients(task, one, few))
        moved = [n for n, b in one.named_buffers() if not torch.equal(b, before[n])]
        if moved:
            return f"its network keeps running numbers ({', '.join(moved)})"
        if not torch.equal(torch.get_rng_state(), state):
            return "its network draws random numbers, as dropout does"
    try:
        together = _side_by_side(task, networks, few)
    # Any error that a user's network raises under vmap is the reason.
    except Exception as error:
        return f"torch.vmap cannot take its network ({_first_sentence(error)})"
    if not all(_alike(a, b) for a, b in zip(alone, together, strict=True)):
        return "its network computes something else under torch.vmap"
    return None


def _first_sentence(error: Exception) -> str:
    message = str(error).strip().partition("\n")[0].partition(". ")[0]
    return f"{type(error).__name__}: {message}"


def _gradients(task: Task, one: nn.Module, data: Split) -> tuple[Tensor, Gradients]:
    loss = task.loss(one(data.inputs), data.targets)
    trained = {name: p for name, p in one.named_parameters() if p.requires_grad}
    found = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
    return loss.detach(), {n: g for n, g in zip(trained, found, strict=True) if g is not None}


def _side_by_side(
    task: Task, networks: list[nn.Module], data: Split
) -> list[tuple[Tensor, Gradients]]:
    weights, buffers = stacked(networks)
    trained = {n: w.detach().requires_grad_() for n, w in weights.items() if w.requires_grad}
    others = {n: w.detach() for n, w in (weights | buffers).items() if n not in trained}

    def loss(weights: Gradients, others: Gradients) -> tuple[Tensor, Tensor]:
        outputs = functional_call(networks[0], {**weights, **others}, (data.inputs,))
        return task.measures(outputs, data.targets)

    _, losses = torch.vmap(loss)(trained, others)
    found = torch.autograd.grad(losses.sum(), list(trained.values()), allow_unused=True)
    return [
        (
            losses[i].detach(),
            {n: g[i] for n, g in zip(trained, found, strict=True) if g is not None},
        )
        for i in range(len(networks))
    ]


def _alike(one: tuple[Tensor, Gradients], other: tuple[Tensor, Gradients]) -> bool:
    (loss, gradients), (loss_, gradients_) = one, other
    return gradients.keys() == gradients_.keys() and all(
        _close(a, b)
        for a, b in [(loss, loss_), *((gradients[n], gradients_[n]) for n in gradients)]
    )


def _close(one: Tensor, other: Tensor) -> bool:
    scale = float(one.abs().max()) if one.numel() else 0.0
    return torch.allclose(
        one, other, rtol=_RELATIVE, atol=_ABSOLUTE * max(scale, 1e-30), equal_nan=True
    )


def _of_optimizer(text: str) -> str | None:
    """Compare an optimizer on three stacks of random weights with itself on each one alone."""
    entry = find_optimizer(text)
    if entry.rest is not None:
        return f"{entry.kind} trains matrices, and {entry.rest.kind} the rest"
    if entry.inner is not None:
        return f"{entry.kind} wraps another optimizer"
    # The rates change, as under a schedule: some optimizers use the first one only.
    factors = torch.tensor([1.0, 0.3, 2.0]).repeat(_UPDATES // 3).view(-1, 1)
    rates = torch.tensor([0.5, 0.01, 0.1]) * factors
    shapes = [(3, 4, 5), (3, 4)]
    # In float64, so that even tiny movements, such as Prodigy's, can be compared.
    start = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
    # With a constant slope, along which optimizers that find their own rate speed up.
    gradients = [
        [weights + 0.5 * torch.randn_like(weights) for weights in start] for _ in range(_UPDATES)
    ]
    together = [weights.clone() for weights in start]
    try:
        stacked = UnitStep(entry, together, [3])
        for step, now in zip(gradients, rates, strict=True):
            # Copies, because some optimizers modify the gradients.
            stacked.step([gradient.clone() for gradient in step], now, [None])
    # LBFGS and others each raise an error of their own.
    except Exception as error:
        return f"{entry.kind} cannot move stacked networks ({_first_sentence(error)})"
    for i in range(3):
        alone = [weights[i].clone().requires_grad_() for weights in start]
        optimizer = entry.make(alone, float(rates[0, i]))
        for step, now in zip(gradients, rates, strict=True):
            optimizer.param_groups[0]["lr"] = float(now[i])
            for weights, gradient in zip(alone, step, strict=True):
                weights.grad = gradient[i].clone()
            optimizer.step()
        moved = [
            (a.detach() - begun[i], b[i] - begun[i])
            for a, b, begun in zip(alone, together, start, strict=True)
        ]
        if not all(_close(a, b) for a, b in moved):
            return f"the update of {entry.kind} looks at more than each number and its own rate"
    return None
