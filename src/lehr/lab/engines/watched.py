"""Trials of users' own trainings as processes of this machine."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue

from lehr.lab.engines.base import Workers
from lehr.lab.own.launch import train_own
from lehr.lab.resources import Resources
from lehr.lab.trial import FinishedTrial, Trial


@contextmanager
def watched(jobs: int, resources: Resources, devices: Sequence[str]) -> Generator[Workers]:
    """Run up to `jobs` trials at a time; at the end of the block, end those that are running.

    Each has a process of its own, for which a thread of this one waits, and the next free one of
    the devices; without any, all use that of `resources`.
    """
    stop = threading.Event()
    free: SimpleQueue[str] = SimpleQueue()
    for device in devices or [resources.device] * jobs:
        free.put(device)

    def train(trials: list[Trial]) -> list[FinishedTrial]:
        device = free.get()
        try:
            of_its_own = resources._replace(device=device)
            return [train_own(trial, of_its_own, stop.is_set) for trial in trials]
        finally:
            free.put(device)

    executor = ThreadPoolExecutor(jobs)
    try:
        yield Workers(executor, lambda: jobs, train)
    finally:
        stop.set()
        executor.shutdown(cancel_futures=True)
