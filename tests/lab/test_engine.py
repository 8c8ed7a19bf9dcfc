"""Work handed out: here, to processes, to a cluster; and workers that die over it."""

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

from lehr.lab import compare
from lehr.lab.engines.base import Crew, Means, WorkerError, crew, run
from lehr.lab.engines.processes import Processes
from lehr.lab.plan import Flight, Plan, Size
from lehr.lab.trial import Kept, Outcome, Trial

PLAN = Plan(size=Size(steps=10, seeds=2, tuning_seeds=1, peaks=(0.1,)))
FLIGHTS = [Flight(pair, PLAN.scoring(pair, 0.1)) for pair in PLAN.pairs[:4]]


def queue(flights: list[Flight], each: int = 1) -> Callable[[], list[Flight]]:
    """Give so many of the flights at a time."""
    left = deque(flights)
    return lambda: [left.popleft() for _ in range(min(each, len(left)))]


def outcomes(engine: str | Executor | None, jobs: int) -> dict[Any, list[Outcome]]:
    """What an engine makes of the flights."""
    with crew(engine, jobs) as by:
        found = {flight.pair: kept for flight, kept in run(queue(FLIGHTS), by)}
    assert all(k.seconds > 0 for kept in found.values() for k in kept)
    return {pair: [k.outcome for k in kept] for pair, kept in found.items()}


@pytest.fixture(scope="module")
def here() -> dict[Any, list[Outcome]]:
    return outcomes("population", 1)


def test_processes_give_what_this_process_gives(here: dict[Any, list[Outcome]]) -> None:
    assert here.keys() == {flight.pair for flight in FLIGHTS}
    assert outcomes("processes", 2) == here
    assert not multiprocessing.active_children()


def test_an_executor_of_ones_own_will_do(here: dict[Any, list[Outcome]]) -> None:
    with ThreadPoolExecutor(2) as executor:
        assert outcomes(executor, 2) == here


def test_unless_one_is_named_the_jobs_decide() -> None:
    with crew(None, 1) as by:
        assert not isinstance(by.executor, Processes)
        assert by.width() == 1
    with crew(None, 3) as by:
        assert isinstance(by.executor, Processes)
        assert by.width() == 3


