"""Ctrl-C and SIGTERM while `lehr compare` trains: a word at once, an orderly end, exit codes."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lehr.lab import Store
from waiting import PATIENCE, session, skip_without, wait_for

# The loss writes a file once it is called in training, and then waits far longer than the test.
# The checks call it a dozen times at most.
WAITING = """
import time
from pathlib import Path
import torch
from torch import nn
from lehr.lab import Task

calls = 0

def loss(outputs, targets):
    global calls
    calls += 1
    if calls > 20:
        Path({mark!r}).touch()
        end = time.monotonic() + 3600
        while time.monotonic() < end:
            try:
                time.sleep(60)
            except {caught}:
                pass
    return nn.functional.mse_loss(outputs, targets)

def make():
    print("printed by the task")
    inputs = torch.linspace(-1, 1, 80).view(-1, 1)
    return Task.from_tensors(inputs, inputs.abs(), lambda: nn.Linear(1, 1), loss)
"""
OPTIONS = [
    *("--optimizers", "sgd", "--schedules", "cosine", "--steps", "90", "--seeds", "2"),
    *("--tuning-seeds", "9", "--peaks", "0.1,0.2"),
]
HERE = ("--engine", "population")
ELSEWHERE = ("--engine", "processes")

pytestmark = pytest.mark.slow

STOPPING = "Stopping: unfinished trials start again next time. Once more to stop at once."


@contextmanager
def comparing(
    tmp_path: Path, *engine: str, caught: str = "ZeroDivisionError"
) -> Generator["subprocess.Popen[str]"]:
    """Run a comparison until its loss waits, in a session of its own."""
    mark, task = tmp_path / "mark", tmp_path / "own.py"
    task.write_text(WAITING.format(mark=str(mark), caught=caught))
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "lehr", "compare", "--task", f"{task}:make", *OPTIONS),
            *engine,
            *("--out", str(tmp_path / "out"), "--json"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for(lambda: mark.exists() or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("engine", ["population", "processes", "dask", "ray"])
def test_one_signal_ends_a_loss_that_hangs(
    number: signal.Signals, engine: str, tmp_path: Path
) -> None:
    skip_without(engine)
    with comparing(tmp_path, "--engine", engine) as process:
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
    assert stdout == ""
    lines = [line for line in stderr.splitlines() if line != "printed by the task"]
    assert "to tune and" in lines.pop(0)
    assert lines[0] == STOPPING
    if engine == "processes":
        assert "did not stop within 1 second, and had to be killed." in lines.pop(1)
    assert lines[-1].startswith("Stopped: 0 of 20 trials are kept in ")
    assert "; to continue: lehr compare --task " in lines[-1]
    assert len(lines) == 2  # no traceback, and no warning of a semaphore
    assert (tmp_path / "out" / "results.json").exists()
    with Store(tmp_path / "out" / "trials.db") as store:
        assert len(store) == 0
    wait_for(lambda: not session(process.pid))


@pytest.mark.parametrize("engine", ["processes", "dask", "ray"])
def test_a_signal_while_workers_start_is_answered_at_once(engine: str, tmp_path: Path) -> None:
    skip_without(engine)
    command = ["compare", "--quick", "--engine", engine, "--jobs", "2", "--out", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "lehr", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for(lambda: len(session(process.pid)) > 1)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Stopping: unfinished trials")
        stdout, stderr = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 130
    assert stdout == ""
    assert stderr.startswith("Stopped: 0 of ")
    assert stderr.count("\n") == 1
    wait_for(lambda: not session(process.pid))


def test_the_second_signal_ends_what_ignores_the_first(tmp_path: Path) -> None:
    with comparing(tmp_path, *HERE, caught="BaseException") as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        # Not at once after the first: two pending signals of one kind are one.
        for line in process.stderr:
            if line.startswith("Stopping"):
                break
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert stderr.startswith("Stopped at once: finished trials are kept in ")
    assert "; to continue: lehr compare --task " in stderr


def test_a_signal_to_all_processes_of_the_terminal_is_one_signal(tmp_path: Path) -> None:
    with comparing(tmp_path, *ELSEWHERE) as process:
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert stderr.count("Stopping:") == 1


def test_a_folder_that_is_deleted_ends_the_training_in_processes(tmp_path: Path) -> None:
    with comparing(tmp_path, *ELSEWHERE) as process:
        for path in sorted((tmp_path / "out").iterdir()):
            path.unlink()
        (tmp_path / "out").rmdir()
        # Nothing ends by itself here: the loss waits for an hour.
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert stdout == ""
    assert "trials.db was deleted, moved or replaced while it was in use" in stderr
    assert "Traceback" not in stderr
    assert not (tmp_path / "out").exists()
