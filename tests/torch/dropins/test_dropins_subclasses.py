"""Subclasses that override ``get_lr``, and copies that are used to plot rates."""

import copy
import math
import warnings
from typing import Any

import pytest

from driving import make_optimizer, rates, read
from twins import ARGUMENTS, PLATEAU, SIDES, Run, build, flat, saved, scheduler_class

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

RATES = [name for name in ARGUMENTS if name != PLATEAU]
"""The classes that have a ``get_lr``."""


def subclass(side: str, name: str, body: dict[str, Any]) -> Any:
    """Return a subclass of a class, torch's or lehr's, with methods of its own."""
    parent = scheduler_class(side, name)
    return type(f"My{name}", (parent,), body)


def built(side: str, name: str, body: dict[str, Any], kind: str = "sgd") -> Run:
    """Return a run of the subclass, with the usual arguments."""
    optimizer = make_optimizer(kind, (0.1, 0.3))
    return Run(optimizer, subclass(side, name, body)(optimizer, **ARGUMENTS[name]))


def compared(name: str, body: Any, kind: str = "sgd", steps: int = 12) -> None:
    """Assert that both subclasses give the same run; ``body`` makes the methods for a side."""
    pair = [built(side, name, body(side), kind) for side in ("torch", "lehr")]
    assert flat([read(pair[1].optimizer)]) == pytest.approx(flat([read(pair[0].optimizer)]))
    expected, found = (run.steps(steps) for run in pair)
    assert flat(found) == pytest.approx(flat(expected), rel=1e-9, abs=1e-12)
    last = [[float(lr) for lr in run.scheduler.get_last_lr()] for run in pair]
    assert last[1] == pytest.approx(last[0])
    assert pair[1].scheduler.last_epoch == pair[0].scheduler.last_epoch


@pytest.mark.parametrize("kind", ["sgd", "sgd-tensor"])
@pytest.mark.parametrize("name", RATES)
def test_a_get_lr_of_its_own(name: str, kind: str):
    """It says all: the parent is not asked."""

    def body(side: str) -> dict[str, Any]:
        def get_lr(self: Any) -> list[float]:
            return [float(base) / (1 + self.last_epoch) for base in self.base_lrs]

        return {"get_lr": get_lr}

    compared(name, body, kind)


@pytest.mark.parametrize("name", RATES)
def test_a_get_lr_that_changes_the_parents(name: str):
    """A floor under what the parent gives."""

    def body(side: str) -> dict[str, Any]:
        def get_lr(self: Any) -> list[float]:
            return [max(float(lr), 0.06) for lr in scheduler_class(side, name).get_lr(self)]

        return {"get_lr": get_lr}

    compared(name, body)


@pytest.mark.parametrize("name", RATES)
def test_it_is_asked_as_often_as_torch_asks(name: str):
    calls: dict[str, list[int]] = {"torch": [], "lehr": []}
    for side in calls:

        def get_lr(self: Any, side: str = side) -> list[float]:
            calls[side].append(self.last_epoch)
            return [0.1 / (2 + self.last_epoch)] * 2

        run = built(side, name, {"get_lr": get_lr})
        run.steps(6)
    assert calls["lehr"] == calls["torch"]


@pytest.mark.parametrize("name", RATES)
def test_a_subclass_is_saved_and_loaded(name: str):
    def get_lr(self: Any) -> list[float]:
        return [float(base) * math.exp(-self.last_epoch) for base in self.base_lrs]

    run = built("lehr", name, {"get_lr": get_lr})
    run.steps(4)
    fresh = built("lehr", name, {"get_lr": get_lr})
    fresh.optimizer.load_state_dict(run.optimizer.state_dict())
    fresh.scheduler.load_state_dict(saved(run))
    assert flat(fresh.steps(6)) == pytest.approx(flat(run.steps(6)), rel=1e-12)


@pytest.mark.parametrize("name", RATES)
def test_a_subclass_that_overrides_step(name: str):
    """It may call the parent's twice, or note each rate."""

    def body(side: str) -> dict[str, Any]:
        def step(self: Any, *given: Any) -> None:
            scheduler_class(side, name).step(self, *given)
            self.seen = [*getattr(self, "seen", []), self.get_last_lr()[0]]

        return {"step": step}

    pair = [built(side, name, body(side)) for side in ("torch", "lehr")]
    for run in pair:
        run.steps(6)
    seen = [[float(lr) for lr in run.scheduler.seen] for run in pair]
    # torch's constructor steps too; what counts is that each later step is seen.
    assert seen[1][-6:] == pytest.approx(seen[0][-6:], rel=1e-9)


@pytest.mark.parametrize("name", RATES)
@pytest.mark.parametrize("container", ["SequentialLR", "ChainedScheduler"])
def test_a_subclass_as_a_child(container: str, name: str):
    if name == "SWALR":
        pytest.skip("torch's counts the step that a container undoes; lehr's chain refuses it")
    pair: list[Run] = []
    for side in ("torch", "lehr"):
        optimizer = make_optimizer("sgd", (0.1, 0.3))

        def get_lr(self: Any) -> list[float]:
            return [0.1 / (2 + self.last_epoch)] * 2

        child = subclass(side, name, {"get_lr": get_lr})(optimizer, **ARGUMENTS[name])
        if container == "SequentialLR":
            other = scheduler_class(side, "ExponentialLR")(optimizer, gamma=0.95)
            tree = scheduler_class(side, container)(optimizer, [child, other], [20])
        else:
            tree = scheduler_class(side, container)([child])
        pair.append(Run(optimizer, tree))
    expected, found = (run.steps(8) for run in pair)
    assert flat(found) == pytest.approx(flat(expected), rel=1e-9, abs=1e-12)


