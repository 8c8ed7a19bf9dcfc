"""Where trials are run: in this process, in processes of their own, or on a cluster.

All of them are `concurrent.futures.Executor`s, and the unit of work is a population: flights, each
of one pair's trials, that one worker trains side by side.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeVar, cast

from lehr import __version__
from lehr.lab.memory import own_bytes
from lehr.lab.plan import Flight
from lehr.lab.trial import Kept, Trial

__all__ = [
    "ENGINES",
    "Crew",
    "EngineError",
    "Means",
    "WorkerError",
    "ask",
    "crew",
    "fly",
    "run",
    "same_lehr",
    "twice",
]

_Answer = TypeVar("_Answer")

_TRIES = 3
_FRESH = 2.0  # seconds for which a count of the workers holds

ENGINES = ("population", "processes", "dask", "dask://HOST:PORT", "ray", "ray://HOST:PORT")
"""What can be written for an engine."""


class EngineError(ValueError):
    """An engine that there is not, or that cannot do what it is asked."""


class WorkerError(RuntimeError):
    """A worker could not do its work."""


class Means(NamedTuple):
    """What a worker trains with.

    Attributes:
        memory: Bytes that it may take; None leaves it unbounded.
        device: Where its tensors are, as torch names it.
    """

    memory: int | None = None
    device: str = "cpu"

    def shared(self, jobs: int) -> Means:
        """What each of so many workers of one machine has, beside this process.

        Raises:
            EngineError: If this process alone takes all of the memory.
        """
        if self.memory is None:
            return self
        left = self.memory - (own_bytes() if self.device == "cpu" else 0)
        if left <= 0:
            raise EngineError(
                f"memory={self.memory:,} bytes are too little: this process alone takes "
                f"{own_bytes():,}"
            )
        return self._replace(memory=left // jobs)


UNBOUNDED = Means()


@dataclass(frozen=True)
class Crew:
    """Those who train.

    Attributes:
        executor: Takes a flight's trials with `fly` and gives what came of them.
        width: How many flights to hand out at a time, at least 1.
        fly: Trains trials where the executor runs it.
        lost: What a flight ends with whose worker died.
    """

    executor: Executor
    width: Callable[[], int]
    fly: Callable[[list[Trial]], list[Kept]]
    lost: tuple[type[Exception], ...] = (BrokenExecutor,)


def crew(
    engine: str | Executor | None, jobs: int, means: Means = UNBOUNDED
) -> AbstractContextManager[Crew]:
    """Engage those who train, for as long as the context lasts. What is under way then is stopped.

    Arguments:
        engine: One of `ENGINES`, or an executor of one's own, whose workers can import lehr. None
            is this process for one job, and processes for more.
        jobs: How many flights are trained at a time, at least 1. A running cluster decides that
            itself.
        means: What they train with. Workers of this machine share its memory; each of a cluster's
            has so much.

    Raises:
        EngineError: If there is no such engine, or this process is to do several jobs at a time.
        WorkerError: If the engine cannot be started.
    """
    if jobs < 1:
        raise EngineError(f"jobs={jobs} must be at least 1")
    if isinstance(engine, Executor):
        return _given(engine, jobs, means.shared(jobs))
    name = engine
    if name is None:
        name = "population" if jobs == 1 else "processes"
    if name == "population":
        if jobs > 1:
            raise EngineError(
                f"jobs={jobs} cannot be done in one process, which engine='population' is: write "
                "engine='processes', or jobs=1"
            )
        return _given(_Here(), 1, means)
    if name == "processes":
        from lehr.lab.engines.processes import processes

        return processes(jobs, means.shared(jobs))
    if name == "dask" or name.startswith("dask://"):
        from lehr.lab.engines.dask import cluster

        address = name.removeprefix("dask").removeprefix("://")
        return cluster(address, jobs, means if address else means.shared(jobs))
    if name == "ray" or name.startswith("ray://"):
        from lehr.lab.engines.ray import ray_cluster

        address = name.removeprefix("ray").removeprefix("://")
        return ray_cluster(address, jobs, means if address else means.shared(jobs))
    raise EngineError(f"engine={engine!r} is not known: write {', '.join(ENGINES)}")


class _Here(Executor):
    """Runs a call when it is submitted, in this thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@contextmanager
def _given(executor: Executor, jobs: int, means: Means) -> Generator[Crew]:
    yield Crew(executor, lambda: jobs, partial(fly, means))


def fly(
    means: Means, trials: Sequence[Trial], stopped: Callable[[], bool] = lambda: False
) -> list[Kept]:
    """Train a population in this process; `stopped` says that nobody wants it any more."""
    # Here, because a process that only hands out work has no use for torch.
    from lehr.lab.training import population

    begun = time.process_time()
    outcomes = population.run(trials, stopped, **means._asdict())
    seconds = (time.process_time() - begun) / len(outcomes)
    return [Kept(outcome, seconds) for outcome in outcomes]


