"""Finished trials for other programs, as rows and as a data frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from lehr.catalogue import ENTRIES
from lehr.extras import needs
from lehr.lab.store.store import Record, Store
from lehr.lab.trial import digest, evaluation_steps

if TYPE_CHECKING:
    from pandas import DataFrame


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
    """Return a trial as one flat row in JSON's types, with its curves.

    The curves are `step` (updates made), `loss` (mean training loss since the step before; None
    once it diverged) and `validations` (the metric on the validation data).
    """
    identity, outcome = record.identity, asdict(record.outcome)
    finished = datetime.fromtimestamp(record.finished, UTC).isoformat()
    found = {"key": digest(identity).hex()} | identity | outcome
    found |= {"seconds": record.seconds, "finished": finished}
    return {
        **{name: found[name] for name in COLUMNS},
        # Additional parts of the identity, for other kinds of trials.
        **{name: value for name, value in identity.items() if name not in COLUMNS},
        "step": evaluation_steps(identity["steps"]),
        "loss": list(outcome["loss"]),
        "validations": list(outcome["validations"]),
        "numbers": outcome["numbers"],
        "versions": record.versions,
    }


def frame(store: Store) -> DataFrame:
    """Return all finished trials as a pandas data frame, a row for each.

    Its columns are those of `lehr results --csv`, and the curves, a list in a cell: `step`
    (updates made), `loss` (mean training loss since the step before) and `validations` (the metric
    on the validation data); and `numbers`, the additional numbers by name.

    Raises:
        MissingExtra: If pandas is not installed.
    """
    with needs("frame()", "pandas", "pandas"):
        from pandas import DataFrame
    columns = (*COLUMNS, "step", "loss", "validations", "numbers")
    return DataFrame(
        [{name: found[name] for name in columns} for found in map(row, store.records())],
        columns=list(columns),
    )


@cache
def _names() -> Mapping[str, str]:
    return {repr(entry.example): name for name, entry in ENTRIES.items()}


def short(schedule: str) -> str:
    """Return the catalogue's name for the text of a schedule, or the text if it has none.

    Example:
        >>> from lehr.catalogue import find_entry
        >>> short(repr(find_entry("cosine").example))
        'cosine'
        >>> short("cosine(to=0.123)")
        'cosine(to=0.123)'
    """
    return _names().get(schedule, schedule)
