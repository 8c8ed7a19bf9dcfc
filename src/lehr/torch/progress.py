"""The progress of a run in samples, tokens or epochs, in addition to the step."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from lehr.errors import ScheduleError, number
from lehr.schedule.horizon import Horizon
from lehr.schedule.run import Run
from lehr.time.duration import EPOCHS, SAMPLES, SECONDS, TOKENS, Duration, round_half_up

_FINEST: Final = 10**9
"""The largest denominator of a number in a state, which was rounded to a float when saved."""


def reading(horizon: Horizon | None, position: float) -> dict[str, int | float]:
    """Return the samples, tokens and epochs before a position, where they are known."""
    if horizon is None or horizon.length.unit == SECONDS:
        return {}
    units, step = horizon.units, Fraction(position)
    found: dict[str, Fraction] = {}
    samples = None if units.counter is None else units.counter.before(step)
    if samples is not None:
        found[SAMPLES] = samples
        if units.sequence is not None:
            found[TOKENS] = samples * units.sequence
    if units.steps_per_epoch is not None:
        found[EPOCHS] = step / units.steps_per_epoch
    elif samples is not None and units.epochs is not None:
        found[EPOCHS] = units.epochs.step_of(samples)
    elif samples is not None and units.samples_per_epoch is not None:
        found[EPOCHS] = samples / units.samples_per_epoch
    return {unit: _plain(amount) for unit, amount in found.items()}


def _plain(amount: Fraction) -> int | float:
    return amount.numerator if amount.denominator == 1 else float(amount)


def check_reading(saved: Any) -> dict[str, int | float]:
    """Check a reading from a state, and return a copy.

    Raises:
        ScheduleError: If it is not a reading.
    """
    if not isinstance(saved, dict) or not set(saved) <= {SAMPLES, TOKENS, EPOCHS}:
        raise ScheduleError(f"progress={saved!r} must have amounts of 'sa', 'tok' and 'ep' only")
    for unit, amount in saved.items():
        number(f"progress[{unit!r}]", amount, at_least=0, at_most=1e30)
    return dict(saved)


def position_of_reading(horizon: Horizon | None, saved: Mapping[str, float]) -> float | None:
    """Return the whole step of a run nearest to a saved reading.

    None if the reading lacks the unit of the run's length; the step itself decides then.
    """
    unit = None if horizon is None else horizon.length.unit
    if horizon is None or unit is None or unit not in saved:
        return None
    amount = Fraction(saved[unit]).limit_denominator(_FINEST)
    return float(round_half_up(Run(horizon.units).measure(Duration(amount, unit))))
