"""The peak for each value of another number, as trials."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("scipy")
pytest.importorskip("click")

from click.testing import CliRunner

from lehr.cli import lehr as command
from lehr.lab import Progress, find_peak, find_peaks
from lehr.lab.tasks.registry import find_task, identity, pinned


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Any:
    return CliRunner().invoke(command, ["find", *words, "--jobs", "1"])


def test_a_momentum_of_the_digits(folder: Path) -> None:
    words = ["digits", "--optimizer", "momentum", "--steps", "200", "--sweep", "momentum=0,0.9"]
    text = run(*words)
    assert text.exit_code == 0, text.output
    assert text.stdout.splitlines()[0].split() == ["momentum", "peak", "loss", "spent"]
    found = json.loads(run(*words, "--json").stdout)
    plain, heavy = found["values"]
    assert plain["peak"] > heavy["peak"]
    seen: list[Progress] = []
    text = "momentum(momentum=0.9)"
    alone = find_peak("digits", text, "cosine()", 200, folder / "lehr-find", watch=seen.append)
    assert alone.peak == heavy["peak"]
    assert seen[-1].trained == 0
    assert heavy["spent"] == alone.spent + 3 * 40


def test_a_batch_size_is_a_task_of_its_own(folder: Path) -> None:
    name = "batch[16]:digits"
    assert find_task(name).batch_size == 16
    assert find_task("digits").batch_size == 32
    assert identity(name) != identity("digits")
    assert pinned(pinned(name)) == name
    swept = find_peaks("digits", "adamw", "cosine()", 100, "batch=16,32", folder, budget=100)
    alone = find_peak("digits", "adamw", "cosine()", 100, folder, budget=100)
    small, usual = swept.rows
    assert usual.found.peak == alone.peak
    assert small.found.start_loss != usual.found.start_loss


OWN = """\
import sys
from lehr.lab import current_trial

def train(trial):
    batch = trial.batch or 1
    edge = 0.01 * batch
    loss = 2 - min(1, trial.peak / edge) * min(1, trial.steps / 40) if trial.peak < edge else 1e400
    for step in range(1, trial.steps + 1):
        trial.report(step, loss=2.0 if step < trial.steps // 2 else loss)
    return {"validation": {"loss": loss}, "test": {"loss": loss}}

if __name__ == "__main__":
    trial = current_trial()
    assert trial.batch == int(sys.argv[1])
    trial.finish(train(trial))
"""


@pytest.mark.skipif(os.name != "posix", reason="own trainings need POSIX")
@pytest.mark.parametrize("kind", ["train", "command"])
def test_the_batch_size_of_a_training_of_ones_own(folder: Path, kind: str) -> None:
    (folder / "own.py").write_text(OWN)
    own = "own.py:train" if kind == "train" else f"{sys.executable} own.py {{batch}}"
    words = [f"--{kind}", own, "--optimizer", "momentum", "--steps", "200", "--budget", "60"]
    found = run(*words, "--sweep", "batch=1,16", "--json")
    assert found.exit_code == 0, found.output
    small, large = json.loads(found.stdout)["values"]
    # Their edges differ by 16; so small a budget finds them in half decades.
    assert 5 < large["peak"] / small["peak"] < 50


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["digits", "--sweep", "batch=0,16"], "a batch size is a whole number from 1"),
        (["digits", "--sweep", "batch=16,5000"], "from 1 to the 897 training samples"),
        (["digits", "--sweep", "momentum=0.9"], "neither the optimizer 'adamw' nor the schedule"),
        (["digits", "--sweep", "momentum"], "--sweep momentum is not a number and its values"),
        (["digits", "--sweep", "weight_decay=0,0"], "has a value twice"),
        (["digits", "--sweep", "weight_decay=0", "--verify"], "leave out one of them"),
        (["--command", "train {peak}", "--sweep", "batch=1,2"], "has no {batch}"),
        (["--command", "train {batch}"], "nothing sets it: write lehr find --sweep batch=16,64"),
    ],
)
def test_what_cannot_be_swept_is_one_line(words: list[str], message: str, folder: Path) -> None:
    found = run(*words)
    assert found.exit_code in (1, 2)
    assert message in found.output
    assert len(found.output.strip().splitlines()) == 1
    assert not any(folder.glob("lehr-find/*"))


def test_the_batches_of_loaders_cannot_be_swept(folder: Path) -> None:
    (folder / "own.py").write_text(
        "import torch\n"
        "from lehr.lab import Task\n"
        "def loaded():\n"
        "    data = [(torch.randn(4, 1), torch.randn(4, 1)) for _ in range(4)]\n"
        "    loss = torch.nn.functional.mse_loss\n"
        "    return Task.from_loaders(data, data, data, lambda: torch.nn.Linear(1, 1), loss)\n"
    )
    found = run("own.py:loaded", "--sweep", "batch=1,2")
    assert found.exit_code == 2
    assert "has loaders, which make its batches: set their size there" in found.output
