"""Comparisons that several test modules share."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lehr import Schedule

PEAK_RELATIVE = 2e-14
"""The tolerance of a value against its formula, relative to the schedule's largest value."""


def samples(schedule: Schedule, most: int = 150) -> list[int]:
    """Return steps from 0 to somewhat after the end."""
    length = schedule.length
    return list(range(most if length is None else min(math.ceil(length) + 4, most)))


def assert_same(actual: Any, expected: Any, tolerance: float = PEAK_RELATIVE) -> None:
    """Check that two lists of values agree, relative to the largest of them."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape
    peak = float(np.abs(expected).max(initial=0.0))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * max(peak, 1e-300))


def assert_same_schedule(actual: Schedule, expected: Schedule, most: int = 150) -> None:
    """Check that two schedules give the same values, have the same length and the same end."""
    assert actual.length == expected.length
    steps = samples(expected, most)
    assert_same([actual(t) for t in steps], [expected(t) for t in steps])
