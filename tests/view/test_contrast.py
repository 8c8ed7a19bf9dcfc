"""Two comparisons beside each other: the numbers, and the page."""

from __future__ import annotations

import copy
import html
from typing import Any

import pytest

from lehr.lab.analysis.contrast import contrast
from lehr.lab.analysis.results import Results
from lehr.view.contrast import gain, render


@pytest.fixture
def better(full: dict[str, Any]) -> Results:
    """The same comparison with twice the updates, each score two points higher, fewer seeds."""
    value = copy.deepcopy(full)
    value["settings"]["steps"] *= 2
    for pair in value["pairs"]:
        pair["scores"] = [score + 0.02 for score in pair["scores"][:8]]
        pair["score"] += 0.02
    value["pairs"].pop(0)
    return Results.from_json(value)


def test_pairs_are_compared_seed_by_seed(full: dict[str, Any], better: Results) -> None:
    found = contrast(Results.from_json(full), better)
    assert found.comparable
    assert found.differences == ("900 and 1,800 updates",)
    assert len(found.pairs) == 55
    assert found.pairs[0].second is None
    assert found.pairs[0].gain is None
    for pair in found.pairs[1:]:
        assert pair.gain is not None
        assert pair.gain.mean == pytest.approx(0.02)
    assert gain(found.pairs[1], found.first.metric) == "2.0 (2.0 to 2.0)"
    assert gain(found.pairs[0], found.first.metric) == "–"


def test_less_of_a_loss_is_better(full: dict[str, Any]) -> None:
    loss = {"name": "loss", "unit": "nats", "higher": False, "guess": None, "tolerance": None}
    first = full | {"task": full["task"] | {"metric": loss}}
    second = copy.deepcopy(first)
    for pair in second["pairs"]:
        pair["scores"] = [score - 0.5 for score in pair["scores"]]
    found = contrast(Results.from_json(first), Results.from_json(second))
    assert {gain(pair, found.first.metric) for pair in found.pairs} == {"0.500 (0.500 to 0.500)"}


def test_other_tasks_are_only_shown_side_by_side(full: dict[str, Any], better: Results) -> None:
    other = Results.from_json(full | {"task": full["task"] | {"name": "wine"}})
    found = contrast(other, better)
    assert not found.comparable
    assert {pair.gain for pair in found.pairs} == {None}
    assert found.note.startswith(
        "They differ in: task wine and digits; 900 and 1,800 updates. Task"
    )
    page = render(found)
    assert "only shown side by side" in page
    assert "is better by" not in page


def test_the_page_is_whole_and_escaped(full: dict[str, Any], better: Results) -> None:
    first = Results.from_json(full | {"summary": ["<script>alert(1)</script>"]})
    page = render(contrast(first, better))
    assert page.startswith("<!doctype html>")
    assert "default-src 'none'" in html.unescape(page)
    assert "<script>alert" not in page
    assert "Second is better by, points" in page
    assert page.count("2.0 (2.0 to 2.0)") == 54
