"""Pools of workers that train batches of trials: in this process, in others, or on a cluster.

Each pool is a `concurrent.futures.Executor`. The unit of work is a batch: trials of one kind that
one worker trains side by side.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar, cast

from lehr.errors import ScheduleError
from lehr.lab.engines.limit import within
from lehr.lab.errors import (
    EngineError,
    StoppedError,
    TaskError,
    TrialError,
    WorkerError,
    describe,
)
from lehr.lab.own.naming import is_own
from lehr.lab.python_source import exits_raise
from lehr.lab.resources import Resources, check_name
from lehr.lab.tasks.registry import add_files
from lehr.lab.trial import Ended, FailedTrial, FinishedTrial, Trial
from lehr.lab.versions import LEHR

_Answer = TypeVar("_Answer")

_MOST = 10_000  # jobs
_TRIES = 3
_FRESH = 2.0  # seconds until the workers of a cluster are counted again

ENGINES = ("population", "processes", "dask", "dask://HOST:PORT", "ray", "ray://HOST:PORT")
"""The names of the engines."""

UNBOUNDED = Resources()

# These concern the request or this machine; no trial is the cause.
_OWN_ERRORS = (EngineError, ScheduleError, StoppedError, TaskError, WorkerError)

_LOOK = 2.0  # seconds between two calls of `watch` while batches are in training


@dataclass(frozen=True)
class Workers:
    """A pool of workers.

    Attributes:
        executor: Runs `train` on a batch.
        capacity: How many batches to submit at a time, at least 1.
        train: The function that the executor runs to train a batch.
        lost: The errors of a batch whose worker died.
    """

    executor: Executor
    capacity: Callable[[], int]
    train: Callable[[list[Trial]], list[FinishedTrial]]
    lost: tuple[type[Exception], ...] = (BrokenExecutor,)


def open_workers(
    engine: str | Executor | None,
    jobs: int,
    resources: Resources = UNBOUNDED,
    notify: Callable[[str], object] = lambda _: None,
    *,
    own: bool = False,
    devices: Sequence[str] = (),
) -> AbstractContextManager[Workers]:
    """Start workers for the duration of a block, and stop them at its end.

    Arguments:
        engine: One of `ENGINES`, or your own executor, whose workers can import lehr. None means
            this process for one job, and processes for more.
        jobs: How many batches are trained at a time, at least 1. A running cluster has its own
            number.
        resources: What training may use. Workers on this machine share the memory; on a running
            cluster each worker may use all of it.
        notify: Called with one line if workers of this machine had to be killed at the end.
        own: Whether this is a user's own training, each trial of which is a process anyway.
        devices: A device for each job, if they differ.

    Raises:
        EngineError: If the engine is unknown, there are too many jobs for it, or the engine cannot
            keep a time limit or give each job a device.
        WorkerError: If the engine cannot be started.
    """
    if not 1 <= jobs <= _MOST:
        raise EngineError(f"jobs={str(jobs)[:40]} must be from 1 to {_MOST:,}")
    if not all(map(str.strip, devices)):
        raise EngineError(f"devices={devices!r:.80} has an empty name: write cpu or cuda:0")
    if own and resources.memory is not None:
        raise EngineError(
            f"memory={resources.memory} cannot be enforced on your own training: leave it out"
        )
    if isinstance(engine, Executor):
        return nullcontext(_workers_of(engine, jobs, resources.shared(jobs)))
    name = engine
    if name is None:
        simple = jobs == 1 and resources.timeout is None and not devices
        name = "population" if simple else "processes"
    if devices and name != "processes":
        raise EngineError(f"devices={devices!r} needs engine='processes', not {name!r}")
    if own and name in ("population", "processes"):
        return _own_processes(jobs, resources, devices or [resources.device] * jobs)
    if name == "population":
        if jobs > 1:
            raise EngineError(
                f"jobs={jobs} cannot run in one process, as engine='population' does: write "
                "engine='processes', or jobs=1"
            )
        if resources.timeout is not None:
            raise EngineError(
                f"timeout={resources.timeout:g} cannot be enforced by engine='population', "
                "which runs in this process: write engine='processes'"
            )
        return nullcontext(_workers_of(_ThisProcess(), 1, resources))
    if name == "processes":
        from lehr.lab.engines.processes import processes  # Loads multiprocessing.

        for device in devices:
            check_name(device)
        return processes(jobs, resources.shared(jobs), notify, devices)
    kind, _, address = name.partition("://")
    each = resources if address else resources.shared(jobs)
    if kind == "dask":
        from lehr.lab.engines.dask_cluster import dask_cluster  # Loads multiprocessing.

        return dask_cluster(address, jobs, each)
    if kind == "ray":
        from lehr.lab.engines.ray_cluster import ray_cluster  # Loads multiprocessing.

        return ray_cluster(address, jobs, each)
    raise EngineError(f"engine={engine!r} is not known: write {', '.join(ENGINES)}")


class _ThisProcess(Executor):
    """Runs each call at once, in the calling thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def _workers_of(executor: Executor, jobs: int, resources: Resources) -> Workers:
    return Workers(executor, lambda: jobs, partial(train_batch, resources))


