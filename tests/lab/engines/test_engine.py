"""Batches for workers: here, in processes, on a cluster; and workers that die over them."""

import dataclasses
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lehr.lab import RunPlace, compare
from lehr.lab.engines.base import Workers, open_workers, train_batches
from lehr.lab.engines.processes import Processes
from lehr.lab.errors import WorkerError
from lehr.lab.plan import Plan, Size
from lehr.lab.resources import Resources
from lehr.lab.trial import Ended, FailedTrial, FinishedTrial, Outcome, Trial

PLAN = Plan(size=Size(steps=10, seeds=2, tuning_seeds=1, peaks=(0.1,)))
BATCHES = [PLAN.scoring(pair, 0.1) for pair in PLAN.pairs[:4]]


def queue(batches: list[list[Trial]]) -> Callable[[], list[Trial]]:
    """Return a function that returns one batch after another."""
    left = deque(batches)
    return lambda: left.popleft() if left else []


def outcomes(engine: str | Executor | None, jobs: int) -> dict[Any, list[Outcome]]:
    """Return the outcomes of the batches by their first trial."""
    with open_workers(engine, jobs) as workers:
        found = {
            batch[0].digest: finished for batch, finished in train_batches(queue(BATCHES), workers)
        }
    assert all(each.seconds > 0 for finished in found.values() for each in finished)
    return {key: [each.outcome for each in finished] for key, finished in found.items()}


@pytest.fixture(scope="module")
def here() -> dict[Any, list[Outcome]]:
    return outcomes("population", 1)


def test_processes_give_what_this_process_gives(here: dict[Any, list[Outcome]]) -> None:
    assert here.keys() == {batch[0].digest for batch in BATCHES}
    assert outcomes("processes", 2) == here
    assert not multiprocessing.active_children()


def test_an_executor_of_ones_own_will_do(here: dict[Any, list[Outcome]]) -> None:
    with ThreadPoolExecutor(2) as executor:
        assert outcomes(executor, 2) == here


def test_unless_one_is_named_the_jobs_decide() -> None:
    with open_workers(None, 1) as workers:
        assert not isinstance(workers.executor, Processes)
        assert workers.capacity() == 1
    with open_workers(None, 3) as workers:
        assert isinstance(workers.executor, Processes)
        assert workers.capacity() == 3


