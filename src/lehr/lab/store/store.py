"""Finished trials in a database. Several processes may share one."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from lehr.lab.store.claims import Claims
from lehr.lab.store.database import connect, transaction, translate_errors
from lehr.lab.trial import FinishedTrial, Outcome, Trial

__all__ = ["Record", "Store"]

# These parts of an identity are columns of a trial; many trials share the rest.
_OWN = ("peak", "seed")

_OUTCOME = "diverged, validation, test, test_loss, curves, seconds"

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


class Store:
    """The finished trials in a file; a context manager, because it keeps the file open.

    An added trial is on the disk, and is read back bit for bit. If a process is killed, the file
    has everything that was added before, and no partial trials.

    Example:
        >>> import tempfile, lehr
        >>> from lehr.lab.trial import Outcome, Trial
        >>> trial = Trial("digits", "adam", lehr.cosine(), None, steps=2, peak=0.1, seed=0)
        >>> outcome = Outcome(None, (1.5, 1.25), (0.25, 0.5), 0.5, 0.5, 1.0)
        >>> folder = tempfile.TemporaryDirectory()
        >>> with Store(f"{folder.name}/trials.db", write=True) as store:
        ...     store.add([(trial, FinishedTrial(outcome, seconds=0.5))])
        ...     store.finished([trial])[trial.digest].outcome == outcome
        True
        >>> folder.cleanup()
    """

    def __init__(
        self, path: str | PathLike[str], *, write: bool = False, device: str = "cpu"
    ) -> None:
        """Open the file.

        Arguments:
            path: The file. For writing, a missing file, or folder, is created.
            write: Whether to add trials. Others may write to a store while it is read.
            device: The device that trains, for the record of the added trials.

        Raises:
            StoreError: If the file is not a store, is damaged, or has a version that this lehr
                does not know; for reading, also if it is missing or older.
            OSError: If the file cannot be reached.
        """
        self.path = Path(path)
        self._link = connect(self.path, write=write)
        self._device = device
        self._claims: Claims | None = None

    def add(self, trials: Iterable[tuple[Trial, FinishedTrial]]) -> None:
        """Write finished trials to the disk; after an error, none of them is written.

        A trial that is in the store already is not changed.

        Raises:
            StoreError: If the file is locked for too long, or the disk is full.
        """
        run, now = self._own_claims().run, time.time()
        with translate_errors(self.path), transaction(self._link):
            for trial, finished in trials:
                self._insert(trial, finished, now, run)
                self._link.execute("DELETE FROM claims WHERE key = ?", (trial.digest,))

    def claim(self, trials: Sequence[Trial], most: int | None = None) -> list[Trial]:
        """Claim at most `most` of these trials for this process, and return those to train.

        Trials that are finished, or claimed already (here or by another process), are skipped. A
        claim ends when the trial is added, when the store is closed, or when the process dies.

        Raises:
            StoreError: If the file is locked for too long, or the disk is full.
        """
        claims = self._own_claims()
        with translate_errors(self.path):
            mine = claims.claim(
                [trial.digest for trial in trials], len(trials) if most is None else most
            )
        return [trial for trial in trials if trial.digest in mine]

    def finished(self, trials: Iterable[Trial]) -> dict[bytes, FinishedTrial]:
        """Return those of these trials that are finished, by their digest."""
        question = f"SELECT key, {_OUTCOME} FROM trials WHERE key IN"
        found = self._rows(question, [trial.digest for trial in trials])
        return {key: _finished_trial(*rest) for key, *rest in found}

    def versions(self, trials: Iterable[Trial]) -> dict[str, str]:
        """Return the versions that trained these trials; several of one kind are joined by "or"."""
        question = (
            "SELECT DISTINCT versions FROM trials JOIN runs ON runs.id = trials.run WHERE key IN"
        )
        keys = [trial.digest for trial in trials]
        found: dict[str, set[str]] = {}
        for (text,) in self._rows(question, keys):
            for name, version in json.loads(text).items():
                found.setdefault(name, set()).add(version)
        return {name: " or ".join(sorted(several)) for name, several in found.items()}

    def __len__(self) -> int:
        with translate_errors(self.path):
            return self._link.execute("SELECT count(*) FROM trials").fetchone()[0]

    def records(self) -> Iterator[Record]:
        """Yield all finished trials, in the order in which they finished."""
        with translate_errors(self.path):
            rows = self._link.execute(
                f"SELECT identity, peak, seed, finished, versions, {_OUTCOME} FROM trials "
                "JOIN kinds ON kinds.id = trials.kind JOIN runs ON runs.id = trials.run "
                "ORDER BY trials.id"
            )
            for identity, peak, seed, finished, versions, *rest in rows:
                outcome, seconds = _finished_trial(*rest)
                yield Record(
                    json.loads(identity) | {"peak": peak, "seed": seed},
                    outcome,
                    seconds,
                    finished,
                    json.loads(versions),
                )

    def add_study(self, kind: str, content: Mapping[str, Any]) -> None:
        """Write what a study is about; the one that was added last comes last in `studies`.

        Raises:
            StoreError: If the file is locked for too long, or the disk is full.
        """
        row = (kind, json.dumps(content, sort_keys=True))
        with translate_errors(self.path), transaction(self._link):
            self._link.execute("DELETE FROM studies WHERE kind = ? AND content = ?", row)
            self._link.execute("INSERT INTO studies (kind, content) VALUES (?, ?)", row)

    def studies(self, kind: str) -> list[dict[str, Any]]:
        """Return the studies of a kind, in the order in which they were last started."""
        with translate_errors(self.path):
            rows = self._link.execute(
                "SELECT content FROM studies WHERE kind = ? ORDER BY id", (kind,)
            ).fetchall()
        return [json.loads(content) for (content,) in rows]

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

    def _insert(self, trial: Trial, finished: FinishedTrial, now: float, run: int | None) -> None:
        identity = trial.identity()
        kind = {name: value for name, value in identity.items() if name not in _OWN}
        text = json.dumps(kind, sort_keys=True)
        self._link.execute("INSERT OR IGNORE INTO kinds (identity) VALUES (?)", (text,))
        outcome = finished.outcome
        self._link.execute(
            f"INSERT OR IGNORE INTO trials (key, kind, peak, seed, {_OUTCOME}, finished, run) "
            "VALUES (?, (SELECT id FROM kinds WHERE identity = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                trial.digest,
                text,
                *(identity[name] for name in _OWN),
                outcome.diverged,
                outcome.validation,
                outcome.test,
                outcome.test_loss,
                _packed(outcome),
                finished.seconds,
                now,
                run,
            ),
        )

    def close(self) -> None:
        """Release the claims and close the file."""
        try:
            if self._claims is not None:
                with translate_errors(self.path):
                    self._claims.close()
        finally:
            self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _packed(outcome: Outcome) -> bytes:
    """Return the curves in little-endian float64, the losses first; NaN for a missing loss."""
    curves = np.array([outcome.loss, outcome.accuracy], dtype="<f8")
    return zlib.compress(curves.tobytes(), level=9)


def _finished_trial(
    diverged: int | None,
    validation: float,
    test: float,
    test_loss: float | None,
    curves: bytes,
    seconds: float,
) -> FinishedTrial:
    loss, accuracy = np.frombuffer(zlib.decompress(curves), dtype="<f8").reshape(2, -1).tolist()
    outcome = Outcome(
        diverged=diverged,
        loss=tuple(None if value != value else value for value in loss),
        accuracy=tuple(accuracy),
        validation=validation,
        test=test,
        test_loss=test_loss,
    )
    return FinishedTrial(outcome, seconds)
