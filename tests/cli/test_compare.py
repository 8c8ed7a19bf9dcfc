"""`lehr compare` as a user types it."""

import dataclasses
import errno
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lehr.cli import lehr
from lehr.extras import install
from lehr.lab import Metric, Store, StoreError
from lehr.lab.optimizers import OPTIMIZERS
from lehr.lab.plan import SCHEDULES
from lehr.lab.tasks.registry import TASKS
from waiting import PATIENCE, session, skip_without, wait_for

TINY = [
    *("--optimizers", "momentum,adam"),
    *("--schedules", "step, cosine"),
    *("--steps", "6"),
    *("--seeds", "3"),
    *("--tuning-seeds", "1"),
    *("--peaks", "0.01,0.1"),
]
COMMAND = (
    "lehr compare --task digits --optimizers momentum,adam --schedules step,cosine "
    "--steps 6 --seeds 3 --tuning-seeds 1 --peaks 0.01,0.1"
)


def call(out: Path, *options: str) -> Result:
    jobs = [] if "--jobs" in options else ["--jobs", "1"]
    return CliRunner().invoke(lehr, ["compare", *jobs, "--out", str(out), *options])


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished comparison."""
    out = tmp_path_factory.mktemp("compare")
    assert call(out, *TINY).exit_code == 0
    return out


def test_it_prints_the_ranking_and_says_what_it_means(out: Path) -> None:
    result = call(out, *TINY)
    found = json.loads((out / "results.json").read_text())
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    first, *rest = found["summary"]
    code = [line and f"    {line}" for line in found["pairs"][0]["code"].splitlines()]
    assert lines[: len(code) + 3] == [first, "", *code, ""]
    head, *lines = lines[len(code) + 3 :]
    titles = ["rank", "optimizer", "schedule", "peak", "rate", "test", "accuracy", "could", "rank"]
    assert head.split() == titles
    for pair, line in zip(found["pairs"], lines[:4], strict=True):
        words = line.split()
        assert words[:3] == [str(pair["rank"]), pair["optimizer"], pair["schedule"]]
        assert float(words[3]) == pair["peak"]
        assert words[4] == f"{100 * pair['score']:.1f}%"
        assert line.endswith("ties with the best") == (pair["standing"] == "tie")
        needed = (pair["behind"] or {}).get("seeds")
        more = f": {needed - 3:,} more seed{'s' * (needed != 4)}" if needed else ""
        assert (f" undecided{more}" in line) == (pair["standing"] == "undecided")
    assert lines[0].endswith("best")
    assert [line for line in lines[4:] if line] == [
        "Could rank: the ranks that the test leaves open to a pair, 95% sure for all at once.",
        *rest,
        f"Report: {out / 'report.html'}",
    ]
    assert "20 of 20 trials were already in" in result.stderr


def test_schedules_may_be_texts_and_all_options_are_used(tmp_path: Path) -> None:
    options = [
        *("--optimizers", "sgd", "--schedules", "linear, warmup(2) >> cosine('50%', to=0.1)"),
        *("--steps", "6", "--seeds", "2", "--tuning-seeds", "2", "--peaks", "0.01,0.1,0.5"),
        *("--halving", "--lengths", "4,8", "--target", "0.05"),
    ]
    result = call(tmp_path, *options)
    assert result.exit_code == 0, result.stderr
    found = json.loads((tmp_path / "results.json").read_text())
    assert list(found["schedules"]) == ["linear", "warmup(2) >> cosine('50%', to=0.1)"]
    assert found["settings"]["rungs"] == [[3, 1], [2, 2]]
    assert found["settings"]["lengths"] == [4, 6, 8]
    _, _, table = result.stdout.partition("\nrank ")
    header, *lines = table.splitlines()
    assert header.split()[-3:] == ["updates", "to", "5.0%"]
    for pair, line in zip(found["pairs"], lines, strict=False):
        assert f"{pair['target']['updates']:g} (2 of 2)" in line
    # What it says to type is what was typed: nothing is left to train.
    again = CliRunner().invoke(
        lehr, [*shlex.split(found["settings"]["command"])[1:], "--out", str(tmp_path)]
    )
    assert again.exit_code == 0
    assert "22 of 22 trials were already in" in again.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--target", "97"], "--target 97.0 must be a share, from 0 to 1: write 0.97"),
        (["--lengths", "1"], "--lengths (1,) must be whole numbers from 2 to 100,000,000"),
        (["--lengths", "1e3"], "Invalid value for '--lengths': '1e3'"),
        (["--schedules", "cosine(to=0.1"], "'(' is never closed"),
    ],
)
def test_impossible_requests_are_refused(tmp_path: Path, options: list[str], words: str) -> None:
    result = call(tmp_path / "out", *options)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (tmp_path / "out").exists()


def test_json_is_all_that_is_on_stdout(out: Path) -> None:
    result = call(out, *TINY, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json.loads((out / "results.json").read_text())


def test_the_command_it_tells_is_this_one(out: Path) -> None:
    settings = json.loads((out / "results.json").read_text())["settings"]
    assert settings["command"] == COMMAND
    assert settings["complete"] is True


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--optimizers", "adan"],
            "unknown optimizer 'adan': did you mean 'adam' or 'radam' or 'nadam'?",
        ),
        (["--schedules", "cosine,cosin"], "unknown schedule 'cosin'"),
        (["--task", "mnist"], "unknown task 'mnist': choose from digits"),
        (["--optimizers", "adam,adam"], "optimizers names 'adam' twice"),
        (["--steps", "0"], "'0' is not a whole number of steps"),
        (["--steps", "many"], "'many' is not a whole number of steps"),
        (["--seeds", "-1"], "--seeds -1 must be"),
        (["--tuning-seeds", "0"], "--tuning-seeds 0 must be"),
        (["--peaks", "0.1,x"], "could not convert string to float: 'x'"),
        (["--peaks", "1,0.1"], "must be in ascending order"),
        (["--peaks", "0,1"], "must be finite and above 0"),
        (["--task", "text:nowhere.txt"], "nowhere.txt' cannot be read: No such file"),
        (["--task", "nowhere.py:make"], "nowhere.py' cannot be read: No such file"),
        (["--jobs", "0"], "0 is not in the range x>=1"),
        (["--engine", "threads"], "--engine threads is not known: write population, processes, da"),
        (["--engine", "population", "--jobs", "2"], "--jobs 2 cannot run in one process"),
        (["--memory", "2 goats"], "'2 goats' is not a size: write 2GB or 500MB"),
        (["--nonsense"], "No such option"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(options: list[str], words: str, tmp_path: Path) -> None:
    result = call(tmp_path / "out", *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_unknown_device_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    result = call(tmp_path / "out", *TINY, "--device", "typewriter")
    assert result.exit_code == 2
    assert "--device typewriter cannot be used (Expected one of cpu" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
    # A store that was there stays.
    assert call(tmp_path / "old", *TINY).exit_code == 0
    before = trials(tmp_path / "old")
    longer = [*TINY[:4], "--steps", "7", *TINY[6:]]
    assert call(tmp_path / "old", *longer, "--device", "typewriter").exit_code == 2
    assert trials(tmp_path / "old") == before == 20


def test_too_little_memory_is_refused(tmp_path: Path) -> None:
    result = call(tmp_path / "out", *TINY, "--memory", "1MB")
    assert result.exit_code == 2
    last = result.stderr.splitlines()[-1]
    assert "--memory 1,000,000 bytes are too little: one network of task" in last
    assert not (tmp_path / "out").exists()


OWN = """
import torch
from torch import nn
from lehr.lab import Task

