"""Finished trials, kept in a database as they finish. Several runs may share one."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from lehr.lab.store.claims import Run
from lehr.lab.store.database import StoreError, connect, told, transaction
from lehr.lab.store.rows import COLUMNS, row
from lehr.lab.trial import Kept, Outcome, Trial, digest

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Kept", "Record", "Store", "StoreError"]

# A trial's own; what is left of its identity is the same for a whole row of them.
_OWN = ("peak", "seed")

_OUTCOME = "diverged, validation, test, test_loss, curves, seconds"

_ASKED = 500  # values in one question; old builds of SQLite take 999


class Record(NamedTuple):
    """A finished trial as it is in the store.

    Attributes:
        identity: Everything that defines it, in JSON's types; see `Trial.identity`.
        kept: What came of it.
        finished: When, in seconds since 1970; None if it comes from a `trials.jsonl`.
        versions: Of lehr, Python, torch and NumPy, with the kind of machine and the device; empty
            if it comes from a `trials.jsonl`.
    """

    identity: dict[str, Any]
    kept: Kept
    finished: float | None
    versions: dict[str, str]


class Store:
    """The finished trials in a file; a context manager, because it holds the file open.

    What was added is on the disk, curves and all, and comes back bit for bit. Whenever a process
    is killed, the file has all that was added and nothing by halves.

    >>> import tempfile, lehr
    >>> from lehr.lab.trial import Outcome, Trial
    >>> trial = Trial("digits", "adam", lehr.cosine(), None, steps=2, peak=0.1, seed=0)
    >>> outcome = Outcome(None, (1.5, 1.25), (0.25, 0.5), 0.5, 0.5, 1.0)
    >>> folder = tempfile.TemporaryDirectory()
    >>> with Store(f"{folder.name}/trials.db", write=True) as store:
    ...     store.add([(trial, Kept(outcome, seconds=0.5))])
    ...     store.missing([trial])
    ...     store[trial].outcome == outcome
    []
    True
    >>> folder.cleanup()
    """

    def __init__(
        self, path: str | PathLike[str], *, write: bool = False, device: str = "cpu"
    ) -> None:
        """Open the file, or, where it is to be written, begin it.

        Arguments:
            path: The file. Where it is to be written and is missing, it is made, as is its folder.
            write: Whether trials are to be added. A store that is only read may be written by
                others meanwhile.
            device: Where what is added was trained, for its record.

        Raises:
            StoreError: If the file is not a store, is damaged, or is of a version that this lehr
                does not know; if it is to be read, also if it is missing or older.
            OSError: If the file cannot be reached.
        """
        self.path = Path(path)
        self._link = connect(self.path, write=write)
        self._device = device
        self._run: Run | None = None

    def add(self, trials: Iterable[tuple[Trial, Kept]]) -> None:
        """Keep these; they are on the disk when this returns, all or, after an error, none.

        A trial that is there already stays as it is.

        Raises:
            StoreError: If the file is busy for too long, or the disk is full.
        """
        run, now = self._enter().id, time.time()
        with told(self.path), transaction(self._link):
            for trial, kept in trials:
                self._insert(trial.identity(), kept, now, run)
                self._link.execute("DELETE FROM claims WHERE key = ?", (trial.digest,))

    def take_over(self, trials: Iterable[tuple[Mapping[str, Any], Kept]]) -> None:
        """Keep trials of before there was a store, each by its identity.

        Raises:
            StoreError: If the file is busy for too long, or the disk is full.
        """
        with told(self.path), transaction(self._link):
            for identity, kept in trials:
                self._insert(identity, kept, None, None)

    def claim(self, trials: Sequence[Trial], most: int | None = None) -> list[Trial]:
        """Claim trials for this run, so many at most, and return those that it is to train.

        Left out are the finished, and those that another run, or this one, is training already. A
        claim ends when the trial is added, when the store is closed, or when the process dies.

        Raises:
            StoreError: If the file is busy for too long, or the disk is full.
        """
        run = self._enter()
        with told(self.path):
            mine = run.claim(
                [trial.digest for trial in trials], len(trials) if most is None else most
            )
        return [trial for trial in trials if trial.digest in mine]

    def missing(self, trials: Iterable[Trial]) -> list[Trial]:
        """The trials among these that are not finished."""
        trials = list(trials)
        found = self._finished([trial.digest for trial in trials])
        return [trial for trial in trials if trial.digest not in found]

    def kept(self, trials: Iterable[Trial]) -> list[Kept]:
        """What came of those among these that are finished, in their order."""
        trials = list(trials)
        found = self._finished([trial.digest for trial in trials])
        return [self[trial] for trial in trials if trial.digest in found]

    def __getitem__(self, trial: Trial) -> Kept:
        with told(self.path):
            row = self._link.execute(
                f"SELECT {_OUTCOME} FROM trials WHERE key = ?", (trial.digest,)
            ).fetchone()
        if row is None:
            raise KeyError(trial)
        return _kept(row)

    def __len__(self) -> int:
        with told(self.path):
            return self._link.execute("SELECT count(*) FROM trials").fetchone()[0]

    def records(self) -> Iterator[Record]:
        """All finished trials, as they finished."""
        with told(self.path):
            rows = self._link.execute(
                f"SELECT identity, peak, seed, finished, versions, {_OUTCOME} FROM trials "
                "JOIN kinds ON kinds.id = trials.kind LEFT JOIN runs ON runs.id = trials.run "
                "ORDER BY trials.id"
            )
            for identity, peak, seed, finished, versions, *outcome in rows:
                yield Record(
                    json.loads(identity) | {"peak": peak, "seed": seed},
                    _kept(outcome),
                    finished,
                    json.loads(versions) if versions else {},
                )

    def frame(self) -> DataFrame:
        """All finished trials as a pandas data frame, a row each.

        Its columns are those that `lehr results --csv` writes, and the curves, a list in a cell:
        `step` (updates made), `loss` (mean training loss since the step before) and `accuracy`
        (score on the validation data).

        Raises:
            ImportError: If pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise ImportError("frame() needs pandas: pip install 'lehr[pandas]'") from error
        columns = (*COLUMNS, "step", "loss", "accuracy")
        return DataFrame(
            [{name: found[name] for name in columns} for found in map(row, self.records())],
            columns=list(columns),
        )

    def _enter(self) -> Run:
        if self._run is None:
            with told(self.path):
                self._run = Run(self.path, self._link, self._device)
        return self._run

    def _finished(self, keys: Sequence[bytes]) -> set[bytes]:
        found: set[bytes] = set()
        with told(self.path):
            for start in range(0, len(keys), _ASKED):
                asked = keys[start : start + _ASKED]
                marks = ", ".join("?" * len(asked))
                rows = self._link.execute(f"SELECT key FROM trials WHERE key IN ({marks})", asked)
                found.update(key for (key,) in rows)
        return found

    def _insert(
        self, identity: Mapping[str, Any], kept: Kept, finished: float | None, run: int | None
    ) -> None:
        kind = {name: value for name, value in identity.items() if name not in _OWN}
        text = json.dumps(kind, sort_keys=True)
        self._link.execute("INSERT OR IGNORE INTO kinds (identity) VALUES (?)", (text,))
        outcome = kept.outcome
        self._link.execute(
            f"INSERT OR IGNORE INTO trials (key, kind, peak, seed, {_OUTCOME}, finished, run) "
            "VALUES (?, (SELECT id FROM kinds WHERE identity = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                digest(identity),
                text,
                *(identity[name] for name in _OWN),
                outcome.diverged,
                outcome.validation,
                outcome.test,
                outcome.test_loss,
                _packed(outcome),
                kept.seconds,
                finished,
                run,
            ),
        )

    def close(self) -> None:
        """Give up what was claimed and let go of the file."""
        try:
            if self._run is not None:
                with told(self.path):
                    self._run.close()
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
    """The curves in little-endian float64, the losses first: NaN where there is none."""
    curves = np.array([outcome.loss, outcome.accuracy], dtype="<f8")
    return zlib.compress(curves.tobytes(), level=9)


def _kept(row: Sequence[Any]) -> Kept:
    diverged, validation, test, test_loss, curves, seconds = row
    loss, accuracy = np.frombuffer(zlib.decompress(curves), dtype="<f8").reshape(2, -1).tolist()
    outcome = Outcome(
        diverged=diverged,
        loss=tuple(None if value != value else value for value in loss),
        accuracy=tuple(accuracy),
        validation=validation,
        test=test,
        test_loss=test_loss,
    )
    return Kept(outcome, seconds)