@contextmanager
def _own_processes(jobs: int, resources: Resources, devices: Sequence[str]) -> Generator[Workers]:
    """Run trials of users' own trainings, one per device; stop them at the end of the block.

    Each has its own process, and a thread of this one waits for it.
    """
    stop = threading.Event()
    free: SimpleQueue[str] = SimpleQueue()
    for device in devices:
        free.put(device)

    def train(trials: list[Trial]) -> list[FinishedTrial]:
        device = free.get()
        try:
            return train_batch(resources._replace(device=device), trials, stop.is_set)
        finally:
            free.put(device)

    executor = ThreadPoolExecutor(jobs)
    try:
        yield Workers(executor, lambda: jobs, train)
    finally:
        stop.set()
        executor.shutdown(cancel_futures=True)


def train_batch(
    resources: Resources, trials: Sequence[Trial], stopped: Callable[[], bool] = lambda: False
) -> list[FinishedTrial]:
    """Train a batch in this process, until its end or until `stopped` returns True.

    Any error in the task's code becomes a TrialError; a single trial may be the cause.
    """
    if is_own(trials[0].task):
        from lehr.lab.own.launch import train_own  # Loads subprocess.

        return [train_own(trial, resources, stopped) for trial in trials]
    if resources.timeout is None:
        return _train_task(resources, trials, stopped)
    limit = resources.timeout * len(trials)
    return within(limit, partial(_train_task, resources, trials, stopped))


def _train_task(
    resources: Resources, trials: Sequence[Trial], stopped: Callable[[], bool]
) -> list[FinishedTrial]:
    from lehr.lab.training.population import train_population  # Loads torch.

    add_files(resources.files)
    begun = time.process_time()
    try:
        with exits_raise():
            outcomes = train_population(
                trials, stopped, memory=resources.memory, device=resources.device
            )
    except (KeyboardInterrupt, ImportError, *_OWN_ERRORS):
        raise
    # A task's code may raise anything, even SystemExit.
    except BaseException as error:
        raise TrialError(describe(error), "".join(traceback.format_exception(error))) from None
    seconds = (time.process_time() - begun) / len(outcomes)
    return [FinishedTrial(outcome, seconds) for outcome in outcomes]


def check_version(wanted: str) -> None:
    """Raise WorkerError unless this worker has that version of lehr; outcomes might differ."""
    if wanted != LEHR:
        raise WorkerError(f"a worker has lehr {LEHR}, and this is {wanted}: install one")


def with_spare(count: Callable[[], float]) -> Callable[[], int]:
    """Return a capacity of twice the workers, so that none waits for its next batch."""
    counted, capacity = -_FRESH, 1

    def twice() -> int:
        nonlocal counted, capacity
        if time.monotonic() - counted >= _FRESH:
            workers = int(count())
            counted, capacity = time.monotonic(), max(1, 2 * workers)
        return capacity

    return twice


