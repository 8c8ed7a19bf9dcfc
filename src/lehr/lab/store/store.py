"""Finished trials in a database that several processes may share."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar, cast

from lehr.lab.errors import StoreError
from lehr.lab.store.claims import Claims
from lehr.lab.store.database import connect, transaction, translate_errors
from lehr.lab.store.encoding import (
    OUTCOME,
    insert_failure,
    insert_run,
    insert_study,
    insert_trial,
    read_identity,
    read_outcome,
)
from lehr.lab.trial import Ended, FailedTrial, FinishedTrial, Outcome, Trial

_Study = TypeVar("_Study")

_KEYS = 500  # keys in one query; old builds of SQLite take 999


class Record(NamedTuple):
    """A finished trial in a store.

    Attributes:
        identity: Everything that defines it, in JSON's types; see `Trial.identity`.
        outcome: Its outcome.
        seconds: Its cost, in seconds of one core.
        finished: When it finished, in seconds since 1970.
        versions: The versions of lehr, Python and packages, the kind of machine, and the device.
    """

    identity: dict[str, Any]
    outcome: Outcome
    seconds: float
    finished: float
    versions: dict[str, str]


class FailureRecord(NamedTuple):
    """A failed trial in a store.

    Attributes:
        identity: Everything that defines it, in JSON's types; see `Trial.identity`.
        failure: The error.
        finished: When it failed, in seconds since 1970.
    """

    identity: dict[str, Any]
    failure: FailedTrial
    finished: float


class Store:
    """The finished trials in a file. A context manager, because it keeps the file open.

    Once added, a trial is on the disk and is read back bit for bit. If a process is killed, the
    file has everything that was added before, and no partial trials.

    Example:
        >>> import tempfile, lehr
        >>> from lehr.lab.trial import Outcome, Trial
        >>> trial = Trial("digits", "adam", lehr.cosine(), None, steps=2, peak=0.1, seed=0)
        >>> outcome = Outcome(None, (1.5, 1.25), (0.25, 0.5), 0.5, 0.5, 1.0)
        >>> folder = tempfile.TemporaryDirectory()
        >>> with Store(f"{folder.name}/trials.db", write=True) as store:
        ...     store.add([(trial, FinishedTrial(outcome, seconds=0.5))])
        ...     store.ended([trial])[trial.digest].outcome == outcome
        True
        >>> folder.cleanup()
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        write: bool = False,
        device: str = "cpu",
        notify: Callable[[str], object] | None = None,
    ) -> None:
        """Open the file.

        Arguments:
            path: The file. For writing, a missing file, or folder, is created.
            write: Whether to add trials. Others may write to a store while it is read.
            device: The training device, recorded with the added trials.
            notify: Called with one line about each damaged row, which is then skipped. Without it,
                a damaged row is an error.

        Raises:
            StoreError: If the file is not a store, is damaged, or has a version that this lehr
                does not know; for reading, also if it is missing or older.
            OSError: If the file cannot be reached.
        """
        self.path = Path(path)
        self._notify, self._noticed = notify, set[str]()
        self._link = connect(self.path, write=write)
        self._file = self._inode()
        self._device = device
        self._claims: Claims | None = None

    def _inode(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def check(self) -> None:
        """Check that the file has not been deleted, moved or replaced since it was opened.

        Raises:
            StoreError: If it has; anything added would be lost with it.
        """
        if self._inode() != self._file:
            raise StoreError(
                f"{self.path} was deleted, moved or replaced while it was in use, so further "
                "trials could not be kept: put it back if you can, and run the same command again"
            )

    def add(self, trials: Iterable[tuple[Trial, Ended]]) -> None:
        """Write finished and failed trials to the disk; after an error, none of them is written.

        A trial that is already in the store is not changed.

        Raises:
            StoreError: If the file is locked for too long or was deleted, or the disk is full.
        """
        self.check()
        run, now = self._own_claims().run, time.time()
        with translate_errors(self.path), transaction(self._link):
            for trial, ended in trials:
                if isinstance(ended, FailedTrial):
                    insert_failure(self._link, trial, ended, now, run)
                else:
                    insert_trial(self._link, trial, ended, now, run)
                self._link.execute("DELETE FROM claims WHERE key = ?", (trial.digest,))

    def add_imported(
        self,
        trials: Sequence[tuple[Trial, FinishedTrial]],
        source: str,
        kind: str,
        content: Mapping[str, Any],
    ) -> int:
        """Write runs that were trained elsewhere, and the study that lists them, atomically.

        Arguments:
            trials: The runs; one that is already in the store is not changed.
            source: Their origin, which is kept instead of versions.
            kind: The kind of the study.
            content: The content of the study.

        Returns:
            How many of the runs were not in the store.

        Raises:
            StoreError: If the file is locked for too long, or the disk is full. Nothing is
                written then.
        """
        now = time.time()
        with translate_errors(self.path), transaction(self._link):
            before = self._count()
            run = insert_run(self._link, "", 0, {"imported": source})
            for trial, finished in trials:
                insert_trial(self._link, trial, finished, now, run)
            insert_study(self._link, kind, content)
            return self._count() - before

    def claim(self, trials: Sequence[Trial], most: int | None = None) -> list[Trial]:
        """Claim at most `most` of these trials for this process, and return those to train.

        Trials that are finished, failed or already claimed (here or by another process) are
        skipped. A claim ends when the trial is added, when the store is closed, or when the process
        dies.

        Raises:
            StoreError: If the file is locked for too long or was deleted, or the disk is full.
        """
        self.check()
        claims = self._own_claims()
        with translate_errors(self.path):
            mine = claims.claim(
                [trial.digest for trial in trials], len(trials) if most is None else most
            )
        return [trial for trial in trials if trial.digest in mine]

    def ended(self, trials: Iterable[Trial]) -> dict[bytes, Ended]:
        """Return, by digest, those of the given trials that are finished or have failed.

        Raises:
            StoreError: If a row is damaged, and the store has no `notify`.
        """
        steps = {trial.digest: trial.steps for trial in trials}
        keys = list(steps)
        found: dict[bytes, Ended] = {}
        for key, reason, trace in self._rows(
            "SELECT key, reason, trace FROM failures WHERE key IN", keys
        ):
            found[key] = FailedTrial(str(reason), str(trace))
        for place, key, *row in self._rows(
            f"SELECT id, key, {OUTCOME} FROM trials WHERE key IN", keys
        ):
            with self._read("trials", place):
                found[key] = read_outcome(tuple(row), steps[key])
        return found

    @contextmanager
    def _read(self, table: str, place: int) -> Generator[None]:
        """Read a row in the block; if it is damaged, raise a `StoreError` or skip it."""
        try:
            yield
        except (ValueError, TypeError) as error:
            if isinstance(error, StoreError):
                raise
            text = f"{self.path} is damaged in row {place} of {table} ({error})"
            if self._notify is None:
                raise StoreError(
                    f"{text}: without that row the others can be used; `sqlite3 {self.path} "
                    f"'DELETE FROM {table} WHERE id = {place}'` deletes it"
                ) from error
            if text not in self._noticed:
                self._noticed.add(text)
                self._notify(f"{text}: left out")

    def versions(self, trials: Iterable[Trial]) -> dict[str, str]:
        """Return the versions that trained these trials; several of one kind are joined by "or"."""
        question = (
            "SELECT DISTINCT runs.id, versions FROM trials JOIN runs ON runs.id = trials.run "
            "WHERE key IN"
        )
        keys = [trial.digest for trial in trials]
        found: dict[str, set[str]] = {}
        for place, text in self._rows(question, keys):
            with self._read("runs", place):
                for name, version in _read_object(text).items():
                    found.setdefault(name, set()).add(str(version))
        return {name: " or ".join(sorted(several)) for name, several in found.items()}

    def last(self, trials: Iterable[Trial]) -> float | None:
        """Return when the last of these trials finished, in seconds since 1970."""
        keys = [trial.digest for trial in trials]
        rows = self._rows("SELECT finished FROM trials WHERE key IN", keys)
        return max((float(finished) for (finished,) in rows), default=None)

    def __len__(self) -> int:
        with translate_errors(self.path):
            return self._count()

    def _count(self) -> int:
        return self._link.execute("SELECT count(*) FROM trials").fetchone()[0]

    def records(self) -> Iterator[Record]:
        """Yield all finished trials, in the order in which they finished.

        Raises:
            StoreError: If a row is damaged, and the store has no `notify`.
        """
        with translate_errors(self.path):
            rows = self._link.execute(
                "SELECT trials.id, identity, peak, seed, finished, versions, "
                f"{OUTCOME} FROM trials LEFT JOIN kinds ON kinds.id = trials.kind "
                "LEFT JOIN runs ON runs.id = trials.run ORDER BY trials.id"
            )
            for place, text, peak, seed, finished, versions, *row in rows:
                record = None
                with self._read("trials", place):
                    identity = read_identity(text, peak, seed)
                    outcome, seconds = read_outcome(tuple(row), identity["steps"])
                    record = Record(
                        identity, outcome, seconds, float(finished), _read_object(versions)
                    )
                # Outside the block, because an error in the caller is not an error in the row.
                if record is not None:
                    yield record

    def failures(self) -> Iterator[FailureRecord]:
        """Yield all failed trials, in the order in which they failed.

        Raises:
            StoreError: If a row is damaged, and the store has no `notify`.
        """
        with translate_errors(self.path):
            rows = self._link.execute(
                "SELECT failures.id, identity, peak, seed, reason, trace, finished FROM failures "
                "LEFT JOIN kinds ON kinds.id = failures.kind ORDER BY failures.id"
            ).fetchall()
        for place, text, peak, seed, reason, trace, finished in rows:
            record = None
            with self._read("failures", place):
                identity = read_identity(text, peak, seed)
                failure = FailedTrial(str(reason), str(trace))
                record = FailureRecord(identity, failure, float(finished))
            if record is not None:
                yield record

    def forget_failures(self, task: str) -> int:
        """Delete the failed trials of a task, so that they are trained again.

        Arguments:
            task: The task in their identity.

        Returns:
            The number of trials deleted.
        """
        question = "SELECT DISTINCT kinds.id, identity FROM failures JOIN kinds ON kinds.id = kind"
        with translate_errors(self.path), transaction(self._link):
            kinds: list[tuple[int]] = []
            for place, text in self._link.execute(question).fetchall():
                with self._read("kinds", place):
                    if _read_object(text).get("task") == task:
                        kinds.append((place,))
            made = self._link.executemany("DELETE FROM failures WHERE kind = ?", kinds)
        return max(0, made.rowcount)

    def add_study(self, kind: str, content: Mapping[str, Any]) -> None:
        """Write the content of a study; the most recently added comes last in `studies`.

        Raises:
            StoreError: If the file is locked for too long, or the disk is full.
        """
        with translate_errors(self.path), transaction(self._link):
            insert_study(self._link, kind, content)

    def studies(self, kind: str, read: Callable[[dict[str, Any]], _Study]) -> list[_Study]:
        """Return the studies of a kind, in the order in which they were last started.

        Arguments:
            kind: The kind of the studies.
            read: Called with the content of each; raises ValueError if it is damaged.

        Raises:
            StoreError: If one is damaged, and the store has no `notify`.
        """
        with translate_errors(self.path):
            rows = self._link.execute(
                "SELECT id, content FROM studies WHERE kind = ? ORDER BY id", (kind,)
            ).fetchall()
        found: list[_Study] = []
        for place, text in rows:
            with self._read("studies", place):
                found.append(read(_read_object(text)))
        return found

    def _own_claims(self) -> Claims:
        if self._claims is None:
            with translate_errors(self.path):
                self._claims = Claims(self.path, self._link, self._device)
        return self._claims

    def _rows(self, question: str, keys: Sequence[bytes]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query that ends in `IN`, for any number of keys."""
        with translate_errors(self.path):
            for start in range(0, len(keys), _KEYS):
                some = keys[start : start + _KEYS]
                marks = ", ".join("?" * len(some))
                yield from self._link.execute(f"{question} ({marks})", some).fetchall()

    def close(self) -> None:
        """Release the claims and close the file."""
        try:
            if self._claims is not None:
                with translate_errors(self.path):
                    # SQLite refuses to write to a deleted file.
                    self._claims.close(release=self._inode() == self._file)
        finally:
            self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read_object(text: object) -> dict[str, Any]:
    """Return the object that a text in JSON holds, or raise ValueError."""
    found = json.loads(cast("str", text))
    if not isinstance(found, dict):
        raise ValueError("not an object in JSON")
    return cast("dict[str, Any]", found)
