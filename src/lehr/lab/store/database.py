"""The file of a store: an SQLite database with lehr's application id and a version.

The header of the file is checked before anything is written, so that a file that is not a store
stays unchanged, to the last byte.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from lehr.lab.errors import StoreError

_LITTLE = 20e6  # bytes left at which a disk counts as full

PATIENCE = 30.0
"""Seconds to wait while another program is writing."""

# Both this and the version are in the header of an SQLite file:
# https://www.sqlite.org/fileformat2.html
_APPLICATION = int.from_bytes(b"lehr")

# The changes from each version to the next; a file of version n needs the scripts from n on. A
# released entry is never edited: a change is a new entry.
MIGRATIONS: list[tuple[str, ...]] = [
    (
        f"PRAGMA application_id = {_APPLICATION}",
        # The processes that train. `seen` is the time of the last heartbeat.
        """CREATE TABLE runs (
            id INTEGER PRIMARY KEY,
            host TEXT NOT NULL,
            pid INTEGER NOT NULL,
            begun REAL NOT NULL,
            seen REAL NOT NULL,
            versions TEXT NOT NULL
        )""",
        # The identities of trials without peak and seed, which many trials share.
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
            finished REAL NOT NULL,
            run INTEGER NOT NULL REFERENCES runs
        )""",
        # Trials in training. A claim is valid as long as its run is alive.
        """CREATE TABLE claims (
            key BLOB PRIMARY KEY,
            run INTEGER NOT NULL REFERENCES runs
        ) WITHOUT ROWID""",
        # The studies that trained into this file, as JSON, in the order of their last start.
        """CREATE TABLE studies (
            id INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            content TEXT NOT NULL,
            UNIQUE (kind, content)
        )""",
    ),
    (
        # Trials without an outcome, because the code of their task failed.
        """CREATE TABLE failures (
            id INTEGER PRIMARY KEY,
            key BLOB NOT NULL UNIQUE,
            kind INTEGER NOT NULL REFERENCES kinds,
            peak REAL NOT NULL,
            seed INTEGER NOT NULL,
            reason TEXT NOT NULL,
            trace TEXT NOT NULL,
            finished REAL NOT NULL,
            run INTEGER NOT NULL REFERENCES runs
        )""",
    ),
    (
        # A run that diverged may have no number, and others have additional ones, as JSON. SQLite
        # cannot drop NOT NULL, so the table is rebuilt.
        "ALTER TABLE trials RENAME TO older",
        """CREATE TABLE trials (
            id INTEGER PRIMARY KEY,
            key BLOB NOT NULL UNIQUE,
            kind INTEGER NOT NULL REFERENCES kinds,
            peak REAL NOT NULL,
            seed INTEGER NOT NULL,
            diverged INTEGER,
            validation REAL,
            test REAL,
            test_loss REAL,
            curves BLOB NOT NULL,
            seconds REAL NOT NULL,
            finished REAL NOT NULL,
            run INTEGER NOT NULL REFERENCES runs,
            numbers TEXT
        )""",
        "INSERT INTO trials SELECT *, NULL FROM older",
        "DROP TABLE older",
    ),
]


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Open a store; for writing, create a missing file or folder and update an older file.

    Raises:
        StoreError: If it is not a store, is damaged, or was written by a newer lehr; for reading,
            also if it is missing or was written by an older one.
        OSError: If the file cannot be reached.
    """
    try:
        if write:
            path.parent.mkdir(parents=True, exist_ok=True)
        _check_head(path, write=write)
    except ValueError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{str(path)!r} is not the name of a file ({error})") from error
    link = None
    try:
        with translate_errors(path):
            link = _open(path, write=write)
            _check_version(path, link, write=write)
            if write:
                _prepare(path, link)
    except BaseException:
        if link is not None:
            link.close()
        raise
    return link


def delete_unused(path: Path) -> None:
    """Delete a store if it has no trials and no other process uses or has used it."""
    with translate_errors(path), closing(_open(path, write=True)) as link, transaction(link):
        counts = [
            link.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("trials", "failures", "claims")
        ]
        (runs,) = link.execute("SELECT count(*) FROM runs").fetchone()
        if any(counts) or runs > 1:
            return
        # Inside the transaction: no other process can claim a trial in between.
        for file in (path, _log(path), path.with_name(path.name + "-shm")):
            file.unlink(missing_ok=True)


@contextmanager
def translate_errors(path: Path) -> Generator[None]:
    """Re-raise SQLite errors as `StoreError`, with advice."""
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
    if not path.exists():
        return ": it was deleted or moved"
    # A disk that fills up between two writes appears as an I/O error.
    free = shutil.disk_usage(path.parent).free
    if "full" in str(error) or ("I/O" in str(error) and free < _LITTLE):
        return (
            f": the disk of {path.parent.absolute()} has {free / 1e6:.1f} MB left. Make room (a "
            "trial takes about 400 bytes, and some MB are used while writing) and run the same "
            "command again; the trials that were kept before are safe"
        )
    if not os.access(path.parent, os.W_OK):
        return f": its folder {path.parent} must be writable, even to read it"
    return ""


@contextmanager
def transaction(link: sqlite3.Connection) -> Generator[None]:
    """Run the block atomically."""
    # Immediate: a deferred transaction fails if another program writes after its first read.
    link.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if link.in_transaction:  # on a full disk, SQLite has already rolled it back
            link.execute("ROLLBACK")
        raise
    link.execute("COMMIT")


def _check_head(path: Path, *, write: bool) -> None:
    if not path.exists():
        if write:
            return
        raise StoreError(f"{path} does not exist: name the file that `lehr compare` wrote")
    if not path.stat().st_size:
        if write:
            return
        raise StoreError(f"{path} is empty: it has no trials yet")
    with translate_errors(path):
        application, version = _head(path)
    if application != _APPLICATION:
        raise StoreError(f"{path} is not a store of trials: name another file")
    _refuse_newer(path, version)


def _head(path: Path) -> tuple[int, int]:
    """Return the application id and the version in the file's header; zeros if it has none."""
    # Let SQLite read it as an immutable file, which leaves no trace. Opening and closing it in any
    # other way would drop locks that this process may hold on it, and others would then take its
    # log for finished and remove it.
    with closing(sqlite3.connect(_address(path, "immutable=1"), uri=True)) as link:
        # Without its log, the file may be shorter than its header says: a full disk can interrupt
        # the copying of the log. This lets SQLite read the header nevertheless.
        link.execute("PRAGMA writable_schema = ON")
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
    # A reader opens it for writing too, or SQLite would leave its log behind. In a folder without
    # write access, if there is no log (a writer would have one), the file is opened without one.
    mode = "mode=rwc" if write else "mode=rw"
    if not write and not _log(path).exists() and not os.access(path.parent, os.W_OK):
        mode = "immutable=1"
    link = sqlite3.connect(_address(path, mode), uri=True, timeout=PATIENCE, isolation_level=None)
    # Damaged text is read with question marks: an error would hide the other rows.
    link.text_factory = partial(str, encoding="utf-8", errors="replace")
    if write:
        # A commit is on the disk when it returns, even if the machine fails right after.
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
            # Read again: another process may have updated the file in the meantime.
            for script in MIGRATIONS[_version(link) :]:
                for statement in script:
                    link.execute(statement)
            link.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    # After the application id is written, so that the header is never only in the log.
    if _write_ahead(link) != "wal":
        raise StoreError(
            f"{path} is in a folder where programs cannot share memory, which a store needs: name "
            "a file on a disk of this machine"
        )


def _write_ahead(link: sqlite3.Connection) -> str:
    """Switch on the write-ahead log, so that readers can read during writes; return the mode."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return link.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError:
            # Changing the mode needs exclusive access, and SQLite does not wait for that.
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
