"""Comparison by training: which schedule, peak rate and optimizer belong together.

A `Plan` says what to train; `compare` trains it and returns the `Results`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lehr.lab.comparison import compare, stored_results
    from lehr.lab.errors import EngineError, StoreError, TaskError, WorkerError
    from lehr.lab.ladder_search import find_peak
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
    from lehr.lab.value_search import find_peaks

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
    "find_peaks",
    "frame",
    "sized",
    "stored_results",
    "within",
]

# Names are loaded on first use: each trial of a user's own training is a process that needs only
# two of them.
_NAMES = {
    "comparison": "compare stored_results",
    "errors": "EngineError StoreError TaskError WorkerError",
    "ladder_search": "find_peak",
    "metric": "Metric",
    "outlook": "sized within",
    "own.running": "RunningTrial current_trial",
    "place": "RunPlace",
    "plan": "FULL QUICK Pair Plan Size",
    "results": "Results",
    "store.rows": "frame",
    "store.store": "Record Store",
    "study": "Progress",
    "tasks.base": "Data Split Task",
    "value_search": "find_peaks",
}


def __getattr__(name: str) -> Any:
    for module, names in _NAMES.items():
        if name in names.split():
            return getattr(import_module(f"lehr.lab.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
