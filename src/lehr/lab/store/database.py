"""The file that finished trials are in: an SQLite database with a name and a version of its own.

What is no store of lehr's is told by the file's head, before anything is written: a stranger's file
stays as it is, to the last byte.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

__all__ = ["PATIENCE", "StoreError", "connect", "told", "transaction"]

PATIENCE = 30.0
"""Seconds to wait for another program that is writing at the moment."""

# Both this and the version are in the head of an SQLite file:
# https://www.sqlite.org/fileformat2.html
_APPLICATION = int.from_bytes(b"lehr")

# What each version adds to the one before it; a file of version n needs the scripts from n on. An
# entry is never edited once it was released: a change is a new entry.
MIGRATIONS: list[tuple[str, ...]] = [
    (
        f"PRAGMA application_id = {_APPLICATION}",
        # Who trained: a process, and with what. `seen` is when it last said that it lives.
        """CREATE TABLE runs (
            id INTEGER PRIMARY KEY,
            host TEXT NOT NULL,
            pid INTEGER NOT NULL,
            begun REAL NOT NULL,
            seen REAL NOT NULL,
            versions TEXT NOT NULL
        )""",
        # What trials have in common, written once: their identity without peak and seed.
        "CREATE TABLE kinds (id INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE)",
        """CREATE TABLE trials (
            id INTEGER PRIMARY KEY,
            key BLOB NOT NULL UNIQUE,
            kind INTEGER NOT NULL REFERENCES kinds,
            peak REAL NOT NULL,
            seed INTEGER NOT NULL,
            diverged INTEGER,
            validation REAL NOT NULL,
            test REAL NOT NULL,
            test_loss REAL,
            curves BLOB NOT NULL,
            seconds REAL NOT NULL,
            finished REAL,
            run INTEGER REFERENCES runs
        )""",
        # Trials that a run is training. They are nobody else's while it lives.
        """CREATE TABLE claims (
            key BLOB PRIMARY KEY,
            run INTEGER NOT NULL REFERENCES runs
        ) WITHOUT ROWID""",
    ),
]


class StoreError(ValueError):
    """A file of trials that cannot be used."""


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Open a store.

    Arguments:
        path: The file.
        write: Whether to write to it too: then it is begun if it is missing, as is its folder, and
            brought up to date if an older lehr wrote it.

    Raises:
        StoreError: If it is not a store, is damaged, was written by a newer lehr, or, to be read,
            is missing or was written by an older one.
        OSError: If the file cannot be reached.
    """
    if write:
        path.parent.mkdir(parents=True, exist_ok=True)
    _check_head(path, write=write)
    link = None
    try:
        with told(path):
            link = _open(path, write=write)
            _check_version(path, link, write=write)
            if write:
                _prepare(path, link)
    except BaseException:
        if link is not None:
            link.close()
        raise
    return link


@contextmanager
def told(path: Path) -> Generator[None]:
    """Say what SQLite finds wrong with the file as a `StoreError`."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path} cannot be used now ({error}){_advice(path, error)}") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"{path} is damaged ({error}): keep it, and write to another file; "
            f"`sqlite3 {path} .recover` may save what is in it"
        ) from error


def _advice(path: Path, error: sqlite3.Error) -> str:
    if "locked" in str(error):
        return f": another program has kept it for {PATIENCE:.0f} seconds; stop that one first"
    if "full" in str(error):
        return ": make room; what was kept so far is safe"
    if not os.access(path.parent, os.W_OK):
        return f": its folder {path.parent} must be writable, even to read it"
    return ""


@contextmanager
def transaction(link: sqlite3.Connection) -> Generator[None]:
    """Write all of what is done meanwhile, or, if that fails, nothing of it."""
    # Immediate: to read first and write later would fail where another program came between.
    link.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        link.execute("ROLLBACK")
        raise
    link.execute("COMMIT")


def _check_head(path: Path, *, write: bool) -> None:
    if not path.exists():
        if write:
            return
        raise StoreError(f"{path} does not exist: name the file that `lehr compare` keeps")
    if not path.stat().st_size:
        if write:
            return
        raise StoreError(f"{path} is empty: no trial was kept in it yet")
    with told(path):
        application, version = _head(path)
    if application != _APPLICATION:
        raise StoreError(f"{path} is not a store of trials: name another file")
    _refuse_newer(path, version)


def _head(path: Path) -> tuple[int, int]:
    """The application and the version that the file's head names; zeros if it has no such head."""
    # Read by SQLite, and as a file that never changes, so that it leaves no trace. To open and
    # close it in any other way would drop the locks that this process may have on it, and others
    # would then take its log for finished, and away.
    with closing(sqlite3.connect(_address(path, "immutable=1"), uri=True)) as link:
        try:
            (application,) = link.execute("PRAGMA application_id").fetchone()
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                return 0, 0
            raise
        return application, _version(link)


def _address(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?{mode}"


def _refuse_newer(path: Path, version: int) -> None:
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path} was written by a newer lehr (its version {version}; this one knows "
            f"{len(MIGRATIONS)}): update lehr, or name another file"
        )


def _open(path: Path, *, write: bool) -> sqlite3.Connection:
    # A reader opens it for writing, too, or SQLite would leave its log behind; so where the folder
    # lets nobody write, and no log says that somebody does all the same, it is told to use none.
    mode = "mode=rwc" if write else "mode=rw"
    if not write and not _log(path).exists() and not os.access(path.parent, os.W_OK):
        mode = "immutable=1"
    link = sqlite3.connect(_address(path, mode), uri=True, timeout=PATIENCE, isolation_level=None)
    if write:
        # A commit is on the disk when it returns, whatever happens to the machine.
        link.execute("PRAGMA synchronous = FULL")
    else:
        link.execute("PRAGMA query_only = ON")
    return link


def _log(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _version(link: sqlite3.Connection) -> int:
    return link.execute("PRAGMA user_version").fetchone()[0]


def _check_version(path: Path, link: sqlite3.Connection, *, write: bool) -> None:
    version = _version(link)
    _refuse_newer(path, version)
    if not write and version < len(MIGRATIONS):
        raise StoreError(
            f"{path} was written by an older lehr (its version {version}; this one reads "
            f"{len(MIGRATIONS)}): `lehr compare --store {path}` brings it up to date"
        )


def _prepare(path: Path, link: sqlite3.Connection) -> None:
    if _version(link) < len(MIGRATIONS):
        with transaction(link):
            # Asked again: another run may have done it while this one waited.
            for script in MIGRATIONS[_version(link) :]:
                for statement in script:
                    link.execute(statement)
            link.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    # After the file has its name: the head that is checked is then never only in the log.
    if _write_ahead(link) != "wal":
        raise StoreError(
            f"{path} is in a folder where programs cannot share memory, which a store needs: name "
            "a file on a disk of this machine"
        )


def _write_ahead(link: sqlite3.Connection) -> str:
    """Let readers read while a run writes; says the journal's mode."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return link.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError:
            # To change the mode takes the file alone, and SQLite does not wait for that.
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
