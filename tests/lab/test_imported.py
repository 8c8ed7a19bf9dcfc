"""Runs that a person has already: read from a table, used where they fit, and marked."""

from __future__ import annotations

import json
import math
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lehr.cli import lehr as command
from lehr.lab import Plan, Size, Store, compare, stored_results
from lehr.lab.imported import with_known_peaks
from lehr.lab.store import database

# A training whose loss is known: best at a peak of 0.1, and a little else for each seed.
TRAINING = """
import math

def train(trial):
    loss = abs(math.log10(trial.peak) + 1) + 0.001 * (trial.seed % 7)
    return {"validation": {"loss": loss}, "test": {"loss": loss + 1}}
"""
SIZE = Size(steps=20, seeds=2, tuning_seeds=1, peaks=(0.01, 0.1))


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(TRAINING)
    return Plan("train:train.py:train", ("adamw",), ("cosine",), SIZE)


def table(*rows: str, header: str = "optimizer,schedule,steps,peak,seed,validation,test") -> Path:
    path = Path("runs.csv")
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def imported(*options: str) -> Result:
    arguments = ["results", "out", "--import", "runs.csv", *options]
    return CliRunner().invoke(command, arguments, prog_name="lehr")


def own(text: str) -> str:
    """Return a header, or a row, that begins with the task."""
    return f"{'task' if text.startswith('optimizer') else 'train:train.py:train'},{text}"


def test_a_run_of_the_same_setting_and_seed_is_not_trained(plan: Plan) -> None:
    header = own("optimizer,schedule,steps,peak,seed,validation.loss,test.loss,test.wer")
    table(own("adamw,cosine,20,0.1,1,0.5,1.5,0.25"), header=header)
    said = imported()
    assert said.exit_code == 0, said.stderr
    assert "1 run imported" in said.stdout
    seen: list[int] = []
    results = compare(plan, Path("out"), watch=lambda progress: seen.append(progress.reused))
    assert max(seen) == 1
    (pair,) = results.pairs
    assert pair.scores == (pytest.approx(1.0), 1.5)
    assert pair.imported == 1
    assert pair.numbers["test.wer"].mean == 0.25
    assert "imported" not in pair.numbers
    assert results.metric.unit == "nats"
    assert any("imported from runs.csv, not trained here" in line for line in results.summary)
    assert "runs.csv" in results.settings.versions["imported"]
    with Store("out/trials.db") as store:
        assert stored_results(store)[-1] == results
        marked = [each for each in store.records() if "imported" in each.versions]
    assert [each.outcome.test for each in marked] == [1.5]


def test_another_seed_or_another_setting_is_in_no_result(plan: Plan) -> None:
    rows = ["adamw,cosine,20,0.1,9", "adamw,cosine,40,0.1,0", "adamw,linear,20,0.1,0"]
    rows += ["adam,cosine,20,0.1,0", "adamw,cosine,20,0.2,0"]
    header = own("optimizer,schedule,steps,peak,seed,validation.loss,test.loss")
    table(*(own(f"{row},9,9") for row in rows), header=header)
    assert imported().exit_code == 0
    results = compare(Plan(plan.task, ("adamw",), ("cosine",), SIZE, first=("adamw/cosine=0.1",)),
                      Path("out"))  # fmt: skip
    (pair,) = results.pairs
    assert pair.imported == 0
    assert pair.scores == (pytest.approx(1.0), pytest.approx(1.001))


