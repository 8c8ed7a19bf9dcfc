"""The learning curves of a user's own training, from what it reports during the run."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from lehr.files import write_whole
from lehr.lab.own.returned import finite, plain_content
from lehr.lab.trial import evaluation_steps

CURVE = "curve.json"
"""The file in a trial's folder with the reports."""


class LossCurve:
    """Reports, merged into as many points as the curves of other trials have.

    They are kept in a file, so that a resumed trial continues its curve. If it reports a step
    again, the new report replaces the old one.
    """

    def __init__(self, steps: int, file: Path) -> None:
        self._ends, self._file = evaluation_steps(steps), file
        self._points: list[tuple[float | None, float | None]] = read_curve(file, steps)
        self._at = -1
        self._sum, self._count = 0.0, 0

    def add(self, step: int, loss: float | None, value: float | None) -> None:
        """Add a report after update number `step`."""
        at = bisect_left(self._ends, step)
        if at != self._at:
            if self._at >= 0:
                self.save()
            self._at, self._sum, self._count = at, 0.0, 0
            self._points[at:] = [(None, None)] * (len(self._ends) - at)
        mean, last = self._points[at]
        if loss is not None:
            self._sum, self._count = self._sum + loss, self._count + 1
            mean = self._sum / self._count
        self._points[at] = mean, last if value is None else value

    def save(self) -> None:
        """Write the file."""
        rows = [[finite(mean), finite(value)] for mean, value in self._points]
        write_whole(self._file, json.dumps(rows))


def read_curve(file: Path, steps: int) -> list[tuple[float | None, float | None]]:
    """Return the mean training loss and the last validation number at each point of a curve.

    A point without a report, and every point of a file that cannot be read, has None.
    """
    empty: list[tuple[float | None, float | None]] = [(None, None)] * len(evaluation_steps(steps))
    try:
        rows = json.loads(plain_content(file))
    except (OSError, ValueError, RecursionError):
        return empty
    if not isinstance(rows, list) or len(cast("list[Any]", rows)) != len(empty):
        return empty
    found = [_row(row) for row in cast("list[Any]", rows)]
    return empty if None in found else [row for row in found if row is not None]


def _row(row: object) -> tuple[float | None, float | None] | None:
    if not isinstance(row, list) or len(cast("list[Any]", row)) != 2:
        return None
    loss, value = cast("Sequence[Any]", row)
    if any(type(number) not in (float, type(None)) for number in (loss, value)):
        return None
    return finite(loss), finite(value)
