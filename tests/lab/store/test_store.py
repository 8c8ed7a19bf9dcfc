"""Finished trials outlive the process that finished them."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lehr
from lehr.lab.errors import StoreError
from lehr.lab.store import claims, database
from lehr.lab.store.store import Store
from lehr.lab.trial import FailedTrial, FinishedTrial, Outcome, Trial
from waiting import wait_for

BEGUN = time.time()
FOLDERS = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "support")]

TRIALS = [
    Trial("digits", "adam", lehr.cosine(), None, steps=2, peak=0.1, seed=seed) for seed in range(4)
]


def kept(score: float) -> FinishedTrial:
    return FinishedTrial(Outcome(None, (1.5, 1 / 3), (0.25, score), score, score, 1.0), 0.5)


DIVERGED = FinishedTrial(Outcome(2, (1.5, None), (0.25, 0.1), 0.1, 0.1, None), 0.25)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the first two trials."""
    path = tmp_path / "deep" / "trials.db"
    with Store(path, write=True) as store:
        store.add([(TRIALS[0], kept(0.1)), (TRIALS[1], DIVERGED)])
    return path


def missing(store: Store, trials: list[Trial]) -> list[Trial]:
    """Return those of these trials that are not in a store."""
    finished = store.ended(trials)
    return [trial for trial in trials if trial.digest not in finished]


def found(store: Store, trial: Trial) -> FinishedTrial:
    return store.ended([trial])[trial.digest]


def ask(path: Path, question: str) -> list[tuple[object, ...]]:
    """Return the answer of SQLite itself to a query."""
    with sqlite3.connect(path) as link:
        found = link.execute(question).fetchall()
    link.close()
    return found


def test_what_is_added_is_there_at_once_and_later(path: Path) -> None:
    with Store(path, write=True) as store:
        store.add([(TRIALS[2], kept(0.25))])
        with Store(path) as reader:
            assert found(reader, TRIALS[2]) == kept(0.25)
            assert len(reader) == 3
        assert found(store, TRIALS[0]) == kept(0.1)
        assert missing(store, TRIALS) == [TRIALS[3]]
        assert store.ended(reversed(TRIALS)) == {
            TRIALS[0].digest: kept(0.1),
            TRIALS[1].digest: DIVERGED,
            TRIALS[2].digest: kept(0.25),
        }


def test_a_record_says_what_was_trained_when_and_with_what(path: Path) -> None:
    with Store(path) as store:
        first, second = store.records()
    assert first.identity == TRIALS[0].identity()
    assert second.identity == TRIALS[1].identity()
    assert (second.outcome, second.seconds) == DIVERGED
    assert BEGUN <= first.finished <= time.time()
    assert first.versions["lehr"] == lehr.__version__
    assert {"python", "torch", "numpy", "machine"} <= first.versions.keys()
    assert first.versions["device"] == "cpu"


def test_the_file_is_what_the_page_on_it_says(path: Path) -> None:
    ((mode,),) = ask(path, "PRAGMA journal_mode")
    ((name,),) = ask(path, "PRAGMA application_id")
    ((version,),) = ask(path, "PRAGMA user_version")
    assert (mode, name, version) == ("wal", 0x6C656872, 3)
    ((curves,),) = ask(path, "SELECT curves FROM trials WHERE seed = 1")
    assert isinstance(curves, bytes)
    np.testing.assert_array_equal(np.frombuffer(zlib.decompress(curves)), [1.5, np.nan, 0.25, 0.1])
    # What trials share is written once.
    assert ask(path, "SELECT count(*) FROM kinds") == [(1,)]


def test_a_trial_that_is_there_stays_as_it_is(path: Path) -> None:
    with Store(path, write=True) as store:
        store.add([(TRIALS[0], kept(0.75)), (TRIALS[2], kept(0.75))])
        assert found(store, TRIALS[0]) == kept(0.1)
        assert len(store) == 3


def test_what_fails_in_the_middle_adds_nothing(path: Path) -> None:
    with Store(path, write=True) as store:
        with pytest.raises(AttributeError):
            store.add([(TRIALS[2], kept(0.5)), (TRIALS[3], None)])  # type: ignore[list-item]
        assert missing(store, TRIALS) == TRIALS[2:]
        store.add([(TRIALS[2], kept(0.5))])
        assert missing(store, TRIALS) == TRIALS[3:]


