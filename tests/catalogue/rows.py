"""The table that the rows of the catalogue are written into, and what they are written with.

Formulas are computed to 50 digits: ``t`` is the step, ``p`` the share of the run or of a phase.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mpmath
from mpmath import mpf

from lehr import Schedule

__all__ = ["NAMED", "ROWS", "Exact", "Row", "T", "half_cosine", "mix", "over_run", "row", "share"]

mpmath.mp.dps = 50

Exact = Callable[[int], mpf]


@dataclass(frozen=True)
class Row:
    """One expression of a row, with the formula that it must follow."""

    number: int
    schedule: Schedule
    exact: Exact
    peak: float
    steps: Sequence[int]


ROWS: list[Row] = []
NAMED: dict[int, set[str]] = {}


def row(
    number: int,
    names: str,
    schedule: Schedule,
    exact: Exact,
    *,
    last: int = 130,
    peak: float = 1.0,
) -> None:
    """Add an expression to the table; ``names`` are the entries that it shows to be right."""
    stride = max(1, last // 90)
    steps = sorted({*range(0, last + 1, stride), *range(max(0, last - 5), last + 1)})
    ROWS.append(Row(number, schedule, exact, peak, steps))
    NAMED.setdefault(number, set()).update(names.split())


def mix(a: float, b: float, rise: mpf) -> mpf:
    """Return the level a share of the way from one to another."""
    return mpf(a) + (mpf(b) - mpf(a)) * rise


def share(t: int, start: int, length: int) -> mpf:
    return min(max(mpf(t - start) / length, mpf(0)), mpf(1))


def half_cosine(p: mpf) -> mpf:
    return (1 + mpmath.cos(mpmath.pi * p)) / 2


T = 100


def over_run(fall: Callable[[mpf], mpf], to: float = 0.0, start: float = 1.0) -> Exact:
    """From ``start`` to ``to`` over T steps, where ``fall`` goes from 1 to 0."""
    return lambda t: mix(to, start, fall(share(t, 0, T)))
