"""Comparison by training: which schedule, peak rate and optimizer belong together.

A `Plan` says what to train; `compare` trains it and returns the `Results`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lehr.lab.analysis.pair_result import PairResult
    from lehr.lab.analysis.results import Results
    from lehr.lab.analysis.statistics import Interval, interval
    from lehr.lab.comparison import compare, stored_results
    from lehr.lab.errors import EngineError, StoreError, TaskError, WorkerError
    from lehr.lab.metric import Metric
    from lehr.lab.outlook import sized, within
    from lehr.lab.own.running import RunningTrial, current_trial
    from lehr.lab.place import RunPlace
    from lehr.lab.plan import FULL, QUICK, Pair, Plan, Size
    from lehr.lab.search.ladder import find_peak
    from lehr.lab.search.values import find_peaks
    from lehr.lab.store.rows import frame
    from lehr.lab.store.store import Record, Store
    from lehr.lab.study import Progress
    from lehr.lab.tasks.base import Data, Split, Task

__all__ = [
    "FULL",
    "QUICK",
    "Data",
    "EngineError",
    "Interval",
    "Metric",
    "Pair",
    "PairResult",
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
    "interval",
    "sized",
    "stored_results",
    "within",
]

# Names are loaded on first use: each trial of a user's own training is a process that needs only
# two of them.
_NAMES = {
    "analysis.pair_result": "PairResult",
    "analysis.results": "Results",
    "analysis.statistics": "Interval interval",
    "comparison": "compare stored_results",
    "errors": "EngineError StoreError TaskError WorkerError",
    "metric": "Metric",
    "outlook": "sized within",
    "own.running": "RunningTrial current_trial",
    "place": "RunPlace",
    "plan": "FULL QUICK Pair Plan Size",
    "search.ladder": "find_peak",
    "search.values": "find_peaks",
    "store.rows": "frame",
    "store.store": "Record Store",
    "study": "Progress",
    "tasks.base": "Data Split Task",
}


def __getattr__(name: str) -> Any:
    for module, names in _NAMES.items():
        if name in names.split():
            return getattr(import_module(f"lehr.lab.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
