"""The best schedule for a budget, by a law: among families, and among smooth falling paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lehr.laws.falling import falling
from lehr.laws.forms import POWER
from lehr.laws.runs import LawError, after_warmup, rates_of
from lehr.notation import parse
from lehr.schedule.base import Schedule

if TYPE_CHECKING:
    from lehr.laws.law import Difference, Law, Prediction


_SHARES = (5, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 100)
_SHAPES = {
    "linear": "linear({}to=0.0)",
    "cosine": "cosine({}to=0.0)",
    "1-sqrt": "ramp({}to=0.0, ease='1-sqrt')",
    "1-square": "ramp({}to=0.0, ease='1-square')",
}
_RIVALS = {
    "cosine": "cosine()",
    "cosine to a tenth": "cosine(to=0.1)",
    "WSD, linear cooldown over 20%": "hold() >> linear('20%')",
}
_MOST = 6


@dataclass(frozen=True, eq=False)
class Candidate:
    """A schedule to compare with the proposed one.

    Arguments:
        name: A phrase that describes it.
        schedule: The schedule, as factors on the peak rate.
        final: Its predicted final loss, in nats.
        gain: How much lower the proposed schedule's final loss is; above 0, the proposed one is
            better.
    """

    name: str
    schedule: Schedule
    final: float
    gain: Difference


@dataclass(frozen=True, eq=False)
class Design:
    """A proposed schedule.

    Arguments:
        schedule: The schedule, as factors on the peak rate; drive it like any other.
        steps: The length of the run.
        peak: The peak rate.
        prediction: Its predicted loss curve.
        rivals: Its gains over a cosine, and over WSD.
        ties: Other schedules whose final losses are, as far as is known, as good; the best first.
        notes: The limits of the proposal.
    """

    schedule: Schedule
    steps: int
    peak: float
    prediction: Prediction
    rivals: tuple[Candidate, ...]
    ties: tuple[Candidate, ...]
    notes: tuple[str, ...]


def design(law: Law, steps: int, peak: float | None, warmup: int | None) -> Design:
    """Return :meth:`Law.design`."""
    peak = law.peak if peak is None else peak
    warmup = law.warmup if warmup is None else warmup
    if steps < 20 or not 0 <= warmup <= 0.8 * steps:
        raise LawError(f"steps={steps!r} is too short for a warmup of {warmup!r}")
    families = _families(steps, warmup)
    finals = law.finals([rates_of(one, steps, peak) for one in families.values()])
    ranked = [name for _, name in sorted(zip(finals.tolist(), families, strict=True))]
    best = families[ranked[0]]
    prediction = law.predict(best, steps=steps, peak=peak)
    notes = list(prediction.notes)
    if law.form.kernel is POWER and law.form.relative:
        best, prediction = _freely(law, best, prediction, steps, peak, warmup)
    else:
        notes.append(f"the law {law.name!r} is not optimised freely: families only")
    if law.blurred:
        notes.append(
            "the fitted runs do not tell all kinds of schedule apart: the gains are less certain"
        )

    def candidate(name: str, schedule: Schedule) -> Candidate:
        other = law.predict(schedule, steps=steps, peak=peak)
        return Candidate(name, schedule, other.final, other.minus(prediction))

    rivals = [candidate(name, parse(after_warmup(warmup, text))) for name, text in _RIVALS.items()]
    close = [candidate(name, families[name]) for name in ranked[:_MOST] if families[name] != best]
    ties = [one for one in close if one.gain.tie]
    return Design(best, steps, peak, prediction, tuple(rivals), tuple(ties), tuple(notes))


def _families(steps: int, warmup: int) -> dict[str, Schedule]:
    """Return the cooldowns of all shapes and lengths, by a phrase for each."""
    found: dict[str, Schedule] = {}
    for shape, pattern in _SHAPES.items():
        for share in _SHARES:
            length = round((steps - warmup) * share / 100)
            if share == 100:
                name, text = f"{shape} decay", pattern.format("")
            elif length < 2:
                continue
            else:
                name = f"{shape} cooldown over {share}%"
                text = "hold() >> " + pattern.format(f"{length}, ")
            found[name] = parse(after_warmup(warmup, text))
    return found


def _freely(
    law: Law, best: Schedule, prediction: Prediction, steps: int, peak: float, warmup: int
) -> tuple[Schedule, Prediction]:
    """Return a free path and its prediction if it beats the best family by more than a tie."""
    path = parse(falling(law, steps, peak, warmup))
    found = law.predict(path, steps=steps, peak=peak)
    difference = found.minus(prediction)
    if difference.value < 0 and not difference.tie:
        return path, found
    return best, prediction
