"""Trials on a Dask cluster: one of this machine, and a running one with workers that die."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lehr.lab import Plan, Progress, RunPlace, Size, WorkerError, compare
from lehr.lab.engines import dask_cluster as cluster
from lehr.lab.engines.base import open_workers
from lehr.lab.resources import Resources
from untimed import untimed
from waiting import PATIENCE, wait_for

Client = pytest.importorskip("distributed", reason="needs lehr[dask]").Client
psutil = pytest.importorskip("psutil", reason="comes with lehr[dask]")

PLAN = Plan(
    optimizers=("adam",),
    schedules=("constant", "step", "linear", "cosine", "wsd"),
    size=Size(steps=150, seeds=3, tuning_seeds=2, peaks=(0.01, 0.1)),
)
TOTAL = 5 * (2 * 2 + 3)
LONG = Plan(size=Size(steps=1_000_000, seeds=1, tuning_seeds=1, peaks=(0.1,)))
FAST = ["--host", "127.0.0.1", "--no-dashboard"]


def dask(*words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dask", *words, *FAST]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]


@pytest.fixture(scope="module")
def scheduler() -> Generator[str]:
    """The address of a running scheduler, which has no workers."""
    address = f"127.0.0.1:{free_port()}"
    process = dask("scheduler", "--port", address.partition(":")[2])
    try:
        yield address
    finally:
        process.terminate()
        process.wait()


def test_a_worker_killed_in_the_middle_costs_time_only(scheduler: str, tmp_path: Path) -> None:
    expected = compare(PLAN, tmp_path / "here")
    with ExitStack() as stack:
        workers = [
            dask("worker", f"tcp://{scheduler}", "--nthreads", "1", "--no-nanny") for _ in range(2)
        ]
        for worker in workers:
            stack.callback(worker.wait)
            stack.callback(worker.terminate)
        seen: list[Progress] = []

        def watch(progress: Progress) -> None:
            seen.append(progress)
            if progress.trained and workers[0].poll() is None:
                workers[0].kill()

        found = compare(
            PLAN, RunPlace(tmp_path / "there", engine=f"dask://{scheduler}"), watch=watch
        )
        assert workers[0].wait() == -signal.SIGKILL
        assert workers[1].poll() is None
        # What is under way when somebody leaves ends soon, and the worker is free again.
        with open_workers(f"dask://{scheduler}", 1) as by:
            by.executor.submit(by.train, LONG.scoring(LONG.pairs[0], 0.1))
            with Client(f"tcp://{scheduler}") as client:
                wait_for(lambda: any(client.processing().values()))
        with open_workers(f"dask://{scheduler}", 1) as by:
            assert by.executor.submit(os.getpid).result(timeout=PATIENCE) == workers[1].pid
    assert untimed(found) == untimed(expected)
    assert seen[-1] == Progress(0, TOTAL, TOTAL)


def test_a_cluster_of_this_machine_is_for_nobody_else_and_ends() -> None:
    with open_workers("dask", 1) as by:
        worker = by.executor.submit(os.getpid).result()
        for process in (psutil.Process(), psutil.Process(worker)):
            found = process.net_connections("tcp")
            own = [each.laddr.ip for each in found if each.status == psutil.CONN_LISTEN]
            assert own
            assert set(own) == {"127.0.0.1"}
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_a_missing_scheduler_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cluster, "_PATIENCE", 0.5)
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(
        WorkerError, match=rf"no Dask scheduler answers at '{address}' .*: start one with `dask s"
    ):
        compare(PLAN, RunPlace(tmp_path, engine=f"dask://{address}"))


def test_missing_workers_are_named(
    scheduler: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with Client(f"tcp://{scheduler}") as client:
        wait_for(lambda: not client.scheduler_info()["workers"])  # the last one has left
    monkeypatch.setattr(cluster, "_PATIENCE", 10)
    with pytest.raises(
        WorkerError, match=rf"{scheduler} has no workers: start some with `dask worker tcp://127"
    ):
        compare(PLAN, RunPlace(tmp_path, engine=f"dask://{scheduler}"))


def test_another_lehr_is_not_trusted() -> None:
    with pytest.raises(WorkerError, match=r"a worker has lehr .*, and this is 0.0.0: install one"):
        cluster._train("0.0.0", Resources(), [])


def test_without_dask_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "find_spec", lambda _: None)
    with (
        pytest.raises(WorkerError, match=r"engine='dask' needs Dask: .*dask"),
        open_workers("dask", 1),
    ):
        pass
