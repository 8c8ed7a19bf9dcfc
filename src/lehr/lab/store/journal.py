"""The file of trials that lehr kept before it had a database: one line of JSON each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lehr.lab.store.database import StoreError
from lehr.lab.trial import Kept, Outcome

__all__ = ["read"]


def read(path: Path) -> list[tuple[dict[str, Any], Kept]]:
    """Return the identity of each trial in the file, with what came of it.

    The file is not changed. Half a line at its end is left out: the process that wrote it was
    killed, so its trial was not finished.

    Raises:
        StoreError: If any other line is not a trial.
    """
    content = path.read_bytes()
    lines = content[: content.rfind(b"\n") + 1].splitlines()
    found: list[tuple[dict[str, Any], Kept]] = []
    for number, line in enumerate(lines, start=1):
        try:
            record: dict[str, Any] = json.loads(line)
            identity = dict(record["trial"])
            identity |= {"peak": float(identity["peak"]), "seed": int(identity["seed"])}
            kept = Kept(Outcome.read(record["outcome"]), float(record["seconds"]))
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{path}, line {number} is not a trial ({error}): take the line out, or write "
                "to another folder"
            ) from error
        found.append((identity, kept))
    return found
