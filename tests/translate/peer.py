"""How a translation is compared with what it translates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lehr import Schedule
from lehr.translate import Translation, translate

FORMULA = 1e-12
"""The tolerance against a published formula, relative to the largest rate."""

LIVE = 1e-6
"""The tolerance against the library itself, which may compute with 32 bits."""

Case = tuple[str, dict[str, Any]]


def schedule_of(result: Translation | Schedule) -> Schedule:
    """Return the schedule of a translation, or the schedule itself."""
    return result.schedule if isinstance(result, Translation) else result


def translated(library: str, case: Case, **more: Any) -> Schedule:
    """Translate a case by its name and arguments."""
    name, arguments = case
    return translate(library, name, **arguments, **more).schedule


def assert_curve(actual: Schedule, expected: Sequence[float], tolerance: float = FORMULA) -> None:
    """Check the values from step 0 on, one by one and as an array."""
    rates = np.asarray(expected, dtype=np.float64)
    assert np.isfinite(rates).all()
    allowed = tolerance * max(float(np.abs(rates).max()), 1e-300)
    singly = np.array([actual(t) for t in range(len(rates))])
    np.testing.assert_allclose(singly, rates, rtol=0, atol=allowed)
    np.testing.assert_allclose(actual(np.arange(len(rates))), rates, rtol=0, atol=allowed)
    low, high = actual.bounds
    assert low <= rates.min() + allowed
    assert rates.max() - allowed <= high


def sampled(formula: Callable[[int], float], count: int) -> list[float]:
    """Return a formula's values at the steps from 0."""
    return [float(formula(t)) for t in range(count)]


def case_id(case: Case) -> str:
    """Return a readable name for a case."""
    name, arguments = case
    # A function's address differs between processes, which then would not agree on the tests.
    shown = {key: getattr(value, "__name__", value) for key, value in arguments.items()}
    return ",".join([name, *(f"{key}={value}" for key, value in shown.items())])[:90]
