"""A damaged row in a sound database is named, and the other trials can still be read."""

import json
import sqlite3
import zlib
from pathlib import Path

import pytest
from click.testing import CliRunner

import lehr
from lehr.cli import lehr as command
from lehr.lab import Plan, Size, Store, StoreError, compare, stored_results
from lehr.lab.trial import FailedTrial, FinishedTrial, Outcome, Trial

TRIALS = [
    Trial("digits", "adam", lehr.cosine(), None, steps=2, peak=0.1, seed=seed) for seed in range(3)
]
FINISHED = FinishedTrial(Outcome(None, (1.5, 1.0), (0.25, 0.5), 0.5, 0.5, 1.0), 0.5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "trials.db"
    with Store(path, write=True) as store:
        store.add([(trial, FINISHED) for trial in TRIALS])
    return path


def change(path: Path, statement: str, *values: object) -> None:
    link = sqlite3.connect(path)
    with link:
        link.execute(statement, values)
    link.close()


BOMB = zlib.compress(bytes(50_000_000))
DAMAGE = {
    "no curves": ("UPDATE trials SET curves = ? WHERE id = 2", b"nonsense", "cannot be unpacked"),
    "cut": ("UPDATE trials SET curves = substr(curves, 1, 9) WHERE id = 2", None, "curves"),
    "half": ("UPDATE trials SET curves = ? WHERE id = 2", zlib.compress(bytes(16)), "1 points"),
    "odd": ("UPDATE trials SET curves = ? WHERE id = 2", zlib.compress(bytes(17)), "cut off"),
    "bomb": ("UPDATE trials SET curves = ? WHERE id = 2", BOMB, "cut off"),
    "text": ("UPDATE trials SET curves = ? WHERE id = 2", "text", "not bytes"),
    "score": ("UPDATE trials SET validation = ? WHERE id = 2", "high", "validation is 'high'"),
    "infinite": ("UPDATE trials SET test = ? WHERE id = 2", 9e999, "test is inf"),
    "seconds": ("UPDATE trials SET seconds = ? WHERE id = 2", b"x", "seconds is b'x'"),
    "diverged": ("UPDATE trials SET diverged = ? WHERE id = 2", "no", "diverged is 'no'"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_the_row_is_named_and_the_others_are_read(kind: str, path: Path) -> None:
    statement, value, words = DAMAGE[kind]
    change(path, statement, *([] if value is None else [value]))
    with Store(path) as store, pytest.raises(StoreError, match="row 2 of trials.*" + words):
        store.ended(TRIALS)
    with Store(path) as store, pytest.raises(StoreError, match=r"row 2.*DELETE FROM trials WHERE"):
        list(store.records())
    notes: list[str] = []
    with Store(path, notify=notes.append) as store:
        assert store.ended(TRIALS) == {t.digest: FINISHED for t in (TRIALS[0], TRIALS[2])}
        assert [record.identity["seed"] for record in store.records()] == [0, 2]
        list(store.records())
    (note,) = notes
    assert "damaged in row 2 of trials" in note


@pytest.mark.parametrize(
    "identity",
    ["no JSON", "[]", "{}", "3", '{"task": 3}', "[" * 100_000, '{"steps": -1}', b"\xff\xfe"],
)
def test_an_identity_that_is_none_is_named(identity: str | bytes, path: Path) -> None:
    change(path, "INSERT INTO kinds (id, identity) VALUES (9, ?)", identity)
    change(path, "UPDATE trials SET kind = 9 WHERE id = 3")
    notes: list[str] = []
    with Store(path, notify=notes.append) as store:
        assert [record.identity["seed"] for record in store.records()] == [0, 1]
    assert len(notes) == 1
    assert "row 3 of trials" in notes[0]


@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_the_command_warns_and_writes_the_rest(option: str, path: Path) -> None:
    change(path, "UPDATE trials SET curves = 'x' WHERE id = 1")
    result = CliRunner().invoke(command, ["results", str(path), option])
    assert result.exit_code == 0
    assert result.stderr.startswith(f"Warning: {path} is damaged in row 1 of trials")
    assert result.stderr.count("\n") == 1
    if option == "--json":
        assert [t["seed"] for t in json.loads(result.stdout)["trials"]] == [1, 2]
    else:
        assert len(result.stdout.splitlines()) == 3


def test_damaged_studies_versions_and_failures(tmp_path: Path) -> None:
    size = Size(steps=2, seeds=2, tuning_seeds=1, peaks=(0.1,))
    compare(Plan(optimizers=("sgd",), schedules=("cosine",), size=size), tmp_path)
    path = tmp_path / "trials.db"
    with Store(path, write=True) as store:
        store.add([(TRIALS[0], FailedTrial("ValueError: \udc80", "Traceback"))])
    change(path, "INSERT INTO studies (kind, content) VALUES ('comparison', '{\"plan\": 3}')")
    change(path, "UPDATE runs SET versions = '[]'")
    change(path, "UPDATE failures SET kind = 77")
    notes: list[str] = []
    with Store(path, notify=notes.append) as store:
        (found,) = stored_results(store)
        assert list(store.failures()) == []
        assert list(store.records()) == []
    assert len(found.pairs) == 1
    assert {note.partition("damaged in row ")[2][2:].partition(" (")[0] for note in notes} == {
        "of studies",
        "of runs",
        "of failures",
        "of trials",
    }
    result = CliRunner().invoke(command, ["results", str(path)])
    assert result.exit_code == 0
    assert "sgd" in result.stdout


def test_what_could_not_be_read_again_is_not_written(path: Path) -> None:
    trial = Trial("digits", "adam", lehr.cosine(), None, steps=2, peak=0.1, seed=9)
    nan = float("nan")
    for outcome in (
        Outcome(None, (1.5, 1.0), (0.25, float("inf")), 0.5, 0.5, 1.0),
        Outcome(None, (1.5, 1.0), (0.25, 0.5), nan, 0.5, 1.0),
        Outcome(None, (1.5, 1.0), (0.25, 0.5), 0.5, nan, 1.0),
        Outcome(None, (1.5, 1.0), (0.25, 0.5), 0.5, 0.5, nan),
    ):
        with Store(path, write=True) as store:
            with pytest.raises(ValueError, match=r"nan|finite"):
                store.add([(trial, FinishedTrial(outcome, 0.5))])
            assert len(store) == 3


def test_a_store_that_is_deleted_while_it_is_open_is_not_created_anew(path: Path) -> None:
    with Store(path, write=True) as store:
        store.claim(TRIALS)
        store.check()
        path.unlink()
        with pytest.raises(StoreError, match="deleted, moved or replaced while it was in use"):
            store.check()
        with pytest.raises(StoreError, match="deleted, moved"):
            store.add([(TRIALS[0], FINISHED)])
    assert not path.exists()


def test_a_full_disk_comes_with_advice(path: Path) -> None:
    with Store(path, write=True) as store:
        store.claim(TRIALS)
        # SQLite's own limit on the size of a file raises the error of a full disk.
        (pages,) = store._link.execute("PRAGMA page_count").fetchone()
        store._link.execute(f"PRAGMA max_page_count = {pages}")
        many = [
            Trial("digits", "adam", lehr.cosine(), None, steps=2, peak=0.1, seed=seed)
            for seed in range(10, 2000)
        ]
        with pytest.raises(
            StoreError,
            match=r"full\): the disk of .* has [\d.]+ MB left\. Make room .* kept before are safe",
        ):
            store.add([(trial, FINISHED) for trial in many])
        assert len(store) == 3
