"""`lehr find`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

click_testing = pytest.importorskip("click.testing")
pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("scipy")

from lehr.cli import lehr as command  # noqa: E402


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Any:
    return click_testing.CliRunner().invoke(command, ["find", *words])


def test_the_text_and_the_json_say_the_same(folder: Path) -> None:
    words = ["digits", "--optimizer", "momentum", "--schedule", "cosine()", "--steps", "400"]
    text = run(*words)
    assert text.exit_code == 0, text.output
    assert text.stdout.startswith("peak rate    ")
    found = json.loads(run(*words, "--json").stdout)
    keys = {"peak", "as_good", "best_within", "spent", "decided_by", "confidence", "warnings"}
    assert keys < found.keys()
    assert found["as_good"][0] < found["peak"] < found["as_good"][1]
    assert f"{found['peak']:.2g}" in text.stdout.splitlines()[0]
    assert {"rate", "updates", "loss"} < found["curve"][0].keys()
    assert (folder / "lehr-find" / "trials.db").exists()


def test_a_task_of_a_file(folder: Path) -> None:
    (folder / "own.py").write_text(
        "import torch\n"
        "from lehr.lab import Task\n"
        "def line():\n"
        "    x = torch.linspace(-1, 1, 200).view(-1, 1)\n"
        "    loss = torch.nn.functional.mse_loss\n"
        "    return Task.from_tensors(x, 2 * x, lambda: torch.nn.Linear(1, 1), loss)\n"
    )
    found = run("own.py:line", "--steps", "300", "--budget", "150", "--json")
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["spent"] <= 150 + 10


@pytest.mark.skipif(os.name != "posix", reason="own trainings need POSIX")
def test_a_command_of_ones_own(folder: Path) -> None:
    (folder / "own.py").write_text(
        "import sys, math\n"
        "peak, steps = float(sys.argv[1]), int(sys.argv[2])\n"
        "loss = 2 - min(1, 10 * peak) * steps / 40 if peak < 0.3 else math.inf\n"
        "import json\n"
        "print(json.dumps({'validation': {'loss': loss}, 'test': {'loss': 1}}))\n"
    )
    words = ["--command", f"{sys.executable} -S own.py {{peak}} {{steps}}"]
    words += ["--optimizer", "momentum", "--steps", "300", "--json"]
    found = run(*words)
    assert found.exit_code == 0, found.output
    # The last quarter of a decade that works is 0.18.
    assert 0.17 < json.loads(found.stdout)["edge"] < 0.32
    again = run(*words)
    assert again.stdout == found.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "unknown task 'nothing'"),
        (["digits", "--optimizer", "adm"], "did you mean 'adam'"),
        (["digits", "--schedule", "cosin()"], "cosin"),
        (["digits", "--steps", "0"], "whole number of steps"),
        (["digits", "--budget", "10"], "at least 60 updates; write --budget 400"),
        (
            ["digits", "--budget", "10%", "--steps", "2000"],
            "--budget 10% is 200 of 2000 updates, and short runs alone may take 400: write "
            "--budget 400, or 20% or more",
        ),
        (["digits", "--budget", "3ep"], "--budget 3ep is not a number of updates: write 400, or"),
        (["digits", "--budget", "much"], "write 400, or 10% of the run"),
        ([], "TASK, --train and --command say what to train"),
        (["digits", "--train", "own.py:run"], "give one"),
        (["--train", "own.py:run", "--command", "run"], "give one"),
        (["digits", "--metric", "loss"], "a task has its own metric"),
        (["--train", "missing.py:run"], "missing.py"),
    ],
)
def test_wrong_arguments(words: list[str], message: str) -> None:
    found = run(*words)
    assert found.exit_code == 2
    assert message in found.output
    assert found.output.count("\n") == 1
