"""`lehr results` as a user types it."""

import csv
import html
import io
import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import lehr as library
from lehr.cli import lehr
from lehr.lab.store.rows import COLUMNS
from lehr.lab.store.store import Store
from lehr.lab.trial import FinishedTrial, Outcome, Trial


def trial(optimizer: str, schedule: str, peak: float, seed: int) -> Trial:
    return Trial("digits", optimizer, library.find_entry(schedule).example, None, 2, peak, seed)


def kept(validation: float, test: float, diverged: int | None = None) -> FinishedTrial:
    return FinishedTrial(
        Outcome(diverged, (1.0, 0.5), (0.25, validation), validation, test, 1.0), 0.5
    )


TRIALS = [
    (trial("sgd", "step", 0.1, 0), kept(0.5, 0.25)),
    (trial("sgd", "step", 1.0, 0), kept(0.75, 0.5)),
    (trial("sgd", "step", 1.0, 1), kept(0.25, 0.125)),
    (trial("adam", "cosine", 0.1, 0), kept(0.875, 0.75)),
    (trial("adam", "cosine", 10.0, 0), kept(0.1, 0.1, diverged=1)),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "trials.db"
    with Store(path, write=True) as store:
        store.add(TRIALS)
    return path


def call(*words: str) -> Result:
    return CliRunner().invoke(lehr, ["results", *words])


TUNED = [
    *("--optimizers", "momentum,adam", "--schedules", "step,cosine,linear", "--steps", "6"),
    *("--seeds", "3", "--tuning-seeds", "2", "--peaks", "0.01,0.1,1", "--jobs", "1"),
]


def compare(out: Path, *options: str) -> Result:
    result = CliRunner().invoke(lehr, ["compare", *options, "--out", str(out)])
    assert result.exit_code == 0, result.stderr
    return result


def test_it_prints_what_the_comparison_printed(tmp_path: Path) -> None:
    compared = compare(tmp_path, *TUNED).stdout
    again = call(str(tmp_path)).stdout
    ranking, _, _ = compared.partition("\nReport:")
    assert again == f"{ranking}\n54 trials in {tmp_path / 'trials.db'}.\n"
    # A trial from elsewhere, at another peak and better than all, does not change it.
    with Store(tmp_path / "trials.db", write=True) as store:
        store.add([(trial("momentum", "step", 0.5, 0), kept(1.0, 1.0))])
    assert call(str(tmp_path)).stdout.startswith(ranking)


def test_each_comparison_of_a_store_can_be_shown(tmp_path: Path) -> None:
    store = ["--store", str(tmp_path / "all.db")]
    options = [*TUNED[:4], "--steps", "2", "--seeds", "2", "--tuning-seeds", "1", "--jobs", "1"]
    first = compare(tmp_path / "one", *options, "--peaks", "0.1", *store).stdout
    second = compare(tmp_path / "two", *options, "--peaks", "0.2", *store).stdout
    shown = call(store[1]).stdout
    assert shown.startswith(second.partition("\nReport:")[0])
    assert "  1  lehr compare --task digits" in shown
    assert "  2  lehr compare --task digits" in shown
    chosen = call(store[1], "--comparison", "1").stdout
    assert chosen.startswith(first.partition("\nReport:")[0])
    refused = call(store[1], "--comparison", "3")
    assert refused.exit_code == 2
    assert "--comparison 3: " in refused.stderr
    assert "has 2 comparisons" in refused.stderr


def shown(page: str) -> str:
    """The text of a page, with the spaces of a terminal."""
    text = re.sub(r"<(script|style|small).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    return html.unescape(text).replace("\u202f", "")


def test_it_prints_the_numbers_of_the_report(tmp_path: Path) -> None:
    compare(tmp_path, *TUNED)
    page = tmp_path / "again.html"
    printed = call(str(tmp_path), "--report", str(page)).stdout
    assert f"Report: {page}" in printed
    # The report of the store is that of the comparison, byte for byte.
    written = page.read_text(encoding="utf-8")
    assert written == (tmp_path / "report.html").read_text(encoding="utf-8")
    text = shown(written)
    kept = json.loads((tmp_path / "results.json").read_text())
    assert kept["summary"][0] in printed
    for sentence in kept["summary"]:
        assert sentence in printed
        assert sentence in text
    for line in kept["pairs"][0]["code"].splitlines():
        assert line in printed
        assert line in text
    for pair in kept["pairs"]:
        words = (pair["optimizer"], pair["schedule"], f"{pair['peak']:g}")
        words += (f"{100 * pair['score']:.1f}%", "–".join(map(str, sorted({*pair["ranks"]}))))
        row = next(line for line in printed.splitlines() if line.split()[1:3] == list(words[:2]))
        assert set(words) <= set(row.split())
        assert re.search(r"\s+".join(map(re.escape, words[:2])), text)
        assert words[3] in text


def test_further_numbers_are_shown_by_name(tmp_path: Path) -> None:
    compare(tmp_path, *TUNED)
    with closing(sqlite3.connect(tmp_path / "trials.db")) as link, link:
        link.execute("UPDATE trials SET numbers = ?", [json.dumps({"tokens/s": 1234.5})])
    printed = call(str(tmp_path)).stdout
    assert "tokens/s" in printed
    assert printed.count(" 1234") == 6


def test_two_comparisons_beside_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compare(tmp_path / "one", *TUNED)
    compare(tmp_path / "two", *TUNED, "--schedules", "cosine,wsd", "--steps", "12")
    page = tmp_path / "two.html"
    result = call(str(tmp_path / "one"), str(tmp_path / "two"), "--report", str(page))
    assert result.exit_code == 0, result.stderr
    assert "They differ in: 6 and 12 updates. 2 pairs are compared seed by seed." in result.stdout
    text = shown(page.read_text(encoding="utf-8"))
    assert "They differ in: 6 and 12 updates. 2 pairs are compared seed by seed." in text
    line = next(x for x in result.stdout.splitlines() if x.startswith("momentum   cosine"))
    gain = re.search(r"-?[\d.]+ \(-?[\d.]+ to -?[\d.]+\)", " ".join(line.split()))
    assert gain is not None
    assert gain[0] in text
    # A narrow terminal keeps the names, not folded here, and what the second is better by.
    monkeypatch.setenv("COLUMNS", "40")
    narrow = call(str(tmp_path / "one"), str(tmp_path / "two")).stdout
    (row,) = [line for line in narrow.splitlines() if line.startswith("momentum   cosine")]
    assert row.split()[2] == gain[0].split()[0]
    missing = call(str(tmp_path / "one"), str(tmp_path / "no"))
    assert missing.exit_code == 2
    assert "no does not exist" in missing.stderr


def test_a_comparison_is_shown_without_what_it_was_trained_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (Path(__file__).parents[1] / "support" / "own_optimizers.py").read_text()
    for name in ("a_package.py", "a_file.py"):
        (tmp_path / name).write_text(source)
    monkeypatch.setattr("sys.path", [str(tmp_path), *sys.path])
    monkeypatch.setenv("COLUMNS", "200")
    optimizers = f"a_package:Lion(weight_decay=0),{tmp_path / 'a_file.py'}:Lion,adamax"
    out = str(tmp_path / "out")
    # The file's Lion and torch's Adamax have such an argument, which only their sources say.
    compare(
        tmp_path / "out",
        *("--task", "quadratic", "--optimizers", optimizers, "--schedules", "cosine,one_cycle"),
        *("--steps", "6", "--seeds", "2", "--tuning-seeds", "1", "--peaks", "0.01,0.1"),
        *("--tune", "weight_decay=0,0.1", "--jobs", "1"),
    )
    shown = call(out).stdout.partition("\nrank")[2]
    assert shown.count("a_file.py:Lion") >= 2
    for name in ("a_package.py", "a_file.py"):
        (tmp_path / name).unlink()
    code = (
        "import sys\nsys.modules.update(torch=None, sklearn=None)\nfrom lehr.cli import lehr\n"
        f"lehr(['results', {out!r}])"
    )
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert again.stderr == ""
    assert again.stdout.partition("\nrank")[2] == shown


@pytest.mark.parametrize(
    "words",
    [
        ["compare", "--optimizers", "adam,no_such:Lion"],
        ["compare", "--optimizers", "no_such.below:Lion(a=1)", "--hours", "1"],
        ["find", "digits", "--optimizer", "no_such:Lion"],
    ],
)
def test_a_missing_package_is_said_before_anything_is_kept(
    words: list[str], tmp_path: Path
) -> None:
    result = CliRunner().invoke(lehr, [*words, "--out", str(tmp_path / "out")])
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.fullmatch(
        r"Error: optimizer 'no_such\S+' needs the package 'no_such', which is not installed: "
        r"install it, or write FILE.py:Class for a class of your own\n",
        result.stderr,
    )
    assert not (tmp_path / "out").exists()


def test_a_store_without_a_comparison_says_how_many_trials_it_has(path: Path) -> None:
    assert call(str(path)).stdout == f"\n5 trials in {path}.\n"


def test_the_folder_of_a_comparison_will_do(path: Path) -> None:
    assert call(str(path.parent)).stdout == call(str(path)).stdout


def test_json_lists_the_trials(path: Path) -> None:
    trials = json.loads(call(str(path), "--json").stdout)["trials"]
    assert [t["key"] for t in trials] == [t.digest.hex() for t, _ in TRIALS]
    assert trials[1]["peak"] == 1.0
    assert trials[1]["validations"] == [0.25, 0.75]
    assert trials[4]["diverged"] == 1
    assert trials[0]["versions"]["lehr"] == library.__version__


def test_csv_has_a_line_a_trial(path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(call(str(path), "--csv").stdout)))
    assert tuple(rows[0]) == COLUMNS
    assert [float(row["test"]) for row in rows] == [k.outcome.test for _, k in TRIALS]
    assert [row["diverged"] for row in rows] == ["", "", "", "", "1"]
    assert library.parse(rows[3]["schedule"]) == library.find_entry("cosine").example


def test_a_store_without_trials_is_no_error(tmp_path: Path) -> None:
    Store(tmp_path / "new.db", write=True).close()
    assert json.loads(call(str(tmp_path / "new.db"), "--json").stdout) == {
        "trials": [],
        "failed": [],
    }
    assert "0 trials in" in call(str(tmp_path / "new.db")).stdout


def test_it_works_during_a_run(path: Path) -> None:
    with Store(path, write=True) as store:
        more = trial("adam", "linear", 0.1, 0)
        store.claim([more])
        assert len(json.loads(call(str(path), "--json").stdout)["trials"]) == 5
        store.add([(more, kept(0.5, 0.5))])
        assert len(json.loads(call(str(path), "--json").stdout)["trials"]) == 6


def test_folders_are_filled_and_the_program_for_them_is_named(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="needs lehr[tensorboard]")
    out = tmp_path / "board"
    stdout = call(str(path), "--tensorboard", str(out)).stdout
    assert stdout == f"5 trials written; to see all of them: tensorboard --logdir {out}\n"
    assert call(str(path), "--tensorboard", str(out)).stdout.startswith("0 trials written;")
    assert len(list(out.rglob("events*"))) == 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no.db"], "no.db does not exist: name the file that `lehr compare` wrote"),
        (["list"], "list is not a store of trials: name another file"),
        (["trials.db", "--json", "--csv"], "say where to write: give one"),
        (["trials.db", "--report", "x.html"], "has no comparison: name a store of `lehr compare`"),
        (["trials.db", "--json", "--report", "x.html"], "--report are for comparisons: leave out"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(path: Path, words: list[str], message: str) -> None:
    (path.parent / "list").write_text("milk")
    result = call(str(path.parent / words[0]), *words[1:])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_pipe_may_be_closed_early(path: Path) -> None:
    with Store(path, write=True) as store:
        store.add((trial("adam", "wsd", 0.1, seed), kept(0.5, 0.5)) for seed in range(2000))
    command = [sys.executable, "-m", "lehr", "results", str(path), "--csv"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs a full device")
@pytest.mark.parametrize("words", [[], ["--json"], ["--csv"]])
def test_an_output_that_is_full_is_said(path: Path, words: list[str]) -> None:
    command = [sys.executable, "-m", "lehr", "results", str(path), *words]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == "Error: the output cannot be written: No space left on device\n"
    assert done.returncode == 2


def test_nothing_heavy_is_imported(path: Path) -> None:
    code = (
        "import sys\nfrom lehr.cli import lehr\n"
        f"lehr(['results', {str(path)!r}, '--json'], standalone_mode=False)\n"
        "heavy = {'torch', 'sklearn', 'pandas', 'distributed'} & set(sys.modules)\n"
        "print(heavy or '', file=sys.stderr, end='')"
    )
    command = [sys.executable, "-c", code]
    asked = subprocess.run(command, capture_output=True, text=True, check=True)
    assert asked.stderr == ""