def test_a_setting_known_to_be_good_is_tried_first(plan: Plan) -> None:
    wide = Plan(plan.task, ("adam", "adamw"), ("cosine",), SIZE)
    header = own("optimizer,schedule,steps,peak,seed,validation.loss,note")
    rows = ["0.2,,0.6,a", "0.3,,0.3,b", "0.3,,0.5,c", "0.05,,nan,d"]
    table(*(own(f"adamw,cosine,20,{row}") for row in rows), header=header)
    said = imported()
    assert said.exit_code == 0, said.stderr
    assert "4 runs without a seed or a test value" in said.stdout
    assert "note" in said.stdout
    with Store("out/trials.db") as store:
        first, line = with_known_peaks(wide, store)
    assert first.first == ("adamw/cosine=0.3",)
    assert first.pairs[0].optimizer == "adamw"
    assert "--first adamw/cosine=0.3" in line
    # A peak that is given wins, and other numbers of updates are another setting.
    given = Plan(plan.task, ("adamw",), ("cosine",), SIZE, first=("adamw/cosine=0.02",))
    longer = Plan(plan.task, ("adamw",), ("cosine",), Size(40, 2, 1, (0.01, 0.1)))
    with Store("out/trials.db") as store:
        assert with_known_peaks(given, store) == (given, "")
        assert with_known_peaks(longer, store) == (longer, "")
    notes: list[str] = []
    results = compare(wide, Path("out"), notify=notes.append)
    assert "By imported runs: --first adamw/cosine=0.3" in notes
    found = results.find("adamw", "cosine")
    assert found is not None
    assert found.peaks == (0.01, 0.3)


def test_a_diverged_run_is_one(plan: Plan) -> None:
    compare(plan, Path("out"))
    table("adamw,cosine,20,0.1,5,nan,nan", "adamw,cosine,20,0.1,6,0.1,inf")
    assert json.loads(imported("--json").stdout)["trials"] == 2
    with Store("out/trials.db") as store:
        lost = [each.outcome for each in store.records() if "imported" in each.versions]
    assert [(each.diverged, each.validation, each.test) for each in lost] == [(20, None, None)] * 2


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("validation.loss", "0.5", 0.5),
        ("validation.loss (nats)", "0.5", 0.5),
        ("validation.loss (bits)", "0.5", 0.5 * math.log(2)),
        ("validation.score", "0.5", 0.5),
        ("validation.score (%)", "93.1", 0.931),
    ],
)
def test_units(plan: Plan, column: str, value: str, expected: float) -> None:
    header = own(f"optimizer,schedule,steps,peak,seed,{column}")
    header += f",{column.replace('validation', 'test')}"
    table(own(f"adamw,cosine,20,0.1,0,{value},{value}"), header=header)
    assert imported().exit_code == 0
    with Store("out/trials.db") as store:
        (record,) = store.records()
    assert record.outcome.validation == pytest.approx(expected)
    assert record.outcome.test == pytest.approx(expected)
    is_loss = "loss" in column
    assert record.outcome.test_loss == (pytest.approx(expected) if is_loss else None)


def test_what_was_exported_can_be_imported(plan: Plan) -> None:
    results = compare(plan, Path("out"))
    exported = CliRunner().invoke(command, ["results", "out", "--csv"]).stdout
    header, *rows = exported.splitlines()
    identity = rows[0].split(",")[1]
    Path("out/trials.db").unlink()
    # The store has no comparison now, and a hash does not say which file it is of.
    table(*(row.replace(identity, plan.task) for row in rows), header=header.replace(
        ",validation,test,", ",validation.loss,test.loss,"))  # fmt: skip
    assert imported().exit_code == 0
    again = compare(plan, Path("out"))
    (pair,) = again.pairs
    assert pair.scores == results.pairs[0].scores
    assert pair.imported == 2
    # In a store that has them, its own numbers are kept.
    table(*rows, header=header)
    assert json.loads(imported("--json").stdout) == {
        "runs": 4, "trials": 0, "present": 4, "settings": 0, "ignored": [],
    }  # fmt: skip


WRONG = [
    ("peak", "fast", "'fast': it must be a number"),
    ("peak", "-0.1", "'-0.1': it must be above 0"),
    ("peak", "inf", "it must be finite"),
    ("seed", "1.5", "it must be a whole number"),
    ("seed", "-1", "it must not be negative"),
    ("steps", "1", "it must be at least 2"),
    ("steps", "", "'': it must be a number"),
    ("validation.loss", "low", "it must be a number, such as 0.931, or nan"),
    ("validation.loss", "", "is empty: write the value"),
    ("optimizer", "adamx", "did you mean 'adamax'"),
    ("schedule", "cosin", "cosine"),
    ("schedule", "cosine(to=", "cosine(to="),
    ("task", "nothing", "unknown task"),
    ("seconds", "-3", "it must not be negative"),
]