@pytest.mark.parametrize(
    ("engine", "jobs", "words"),
    [
        ("processes", 0, "jobs=0 must be from 1 to 10,000"),
        ("threads", 1, "engine='threads' is not known: write population, processes, dask, dask:/"),
        ("threads", 1, "dask://HOST:PORT, ray, ray://HOST:PORT"),
        ("", 2, "engine='' is not known"),
        ("population", 2, "jobs=2 cannot run in one process, .*: write engine='processes', or"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_begun(
    engine: str, jobs: int, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=words):
        compare(PLAN, RunPlace(tmp_path / "out", engine=engine, jobs=jobs))
    assert not (tmp_path / "out").exists()


def test_there_may_be_more_once_something_has_ended() -> None:
    left, seen = deque(BATCHES[:1]), []
    with open_workers("population", 1) as workers:
        for batch, _ in train_batches(lambda: left.popleft() if left else [], workers):
            seen.append(batch)
            if len(seen) == 1:
                left.append(BATCHES[3])
    assert seen == [BATCHES[0], BATCHES[3]]


def test_nothing_to_do_starts_nothing() -> None:
    with open_workers("processes", 2) as workers:
        assert list(train_batches(queue([]), workers)) == []
    assert not multiprocessing.active_children()


# Workers that die, as an executor reports it.


class Deadly(Executor):
    """Loses its worker when one of these trials is among those it trains, so many times."""

    def __init__(self, trials: list[Trial], times: int) -> None:
        self.trials, self.times, self.log = trials, times, list[int]()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        (trials,) = args
        self.log.append(len(trials))
        future: Future[Any] = Future()
        if self.times and set(self.trials) & set(trials):
            self.times -= 1
            future.set_exception(BrokenExecutor("gone"))
        else:
            future.set_result(fn(trials))
        return future


def instead(trials: list[Trial]) -> list[FinishedTrial]:
    """An outcome that shows whose it is."""
    return [FinishedTrial(Outcome(None, (), (), t.seed / 100, 0.0, None), 1.0) for t in trials]


WIDER = dataclasses.replace(PLAN, size=dataclasses.replace(PLAN.size, seeds=11))
WIDE = WIDER.scoring(PLAN.pairs[0], 0.1)


@pytest.mark.parametrize("times", [0, 1, 2, 3])
def test_a_worker_that_dies_costs_time_only(times: int) -> None:
    executor = Deadly(WIDE[7:8], times)
    found = list(train_batches(queue([WIDE]), Workers(executor, lambda: 1, instead)))
    trials = [trial for batch, _ in found for trial in batch]
    scores = [each.outcome.validation for _, finished in found for each in finished]
    assert trials == WIDE
    assert scores == [trial.seed / 100 for trial in trials]
    # The batch is trained again whole, and after that in halves.
    assert executor.log == {0: [11], 1: [11] * 2, 2: [11, 11, 5, 6], 3: [11, 11, 5, 6, 3, 3]}[times]


def test_a_trial_whose_workers_always_die_has_failed_and_the_others_are_finished() -> None:
    executor = Deadly(WIDE[7:8], -1)
    ends: dict[int, Ended] = {}
    for batch, ended in train_batches(queue([WIDE]), Workers(executor, lambda: 1, instead)):
        ends |= zip((trial.seed for trial in batch), ended, strict=True)
    assert ends.keys() == {trial.seed for trial in WIDE}
    failed = {seed: end for seed, end in ends.items() if isinstance(end, FailedTrial)}
    assert failed.keys() == {7}
    assert failed[7].reason.startswith("6 workers died while they trained it: were they out of")


def fail(_: list[Trial]) -> list[FinishedTrial]:
    raise ModuleNotFoundError("No module named 'sklearn'")


def test_a_package_that_a_worker_lacks_is_named() -> None:
    with (
        ThreadPoolExecutor(1) as executor,
        pytest.raises(WorkerError, match=r"cannot import .*sklearn.*: install it where the worker"),
    ):
        list(train_batches(queue([WIDE]), Workers(executor, lambda: 1, fail)))


def test_the_workers_of_one_machine_share_its_memory() -> None:
    assert Resources(1000, "cuda").shared(4) == Resources(250, "cuda")
    assert Resources().shared(4) == Resources()


class Logged(Executor):
    """Trains at once, and notes how many trials each batch has."""

    def __init__(self) -> None:
        self.log: list[int] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if isinstance(args[0], list):
            self.log.append(len(args[0]))
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def test_what_is_left_is_cut_so_that_no_worker_is_idle(tmp_path: Path) -> None:
    size = Size(steps=2, seeds=3, tuning_seeds=10, peaks=(0.1, 0.2, 0.3, 0.4))
    executor = Logged()
    plan = Plan(optimizers=("sgd",), schedules=("step", "linear"), size=size)
    compare(plan, RunPlace(tmp_path, engine=executor, jobs=4))
    # Two pairs of 40 trials for four workers. All four end before more is submitted, and the six
    # scoring trials are too few to be cut.
    assert executor.log == [20, 20, 20, 20, 6]


def test_what_cannot_be_stacked_is_trained_one_run_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_adam(task: str, optimizer: str) -> str | None:
        return "it is too odd" if optimizer == "adam" else None

    monkeypatch.setattr("lehr.lab.training.suitable.obstacle", only_adam)
    monkeypatch.setattr("lehr.lab.training.population.obstacle", only_adam)
    notices: list[str] = []
    executor = Logged()
    size = Size(steps=2, seeds=2, tuning_seeds=9, peaks=(0.1,))
    plan = Plan(optimizers=("adam", "sgd"), schedules=("step",), size=size)
    found = compare(plan, RunPlace(tmp_path, engine=executor, jobs=2), notify=notices.append)
    first, plan_told = notices
    assert first == "adam is trained one run at a time: it is too odd"
    assert plan_told.startswith(
        "2 pairs, each with 9 trials to tune and 2 others to score: 22 trials."
    )
    # The 11 trials of adam one by one, and the 11 of sgd in larger batches.
    assert executor.log.count(1) >= 11
    assert max(executor.log) >= 8
    assert sum(executor.log) == 22
    monkeypatch.undo()
    alike = compare(plan, tmp_path / "alike")
    for one, other in zip(found.pairs, alike.pairs, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=0.01)


# Processes that are killed.


@pytest.mark.slow
def test_leaving_early_stops_what_is_under_way() -> None:
    # Minutes of training each, unless they are stopped.
    plan = Plan(size=dataclasses.replace(PLAN.size, steps=200_000))
    long = [plan.scoring(pair, 0.1) for pair in plan.pairs[:4]]
    with open_workers("processes", 2) as workers:
        next(train_batches(queue([BATCHES[0], *long]), workers))
        assert multiprocessing.active_children()
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_killed_processes_cost_time_only(here: dict[Any, list[Outcome]]) -> None:
    found = {}
    with open_workers("processes", 2) as workers:
        for batch, finished in train_batches(queue(BATCHES), workers):
            if not found:
                for child in multiprocessing.active_children():
                    child.kill()
            found[batch[0].digest] = [each.outcome for each in finished]
    assert found == here
    assert not multiprocessing.active_children()


def wait_for_file(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


def test_a_process_is_killed_over_its_own_work_only(tmp_path: Path) -> None:
    with open_workers("processes", 2) as workers:
        first = workers.executor.submit(os.getpid)
        second = workers.executor.submit(wait_for_file, tmp_path / "go")
        os.kill(first.result(), signal.SIGKILL)
        (tmp_path / "go").touch()
        assert second.result() is None
        assert workers.executor.submit(abs, -1).result() == 1


def hang(begun: Path) -> None:
    begun.touch()
    time.sleep(60)


def test_a_process_that_hangs_in_its_first_call_is_killed_and_counted(tmp_path: Path) -> None:
    workers = Processes(1)
    workers.submit(hang, tmp_path / "begun")
    wait_for_file(tmp_path / "begun")
    workers.shutdown(cancel_futures=True)
    assert workers.killed == 1
