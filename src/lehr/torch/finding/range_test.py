"""The classic range test, with a user's own model, data and training step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import torch
from torch import nn

from lehr.catalogue.derived import range_ramp
from lehr.errors import whole
from lehr.find.sweep import Sweep, has_risen
from lehr.torch.finding.training import Training, TrainingLoop, TrainStep


def range_test(
    model: nn.Module | Sequence[nn.Module],
    batches: Iterable[Any],
    loss: Callable[..., Any] | None = None,
    optimizer: Any = None,
    *,
    start: float = 1e-7,
    to: float = 10.0,
    updates: int = 100,
    log: bool = True,
    score: Callable[[], float] | None = None,
    train_step: TrainStep | None = None,
    accumulate: int = 1,
    scaler: torch.amp.GradScaler | None = None,
    autocast: torch.dtype | None = None,
    others: Sequence[Any] = (),
) -> Sweep:
    """Train once with a rising rate, and record the losses; everything is left as it was found.

    The run ends early if the loss is not finite or rises far above its initial value.

    Source: Smith 2015, arXiv:1506.01186 (``log=False`` and a ``score``).

    Arguments:
        model: As in :func:`find_lr`, like all arguments here that share a name with one of its own.
        batches: The loader.
        loss: The loss.
        optimizer: The optimizer.
        start: The rate of the first update.
        to: The rate of the last update.
        updates: The number of updates, at least 2.
        log: Whether the rate rises by equal factors rather than by equal steps.
        score: Called after each update; returns the model's score at that point, such as its
            accuracy on validation data. With it, the run does not end early because of its loss.
        train_step: The user's own step.
        accumulate: The batches of one update.
        scaler: The gradient scaler.
        autocast: The type that the model computes in.
        others: Other objects with a state.

    Returns:
        The recorded run: ``suggest`` applies a classic rule, ``base_and_max`` returns Smith's pair.

    Raises:
        ScheduleError: If an argument is wrong.
    """
    loop = TrainingLoop(model, loss, optimizer, train_step, accumulate, scaler, autocast, others)
    ramp = range_ramp(whole("updates", updates, at_least=2) - 1, start=start, to=to, log=log)
    rates, losses, scores = [ramp(t) for t in range(updates)], list[float](), list[float]()
    lowest, mean = math.inf, 0.0
    training = Training(loop, batches, updates)
    with training, closing(training.run(rates)) as made:
        for found in made:
            losses.append(found)
            if score is not None:
                scores.append(float(score()))
            mean = 0.9 * mean + 0.1 * found
            smooth = mean / (1 - 0.9 ** len(losses))
            if not math.isfinite(found) or (score is None and has_risen(smooth, losses[0], lowest)):
                break
            lowest = min(lowest, smooth)
    return Sweep(
        np.array(rates[: len(losses)]),
        np.array(losses),
        None if score is None else np.array(scores),
        updates,
    )
