"""The charts' parts: ticks, scales, lines with gaps, labels that keep apart."""

import math
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lehr.view.svg import Scale, band, line, log_ticks, nice_ticks, robust_low, spread

RANGES = st.tuples(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6)).map(lambda r: (r[0], r[0] + r[1]))


@given(RANGES, st.integers(4, 10))
def test_nice_ticks_are_round_even_and_enough(ends: tuple[float, float], count: int) -> None:
    low, high = ends
    ticks = nice_ticks(low, high, count)
    assert 2 <= len(ticks) <= 1.6 * count + 1
    step = ticks[1] - ticks[0]
    slack = 1e-5 * step + 1e-9 * abs(low)
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    assert all(b - a == pytest.approx(step, abs=slack) for a, b in pairwise(ticks))
    # One more on either side would be outside: the axis is covered.
    assert ticks[0] - step < low + slack
    assert ticks[-1] + step > high - slack
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-3)
    assert min(abs(mantissa - nice) for nice in (1, 2, 5, 10)) < 1e-3


@pytest.mark.parametrize(
    ("low", "high", "count", "ticks"),
    [
        (0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 0.3, 3, [0, 0.1, 0.2, 0.3]),
        (91.2, 97.9, 4, [92, 94, 96]),
        (0, 900, 4, [0, 200, 400, 600, 800]),
    ],
)
def test_nice_ticks_by_hand(low: float, high: float, count: int, ticks: list[float]) -> None:
    assert nice_ticks(low, high, count) == ticks


@pytest.mark.parametrize("ends", [(1, 1), (2, 1), (0, math.inf), (math.nan, 1)])
def test_ticks_need_a_range(ends: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="low < high"):
        nice_ticks(*ends)
    with pytest.raises(ValueError, match="low < high"):
        log_ticks(*ends)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.001, 1.0, [0.001, 0.01, 0.1, 1]),
        (0.02, 3.0, [0.03, 0.1, 0.3, 1, 3]),
        (0.9, 6.0, [1, 2, 5]),
        (1e-9, 1e3, [1e-9, 1e-6, 1e-3, 1, 1e3]),
    ],
)
def test_log_ticks_by_hand(low: float, high: float, ticks: list[float]) -> None:
    assert log_ticks(low, high) == pytest.approx(ticks)


@given(st.floats(1e-8, 1e3), st.floats(1.5, 1e8))
def test_log_ticks_are_inside_and_few(low: float, ratio: float) -> None:
    ticks = log_ticks(low, low * ratio)
    assert 0 < len(ticks) <= 6 or ratio < 2
    assert all(low * 0.999 <= tick <= low * ratio * 1.001 for tick in ticks)
    assert ticks == sorted(set(ticks))


def test_scales() -> None:
    linear = Scale(0, 10, 100, 0)
    assert (linear(0), linear(5), linear(10)) == (100, 50, 0)
    assert (linear.clamp(-3), linear.clamp(30)) == (100, 0)
    log = Scale(0.01, 100, 0, 40, log=True)
    assert [log(v) for v in (0.01, 0.1, 1, 10, 100)] == pytest.approx([0, 10, 20, 30, 40])
    assert log.clamp(0) == 0


IDENTITY = Scale(0, 100, 0, 100)


def test_a_missing_number_breaks_a_line() -> None:
    drawn = line([0, 1, 2, 3, 4], [5, 6, None, 8, 9.25], IDENTITY, IDENTITY, class_="a")
    assert drawn == '<path d="M0 5L1 6M3 8L4 9.2" fill="none" class="a"></path>'


def test_a_lonely_point_is_still_drawn() -> None:
    assert 'd="M1 6L1 6"' in line([0, 1, 2], [None, 6, None], IDENTITY, IDENTITY)


def test_a_band_goes_there_and_back() -> None:
    drawn = band([0, 1, 2], [1, 2, None], [3, 4, 5], IDENTITY, IDENTITY)
    assert re.search(r'd="([^"]*)"', drawn)[1] == "M0 3L1 4L1 2L0 1Z"


def test_an_empty_line_is_no_error() -> None:
    assert 'd=""' in line([], [], IDENTITY, IDENTITY)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=14), st.floats(1, 20))
def test_labels_keep_apart_in_order_and_inside(wishes: list[float], gap: float) -> None:
    placed = spread(wishes, gap, 0, 100)
    room = min(gap, 100 / max(1, len(wishes) - 1))
    ordered = sorted(placed)
    assert all(b - a >= room - 1e-6 for a, b in pairwise(ordered))
    assert ordered[0] >= -1e-6
    assert ordered[-1] <= 100 + 1e-6
    for (a, wish_a), (b, wish_b) in pairwise(zip(placed, wishes, strict=True)):
        assert wish_a == wish_b or (a < b) == (wish_a < wish_b)


def test_labels_with_room_stay_where_they_are() -> None:
    assert spread([30, 10, 80], 5, 0, 100) == [30, 10, 80]


def test_two_labels_in_one_place_part_evenly() -> None:
    assert spread([50, 50], 10, 0, 100) == [45, 55]


def test_an_axis_ignores_a_failure_but_not_a_spread() -> None:
    # The median is 0.02 below the best, so the axis reaches 0.08 below it at most: to 0.86.
    assert robust_low([0.10, 0.90, 0.92, 0.93, 0.94]) == 0.90
    assert robust_low([0.85, 0.90, 0.92, 0.93, 0.94]) == 0.90
    assert robust_low([0.87, 0.90, 0.92, 0.93, 0.94]) == 0.87
    assert robust_low([0.5]) == 0.5


def test_of_two_scores_both_are_on_the_axis() -> None:
    assert robust_low([0.295, 0.293]) == 0.293
    assert robust_low([0.9]) == 0.9
