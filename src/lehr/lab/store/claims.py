"""Claims on trials: several processes may share a store, and no two train the same trial.

A process claims the trials that it is about to train, and records a heartbeat every few seconds.
When it dies, its claims expire: at once if that can be seen on this machine, otherwise a minute
after its last heartbeat.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from lehr.lab.errors import StoreError
from lehr.lab.store.database import connect, transaction, translate_errors
from lehr.lab.store.encoding import insert_run
from lehr.lab.versions import installed_versions

SILENCE = 60.0
"""Seconds without a heartbeat after which a process counts as dead."""

_ENDED = "SELECT 1 FROM trials WHERE key = ? UNION ALL SELECT 1 FROM failures WHERE key = ? LIMIT 1"

_HEARTBEAT = SILENCE / 6  # a machine under load may miss a few


class Claims:
    """The claims of this process on a store, from its registration until `close`."""

    def __init__(self, path: Path, link: sqlite3.Connection, device: str) -> None:
        """Register this process among the runs of a store that is open for writing."""
        self._path, self._link = path, link
        versions = installed_versions() | {"device": device}
        with transaction(link):
            self.run = insert_run(link, socket.gethostname(), os.getpid(), versions)
        self._closed = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="lehr-heartbeat", daemon=True)
        self._heart.start()

    def _beat(self) -> None:
        while not self._closed.wait(_HEARTBEAT):
            try:
                # Connecting would create a deleted file anew.
                if not self._path.exists():
                    continue
                # A connection belongs to one thread.
                with closing(connect(self._path, write=True)) as link, translate_errors(self._path):
                    link.execute("UPDATE runs SET seen = ? WHERE id = ?", (time.time(), self.run))
            except (StoreError, OSError):
                # The next heartbeat makes up for a missed one. If all are missed, others may train
                # these trials too; a problem with the file is reported when trials are added.
                continue

    def claim(self, keys: Sequence[bytes], most: int) -> set[bytes]:
        """Claim at most `most` of these trials, as `Store.claim` does, and return their keys."""
        mine: set[bytes] = set()
        with transaction(self._link):
            self._release_dead_claims()
            for key in keys:
                if len(mine) == most:
                    break
                if self._link.execute(_ENDED, (key, key)).fetchone():
                    continue
                made = self._link.execute(
                    "INSERT OR IGNORE INTO claims (key, run) VALUES (?, ?)", (key, self.run)
                )
                if made.rowcount:
                    mine.add(key)
        return mine

    def _release_dead_claims(self) -> None:
        others = self._link.execute(
            "SELECT id, host, pid, seen FROM runs "
            "WHERE id IN (SELECT DISTINCT run FROM claims) AND id != ?",
            (self.run,),
        ).fetchall()
        for run, host, pid, seen in others:
            if not _is_alive(host, pid, seen):
                self._link.execute("DELETE FROM claims WHERE run = ?", (run,))

    def close(self, *, release: bool = True) -> None:
        """Stop the heartbeat, and release the claims on trials that were not trained."""
        self._closed.set()
        self._heart.join()
        if release:
            self._link.execute("DELETE FROM claims WHERE run = ?", (self.run,))


def _is_alive(host: str, pid: int, seen: float) -> bool:
    if time.time() - seen > SILENCE:
        return False
    # On Windows, signal 0 would end the process.
    if host != socket.gethostname() or os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's process
    return True
