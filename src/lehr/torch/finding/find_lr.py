"""The peak rate for a schedule, with a user's own model, data and training step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from lehr.errors import ScheduleError
from lehr.find.ladder import BATCHES, Ladder
from lehr.find.longer import REPEATS, LongerRuns, least_for_longer, longest
from lehr.find.runs import BUDGET, ShortRun, end_of, updates_of
from lehr.find.suggestion import Suggestion
from lehr.find.value_sweep import tried_updates
from lehr.notation import ScheduleLike, as_schedule
from lehr.schedule.horizon import Horizon, HorizonLike
from lehr.torch.finding.training import Training, TrainingLoop, TrainStep, averaged


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

    Short runs of the schedule, squeezed into 10 and 40 updates, start from the current state and
    see the same batches. The rate at which they lose their progress is the edge, and the peak is a
    known distance below it; see `docs/find.md`. All rates are multiplied by the same factor, so the
    ratios between groups are kept.

    Everything is left as it was found, even after an error or Ctrl-C: parameters, buffers and
    gradients, the mode of each submodule, optimizer and scaler, the random states of torch, its
    devices, NumPy and Python, the loader's generator and, where it has one, its state. A batch
    whose tensors a step changes in place stays changed, and batches taken from an iterator are
    gone.

    If several processes train together, all must call this at the same time. The losses are
    averaged over them, so that all get the same suggestion.

    Arguments:
        model: The model, or several.
        batches: The loader, or any iterable. Batches for up to 120 updates are taken, then
            repeated.
        loss: ``(outputs, targets) -> loss`` for batches of inputs and targets. The inputs may be a
            tensor, a tuple or a dict, passed to the model as one, several or keyword arguments.
            Without it, the model is called with the whole batch and must return its loss: a tensor,
            several (their sum counts), a dict with ``"loss"`` or an object with ``loss``.
        optimizer: The optimizer, or several; the search begins at its current rates.
        schedule: The schedule to train with, or its text.
        steps: The length of the planned run.
        train_step: ``batch -> loss``, instead of ``loss``, for any other training: it makes a whole
            update, with ``zero_grad``, ``backward`` and ``step``, and must not step a scheduler.
        accumulate: The batches of one update. ``train_step`` is called once for each of them.
        scaler: The gradient scaler; with ``train_step``, the one that it uses.
        autocast: The type that the model computes in, such as ``torch.bfloat16``.
        others: Other objects whose state a step changes and which must be restored: averaged
            weights, a second scaler, a scheduler.
        budget: The most updates that the search may take, at least 60; or a share of the run, such
            as ``"10%"``. Updates left over are spent on longer runs at and near the suggestion,
            which is moved if another rate is clearly better.
        validation: Validation data, as a loader of batches or any iterable that starts anew each
            time. The mean loss on it after each of the longer runs decides, instead of the training
            loss, which does not show overfitting.
        score: The same as a function, such as the accuracy on validation data, called after each of
            the longer runs with the model in its state at that point. Higher is better.
        watch: Called after each run with the number of updates made so far.

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
    loop = TrainingLoop(model, loss, optimizer, train_step, accumulate, scaler, autocast, others)
    found, _ = searched(
        loop,
        batches,
        schedule=schedule,
        steps=steps,
        budget=budget,
        validation=validation,
        score=score,
        watch=watch,
    )
    return found


def searched(
    loop: TrainingLoop,
    batches: Iterable[Any],
    *,
    schedule: ScheduleLike,
    steps: HorizonLike,
    budget: int | str = BUDGET,
    validation: Iterable[Any] | None = None,
    score: Callable[[], float] | None = None,
    watch: Callable[[int], object] = lambda _: None,
    tries: int = 0,
) -> tuple[Suggestion, tuple[float, ...]]:
    """Find the peak rate as `find_lr` does, and the losses of short runs at it.

    Arguments:
        tries: The number of these runs, each on different batches.
    """
    horizon = Horizon.of(steps)
    allowed = updates_of(budget, horizon.steps)
    cost = _cost_of(loop, validation, score)
    if cost is not None and not longest(allowed - BUDGET, horizon.steps):
        raise ScheduleError(
            f"budget={budget!r} leaves no longer runs, and {'score' if score else 'validation'}= "
            f"decides between those: write budget={BUDGET + least_for_longer(horizon.steps)} or "
            "more"
        )
    updates = max(BATCHES, REPEATS * longest(allowed, horizon.steps))
    training = Training(loop, batches, updates, [] if validation is None else [validation])
    ladder = Ladder(
        as_schedule("schedule", schedule),
        horizon,
        start=training.rates.first,
        family=loop.family,
        epoch=loop.epoch_of(batches),
        budget=allowed,
    )
    runs = _Runs(ladder, training, watch)
    with training:
        while (run := ladder.next()) is not None:
            ladder.tell(runs.losses(run))
        longer = LongerRuns(ladder, allowed, None if score is None else lambda _: 0.0)
        while needed := longer.next():
            for run in needed:
                losses = runs.losses(run)
                end = runs.end_of(losses)
                value = None if cost is None or end == math.inf else averaged(cost(), loop.device)
                longer.tell(run, end, len(losses), value)
        found, ends = longer.suggestion(), list[float]()
        if found.peak is not None:
            for first in range(tries):
                run = ShortRun(found.peak, tried_updates(found), first)
                ends.append(runs.end_of(runs.losses(run)))
            found = replace(found, peaks=training.rates.at(found.peak))
    return replace(found, spent=runs.spent), tuple(ends)


def _cost_of(
    loop: TrainingLoop, validation: Iterable[Any] | None, score: Callable[[], float] | None
) -> Callable[[], float] | None:
    """Return the function to minimise on validation data, if there is any."""
    if validation is None:
        return None if score is None else lambda: -score()
    if score is not None:
        raise ScheduleError("validation= and score= both say what decides; leave one out")
    if loop.is_own:
        raise ScheduleError(
            "validation= needs the loss, and train_step= hides it: write score= for a function "
            "that returns the negative loss on validation data"
        )
    if isinstance(validation, Iterator):
        raise ScheduleError("validation= is an iterator, which can be read once: give the loader")
    return lambda: loop.validate(validation)


class _Runs:
    """Trains the short runs of a search, and counts their updates."""

    def __init__(self, ladder: Ladder, training: Training, watch: Callable[[int], object]) -> None:
        self.spent = 0
        self._ladder, self._training, self._watch = ladder, training, watch

    def losses(self, run: ShortRun) -> list[float]:
        """Return the loss of each update, up to the one at which the run is lost."""
        losses: list[float] = []
        values = [run.rate * factor for factor in self._ladder.factors(run)]
        first = run.batches * max(run.updates, BATCHES // REPEATS)
        with closing(self._training.run(values, first)) as made:
            for found in made:
                losses.append(found)
                if self._ladder.is_lost(found):
                    break
        self.spent += len(losses)
        self._watch(self.spent)
        return losses

    def end_of(self, losses: list[float]) -> float:
        """Return the loss at the end of a run; infinity if it was lost."""
        return math.inf if self._ladder.is_lost(losses[-1]) else end_of(losses)
