"""Processes of this machine that train flights."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from typing import Any

from lehr.lab.engines.base import Crew, Means, fly
from lehr.lab.trial import Kept, Trial

__all__ = ["Processes", "interrupts_held", "processes"]


@contextmanager
def processes(jobs: int, means: Means) -> Generator[Crew]:
    """Start processes as they are needed, at most this many; stop them when the context ends.

    Each imports the main module afresh, so a script must keep what it does under
    `if __name__ == "__main__":`.
    """
    executor = Processes(jobs)
    try:
        yield Crew(executor, lambda: jobs, partial(_fly, means))
    finally:
        executor.shutdown(cancel_futures=True)


class Processes(Executor):
    """A pool whose processes die alone: each is a pool of its own.

    In one pool a process that dies takes the work of all the others with it, and nobody can say
    whose work it was.
    """

    def __init__(self, count: int) -> None:
        # A forked process would inherit torch's threads in an unknown state.
        self._context = multiprocessing.get_context("spawn")
        # A bare byte: a process that is killed while it holds the lock of an event, which all of
        # them ask before every update, would leave the others waiting for ever.
        self._stop = self._context.RawValue(ctypes.c_bool, False)
        self._pools: list[ProcessPoolExecutor | None] = [None] * count
        self._given: list[list[Future[Any]]] = [[] for _ in range(count)]

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Give the call to the process that has the least to do; a dead one is replaced."""
        for futures in self._given:
            futures[:] = [future for future in futures if not future.done()]
        place = min(range(len(self._pools)), key=lambda i: len(self._given[i]))
        with interrupts_held():
            pool = self._pools[place] or self._begin(place)
            try:
                future = pool.submit(fn, *args, **kwargs)
            except BrokenProcessPool:
                pool.shutdown()
                future = self._begin(place).submit(fn, *args, **kwargs)
        self._given[place].append(future)
        return future

    def _begin(self, place: int) -> ProcessPoolExecutor:
        pool = ProcessPoolExecutor(1, self._context, initializer=_begin, initargs=(self._stop,))
        self._pools[place] = pool
        return pool

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the processes end: now, if the futures are cancelled, else after their work."""
        if cancel_futures:
            self._stop.value = True
        for pool in self._pools:
            if pool is not None:
                pool.shutdown(wait, cancel_futures=cancel_futures)


@contextmanager
def interrupts_held() -> Generator[None]:
    """Hold Ctrl-C back meanwhile, and for ever in a process that is started meanwhile.

    The terminal sends Ctrl-C to the workers too, but it is this process that stops them. A worker
    cannot ignore it by itself before it has started.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # A first process brings up a tracker, and that would let interrupts through again.
    from multiprocessing import resource_tracker  # there is none where there are no such signals

    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# Set in a worker when it begins.
_stop: Any = None


def _begin(stop: Any) -> None:
    global _stop
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker would wait for work for ever if its parent were killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _fly(means: Means, trials: Sequence[Trial]) -> list[Kept]:
    return fly(means, trials, lambda: _stop.value)
