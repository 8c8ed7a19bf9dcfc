"""A comparison's runs as logged runs: fit a law to some, and predict the others."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lehr.laws.fit import fit
from lehr.laws.law import Law, Prediction
from lehr.laws.runs import LawError, LoggedRun, rates_of, risen

if TYPE_CHECKING:
    from lehr.lab.analysis.pair_result import PairResult
    from lehr.lab.analysis.results import Results


def compared_runs(results: Results, optimizer: str) -> dict[str, LoggedRun]:
    """Return the runs of one optimizer in a comparison, by schedule name.

    Each has the rates of its schedule at its chosen peak, and the training losses, which are means
    over seeds and over the updates between two points of the curve. Pairs with runs that diverged
    are left out.

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


def fit_compared(
    results: Results,
    optimizer: str,
    *,
    only: Collection[str] = (),
    law: str | None = None,
    weight_decay: float | None = None,
) -> Law:
    """Fit a law to runs of one optimizer in a comparison.

    Arguments:
        results: Of :func:`lehr.lab.compare`, or of a store.
        optimizer: The name of the optimizer.
        only: The names of the schedules to fit to; the others are left to be predicted. By default
            all.
        law: The name of a form; by default the one that best predicts runs that are left out.
        weight_decay: The weight decay; by default that of the optimizer's text.

    Raises:
        LawError: If a schedule was not compared with it, or the runs do not suffice.
    """
    runs = compared_runs(results, optimizer)
    if unknown := [name for name in only if name not in runs]:
        raise LawError(
            f"schedule {unknown[0]!r} has no finished runs with {optimizer!r}, which has "
            f"{', '.join(runs)}"
        )
    text = results.optimizers[optimizer]
    found = re.search(r"weight_decay=([0-9.e+-]+)", text)
    if weight_decay is None:
        weight_decay = float(found[1]) if found else 0.0
    chosen = [run for name, run in runs.items() if not only or name in only]
    fitted = fit(chosen, law=law, optimizer=text.partition("(")[0], weight_decay=weight_decay)
    return replace(fitted, optimizer=optimizer)


@dataclass(frozen=True, eq=False)
class PredictedRun:
    """A run of a comparison, and a law's prediction for it.

    Arguments:
        run: The measured losses; the run has its schedule's name.
        prediction: The predicted losses at the same updates.
        is_fitted: Whether the law was fitted to it.
    """

    run: LoggedRun
    prediction: Prediction
    is_fitted: bool


def predict_compared(results: Results, law: Law) -> list[PredictedRun]:
    """Predict the runs of a law's optimizer, in the order of the comparison.

    Raises:
        LawError: If the comparison has no finished runs of that optimizer.
    """
    fitted = {run.name for run in law.fitted}
    runs = compared_runs(results, law.optimizer)
    return [PredictedRun(run, law.predict(run), name in fitted) for name, run in runs.items()]


def _run(results: Results, pair: PairResult) -> LoggedRun:
    steps = results.settings.steps
    rates = rates_of(results.schedules[pair.schedule].text, steps, pair.peak)
    ends = np.array(pair.steps, np.int64)
    losses = np.array([np.nan if loss is None else loss for loss in pair.loss.mean], np.float64)
    # A loss is the mean since the previous point, so it belongs to the middle between them.
    middles = (ends + np.concatenate([[0], ends[:-1]])) // 2
    return LoggedRun(pair.schedule, rates, middles, losses, risen(rates), "training")
