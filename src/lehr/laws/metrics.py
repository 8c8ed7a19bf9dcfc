"""Errors of predicted losses against measured ones."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from lehr.laws.law import Prediction
from lehr.laws.runs import Floats, LawError, LoggedRun


@dataclass(frozen=True)
class Agreement:
    """The errors of predicted losses against measured ones, as in arXiv 2503.12811.

    Arguments:
        r2: 1 minus the squared errors over the squared distances from the mean.
        mae: The mean error, in nats.
        rmse: The root of the mean squared error, in nats.
        prede: The mean error, as a share of the measured loss.
        worste: The largest error, as a share of the measured loss.
        covered: The share of measured losses inside the interval.
        points: How many losses were compared.
    """

    r2: float
    mae: float
    rmse: float
    prede: float
    worste: float
    covered: float
    points: int

    def as_dict(self) -> dict[str, float]:
        """Return the numbers by name."""
        return asdict(self)


def agreement(prediction: Prediction, measured: LoggedRun | Floats) -> Agreement:
    """Return how well a prediction agrees with the losses measured at its steps.

    Losses during a run's warmup do not count, because no law describes them.
    """
    losses = measured.losses if isinstance(measured, LoggedRun) else np.asarray(measured)
    if losses.shape != prediction.loss.shape:
        raise LawError(f"{losses.size} losses are measured, {prediction.loss.size} are predicted")
    keep = np.isfinite(losses) & (losses > 0)
    if isinstance(measured, LoggedRun):
        keep &= prediction.steps > max(0, measured.warmup - 1)
    if keep.sum() < 2:
        raise LawError("fewer than two losses were measured")
    y, p = losses[keep], prediction.loss[keep]
    errors = np.abs(p - y)
    total = float(np.sum((y - y.mean()) ** 2))
    inside = (y >= prediction.low[keep]) & (y <= prediction.high[keep])
    return Agreement(
        1 - float(np.sum(errors**2)) / total if total else float("nan"),
        float(errors.mean()),
        float(np.sqrt(np.mean(errors**2))),
        float(np.mean(errors / y)),
        float(np.max(errors / y)),
        float(inside.mean()),
        int(keep.sum()),
    )