def same_lehr(wanted: str) -> None:
    """Check on a worker that its lehr is the one that asks: outcomes might not compare."""
    if wanted != __version__:
        raise WorkerError(f"a worker has lehr {__version__}, and this is {wanted}: install one")


def twice(count: Callable[[], float]) -> Callable[[], int]:
    """Twice as many flights as can be trained at a time, so that none waits for the next."""
    asked, width = -_FRESH, 1

    def wide() -> int:
        nonlocal asked, width
        if time.monotonic() - asked >= _FRESH:
            counted = int(count())
            asked, width = time.monotonic(), max(1, 2 * counted)
        return width

    return wide


def ask(
    question: Callable[..., _Answer], things: Sequence[tuple[Any, ...]], by: Crew
) -> list[_Answer]:
    """Ask the workers something about each of these things.

    Raises:
        WorkerError: If a worker dies over one of them again and again, or workers cannot work.
    """
    futures = [by.executor.submit(question, *thing) for thing in things]
    answers: list[_Answer] = []
    for thing, future in zip(things, futures, strict=True):
        for _ in range(_TRIES):
            landed, answer = _landed(future, by)
            if landed:
                answers.append(answer)
                break
            future = by.executor.submit(question, *thing)
        else:
            raise WorkerError(f"{_TRIES} workers died before they trained anything")
    return answers


class _Work(NamedTuple):
    """Flights that one worker trains together, and how many workers died over them."""

    flights: list[Flight]
    deaths: int = 0

    @property
    def trials(self) -> list[Trial]:
        """All of them, in order."""
        return [trial for flight in self.flights for trial in flight.trials]

    def parted(self, kept: list[Kept]) -> Generator[tuple[Flight, list[Kept]]]:
        """Yield each flight with what came of it."""
        left = iter(kept)
        for flight in self.flights:
            yield flight, list(islice(left, len(flight.trials)))

    def again(self) -> list[_Work]:
        """What to fly when the worker died.

        The first time it may have been any reason. After that it is taken for the work itself,
        most likely its memory, and cut in halves until the trial is alone that does it.

        Raises:
            WorkerError: If it is alone.
        """
        deaths = self.deaths + 1
        if not self.deaths:
            return [_Work(self.flights, deaths)]
        if len(self.flights) > 1:
            half = len(self.flights) // 2
            return [_Work(part, deaths) for part in (self.flights[:half], self.flights[half:])]
        ((pair, trials),) = self.flights
        if len(trials) == 1:
            (trial,) = trials
            raise WorkerError(
                f"{deaths} workers died while they trained {pair} at a peak rate of "
                f"{trial.peak:g} with seed {trial.seed}: were they out of memory?"
            )
        half = len(trials) // 2
        return [_Work([Flight(pair, part)], deaths) for part in (trials[:half], trials[half:])]


def run(take: Callable[[], list[Flight]], by: Crew) -> Generator[tuple[Flight, list[Kept]]]:
    """Train what there is to train.

    A worker that dies costs time only: its work is done again, and then in parts.

    Arguments:
        take: Gives what a worker shall train next: flights that can be trained side by side; none
            where there is nothing now. It is asked again when some have ended.
        by: Who trains.

    Yields:
        Each flight as it ends, or a part of it, with what came of its trials, in their order.

    Raises:
        WorkerError: If a trial's workers die again and again, or workers cannot work at all.
    """
    flying: dict[Future[list[Kept]], _Work] = {}
    dropped: deque[_Work] = deque()
    while True:
        while len(flying) < by.width():
            work = dropped.popleft() if dropped else _Work(take())
            if not work.flights:
                break
            flying[by.executor.submit(by.fly, work.trials)] = work
        if not flying:
            return
        done, _ = wait(flying, return_when=FIRST_COMPLETED)
        for future in done:
            work = flying.pop(future)
            landed, kept = _landed(future, by)
            if landed:
                yield from work.parted(kept)
            else:
                # In front, so that what goes wrong is known early.
                dropped.extendleft(reversed(work.again()))


def _landed(future: Future[_Answer], by: Crew) -> tuple[bool, _Answer]:
    """Whether a call came to its end, and with what; it did not if its worker died."""
    try:
        return True, future.result()
    except by.lost:
        return False, cast(_Answer, None)
    except CancelledError as error:
        raise WorkerError(
            "the work was given back undone: is the scheduler still there?"
        ) from error
    except ImportError as error:
        raise WorkerError(
            f"a worker cannot import what it needs ({error}): install it where the workers are"
        ) from error
