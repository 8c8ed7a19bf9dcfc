"""Metrics: what is better, what is near, and how values and differences are written."""

import dataclasses

import pytest

from lehr.lab.metric import Metric

SCORE = Metric.score("accuracy", guess=0.1)
NATS = Metric.loss(unit="nats")
ERRORS = Metric("errors", "share", higher=False)
PLAIN = Metric.loss("perplexity")
REWARD = Metric("reward", "", higher=True, tolerance=2.0)


@pytest.mark.parametrize(
    ("metric", "values", "texts"),
    [
        (SCORE, (0.9341, 1.0), ("93.4%", "100.0%")),
        (ERRORS, (0.0659,), ("6.6%",)),
        (NATS, (1.48318, 12345.6), ("1.483 nats", "1.235e+04 nats")),
        (PLAIN, (21.3456, 0.00012345), ("21.35", "0.0001234")),
        (REWARD, (-200.25,), ("-200.2",)),
    ],
)
def test_values_are_written_in_their_unit(
    metric: Metric, values: tuple[float, ...], texts: tuple[str, ...]
) -> None:
    assert tuple(map(metric.text, values)) == texts


@pytest.mark.parametrize(
    ("metric", "difference", "text"),
    [
        (SCORE, 0.0042, "0.4 points"),
        (SCORE, -0.0001, "0.0 points"),
        (NATS, 0.0123, "0.012 nats"),
        (NATS, -0.0001, "0.000 nats"),
        (PLAIN, 0.2345, "0.23"),
        (PLAIN, -0.0, "0"),
    ],
)
def test_differences_are_written_in_their_unit(
    metric: Metric, difference: float, text: str
) -> None:
    assert f"{metric.difference(difference)}{metric.units}" == text


@pytest.mark.parametrize(
    ("metric", "title", "direction"),
    [
        (SCORE, "Test accuracy in percent", "percent; higher is better"),
        (NATS, "Test loss in nats", "nats; lower is better"),
        (PLAIN, "Test perplexity", "lower is better"),
    ],
)
def test_axes_are_named_with_their_unit(metric: Metric, title: str, direction: str) -> None:
    assert (metric.title, metric.direction) == (title, direction)


@pytest.mark.parametrize(
    ("metric", "worse", "better"),
    [(SCORE, 0.9, 0.91), (ERRORS, 0.1, 0.09), (NATS, 1.5, 1.4), (REWARD, -3.0, 2.0)],
)
def test_what_is_better(metric: Metric, worse: float, better: float) -> None:
    assert metric.order([better]) < metric.order([worse])
    assert metric.order([worse]) < metric.order([better, None]) < metric.order([None, None])
    assert metric.reaches(better, worse)
    assert metric.reaches(worse, worse)
    assert not metric.reaches(worse, better)
    assert not metric.reaches(None, worse)


@pytest.mark.parametrize(
    ("metric", "best", "margin", "near"),
    [
        (SCORE, 0.97, 0.01, "a point of the best"),
        (ERRORS, 0.03, 0.01, "a point of the best"),
        (NATS, 2.5, 0.01, "0.01 nats of the best"),
        (PLAIN, 50.0, 0.5, "1% of the best"),
        (PLAIN, -50.0, 0.5, "1% of the best"),
        (REWARD, 300.0, 2.0, "2 of the best"),
        (dataclasses.replace(SCORE, tolerance=0.002), 0.97, 0.002, "0.2 points of the best"),
    ],
)
def test_what_is_near(metric: Metric, best: float, margin: float, near: str) -> None:
    assert metric.margin(best) == margin
    assert metric.near == near


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"unit": "nats", "higher": True}, "unit='nats' is the unit of a loss: write higher=False"),
        ({"unit": "share", "guess": 1.5}, "guess=1.5 must be a share, from 0 to 1"),
        ({"guess": float("nan")}, "guess=nan must be finite"),
        ({"tolerance": 0.0}, "tolerance=0.0 must be above 0: write 0.01"),
    ],
)
def test_impossible_metrics_are_refused(parts: dict[str, object], words: str) -> None:
    usual: dict[str, object] = {"name": "loss", "unit": "", "higher": False}
    with pytest.raises(ValueError, match=words):
        Metric(**(usual | parts))