@pytest.mark.parametrize(("column", "cell", "said"), WRONG)
def test_an_error_names_line_and_column_and_changes_nothing(
    plan: Plan, column: str, cell: str, said: str
) -> None:
    names = ["task", "optimizer", "schedule", "steps", "peak", "seed", "validation.loss"]
    good = ["train:train.py:train", "adamw", "cosine", "20", "0.1", "0", "0.5"]
    names, good = [*names, "test.loss", "seconds"], [*good, "0.5", "3"]
    bad = list(good)
    bad[names.index(column)] = cell
    bad[5] = "1" if column != "seed" else cell
    if column == "steps" and not cell:
        said = "is empty: write the number of updates"
    table(",".join(good), header=",".join(names))
    assert imported().exit_code == 0
    before = Path("out/trials.db").read_bytes()
    table(",".join(good), "", ",".join(bad), header=",".join(names))
    refused = imported()
    assert refused.exit_code == 2
    assert f"runs.csv, line 4, column '{column}'" in refused.stderr
    assert said in refused.stderr
    assert refused.stderr.count("runs.csv") == 1
    assert Path("out/trials.db").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column 'optimizer'"),
        ("optimizer,schedule,lr,validation\n", "no column 'peak': its columns are optimizer"),
        ("optimizer,schedule,peak\n", "no column with validation values"),
        ("optimizer,schedule,peak,peak,validation\n", "two columns 'peak'"),
        ("optimizer,schedule,peak,validation\nadamw,cosine,0.1\n", "line 2 has 3 cells"),
        (
            "optimizer,schedule,steps,peak,validation\nsgd,wsd,20,0.1,0.5\n",
            "column 'task' is empty",
        ),
        (
            "task,optimizer,schedule,steps,peak,validation\ntrain:train.py:train,sgd,wsd,20,1,1\n",
            "score or a loss: name the columns validation.loss",
        ),
        (
            "task,optimizer,schedule,steps,peak,validation (dB)\ndigits,sgd,wsd,20,1,1\n",
            "is in dB, but this metric has another unit: write (%), or no unit",
        ),
        (
            "task,optimizer,schedule,steps,peak,validation\ndigits,sgd,wsd,20,1,93\n",
            "must be a share, from 0 to 1",
        ),
    ],
)
def test_a_wrong_table(plan: Plan, text: str, said: str) -> None:
    Path("runs.csv").write_text(text)
    refused = imported()
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not Path("out").exists()


def test_two_lines_of_one_run_are_refused(plan: Plan) -> None:
    row = own("adamw,cosine,20,0.1,7,1,1")
    table(row, row, header=own("optimizer,schedule,steps,peak,seed,validation.loss,test.loss"))
    refused = imported()
    assert refused.exit_code == 2
    assert "line 3" in refused.stderr
    assert "line 2 too" in refused.stderr


def test_a_full_disk_leaves_the_store_as_it_was(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = own("optimizer,schedule,steps,peak,seed,validation.loss,test.loss")
    table(own("adamw,cosine,20,0.1,0,1,1"), header=header)
    assert imported().exit_code == 0
    with Store("out/trials.db") as store:
        before = list(store.records())
    opened = database._open

    def bounded(path: Path, *, write: bool) -> sqlite3.Connection:
        link = opened(path, write=write)
        (pages,) = link.execute("PRAGMA page_count").fetchone()
        link.execute(f"PRAGMA max_page_count = {pages}")
        return link

    table(*(own(f"adamw,cosine,20,0.1,{seed},1,1") for seed in range(1000)), header=header)
    with monkeypatch.context() as patch:
        patch.setattr(database, "_open", bounded)
        refused = imported()
    assert refused.exit_code == 2
    assert "full" in refused.stderr
    with Store("out/trials.db") as store:
        assert list(store.records()) == before
    assert imported().exit_code == 0


@pytest.mark.parametrize("other", [["--csv"], ["--report", "page.html"], ["--tensorboard", "t"]])
def test_import_goes_with_nothing_that_writes_elsewhere(plan: Plan, other: list[str]) -> None:
    table("adamw,cosine,20,0.1,7,1,1")
    refused = imported(*other)
    assert refused.exit_code == 2
    assert "--import adds to a store" in refused.stderr
