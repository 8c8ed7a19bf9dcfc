"""Comparison by training: which schedule, peak rate and optimizer belong together.

A `Plan` says what to train; `compare` trains it and returns the `Results`.
"""

from lehr.lab.comparison import compare, stored_results
from lehr.lab.errors import EngineError, StoreError, TaskError, WorkerError
from lehr.lab.find_peak import find_peak
from lehr.lab.metric import Metric
from lehr.lab.outlook import sized, within
from lehr.lab.own.running import RunningTrial, current_trial
from lehr.lab.place import RunPlace
from lehr.lab.plan import FULL, QUICK, Pair, Plan, Size
from lehr.lab.results import Results
from lehr.lab.store.rows import frame
from lehr.lab.store.store import Record, Store
from lehr.lab.study import Progress
from lehr.lab.tasks.base import Data, Split, Task

__all__ = [
    "FULL",
    "QUICK",
    "Data",
    "EngineError",
    "Metric",
    "Pair",
    "Plan",
    "Progress",
    "Record",
    "Results",
    "RunPlace",
    "RunningTrial",
    "Size",
    "Split",
    "Store",
    "StoreError",
    "Task",
    "TaskError",
    "WorkerError",
    "compare",
    "current_trial",
    "find_peak",
    "frame",
    "sized",
    "stored_results",
    "within",
]
