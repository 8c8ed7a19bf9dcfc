"""The peak rate for a schedule: the search without the training, and the classic rules."""

from lehr.find.ladder import BATCHES, BUDGET, Ladder, ShortRun, squeezed
from lehr.find.suggestion import MeasuredRun, Suggestion

__all__ = [
    "BATCHES",
    "BUDGET",
    "Ladder",
    "MeasuredRun",
    "ShortRun",
    "Suggestion",
    "squeezed",
]
