"""Work handed out: here, or to processes."""

import dataclasses
import multiprocessing
from collections import deque
from collections.abc import Callable
from contextlib import closing

import pytest

from lehr.lab.engine import WorkerError, run
from lehr.lab.plan import Flight, Plan, Size

PLAN = Plan(size=Size(steps=10, seeds=2, tuning_seeds=1, peaks=(0.1,)))
FLIGHTS = [Flight(pair, PLAN.scoring(pair, 0.1)) for pair in PLAN.pairs[:4]]


def queue(flights: list[Flight]) -> Callable[[], Flight | None]:
    left = deque(flights)
    return lambda: left.popleft() if left else None


def test_processes_give_what_this_process_gives() -> None:
    here = {flight.pair: kept for flight, kept in run(queue(FLIGHTS), jobs=1)}
    there = {flight.pair: kept for flight, kept in run(queue(FLIGHTS), jobs=2)}
    assert here.keys() == there.keys() == {flight.pair for flight in FLIGHTS}
    for pair, kept in here.items():
        assert [k.outcome for k in kept] == [k.outcome for k in there[pair]]
        assert all(k.seconds > 0 for k in [*kept, *there[pair]])
    assert not multiprocessing.active_children()


def test_there_may_be_more_once_something_has_ended() -> None:
    left, seen = deque(FLIGHTS[:1]), []
    for flight, _ in run(lambda: left.popleft() if left else None, jobs=1):
        seen.append(flight.pair)
        if len(seen) == 1:
            left.append(FLIGHTS[3])
    assert seen == [FLIGHTS[0].pair, FLIGHTS[3].pair]


def test_nothing_to_do_starts_nothing() -> None:
    assert list(run(queue([]), jobs=2)) == []
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_leaving_early_stops_what_is_under_way() -> None:
    # Minutes of training each, unless they are stopped.
    plan = Plan(size=dataclasses.replace(PLAN.size, steps=200_000))
    long = [Flight(pair, plan.scoring(pair, 0.1)) for pair in plan.pairs[:4]]
    with closing(run(queue([FLIGHTS[0], *long]), jobs=2)) as finished:
        next(finished)
        assert multiprocessing.active_children()
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_a_killed_worker_is_told() -> None:
    with closing(run(queue(FLIGHTS), jobs=2)) as finished:
        next(finished)
        for child in multiprocessing.active_children():
            child.kill()
        with pytest.raises(WorkerError, match="a worker process died"):
            list(finished)
