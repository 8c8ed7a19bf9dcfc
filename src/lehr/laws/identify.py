"""Which kinds of schedule logged runs can tell apart, and which run would tell more.

A good fit proves nothing: laws that agree on a constant run and on one long decay may differ on
short cooldowns. The variance of the difference between two final losses is ``g' V g``, with V the
covariance of the parameters and g the difference of the final losses' slopes. A further run adds
its own slopes to the inverse of V; how much they add is known without training it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lehr.laws.forms import Form, find_form, usual_form
from lehr.laws.law import Law, widened
from lehr.laws.model import prior
from lehr.laws.runs import Floats, LawError, after_warmup, rates_of, risen
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
"""The kinds of schedule that are compared, after the warmup."""

_REFERENCE = "a linear decay"

BLUR = 1.7e-3
"""Kinds whose difference is known no better than this share of the loss count as the same."""

_Z = 1.645
_LEAST_NOISE = 1e-3
_POINTS = 48
_SHARES = (0.15, 0.2, 0.3, 0.4, 0.6, 1.0)


@dataclass(frozen=True)
class Blur:
    """A kind of schedule that the runs cannot tell from a linear decay.

    ``half`` is half the 90% interval of the difference of their final losses, in nats.
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
        half: Half the widest 90% interval of a difference between the final losses of two kinds of
            schedule after that run, in nats.
        settles: Whether that is enough to tell the kinds apart.
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


def blurred(law: Law) -> list[Blur]:
    """Return the kinds of schedule that the runs of a law cannot tell from a linear decay."""
    halves = _halves(law, _ends(law), _precision(law))
    return [Blur(kind, half) for kind, half in halves.items() if half > _limit(law)]


def settling_run(law: Law, blurs: Sequence[Blur]) -> Proposal:
    """Return the cheapest run that would tell the kinds apart, or the one that helps most."""
    kinds = {blur.kind for blur in blurs}
    ends = {kind: end for kind, end in _ends(law).items() if kind in kinds}
    proposal, _ = _best(law, _precision(law), ends, [_length(law, share) for share in _SHARES])
    return proposal


def _precision(law: Law) -> Floats:
    return np.asarray(np.linalg.inv(law.covariance), np.float64)


def _level(law: Law) -> float:
    """Return the loss, in nats, to which shares of the loss refer."""
    return float(law.values[0] + 0.5 * law.values[1])


def _limit(law: Law) -> float:
    """Return the half-width of an interval that is good enough, in nats."""
    return BLUR * _level(law)


def _text(kind: str, warmup: int, steps: int) -> str:
    return after_warmup(min(warmup, steps // 5), KINDS[kind])


def _rates(law: Law, kind: str, steps: int) -> Floats:
    return rates_of(_text(kind, law.warmup, steps), steps, law.peak)


def _ends(law: Law) -> dict[str, Floats]:
    """Return the slopes of each kind's final loss, minus those of the reference."""
    at = np.array([law.horizon])
    slopes: dict[str, Floats] = {}
    for kind in KINDS:
        seen = series(law.setting, _rates(law, kind, law.horizon), at, blocks=128)
        slopes[kind] = law.model.slopes(law.values, seen)[1][0]
    return {kind: one - slopes[_REFERENCE] for kind, one in slopes.items()}


def _information(law: Law, kind: str, steps: int) -> Floats:
    """Return the precision that a run of a kind would add."""
    rates = _rates(law, kind, steps)
    first = risen(rates) + max(1, steps // 50)
    at = np.unique(np.linspace(first, steps, _POINTS).astype(np.int64))
    loss, slopes = law.model.slopes(law.values, series(law.setting, rates, at, blocks=128))
    noise = max(law.noise, _LEAST_NOISE)
    rows = slopes / loss[:, None] * np.sqrt(independent(POINTS, noise) / len(at)) / noise
    return rows.T @ rows


def _halves(law: Law, ends: dict[str, Floats], precision: Floats) -> dict[str, float]:
    """Return half the interval of each kind's difference from the reference."""
    covariance = np.linalg.inv(precision)
    return {
        kind: _Z * float(np.sqrt(widened(max(0.0, float(g @ covariance @ g)), _level(law))))
        for kind, g in ends.items()
    }


def _length(law: Law, share: float) -> int:
    """Return a share of a run as a round number of steps, long enough to go beyond the warmup."""
    steps = max(round(law.horizon * share), min(law.horizon, 5 * law.warmup), 2)
    unit = 10 ** max(0, len(str(steps)) - 2)
    return max(unit, round(steps / unit) * unit)


def _best(
    law: Law, precision: Floats, ends: dict[str, Floats], lengths: Sequence[int]
) -> tuple[Proposal, Floats]:
    """Return the best run among these lengths, and the precision with it."""
    best: tuple[Proposal, Floats] | None = None
    for steps in sorted(set(lengths)):
        for kind in KINDS:
            added = precision + _information(law, kind, steps)
            half = max(_halves(law, ends, added).values())
            if best is None or half < best[0].half * (1.0 if steps == best[0].steps else 0.8):
                text = _text(kind, law.warmup, steps)
                best = Proposal(text, steps, law.peak, half, half <= _limit(law)), added
        if best is not None and best[0].settles:
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
        steps: The length of the run to predict.
        peak: Its peak rate.
        weight_decay: The weight decay, in AdamW's sense; 0 for none.
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
    form = usual_form(weight_decay) if law is None else find_form(law)
    if form.effective and not weight_decay:
        raise LawError(f"law={law!r} needs weight_decay=... above 0, such as 0.1")
    guess = _guess(form, weight_decay, peak, warmup, steps)
    precision, ends = _precision(guess), _ends(guess)
    proposals: list[Proposal] = []
    for number in range(count):
        share = 0.3 if number == 0 else 0.2
        found, precision = _best(guess, precision, ends, [_length(guess, share)])
        proposals.append(found)
    return proposals


def _guess(form: Form, weight_decay: float, peak: float, warmup: int, steps: int) -> Law:
    """Return a law assumed before any run: a loss of about 3, and gains of a few per cent."""
    values, spreads = prior(form)
    values[:3] = 3.0, 0.25, 0.25
    setting = Setting(form, weight_decay, peak)
    at = series(setting, rates_of("hold()", steps, peak), np.array([max(1, steps // 3)]))
    unit = float(at.progress[0])
    return Law(form, values, np.diag(spreads**2), 2e-3, unit, peak, weight_decay, warmup, steps)
