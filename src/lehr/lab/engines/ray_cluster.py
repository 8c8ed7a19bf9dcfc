"""Workers of Ray, on this machine or in a running cluster."""

from __future__ import annotations

import logging
import os
import pickle
import secrets
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from lehr.extras import install
from lehr.lab.engines.base import Workers, check_version, train_batch, with_spare
from lehr.lab.engines.processes import started
from lehr.lab.errors import WorkerError
from lehr.lab.resources import Resources
from lehr.lab.trial import FinishedTrial, Trial
from lehr.lab.versions import LEHR

_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}

# A Ray on this machine is for this process only: it listens on the loopback interface (by a setting
# that Ray has for systems other than Linux), and requires a token.
_EMBEDDED = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),  # constant: Ray reads it once in a process
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else Ray hides the GPU, which all workers share
    "RAY_USAGE_STATS_ENABLED": "0",
}


@contextmanager
def ray_cluster(address: str, jobs: int, resources: Resources) -> Generator[Workers]:
    """Connect to the Ray workers at `address` (`host:port` of a client server) for a block.

    Without an address, a Ray of `jobs` workers runs on this machine until the block ends.
    """
    if find_spec("ray") is None:
        raise WorkerError(f"engine='ray' needs Ray: {install('ray')}")
    kind = "CPU" if resources.device == "cpu" else "GPU"
    before = signal.getsignal(signal.SIGTERM)
    with _running(address) if address else _started(jobs):
        import ray

        # On SIGTERM, Ray ends the program without letting it finish what it was doing.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
        from ray import exceptions

        capacity = (
            with_spare(lambda: ray.cluster_resources().get(kind, 0)) if address else lambda: jobs
        )
        if address and kind not in ray.cluster_resources():
            raise WorkerError(f"the Ray cluster at {address} has no {kind}: add it by `ray start`")
        # A lambda is sent by value, and takes and returns bytes; so a worker without lehr can
        # report that it is missing, and the head of a cluster does not need lehr. Ray does not
        # retry: a death is reported at once, because the batch is cut then.
        gpus = int(bool(address) and kind == "GPU")
        task = ray.remote(lambda packed: pickle.dumps(pickle.loads(packed)()))
        executor = _Ray(task.options(name="lehr", max_retries=0, num_gpus=gpus))
        lost = (
            exceptions.WorkerCrashedError,
            exceptions.OutOfMemoryError,
            exceptions.NodeDiedError,
        )
        lost += (exceptions.LocalRayletDiedError, exceptions.ObjectLostError)
        yield Workers(executor, capacity, partial(_train, LEHR, resources), lost)


@contextmanager
def _started(jobs: int) -> Generator[None]:
    # Ray's socket names are long, and macOS's own temporary folder makes them too long.
    place = "/tmp" if sys.platform == "darwin" else None
    with (
        TemporaryDirectory(prefix="lehr-ray-", dir=place, ignore_cleanup_errors=True) as folder,
        # The user's own settings win.
        patch.dict(os.environ, {**_EMBEDDED, **os.environ}),
    ):
        import ray

        if ray.util.get_node_ip_address() not in ("127.0.0.1", "::1"):
            raise WorkerError(
                "Ray was already in use here, so others could reach it: start a new Python process"
            )
        own = {"num_cpus": jobs, "include_dashboard": False, "_temp_dir": folder}

        def start() -> object:
            try:
                return ray.init("local", **own, **_QUIET)
            except (OSError, RuntimeError) as error:
                raise WorkerError(f"Ray does not start: {error}") from error

        # Ray reports dead workers on stdout, which is reserved for results.
        silent = patch.object(ray._private.worker, "_worker_logs_enabled", False, create=True)
        with started(start, lambda _: ray.shutdown()), silent:
            yield


@contextmanager
def _running(address: str, tries: int = 5) -> Generator[None]:
    import ray

    try:
        with warnings.catch_warnings(action="ignore"):
            client = ray.init(f"ray://{address}", **_QUIET)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        # The head starts a process for each client, which occasionally dies at once.
        if tries > 1 and isinstance(error, ConnectionAbortedError):
            client = _running(address, tries - 1)
        else:
            raise WorkerError(
                f"no Ray answers at {address!r} ({' '.join(str(error).split())}): start one with "
                "`ray start --head`, which takes clients at port 10001, or write engine='ray'"
            ) from error
    with client:
        yield


class _Ray(Executor):
    """Runs calls as tasks of Ray."""

    def __init__(self, task: Any) -> None:
        self._task = task

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        packed = pickle.dumps(partial(fn, *args, **kwargs))
        self._task.remote(packed).future().add_done_callback(partial(_complete, future))
        return future


def _complete(future: Future[Any], packed: Future[bytes]) -> None:
    try:
        future.set_result(pickle.loads(packed.result()))
    except Exception as error:
        raised = getattr(error, "cause", None)  # on the worker; `error` says where
        if raised is not None:
            raised.__cause__ = error
        elif isinstance(error, ConnectionError):
            raised = CancelledError()
        future.set_exception(raised or error)


def _train(wanted: str, resources: Resources, trials: Sequence[Trial]) -> list[FinishedTrial]:
    """Train a batch on a worker."""
    check_version(wanted)
    return train_batch(resources, trials)
