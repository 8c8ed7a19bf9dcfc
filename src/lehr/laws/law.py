"""A fitted law: its predictions, and how certain they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import NormalDist

import numpy as np

from lehr.laws.design import Design, design
from lehr.laws.forms import Form
from lehr.laws.model import Model
from lehr.laws.runs import Floats, Ints, LawError, LoggedRun, RatesLike, rates_of, risen
from lehr.laws.series import Setting, series

LEVEL = 0.9
TIE = 1e-3
"""Final losses closer than this share of the loss are a tie, as for runs with different seeds."""

RUN = 4e-4
"""The spread of a final loss from run to run, as a share of it (124M parameters, measured)."""

CAUTION = 2.2
"""The largest factor by which the spread due to the parameters is widened."""

LINEAR = 1.3e-3
"""The spread, as a share of the loss, at which it is widened twofold: it is computed from slopes,
which hold only near the fitted parameters."""

COMMON = 1.4
"""The error of a law that all schedules share, as a multiple of the rest."""

GAIN = 0.03
"""The spread of a law's error in the gain of a cooldown, as a share of that gain's distance from
those of the fitted runs."""

HORIZON = 0.015
"""The spread of its error per e-fold of a longer run, as a share of the loss above its floor."""


def quantile(level: float) -> float:
    """Return how many standard deviations an interval with this level extends to each side."""
    return NormalDist().inv_cdf((1 + level) / 2)


def widened(known: Floats | float, loss: Floats | float) -> Floats:
    """Return the variance due to the parameters, given the one computed from their slopes."""
    apart = np.asarray(known, np.float64) / (LINEAR * np.asarray(loss)) ** 2
    return np.minimum(CAUTION, 1 + apart) ** 2 * known


@dataclass(frozen=True)
class FittedRun:
    """A run to which a law was fitted.

    Arguments:
        name: Its name.
        steps: Its number of updates.
        points: The number of its losses that were fitted.
        peak: Its peak rate.
        error: The mean error of the fit, in nats.
        notes: Remarks on how it was read.
    """

    name: str
    steps: int
    points: int
    peak: float
    error: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Difference:
    """The difference between the final losses of two schedules, in nats, with an interval.

    Arguments:
        value: The first minus the second; below 0 the first is better.
        low, high: The interval's ends.
        tie: Whether neither is known to be better by more than the usual difference between runs.
    """

    value: float
    low: float
    high: float
    tie: bool


@dataclass(frozen=True, eq=False)
class Prediction:
    """A predicted loss curve.

    Arguments:
        steps: The numbers of updates.
        loss: The predicted losses in nats.
        low, high: Their interval's ends.
        level: The share of measured losses that should be inside.
        notes: Reasons why it is less certain than usual.
    """

    steps: Ints
    loss: Floats
    low: Floats
    high: Floats
    level: float
    notes: tuple[str, ...]
    _slopes: Floats = field(repr=False)
    _gain: float = field(repr=False)
    _law: Law = field(repr=False)

    @property
    def final(self) -> float:
        """The loss at the last step."""
        return float(self.loss[-1])

    @property
    def final_interval(self) -> tuple[float, float]:
        """The interval of the loss at the last step."""
        return float(self.low[-1]), float(self.high[-1])

    def minus(self, other: Prediction) -> Difference:
        """Return how the final loss differs from another prediction's, by the same law.

        The difference is more certain than either loss, since shared errors cancel.
        """
        if other._law is not self._law:
            raise LawError("two predictions can be compared if they are by the same law")
        value = self.final - other.final
        slopes = self._slopes - other._slopes
        known = float(slopes @ self._law.covariance @ slopes)
        middle = (self.final + other.final) / 2
        own = 2 * (RUN**2 + self._law.form.error**2) * middle**2 if value or slopes.any() else 0.0
        gain = (GAIN * (self._gain - other._gain)) ** 2
        half = quantile(self.level) * self._law.width * np.sqrt(widened(known, middle) + own + gain)
        low, high = float(value - half), float(value + half)
        return Difference(value, low, high, low <= 0 <= high or abs(value) < TIE * middle)


@dataclass(frozen=True, eq=False)
class Law:
    """A fitted loss law, returned by :func:`lehr.laws.fit` and :func:`lehr.laws.load`.

    Arguments:
        form: The form of the law.
        values: Its parameters: L0, A, B, the logarithms of the inner ones, the shift by the peak.
        covariance: The covariance of ``values``.
        noise: The spread of the residuals of log loss.
        unit: S0, the progress at which A is read, in steps at the peak.
        peak: The peak rate at which it was fitted.
        weight_decay: As AdamW has it; 0 for none.
        warmup: The warmup of the fitted runs, in updates.
        horizon: The longest of them, in updates.
        gain: The mean gain from the decays of the fitted runs, in nats.
        width: The factor, at least 1, by which intervals are wider than on the runs with which this
            form was tested, from the errors in runs left out in turn.
        kind: ``"training"`` or ``"validation"`` loss, or ``""``.
        optimizer: The name of the optimizer of the fitted runs, or ``""``.
        measured: The factor on measured effective rates; 0 if none were fitted.
        fitted: The runs to which it was fitted.
        choice: The laws that were tried, with their leave-one-run-out errors in nats.
        blurred: Descriptions of the kinds of schedule that those runs cannot tell apart.
        advice: A description of the run that would settle this.
        warnings: Other things to know.
    """

    form: Form
    values: Floats
    covariance: Floats
    noise: float
    unit: float
    peak: float
    weight_decay: float
    warmup: int
    horizon: int
    gain: float = 0.0
    width: float = 1.0
    kind: str = ""
    optimizer: str = ""
    measured: float = 0.0
    fitted: tuple[FittedRun, ...] = ()
    choice: tuple[tuple[str, float], ...] = ()
    blurred: tuple[str, ...] = ()
    advice: str = ""
    warnings: tuple[str, ...] = ()

    @cached_property
    def model(self) -> Model:
        """Its formula."""
        return Model(self.form, self.unit)

    @property
    def setting(self) -> Setting:
        """The setting that all runs of this law share."""
        return Setting(self.form, self.weight_decay, self.peak, self.measured)

    @property
    def name(self) -> str:
        """The name of its form."""
        return self.form.name

    def predict(
        self,
        schedule: RatesLike,
        *,
        steps: int | None = None,
        peak: float | None = None,
        at: Sequence[int] | Ints | None = None,
        level: float = LEVEL,
    ) -> Prediction:
        """Predict the loss curve of a schedule.

        Arguments:
            schedule: A schedule or its text, as factors on ``peak``; or the rate of every update;
                or a logged run.
            steps: The number of updates, if ``schedule`` is a schedule.
            peak: The peak rate; the fitted one where it is None.
            at: The numbers of updates after which to predict; by default those of a logged run, or
                about 200 up to the last.
            level: The share of measured losses that should be inside the interval.

        Raises:
            LawError: If the schedule gives no rates, or a step is outside the run.
        """
        if not 0 < level < 1:
            raise LawError(f"level={level!r} must be between 0 and 1")
        rates = rates_of(schedule, steps, self.peak if peak is None else peak)
        if isinstance(schedule, LoggedRun):
            warmup, logged = schedule.warmup, schedule.effective
            at = schedule.steps if at is None else at
        else:
            warmup, logged = risen(rates), None
        wanted = self._wanted(at, len(rates), warmup)
        seen = series(self.setting, rates, wanted, warmup, logged=logged)
        loss, slopes = self.model.slopes(self.values, seen)
        gain = self.model.gains(self.values, seen)
        half = quantile(level) * self._spread(loss, slopes, gain, wanted)
        notes = self._notes(rates)
        return Prediction(
            wanted, loss, loss - half, loss + half, level, notes, slopes[-1], float(gain[-1]), self
        )

    def design(self, *, steps: int, peak: float | None = None, warmup: int | None = None) -> Design:
        """Propose the schedule with the lowest predicted final loss.

        Cooldowns of several shapes over 5% to 100% of the run are compared; then a falling path is
        optimised freely. It is proposed only if it beats them by more than a tie: real optima are
        flat, and a simple schedule is easier to trust. A law whose optimum is a staircase
        (multi-power) is never optimised freely.

        Arguments:
            steps: The length of the run, in updates.
            peak: The peak rate; the fitted one where it is None.
            warmup: The warmup, in updates; by default that of the fitted runs.

        Raises:
            LawError: If the run is too short for its warmup.
        """
        return design(self, steps, peak, warmup)

    def finals(self, many: Sequence[Floats]) -> Floats:
        """Return the predicted final losses of several runs, given their rates."""
        ends = [series(self.setting, rates, np.array([len(rates)])) for rates in many]
        return np.array([float(self.model.loss(self.values, end)[0]) for end in ends])

    def _wanted(self, at: Sequence[int] | Ints | None, length: int, warmup: int) -> Ints:
        if at is None:
            return np.unique(np.linspace(min(warmup + 1, length), length, 200).astype(np.int64))
        wanted = np.asarray(at, np.int64)
        if wanted.ndim != 1 or not len(wanted):
            raise LawError("at=... must be a list of at least one step")
        # A log may count the update after its last line.
        if (wanted.min() < 1 and warmup == 0) or wanted.min() < 0 or wanted.max() > length:
            raise LawError(f"at=... must be steps from 1 to {length:,}")
        return wanted

    def _spread(self, loss: Floats, slopes: Floats, gain: Floats, steps: Ints) -> Floats:
        known = np.einsum("np,pq,nq->n", slopes, self.covariance, slopes)
        above = self.values[1] * slopes[:, 1]
        longer = np.maximum(0.0, np.log(np.maximum(steps, 1) / self.horizon))
        error = (1 + COMMON**2) * self.form.error**2
        own = (RUN**2 + error + self.noise**2) * loss**2
        return self.width * np.sqrt(
            widened(known, loss)
            + own
            + (GAIN * (gain - self.gain)) ** 2
            + (HORIZON * longer * above) ** 2
        )

    def _notes(self, rates: Floats) -> tuple[str, ...]:
        notes: list[str] = []
        if len(rates) > 1.05 * self.horizon:
            notes.append(
                f"{len(rates) / self.horizon:.3g} times longer than any fitted run "
                f"({self.horizon:,} steps): the interval is wider"
            )
        peaks = [run.peak for run in self.fitted] or [self.peak]
        peak = float(rates.max())
        if peak > 1.02 * max(peaks) or peak < 0.98 * min(peaks):
            notes.append(
                f"a peak of {peak:g} was not fitted (fitted: {min(peaks):g}"
                + (f" to {max(peaks):g}" if max(peaks) > 1.02 * min(peaks) else "")
                + "): the interval is wider"
            )
        return tuple(notes)
