"""Loads and set attributes, in every order: a drop-in goes on as torch's class does."""

import copy
from typing import Any

import pytest
from test_dropins_attributes import CHANGES, REFUSED

import lehr
import lehr.torch as ours
from driving import make_optimizer, rates
from twins import ARGUMENTS, SIDES, Run, build, flat, saved

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

RESTARTS = "CosineAnnealingWarmRestarts"
SET = [
    (name, what) for name, all_ in CHANGES.items() for what, _ in all_ if "last_epoch" not in what
]


def same(pair: list[Any]) -> None:
    """Check that both runs had the same numbers, torch's first."""
    assert flat(pair[1]) == pytest.approx(flat(pair[0]), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("kind", ["sgd", "sgd-tensor"])
@pytest.mark.parametrize("here", [0, 1, 6])
@pytest.mark.parametrize("there", [0, 1, 7])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_optimizer_alone_is_loaded(name: str, there: int, here: int, kind: str):
    """Recursive classes go on from the loaded rate, the others from their own position."""
    pair: list[Any] = []
    for side in SIDES:
        old, run = build(side, name, kind=kind), build(side, name, kind=kind)
        old.steps(there)
        run.steps(here)
        run.optimizer.load_state_dict(old.optimizer.state_dict())
        pair.append([[(rate, 0.0) for rate in rates(run.optimizer)], *run.steps(9)])
    same(pair)


def test_a_schedulers_position_outlasts_a_loaded_optimizer():
    """``Scheduler``: the position says the rate; what an optimizer brings are its bases."""
    optimizer, old = make_optimizer("sgd", (0.1,)), make_optimizer("sgd", (0.4,))
    scheduler = ours.Scheduler(optimizer, lehr.linear(10))
    ours.Scheduler(old, lehr.linear(10)).seek(8)
    scheduler.seek(5)
    optimizer.load_state_dict(old.state_dict())
    assert rates(optimizer) == pytest.approx([0.2])


@pytest.mark.parametrize("order", ["optimizer first", "scheduler first"])
@pytest.mark.parametrize(("name", "what"), SET)
def test_set_before_a_state_is_loaded(name: str, what: str, order: str):
    """The saved parameters replace those that were set, and stay replaced."""
    change, pair = dict(CHANGES[name])[what], list[Any]()
    for side in SIDES:
        old, run = build(side, name), build(side, name)
        old.steps(4)
        run.steps(2)
        try:
            change(run.scheduler)
        except ValueError:
            assert (side, (name, what)) in [("lehr", case) for case in REFUSED]
            return  # with advice: see test_dropins_attributes
        states = copy.deepcopy(old.optimizer.state_dict()), saved(old)
        if order == "optimizer first":
            run.optimizer.load_state_dict(states[0])
        run.scheduler.load_state_dict(states[1])
        if order == "scheduler first":
            run.optimizer.load_state_dict(states[0])
        run.made = 4
        pair.append(run.steps(9))
    if "lr_lambdas" not in what:  # functions are in no state
        same(pair)


RESTARTED: list[list[tuple[str, Any]]] = [
    [("T_i", 6), ("jump", 13)],
    [("steps", 3), ("T_i", 6), ("steps", 2), ("jump", 13), ("jump", 13)],
    [("steps", 3), ("T_i", 6), ("steps", 2), ("jump", 2)],
    [("jump", 9), ("T_i", 2), ("steps", 3), ("jump", 5)],
    [("steps", 3), ("T_0", 6), ("jump", 8)],
    [("steps", 3), ("T_cur", 1), ("jump", 5)],
    [("jump", 8.5)],
    [("jump", 9), ("T_i", 7), ("jump", 3.25), ("steps", 2), ("jump", 9.75)],
]


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("calls", RESTARTED)
def test_a_cycle_is_set_and_jumped_in(calls: list[tuple[str, Any]], factor: int):
    pair: list[Any] = []
    for side in SIDES:
        run = build(side, RESTARTS, {"T_0": 4, "T_mult": factor, "eta_min": 0.01})
        rows: list[Any] = []
        for what, value in calls:
            if what == "steps":
                rows += run.steps(value)
            elif what == "jump":
                run.scheduler.step(value)
            else:
                setattr(run.scheduler, what, value)
            cycle = run.scheduler.T_cur, run.scheduler.T_i
            rows.append([(rates(run.optimizer)[0], 0.0), cycle])
        pair.append([*rows, *run.steps(9)])
    same(pair)


def test_a_mode_changed_before_the_first_metric():
    """torch's best is infinite then, so that nothing is ever better."""
    pair = [build(side, "ReduceLROnPlateau") for side in SIDES]
    for run in pair:
        run.scheduler.mode = "max"
    same([run.steps(8) for run in pair])
    assert pair[1].scheduler.best == pair[0].scheduler.best


def test_the_mode_of_a_cycle_is_fixed():
    run: Run = build("lehr", "CyclicLR")
    with pytest.raises(ValueError, match="build another one with mode="):
        run.scheduler.mode = "exp_range"
