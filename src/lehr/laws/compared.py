"""The runs of a comparison as logged runs: fit a law on some, and predict the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lehr.laws.runs import LawError, LoggedRun, rates_of, risen

if TYPE_CHECKING:
    from lehr.lab.results import PairResult, Results

__all__ = ["compared_runs"]


def compared_runs(results: Results, optimizer: str) -> dict[str, LoggedRun]:
    """Return the runs of one optimizer in a comparison, by the name of their schedule.

    Each has the rates of its schedule at the peak that was chosen for it, and the training losses,
    which are means over seeds and over the updates between two points of the curve. A pair whose
    runs diverged is left out.

    Arguments:
        results: Of :func:`lehr.lab.compare`, or of a store.
        optimizer: The name of the optimizer.

    Raises:
        LawError: If the comparison has no finished pair with it.
    """
    pairs = [pair for pair in results.pairs if pair.optimizer == optimizer and not pair.diverged]
    if not pairs:
        raise LawError(
            f"optimizer={optimizer!r} has no finished runs in this comparison, which has "
            f"{', '.join(results.optimizers)}"
        )
    return {pair.schedule: _run(results, pair) for pair in pairs}


def _run(results: Results, pair: PairResult) -> LoggedRun:
    steps = results.settings.steps
    rates = rates_of(results.schedules[pair.schedule].text, steps, pair.peak)
    ends = np.array(pair.steps, np.int64)
    losses = np.array([np.nan if loss is None else loss for loss in pair.loss.mean], np.float64)
    # A loss is the mean since the point before: it belongs to the middle between them.
    middles = (ends + np.concatenate([[0], ends[:-1]])) // 2
    return LoggedRun(pair.schedule, rates, middles, losses, risen(rates), "training")
