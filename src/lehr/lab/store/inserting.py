"""New rows in a store, each in the transaction of the caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from lehr.lab.store.encoding import OUTCOME, packed_curves, packed_numbers, read_outcome
from lehr.lab.trial import FailedTrial, FinishedTrial, Trial

# These parts of an identity are columns of a trial; many trials share the rest.
_OWN = ("peak", "seed")


def insert_trial(
    link: sqlite3.Connection, trial: Trial, finished: FinishedTrial, now: float, run: int | None
) -> None:
    """Write a finished trial, unless the store has it."""
    outcome = finished.outcome
    row = (
        outcome.diverged,
        outcome.validation,
        outcome.test,
        outcome.test_loss,
        packed_curves(outcome),
        packed_numbers(outcome),
        finished.seconds,
    )
    read_outcome(row)  # What could not be read again is not written.
    link.execute(
        f"INSERT INTO trials (key, kind, peak, seed, {OUTCOME}, finished, run) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
        (*_keys(link, trial), *row, now, run),
    )
    link.execute("DELETE FROM failures WHERE key = ?", (trial.digest,))


def insert_failure(
    link: sqlite3.Connection, trial: Trial, failed: FailedTrial, now: float, run: int | None
) -> None:
    """Write a failed trial, unless the store has it."""
    # A message may have surrogates, which no database can hold.
    texts = (text.encode("utf-8", "backslashreplace").decode() for text in failed)
    link.execute(
        "INSERT INTO failures (key, kind, peak, seed, reason, trace, finished, run) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
        (*_keys(link, trial), *texts, now, run),
    )


def insert_study(link: sqlite3.Connection, kind: str, content: Mapping[str, Any]) -> None:
    """Write a study as the last one; one with the same content is moved there."""
    row = (kind, json.dumps(content, sort_keys=True))
    link.execute("DELETE FROM studies WHERE kind = ? AND content = ?", row)
    link.execute("INSERT INTO studies (kind, content) VALUES (?, ?)", row)


def _keys(link: sqlite3.Connection, trial: Trial) -> tuple[bytes, int, float, int]:
    """Return the columns that define a trial, and write what it shares with others."""
    identity = trial.identity()
    kind = {name: value for name, value in identity.items() if name not in _OWN}
    text = json.dumps(kind, sort_keys=True)
    link.execute("INSERT OR IGNORE INTO kinds (identity) VALUES (?)", (text,))
    (place,) = link.execute("SELECT id FROM kinds WHERE identity = ?", (text,)).fetchone()
    return trial.digest, place, identity["peak"], identity["seed"]
