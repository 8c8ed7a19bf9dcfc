"""Finished trials, kept in a file as they finish: one line of JSON each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from lehr.lab.trial import Outcome, Trial

__all__ = ["Kept", "Store", "StoreError"]


class StoreError(ValueError):
    """A file of trials that cannot be read."""


class Kept(NamedTuple):
    """An outcome and what it cost, in seconds of one core."""

    outcome: Outcome
    seconds: float


class Store:
    """The finished trials in a file; a context manager, because it holds the file open.

    A process that is killed while it writes leaves half a line at the end. That half is dropped:
    its trial was not finished. Any other line that cannot be read is an error.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or begin it.

        Arguments:
            path: The file; its folder is made if it is missing.

        Raises:
            StoreError: If a line is not a trial.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._kept: dict[str, Kept] = {}
        self._file = path.open("a+b")
        try:
            self._drop_torn_line()
            self._read(path)
        except BaseException:
            self._file.close()
            raise

    def _drop_torn_line(self) -> None:
        self._file.seek(0)
        content = self._file.read()
        self._file.truncate(content.rfind(b"\n") + 1)

    def _read(self, path: Path) -> None:
        self._file.seek(0)
        for number, line in enumerate(self._file, start=1):
            try:
                record: dict[str, Any] = json.loads(line)
                key = json.dumps(record["trial"], sort_keys=True)
                self._kept[key] = Kept(Outcome.read(record["outcome"]), float(record["seconds"]))
            except (ValueError, KeyError, TypeError) as error:
                raise StoreError(
                    f"{path}, line {number} is not a trial ({error}): take the line out, or write "
                    "to another folder"
                ) from error

    def add(self, trials: Iterable[tuple[Trial, Kept]]) -> None:
        """Keep these; they are in the file when this returns."""
        for trial, kept in trials:
            record = {
                "trial": trial.identity(),
                "outcome": kept.outcome.record(),
                "seconds": round(kept.seconds, 4),
            }
            self._file.write(json.dumps(record, allow_nan=False).encode() + b"\n")
            self._kept[trial.key] = kept
        self._file.flush()

    def missing(self, trials: Iterable[Trial]) -> list[Trial]:
        """The trials among these that are not finished."""
        return [trial for trial in trials if trial.key not in self._kept]

    def kept(self, trials: Iterable[Trial]) -> list[Kept]:
        """What came of those among these that are finished."""
        return [self._kept[trial.key] for trial in trials if trial.key in self._kept]

    def __getitem__(self, trial: Trial) -> Kept:
        return self._kept[trial.key]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
