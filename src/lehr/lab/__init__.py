"""Comparing by training: which schedule, which peak rate and which optimizer go together.

A `Plan` says what to train; `compare` trains it and gives the results.
"""

from lehr.lab.comparison import Progress, compare
from lehr.lab.engines.base import EngineError, WorkerError
from lehr.lab.plan import FULL, QUICK, Pair, Plan, Size
from lehr.lab.store.store import Record, Store, StoreError
from lehr.lab.tasks.base import Data, Split, Task, TaskError

__all__ = [
    "FULL",
    "Data",
    "QUICK",
    "EngineError",
    "Pair",
    "Plan",
    "Progress",
    "Record",
    "Size",
    "Split",
    "Store",
    "StoreError",
    "Task",
    "TaskError",
    "WorkerError",
    "compare",
]