def make_task():
    inputs = torch.linspace(-1, 1, 80).view(-1, 1)
    def model(): return nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    return Task.from_tensors(inputs, inputs.abs(), model, nn.functional.mse_loss)
"""


def test_the_help_lists_the_names_of_the_registries() -> None:
    result = CliRunner().invoke(lehr, ["compare", "--help"])
    words = " ".join(result.stdout.split())
    for names in (TASKS, OPTIMIZERS, SCHEDULES):
        assert ", ".join(names) in words


@pytest.mark.parametrize("jobs", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_why_networks_are_trained_alone_is_said_once(jobs: str, tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(OWN)
    task = f"{path}:make_task"
    result = call(tmp_path / "out", *TINY, "--task", task, "--jobs", jobs, "--memory", "8GiB")
    assert result.exit_code == 0
    notices = [
        f"{optimizer} is trained one run at a time: its network keeps running "
        "numbers (1.running_mean, 1.running_var, 1.num_batches_tracked)"
        for optimizer in ("momentum", "adam")
    ]
    notices.append("4 pairs, each with 2 trials to tune and 3 others to score: 20 trials.")
    said = [line for line in result.stderr.splitlines() if "did not stop within" not in line]
    assert sorted(said) == sorted(notices)
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert found["task"]["name"] == "own.py:make_task"
    assert found["task"]["metric"] == dataclasses.asdict(Metric.loss())
    # Another file of the same name is another task; the same file elsewhere is not.
    (tmp_path / "sub").mkdir()
    moved = path.rename(tmp_path / "sub" / "mine.py")
    again = call(tmp_path / "out", *TINY, "--task", f"{moved}:make_task", "--jobs", jobs)
    assert "20 of 20 trials were already in" in again.stderr
    moved.write_text(OWN.replace("Linear(1, 4)", "Linear(1, 4, bias=False)"))
    changed = call(tmp_path / "out", *TINY, "--task", f"{moved}:make_task", "--jobs", jobs)
    assert changed.exit_code == 0
    assert "already" not in changed.stderr


def test_a_store_may_be_named_and_must_be_one(tmp_path: Path) -> None:
    store = tmp_path / "deep" / "all.db"
    assert call(tmp_path / "out", *TINY, "--store", str(store)).exit_code == 0
    again = call(tmp_path / "other", *TINY, "--store", str(store))
    assert f"20 of 20 trials were already in {store}." in again.stderr
    store.write_text("a shopping list")
    refused = call(tmp_path / "out", *TINY, "--store", str(store))
    assert refused.exit_code == 2
    assert refused.stderr == f"Error: {store} is not a store of trials: name another file\n"
    assert store.read_text() == "a shopping list"


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    result = call(tmp_path / "out", *TINY)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["results.json", "report.html"])
def test_a_full_disk_costs_no_trial(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    replace = os.replace

    def full(source: Path, target: Path) -> None:
        if target.name == name:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("lehr.files.os.replace", full)
        result = call(out, *TINY)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        f"Error: {out / name}: No space left on device; finished trials are kept in "
        f"{out / 'trials.db'}; to continue: {COMMAND} --out {out} --jobs 1"
    )
    assert not list(out.glob("*.part"))
    again = call(out, *TINY)
    assert again.exit_code == 0
    assert f"20 of 20 trials were already in {out / 'trials.db'}." in again.stderr


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def there(name: str) -> object:
        return None if name == "torch" else object()

    monkeypatch.setattr("lehr.cli.training.find_spec", there)
    result = call(tmp_path / "out", *TINY)
    assert result.exit_code == 2
    assert result.stderr == f"Error: lehr compare needs torch: {install('lab')}\n"


def test_importing_the_command_costs_little() -> None:
    # Also what it takes to tell a wrong name must not need torch.
    heavy = "[m for m in ('torch', 'sklearn', 'scipy') if m in sys.modules]"
    code = f"import sys, lehr.cli.compare; print({heavy})"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert asked.stdout == "[]\n"
    code = f"import sys; from lehr.lab import Plan; Plan(); print({heavy[:-1]} and m != 'scipy'])"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert asked.stdout == "[]\n"


def trials(out: Path) -> int:
    """How many trials are kept so far, asked while it runs."""
    try:
        with Store(out / "trials.db") as store:
            return len(store)
    except StoreError:
        return 0  # it has not begun


# A task that trains as fast as it can until 31 of its 60 trials are kept, and then a tenth of a
# second for each update until it may go on, so that a signal always comes before its end.
BRAKED = """
import sqlite3, time
from pathlib import Path
import torch
from torch import nn
from lehr.lab import Task