@pytest.mark.parametrize(
    ("engine", "jobs", "words"),
    [
        ("processes", 0, "jobs=0 must be at least 1"),
        ("threads", 1, "engine='threads' is not known: write population, processes, dask, dask:/"),
        ("threads", 1, "dask://HOST:PORT, ray, ray://HOST:PORT"),
        ("", 2, "engine='' is not known"),
        ("population", 2, "jobs=2 cannot be done in one process, .*: write engine='processes', or"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_begun(
    engine: str, jobs: int, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=words):
        compare(PLAN, tmp_path / "out", engine=engine, jobs=jobs)
    assert not (tmp_path / "out").exists()


def test_there_may_be_more_once_something_has_ended() -> None:
    left, seen = deque(FLIGHTS[:1]), []
    with crew("population", 1) as by:
        for flight, _ in run(lambda: [left.popleft()] if left else [], by):
            seen.append(flight.pair)
            if len(seen) == 1:
                left.append(FLIGHTS[3])
    assert seen == [FLIGHTS[0].pair, FLIGHTS[3].pair]


def test_nothing_to_do_starts_nothing() -> None:
    with crew("processes", 2) as by:
        assert list(run(queue([]), by)) == []
    assert not multiprocessing.active_children()


# Workers that die, as an executor tells it.


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


def instead(trials: list[Trial]) -> list[Kept]:
    """An outcome that shows whose it is."""
    return [Kept(Outcome(None, (), (), t.seed / 100, 0.0, None), 1.0) for t in trials]


WIDER = dataclasses.replace(PLAN, size=dataclasses.replace(PLAN.size, seeds=11))
WIDE = Flight(PLAN.pairs[0], WIDER.scoring(PLAN.pairs[0], 0.1))


@pytest.mark.parametrize("times", [0, 1, 2, 3])
def test_a_worker_that_dies_costs_time_only(times: int) -> None:
    executor = Deadly(WIDE.trials[7:8], times)
    found = list(run(queue([WIDE]), Crew(executor, lambda: 1, instead)))
    trials = [trial for flight, _ in found for trial in flight.trials]
    scores = [k.outcome.validation for _, kept in found for k in kept]
    assert trials == WIDE.trials
    assert scores == [trial.seed / 100 for trial in trials]
    # Once it is flown again whole; after that in halves.
    assert executor.log == {0: [11], 1: [11] * 2, 2: [11, 11, 5, 6], 3: [11, 11, 5, 6, 3, 3]}[times]


@pytest.mark.parametrize("times", [0, 1, 2, 3, 4])
def test_several_flights_are_parted_before_their_trials(times: int) -> None:
    flights = [Flight(pair, WIDER.scoring(pair, 0.1)) for pair in PLAN.pairs[:3]]
    executor = Deadly(flights[1].trials[:1], times)
    found = list(run(queue(flights, 3), Crew(executor, lambda: 1, instead)))
    assert sorted(t.seed for flight, _ in found for t in flight.trials) == sorted([*range(11)] * 3)
    for flight, kept in found:
        assert [k.outcome.validation for k in kept] == [t.seed / 100 for t in flight.trials]
        assert {t.schedule for t in flight.trials} == {flights_of(flight.pair).schedule}
    assert (
        executor.log
        == {
            0: [33],
            1: [33, 33],
            2: [33, 33, 11, 22],
            3: [33, 33, 11, 22, 11, 11],
            4: [33, 33, 11, 22, 11, 5, 6, 11],
        }[times]
    )


def flights_of(pair: Any) -> Trial:
    """One of a pair's trials."""
    return WIDER.scoring(pair, 0.1)[0]


def test_a_trial_whose_workers_always_die_is_named() -> None:
    executor = Deadly(WIDE.trials[7:8], -1)
    found = []
    with pytest.raises(
        WorkerError, match=r"6 workers died while they trained sgd/constant at .* 0.1 with seed 7"
    ):
        found.extend(run(queue([WIDE]), Crew(executor, lambda: 1, instead)))
    # What did not need it is finished.
    assert [t.seed for flight, _ in found for t in flight.trials] == [0, 1, 2, 3, 4, 5, 6]


def fail(_: list[Trial]) -> list[Kept]:
    raise ModuleNotFoundError("No module named 'sklearn'")


def test_a_worker_that_lacks_something_is_told() -> None:
    with (
        ThreadPoolExecutor(1) as executor,
        pytest.raises(WorkerError, match=r"cannot import .*sklearn.*: install it where the worker"),
    ):
        list(run(queue([WIDE]), Crew(executor, lambda: 1, fail)))


def test_the_workers_of_one_machine_share_its_memory() -> None:
    assert Means(1000, "cuda").shared(4) == Means(250, "cuda")
    assert Means().shared(4) == Means()


class Slow(ThreadPoolExecutor):
    """Notes how many trials each flight has."""

    def __init__(self) -> None:
        super().__init__(4)
        self.log: list[int] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if isinstance(args[0], list):
            self.log.append(len(args[0]))
        return super().submit(fn, *args, **kwargs)


def test_what_is_left_is_cut_so_that_no_worker_is_idle(tmp_path: Path) -> None:
    size = Size(steps=2, seeds=3, tuning_seeds=10, peaks=(0.1, 0.2, 0.3, 0.4))
    with Slow() as executor:
        plan = Plan(optimizers=("sgd",), schedules=("step", "linear"), size=size)
        compare(plan, tmp_path, engine=executor, jobs=4)
    # Two pairs of 40 trials for four workers, and few are not cut at all.
    assert executor.log == [20, 20, 20, 20, 3, 3]


def test_what_cannot_be_stacked_is_trained_one_run_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_adam(task: str, optimizer: str) -> str | None:
        return "it is too odd" if optimizer == "adam" else None

    monkeypatch.setattr("lehr.lab.training.suitable.obstacle", only_adam)
    monkeypatch.setattr("lehr.lab.training.population.obstacle", only_adam)
    told: list[str] = []
    with Slow() as executor:
        size = Size(steps=2, seeds=2, tuning_seeds=9, peaks=(0.1,))
        plan = Plan(optimizers=("adam", "sgd"), schedules=("step",), size=size)
        found = compare(plan, tmp_path, engine=executor, jobs=2, tell=told.append)
    assert told == ["adam is trained one run after another: it is too odd"]
    assert sorted(executor.log) == [1] * 11 + [2, 9]
    monkeypatch.undo()
    alike = compare(plan, tmp_path / "alike")
    for one, other in zip(found["pairs"], alike["pairs"], strict=True):
        assert one["scores"] == pytest.approx(other["scores"], abs=0.01)


# Processes that are killed.


@pytest.mark.slow
def test_leaving_early_stops_what_is_under_way() -> None:
    # Minutes of training each, unless they are stopped.
    plan = Plan(size=dataclasses.replace(PLAN.size, steps=200_000))
    long = [Flight(pair, plan.scoring(pair, 0.1)) for pair in plan.pairs[:4]]
    with crew("processes", 2) as by:
        next(run(queue([FLIGHTS[0], *long]), by))
        assert multiprocessing.active_children()
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_killed_processes_cost_time_only(here: dict[Any, list[Outcome]]) -> None:
    found = {}
    with crew("processes", 2) as by:
        for flight, kept in run(queue(FLIGHTS), by):
            if not found:
                for child in multiprocessing.active_children():
                    child.kill()
            found[flight.pair] = [k.outcome for k in kept]
    assert found == here
    assert not multiprocessing.active_children()


def test_a_process_is_killed_over_its_own_work_only() -> None:
    with crew("processes", 2) as by:
        first, second = by.executor.submit(os.getpid), by.executor.submit(time.sleep, 3)
        os.kill(first.result(), signal.SIGKILL)
        assert second.result() is None
        assert by.executor.submit(abs, -1).result() == 1
