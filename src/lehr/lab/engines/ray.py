"""Workers that Ray runs, on this machine or in a running cluster."""

from __future__ import annotations

import logging
import os
import pickle
import secrets
import sys
import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from lehr import __version__
from lehr.lab.engines.base import Crew, Means, WorkerError, fly, same_lehr, twice
from lehr.lab.engines.processes import interrupts_held
from lehr.lab.trial import Kept, Trial

__all__ = ["ray_cluster"]

_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}

# A Ray of this machine is for nobody but this process: on the loopback only, for which Ray has a
# setting, meant for other systems than Linux, and for who has the token.
_EMBEDDED = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),  # always the same: Ray reads it once in a process
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # or it hides the GPU, which all of them share
    "RAY_USAGE_STATS_ENABLED": "0",
}


@contextmanager
def ray_cluster(address: str, jobs: int, means: Means) -> Generator[Crew]:
    """Engage the workers of Ray.

    Arguments:
        address: `host:port` of a running cluster's client server; empty to start a Ray of this
            machine, which ends with the context.
        jobs: How many workers such a Ray gets.
        means: What each of them trains with.

    Raises:
        WorkerError: If Ray is not installed, does not start or answer, or has nothing to train on.
    """
    if find_spec("ray") is None:
        raise WorkerError("engine='ray' needs Ray: pip install 'lehr[ray]'")
    kind = "CPU" if means.device == "cpu" else "GPU"
    with _joined(address) if address else _own(jobs):
        import ray
        from ray import exceptions as told

        width = twice(lambda: ray.cluster_resources().get(kind, 0)) if address else lambda: jobs
        if address and kind not in ray.cluster_resources():
            raise WorkerError(f"the Ray cluster at {address} has no {kind}: add it by `ray start`")
        # In a function without a name, which is sent as it is, and with bytes in and out: so a
        # worker that lacks lehr can say so, and the head of a cluster may lack it.
        # Not tried again by Ray: a death is told at once, since the flight is cut then.
        gpus = int(bool(address) and kind == "GPU")
        task = ray.remote(lambda packed: pickle.dumps(pickle.loads(packed)()))
        executor = _Ray(task.options(name="lehr", max_retries=0, num_gpus=gpus))
        lost = (told.WorkerCrashedError, told.OutOfMemoryError, told.NodeDiedError)
        lost += (told.LocalRayletDiedError, told.ObjectLostError)
        yield Crew(executor, width, partial(_fly, __version__, means), lost)


@contextmanager
def _own(jobs: int) -> Generator[None]:
    # Ray's sockets have long names, and macOS's own folder for such things leaves too little.
    place = "/tmp" if sys.platform == "darwin" else None
    with TemporaryDirectory(prefix="lehr-ray-", dir=place, ignore_cleanup_errors=True) as folder:
        # What the user has set stays as it is.
        with patch.dict(os.environ, {**_EMBEDDED, **os.environ}), interrupts_held():
            import ray

            if ray.util.get_node_ip_address() not in ("127.0.0.1", "::1"):
                raise WorkerError(
                    "Ray was in use here before, so others could reach it: start Python afresh"
                )
            own = {"num_cpus": jobs, "include_dashboard": False, "_temp_dir": folder}
            try:
                local = ray.init("local", **own, **_QUIET)
            except (OSError, RuntimeError) as error:
                raise WorkerError(f"Ray does not start: {error}") from error
        # Of a worker that died Ray tells on stdout, between what is for programs.
        with local, patch.object(ray._private.worker, "_worker_logs_enabled", False, create=True):
            yield


@contextmanager
def _joined(address: str, tries: int = 5) -> Generator[None]:
    import ray

    try:
        with warnings.catch_warnings(action="ignore"):
            client = ray.init(f"ray://{address}", **_QUIET)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        # The head starts a process for each client, and now and then that one dies at once.
        if tries > 1 and isinstance(error, ConnectionAbortedError):
            client = _joined(address, tries - 1)
        else:
            raise WorkerError(
                f"no Ray answers at {address!r} ({' '.join(str(error).split())}): start one with "
                "`ray start --head`, which takes clients at port 10001, or write engine='ray'"
            ) from error
    with client:
        yield


class _Ray(Executor):
    """Calls as tasks of Ray."""

    def __init__(self, task: Any) -> None:
        self._task = task

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        packed = pickle.dumps(partial(fn, *args, **kwargs))
        self._task.remote(packed).future().add_done_callback(partial(_land, future))
        return future


def _land(future: Future[Any], came: Future[bytes]) -> None:
    try:
        future.set_result(pickle.loads(came.result()))
    except Exception as error:
        raised = getattr(error, "cause", None)  # on the worker; the error tells where
        if raised is not None:
            raised.__cause__ = error
        elif isinstance(error, ConnectionError):
            raised = CancelledError()
        future.set_exception(raised or error)


def _fly(wanted: str, means: Means, trials: Sequence[Trial]) -> list[Kept]:
    """Train a flight on a worker."""
    same_lehr(wanted)
    return fly(means, trials)
