"""Schedules over a time: they follow what really passes, and resume where they were."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
import torch

import lehr
from driving import KINDS, drive, make_optimizer, rates
from lehr import NeedsClock, ScheduleError
from lehr.torch import Scheduler


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1234.5

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("kind", KINDS)
def test_it_follows_the_time_that_passes(kind: str):
    clock = Clock()
    optimizer = make_optimizer(kind, (0.1, 0.3))
    scheduler = Scheduler(optimizer, lehr.linear(), over="90min", clock=clock)
    passed = 0.0
    for seconds in (60, 600, 0, 1200, 2000, 5000):
        left = max(1 - passed / 5400, 0)
        assert rates(optimizer) == pytest.approx([0.1 * left, 0.3 * left])
        clock.now += seconds
        passed += seconds
        optimizer.step()
        scheduler.step()
    assert rates(optimizer) == [0.0, 0.0]


@pytest.mark.parametrize("kind", ["sgd", "adamw-tensor"])
def test_it_resumes_in_every_order(kind: str):
    schedule = lehr.warmup(10) >> lehr.hold() >> lehr.cosine("20s", to=0.1)
    random.seed(5)
    times = [random.choice([0.0, 0.5, 1.0, 3.0, 9.0]) for _ in range(60)]
    clock = Clock()

    def build(optimizer: Any, clock: Clock) -> Scheduler:
        fall = lehr.linear(start=0.9, to=0.5)
        return Scheduler(optimizer, schedule, over="100s", momentum=fall, clock=clock)

    def train(optimizer: Any, scheduler: Any, clock: Clock, times: list[float]) -> list[Any]:
        rows = []
        for seconds in times:
            rows.append(rates(optimizer))
            clock.now += seconds
            optimizer.step()
            scheduler.step()
        return rows

    optimizer = make_optimizer(kind)
    scheduler = build(optimizer, clock)
    for at in (0, 7, 11, 40):
        optimizer = make_optimizer(kind)
        scheduler = build(optimizer, clock)
        train(optimizer, scheduler, clock, times[:at])
        saved = copy.deepcopy(optimizer.state_dict())
        state = json.loads(json.dumps(scheduler.state_dict()))
        wanted = train(optimizer, scheduler, clock, times[at:])
        for order in ("build optimizer scheduler", "build scheduler optimizer",
                      "optimizer build scheduler"):  # fmt: skip
            fresh, other = make_optimizer(kind), Clock()
            other.now = 9.0
            built: Any = None
            for what in order.split():
                other.now += 1000.0  # time between processes does not count
                if what == "build":
                    built = build(fresh, other)
                elif what == "optimizer":
                    fresh.load_state_dict(copy.deepcopy(saved))
                else:
                    built.load_state_dict(state)
            built.skip_time()
            assert train(fresh, built, other, times[at:]) == wanted, (at, order)


def test_what_needs_steps_is_refused_by_name():
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, lehr.linear(), over="1h", clock=Clock())
    for refused in (
        lambda: scheduler.seek(10),
        lambda: scheduler.cooldown(10),
        lambda: scheduler.extend(10),
    ):
        with pytest.raises(NeedsClock, match="follows elapsed time"):
            refused()
        assert rates(optimizer) == [0.1]
        assert scheduler.last_epoch == 0
    optimizer.param_groups[0]["initial_lr"] = 0.1
    with pytest.raises(NeedsClock):
        Scheduler(optimizer, lehr.linear(), over="1h", last_epoch=5)


def test_a_state_without_a_clock_is_refused():
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, lehr.linear(), over="1h", clock=Clock())
    state = scheduler.state_dict()
    del state["clocks"]
    with pytest.raises(ScheduleError, match="0 clocks"):
        scheduler.load_state_dict(state)


def test_time_may_be_left_out():
    clock = Clock()
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, lehr.linear(), over="100s", clock=clock)
    clock.now += 50
    scheduler.skip_time()
    clock.now += 10
    drive(optimizer, scheduler, 1)
    assert rates(optimizer) == pytest.approx([0.09])


def _rank(rank: int, port: int, results: Any) -> None:
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    clock = Clock()
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = Scheduler(optimizer, lehr.linear(), over="100s", clock=clock)
    rows = []
    for _ in range(5):
        clock.now += 7.0 if rank == 0 else 1.0
        optimizer.step()
        scheduler.step()
        rows.append(scheduler.get_last_lr()[0])
    results.put((rank, rows))
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.slow
def test_all_ranks_go_by_the_clock_of_the_first():
    import socket

    import torch.multiprocessing as mp

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = mp.get_context("spawn")
    results = context.SimpleQueue()
    processes = [context.Process(target=_rank, args=(rank, port, results)) for rank in range(2)]
    for process in processes:
        process.start()
    found = dict(results.get() for _ in processes)
    for process in processes:
        process.join(60)
    assert found[0] == found[1] == pytest.approx([0.1 * (1 - 0.07 * k) for k in range(1, 6)])
