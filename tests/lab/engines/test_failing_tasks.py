"""Whatever the code of a task does, it ends in one failed trial or in one clear error."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lehr.lab import Plan, Results, RunPlace, Size, Store, TaskError, compare
from lehr.lab.metric import Metric
from lehr.lab.peak_grid import PeakGrid
from lehr.lab.study import Progress
from lehr.lab.trial import FailedTrial, FinishedTrial, Outcome

SIZE = Size(steps=8, seeds=2, tuning_seeds=1, peaks=(0.1, 0.2))

TASK = """
import sys
import torch
from torch import nn
from lehr.lab import Task

calls = 0

def late():
    # After the checks: they call loss and score a dozen times at most.
    global calls
    calls += 1
    return calls > 20

def loss(outputs, targets):
    if late():
        {loss}
    return nn.functional.mse_loss(outputs, targets)

def score(outputs, targets):
    found = (-nn.functional.mse_loss(outputs, targets)).exp()
    if late():
        {score}
    return found

def model():
    if torch.initial_seed() in {marked}:
        {model}
    return nn.Linear(1, 1)

def make():
    inputs = torch.linspace(-1, 1, 80).view(-1, 1)
    return Task.from_tensors(inputs, inputs.abs(), model, loss, score)
"""


def write(path: Path, marked: str = "()", **bodies: str) -> str:
    """Write a task with these statements in its functions, and return its name."""
    parts = {"loss": "pass", "score": "pass", "model": "pass"} | bodies
    path.write_text(TASK.format(marked=marked, **parts))
    return f"{path}:make"


def run(task: str, out: Path, *, seeds: int = 2, **place: Any) -> tuple[Results, list[Progress]]:
    plan = Plan(
        task=task,
        optimizers=("sgd",),
        schedules=("cosine",),
        size=Size(SIZE.steps, seeds, SIZE.tuning_seeds, SIZE.peaks),
    )
    seen: list[Progress] = []
    return compare(plan, RunPlace(out, **place), watch=seen.append), seen


@pytest.mark.parametrize(
    ("bodies", "reason"),
    [
        ({"loss": "raise KeyError('no')"}, "KeyError: 'no'"),
        ({"loss": "sys.exit(0)"}, "SystemExit: 0"),
        ({"score": "sys.exit(0)"}, "SystemExit: 0"),
        ({"loss": "raise GeneratorExit"}, "GeneratorExit"),
        ({"score": "return found * float('nan')"}, "ValueError: the score on the validation data"),
        ({"score": "return found * 0 + 7"}, "is 7: a score must be from 0 to 1"),
        ({"score": "return found * 0 - 1"}, "is -1: a score must be from 0 to 1"),
        ({"score": "return 'good'"}, "Error"),
        ({"loss": "return 'good'"}, "Error"),
    ],
)
def test_trials_fail_and_are_kept(bodies: dict[str, str], reason: str, tmp_path: Path) -> None:
    task = write(tmp_path / "own.py", **bodies)
    found, _ = run(task, tmp_path / "out")
    assert found.pairs == ()
    assert found.settings.complete
    assert [(run.pair, run.is_lost) for run in found.failed] == [("sgd/cosine", True)] * 2
    assert all(reason in run.reason for run in found.failed)
    assert "own.py:make" in found.summary[1]
    assert found.failed[0].trial in found.summary[1]
    with Store(tmp_path / "out" / "trials.db") as store:
        assert len(store) == 0
        kept = list(store.failures())
    assert [record.identity["peak"] for record in kept] == [0.1, 0.2]
    assert all("Traceback" in record.failure.trace for record in kept)
    # They are not trained again, unless they are asked for.
    again, seen = run(task, tmp_path / "out")
    assert again == found
    assert (seen[-1].reused, seen[-1].trained) == (2, 0)
    _, seen = run(task, tmp_path / "out", retry_failed=True)
    assert (seen[-1].reused, seen[-1].trained) == (0, 2)


@pytest.mark.parametrize("statement", ["raise ValueError('unlucky')", "sys.exit(0)"])
def test_one_failed_trial_costs_no_other_one(statement: str, tmp_path: Path) -> None:
    # Networks of seed s are drawn after `torch.manual_seed(2 s)`: that of seed 11 fails.
    task = write(tmp_path / "own.py", marked="(22,)", model=statement)
    found, _ = run(task, tmp_path / "out", seeds=13)
    (failed,) = found.failed
    assert failed.trial.endswith("with seed 11")
    with Store(tmp_path / "out" / "trials.db") as store:
        scored = {r.identity["seed"] for r in store.records()} - {1_000_000}
        assert {*range(11), 12} >= scored >= {*range(6)}
    assert found.summary[0] == "No pair has a result."


def test_a_peak_with_a_failed_trial_is_not_chosen() -> None:
    plan = Plan(optimizers=("sgd",), size=SIZE)
    (pair, *_) = plan.pairs
    grid = PeakGrid((0.1, 0.2, 0.3), [(3, 1)], lambda peak: plan.tuning(pair, peak), Metric.score())
    for trial, score in zip(list(grid.next()), (0.5, 0.25, None), strict=True):
        outcome = Outcome(None, (1.0,), (score or 0.0,), score or 0.0, 0.5, 1.0)
        failed = FailedTrial("ValueError: no", "Traceback")
        grid.tell(trial, failed if score is None else FinishedTrial(outcome, 1.0))
    assert grid.peak == 0.1
    assert list(grid.tried()) == [0.1, 0.2]
    assert [trial.peak for trial, _ in grid.failed] == [0.3]


def test_a_comparison_of_failures_only_ends_early(tmp_path: Path) -> None:
    plan = Plan(
        task=write(tmp_path / "own.py", loss="raise OSError('no disk')"),
        optimizers=("sgd", "adam"),
        schedules=("cosine",),
        size=Size(steps=4, seeds=2, tuning_seeds=20, peaks=(0.1, 0.2)),
    )
    with pytest.raises(
        TaskError, match=r"all of the first 8 trials failed; .*own\.py:make.*no disk"
    ):
        compare(plan, tmp_path / "out")
    with Store(tmp_path / "out" / "trials.db") as store:
        assert len(list(store.failures())) == 8


def test_an_error_in_the_first_checks_leaves_nothing_behind(tmp_path: Path) -> None:
    # The trial run takes four samples; the checks take a batch.
    task = write(tmp_path / "own.py", loss="pass\n    if len(outputs) == 4:\n        sys.exit(0)")
    with pytest.raises(TaskError, match=r"own\.py:make.* fails in an update .*: SystemExit: 0"):
        run(task, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    with pytest.raises(TaskError):
        run(task, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_is_deleted_in_mid_run_is_noticed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    task = write(tmp_path / "own.py", loss=f"__import__('shutil').rmtree({str(out)!r}, True)")
    with pytest.raises(ValueError, match=r"trials\.db was deleted, moved or replaced while it was"):
        run(task, out)
    assert not out.exists()


@pytest.mark.parametrize("engine", ["population", "processes"])
def test_a_task_that_would_end_lehr_fails_its_trial(engine: str, tmp_path: Path) -> None:
    task = write(tmp_path / "own.py", marked="(8,)", model="__import__('os')._exit(0)")
    before = os._exit
    found, _ = run(task, tmp_path / "out", seeds=5, engine=engine, jobs=1)
    (failed,) = found.failed
    assert failed.trial.endswith("with seed 4")
    assert failed.reason == "RuntimeError: os._exit(0) would end the process of lehr"
    assert os._exit is before


def test_a_file_that_would_end_lehr_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("import os\n\nos._exit(0)\n")
    with pytest.raises(ValueError, match=r"own\.py cannot be run: RuntimeError: os\._exit\(0\)"):
        run(f"{tmp_path / 'own.py'}:make", tmp_path / "out", seeds=1)


FORKS = """
import os
from lehr.lab.python_source import exits_raise
with exits_raise():
    child = os.fork()
    if not child:
        os._exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_process_that_a_task_starts_may_end_itself() -> None:
    # In a process without threads, where a fork is safe.
    ran = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True)
    assert ran.stdout == "7\n"


@pytest.mark.slow
def test_a_task_that_ends_its_process_fails_its_trial(tmp_path: Path) -> None:
    # Networks of seed 4 end the process of their worker, at each try.
    end = "__import__('os').kill(__import__('os').getpid(), 9)"
    task = write(tmp_path / "own.py", marked="(8,)", model=end)
    found, seen = run(task, tmp_path / "out", seeds=5, engine="processes", jobs=2)
    (failed,) = found.failed
    assert failed.trial.endswith("with seed 4")
    assert "workers died while they trained it" in failed.reason
    assert "does the task end its process?" in failed.reason
    assert (seen[-1].reused, seen[-1].trained) == (0, 2 + 5)
    with Store(tmp_path / "out" / "trials.db") as store:
        (kept,) = store.failures()
        assert kept.identity["seed"] == 4
        assert {record.identity["seed"] for record in store.records()} >= {0, 1, 2, 3}
