"""The 71 shapes of the field, each as an expression of lehr against its formula.

A row is one functional form; where libraries differ in what they call by it, the row has several
expressions. They are in ``rows_*.py``; three rows are feedback rules, which have a test of their
own, and noise, which has no formula, is tested in ``test_noise.py``.
"""

from __future__ import annotations

import numpy as np
import pytest

# Reading these fills the table.
import rows_cyclic  # noqa: F401
import rows_decay  # noqa: F401
import rows_derived  # noqa: F401
import rows_phases  # noqa: F401
import rows_warmup  # noqa: F401
from rows import NAMED, ROWS, Row

from helpers import PEAK_RELATIVE
from lehr import ENTRIES, RULES

RULE_ROWS = {65: "plateau", 66: "greedy", 67: "dlrs"}
NOISE_ROW = 70


@pytest.mark.parametrize(
    "row", ROWS, ids=[f"{row.number}-{index}" for index, row in enumerate(ROWS)]
)
def test_follows_its_formula(row: Row) -> None:
    together = row.schedule(np.asarray(row.steps))
    for t, value in zip(row.steps, together, strict=True):
        exact = row.exact(t)
        assert abs(row.schedule(t) - exact) <= PEAK_RELATIVE * row.peak, (t, float(exact))
        assert abs(value - exact) <= PEAK_RELATIVE * row.peak, (t, float(exact))


def test_no_row_is_missing() -> None:
    assert {*NAMED, *RULE_ROWS, NOISE_ROW} == set(range(1, 72))
    assert set(RULE_ROWS.values()) == set(RULES)


def test_every_entry_is_in_a_row() -> None:
    named = set().union(*NAMED.values())
    assert named | {"noise"} == set(ENTRIES)
