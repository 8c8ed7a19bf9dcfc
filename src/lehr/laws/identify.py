"""Which kinds of schedule logged runs can tell apart, and which run would tell more.

A good fit proves nothing: laws that agree on a constant run and on one long decay differ about
short cooldowns. The variance of the difference between two finals is ``g' V g``, with V the
covariance of the parameters and g the difference of the finals' slopes. A further run adds its own
slopes to the inverse of V, and need not be trained to know by how much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lehr.laws.forms import FORMS, Form
from lehr.laws.law import Law, widened
from lehr.laws.model import Model, prior
from lehr.laws.runs import Floats, LawError, rates_of, risen
from lehr.laws.series import Setting, series
from lehr.laws.solve import POINTS, independent

KINDS = {
    "a constant rate": "hold()",
    "a linear cooldown over the last 5%": "hold() >> linear('5%')",
    "a linear cooldown over the last 10%": "hold() >> linear('10%')",
    "a linear cooldown over the last 20%": "hold() >> linear('20%')",
    "a linear cooldown over the last 40%": "hold() >> linear('40%')",
    "a 1-sqrt cooldown over the last 20%": "hold() >> ramp('20%', to=0.0, ease='1-sqrt')",
    "a cosine to a tenth": "cosine(to=0.1)",
    "a cosine": "cosine()",
    "a linear decay": "linear()",
}
"""Kinds of schedule, after the warmup."""

_REFERENCE = "a linear decay"

BLUR = 1.7e-3
"""Kinds whose difference is known to no better than this part of the loss count as the same."""

_Z = 1.645
_POINTS = 48
_SHARES = (0.15, 0.2, 0.3, 0.4, 0.6, 1.0)


@dataclass(frozen=True)
class Blur:
    """A kind of schedule that the runs do not tell from a linear decay.

    Arguments:
        kind: One of :data:`KINDS`.
        half: Half the 90% interval of the difference of their finals, in nats.
    """

    kind: str
    half: float

    @property
    def words(self) -> str:
        """A sentence for a reader."""
        return f"{self.kind}, against {_REFERENCE}: known to +-{self.half:.4f}"


@dataclass(frozen=True)
class Proposal:
    """A run that would be worth training.

    Arguments:
        schedule: The text of its schedule, as factors on the peak rate.
        steps: Its length, in updates.
        peak: Its peak rate.
        half: The largest half of those intervals after that run, in nats.
        settles: Whether that is enough.
    """

    schedule: str
    steps: int
    peak: float
    half: float
    settles: bool

    @property
    def words(self) -> str:
        """A sentence for a reader."""
        outcome = "would settle it" if self.settles else "would help most"
        return (
            f"{self.schedule}, {self.steps:,} steps at a peak of {self.peak:g}, {outcome}: "
            f"+-{self.half:.4f} afterwards"
        )


@dataclass(frozen=True, eq=False)
class _Knowledge:
    """A law's parameters as far as they are known, and the kinds that they should tell apart."""

    model: Model
    setting: Setting
    values: Floats
    precision: Floats
    noise: float
    warmup: int
    horizon: int

    def rates(self, kind: str, steps: int) -> Floats:
        """Return the rates of a kind over a run."""
        return rates_of(_text(kind, self.warmup, steps), steps, self.setting.peak)

    def ends(self) -> dict[str, Floats]:
        """Return the slopes of each kind's final, less those of the reference."""
        at = np.array([self.horizon])
        slopes = {
            kind: self.model.slopes(
                self.values, series(self.setting, self.rates(kind, self.horizon), at, blocks=128)
            )[1][0]
            for kind in KINDS
        }
        return {kind: one - slopes[_REFERENCE] for kind, one in slopes.items()}

    def information(self, kind: str, steps: int) -> Floats:
        """Return the precision that a run of a kind would add."""
        rates = self.rates(kind, steps)
        first = risen(rates) + max(1, steps // 50)
        at = np.unique(np.linspace(first, steps, _POINTS).astype(np.int64))
        seen = series(self.setting, rates, at, blocks=128)
        loss, slopes = self.model.slopes(self.values, seen)
        rows = (
            slopes / loss[:, None] * np.sqrt(independent(POINTS, self.noise) / len(at)) / self.noise
        )
        return rows.T @ rows

    def halves(self, ends: dict[str, Floats], precision: Floats) -> dict[str, float]:
        """Return how well each kind is distinguished from the reference."""
        covariance = np.linalg.inv(precision)
        return {
            kind: _Z * float(np.sqrt(widened(max(0.0, float(g @ covariance @ g)), self._loss)))
            for kind, g in ends.items()
        }

    @property
    def _loss(self) -> float:
        return float(self.values[0] + 0.5 * self.values[1])

    @property
    def limit(self) -> float:
        """The half that is good enough, in nats."""
        return BLUR * self._loss


def _text(kind: str, warmup: int, steps: int) -> str:
    warmup = min(warmup, steps // 5)
    return f"warmup({warmup}) >> {KINDS[kind]}" if warmup else KINDS[kind]


def _of(law: Law) -> _Knowledge:
    return _Knowledge(
        law.model,
        law.setting,
        law.values,
        np.asarray(np.linalg.inv(law.covariance), np.float64),
        max(law.noise, 1e-3),
        law.warmup,
        law.horizon,
    )


def blurred(law: Law) -> list[Blur]:
    """Return the kinds of schedule that the runs of a law cannot tell from a linear decay."""
    known = _of(law)
    halves = known.halves(known.ends(), known.precision)
    return [Blur(kind, half) for kind, half in halves.items() if half > known.limit]


def settling_run(law: Law, blurs: Sequence[Blur]) -> Proposal:
    """Return the cheapest run that would tell the kinds apart, or the one that helps most."""
    known = _of(law)
    ends = {kind: g for kind, g in known.ends().items() if kind in {b.kind for b in blurs}}
    return _best(known, ends, [_length(law.horizon, share, known) for share in _SHARES])


def _length(horizon: int, share: float, known: _Knowledge) -> int:
    """Return a share of a run as a round number of steps, with time for what follows the warmup."""
    steps = max(round(horizon * share), min(horizon, 5 * known.warmup), 2)
    unit = 10 ** max(0, len(str(steps)) - 2)
    return max(unit, round(steps / unit) * unit)


def _best(known: _Knowledge, ends: dict[str, Floats], lengths: Sequence[int]) -> Proposal:
    best: Proposal | None = None
    for steps in sorted(set(lengths)):
        for kind in KINDS:
            added = known.precision + known.information(kind, steps)
            half = max(known.halves(ends, added).values())
            found = Proposal(
                _text(kind, known.warmup, steps),
                steps,
                known.setting.peak,
                half,
                half <= known.limit,
            )
            if best is None or half < best.half * (1.0 if steps == best.steps else 0.8):
                best = found
        if best is not None and best.settles:
            break
    assert best is not None
    return best


def plan_runs(
    steps: int,
    peak: float,
    *,
    weight_decay: float = 0.0,
    warmup: int = 0,
    law: str | None = None,
    count: int = 3,
) -> list[Proposal]:
    """Propose short runs to fit a law on, before anything is trained.

    Arguments:
        steps: The length of the run that shall be predicted.
        peak: Its peak rate.
        weight_decay: As AdamW has it; 0 for none.
        warmup: Its warmup, in updates.
        law: The name of a form.
        count: How many runs to propose.

    Raises:
        LawError: If a number is out of its range.
    """
    if steps < 100 or not peak > 0 or warmup < 0 or not 2 <= count <= 6:
        raise LawError(
            f"steps={steps!r} must be at least 100, peak={peak!r} above 0, warmup={warmup!r} at "
            f"least 0, and count={count!r} from 2 to 6"
        )
    if warmup >= steps // 2:
        raise LawError(f"warmup={warmup!r} must be below half of steps={steps!r}")
    name = law or ("effective-rate" if weight_decay else "power-time")
    known = _guess(FORMS[name], weight_decay, peak, warmup, steps)
    ends = known.ends()
    proposals: list[Proposal] = []
    for number in range(count):
        share = 0.3 if number == 0 else 0.2
        found = _best(known, ends, [_length(steps, share, known)])
        proposals.append(found)
        kind = next(k for k in KINDS if _text(k, warmup, found.steps) == found.schedule)
        known = _Knowledge(
            known.model,
            known.setting,
            known.values,
            known.precision + known.information(kind, found.steps),
            known.noise,
            warmup,
            steps,
        )
    return proposals


def _guess(form: Form, weight_decay: float, peak: float, warmup: int, steps: int) -> _Knowledge:
    """Return a law before any run: a loss of about 3, and gains of a few per cent."""
    means, spreads = prior(form)
    values = means.copy()
    values[:3] = 3.0, 0.25, 0.25
    setting = Setting(form, weight_decay, peak)
    at = series(setting, rates_of("hold()", steps, peak), np.array([max(1, steps // 3)]))
    return _Knowledge(
        Model(form, float(at.progress[0])),
        setting,
        values,
        np.diag(spreads**-2.0),
        2e-3,
        warmup,
        steps,
    )
