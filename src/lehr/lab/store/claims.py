"""Who is at work on a store: several runs may share one, and no two train the same trial.

A run claims what it is about to train and says every few seconds that it lives. What a run claimed
that has died is free again: at once where that can be seen, else when it was silent for a minute.
"""

from __future__ import annotations

import json
import os
import platform
import socket
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lehr import __version__
from lehr.lab.store.database import StoreError, connect, told, transaction

__all__ = ["Run"]

SILENCE = 60.0
"""Seconds after which a run that says nothing counts as dead."""

_BEAT = SILENCE / 6  # a machine under load may miss a few


class Run:
    """This run, as the others that share the store see it, until it is closed."""

    def __init__(self, path: Path, link: sqlite3.Connection, device: str) -> None:
        """Enter the run into a store that is open for writing."""
        self._path, self._link = path, link
        now = time.time()
        versions = _versions() | {"device": device}
        with transaction(link):
            made = link.execute(
                "INSERT INTO runs (host, pid, begun, seen, versions) VALUES (?, ?, ?, ?, ?)",
                (
                    socket.gethostname(),
                    os.getpid(),
                    now,
                    now,
                    json.dumps(versions),
                ),
            )
        self.id = made.lastrowid
        self._over = threading.Event()
        self._beats = threading.Thread(target=self._beat, daemon=True)
        self._beats.start()

    def _beat(self) -> None:
        while not self._over.wait(_BEAT):
            try:
                # A connection belongs to one thread.
                with closing(connect(self._path, write=True)) as link, told(self._path):
                    link.execute("UPDATE runs SET seen = ? WHERE id = ?", (time.time(), self.id))
            except (StoreError, OSError):
                # A missed beat is made up for by the next. Should all be missed, others may train
                # these trials too; what is wrong with the file is told when they are to be kept.
                continue

    def claim(self, keys: Sequence[bytes], most: int) -> set[bytes]:
        """Claim trials, so many at most, and return those that are now this run's.

        Not among them are the finished, and the claimed: by another run, or by this one before.
        """
        mine: set[bytes] = set()
        with transaction(self._link):
            self._forget_the_dead()
            for key in keys:
                if len(mine) == most:
                    break
                if self._link.execute("SELECT 1 FROM trials WHERE key = ?", (key,)).fetchone():
                    continue
                made = self._link.execute(
                    "INSERT OR IGNORE INTO claims (key, run) VALUES (?, ?)", (key, self.id)
                )
                if made.rowcount:
                    mine.add(key)
        return mine

    def _forget_the_dead(self) -> None:
        others = self._link.execute(
            "SELECT id, host, pid, seen FROM runs "
            "WHERE id IN (SELECT DISTINCT run FROM claims) AND id != ?",
            (self.id,),
        ).fetchall()
        for run, host, pid, seen in others:
            if not _lives(host, pid, seen):
                self._link.execute("DELETE FROM claims WHERE run = ?", (run,))

    def close(self) -> None:
        """Give back what was claimed and not trained."""
        self._over.set()
        self._beats.join()
        self._link.execute("DELETE FROM claims WHERE run = ?", (self.id,))


def _lives(host: str, pid: int, seen: float) -> bool:
    if time.time() - seen > SILENCE:
        return False
    # On Windows to ask a process whether it is there means to interrupt it.
    if host != socket.gethostname() or os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it is another user's
    return True


def _versions() -> dict[str, str]:
    """What trains: the versions of whatever may change an outcome, and the machine's kind."""
    found = {"lehr": __version__, "python": platform.python_version()}
    for name in ("torch", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found | {"machine": platform.machine()}
