"""Several schedulers on one optimizer: their factors multiply, in torch's containers too."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import weakref
from collections.abc import Callable
from itertools import permutations, product
from typing import Any

import pytest
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ChainedScheduler, SequentialLR

import lehr
import lehr.torch as ours
from driving import KINDS, drive, make_optimizer, rates, worst
from lehr.torch import Scheduler, absolute

STEPS = 40
Make = Callable[[Optimizer], Any]

FACTORS: dict[str, tuple[Make, Callable[[int], float]]] = {
    "step": (lambda o: ours.StepLR(o, 7, 0.5), lambda t: 0.5 ** (t // 7)),
    "exponential": (lambda o: ours.ExponentialLR(o, 0.9), lambda t: 0.9**t),
    "linear": (
        lambda o: ours.LinearLR(o, 0.2, 1.0, 10),
        lambda t: 0.2 + 0.8 * min(t, 10) / 10,
    ),
    "polynomial": (
        lambda o: ours.PolynomialLR(o, 50, 2.0),
        lambda t: (1 - min(t, 50) / 50) ** 2,
    ),
    "scheduler": (
        lambda o: Scheduler(o, lehr.warmup(5) >> lehr.linear(60, to=0.1)),
        lambda t: t / 5 if t < 5 else 1 - 0.9 * min(t - 5, 60) / 60,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("first", "second"), list(permutations(FACTORS, 2)))
def test_two_schedulers_multiply(kind: str, first: str, second: str):
    optimizer = make_optimizer(kind, (0.1, 0.3))
    (make, one), (make_other, two) = FACTORS[first], FACTORS[second]
    a, b = make(optimizer), make_other(optimizer)
    for t in range(STEPS):
        wanted = [base * one(t) * two(t) for base in (0.1, 0.3)]
        assert rates(optimizer) == pytest.approx(wanted, rel=1e-12)
        optimizer.step()
        a.step()
        b.step()


def test_the_ones_that_move_are_heard_at_once():
    optimizer = make_optimizer()
    a, b = ours.ExponentialLR(optimizer, 0.5), ours.StepLR(optimizer, 2, 0.1)
    optimizer.step()
    a.step()
    assert rates(optimizer) == pytest.approx([0.05])
    b.seek(2)
    assert rates(optimizer) == pytest.approx([0.005])
    a.seek(0)
    assert rates(optimizer) == pytest.approx([0.01])


def test_a_floor_of_one_stays_in_the_product():
    """(eta + (base - eta) * s) * gamma**t, as the algebra has it."""
    optimizer = make_optimizer(rates=(0.5,))
    a = ours.CosineAnnealingLR(optimizer, T_max=20, eta_min=0.1)
    b = ours.ExponentialLR(optimizer, 0.9)
    run = lehr.cosine(20)
    for t in range(15):
        assert rates(optimizer) == pytest.approx([(0.1 + 0.4 * run(t)) * 0.9**t], rel=1e-12)
        optimizer.step()
        a.step()
        b.step()


def test_of_those_without_a_base_the_last_mover_speaks_and_factors_join():
    optimizer = make_optimizer(rates=(0.5,))
    a = Scheduler(optimizer, absolute(lehr.constant(0.2)), guards="off")
    b = Scheduler(optimizer, absolute(lehr.linear(10, start=0.8)), guards="off")
    half = ours.ExponentialLR(optimizer, 0.5)
    assert rates(optimizer) == [0.8]
    optimizer.step()
    half.step()
    assert rates(optimizer) == [0.4]
    a.step()
    assert rates(optimizer) == [0.1]
    b.step()
    assert rates(optimizer) == pytest.approx([0.36])


def test_a_scheduler_that_is_no_more_is_not_heard():
    optimizer = make_optimizer()
    first = ours.ExponentialLR(optimizer, 0.5)
    drive(optimizer, first, 3)
    second = ours.StepLR(optimizer, 100, 0.5)
    assert rates(optimizer) == [0.0125]
    del first
    assert rates(optimizer) == [0.1], "the second begins at the base, as if it had been alone"
    drive(optimizer, second, 100)
    assert rates(optimizer) == [0.05]


def test_one_that_goes_on_replaces_the_one_before():
    optimizer = make_optimizer()
    before = ours.ExponentialLR(optimizer, 0.5)
    drive(optimizer, before, 3)
    ours.ExponentialLR(optimizer, 0.5, last_epoch=2)
    assert rates(optimizer) == [0.0125]


@pytest.mark.parametrize("kind", ["sgd", "adamw-tensor"])
def test_torchs_sequence_of_ours_is_one_after_the_other(kind: str):
    def build(optimizer: Optimizer) -> Any:
        children = [
            ours.LinearLR(optimizer, 0.1, 1.0, 5),
            ours.CosineAnnealingLR(optimizer, 20),
            ours.ExponentialLR(optimizer, 0.9),
        ]
        return SequentialLR(optimizer, children, [5, 15])

    shape = lehr.linear(5, start=0.1, to=1.0) >> lehr.cosine(20)[:10] >> lehr.exponential(0.9)
    optimizer = make_optimizer(kind, (0.1, 0.3))
    container = build(optimizer)
    table = lehr.exponential(0.9)
    for t in range(30):
        factor = shape(t) if t < 15 else table(t - 15)
        assert rates(optimizer) == pytest.approx([0.1 * factor, 0.3 * factor], rel=1e-12)
        optimizer.step()
        container.step()


def torchs_chain(optimizer: Optimizer) -> Any:
    return ChainedScheduler([make(optimizer) for make, _ in list(FACTORS.values())[:4]])


def torchs_sequence(optimizer: Optimizer) -> Any:
    children = [make(optimizer) for make, _ in list(FACTORS.values())[:4]]
    return SequentialLR(optimizer, children, [4, 12, 30])


def torchs_sequence_with_one_cycle(optimizer: Optimizer) -> Any:
    children = [
        ours.LinearLR(optimizer, 0.5, 1.0, 5),
        ours.OneCycleLR(optimizer, 1.0, 30, cycle_momentum=False),
    ]
    return SequentialLR(optimizer, children, [5])


def torchs_chain_of_a_sequence(optimizer: Optimizer) -> Any:
    inner = SequentialLR(
        optimizer, [ours.LinearLR(optimizer, 0.5, 1.0, 5), ours.StepLR(optimizer, 4, 0.5)], [5]
    )
    return ChainedScheduler([inner, ours.ExponentialLR(optimizer, 0.95)])


CONTAINERS = {
    "chain": torchs_chain,
    "sequence": torchs_sequence,
    "sequence with one cycle": torchs_sequence_with_one_cycle,
    "chain of a sequence": torchs_chain_of_a_sequence,
}


def test_torchs_chain_of_ours_is_the_product():
    optimizer = make_optimizer(rates=(0.1, 0.3))
    chain = torchs_chain(optimizer)
    for t in range(STEPS):
        factor = 1.0
        for _, shape in list(FACTORS.values())[:4]:
            factor *= shape(t)
        assert rates(optimizer) == pytest.approx([0.1 * factor, 0.3 * factor], rel=1e-12)
        optimizer.step()
        chain.step()


def reload(state: Any) -> Any:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


# The sequence with a one-cycle ends after 35 steps, of which 12 are taken after the load.
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "position"),
    [
        (name, position)
        for name, position in product(CONTAINERS, [0, 3, 5, 14, 33])
        if (name, position) != ("sequence with one cycle", 33)
    ],
)
def test_torchs_containers_of_ours_resume_in_every_order(name: str, kind: str, position: int):
    build = CONTAINERS[name]
    optimizer = make_optimizer(kind, (0.1, 0.3))
    container = build(optimizer)
    drive(optimizer, container, position)
    saved, state = reload(optimizer.state_dict()), reload(container.state_dict())
    wanted = drive(optimizer, container, 12)
    for order in ("build optimizer scheduler", "build scheduler optimizer",
                  "optimizer build scheduler"):  # fmt: skip
        fresh = make_optimizer(kind, (0.1, 0.3))
        built: Any = None
        for what in order.split():
            if what == "build":
                built = build(fresh)
            elif what == "optimizer":
                fresh.load_state_dict(copy.deepcopy(saved))
            else:
                built.load_state_dict(copy.deepcopy(state))
        assert drive(fresh, built, 12) == wanted, order


def test_a_copy_of_an_optimizer_and_its_schedulers_goes_its_own_way():
    optimizer = make_optimizer()
    pair = [ours.ExponentialLR(optimizer, 0.9), ours.StepLR(optimizer, 3, 0.5)]
    for scheduler in pair:
        drive(optimizer, scheduler, 5)
    for again in (copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))):
        twin, schedulers = again((optimizer, pair))
        assert rates(twin) == rates(optimizer)
        for scheduler in schedulers:
            drive(twin, scheduler, 4)
        assert rates(twin) == pytest.approx([0.1 * 0.9**9 * 0.5**3])
        assert rates(optimizer) == pytest.approx([0.1 * 0.9**5 * 0.5**1])


@pytest.mark.parametrize("how_many", [1, 2])
def test_nothing_is_kept_alive(how_many: int):
    """Without the garbage collector: there is no cycle."""
    gc.collect()
    gc.disable()
    try:
        optimizer = make_optimizer(rates=(0.1, 0.3))
        makers = list(FACTORS.values())[-how_many:]
        schedulers = [make(optimizer) for make, _ in makers]
        for scheduler in schedulers:
            drive(optimizer, scheduler, 3)
        dead = [weakref.ref(optimizer), *(weakref.ref(s) for s in schedulers)]
        del scheduler, schedulers
        assert [ref() for ref in dead[1:]] == [None] * how_many
        del optimizer
        assert dead[0]() is None
    finally:
        gc.enable()


def test_a_scheduler_can_be_built_on_a_compiled_step():
    optimizer = make_optimizer()
    optimizer.step = torch.compile(optimizer.step, backend="eager")  # pyright: ignore
    scheduler = Scheduler(optimizer, lehr.linear(10))
    assert rates(optimizer) == [0.1]
    scheduler.seek(5)
    assert rates(optimizer) == [0.05]


def test_momentum_and_rate_may_be_driven_by_two():
    optimizer = make_optimizer()
    Scheduler(optimizer, lehr.linear(10)).seek(5)
    a = Scheduler(optimizer, lehr.linear(10))
    b = Scheduler(optimizer, momentum=lehr.linear(10, start=0.9, to=0.4))
    optimizer.step()
    a.step()
    b.step()
    assert rates(optimizer) == pytest.approx([0.09])
    assert optimizer.param_groups[0]["momentum"] == pytest.approx(0.85)


def test_torchs_own_beside_ours_is_heard():
    """A rate that torch's plateau lowers is a change by hand: the schedule goes on from it."""
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, lehr.linear(100))
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    for t in range(10):
        wanted = 0.1 * (1 - t / 100) * 0.5 ** min(max(t - 1, 0), 2)
        assert rates(optimizer) == pytest.approx([wanted])
        optimizer.step()
        scheduler.step()
        plateau.step(1.0 if t in (1, 2) else float(-t))


