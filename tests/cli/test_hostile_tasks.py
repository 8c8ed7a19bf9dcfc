"""A task's output, errors and name reach neither the results nor the terminal unchanged."""

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

import lehr as library
from lehr.cli import lehr
from lehr.cli.ranking import ranking
from lehr.lab import Plan, Results, Size, Store, compare
from lehr.lab.trial import FinishedTrial, Outcome, Trial

OPTIONS = [
    *("--optimizers", "sgd", "--schedules", "cosine", "--steps", "4", "--seeds", "2"),
    *("--tuning-seeds", "1", "--peaks", "0.1,0.2"),
]
TASK = """
import sys
import torch
from torch import nn
from lehr.lab import Metric, Task

print("printed by the file")
calls = 0

def loss(outputs, targets):
    global calls
    calls += 1
    print("printed by the loss")
    if calls > 20:
        {late}
    return nn.functional.mse_loss(outputs, targets)

def make():
    inputs = torch.linspace(-1, 1, 80).view(-1, 1)
    return Task.from_tensors(
        inputs, inputs.abs(), lambda: nn.Linear(1, 1), loss,
        metric=Metric.loss({name!r}),
    )
"""


def call(tmp_path: Path, *options: str, late: str = "pass", name: str = "score") -> Result:
    task = tmp_path / "own.py"
    task.write_text(TASK.format(late=late, name=name))
    jobs = [] if "--jobs" in options else ["--jobs", "1"]
    words = ["compare", "--task", f"{task}:make", *OPTIONS, "--out", str(tmp_path / "out")]
    return CliRunner().invoke(lehr, [*words, *jobs, *options])


@pytest.mark.parametrize("jobs", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_what_a_task_prints_stays_out_of_the_results(
    jobs: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result = call(tmp_path, "--json", "--jobs", jobs)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["task"]["name"] == "own.py:make"
    assert "printed by the file" in result.stderr
    # The workers write to the descriptors of this process.
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("late", ["sys.exit(0)", "raise ValueError('no')"])
def test_failed_trials_end_in_an_exit_code_and_a_report(late: str, tmp_path: Path) -> None:
    result = call(tmp_path, "--json", late=late)
    assert result.exit_code == 1
    assert len(json.loads(result.stdout)["failed"]) == 2
    error = result.stderr.splitlines()[-1]
    assert error.startswith("Error: 2 trials failed; ")
    assert "--retry-failed" in error
    assert "sgd/cosine has no result" in (tmp_path / "out" / "report.html").read_text()
    shown = CliRunner().invoke(lehr, ["results", str(tmp_path / "out")])
    assert shown.exit_code == 0
    assert "0 trials in" in shown.stdout
    assert "and 2 failed ones." in shown.stdout
    listed = CliRunner().invoke(lehr, ["results", str(tmp_path / "out"), "--json"])
    assert all("Traceback" in each["traceback"] for each in json.loads(listed.stdout)["failed"])


NASTY = "a\x1b[2J\x1b]0;title\x07\x9b1m\u202ename"


def test_a_name_with_control_characters_is_written_out(tmp_path: Path) -> None:
    result = call(tmp_path, name=NASTY)
    assert result.exit_code == 0
    shown = CliRunner().invoke(lehr, ["results", str(tmp_path / "out")])
    page = (tmp_path / "out" / "report.html").read_text()
    for text in (result.stdout, result.stderr, shown.stdout, page):
        assert not set("\x1b\x07\x9b\u202e") & set(text)
    assert r"a\x1b[2J\x1b]0;title\x07\x9b1m\u202ename" in result.stdout
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert found["task"]["metric"]["name"] == NASTY


def test_a_surrogate_in_a_name_is_refused_before_training(tmp_path: Path) -> None:
    result = call(tmp_path, name="a\udc80b")
    assert result.exit_code == 2
    assert r"its metric.name 'a\udc80b' has a surrogate at place 1" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("start", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)"])
def test_a_formula_is_a_text_in_csv(start: str, tmp_path: Path) -> None:
    trial = Trial(start, "adam\x1b", library.cosine(), None, steps=2, peak=0.1, seed=-1)
    outcome = Outcome(None, (1.0, 1.0), (0.5, 0.5), 0.5, 0.5, 1.0)
    with Store(tmp_path / "trials.db", write=True) as store:
        store.add([(trial, FinishedTrial(outcome, 0.5))])
    result = CliRunner().invoke(lehr, ["results", str(tmp_path / "trials.db"), "--csv"])
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert row["task"] == f"'{start}"
    assert row["optimizer"] == r"adam\x1b"
    assert row["seed"] == "-1"  # a number stays one


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "deep/" * 3000, "/dev/null", "nowhere\x1b"])
def test_a_path_that_cannot_be_one_is_refused_in_one_line(path: str, tmp_path: Path) -> None:
    for words in (["results", path], ["compare", *OPTIONS, "--jobs", "1", "--store", path]):
        if words[0] == "compare":
            words += ["--out", str(tmp_path / "out")]
            if path.startswith("nowhere"):
                continue
        result = CliRunner().invoke(lehr, words)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert result.stderr.count("\n") == 1
        assert not set("\x1b\0") & set(result.stderr)


@pytest.mark.parametrize("out", ["a\0b", "x" * 5000, "/proc/nowhere"])
def test_a_folder_that_cannot_be_written_is_refused_in_one_line(out: str) -> None:
    result = CliRunner().invoke(lehr, ["compare", *OPTIONS, "--jobs", "1", "--out", out])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "\0" not in result.stderr


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    long = "warmup(1) >> cosine('50%', to=0.123456789)"
    plan = Plan(
        optimizers=("adam", "adamw"),
        schedules=("warm_restarts", long),
        size=Size(steps=4, seeds=2, tuning_seeds=1, peaks=(0.1,)),
        target=0.9,
    )
    return compare(plan, tmp_path_factory.mktemp("narrow"))


@pytest.mark.parametrize("width", [200, 80, 60, 40, 25])
def test_narrow_terminals_keep_optimizer_schedule_and_score(results: Results, width: int) -> None:
    output = io.StringIO()
    Console(file=output, width=width).print(ranking(results, width))
    lines = output.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    assert "…" not in output.getvalue()
    # Where names are folded, the letters of each column are still there, from top to bottom.
    letters = sorted("".join(output.getvalue().split()))
    for pair in results.pairs:
        for text in (pair.optimizer, pair.schedule, f"{100 * pair.score:.1f}%"):
            if width >= 60 and text != pair.schedule:
                assert any(text in line.split() for line in lines)
    for name in {pair.schedule for pair in results.pairs}:
        assert all(letters.count(letter) >= 2 * name.count(letter) for letter in set(name) - {" "})
    assert ("updates" in output.getvalue()) == (width == 200)


def test_a_row_of_a_narrow_ranking_is_one_line_where_names_fit(results: Results) -> None:
    short = [pair for pair in results.pairs if pair.schedule == "warm_restarts"]
    output = io.StringIO()
    found = Results.from_json(
        json.loads(json.dumps(results.to_json()))
        | {"pairs": [pair for pair in results.to_json()["pairs"] if "warm_" in pair["schedule"]]}
    )
    Console(file=output, width=40).print(ranking(found, 40))
    _, *lines = output.getvalue().splitlines()
    assert [line.split() for line in lines] == [
        [pair.optimizer, pair.schedule, f"{100 * pair.score:.1f}%"] for pair in short
    ]
