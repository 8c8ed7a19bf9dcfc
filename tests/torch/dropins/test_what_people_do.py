"""People's uses of a live scheduler, beside live torch, step by step."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

from driving import make_optimizer, read
from twins import ARGUMENTS, PLATEAU, Run, build, flat, saved, scheduler_class

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

Rows = list[list[tuple[float, float]]]
SIDES = ("torch", "lehr")


def write(run: Run, value: float) -> None:
    """Write the rate of every group."""
    for group in run.optimizer.param_groups:
        group["lr"] = value


def resumed(side: str, name: str, run: Run, states: tuple[Any, Any]) -> Run:
    """Return a new run that goes on from the states of a scheduler and of an optimizer."""
    scheduler_state, optimizer_state = copy.deepcopy(states)
    fresh = build(side, name)
    fresh.scheduler.load_state_dict(scheduler_state)
    fresh.optimizer.load_state_dict(optimizer_state)
    fresh.made = run.made
    return fresh


def written_and_saved(side: str, name: str) -> Rows:
    """A rate written by hand just before the optimizer is saved is the one that is saved."""
    run = build(side, name)
    run.steps(3)
    write(run, 0.02)
    state = run.optimizer.state_dict()
    now = [[(group["lr"], 0.0) for group in state["param_groups"]], read(run.optimizer)]
    return now + run.steps(6)


def scheduler_saved_first(side: str, name: str) -> Rows:
    run = build(side, name)
    run.steps(3)
    write(run, 0.02)
    states = saved(run), run.optimizer.state_dict()
    return resumed(side, name, run, states).steps(6)


def optimizer_saved_first(side: str, name: str) -> Rows:
    run = build(side, name)
    run.steps(3)
    run.optimizer.param_groups[1]["lr"] *= 0.5
    optimizer_state = run.optimizer.state_dict()
    return resumed(side, name, run, (saved(run), optimizer_state)).steps(6)


def warmup_of_rates(side: str, name: str) -> Rows:
    run, rows = build(side, name), []
    for done in range(12):
        if done < 5:
            write(run, 0.1 * (done + 1) / 5)
        rows.append(read(run.optimizer))
        run.step()
    return rows


def warmup_of_factors(side: str, name: str) -> Rows:
    run, rows = build(side, name), []
    for done in range(12):
        for group in run.optimizer.param_groups if done < 5 else ():
            group["lr"] *= (done + 1) / 5
        rows.append(read(run.optimizer))
        run.step()
    return rows


def warmup_without_steps(side: str, name: str) -> Rows:
    """The scheduler is stepped only after the warmup that is written by hand."""
    run, rows = build(side, name), []
    for done in range(5):
        write(run, 0.1 * (done + 1) / 5)
        run.optimizer.step()
        rows.append(read(run.optimizer))
    return rows + run.steps(6)


def deep_copies(side: str, name: str) -> Rows:
    run = build(side, name)
    run.steps(4)
    twin = Run(*copy.deepcopy((run.optimizer, run.scheduler)), made=run.made)
    return twin.steps(6) + run.steps(6)


def rolled_back(side: str, name: str) -> Rows:
    run = build(side, name)
    run.steps(3)
    states = copy.deepcopy((saved(run), run.optimizer.state_dict()))
    run.steps(3)
    run.scheduler.load_state_dict(states[0])
    run.optimizer.load_state_dict(states[1])
    run.made = 3
    return run.steps(5)


def bases_in_place(side: str, name: str) -> Rows:
    run = build(side, name)
    run.steps(2)
    for index in range(len(getattr(run.scheduler, "base_lrs", []))):
        run.scheduler.base_lrs[index] *= 0.5
    return run.steps(8)


def stopped(side: str, name: str) -> Rows:
    run = build(side, name)
    run.steps(2)
    write(run, 0.0)
    return run.steps(8)


def made_tensors(side: str, name: str) -> Rows:
    run = build(side, name)
    run.steps(2)
    for group in run.optimizer.param_groups:
        group["lr"] = torch.tensor(float(group["lr"]), dtype=torch.float64)
    return run.steps(8)


def a_group_replaced(side: str, name: str) -> Rows:
    run = build(side, name)
    run.steps(2)
    run.optimizer.param_groups[0] = dict(run.optimizer.param_groups[0])
    return run.steps(6)


DONE: list[Callable[[str, str], Rows]] = [
    *[written_and_saved, scheduler_saved_first, optimizer_saved_first, warmup_of_rates],
    *[warmup_of_factors, warmup_without_steps, deep_copies, rolled_back, bases_in_place, stopped],
    *[made_tensors, a_group_replaced],
]


@pytest.mark.parametrize("done", DONE, ids=lambda done: done.__name__)
@pytest.mark.parametrize("name", ARGUMENTS)
def test_as_torch(name: str, done: Callable[[str, str], Rows]):
    expected, found = (done(side, name) for side in SIDES)
    assert flat(found) == pytest.approx(flat(expected), rel=1e-9, abs=1e-12)


# ----- in a sequence ------------------------------------------------------------------------------

CHILDREN = [name for name in ARGUMENTS if name not in (PLATEAU, "SWALR", "MultiplicativeLR")]


def sequence(side: str, name: str) -> Run:
    """Return a warmup that is followed by a drop-in of this name."""
    optimizer = make_optimizer("sgd", (0.1, 0.3))
    parts = [
        scheduler_class(side, "LinearLR")(optimizer, 0.1, total_iters=4),
        scheduler_class(side, name)(optimizer, **ARGUMENTS[name]),
    ]
    return Run(optimizer, scheduler_class(side, "SequentialLR")(optimizer, parts, [4]))


@pytest.mark.parametrize("at", [2, 6])
@pytest.mark.parametrize("name", CHILDREN)
def test_written_in_a_sequence_and_resumed(name: str, at: int):
    """Also where one of the children has rates of its own, and it is not its turn."""
    found: dict[str, Rows] = {}
    for side in SIDES:
        run = sequence(side, name)
        run.steps(at)
        write(run, 0.02)
        states = copy.deepcopy((saved(run), run.optimizer.state_dict()))
        fresh = sequence(side, name)
        fresh.scheduler.load_state_dict(states[0])
        fresh.optimizer.load_state_dict(states[1])
        fresh.made = at
        found[side] = run.steps(9) + fresh.steps(9)
    assert flat(found["lehr"]) == pytest.approx(flat(found["torch"]), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", [name for name in CHILDREN if name != "OneCycleLR"])
def test_the_bases_of_a_child(name: str):
    """Set as a whole, and one of them in place afterwards."""
    found: dict[str, Rows] = {}
    for side in SIDES:
        run = sequence(side, name)
        run.steps(5)
        child = run.scheduler._schedulers[1]
        child.base_lrs = [0.05, 0.3]
        rows = run.steps(2)
        child.base_lrs[1] = 0.1
        found[side] = rows + run.steps(5)
    assert flat(found["lehr"]) == pytest.approx(flat(found["torch"]), rel=1e-9, abs=1e-12)


# ----- there and back -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in ARGUMENTS if name != "OneCycleLR"])
def test_from_one_to_the_other_and_back(name: str):
    """Torch keeps each key that it has loaded, and saves it again: what is stale is not read."""
    run = build("torch", name)
    run.steps(3)
    for side in ("lehr", "torch", "lehr"):
        states = copy.deepcopy((saved(run), run.optimizer.state_dict()))
        run = resumed(side, name, run, states)
        run.steps(2)
    reference = build("torch", name)
    reference.steps(9)
    assert flat(run.steps(4)) == pytest.approx(flat(reference.steps(4)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("at", [3, 7])
def test_torchs_one_cycle_is_built_after_the_optimizer_was_loaded(at: int):
    """Its start is written into the groups when it is built, in place of the base rate."""
    run = build("lehr", "OneCycleLR")
    run.steps(at)
    states = copy.deepcopy((saved(run), run.optimizer.state_dict()))
    optimizer = make_optimizer("sgd", (0.1, 0.3))
    optimizer.load_state_dict(states[1])
    scheduler = scheduler_class("torch", "OneCycleLR")(optimizer, **ARGUMENTS["OneCycleLR"])
    scheduler.load_state_dict(states[0])
    found = Run(optimizer, scheduler, made=at).steps(8)
    reference = build("torch", "OneCycleLR")
    reference.steps(at)
    assert flat(found) == pytest.approx(flat(reference.steps(8)), rel=1e-9, abs=1e-12)
