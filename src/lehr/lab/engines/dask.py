"""Workers of a Dask cluster that train flights, on this machine or on many."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

from lehr import __version__
from lehr.lab.engines.base import Crew, Means, WorkerError, fly, same_lehr, twice
from lehr.lab.engines.processes import interrupts_held
from lehr.lab.trial import Kept, Trial

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["cluster"]

_PATIENCE = 30  # seconds for a scheduler to answer and for a worker to join

# The cluster is for nobody but this process: on the loopback only, and its web servers, which
# Dask cannot do without, have no page. A death is told at once, since the flight is cut then.
_EMBEDDED = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}


@contextmanager
def cluster(address: str, jobs: int, means: Means) -> Generator[Crew]:
    """Engage the workers of a cluster.

    Arguments:
        address: `host:port` of a running scheduler; empty to start a cluster of this machine,
            which ends with the context.
        jobs: How many workers such a cluster gets.
        means: What each of them trains with.

    Raises:
        WorkerError: If Dask is not installed, the scheduler does not answer, or it has no workers.
    """
    if find_spec("distributed") is None:
        raise WorkerError("engine='dask' needs Dask: pip install 'lehr[dask]'")
    from distributed import KilledWorker

    with _client(address) if address else _own(jobs) as client:
        width = twice(lambda: _threads(client)) if address else lambda: jobs
        # Not pure: to Dask equal calls would be one, and a flight may be flown again.
        executor = client.get_executor(pure=False)
        try:
            yield Crew(executor, width, partial(_fly, __version__, means), (KilledWorker,))
        finally:
            executor.shutdown(wait=False)


@contextmanager
def _own(jobs: int) -> Generator[Client]:
    import dask.config
    from distributed import Client, LocalCluster

    with TemporaryDirectory(prefix="lehr-dask-") as folder, dask.config.set(_EMBEDDED):
        # Held back in all threads that this starts, and so in the workers, new ones too.
        with interrupts_held():
            own = LocalCluster(
                n_workers=jobs,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                local_directory=folder,
                silence_logs=logging.CRITICAL,
            )
            client = Client(own)
        with own, client:
            yield client


@contextmanager
def _client(address: str) -> Generator[Client]:
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


def _fly(wanted: str, means: Means, trials: Sequence[Trial]) -> list[Kept]:
    """Train a flight on a worker."""
    same_lehr(wanted)
    return fly(means, trials, _forgotten())


def _forgotten() -> Callable[[], bool]:
    """Whether the scheduler has taken back the call that this thread is in.

    Dask does not interrupt a call that is under way. The worker is told, so it costs no message.
    """
    from distributed import get_worker

    worker = get_worker()
    tasks, key = worker.state.tasks, worker.get_current_task()

    def forgotten() -> bool:
        task = tasks.get(key)
        return task is None or task.state in ("cancelled", "resumed")

    return forgotten
