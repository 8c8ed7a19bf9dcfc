"""Processes of this machine as workers."""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar, cast

from lehr.lab.engines.base import Workers, train_batch
from lehr.lab.engines.limit import END
from lehr.lab.resources import Resources
from lehr.lab.trial import FinishedTrial, Trial

_Answer = TypeVar("_Answer")
_Cluster = TypeVar("_Cluster")


@contextmanager
def processes(
    jobs: int,
    resources: Resources,
    notify: Callable[[str], object] = lambda _: None,
    devices: Sequence[str] = (),
) -> Generator[Workers]:
    """Start up to `jobs` processes as needed, and stop them at the end of the block.

    A process that does not stop within a second is killed, and `notify` is called with a line about
    it. Each process imports the main module again, so a script must guard its own work with
    `if __name__ == "__main__":`.
    """
    executor = Processes(jobs, devices)
    try:
        yield Workers(executor, lambda: jobs, partial(_train, resources))
    finally:
        executor.shutdown(cancel_futures=True)
        if executor.killed:
            workers = "1 worker" if executor.killed == 1 else f"{executor.killed} workers"
            notify(f"{workers} did not stop within {_GRACE:.0f} second, and had to be killed.")


class Processes(Executor):
    """Processes that can die without affecting each other: each is its own pool.

    In a single pool, a process that dies breaks the calls of all the others, and there is no
    telling which call was at fault.

    Attributes:
        killed: How many of them were killed in the middle of a call when they were stopped.
    """

    def __init__(self, count: int, devices: Sequence[str] = ()) -> None:
        self._devices = devices
        # A forked process would inherit torch's threads in an unknown state.
        self._context = multiprocessing.get_context("spawn")
        # A bare byte, read before every update. An event would have a lock, and a process killed
        # while holding it would block all the others.
        self._stop = self._context.RawValue(ctypes.c_bool, False)
        self._pools: list[ProcessPoolExecutor | None] = [None] * count
        # Whether each process has finished its imports: until then it has nothing to lose.
        self._ready = [self._context.RawValue(ctypes.c_bool, False) for _ in range(count)]
        self._submitted: list[list[Future[Any]]] = [[] for _ in range(count)]
        self._started: list[BaseProcess] = []
        self.killed = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit the call to the process with the fewest calls; replace a dead process."""
        for futures in self._submitted:
            futures[:] = [future for future in futures if not future.done()]
        place = min(range(len(self._pools)), key=lambda i: len(self._submitted[i]))
        before = set(multiprocessing.active_children())
        with interrupts_held():
            pool = self._pools[place] or self._start(place)
            try:
                future = pool.submit(_begin, fn, *args, **kwargs)
            except BrokenProcessPool:
                pool.shutdown()
                future = self._start(place).submit(_begin, fn, *args, **kwargs)
        # A pool starts its process when it gets its first call.
        self._started += set(multiprocessing.active_children()) - before
        self._submitted[place].append(future)
        return future

    def _start(self, place: int) -> ProcessPoolExecutor:
        device = self._devices[place] if self._devices else None
        ready = self._ready[place]
        ready.value = False
        pool = ProcessPoolExecutor(
            1, self._context, initializer=_start_worker, initargs=(self._stop, ready, device)
        )
        self._pools[place] = pool
        return pool

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes when they are idle, or at their next update if futures are cancelled.

        In the second case, a process whose update takes longer than a second is killed.
        """
        if not cancel_futures:
            for pool in self._pools:
                if pool is not None:
                    pool.shutdown(wait)
            return
        self._stop.value = True
        # Each call waits for its process; a process that hangs is killed in the meantime.
        ends = [
            threading.Thread(target=pool.shutdown, kwargs={"cancel_futures": True}, daemon=True)
            for pool in self._pools
            if pool is not None
        ]
        for end in ends:
            end.start()
        self._kill_late()
        for end in ends:
            end.join()

    def _kill_late(self) -> None:
        left = {process.sentinel: process for process in self._started}
        deadline = time.monotonic() + _GRACE
        while left and (seconds := deadline - time.monotonic()) > 0:
            for ended in wait(list(left), seconds):
                del left[cast("int", ended)]
        # An idle process loses nothing: on a busy machine it may just take long to end.
        busy = sum(
            ready.value and any(not future.done() for future in calls)
            for ready, calls in zip(self._ready, self._submitted, strict=True)
        )
        self.killed = min(busy, len(left))
        for process in left.values():
            process.kill()


@contextmanager
def interrupts_held() -> Generator[None]:
    """Block Ctrl-C for the duration of a block, and permanently in processes started in it.

    The terminal sends Ctrl-C to the workers too, but it is this process that stops them. A worker
    cannot ignore the signal by itself until it has started.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # The first process would start a tracker, which unblocks interrupts: start it before.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def started(
    start: Callable[[], _Cluster], stop: Callable[[_Cluster], object]
) -> Generator[_Cluster]:
    """Start a cluster whose processes do not receive Ctrl-C; stop it at the end of the block.

    It starts in its own thread, because this one must handle an interrupt at once. The start itself
    cannot be interrupted: the cluster is stopped once it has started.
    """

    def begin() -> _Cluster:
        with interrupts_held():
            return start()

    # The thread stays: Ray's processes end with the thread that started them.
    with ThreadPoolExecutor(1) as threads:
        future = threads.submit(begin)
        try:
            yield future.result()
        finally:
            if future.exception() is None:
                stop(future.result())


_GRACE = 1.0  # seconds for a process to end by itself

# Set in a worker at its start.
_stop: Any = None
_ready: Any = None
_device: str | None = None


def _start_worker(stop: Any, ready: Any, device: str | None) -> None:
    global _stop, _ready, _device
    _stop, _ready, _device = stop, ready, device
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The parent's output is reserved for results: what a task prints goes to stderr.
    sys.stdout = sys.stderr
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker when its parent dies; otherwise it would wait for work indefinitely."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        END(1)


def _begin(function: Callable[..., _Answer], /, *args: Any, **kwargs: Any) -> _Answer:
    """Call a function in a worker, which from then on has something to lose."""
    # Loads torch, which takes some seconds.
    import_module("lehr.lab.training.population")
    _ready.value = True
    return function(*args, **kwargs)


def _train(resources: Resources, trials: Sequence[Trial]) -> list[FinishedTrial]:
    if _device is not None:
        resources = resources._replace(device=_device)
    return train_batch(resources, trials, lambda: _stop.value)