# ----- copies -------------------------------------------------------------------------------------


def plotted(scheduler: Any, steps: int) -> list[float]:
    """Return the rates ahead, as people plot them: by stepping a copy."""
    found: list[float] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(steps):
            found.append(float(scheduler.get_last_lr()[0]))
            scheduler.step(1.0) if hasattr(scheduler, "patience") else scheduler.step()
    return found


@pytest.mark.parametrize("kind", ["sgd", "sgd-tensor", "adamw"])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_deep_copy_leaves_the_original_and_its_optimizer_alone(name: str, kind: str):
    """It has an optimizer of its own, as torch's has, and gives the rates that are to come."""
    twin, run = (build("lehr", name, kind=kind) for _ in range(2))
    torchs = build("torch", name, kind=kind)
    for each in (twin, run, torchs):
        each.steps(3)
    copied = copy.deepcopy(run.scheduler)
    assert copied.optimizer is not run.optimizer
    ahead = plotted(copied, 12)
    assert ahead == pytest.approx(plotted(copy.deepcopy(torchs.scheduler), 12), rel=1e-9)
    assert read(run.optimizer) == read(twin.optimizer)
    assert flat(run.steps(12)) == flat(twin.steps(12))


@pytest.mark.parametrize("kind", ["sgd", "sgd-tensor", "adamw"])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_shallow_copy_does_to_the_original_what_torchs_does(name: str, kind: str):
    """It shares the optimizer: it writes there, and the original goes on from its own epoch."""
    pair = [build(side, name, kind=kind) for side in ("torch", "lehr")]
    for run in pair:
        run.steps(3)
        copied = Run(run.optimizer, copy.copy(run.scheduler), run.made)
        copied.steps(4)
        assert copied.scheduler.last_epoch == 7
        assert run.scheduler.last_epoch == 3
    expected, found = (rates(run.optimizer) for run in pair)
    assert found == pytest.approx(expected, rel=1e-9)
    expected, found = (run.steps(8) for run in pair)
    assert flat(found) == pytest.approx(flat(expected), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_shallow_copy_that_is_gone_leaves_no_trace_but_the_rate(name: str):
    """The recipe: copy, step the copy, put the optimizer's state back, go on."""
    pair = [build(side, name) for side in ("torch", "lehr")]
    for run in pair:
        run.steps(3)
        before = copy.deepcopy(run.optimizer.state_dict())
        plotted(copy.copy(run.scheduler), 6)
        run.optimizer.load_state_dict(before)
    expected, found = (run.steps(8) for run in pair)
    assert flat(found) == pytest.approx(flat(expected), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("container", ["SequentialLR", "ChainedScheduler"])
def test_deep_copies_of_containers(container: str):
    pair: list[Run] = []
    for side in ("torch", "lehr"):
        optimizer = make_optimizer("sgd", (0.1, 0.3))
        parts = [
            scheduler_class(side, "LinearLR")(optimizer, total_iters=4),
            scheduler_class(side, "ExponentialLR")(optimizer, gamma=0.9),
        ]
        build_tree = scheduler_class(side, container)
        tree = (
            build_tree(optimizer, parts, [4]) if container == "SequentialLR" else build_tree(parts)
        )
        pair.append(Run(optimizer, tree))
    for run in pair:
        run.steps(2)
    ahead = [plotted(copy.deepcopy(run.scheduler), 8) for run in pair]
    assert ahead[1] == pytest.approx(ahead[0], rel=1e-9)
    expected, found = (run.steps(8) for run in pair)
    assert flat(found) == pytest.approx(flat(expected), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", sorted(set(ARGUMENTS) - {"MultiplicativeLR", "SWALR", PLATEAU}))
def test_a_subclass_goes_to_an_epoch_as_torchs_does(name: str):
    """``step(n)`` is the closed form where there is one, whatever ``get_lr`` a subclass has."""
    found: list[list[float]] = []
    for side in SIDES:

        class Clamped(scheduler_class(side, name)):
            def get_lr(self):
                return [max(lr, 0.03) for lr in super().get_lr()]

        optimizer = make_optimizer("sgd", (0.1, 0.3))
        run = Run(optimizer, Clamped(optimizer, **ARGUMENTS[name]))
        rows = run.steps(3)
        run.scheduler.step(9)
        found.append(flat([*rows, read(optimizer), *run.steps(6)]))
    assert found[1] == pytest.approx(found[0], rel=1e-9, abs=1e-12)


def test_a_get_lr_without_a_momentum_leaves_it_where_the_constructor_puts_it():
    found: list[list[float]] = []
    for side in SIDES:

        class Own(scheduler_class(side, "CyclicLR")):
            def get_lr(self):
                return [lr / (1 + self.last_epoch) for lr in self.base_lrs]

        optimizer = make_optimizer("adamw", (0.1, 0.3))
        run = Run(optimizer, Own(optimizer, **ARGUMENTS["CyclicLR"]))
        found.append(flat([read(optimizer), *run.steps(4)]))
    assert found[1] == pytest.approx(found[0], rel=1e-12)
