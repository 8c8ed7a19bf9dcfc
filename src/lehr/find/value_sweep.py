"""The peak rate for each value of another number: momentum, weight decay, batch size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from lehr.find.longer import is_gain, least_gain
from lehr.find.suggestion import Suggestion

TRIES = 3
"""The number of short runs at each value's suggestion, by which values are compared."""

_LONGEST = 40  # updates


def tried_updates(found: Suggestion) -> int:
    """Return the number of updates of the short runs that compare a value with others."""
    return max(run.updates for run in found.curve if run.updates <= _LONGEST)


@dataclass(frozen=True)
class SweptValue:
    """A value, and the result for it.

    Attributes:
        value: The value, as text.
        found: The suggestion; its `spent` includes the runs that give the losses.
        losses: The training losses at the end of short runs at the suggested peak, one for each set
            of batches; infinite if a run broke, empty without a suggestion.
    """

    value: str
    found: Suggestion
    losses: tuple[float, ...]

    @property
    def loss(self) -> float | None:
        """The mean of the losses; None if there are none, or one is not finite."""
        mean = fmean(self.losses) if self.losses else math.inf
        return mean if math.isfinite(mean) else None


@dataclass(frozen=True)
class ValueSweep:
    """A sweep over the values of a number.

    Attributes:
        name: The name of the number.
        rows: The values, in the order in which they were given.
    """

    name: str
    rows: tuple[SweptValue, ...]

    @property
    def spent(self) -> int:
        """The number of updates of all searches."""
        return sum(row.found.spent for row in self.rows)

    @property
    def leading(self) -> tuple[str, ...]:
        """The value with the lowest loss, and those that the runs cannot distinguish from it."""
        known = [row for row in self.rows if row.loss is not None]
        if not known:
            return ()
        best = min(known, key=lambda row: fmean(row.losses))
        return (best.value, *(row.value for row in known if row is not best and _near(row, best)))

    @property
    def notes(self) -> tuple[str, ...]:
        """The limits of these numbers, one sentence each."""
        updates = {tried_updates(row.found) for row in self.rows if row.losses}
        if not updates:
            return ()
        notes = [
            f"a loss is that of {TRIES} runs of {max(updates)} updates at the value's own peak: it "
            "shows how fast training begins, not where a whole run ends"
        ]
        if "decay" in self.name:
            notes.append(
                "a weight decay acts over whole runs and on new data, which these do not show: "
                "only the peaks count"
            )
        if self.name == "batch":
            notes.append(
                "all runs have the same number of updates, so larger batches have seen more samples"
            )
            if len({row.found.start_loss for row in self.rows}) == 1 and len(self.rows) > 1:
                notes.append("all batch sizes have the same losses: the size seems to be ignored")
        return tuple(notes)

    def to_dict(self) -> dict[str, Any]:
        """Return everything in JSON's types."""
        return {
            "name": self.name,
            "values": [
                {"value": row.value, "loss": row.loss} | row.found.to_dict() for row in self.rows
            ],
            "leading": list(self.leading),
            "notes": list(self.notes),
            "spent": self.spent,
        }

    def __str__(self) -> str:
        table = [(self.name, "peak", "loss", "spent")]
        table += [
            (
                row.value,
                "none" if row.found.peak is None else f"{row.found.peak:.2g}",
                "none" if row.loss is None else f"{row.loss:.4g}",
                f"{row.found.spent:,}",
            )
            for row in self.rows
        ]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        ]
        lines.append("")
        if self.leading:
            best, *others = self.leading
            lines.append(f"lowest loss  {self.name}={best}")
            if others:
                lines.append(f"not told apart from it  {', '.join(others)}")
        lines += [f"note         {note}" for note in self.notes]
        lines += [
            f"warning      {self.name}={row.value}: {text}"
            for row in self.rows
            for text in row.found.warnings
        ]
        return "\n".join(lines)


def _near(row: SweptValue, best: SweptValue) -> bool:
    """Return whether the runs cannot distinguish a value from the best one."""
    gaps = [a - b for a, b in zip(row.losses, best.losses, strict=True)]
    return not is_gain(gaps, least_gain(best.found.start_loss, fmean(best.losses)))
