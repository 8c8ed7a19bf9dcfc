"""Results as JSON: written, read back, and refused where they are not what they should be."""

from __future__ import annotations

import copy
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from lehr.lab import Plan, Results, Size, compare
from lehr.lab.records import from_json, to_json


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    size = Size(steps=4, seeds=2, tuning_seeds=1, peaks=(0.1, 0.2), lengths=(2,))
    plan = Plan(optimizers=("adam",), schedules=("step", "one_cycle"), size=size, target=0.1)
    return compare(plan, tmp_path_factory.mktemp("results"))


def test_results_come_back_from_json(results: Results) -> None:
    text = json.dumps(results.to_json(), allow_nan=False)
    assert Results.from_json(json.loads(text)) == results


Edit = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda r: r.update(format=1), "results.format is 1, and this version of lehr reads 6"),
        (lambda r: r.pop("pairs"), "results has no part 'pairs'"),
        (lambda r: r.update(more=1), "results has an unknown part 'more'"),
        (lambda r: r.update(pairs=3), "results.pairs is 3, not a list"),
        (lambda r: r.update(task=[]), r"results.task is \[\], not an object"),
        (lambda r: r["task"].update(train="9"), "results.task.train is '9', not a whole number"),
        (lambda r: r["task"].update(train=True), "results.task.train is True, not a whole number"),
        (
            lambda r: r["pairs"][1].update(score=float("nan")),
            r"results.pairs\[1\].score is nan, not a finite number",
        ),
        (
            lambda r: r["pairs"][0].update(standing="first"),
            r"results.pairs\[0\].standing is 'first', not one of 'best', 'tie', 'undecided'",
        ),
        (
            lambda r: r["pairs"][0]["loss"]["mean"].pop(),
            r"results.pairs\[0\].loss needs 4 values in each row",
        ),
        (
            lambda r: r["pairs"][0].update(schedule="other"),
            r"results.pairs\[0\] is 'adam/other', which is not among results.optimizers",
        ),
        (
            lambda r: r["schedules"]["step"]["rate"].pop(),
            r"results.schedules\['step'\].rate has 1 values, not 2",
        ),
    ],
)
def test_what_is_not_the_json_of_results_is_refused_by_name(
    results: Results, edit: Edit, words: str
) -> None:
    value = copy.deepcopy(results.to_json())
    edit(value)
    with pytest.raises(ValueError, match=words):
        Results.from_json(value)


@dataclass(frozen=True)
class _Inner:
    word: Literal["a", "b"]
    numbers: tuple[float | None, ...]


@dataclass(frozen=True)
class _Outer:
    inner: _Inner | None
    named: dict[str, _Inner]
    two: tuple[int, str]
    flag: bool


def test_any_record_comes_back() -> None:
    inner = _Inner("a", (1.5, None, 2))
    for outer in (_Outer(inner, {"x": inner}, (1, "y"), True), _Outer(None, {}, (0, ""), False)):
        text = json.dumps(to_json(outer))
        assert from_json(_Outer, json.loads(text), "outer") == outer


def test_the_results_of_the_example_can_be_read() -> None:
    example = Path(__file__).parents[3] / "examples/char_transformer"
    results = Results.from_json(json.loads((example / "results.json").read_text("utf-8")))
    page = (example / "README.md").read_text("utf-8")
    best = results.pairs[0]
    assert best.score is not None
    assert f"{best.score:.3f} nats" in page
    written = next(line for line in page.splitlines() if line.startswith("lehr compare"))
    assert shlex.split(written)[:12] == shlex.split(results.settings.command)[:12]