def test_containers_of_torchs_agree_with_torchs_own_children():
    import torch.optim.lr_scheduler as theirs

    def build(module: Any, optimizer: Optimizer) -> Any:
        return SequentialLR(
            optimizer,
            [
                module.LinearLR(optimizer, 0.1, 1.0, 5),
                module.CosineAnnealingLR(optimizer, 20),
                module.ExponentialLR(optimizer, 0.9),
            ],
            [5, 15],
        )

    runs = []
    for module in (ours, theirs):
        optimizer = make_optimizer(rates=(0.1, 0.3))
        runs.append(drive(optimizer, build(module, optimizer), 30))
    assert worst(*runs) < 1e-12


@pytest.mark.parametrize("absolute_first", [False, True])
def test_a_rate_set_by_hand_is_no_base_where_one_does_not_depend_on_it(absolute_first: bool):
    optimizer = make_optimizer()
    makers = [
        lambda: Scheduler(optimizer, lehr.linear(10)),
        lambda: Scheduler(optimizer, absolute(lehr.constant(0.5))),
    ]
    both = [make() for make in (reversed(makers) if absolute_first else makers)]
    for rate in (0.45, 0.4):
        optimizer.step()
        for scheduler in both:
            scheduler.step()
        assert rates(optimizer) == pytest.approx([rate])
        optimizer.param_groups[0]["lr"] = 9.0
    assert optimizer.param_groups[0]["initial_lr"] == 0.1
