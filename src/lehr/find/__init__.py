"""The peak rate for a schedule: the search without the training, and the classic rules."""

from lehr.find.ladder import BATCHES, Ladder
from lehr.find.runs import BUDGET, ShortRun, squeezed, updates_of
from lehr.find.suggestion import MeasuredRun, Suggestion
from lehr.find.sweep import RULES, Sweep

__all__ = [
    "BATCHES",
    "BUDGET",
    "RULES",
    "Ladder",
    "MeasuredRun",
    "ShortRun",
    "Suggestion",
    "Sweep",
    "squeezed",
    "updates_of",
]
