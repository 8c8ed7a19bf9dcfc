"""Trials on Ray: on this machine and on a running cluster, with workers that die."""

import importlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from lehr.lab import Plan, Progress, Results, RunPlace, Size, WorkerError, compare
from lehr.lab.engines import ray_cluster
from lehr.lab.engines.base import open_workers
from lehr.lab.resources import Resources
from untimed import untimed
from waiting import wait_for

# Not imported here: Ray would take its settings before lehr gives them.
needs_ray = pytest.mark.skipif(
    find_spec("ray") is None, reason="needs lehr[ray], which `make trainers` installs"
)

PLAN = Plan(
    optimizers=("adam",),
    schedules=("constant", "step", "linear", "cosine", "wsd"),
    size=Size(steps=150, seeds=3, tuning_seeds=2, peaks=(0.01, 0.1)),
)
TOTAL = 5 * (2 * 2 + 3)
LONG = Plan(size=Size(steps=1_000_000, seeds=1, tuning_seeds=1, peaks=(0.1,)))


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]


def answers(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def descendants(pid: int | None = None) -> list[Any]:
    psutil = pytest.importorskip("psutil", reason="comes with the trainers, and with lehr[dask]")
    return psutil.Process(pid).children(recursive=True)


def training(pid: int | None = None) -> list[Any]:
    """The workers that are training, by the title that Ray gives them."""
    return [each for each in descendants(pid) if "ray::lehr" in each.cmdline()]


class Killer:
    """Kills a worker in the middle of a batch, once some trials are finished."""

    def __init__(self, pid: int | None = None) -> None:
        self.pid, self.killed, self.seen = pid, list[Any](), list[Progress]()

    def __call__(self, progress: Progress) -> None:
        self.seen.append(progress)
        if progress.trained and not self.killed:
            self.killed = training(self.pid)[:1]
            for worker in self.killed:
                worker.kill()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return compare(PLAN, tmp_path_factory.mktemp("here"))


@needs_ray
def test_a_worker_killed_in_the_middle_costs_time_only(
    expected: Results, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    watch = Killer()
    found = compare(PLAN, RunPlace(tmp_path, engine="ray", jobs=2), watch=watch)
    assert watch.killed
    assert untimed(found) == untimed(expected)
    assert watch.seen[-1] == Progress(0, TOTAL, TOTAL)
    # Where programs read results, Ray says nothing.
    assert capfd.readouterr().out == ""


@needs_ray
def test_a_ray_of_this_machine_is_for_nobody_else_and_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = {each.pid for each in descendants()}
    folder = Path(tempfile.mkdtemp(prefix="r"))  # the names of Ray's sockets must stay short
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with open_workers("ray", 1) as by:
        assert by.capacity() == 1
        by.executor.submit(by.train, LONG.scoring(LONG.pairs[0], 0.1))
        wait_for(training)
        own = [each for each in descendants() if each.pid not in before]
        for process in own:
            found = process.net_connections("inet")
            listening = {each.laddr.ip for each in found if not each.raddr}
            assert listening <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}, process.cmdline()
        (reporter,) = [each for each in own if "dashboard.py" in " ".join(each.cmdline())]
        assert reporter.environ()["RAY_USAGE_STATS_ENABLED"] == "0"
        assert any("raylet" in each.name() for each in own)
        assert list(folder.glob("lehr-ray-*/session_*"))
    assert not [each for each in own if each.is_running() and each.status() != "zombie"]
    folder.rmdir()  # nothing is left in it
    assert not ray_cluster._EMBEDDED.keys() & os.environ.keys()


@needs_ray
def test_what_a_worker_raises_arrives_as_it_is() -> None:
    with open_workers("ray", 1) as by:
        error = by.executor.submit(importlib.import_module, "nowhere").exception()
        assert type(error) is ModuleNotFoundError
        assert str(error) == "No module named 'nowhere'"
        assert "import_module" in str(error.__cause__)
        assert by.executor.submit(abs, -1).result() == 1


@needs_ray
def test_a_ray_that_others_could_reach_is_refused() -> None:
    program = (
        "import ray\nfrom lehr.lab.engines.base import open_workers\n"
        "try:\n    with open_workers('ray', 1): pass\nexcept Exception as error: print(error)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert answer.startswith(
        "Ray was already in use here, so others could reach it: start a new Python"
    )


# A running cluster.


@pytest.fixture(scope="module")
def head() -> Generator[tuple[str, int]]:
    """The address of a running cluster of two processors, and its process."""
    port, clients = free_port(), free_port()
    words = ["--num-cpus=2", "--num-gpus=0", "--include-dashboard=false", "--disable-usage-stats"]
    ports = [f"--port={port}", f"--ray-client-server-port={clients}"]
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="r") as folder:
        for name, value in ray_cluster._EMBEDDED.items():
            patch.setenv(name, value)  # it asks for the token that this process has
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
                *(*words, *ports, "--min-worker-port=0", "--max-worker-port=0"),
                *("--node-ip-address=127.0.0.1", f"--temp-dir={folder}"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(lambda: answers(clients))
            yield f"127.0.0.1:{clients}", process.pid
        finally:
            process.terminate()
            process.wait()


@needs_ray
def test_a_running_cluster_does_the_same_and_is_free_afterwards(
    head: tuple[str, int], expected: Results, tmp_path: Path
) -> None:
    address, pid = head
    watch = Killer(pid)
    found = compare(PLAN, RunPlace(tmp_path, engine=f"ray://{address}"), watch=watch)
    assert watch.killed
    assert untimed(found) == untimed(expected)
    with open_workers(f"ray://{address}", 1) as by:
        assert by.capacity() == 4
        by.executor.submit(by.train, LONG.scoring(LONG.pairs[0], 0.1))
        wait_for(lambda: training(pid))
    wait_for(lambda: not training(pid))


@needs_ray
def test_a_cluster_without_a_gpu_is_refused(head: tuple[str, int], tmp_path: Path) -> None:
    address, _ = head
    with pytest.raises(
        WorkerError, match=rf"Ray cluster at {address} has no GPU: add it by `ray st"
    ):
        compare(PLAN, RunPlace(tmp_path, engine=f"ray://{address}", device="cuda"))


@needs_ray
def test_a_broken_connection_is_tried_again(
    head: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    errors, init = [ConnectionAbortedError("dead")], ray.init

    def dead_once(*args: Any, **kwargs: Any) -> Any:
        if errors:
            raise errors.pop()
        return init(*args, **kwargs)

    monkeypatch.setattr(ray, "init", dead_once)
    with open_workers(f"ray://{head[0]}", 1) as by:
        assert by.executor.submit(abs, -1).result() == 1


@needs_ray
def test_a_missing_cluster_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from ray.util.client import worker

    monkeypatch.setattr(worker, "INITIAL_TIMEOUT_SEC", 0.1)
    monkeypatch.setattr(worker, "MAX_TIMEOUT_SEC", 0.1)
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(
        WorkerError, match=rf"no Ray answers at '{address}' \(.*\): start one with `ray start --h"
    ):
        compare(PLAN, RunPlace(tmp_path, engine=f"ray://{address}"))


# What needs no Ray.


def test_another_lehr_is_not_trusted() -> None:
    with pytest.raises(WorkerError, match=r"a worker has lehr .*, and this is 0.0.0: install one"):
        ray_cluster._train("0.0.0", Resources(), [])


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "find_spec", lambda _: None)
    with (
        pytest.raises(WorkerError, match=r"engine='ray' needs Ray: .*ray"),
        open_workers("ray", 1),
    ):
        pass
