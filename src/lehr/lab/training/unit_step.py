"""Optimizers for stacked networks, each of which has its own rate.

An optimizer has one rate for a whole tensor. But the update of most is linear in the rate: it is
``-rate * direction``, and the direction does not depend on the rate. So torch's optimizer takes a
step of rate 1 on tensors of zeros, which then hold the directions, and every network moves along
its own direction by its own rate. Weight decay depends on the weights, not on zeros, and is linear
too: it is added by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor

from lehr.lab.optimizers import OptimizerEntry


class UnitStep:
    """An optimizer with a separate rate for each network of a stack.

    `counts` says how many networks share a momentum, in the order of the stack; they form a
    parameter group. The stacked weights are (networks, ...) each.
    """

    def __init__(
        self, entry: OptimizerEntry, weights: Sequence[Tensor], counts: Sequence[int]
    ) -> None:
        self._entry, self._weights, self._counts = entry, list(weights), list(counts)
        self._directions = [torch.zeros_like(w, requires_grad=False) for w in weights]
        parts = zip(*(direction.split(self._counts) for direction in self._directions), strict=True)
        self._groups = [list(part) for part in parts]
        # The fused form is faster still, but its rounding of a number depends on its place.
        self._optimizer = entry.make([{"params": part} for part in self._groups], 1.0, foreach=True)
        first = self._optimizer.param_groups[0]
        self._decay = float(first.get("weight_decay", 0))
        # AdamW's decay shrinks the weights directly; other decays are added to the gradient.
        self._apart = bool(self._decay) and bool(
            first["decoupled_weight_decay"]
            if "decoupled_weight_decay" in first
            else _shrinks(entry)
        )
        for group in self._optimizer.param_groups:
            if self._decay:
                group["weight_decay"] = 0.0

    @torch.no_grad()
    def step(
        self, gradients: Sequence[Tensor | None], rates: Tensor, momenta: Sequence[float | None]
    ) -> None:
        """Update the weights, at one rate for each network and one momentum for each group.

        A gradient of None leaves its weights unchanged; a momentum of None leaves the optimizer's.
        """
        for group, momentum in zip(self._optimizer.param_groups, momenta, strict=True):
            if momentum is not None and "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            elif momentum is not None:
                group["momentum"] = momentum
        moved: list[tuple[Tensor, Tensor]] = []
        for place, (weight, gradient) in enumerate(zip(self._weights, gradients, strict=True)):
            pieces: Sequence[Tensor | None] = [None] * len(self._counts)
            if gradient is not None:
                if self._decay and not self._apart:
                    gradient = gradient.add(weight, alpha=self._decay)
                pieces = gradient.contiguous().split(self._counts)
                moved.append((weight, self._directions[place]))
            for group, piece in zip(self._groups, pieces, strict=True):
                group[place].grad = piece
        self._optimizer.step()
        for weight, direction in moved:
            own = rates.view(-1, *[1] * (weight.dim() - 1))
            if self._decay and self._apart:
                weight.mul_(1 - own * self._decay)
            weight.addcmul_(direction, own)
        for direction in self._directions:
            direction.zero_()

    def narrowed(self, weights: Sequence[Tensor], kept: Sequence[int]) -> Self:
        """Return the same optimizer, with its state, for the networks at the indices `kept`."""
        owners = [owner for owner, count in enumerate(self._counts) for _ in range(count)]
        counts = [sum(owners[place] == o for place in kept) for o in range(len(self._counts))]
        narrow = type(self)(self._entry, weights, [count for count in counts if count])
        first, groups = 0, iter(narrow._groups)
        for old, count, left in zip(self._groups, self._counts, counts, strict=True):
            rows = torch.tensor([place - first for place in kept if 0 <= place - first < count])
            first += count
            if left:
                for before, after in zip(old, next(groups), strict=True):
                    state = self._optimizer.state.get(before, {})
                    narrow._optimizer.state[after] = _rows(state, before.shape, rows)
        # Some optimizers count their steps in the groups.
        old_groups = [
            g for g, left in zip(self._optimizer.param_groups, counts, strict=True) if left
        ]
        for before, after in zip(old_groups, narrow._optimizer.param_groups, strict=True):
            after |= {name: value for name, value in before.items() if name != "params"}
        return narrow


def _shrinks(entry: OptimizerEntry) -> bool:
    """Test with gradients of zero whether weight decay shrinks the weights directly."""
    start, rate = torch.tensor([1.0, -0.5]), 0.25
    weights = start.clone()
    optimizer = entry.make([weights], rate)
    for _ in range(2):
        weights.grad = torch.zeros(2)
        optimizer.step()
    decay = float(optimizer.param_groups[0]["weight_decay"])
    return torch.allclose(weights, start * (1 - rate * decay) ** 2)


def _rows(state: dict[str, Any], shape: torch.Size, rows: Tensor) -> dict[str, Any]:
    """Return the optimizer's state for some of the networks; shared state is kept unchanged."""
    return {
        name: value[rows.to(value.device)]
        if isinstance(value, Tensor) and value.shape == shape
        else value
        for name, value in state.items()
    }