def kept():
    link = sqlite3.connect("file:{store}?mode=ro", uri=True)
    try:
        return link.execute("SELECT count(*) FROM trials").fetchone()[0]
    except sqlite3.OperationalError:
        return 0  # it has no tables yet
    finally:
        link.close()

def loss(outputs, targets):
    if not Path("{go}").exists() and kept() > 30:
        time.sleep(0.1)
    return nn.functional.mse_loss(outputs, targets)

def make_task():
    inputs = torch.linspace(-1, 1, 80).view(-1, 1)
    return Task.from_tensors(inputs, inputs.abs(), lambda: nn.Linear(1, 1), loss)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "number", "everyone"),
    [
        ("population", signal.SIGINT, False),
        ("processes", signal.SIGINT, False),
        ("processes", signal.SIGINT, True),  # as a terminal does
        ("dask", signal.SIGINT, True),
        ("dask", signal.SIGTERM, False),
        ("ray", signal.SIGINT, True),
        ("ray", signal.SIGTERM, False),
    ],
)
def test_a_signal_keeps_what_is_finished(
    engine: str, number: signal.Signals, everyone: bool, tmp_path: Path
) -> None:
    skip_without(engine)
    out = tmp_path / "out"
    Store(out / "trials.db", write=True).close()
    task = tmp_path / "own.py"
    task.write_text(BRAKED.format(store=out / "trials.db", go=tmp_path / "go"))
    # All five optimizers' pairs are tuned (30 trials) and one optimizer's scored before it brakes.
    options = [
        *("--schedules", "step,linear,cosine", "--steps", "400", "--seeds", "2"),
        *("--tuning-seeds", "1", "--peaks", "0.01,0.1"),
    ]
    jobs = [] if engine == "population" else ["--jobs", "2"]
    command = [sys.executable, "-m", "lehr", "compare", "--task", f"{task}:make_task"]
    process = subprocess.Popen(
        [*command, *options, "--engine", engine, *jobs, "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for(lambda: trials(out) > 30 or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        if everyone:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        stdout, stderr = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    kept = trials(out)
    assert process.returncode == 128 + number
    assert stdout == ""
    lines = [line for line in stderr.splitlines(keepends=True) if " left. " not in line]
    told, said, *killed, end = lines
    assert told.startswith("15 pairs, each with 2 trials to tune and 2 others to score: 60 trials.")
    assert said == "Stopping: unfinished trials start again next time. Once more to stop at once.\n"
    # On a slow machine a process may have to be killed.
    assert all("did not stop within" in line for line in killed)
    assert end == (
        f"Stopped: {kept} of 60 trials are kept in {out / 'trials.db'}; to continue: lehr compare "
        f"--task {task}:make_task {' '.join(options)} --out {out} "
        f"{' '.join(['--engine', engine, *jobs])}\n"
    )
    found = json.loads((out / "results.json").read_text())
    assert found["settings"]["complete"] is False
    assert 0 < len(found["pairs"]) < 15
    wait_for(lambda: not session(process.pid))
    # The command that it named trains the others.
    (tmp_path / "go").touch()
    again = [sys.executable, "-m", *shlex.split(end.partition("; to continue: ")[2])]
    done = subprocess.run(again, capture_output=True, text=True, timeout=2 * PATIENCE)
    assert done.returncode == 0, done.stderr
    assert f"{kept} of 60 trials were already in" in done.stderr
    assert json.loads((out / "results.json").read_text())["settings"]["complete"] is True


@pytest.mark.slow
def test_workers_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "lehr", "compare", "--quick", "--jobs", "2", "--out", str(out)],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(lambda: trials(out) > 0)
        assert len(session(process.pid)) >= 3
    finally:
        process.kill()
        process.wait()
    wait_for(lambda: not session(process.pid))
