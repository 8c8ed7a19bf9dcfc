"""keras' schedules against keras itself (32 bits)."""

from __future__ import annotations

import os

import pytest
from cases_keras import CASES, MISSED, STEPS
from peer import LIVE, Case, assert_curve, case_id, translated

from lehr.translate import names

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="keras is not installed")


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_live(case: Case) -> None:
    name, given = case
    schedule = getattr(keras.optimizers.schedules, name)(**given)
    assert_curve(translated("keras", case), [float(schedule(t)) for t in range(STEPS)], LIVE)


def test_live_missed() -> None:
    name, given = MISSED
    live = getattr(keras.optimizers.schedules, name)(**given)
    expected = [float(live(t)) for t in range(STEPS)]
    # Step 25 begins a cycle: keras gives its peak, or misses it and gives the floor.
    assert min(abs(expected[25] - 0.1), abs(expected[25])) < 1e-7
    expected[25] = 0.1
    assert_curve(translated("keras", MISSED), expected, LIVE)


def test_no_other_schedule() -> None:
    known = {name for name in dir(keras.optimizers.schedules) if "Decay" in name}
    assert known == set(names("keras"))
