"""Trials as rows of a database, written in the caller's transaction, and read part by part."""

from __future__ import annotations

import json
import math
import sqlite3
import time
import zlib
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from lehr.lab.trial import FailedTrial, FinishedTrial, Outcome, Trial, evaluation_steps

OUTCOME = "diverged, validation, test, test_loss, curves, numbers, seconds"
"""The columns of a finished trial."""

_MOST = 1 << 20  # bytes of unpacked curves; a trial's take at most 320

# These parts of an identity have their own columns; many trials share the rest.
_OWN = ("peak", "seed")

_PARTS: dict[str, type | tuple[type, ...]] = {
    "task": str,
    "optimizer": str,
    "schedule": str,
    "momentum": (str, type(None)),
    "steps": int,
    "format": int,
}


def _packed_curves(outcome: Outcome) -> bytes:
    """Return the curves in little-endian float64, losses first, with NaN for missing numbers."""
    curves = np.array([outcome.loss, outcome.validations], dtype="<f8")
    return zlib.compress(curves.tobytes(), level=9)


def read_outcome(row: tuple[Any, ...], steps: int | None = None) -> FinishedTrial:
    """Return the finished trial in a row of the columns `OUTCOME`; its curves must fit `steps`.

    A ValueError names the first invalid value.
    """
    diverged, validation, test, test_loss, curves, numbers, seconds = row
    if not (diverged is None or isinstance(diverged, int)):
        raise ValueError(f"diverged is {diverged!r:.40}")
    parts = {"validation": validation, "test": test, "test_loss": test_loss, "seconds": seconds}
    needed = {"seconds"} if diverged else {"seconds", "validation", "test"}
    for name, value in parts.items():
        missing = value is None and name not in needed
        if not missing and not (isinstance(value, float) and math.isfinite(value)):
            raise ValueError(f"{name} is {value!r:.40}")
    loss, validations = _read_curves(curves)
    if steps is not None and len(loss) != len(evaluation_steps(steps)):
        raise ValueError(f"its curves have {len(loss)} points")
    outcome = Outcome(
        diverged=diverged,
        loss=loss,
        validations=validations,
        validation=validation,
        test=test,
        test_loss=test_loss,
        numbers=_read_numbers(numbers),
    )
    return FinishedTrial(outcome, seconds)


def _read_numbers(text: object) -> dict[str, float]:
    if text is None:
        return {}
    found = json.loads(text) if isinstance(text, str) else text
    if not isinstance(found, dict):
        raise ValueError("its numbers are not an object")
    numbers = cast("dict[str, Any]", found)
    for name, value in numbers.items():
        if not isinstance(value, float) or not math.isfinite(value):
            raise ValueError(f"its number {name!r:.40} is {value!r:.40}")
    return numbers


def _packed_numbers(outcome: Outcome) -> str | None:
    """Return the additional numbers as JSON, or None if there are none."""
    if not outcome.numbers:
        return None
    return json.dumps({name: float(value) for name, value in outcome.numbers.items()})


def _read_curves(curves: object) -> tuple[tuple[float | None, ...], tuple[float | None, ...]]:
    if not isinstance(curves, bytes):
        raise ValueError("its curves are not bytes")
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(curves, _MOST)
    except zlib.error as error:
        raise ValueError(f"its curves cannot be unpacked: {error}") from error
    if not unpacker.eof or len(unpacked) % 16:
        raise ValueError("its curves are cut off")
    rows = np.frombuffer(unpacked, dtype="<f8").reshape(2, -1)
    if np.isinf(rows).any():
        raise ValueError("its curves have numbers that are not finite")
    loss, validations = (
        tuple(None if math.isnan(value) else value for value in row) for row in rows.tolist()
    )
    return loss, validations


def read_identity(text: object, peak: object, seed: object) -> dict[str, Any]:
    """Return the identity of a trial from its columns; raise ValueError if a part is missing."""
    try:
        found = json.loads(cast("str", text))
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError("its identity is not JSON") from error
    if not isinstance(found, dict):
        raise ValueError("its identity is not an object")
    identity: dict[str, Any] = {**cast("dict[str, Any]", found), "peak": peak, "seed": seed}
    for name, kind in _PARTS.items():
        if name not in identity or not isinstance(identity[name], kind):
            raise ValueError(f"the {name} of its identity is {identity.get(name)!r:.40}")
    if identity["steps"] < 1 or isinstance(identity["steps"], bool):
        raise ValueError(f"the steps of its identity are {identity['steps']!r}")
    if not isinstance(peak, float) or not math.isfinite(peak) or not isinstance(seed, int):
        raise ValueError(f"its peak is {peak!r:.40} and its seed {seed!r:.40}")
    return identity


def insert_run(
    link: sqlite3.Connection, host: str, pid: int, versions: Mapping[str, str]
) -> int | None:
    """Write a run that begins now, and return its id."""
    now = time.time()
    return link.execute(
        "INSERT INTO runs (host, pid, begun, seen, versions) VALUES (?, ?, ?, ?, ?)",
        (host, pid, now, now, json.dumps(versions)),
    ).lastrowid


def insert_trial(
    link: sqlite3.Connection, trial: Trial, finished: FinishedTrial, now: float, run: int | None
) -> None:
    """Write a finished trial, unless the store already has it."""
    outcome = finished.outcome
    row = (
        outcome.diverged,
        outcome.validation,
        outcome.test,
        outcome.test_loss,
        _packed_curves(outcome),
        _packed_numbers(outcome),
        finished.seconds,
    )
    read_outcome(row)  # Anything that could not be read again is not written.
    link.execute(
        f"INSERT INTO trials (key, kind, peak, seed, {OUTCOME}, finished, run) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
        (*_keys(link, trial), *row, now, run),
    )
    link.execute("DELETE FROM failures WHERE key = ?", (trial.digest,))


def insert_failure(
    link: sqlite3.Connection, trial: Trial, failed: FailedTrial, now: float, run: int | None
) -> None:
    """Write a failed trial, unless the store already has it."""
    # A message may have surrogates, which no database can hold.
    texts = (text.encode("utf-8", "backslashreplace").decode() for text in failed)
    link.execute(
        "INSERT INTO failures (key, kind, peak, seed, reason, trace, finished, run) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
        (*_keys(link, trial), *texts, now, run),
    )


def insert_study(link: sqlite3.Connection, kind: str, content: Mapping[str, Any]) -> None:
    """Write a study as the last one; a study with the same content is moved to the end."""
    row = (kind, json.dumps(content, sort_keys=True))
    link.execute("DELETE FROM studies WHERE kind = ? AND content = ?", row)
    link.execute("INSERT INTO studies (kind, content) VALUES (?, ?)", row)


def _keys(link: sqlite3.Connection, trial: Trial) -> tuple[bytes, int, float, int]:
    """Return the columns that define a trial, writing the part that it shares with others."""
    identity = trial.identity()
    kind = {name: value for name, value in identity.items() if name not in _OWN}
    text = json.dumps(kind, sort_keys=True)
    link.execute("INSERT OR IGNORE INTO kinds (identity) VALUES (?)", (text,))
    (place,) = link.execute("SELECT id FROM kinds WHERE identity = ?", (text,)).fetchone()
    return trial.digest, place, identity["peak"], identity["seed"]
