"""A noisy quadratic, on which the expected loss of SGD has a closed form.

The loss of one sample is ``1/2 sum_i h_i (w_i - x_i)^2``: the weights ``w`` seek the mean of the
samples ``x``, which are normal around 0, in directions of very different curvature ``h``. The noise
of a batch does not fade, so with a rate that stays high the loss stays high, and a rate that falls
too early never gets there: the trade-off that schedules are about, without a network's randomness.
See "An Empirical Model of Large-Batch Training" (McCandlish et al. 2018, arXiv:1812.06162) and
"Which Algorithmic Choices Matter at Which Batch Sizes? Insights From a Noisy Quadratic Model"
(Zhang et al. 2019, arXiv:1907.04164).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lehr.lab.metric import Metric
from lehr.lab.tasks.base import Data, Split, Task

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


DIMENSIONS = 16
NOISE = 1.0  # the standard deviation of a sample in each direction
SAMPLES = 16_384

_BATCH = 8
_SOFTEST = 0.01
_DATA_SEED = 0


def curvatures() -> Tensor:
    """The curvature of each direction, (DIMENSIONS,): evenly spaced in log from 1 to 0.01."""
    import torch

    return torch.logspace(0, -2, DIMENSIONS)


@cache
def _load() -> Data:
    import torch

    generator = torch.Generator().manual_seed(_DATA_SEED)
    drawn = NOISE * torch.randn(SAMPLES, DIMENSIONS, generator=generator)
    # Around the true mean, the loss is the excess over the best possible, without sampling noise.
    truth = Split(torch.zeros(1, DIMENSIONS), torch.zeros(1))
    return Data(Split(drawn, torch.zeros(SAMPLES)), truth, truth)


def _model(generator: torch.Generator) -> nn.Module:
    import torch
    from torch import nn

    class Point(nn.Module):
        """The weights; the output is their distance from each sample."""

        def __init__(self) -> None:
            super().__init__()
            self.place = nn.Parameter(torch.randn(DIMENSIONS, generator=generator))

        def forward(self, inputs: Tensor) -> Tensor:
            return self.place - inputs

    return Point()


def _loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return 0.5 * (curvatures().to(outputs) * outputs.square()).sum(-1).mean()


# The expected loss of the starting weights, which is that of a guess.
_AT_START = sum(0.5 * 100 ** (-i / (DIMENSIONS - 1)) for i in range(DIMENSIONS))

TASK = Task(
    name="quadratic",
    summary=f"a noisy quadratic of {DIMENSIONS} directions, curvatures from {_SOFTEST:g} to 1",
    network=f"a point, {DIMENSIONS} weights",
    train=SAMPLES,
    validation=1,
    test=1,
    batch_size=_BATCH,
    metric=Metric.loss("excess loss", guess=_AT_START),
    load=_load,
    model=_model,
    loss=_loss,
)