def call_each(
    function: Callable[..., _Answer], arguments: Sequence[tuple[Any, ...]], workers: Workers
) -> list[_Answer]:
    """Call a function on the workers, once for each tuple of arguments, and return the results."""
    futures = [workers.executor.submit(function, *each) for each in arguments]
    answers: list[_Answer] = []
    for each, future in zip(arguments, futures, strict=True):
        for _ in range(_TRIES):
            ended, answer = _result(future, workers)
            if ended:
                answers.append(answer)
                break
            future = workers.executor.submit(function, *each)
        else:
            what = ", ".join(str(part) for part in each)
            raise WorkerError(f"{_TRIES} workers died before they trained anything ({what})")
    return answers


class _Job(NamedTuple):
    """A batch, and how many workers have died while training it."""

    batch: list[Trial]
    deaths: int = 0

    def halves(self) -> list[_Job]:
        """Return the two halves of the batch, as jobs."""
        half = len(self.batch) // 2
        return [_Job(part, self.deaths) for part in (self.batch[:half], self.batch[half:])]

    def retries(self) -> list[_Job]:
        """Return the jobs to submit after a worker died on this one; none if it is to blame.

        The first death may have any cause. After that the batch itself is suspected, most likely
        its memory, and it is halved until the trial that causes it is alone.
        """
        deaths = self.deaths + 1
        if not self.deaths:
            return [_Job(self.batch, deaths)]
        return [] if len(self.batch) == 1 else self._replace(deaths=deaths).halves()

    @property
    def failure(self) -> FailedTrial:
        """The failure of a single trial on which workers die."""
        reason = (
            f"{self.deaths + 1} workers died while they trained it: were they out of memory, or "
            "does the task end its process?"
        )
        return FailedTrial(reason, reason)


def train_batches(
    take: Callable[[], list[Trial]],
    workers: Workers,
    watch: Callable[[], object] = lambda: None,
) -> Generator[tuple[list[Trial], Sequence[Ended]]]:
    """Train batches until none are left.

    A worker that dies costs only time: its batch is trained again, and after another death in
    parts. A batch in which the task's code fails is halved until the trials that cause it are
    alone. A single trial that fails, or on which workers die again, is a failed trial.

    Arguments:
        take: Returns the next batch for a worker, or an empty one if there is none at the moment;
            it is called again when another batch has ended.
        workers: The pool to train on.
        watch: Called every few seconds while batches are in training; if it raises, training ends.

    Yields:
        Each batch or part of a batch as it ends, with how each of its trials ended, in order.

    Raises:
        WorkerError: If workers cannot work at all.
    """
    submitted: dict[Future[list[FinishedTrial]], _Job] = {}
    retries: deque[_Job] = deque()
    while True:
        while len(submitted) < workers.capacity():
            job = retries.popleft() if retries else _Job(take())
            if not job.batch:
                break
            submitted[workers.executor.submit(workers.train, job.batch)] = job
        if not submitted:
            return
        done, _ = wait(submitted, _LOOK, return_when=FIRST_COMPLETED)
        watch()
        for future in done:
            job = submitted.pop(future)
            try:
                ended, finished = _result(future, workers)
            except TrialError as error:
                if len(job.batch) == 1:
                    yield job.batch, [FailedTrial(error.reason, error.trace)]
                else:
                    retries.extendleft(reversed(job.halves()))
                continue
            if ended:
                yield job.batch, finished
            else:
                # In front, so that a trial that kills workers is found early.
                again = job.retries()
                retries.extendleft(reversed(again))
                if not again:
                    yield job.batch, [job.failure]


def _result(future: Future[_Answer], workers: Workers) -> tuple[bool, _Answer]:
    """Return whether a call ended, and its result; it has not if its worker died."""
    try:
        return True, future.result()
    except workers.lost:
        return False, cast(_Answer, None)
    except CancelledError as error:
        raise WorkerError(
            "the scheduler returned the work unfinished: is it still running?"
        ) from error
    except ImportError as error:
        raise WorkerError(
            f"a worker cannot import what it needs ({error}): install it where the workers are"
        ) from error
