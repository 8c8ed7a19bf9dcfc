"""The peak rate for each value of another number, with a user's own training."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from lehr.errors import ScheduleError
from lehr.find.value_sweep import TRIES, SweptValue, ValueSweep
from lehr.torch.finding.find_lr import searched
from lehr.torch.finding.training import TrainingLoop, TrainStep

_BATCH = "batch"


def sweep_lr(
    name: str,
    values: Sequence[Any],
    model: nn.Module | Sequence[nn.Module],
    batches: Iterable[Any] | Callable[[Any], Iterable[Any]],
    loss: Callable[..., Any] | None = None,
    optimizer: Any = None,
    *,
    train_step: TrainStep | None = None,
    accumulate: int = 1,
    scaler: torch.amp.GradScaler | None = None,
    autocast: torch.dtype | None = None,
    others: Sequence[Any] = (),
    **search: Any,
) -> ValueSweep:
    """Find the peak rate for each value of another number, such as the momentum.

    Three short runs at each suggestion give losses for comparing the values; see `docs/find.md` for
    the limits of that comparison. Everything is left as it was found.

    Arguments:
        name: The name that the number has in the optimizer's groups, such as ``"momentum"`` or
            ``"weight_decay"``; ``"batch"`` for the batch size.
        values: Its values. Every group that has the number gets them.
        model: As in :func:`find_lr`, like all arguments here that share a name with one of its own.
        batches: The loader; for ``"batch"``, a function that returns one for a batch size.
        loss: The loss.
        optimizer: The optimizer, or several.
        train_step: The user's own step.
        accumulate: The batches of one update.
        scaler: The gradient scaler.
        autocast: The type that the model computes in.
        others: Other objects with a state.
        **search: ``schedule``, ``steps`` and all other arguments of :func:`find_lr`.

    Raises:
        ScheduleError: If no group has such a number, or another argument is wrong.

    Example:
        >>> import torch
        >>> import lehr
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Linear(4, 1)
        >>> data = [(x := torch.randn(16, 4), x.sum(1, keepdim=True)) for _ in range(120)]
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        >>> swept = sweep_lr(
        ...     "momentum", [0.0, 0.9], model, data, nn.functional.mse_loss, optimizer,
        ...     schedule=lehr.cosine(), steps=500,
        ... )
        >>> [row.value for row in swept.rows], optimizer.param_groups[0]["momentum"]
        (['0.0', '0.9'], 0.9)
    """
    if not values:
        raise ScheduleError("values is empty: give at least one value")
    loop = TrainingLoop(model, loss, optimizer, train_step, accumulate, scaler, autocast, others)
    is_batch = name == _BATCH
    if is_batch and not callable(batches):
        raise ScheduleError(
            "batches must be a function of the batch size, such as lambda size: "
            f"DataLoader(data, size), not a {type(batches).__name__}"
        )
    every = [group for one in loop.optimizers for group in one.param_groups]
    groups = [] if is_batch else [group for group in every if name in group]
    if name == "lr" or not (groups or is_batch):
        known = sorted({key for group in every for key in group} - {"lr", "params"})
        raise ScheduleError(
            f"name={name!r} must be one of {', '.join(known)}, which the optimizer's groups have, "
            f"or {_BATCH!r}"
        )
    rows: list[SweptValue] = []
    for value in values:
        data: Any = batches(value) if callable(batches) and is_batch else batches
        with _set(groups, name, value):
            found, losses = searched(loop, data, tries=TRIES, **search)
        rows.append(SweptValue(str(value), found, losses))
    return ValueSweep(name, tuple(rows))


@contextmanager
def _set(groups: Sequence[dict[str, Any]], name: str, value: Any) -> Generator[None]:
    """Set a number to a value in all groups, for the duration of the block."""
    before = [group[name] for group in groups]
    try:
        for group in groups:
            group[name] = value
        yield
    finally:
        for group, old in zip(groups, before, strict=True):
            group[name] = old
