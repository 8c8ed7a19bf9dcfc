"""Where trials are run: here, or in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from typing import Any

from lehr.lab.plan import Flight
from lehr.lab.trial import Kept

__all__ = ["WorkerError", "run"]


class WorkerError(RuntimeError):
    """A worker process ended before its work did."""


def run(take: Callable[[], Flight | None], jobs: int) -> Generator[tuple[Flight, list[Kept]]]:
    """Train what there is to train.

    Leaving the iterator early (`contextlib.closing`) stops the training that is under way.

    Arguments:
        take: Gives what to train next; None where there is nothing now. It is asked again when
            a flight has ended.
        jobs: How many flights are trained at a time, at least 1. With 1 this process trains them
            itself; else it starts that many, and each imports the main module afresh, so a script
            must keep what it does under `if __name__ == "__main__":`.

    Yields:
        Each flight as it ends, with what came of its trials, in their order.

    Raises:
        WorkerError: If a process was killed.
    """
    with _executor(jobs) as executor:
        flying: dict[Future[list[Kept]], Flight] = {}
        while True:
            while len(flying) < jobs and (flight := take()):
                with _interrupts_held():
                    flying[executor.submit(_fly, flight)] = flight
            if not flying:
                return
            done, _ = wait(flying, return_when=FIRST_COMPLETED)
            for future in done:
                try:
                    kept = future.result()
                except BrokenProcessPool as error:
                    raise WorkerError("a worker process died: was it out of memory?") from error
                yield flying.pop(future), kept


class _Here(Executor):
    """Runs a call when it is submitted, in this thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@contextmanager
def _executor(jobs: int) -> Generator[Executor]:
    if jobs == 1:
        yield _Here()
        return
    # A forked process would inherit torch's threads in an unknown state.
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(jobs, context, initializer=_begin, initargs=(stop,))
    try:
        yield pool
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupts_held() -> Generator[None]:
    """Hold Ctrl-C back meanwhile, and for ever in a process that is started meanwhile.

    The terminal sends Ctrl-C to the workers too, but it is this process that stops them. A worker
    cannot ignore it by itself before it has started.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# Set in a worker when it begins; in any other process nothing but Ctrl-C stops the training.
_stop: Event | None = None


def _begin(stop: Event) -> None:
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


def _fly(flight: Flight) -> list[Kept]:
    # Here, because a process that only hands out work has no use for torch.
    from lehr.lab import population

    begun = time.process_time()
    outcomes = population.run(flight.trials, _stop.is_set if _stop else lambda: False)
    seconds = (time.process_time() - begun) / len(outcomes)
    return [Kept(outcome, seconds) for outcome in outcomes]
