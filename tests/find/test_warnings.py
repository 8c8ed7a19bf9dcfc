"""Each reason to doubt a suggestion is named where it holds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import lehr
from lehr.find import Ladder, MeasuredRun, ShortRun, Suggestion
from lehr.find.longer import LongerRuns
from lehr.find.suggestion import doubts

NONE: dict[str, Any] = {
    "longest": 40, "stretch": 10.0, "progress": 1.0, "noise": 0.1, "bracketed": True, "soft": False,
    "early": False, "passes": None, "scatter": 0.01, "known": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"progress": 0.05}, "fell by less than the loss differs between batches"),
        ({"bracketed": False}, "no rate was found at which short runs lose their progress"),
        ({"soft": True}, "lose their progress gradually"),
        ({"early": True}, "runs of 40 updates get no farther than shorter ones"),
        ({"early": True, "passes": 60.0}, "the planned run sees its data 60 times"),
        ({"scatter": 0.2}, "the edge differs by 0.20 decades between batches"),
        ({"longest": 20}, "the longest short run had 20 updates, not 40"),
        ({"stretch": 1_500.0}, "1,500 times as long as the longest short run"),
        ({"known": False}, "the margins are not known for this optimizer"),
    ],
)
def test_each_doubt_has_a_sentence(change: dict[str, float], words: str) -> None:
    assert doubts(**NONE) == []
    (sentence,) = doubts(**(NONE | change))
    assert words in sentence


def ladder_of(loss: Callable[[ShortRun], float], budget: int = 400) -> Ladder:
    """Return a finished ladder; the losses of a run fall to this value, or are it if infinite."""
    ladder = Ladder(lehr.cosine(), 1_000, start=0.01, family="sgd", budget=budget)
    while (run := ladder.next()) is not None:
        end = loss(run) if run.rate else 2.0
        wave = [2.0 + 0.01 * (-1) ** i for i in range(run.updates)]
        ladder.tell(wave if not run.rate else [*wave[:1], *[end] * (run.updates - 1)])
    return ladder


def learning(run: ShortRun, edge: float = 0.3) -> float:
    return 2 - min(1.0, 10 * run.rate) if run.rate < edge else math.inf


@pytest.mark.parametrize(
    ("loss", "budget", "words"),
    [
        (lambda run: learning(run, 0.3 / 4**run.batches), 400, "decades between batches"),
        (learning, 60, "the budget ended after runs of 3 updates"),
        (lambda _: 2.0, 400, "eight decades from where it began"),
        (lambda run: learning(run) if run.updates == 10 else 2.0, 400, "at every rate, runs of"),
        (lambda _: math.inf, 400, "no rate gave a finite loss after a few updates"),
    ],
)
def test_what_a_search_says(loss: Callable[[ShortRun], float], budget: int, words: str) -> None:
    found = ladder_of(loss, budget).suggestion()
    assert any(words in text for text in found.warnings), found.warnings
    assert found.confidence != "usual"
    assert words in str(found)


@pytest.mark.parametrize(("sign", "word"), [(1, "high"), (-1, "low")])
def test_longer_runs_that_end_at_the_last_rate_say_so(sign: int, word: str) -> None:
    longer = LongerRuns(ladder_of(learning), 1_800)
    while needed := longer.next():
        for run in needed:
            longer.tell(run, 2 + sign * math.log10(run.rate) / 10, run.updates)
    found = longer.suggestion()
    assert f"at the end of the rates that were tried: the peak may be too {word}" in str(found)
    assert found.confidence == "low"


def test_the_documentation_names_every_key_of_the_json() -> None:
    text = (Path(__file__).parents[2] / "docs" / "find.md").read_text()
    table = text.partition("### The JSON\n")[2].partition("\n#")[0]
    named = re.findall(r"^\| `(\w+)`", table, re.M)
    found: Suggestion = ladder_of(learning).suggestion()
    assert named == list(found.to_dict())
    runs = re.search(r"^\| `curve` \| (.*) \|$", table, re.M)
    assert runs is not None
    assert re.findall(r"`(\w+)`", runs[1]) == [each.name for each in fields(MeasuredRun)]
