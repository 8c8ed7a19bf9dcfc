"""The pairs of a comparison without what depends on the machine."""

from __future__ import annotations

from dataclasses import replace

from lehr.lab import Results
from lehr.lab.analysis.pair_result import PairResult

__all__ = ["untimed"]


def untimed(results: Results) -> list[PairResult]:
    """Return the pairs without the time that they took."""
    return [replace(pair, seconds=0.0) for pair in results.pairs]
