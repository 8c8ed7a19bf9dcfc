"""The classic rules on curves whose answer follows from their definition."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import lehr
from lehr.find import RULES, Sweep
from lehr.find.sweep import has_risen

RATES = 10 ** np.linspace(-6, 2, 161)


def sweep(losses: Any, rates: Any = RATES, scores: Any = None) -> Sweep:
    return Sweep(np.asarray(rates), np.asarray(losses, float), scores, len(losses))


def test_steepest_is_by_decade() -> None:
    losses = 1 - 0.5 * np.tanh(np.log10(RATES) + 2)  # steepest at 0.01
    assert RULES["steepest"](RATES, losses) == pytest.approx(0.01)
    # By rate it would be at the lowest one.
    assert np.argmin(np.gradient(losses, RATES)) < 10


def test_minimum_is_a_tenth() -> None:
    assert RULES["minimum"](RATES, (np.log10(RATES) + 1) ** 2) == pytest.approx(0.01)


def test_valley_takes_the_middle_of_the_longest_fall() -> None:
    # Falls for 61 points and rises: the start is one before the first, and the middle of the
    # second third is 20 + 10 points further.
    losses = np.concatenate([np.linspace(2, 1, 61), np.linspace(1.1, 9, 100)])
    assert RULES["valley"](RATES, losses) == RATES[60 - 61 + 20 + 10]


def test_slide_ends_where_the_slope_has_settled() -> None:
    losses = np.concatenate([np.full(100, 1.0), 1 + 0.02 * np.arange(61) ** 2 / 2])
    # Slopes 15 points apart differ by 0.3 on the rise; both are 0 only left of it.
    assert RATES[80] < RULES["slide"](RATES, losses) < RATES[100]


def test_the_smoothed_loss_is_a_mean_without_bias() -> None:
    assert sweep(np.full(161, 2.5)).smoothed == pytest.approx(np.full(161, 2.5))
    first, second = 1.0, 3.0
    assert sweep([first, second]).smoothed[1] == pytest.approx((0.98 * first + second) / 1.98)


def test_suggestions_leave_out_the_ends_and_what_is_not_finite() -> None:
    losses = np.append(2 + (np.log10(RATES[:-1]) + 1) ** 2, np.nan)
    losses[:16] = -99.0  # the first tenth is only there for the mean to settle
    assert sweep(losses).suggest("minimum") == RATES[16] / 10
    # The last five are left out, of those that are finite four.
    falling = np.linspace(9, 1, 161)
    assert sweep(falling).suggest("minimum") == RATES[155] / 10
    falling[-1] = np.nan
    assert sweep(falling).suggest("minimum") == RATES[155] / 10


def test_of_a_run_that_was_stopped_a_tenth_of_the_planned_updates_is_left_out() -> None:
    losses = np.full(60, -99.0)
    losses[20:] = 2.0
    found = Sweep(RATES[:60], losses, None, 200).suggest("minimum")
    assert found == RATES[20] / 10


def test_a_rule_that_is_unknown_and_a_curve_that_is_short() -> None:
    with pytest.raises(lehr.ScheduleError, match="rule='edge' is not known: write 'steepest'"):
        sweep(np.ones(161)).suggest("edge")
    with pytest.raises(lehr.ScheduleError, match="too few"):
        sweep(np.ones(20), RATES[:20]).suggest("slide")
    with pytest.raises(lehr.ScheduleError, match="write range_test"):
        sweep(np.ones(161)).base_and_max()


def test_smiths_pair() -> None:
    rates = np.linspace(0, 1, 1001)
    # Accuracy is 0.1 below 0.2, rises to 0.9 at 0.4, and falls from 0.7 to 0.1 at 0.9.
    scores = np.interp(rates, [0, 0.2, 0.4, 0.7, 0.9], [0.1, 0.1, 0.9, 0.9, 0.1])
    base, top = sweep(np.ones(1001), rates, scores).base_and_max()
    # A mean over a tenth lags behind by up to that.
    assert 0.2 < base < 0.32
    assert 0.7 < top < 0.83
    # A dip by less than a tenth of the rise is no fall.
    scores = np.interp(rates, [0, 0.2, 0.4, 0.5, 0.7, 0.9], [0.1, 0.1, 0.9, 0.85, 0.85, 0.1])
    _, top = sweep(np.ones(1001), rates, scores).base_and_max()
    assert 0.7 < top < 0.83
    with pytest.raises(lehr.ScheduleError, match="never rises"):
        sweep(np.ones(1001), rates, np.full(1001, 0.5)).base_and_max()


def test_a_rise_is_measured_from_the_lowest_loss() -> None:
    assert has_risen(math.nan, 2.0, 1.0)
    assert not has_risen(4.9, 2.0, 1.0)
    assert has_risen(5.1, 2.0, 1.0)
    assert not has_risen(-48.0, -50.0, -51.0)


def test_the_picture() -> None:
    pytest.importorskip("matplotlib")
    axes = sweep(np.ones(161)).plot()
    assert axes.get_xscale() == "log"
    assert len(axes.lines) == 2
