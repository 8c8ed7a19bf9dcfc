"""`examples/own_script`: its page shows what changed, and it trains what a plain script would."""

from __future__ import annotations

import difflib
import re
import sys
from pathlib import Path

import pytest
from tests.support.plain_trial import OWN_SCRIPT, PlainTrial, example

from lehr.lab import Plan, RunPlace, Size, compare

COSINE = Size(20, 2, 1, (0.01, 0.1))


def test_the_page_shows_the_lines_that_changed() -> None:
    before, after = (
        (OWN_SCRIPT / name).read_text().splitlines()[1:] for name in ("before.py", "after.py")
    )
    changed = list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]
    shown = re.search(r"```diff\n(.*?)```", (OWN_SCRIPT / "README.md").read_text(), re.DOTALL)
    assert shown is not None
    assert shown[1].splitlines() == changed
    assert len([line for line in changed if line.startswith("+")]) <= 13


def test_the_page_names_every_program() -> None:
    page = (OWN_SCRIPT / "README.md").read_text()
    assert {path.name for path in OWN_SCRIPT.glob("*.py")} == set(
        re.findall(r"\((\w+\.py)\)", page)
    )


def test_the_script_before_runs(capsys: pytest.CaptureFixture[str]) -> None:
    example("before").train()
    *_, last = capsys.readouterr().out.splitlines()
    (validation, test) = map(float, re.findall(r"loss ([\d.]+)", last))
    assert validation < 1.0
    assert test < 1.2  # guessing is ln 10 = 2.3


def test_function_and_command_train_what_torch_alone_would(tmp_path: Path) -> None:
    file = OWN_SCRIPT / "after.py"
    trained = [
        compare(Plan(task, ("adamw",), ("cosine",), COSINE), RunPlace(tmp_path / kind, jobs=2))
        for kind, task in [
            ("function", f"train:{file}:train"),
            ("command", f"command:{sys.executable} {file}"),
        ]
    ]
    for results in trained:
        (pair,) = results.pairs
        for seed, scored in enumerate(pair.scores):
            plain = PlainTrial(tmp_path, seed, 20, pair.peak)
            expected = example("after").train(plain)["test"]["loss"]
            assert scored == pytest.approx(expected, rel=1e-5)
