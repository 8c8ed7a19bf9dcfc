"""Workers of a Dask cluster, on this machine or on many."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

from lehr.extras import install
from lehr.lab.engines.base import Workers, check_version, train_batch, with_spare
from lehr.lab.engines.processes import started
from lehr.lab.errors import WorkerError
from lehr.lab.resources import Resources
from lehr.lab.trial import FinishedTrial, Trial
from lehr.lab.versions import LEHR

if TYPE_CHECKING:
    from distributed import Client, LocalCluster


_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has no SIGKILL

_PATIENCE = 30  # seconds to wait for a scheduler to answer and for a worker to join

# The cluster is for this process only: it listens on the loopback interface, and its web servers,
# which Dask always starts, have no pages. A death is reported at once, so that the batch is cut.
_EMBEDDED = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}


@contextmanager
def dask_cluster(address: str, jobs: int, resources: Resources) -> Generator[Workers]:
    """Connect to the Dask workers at `address` (`host:port` of a scheduler) for a block.

    Without an address, a cluster of `jobs` workers runs on this machine until the block ends.
    """
    if find_spec("distributed") is None:
        raise WorkerError(f"engine='dask' needs Dask: {install('dask')}")
    from distributed import KilledWorker

    with _running(address) if address else _started(jobs) as client:
        capacity = with_spare(lambda: _threads(client)) if address else lambda: jobs
        # Not pure: Dask would merge equal calls, but a batch may be submitted again.
        executor = client.get_executor(pure=False)
        try:
            yield Workers(executor, capacity, partial(_train, LEHR, resources), (KilledWorker,))
        finally:
            executor.shutdown(wait=False)


@contextmanager
def _started(jobs: int) -> Generator[Client]:
    import dask.config
    from distributed import Client, LocalCluster

    with TemporaryDirectory(prefix="lehr-dask-") as folder, dask.config.set(_EMBEDDED):
        start = partial(
            LocalCluster,
            n_workers=jobs,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            local_directory=folder,
            silence_logs=logging.CRITICAL,
        )
        with started(start, _stop) as own, Client(own) as client:
            yield client


def _stop(own: LocalCluster) -> None:
    # Dask waits four seconds even for idle workers, and does not interrupt a call.
    for nanny in own.workers.values():
        nanny.auto_restart = False
        if nanny.pid is not None:
            os.kill(nanny.pid, _KILL)
    own.close()


@contextmanager
def _running(address: str) -> Generator[Client]:
    import dask.config
    from distributed import Client

    protocol = "tls" if dask.config.get("distributed.comm.require-encryption") else "tcp"
    try:
        client = Client(f"{protocol}://{address}", timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        raise WorkerError(
            f"no Dask scheduler answers at {address!r} ({error}): start one with `dask scheduler`, "
            "or write engine='dask' for one of this machine"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_PATIENCE)
        except TimeoutError as error:
            raise WorkerError(
                f"the Dask scheduler at {address} has no workers: start some with `dask worker "
                f"{protocol}://{address} --nthreads 1`"
            ) from error
        yield client


def _threads(client: Client) -> int:
    return sum(cast("dict[str, int]", client.nthreads()).values())


def _train(wanted: str, resources: Resources, trials: Sequence[Trial]) -> list[FinishedTrial]:
    """Train a batch on a worker."""
    check_version(wanted)
    # A worker on this machine shares the parent's output, which is reserved for results.
    with redirect_stdout(sys.stderr):
        return train_batch(resources, trials, _cancelled())


def _cancelled() -> Callable[[], bool]:
    """Return a function that returns whether the scheduler has cancelled this thread's call.

    Dask does not interrupt a running call. The worker knows its state, so asking costs no message.
    """
    from distributed import get_worker

    worker = get_worker()
    tasks, key = worker.state.tasks, worker.get_current_task()

    def cancelled() -> bool:
        task = tasks.get(key)
        return task is None or task.state in ("cancelled", "resumed")

    return cancelled
