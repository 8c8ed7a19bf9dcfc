"""Numbers as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lehr.lab.metric import Metric
from lehr.view.numbers import count, duration, factor, measured, plain, rate


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.003, "0.003"),
        (0.0316227766, "0.0316"),
        (3e-5, "3e-5"),
        (1.25e-7, "1.25e-7"),
        (1.0, "1"),
        (10.0, "10"),
        (100.0, "100"),
        (0.0, "0"),
        (-0.5, "-0.5"),
        (12345.0, "12345"),
        (2e7, "2e7"),
        (None, "–"),
    ],
)
def test_rates(value: float | None, text: str) -> None:
    assert rate(value) == text


@given(st.floats(1e-9, 1e9))
def test_a_plain_number_keeps_three_digits(value: float) -> None:
    assert float(plain(value)) == pytest.approx(value, rel=5.001e-3)


@pytest.mark.parametrize(
    ("metric", "value", "text", "number"),
    [
        (Metric.score(), 0.934, "93.4\u202f%", "93.4"),
        (Metric.score(), None, "–", "–"),
        (Metric.loss(unit="nats"), 1.48349, "1.483 nats", "1.483"),
        (Metric.loss("perplexity"), 21.3456, "21.35", "21.35"),
    ],
)
def test_values_of_a_metric(metric: Metric, value: float | None, text: str, number: str) -> None:
    assert measured(metric, value) == text
    assert measured(metric, value, unit=False) == number


def test_a_width_in_decades_is_a_factor() -> None:
    assert factor(1.0) == "×10"
    assert factor(0.0) == "×1"
    assert factor(0.9) == "×7.9"
    assert factor(2.5) == "×316"
    assert factor(None) == "–"


def test_counts() -> None:
    assert count(1, "pair") == "1 pair"
    assert count(2640, "pair") == "2,640 pairs"
    assert count(2, "batch", "batches") == "2 batches"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (8.25, "8.2 s"),
        (48, "48 s"),
        (59.8, "60 s"),
        (60, "1 min"),
        (2531, "42 min"),
        (3599, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (None, "–"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds).replace("\u202f", " ") == text
