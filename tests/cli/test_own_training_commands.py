"""`lehr compare --train` and `--command`, as a whole program: stopping, killing, wrong options."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from lehr.cli import lehr as command
from lehr.lab import Plan, RunPlace, Size, compare
from waiting import PATIENCE, wait_for

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_script" / "after.py"
SMALL = ["--optimizers", "adam", "--schedules", "cosine", "--steps", "20", "--seeds", "2"]
SMALL += ["--tuning-seeds", "1", "--peaks", "0.01,0.1"]

SLOW = """
import os, time
from pathlib import Path

def train(trial):
    Path(f"begun-{os.getpid()}").write_text(str(trial.resumed))
    while not Path("go").exists():
        time.sleep(0.05)
    return {"validation": {"loss": trial.peak}, "test": {"loss": trial.peak}}
"""


def started(tmp_path: Path) -> subprocess.Popen[str]:
    (tmp_path / "train.py").write_text(SLOW)
    return subprocess.Popen(
        [sys.executable, "-m", "lehr", "compare", "--train", "train.py:train", *SMALL],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def begun(tmp_path: Path) -> list[int]:
    return [int(path.name.partition("-")[2]) for path in tmp_path.glob("begun-*")]


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_comparison_leaves_no_trial_behind_and_resumes_it(
    number: signal.Signals, tmp_path: Path
) -> None:
    process = started(tmp_path)
    try:
        wait_for(lambda: begun(tmp_path))
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number
        assert "to continue: lehr compare --train train.py:train" in errors
    wait_for(lambda: not any(map(is_alive, begun(tmp_path))))
    (first,) = tmp_path.glob("begun-*")
    first.unlink()
    (tmp_path / "go").touch()
    again = started(tmp_path)
    _, errors = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, errors
    resumed = [path.read_text() for path in tmp_path.glob("begun-*")]
    assert sorted(resumed) == ["False", "False", "False", "True"]
    results = json.loads((tmp_path / "lehr-compare" / "results.json").read_text())
    assert [pair["peak"] for pair in results["pairs"]] == [0.01]


@pytest.mark.slow
def test_a_trial_whose_process_is_killed_is_one_failed_trial(tmp_path: Path) -> None:
    process = started(tmp_path)
    try:
        wait_for(lambda: begun(tmp_path))
        os.kill(begun(tmp_path)[0], signal.SIGKILL)
        (tmp_path / "go").touch()
        _, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 1
    assert "1 trial failed" in errors
    results = json.loads((tmp_path / "lehr-compare" / "results.json").read_text())
    (failed,) = results["failed"]
    assert failed["reason"] == "it was killed by SIGKILL (is the memory too small?)"
    assert len(results["pairs"]) == 1


def test_the_example_runs(tmp_path: Path) -> None:
    plan = Plan(f"train:{EXAMPLE}:train", ("adamw",), ("cosine",), Size(50, 2, 1, (0.001, 0.03)))
    results = compare(plan, RunPlace(tmp_path, jobs=2))
    (pair,) = results.pairs
    assert pair.peak == 0.03
    assert pair.score is not None
    assert pair.score < 1.5  # guessing is ln 10 = 2.3
    assert None not in pair.loss.mean


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--train", "nowhere.py:train"], "cannot be read: No such file"),
        (["--train", "train.py"], "write FILE.py:FUNCTION"),
        (["--train", "a.py:b", "--command", "c"], "say what to train: give one"),
        (["--train", "a.py:b", "--task", "digits"], "say what to train: give one"),
        (["--shell"], "--shell is for --command"),
        (["--metric", "loss"], "--metric is for --train and --command"),
        (["--command", "a", "--metric", "accuracy"], "write score, loss, or with a unit"),
        (["--command", "a {lr}"], "in braces there may be peak"),
        (["--train", "a.py:b", "--timeout", "soon"], "write 90s, 30min or 2h"),
    ],
)
def test_wrong_options_take_one_line(
    options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command, ["compare", *options, *SMALL], prog_name="lehr")
    assert not list(tmp_path.iterdir())
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
