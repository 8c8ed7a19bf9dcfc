"""The peak rate for a schedule, with a user's own model, data and training step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from lehr.errors import ScheduleError, whole
from lehr.find.ladder import BATCHES, Ladder
from lehr.find.longer import REPEATS, LongerRuns, least_for_longer, longest
from lehr.find.runs import BUDGET, ShortRun, end_of, updates_of
from lehr.find.suggestion import Suggestion
from lehr.find.value_sweep import tried_updates
from lehr.notation import ScheduleLike, as_schedule
from lehr.schedule.horizon import Horizon, HorizonLike
from lehr.torch.finding.training import (
    Training,
    TrainStep,
    epoch_of,
    family,
    own_step,
    validation_loss,
)


def find_lr(
    model: nn.Module | Sequence[nn.Module],
    batches: Iterable[Any],
    loss: Callable[..., Any] | None = None,
    optimizer: Any = None,
    *,
    schedule: ScheduleLike,
    steps: HorizonLike,
    train_step: TrainStep | None = None,
    accumulate: int = 1,
    scaler: torch.amp.GradScaler | None = None,
    autocast: torch.dtype | None = None,
    others: Sequence[Any] = (),
    budget: int | str = BUDGET,
    validation: Iterable[Any] | None = None,
    score: Callable[[], float] | None = None,
    watch: Callable[[int], object] = lambda _: None,
) -> Suggestion:
    """Find the peak rate for a schedule over a run, by short runs of that schedule.

    Short runs of the schedule, squeezed into 10 and 40 updates, start from the present state and
    see the same batches. The rate at which they lose their progress is the edge, and the peak is a
    known distance below it; see `docs/find.md`. All groups move by one factor, so that the ratios
    of their rates are kept.

    Everything is left as it was found, also after an error or Ctrl-C: parameters, buffers and
    gradients, the mode of each submodule, optimizer and scaler, the random states of torch, its
    devices, NumPy and Python, the loader's generator and, where it has one, its state. A batch
    whose tensors a step changes in place stays changed, and an iterator loses what was taken.

    Where several processes train together, each calls this at the same time. The losses are
    averaged over them, so that all get the same suggestion.

    Arguments:
        model: The model, or several.
        batches: The loader, or any iterable; of 120 updates or fewer, which are then repeated.
        loss: ``(outputs, targets) -> loss`` for batches of inputs and targets. The inputs may be a
            tensor, a tuple or a dict, for which the model is called with one, several or keyword
            arguments. Without it, the model is called with the whole batch and returns its loss:
            a tensor, several (their sum counts), a dict with ``"loss"`` or an object with ``loss``.
        optimizer: The optimizer, or several; the rates that it has are where the search begins.
        schedule: The schedule that will be trained with, or its text.
        steps: The length of the run that will be trained.
        train_step: ``batch -> loss``, in place of ``loss``, for any other training: it makes a
            whole update, with ``zero_grad``, ``backward`` and ``step``, and must not step a
            scheduler.
        accumulate: The batches of one update. ``train_step`` is called once for each of them.
        scaler: The gradient scaler; with ``train_step``, the one that it uses.
        autocast: The type that the model computes in, such as ``torch.bfloat16``.
        others: Other objects whose state a step changes, to be put back: averaged weights,
            a second scaler, a scheduler.
        budget: The most updates that the search may take, at least 60; or a share of the run,
            such as ``"10%"``. What a large one leaves is spent on longer runs at the suggestion and
            beside it, which move it where another rate is clearly better.
        validation: Validation data, as a loader of batches or any iterable that starts anew each
            time. The mean loss on them after each of the longer runs decides in place of their
            training loss, which does not see what a long run overfits.
        score: The same as a function, such as the accuracy on validation data: called after each
            of the longer runs, with the model as it is then. Higher is better.
        watch: Called after each run with the updates made so far.

    Returns:
        The suggestion; ``peak`` is the rate of the first group, ``peaks`` has those of all.

    Raises:
        ScheduleError: If an argument is wrong, there are no batches, or a group has no rate. Also
            if the budget leaves no longer runs for ``validation`` or ``score`` to decide between.

    Warns:
        UserWarning: If ``batches`` is an iterator.

    Example:
        >>> import lehr
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Linear(4, 1)
        >>> data = [(x := torch.randn(16, 4), x.sum(1, keepdim=True)) for _ in range(120)]
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        >>> found = find_lr(
        ...     model, data, nn.functional.mse_loss, optimizer, schedule=lehr.cosine(), steps=1_000
        ... )
        >>> 0.01 < found.peak < 0.5
        True
    """
    found, _ = searched(
        model,
        batches,
        loss,
        optimizer,
        schedule=schedule,
        steps=steps,
        train_step=train_step,
        accumulate=accumulate,
        scaler=scaler,
        autocast=autocast,
        others=others,
        budget=budget,
        validation=validation,
        score=score,
        watch=watch,
    )
    return found


def searched(
    model: nn.Module | Sequence[nn.Module],
    batches: Iterable[Any],
    loss: Callable[..., Any] | None = None,
    optimizer: Any = None,
    *,
    schedule: ScheduleLike,
    steps: HorizonLike,
    train_step: TrainStep | None = None,
    accumulate: int = 1,
    scaler: torch.amp.GradScaler | None = None,
    autocast: torch.dtype | None = None,
    others: Sequence[Any] = (),
    budget: int | str = BUDGET,
    validation: Iterable[Any] | None = None,
    score: Callable[[], float] | None = None,
    watch: Callable[[int], object] = lambda _: None,
    tries: int = 0,
) -> tuple[Suggestion, tuple[float, ...]]:
    """Find the peak rate as `find_lr` does, and the losses of short runs at it.

    Arguments:
        tries: The number of these runs, each on other batches.
    """
    modules, optimizers = sequence_of("model", model), sequence_of("optimizer", optimizer)
    step = step_of(modules, loss, optimizers, train_step, scaler, autocast, accumulate)
    horizon = Horizon.of(steps)
    allowed = updates_of(budget, horizon.steps)
    cost = _cost_of(modules, loss, optimizers, train_step, autocast, validation, score)
    if cost is not None and not longest(allowed - BUDGET, horizon.steps):
        raise ScheduleError(
            f"budget={budget!r} leaves no longer runs, and {'score' if score else 'validation'}= "
            f"decides between those: write budget={BUDGET + least_for_longer(horizon.steps)} or "
            "more"
        )
    training = Training(
        modules,
        optimizers,
        batches,
        step,
        others=[*others, *([] if scaler is None else [scaler])],
        loaders=[] if validation is None else [validation],
        accumulate=whole("accumulate", accumulate, at_least=1),
        updates=max(BATCHES, REPEATS * longest(allowed, horizon.steps)),
    )
    rates = training.rates
    ladder = Ladder(
        as_schedule("schedule", schedule),
        horizon,
        start=rates.first,
        family=family(optimizers),
        epoch=epoch_of(batches, accumulate),
        budget=allowed,
    )
    least = None if score is None else lambda _: 0.0
    with training:
        found, losses = _climbed(ladder, allowed, training, cost, least, watch, tries)
    if found.peak is not None:
        found = replace(found, peaks=rates.at(found.peak))
    return found, losses


def _cost_of(
    modules: Sequence[nn.Module],
    loss: Callable[..., Any] | None,
    optimizers: Sequence[Any],
    train_step: TrainStep | None,
    autocast: torch.dtype | None,
    validation: Iterable[Any] | None,
    score: Callable[[], float] | None,
) -> Callable[[], float] | None:
    """Return what is minimised on validation data, if there are any."""
    if validation is None:
        return None if score is None else lambda: -score()
    if score is not None:
        raise ScheduleError("validation= and score= both say what decides; leave one out")
    if train_step is not None:
        raise ScheduleError(
            "validation= needs the loss, and train_step= hides it: write score= for a function "
            "that returns the negative loss on validation data"
        )
    if isinstance(validation, Iterator):
        raise ScheduleError("validation= is an iterator, which can be read once: give the loader")
    return validation_loss(modules[0], loss, optimizers, autocast, validation)


def _climbed(
    ladder: Ladder,
    budget: int,
    training: Training,
    cost: Callable[[], float] | None,
    least: Callable[[float], float] | None,
    watch: Callable[[int], object],
    tries: int,
) -> tuple[Suggestion, tuple[float, ...]]:
    """Train what a ladder needs, and longer runs if the budget has something left for them."""
    spent = 0

    def losses_of(run: ShortRun) -> list[float]:
        nonlocal spent
        losses: list[float] = []
        values = [run.rate * factor for factor in ladder.factors(run)]
        first = run.batches * max(run.updates, BATCHES // REPEATS)
        with closing(training.run(values, first)) as made:
            for found in made:
                losses.append(found)
                if ladder.is_lost(found):
                    break
        watch(spent := spent + len(losses))
        return losses

    while (run := ladder.next()) is not None:
        ladder.tell(losses_of(run))
    longer = LongerRuns(ladder, budget, least)
    while needed := longer.next():
        for run in needed:
            losses = losses_of(run)
            is_lost = ladder.is_lost(losses[-1])
            value = None if cost is None or is_lost else training.averaged(cost())
            longer.tell(run, math.inf if is_lost else end_of(losses), len(losses), value)
    found = longer.suggestion()
    if found.peak is None or not tries:
        return found, ()
    runs = [ShortRun(found.peak, tried_updates(found), first) for first in range(tries)]
    ends = [losses_of(run) for run in runs]
    return replace(found, spent=spent), tuple(
        math.inf if ladder.is_lost(losses[-1]) else end_of(losses) for losses in ends
    )


def sequence_of(name: str, given: Any) -> list[Any]:
    """Return one or several objects as a list.

    Raises:
        ScheduleError: If there is none.
    """
    several = list(given) if isinstance(given, list | tuple) else [given]
    if not several or None in several:
        raise ScheduleError(f"{name}={given!r}: give the {name}, or a list of them")
    return several


def step_of(
    modules: Sequence[nn.Module],
    loss: Callable[..., Any] | None,
    optimizers: Sequence[Any],
    train_step: TrainStep | None,
    scaler: Any,
    autocast: torch.dtype | None,
    accumulate: int,
) -> TrainStep:
    """Return the user's step, or the one of an ordinary training loop.

    Raises:
        ScheduleError: If both are described, or several models come without a step.
    """
    if train_step is not None:
        given = {"loss": loss, "autocast": autocast}
        if twice := [name for name, value in given.items() if value is not None]:
            raise ScheduleError(
                f"{twice[0]}= and train_step= both say how to train; leave {twice[0]} out"
            )
        return train_step
    if len(modules) > 1:
        raise ScheduleError("model is a list of several models: write train_step= for them")
    return own_step(modules[0], loss, optimizers, scaler, autocast, accumulate)
