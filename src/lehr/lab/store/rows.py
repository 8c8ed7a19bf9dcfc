"""Finished trials for other programs: as rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from lehr.catalogue import ENTRIES
from lehr.lab.trial import digest, looks

if TYPE_CHECKING:
    from lehr.lab.store.store import Record

__all__ = ["COLUMNS", "row", "short"]

COLUMNS = (
    "key",
    "task",
    "optimizer",
    "schedule",
    "momentum",
    "steps",
    "peak",
    "seed",
    "format",
    "diverged",
    "validation",
    "test",
    "test_loss",
    "seconds",
    "finished",
)
"""The columns of a row, without the curves."""


def row(record: Record) -> dict[str, Any]:
    """A trial as one flat row in JSON's types, with its curves.

    The curves are `step` (updates made), `loss` (mean training loss since the step before; None
    once it diverged) and `accuracy` (score on the validation data).
    """
    identity, (outcome, seconds) = record.identity, record.kept
    found = {"key": digest(identity).hex()} | identity
    found |= outcome.record() | {"seconds": seconds, "finished": _time(record.finished)}
    curves = {"loss": list(outcome.loss), "accuracy": list(outcome.accuracy)}
    return {
        **{name: found[name] for name in COLUMNS},
        # What a trial of another kind has besides.
        **{name: value for name, value in identity.items() if name not in COLUMNS},
        "step": looks(identity["steps"]),
        **curves,
        "versions": record.versions,
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


@cache
def _names() -> Mapping[str, str]:
    return {repr(entry.example): name for name, entry in ENTRIES.items()}


def short(schedule: str) -> str:
    """The name under which the catalogue has this schedule, or, if it has not, its text.

    >>> import lehr
    >>> short(repr(lehr.find("cosine").example))
    'cosine'
    >>> short("cosine(to=0.123)")
    'cosine(to=0.123)'
    """
    return _names().get(schedule, schedule)
