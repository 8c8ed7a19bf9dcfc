"""Schedules in torch.compile: one graph without a break, the same numbers, finite derivatives."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

import lehr
from helpers import assert_same
from lehr import ENTRIES, Entry, Schedule

torch = pytest.importorskip("torch")

RUN = 200
STEPS = np.arange(RUN + 10)

# What traces a graph and its derivatives, without the minutes that a compiler of C++ takes.
BACKEND = "aot_eager"


def zigzag(count: int, *eases: str) -> Schedule:
    """Return pieces of ten steps down and up, with the eases in turn."""
    pieces = [
        lehr.ramp(10, to=0.5 + 0.5 * (i % 2), ease=eases[i // 2 % len(eases)]) for i in range(count)
    ]
    return functools.reduce(lambda a, b: a >> b, pieces)


def check(schedule: Schedule, steps: np.ndarray, backend: str = BACKEND) -> None:
    """Compile a schedule that has never been asked, and compare it with NumPy's values."""
    torch.compiler.reset()
    compiled = torch.compile(schedule, fullgraph=True, backend=backend)
    assert_same(compiled(torch.from_numpy(steps)), schedule(steps), 1e-13)
    # Between the steps, on them and on every boundary.
    real = torch.from_numpy(np.union1d(steps, steps + 0.5)).requires_grad_()
    # A staircase does not depend on the step as far as torch can see.
    levels = compiled(real) + 0 * real
    (slopes,) = torch.autograd.grad(levels.sum(), real)
    assert torch.isfinite(slopes).all()


@pytest.mark.slow
@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.name)
def test_the_whole_catalogue(entry: Entry) -> None:
    check(entry.example.over(RUN), STEPS)


@pytest.mark.parametrize(
    "schedule",
    [
        lehr.warmup(10) >> lehr.cosine(50),
        lehr.warmup(10) >> lehr.hold(20) >> lehr.ramp(50, ease="1-sqrt"),
        lehr.cosine(20).repeat(stretch="4/3", scale=0.5),
        lehr.noise(0.1, std=0.1) * lehr.radam_warmup(0.99),
        lehr.multistep(range(5, 100, 5), gamma=0.9),
        zigzag(20, "1-sqrt", "cosine", "k-cosine(0.5)") * lehr.exponential(0.9),
        lehr.table([n % 7 / 7 for n in range(1_000)]),
        # Levels, jumps and decays among the pieces, and an end that none of them reaches.
        (
            zigzag(9, "1-sqrt", "power(0.5)")
            >> lehr.hold(5, at=0.2)
            >> lehr.ramp(8, to=0.9, log=True)
            >> lehr.hold(0, at=0.3)
        )[3:],
        zigzag(10, "cosine") >> lehr.exponential(0.99),
        lehr.ramp("4.1st", start=1.0, ease="power(1.5)").repeat(12) >> lehr.linear(5, to=1.0),
    ],
    ids=lambda schedule: repr(schedule)[:30],
)
def test_it_need_not_be_asked_before_it_is_compiled(schedule: Schedule) -> None:
    check(schedule, STEPS)


def test_a_thousand_pieces_are_as_few_operations_as_ten() -> None:
    def operations(schedule: Schedule) -> int:
        graphs: list[int] = []

        def count(graph: torch.fx.GraphModule, _: object) -> torch.fx.GraphModule:
            graphs.append(len(graph.graph.nodes))
            return graph

        torch.compiler.reset()
        torch.compile(schedule, fullgraph=True, backend=count)(torch.arange(10))
        (only,) = graphs
        return only

    eases = ("linear", "cosine", "1-sqrt")
    assert operations(zigzag(1_000, *eases)) == operations(zigzag(12, *eases)) < 70
    many, few = (lehr.multistep(range(1, n), gamma=0.99) for n in (1_000, 12))
    assert operations(many) == operations(few) < 50


# What torch's compiler imports of torch's own is deprecated by torch.
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
@pytest.mark.slow
def test_a_thousand_pieces_in_machine_code() -> None:
    check(zigzag(1_000, "linear", "cosine", "1-sqrt"), np.arange(10_010), "inductor")


def test_inside_a_function_of_the_users() -> None:
    schedule = (lehr.warmup("10%") >> lehr.cosine()).over(100)
    torch.compiler.reset()

    @torch.compile(fullgraph=True, backend=BACKEND)
    def step(weight: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return weight - schedule(t) * 0.1

    for t in (0, 5, 10, 50, 100):
        given = step(torch.ones(3, dtype=torch.float64), torch.tensor(t))
        np.testing.assert_allclose(given, 1 - 0.1 * schedule(t), rtol=1e-14)


@pytest.mark.parametrize(
    ("ease", "inside"),
    [
        ("1-sqrt", lambda u: -0.5 / math.sqrt(u)),
        ("complement(0.3)", lambda u: -0.3 * u**-0.7),
        ("linear", lambda u: -1.0),
        ("1-square", lambda u: -2 * u),
    ],
)
@pytest.mark.parametrize("count", [1, 12])
def test_derivatives_where_pieces_begin(ease: str, inside, count: int) -> None:
    """A slope without bound is given as 0 at the one point, and is right beside it."""
    s = functools.reduce(lambda a, b: a >> b, [lehr.ramp(8, start=1.0, ease=ease)] * count)
    steps = np.arange(0, 8 * count, 0.5)
    t = torch.from_numpy(steps).requires_grad_()
    (slopes,) = torch.autograd.grad(s(t).sum(), t)
    u = steps % 8 / 8
    expected = [inside(x) / 8 if x or ease in ("linear", "1-square") else 0.0 for x in u]
    np.testing.assert_allclose(slopes, expected, rtol=1e-12)
