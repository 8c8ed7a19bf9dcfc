"""`lehr fit`, `predict`, `design` and `bound` as a user types them."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import lehr as library
from lehr.cli import lehr
from lehr.laws import load
from transcribed_laws import DECAY, WARMUP, logged

ADAMW = ("--optimizer", "adamw", "--weight-decay", str(DECAY), "--warmup", str(WARMUP))
KINDS = ("constant", "cosine", "wsd20")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for kind in (*KINDS, "linear"):
        run = logged(kind, 3000)
        with (folder / f"{kind}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["step", "lr", "val_loss"])
            for step, loss in zip(run.steps, run.losses, strict=True):
                writer.writerow([step, run.rates[min(step, 2999)], loss])
    assert call("fit", *files(folder), *ADAMW, "--out", str(folder / "law.json")).exit_code == 0
    return folder


def files(folder: Path, kinds: tuple[str, ...] = KINDS) -> list[str]:
    return [str(folder / f"{kind}.csv") for kind in kinds]


def call(*words: str) -> Result:
    return CliRunner().invoke(lehr, list(words))


def test_fit_says_what_it_found_and_chose(folder: Path) -> None:
    result = call("fit", *files(folder), *ADAMW)
    assert result.exit_code == 0
    assert "effective rate law" in result.output
    assert "Chosen by the error on runs left out" in result.output
    for kind in KINDS:
        assert f"{kind}: 2,961 steps" in result.output


def test_fit_as_json_is_the_law_file(folder: Path) -> None:
    result = call("fit", *files(folder), *ADAMW, "--json")
    assert json.loads(result.output) == json.loads((folder / "law.json").read_text())


def test_two_runs_warn_and_strict_makes_that_an_exit_code(folder: Path) -> None:
    words = ("fit", *files(folder, ("constant", "linear")), *ADAMW)
    result = call(*words)
    assert result.exit_code == 0
    assert "warning: two runs" in result.output
    assert "These runs do not tell apart" in result.output
    assert "The run to add: " in result.output
    assert call(*words, "--strict").exit_code == 3


def test_a_schedule_stands_in_for_the_rates(folder: Path, tmp_path: Path) -> None:
    run = logged("linear", 3000)
    path = tmp_path / "no-rates.csv"
    lines = [f"{s},{x}\n" for s, x in zip(run.steps, run.losses, strict=True)]
    path.write_text("".join(["step,val_loss\n", *lines]))
    text = f"{path}=warmup({WARMUP}) >> linear()"
    options = ("--schedule", text, "--peak", "1e-3", "--steps", "3000")
    result = call("fit", *files(folder), str(path), *ADAMW, *options, "--json")
    assert result.exit_code == 0
    assert json.loads(result.output)["fitted"][3]["error"] < 2e-3
    assert call("fit", *files(folder), *ADAMW, "--schedule", "x=linear()").exit_code == 2


def test_plan_proposes_runs_that_can_be_trained(folder: Path) -> None:
    options = ("--plan", "--steps", "50000", "--peak", "1e-3", *ADAMW)
    assert "Train these 3" in call("fit", *options).output
    rows = json.loads(call("fit", *options, "--json").output)["runs"]
    assert len(rows) == 3
    assert sum(row["steps"] for row in rows) < 50_000
    for row in rows:
        library.parse(row["schedule"]).over(row["steps"])(0)
    assert call("fit", "--plan", "--steps", "50000").exit_code == 2


def test_predict_gives_a_final_and_a_curve(folder: Path) -> None:
    words = ("predict", str(folder / "law.json"), "warmup(50) >> linear()", "--steps", "3000")
    assert "final loss " in call(*words).output
    found = json.loads(call(*words, "--json").output)
    expected = load(folder / "law.json").predict("warmup(50) >> linear()", steps=3000)
    assert found["final"]["loss"] == expected.final
    assert found["curve"]["steps"] == expected.steps.tolist()
    assert found["final"]["low"] < found["final"]["loss"] < found["final"]["high"]
    assert "wider" in call(*words[:-1], "30000").output


def test_a_rise_may_be_written_as_a_line_from_0(folder: Path) -> None:
    found = [
        json.loads(
            call("predict", str(folder / "law.json"), text, "--steps", "3000", "--json").output
        )
        for text in ("linear(50, start=0.0) >> cosine(to=0.1)", "warmup(50) >> cosine(to=0.1)")
    ]
    assert found[0] == found[1]


def test_predict_against_a_run_measures_how_far_it_is_off(folder: Path) -> None:
    words = ("predict", str(folder / "law.json"), "--against", str(folder / "linear.csv"))
    found = json.loads(call(*words, "--json").output)
    assert found["mae"] < 5e-3
    assert found["r2"] > 0.99
    assert {"rmse", "prede", "worste"} <= set(found)
    assert "r2 " in call(*words).output


def test_design_answers_with_a_schedule(folder: Path) -> None:
    words = ("design", str(folder / "law.json"), "--steps", "4000")
    text = call(*words).output
    library.parse(text.splitlines()[0])
    assert "against cosine: " in text
    found = json.loads(call(*words, "--json").output)
    library.parse(found["schedule"])
    assert {one["name"] for one in found["against"]} >= {"cosine"}


def test_bound_compares_best_peaks() -> None:
    found = json.loads(call("bound", "cosine()", "--steps", "500", "--json").output)
    assert len(found["curve"]["bound"]) == 500
    text = call("bound", "cosine()", "--steps", "500").output
    assert f"{found['relative_peak']:.3g} times that of linear()" in text


def test_bound_takes_the_norms_of_a_log(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text("step,grad_norm\n0,4.0\n100,1.0\n")
    words = ("bound", "cosine()", "--steps", "500", "--json")
    plain = json.loads(call(*words).output)
    found = json.loads(call(*words, "--norms", str(path)).output)
    assert found["bound"] != plain["bound"]
    result = call(*words, "--norms", str(path), "--norm", "gnorm")
    assert result.exit_code == 2
    assert "has no column 'gnorm'" in result.stderr


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_pictures(folder: Path, tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    law = str(folder / "law.json")
    commands = [
        ("fit", *files(folder), *ADAMW),
        ("predict", law, "linear()", "--steps", "1000"),
        ("predict", law, "--against", str(folder / "linear.csv")),
        ("design", law, "--steps", "1000"),
    ]
    for number, words in enumerate(commands):
        path = tmp_path / f"{number}.{suffix}"
        assert call(*words, "--picture", str(path)).exit_code == 0
        assert path.stat().st_size > 5000


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("fit",), "give the files"),
        (("fit", "gone.csv"), "there is no such file"),
        (("fit", "x" * 300), "cannot be read"),  # longer than a file name may be
        (("fit", "gone.csv", "--law", "newton"), "newton|no such file"),
        (("predict", "gone.json", "linear()", "--steps", "9"), "there is no such file"),
        (("design", "gone.json", "--steps", "100"), "there is no such file"),
        (("bound", "linear("), "linear"),
    ],
)
def test_what_cannot_be_done_is_a_line_and_exit_code_2(words: tuple[str, ...], says: str) -> None:
    import re

    result = call(*words)
    assert result.exit_code == 2
    assert re.search(says, result.stderr)
    assert "Traceback" not in result.stderr


def test_predict_needs_a_schedule_or_a_run(folder: Path) -> None:
    law = str(folder / "law.json")
    for words in ((), ("linear()",), ("linear()", "--steps", "9", "--against", "x.csv")):
        assert call("predict", law, *words).exit_code == 2


def test_a_file_that_cannot_be_written_is_exit_code_2(folder: Path) -> None:
    result = call("fit", *files(folder), *ADAMW, "--out", str(folder / "none" / "law.json"))
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr
    assert not list(folder.glob(".*part"))


def test_help_loads_neither_scipy_nor_torch() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from lehr.cli import lehr;"
        "assert CliRunner().invoke(lehr, ['fit', '--help']).exit_code == 0;"
        "assert not {'scipy', 'torch', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_law_needs_no_torch() -> None:
    code = "import sys, lehr.laws; assert not {'torch', 'matplotlib', 'click'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