def test_trials_of_another_format_are_not_taken_for_these(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lehr.lab.trial.FORMAT", 99)
    again = Trial("digits", "adam", lehr.cosine(), None, steps=2, peak=0.1, seed=0)
    with Store(path) as store:
        assert missing(store, [again]) == [again]


def test_more_trials_than_fit_one_question(tmp_path: Path) -> None:
    many = [
        Trial("digits", "adam", lehr.cosine(), None, steps=2, peak=0.1, seed=seed)
        for seed in range(1201)
    ]
    with Store(tmp_path / "many.db", write=True) as store:
        store.add([(trial, kept(0.5)) for trial in many[:-1]])
        assert missing(store, many) == many[-1:]
        assert len(store.ended(many)) == 1200


# Files that are not stores, or are those of another version.


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("content", ["a shopping list\n", '{"trial": 1}\n', "x" * 5000])
def test_a_file_that_is_no_store_is_refused_and_untouched(
    content: str, write: bool, tmp_path: Path
) -> None:
    path = tmp_path / "list"
    path.write_text(content)
    with pytest.raises(StoreError, match="list is not a store of trials: name another file"):
        Store(path, write=write)
    assert path.read_text() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", [False, True])
def test_somebody_elses_database_is_refused_and_untouched(write: bool, tmp_path: Path) -> None:
    path = tmp_path / "addresses.db"
    ask(path, "CREATE TABLE addresses (name)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="is not a store of trials"):
        Store(path, write=write)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", [False, True])
def test_a_newer_store_is_refused_and_untouched(path: Path, write: bool) -> None:
    ask(path, "PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"newer lehr \(its version 99; this one knows 3\): updat"):
        Store(path, write=write)
    assert path.read_bytes() == before


def test_an_older_store_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = [*database.MIGRATIONS, ("ALTER TABLE trials ADD COLUMN note TEXT",)]
    monkeypatch.setattr(database, "MIGRATIONS", more)
    with pytest.raises(StoreError, match=r"older lehr .* `lehr compare --store .* up to date"):
        Store(path)
    with Store(path, write=True) as store:
        assert missing(store, TRIALS) == TRIALS[2:]
    assert ask(path, "SELECT note FROM trials") == [(None,), (None,)]
    assert ask(path, "PRAGMA user_version") == [(4,)]
    with Store(path) as store:
        assert len(store) == 2


def test_trials_of_the_first_versions_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.db"
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", database.MIGRATIONS[:2])
        Store(path, write=True).close()
    with Store(tmp_path / "new.db", write=True) as store:
        store.add([(TRIALS[0], kept(0.1))])
    common = "id, key, kind, peak, seed, diverged, validation, test, test_loss, curves, seconds"
    common += ", finished, run"
    with closing(sqlite3.connect(path)) as link:
        link.execute("ATTACH ? AS new", (str(tmp_path / "new.db"),))
        for table, columns in (("runs", "*"), ("kinds", "*"), ("trials", common)):
            link.execute(f"DELETE FROM main.{table}")
            into = "" if columns == "*" else f"({columns})"
            link.execute(f"INSERT INTO main.{table} {into} SELECT {columns} FROM new.{table}")
        link.commit()
    with Store(path, write=True) as store:
        assert found(store, TRIALS[0]) == kept(0.1)
        lost = FinishedTrial(
            Outcome(2, (1.5, None), (0.25, None), None, None, None, {"x": 2.0}), 1.0
        )
        store.add([(TRIALS[2], lost)])
        assert found(store, TRIALS[2]) == lost


def test_a_migration_that_fails_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = ("ALTER TABLE trials ADD COLUMN note TEXT", "CREATE TABLE trials (id)")
    monkeypatch.setattr(database, "MIGRATIONS", [*database.MIGRATIONS, script])
    with pytest.raises(StoreError, match="already exists"):
        Store(path, write=True)
    monkeypatch.undo()
    with Store(path, write=True) as store:
        assert missing(store, TRIALS) == TRIALS[2:]


@pytest.mark.parametrize(("write", "cut"), [(False, 5000), (True, 5000), (True, 20000)])
def test_a_torn_file_is_refused(path: Path, write: bool, cut: int) -> None:
    path.write_bytes(path.read_bytes()[:-cut])
    with (
        pytest.raises(StoreError, match=r"trials.db is damaged \(.*malformed\): keep it, and wri"),
        Store(path, write=write) as store,
    ):
        list(store.records())


def test_a_log_whose_copying_a_full_disk_ended_is_read(path: Path, tmp_path: Path) -> None:
    """The head of the file may count pages that are in the log alone."""
    cut = tmp_path / "cut" / "trials.db"
    cut.parent.mkdir()
    with Store(path, write=True) as store:
        many = [replace(TRIALS[0], seed=seed) for seed in range(300)]
        store.add([(trial, kept(0.5)) for trial in many])
        whole, log = path.read_bytes(), path.with_name("trials.db-wal").read_bytes()
    page = int.from_bytes(log[8:12])
    frames = [log[at : at + 24 + page] for at in range(32, len(log), 24 + page)]
    (*_, head) = (frame[24:] for frame in frames if int.from_bytes(frame[:4]) == 1)
    assert int.from_bytes(head[28:32]) * page > len(whole)
    cut.write_bytes(head + whole[page:])
    cut.with_name("trials.db-wal").write_bytes(log)
    with Store(cut) as reader:
        assert missing(reader, many) == []
    with Store(cut, write=True) as store:
        store.add([(replace(TRIALS[0], seed=300), kept(0.5))])
    assert ask(cut, "PRAGMA integrity_check") == [("ok",)]


def test_what_is_missing_or_empty_is_begun_only_to_be_written(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no.db does not exist: name the file that `lehr compare"):
        Store(tmp_path / "no.db")
    assert not list(tmp_path.iterdir())
    empty = tmp_path / "empty.db"
    empty.touch()
    with pytest.raises(StoreError, match="is empty: it has no trials yet"):
        Store(empty)
    with Store(empty, write=True) as store:
        assert len(store) == 0


def test_a_store_that_is_only_read_takes_nothing(path: Path) -> None:
    with (
        Store(path) as store,
        pytest.raises(StoreError, match=r"cannot be used now \(attempt to write a readonly"),
    ):
        store.add([(TRIALS[2], kept(0.5))])


def test_a_reader_leaves_nothing_behind(path: Path) -> None:
    before = path.read_bytes()
    with Store(path) as store:
        assert len(store) == 2
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_lets_nobody_write_can_be_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # permissions do not hold back a root user
    with Store(path) as store:
        assert missing(store, TRIALS) == TRIALS[2:]
        assert list(path.parent.iterdir()) == [path]


def test_names_that_mean_something_in_an_address(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=ro#b%20c é.db"
    with Store(path, write=True) as store:
        store.add([(TRIALS[0], kept(0.5))])
    with Store(str(path)) as store:
        assert len(store) == 1
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


# Several at once.


def test_no_trial_is_claimed_twice(path: Path) -> None:
    with Store(path, write=True) as one, Store(path, write=True) as two:
        assert one.claim(TRIALS[:3]) == [TRIALS[2]]
        assert one.claim(TRIALS[:3]) == []
        assert two.claim(TRIALS) == [TRIALS[3]]
        one.add([(TRIALS[2], kept(0.5))])
        assert two.claim(TRIALS) == []
    with Store(path, write=True) as three:  # the second was closed and had not trained it
        assert three.claim(TRIALS) == [TRIALS[3]]


def test_no_more_trials_are_claimed_than_were_asked_for(path: Path) -> None:
    with Store(path, write=True) as store:
        assert store.claim(TRIALS, 0) == []
        assert store.claim(TRIALS, 1) == [TRIALS[2]]
        assert store.claim(TRIALS, 1) == [TRIALS[3]]


def test_a_failure_that_is_forgotten_can_be_claimed_again(path: Path) -> None:
    with Store(path, write=True) as one, Store(path, write=True) as two:
        assert one.claim(TRIALS) == TRIALS[2:]
        one.add([(TRIALS[2], FailedTrial("no", "no"))])
        assert two.claim(TRIALS) == []
        assert two.forget_failures("digits") == 1
        assert two.claim(TRIALS) == [TRIALS[2]]


READ = "import sys; from lehr.lab import Store; s = Store(sys.argv[1]); print(len(s)); s.close()"


def test_others_see_what_is_added_whoever_opened_and_closed_it_before(path: Path) -> None:
    """A file that is closed anywhere in a process takes the locks of all of the process with it,
    unless SQLite does it: then others would take the store for closed, and its log away."""

    def seen_elsewhere() -> str:
        command = [sys.executable, "-c", READ, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with Store(path, write=True) as store:
        store.claim(TRIALS)
        Store(path).close()
        assert seen_elsewhere() == "2\n"
        store.add([(TRIALS[2], kept(0.5))])
        assert seen_elsewhere() == "3\n"
        Store(path, write=True).close()
        store.add([(TRIALS[3], kept(0.5))])
        assert seen_elsewhere() == "4\n"


def test_what_the_silent_claimed_is_free(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(path, write=True) as one, Store(path, write=True) as two:
        assert one.claim(TRIALS) == TRIALS[2:]
        # Elsewhere, so that nobody sees whether its process is there.
        ask(path, "UPDATE runs SET host = 'elsewhere'")
        assert two.claim(TRIALS) == []
        later = time.time() + claims.SILENCE + 1
        monkeypatch.setattr("lehr.lab.store.claims.time.time", lambda: later)
        assert two.claim(TRIALS) == TRIALS[2:]
        # It was only slow: what it brings is kept, once.
        one.add([(TRIALS[2], kept(0.5))])
        two.add([(TRIALS[2], kept(0.5))])
        assert len(two) == 3


def test_a_run_says_that_it_lives(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_HEARTBEAT", 0.01)
    with Store(path, write=True) as store:
        store.claim(TRIALS)
        ask(path, "UPDATE runs SET seen = 0")
        wait_for(lambda: ask(path, "SELECT max(seen) FROM runs") != [(0,)])
    assert not [thread for thread in threading.enumerate() if "heartbeat" in thread.name]


CLAIM = """
import sys
sys.path[:0] = {folders!r}
from test_store import TRIALS
from lehr.lab.store.store import Store
store = Store({path!r}, write=True)
print(len(store.claim(TRIALS)), flush=True)
sys.stdin.read()
"""


def test_what_the_killed_claimed_is_free_at_once(path: Path) -> None:
    code = CLAIM.format(folders=FOLDERS, path=str(path))
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    with process, Store(path, write=True) as store:
        try:
            assert process.stdout.readline() == b"2\n"
            assert store.claim(TRIALS) == []
        finally:
            process.send_signal(signal.SIGKILL)
        process.wait()
        assert store.claim(TRIALS) == TRIALS[2:]


WRITE = """
import sys
sys.path[:0] = {folders!r}
from test_store import kept
import lehr
from lehr.lab.store.store import Store
from lehr.lab.trial import Trial
trials = [Trial("digits", "adam", lehr.cosine(), None, 2, 0.1, seed) for seed in range(300)]
print("ready", flush=True)
sys.stdin.readline()
with Store({path!r}, write=True) as store:
    for trial in trials:
        for mine in store.claim([trial]):
            store.add([(mine, kept(0.5))])
"""


def test_writers_at_once_make_one_store(tmp_path: Path) -> None:
    path = tmp_path / "shared.db"
    code = WRITE.format(folders=FOLDERS, path=str(path))
    pipe = subprocess.PIPE
    writers = [
        subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe)
        for _ in range(3)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:  # at the same moment, so that all of them find no file
        assert writer.stdin is not None
        os.write(writer.stdin.fileno(), b"\n")
    assert [(writer.communicate()[1], writer.returncode) for writer in writers] == [(b"", 0)] * 3
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]
    assert ask(path, "SELECT count(*), count(DISTINCT seed) FROM trials") == [(300, 300)]
    assert ask(path, "SELECT count(*) FROM claims") == [(0,)]


FLOOD = """
import sys
sys.path[:0] = {folders!r}
from test_store import kept
import lehr
from lehr.lab.store.store import Store
from lehr.lab.trial import Trial
with Store({path!r}, write=True) as store:
    for start in range(0, 1_000_000, 5):
        trials = [Trial("digits", "a", lehr.cosine(), None, 2, 0.1, start + i) for i in range(5)]
        store.claim(trials)
        store.add([(trial, kept(0.5)) for trial in trials])
        print(start + 5, flush=True)
"""


def test_kill_9_at_any_moment_loses_nothing_that_was_added(tmp_path: Path) -> None:
    path = tmp_path / "flood.db"
    code = FLOOD.format(folders=FOLDERS, path=str(path))
    added = 0
    for more in (1, 7, 40):
        writer = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert writer.stdout is not None
        for _ in range(more):
            writer.stdout.readline()
        writer.kill()
        # What it printed between the last line read and its end was added, too.
        words = writer.communicate()[0].split()
        added = max(added, 5 * more, *map(int, words))
        ((count,),) = ask(path, "SELECT count(*) FROM trials")
        assert isinstance(count, int)
        assert count >= added
        assert count % 5 == 0
        assert ask(path, "PRAGMA integrity_check") == [("ok",)]


def test_studies_are_listed_in_the_order_of_their_last_start(path: Path) -> None:
    one, two = {"steps": 1, "names": ["a"]}, {"steps": 2}
    with Store(path, write=True) as store:
        for content in (one, two, one):
            store.add_study("comparison", content)
        store.add_study("another kind", {})
    with Store(path) as store:
        assert store.studies("comparison", dict) == [two, one]
        assert store.studies("nothing", dict) == []


def test_versions_are_those_that_trained_these_trials(path: Path) -> None:
    ask(path, """UPDATE runs SET versions = '{"torch": "2.0"}'""")
    with Store(path, write=True) as store:
        store.add([(TRIALS[2], kept(0.5))])
        assert store.versions(TRIALS[:2]) == {"torch": "2.0"}
        both = store.versions(TRIALS)
        assert both["torch"].startswith("2.0 or ")
        assert both["lehr"] == lehr.__version__
