"""SequentialLR and ChainedScheduler: trees whose value is a function of the position alone."""

from __future__ import annotations

import copy
import io
import json
import math
import pickle
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.optim.lr_scheduler as theirs
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import Optimizer

import lehr
import lehr.torch as ours
from driving import KINDS, drive, make_optimizer, rates, read, worst

TOLERANCE = 1e-12
BASES = (0.1, 0.3)
kinds = st.sampled_from(KINDS)


# ----- trees written down twice: as schedulers, and as formulas --------------------------------


@dataclass(frozen=True)
class Leaf:
    """A scheduler by its name and arguments, and the factor of the base rate that it means."""

    name: str
    arguments: dict[str, Any]
    factor: Callable[[int], float]

    def build(self, module: Any, optimizer: Optimizer) -> Any:
        return getattr(module, self.name)(optimizer, **self.arguments)


@dataclass(frozen=True)
class Sequence:
    """Parts one after the other."""

    parts: tuple[Any, ...]
    milestones: tuple[int, ...]

    def build(self, module: Any, optimizer: Optimizer) -> Any:
        children = [part.build(module, optimizer) for part in self.parts]
        return module.SequentialLR(optimizer, children, list(self.milestones))

    def factor(self, n: int) -> float:
        index = bisect_right(self.milestones, n)
        return self.parts[index].factor(n - (0, *self.milestones)[index])


@dataclass(frozen=True)
class Chain:
    """Parts all at once."""

    parts: tuple[Any, ...]

    def build(self, module: Any, optimizer: Optimizer) -> Any:
        return module.ChainedScheduler([part.build(module, optimizer) for part in self.parts])

    def factor(self, n: int) -> float:
        return math.prod(part.factor(n) for part in self.parts)


@st.composite
def leaves(draw: st.DrawFn) -> Leaf:
    gamma, n, share = draw(st.floats(0.3, 1.0)), draw(st.integers(1, 9)), draw(st.floats(0.1, 0.9))
    return draw(
        st.sampled_from(
            [
                Leaf("StepLR", {"step_size": n, "gamma": gamma}, lambda t: gamma ** (t // n)),
                Leaf(
                    "MultiStepLR",
                    {"milestones": [n, n + 3], "gamma": gamma},
                    lambda t: gamma ** ((t >= n) + (t >= n + 3)),
                ),
                Leaf("ExponentialLR", {"gamma": gamma}, lambda t: gamma**t),
                Leaf(
                    "ConstantLR",
                    {"factor": share, "total_iters": n},
                    lambda t: share if t < n else 1.0,
                ),
                Leaf(
                    "LinearLR",
                    {"start_factor": share, "end_factor": gamma, "total_iters": n},
                    lambda t: share + (gamma - share) * min(t / n, 1.0),
                ),
                Leaf(
                    "PolynomialLR",
                    {"total_iters": n, "power": 1.5},
                    lambda t: max(1 - t / n, 0.0) ** 1.5,
                ),
                Leaf(
                    "CosineAnnealingLR",
                    {"T_max": n},
                    lambda t: (1 + math.cos(math.pi * t / n)) / 2,
                ),
                Leaf(
                    "CosineAnnealingWarmRestarts",
                    {"T_0": n},
                    lambda t: (1 + math.cos(math.pi * (t % n) / n)) / 2,
                ),
                Leaf("LambdaLR", {"lr_lambda": lambda t: gamma**t}, lambda t: gamma**t),
                Leaf("MultiplicativeLR", {"lr_lambda": lambda t: gamma}, lambda t: gamma**t),
            ]
        )
    )


def sequences(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def with_milestones(parts: list[Any]) -> st.SearchStrategy[Any]:
        times = st.lists(st.integers(0, 25), min_size=len(parts) - 1, max_size=len(parts) - 1)
        return times.map(lambda times: Sequence(tuple(parts), tuple(sorted(times))))

    return st.lists(parts, min_size=1, max_size=3).flatmap(with_milestones)


def chains(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(parts, min_size=1, max_size=3).map(lambda parts: Chain(tuple(parts)))


trees = st.recursive(leaves(), lambda inner: sequences(inner) | chains(inner), max_leaves=8)
containers = sequences(trees) | chains(trees)


def wanted(tree: Any, positions: Any) -> list[list[tuple[float, float]]]:
    return [[(base * tree.factor(n), 0.0) for base in BASES] for n in positions]


def assert_rates(found: list[list[tuple[float, float]]], expected: Any) -> None:
    stripped = [[(rate, 0.0) for rate, _ in rows] for rows in found]
    error = max(
        abs(a - b) / max(BASES)
        for mine, right in zip(stripped, expected, strict=True)
        for (a, _), (b, _) in zip(mine, right, strict=True)
    )
    assert error <= TOLERANCE


@settings(max_examples=150)
@given(kinds, containers)
def test_trees_of_any_depth_are_their_formulas(kind: str, tree: Any):
    optimizer = make_optimizer(kind, BASES)
    scheduler = tree.build(ours, optimizer)
    assert_rates(drive(optimizer, scheduler, 40), wanted(tree, range(41)))
    assert scheduler.last_epoch == 40


@settings(max_examples=100)
@given(kinds, containers, st.lists(st.integers(0, 60), min_size=1, max_size=8))
def test_trees_can_be_sought(kind: str, tree: Any, positions: list[int]):
    optimizer = make_optimizer(kind, BASES)
    scheduler = tree.build(ours, optimizer)
    for position in positions:
        scheduler.seek(position)
        assert scheduler.last_epoch == position
        assert_rates([read(optimizer)], wanted(tree, [position]))
        optimizer.step()
        scheduler.step()
        assert_rates([read(optimizer)], wanted(tree, [position + 1]))


# ----- torch's own, where they are right ---------------------------------------------------------


def without(*names: str) -> st.SearchStrategy[Leaf]:
    return leaves().filter(lambda leaf: leaf.name not in names)


@settings(max_examples=200)
@given(kinds, sequences(without("MultiplicativeLR")))
def test_a_sequence_is_torchs(kind: str, tree: Sequence):
    """One level; torch's MultiplicativeLR multiplies at its step 0, too."""
    rows = []
    for module in (ours, theirs):
        optimizer = make_optimizer(kind, BASES)
        rows.append(drive(optimizer, tree.build(module, optimizer), 40))
    # Torch multiplies rates up again that it once multiplied down.
    assert worst(*rows) <= 1e-11


@settings(max_examples=200)
@given(kinds, chains(without("LambdaLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts")))
def test_a_chain_is_torchs(kind: str, tree: Chain):
    """In torch a child that assigns the rate erases the others, and its cosine is off past 0."""
    rows = []
    for module in (ours, theirs):
        optimizer = make_optimizer(kind, BASES)
        rows.append(drive(optimizer, tree.build(module, optimizer), 30))
    assert worst(*rows) <= 1e-11


# ----- resuming ----------------------------------------------------------------------------------


def halves(epoch: int) -> float:
    return 1 / (1 + epoch % 5)


TREES: dict[str, Callable[[Any, Optimizer], Any]] = {
    "warmup and cosine": lambda m, o: m.SequentialLR(
        o, [m.LinearLR(o, 0.001, total_iters=20), m.CosineAnnealingLR(o, 80, eta_min=0.01)], [20]
    ),
    "a chain": lambda m, o: m.ChainedScheduler(
        [m.ConstantLR(o, 0.1, total_iters=30), m.ExponentialLR(o, 0.99)]
    ),
    "one cycle, then decay": lambda m, o: m.SequentialLR(
        o, [m.OneCycleLR(o, [1.0, 2.0], total_steps=30), m.ExponentialLR(o, 0.9)], [30]
    ),
    "decay, then averaging": lambda m, o: m.SequentialLR(
        o, [m.ExponentialLR(o, 0.95), m.SWALR(o, 0.02, anneal_epochs=9)], [25]
    ),
    "nested": lambda m, o: m.SequentialLR(
        o,
        [
            m.LinearLR(o, 0.1, total_iters=5),
            m.ChainedScheduler(
                [
                    m.SequentialLR(o, [m.StepLR(o, 7), m.LambdaLR(o, halves)], [15]),
                    m.MultiplicativeLR(o, [halves, halves]),
                ]
            ),
            m.CyclicLR(o, 0.01, 0.5, step_size_up=4),
        ],
        [10, 34],
    ),
}


def reload(state: Any) -> Any:
    """Save and load as trainers do: nothing but plain types passes."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", TREES)
def test_trees_resume_in_every_order(name: str, kind: str):
    for position in (0, 3, 10, 27, 36):
        optimizer = make_optimizer(kind, BASES)
        scheduler = TREES[name](ours, optimizer)
        drive(optimizer, scheduler, position)
        saved, state = reload(optimizer.state_dict()), reload(scheduler.state_dict())
        expected = drive(optimizer, scheduler, 12)
        for order in ("build optimizer scheduler", "build scheduler optimizer",
                      "optimizer build scheduler"):  # fmt: skip
            fresh = make_optimizer(kind, BASES)
            built: Any = None
            for what in order.split():
                if what == "build":
                    built = TREES[name](ours, fresh)
                elif what == "optimizer":
                    fresh.load_state_dict(copy.deepcopy(saved))
                else:
                    built.load_state_dict(copy.deepcopy(state))
            assert built.last_epoch == position
            assert drive(fresh, built, 12) == expected, (order, position)


@pytest.mark.parametrize("name", TREES)
def test_the_state_of_a_tree_passes_json(name: str):
    optimizer = make_optimizer("sgd", BASES)
    scheduler = TREES[name](ours, optimizer)
    drive(optimizer, scheduler, 27)
    state = json.loads(json.dumps(scheduler.state_dict(), allow_nan=False))
    fresh = make_optimizer("sgd", BASES)
    built = TREES[name](ours, fresh)
    built.load_state_dict(state)
    assert drive(fresh, built, 12) == drive(optimizer, scheduler, 12)


@pytest.mark.parametrize("name", ["warmup and cosine", "a chain"])
def test_torchs_own_state_of_a_container_loads(name: str):
    optimizer = make_optimizer("sgd", BASES)
    reference = TREES[name](theirs, optimizer)
    drive(optimizer, reference, 27)
    fresh = make_optimizer("sgd", BASES)
    built = TREES[name](ours, fresh)
    built.load_state_dict(reload(reference.state_dict()))
    assert built.last_epoch == 27
    assert worst(drive(fresh, built, 12), drive(optimizer, reference, 12)) <= 1e-11


@pytest.mark.parametrize("name", [name for name in TREES if name != "a chain"])
def test_last_epoch_of_a_tree_is_that_many_steps(name: str):
    """Torch's ``SequentialLR(last_epoch=n)`` begins its first child again."""
    for position in (1, 12, 36):
        optimizer = make_optimizer("sgd", BASES)
        scheduler = TREES[name](ours, optimizer)
        drive(optimizer, scheduler, position)
        fresh = make_optimizer("sgd", BASES)
        built = TREES[name](ours, fresh)
        parts = built._schedulers, built._milestones
        again = ours.SequentialLR(fresh, *parts, last_epoch=position - 1)
        assert again.last_epoch == position
        assert drive(fresh, again, 6) == drive(optimizer, scheduler, 6)


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.clear(),
        lambda state: state.pop("last_epoch"),
        lambda state: state.update(last_epoch="soon"),
        lambda state: state.update(last_epoch=-7),
        lambda state: state.pop("_schedulers"),
        lambda state: state["_schedulers"].pop(),
        lambda state: state["_schedulers"][1].clear(),
        lambda state: state["_schedulers"][1].update(T_max=0),
        lambda state: state["_schedulers"][1].update(base_lrs=[0.1]),
        lambda state: state.update(_milestones=[2, 1]),
        lambda state: state.update(_milestones=["x"]),
    ],
)
def test_a_load_of_a_tree_that_fails_changes_nothing(damage: Callable[[Any], Any]):
    source = make_optimizer("sgd", (0.5, 0.7))
    scheduler = TREES["warmup and cosine"](ours, source)
    drive(source, scheduler, 9)
    state = scheduler.state_dict()
    damage(state)
    optimizer = make_optimizer("sgd", BASES)
    built = TREES["warmup and cosine"](ours, optimizer)
    drive(optimizer, built, 25)
    kept, before = copy.deepcopy(built.state_dict()), read(optimizer)
    with pytest.raises((ValueError, TypeError)):
        built.load_state_dict(state)
    assert built.state_dict() == kept
    assert read(optimizer) == before
    expected_optimizer = make_optimizer("sgd", BASES)
    expected = TREES["warmup and cosine"](ours, expected_optimizer)
    drive(expected_optimizer, expected, 25)
    assert drive(optimizer, built, 9) == drive(expected_optimizer, expected, 9)


# ----- copies, and torch's own containers around ours ---------------------------------------------


@pytest.mark.parametrize("name", TREES)
def test_trees_can_be_copied_and_pickled(name: str):
    optimizer = make_optimizer("sgd", BASES)
    scheduler = TREES[name](ours, optimizer)
    drive(optimizer, scheduler, 9)
    copied, pickled = copy.deepcopy(scheduler), pickle.loads(pickle.dumps(scheduler))
    expected = drive(optimizer, scheduler, 30)
    for other in (copied, pickled):
        assert drive(other.optimizer, other, 30) == expected


def test_a_tree_is_a_child_of_torchs_own_containers():
    """One level of torch's: a torch container inside a torch container is wrong by its own code."""
    inner = Sequence(
        (
            Leaf("ConstantLR", {"factor": 0.5, "total_iters": 2}, lambda n: 0.5 if n < 2 else 1.0),
            Leaf("ExponentialLR", {"gamma": 0.9}, lambda n: 0.9**n),
        ),
        (3,),
    )
    step = Leaf("StepLR", {"step_size": 2, "gamma": 0.3}, lambda n: 0.3 ** (n // 2))
    for first, second in ((inner, step), (step, inner), (Chain((inner, step)), inner)):
        whole = Sequence((first, second), (7,))
        optimizer = make_optimizer("sgd", BASES)
        children = [first.build(ours, optimizer), second.build(ours, optimizer)]
        scheduler = theirs.SequentialLR(optimizer, children, [7])
        assert_rates(drive(optimizer, scheduler, 15), wanted(whole, range(16)))
    whole = Chain((inner, step))
    optimizer = make_optimizer("sgd", BASES)
    scheduler = theirs.ChainedScheduler([part.build(ours, optimizer) for part in (inner, step)])
    assert_rates(drive(optimizer, scheduler, 15), wanted(whole, range(16)))


# ----- the rest of the face ----------------------------------------------------------------------


def test_torchs_attributes_are_there():
    optimizer = make_optimizer("sgd", BASES)
    children = [ours.LinearLR(optimizer), ours.StepLR(optimizer, 3)]
    scheduler = ours.SequentialLR(optimizer, children, [4])
    assert scheduler._schedulers == children
    assert scheduler._milestones == [4]
    assert scheduler.last_epoch == 0
    assert scheduler._last_lr == scheduler.get_last_lr() == rates(optimizer)
    assert scheduler.optimizer is optimizer
    assert isinstance(scheduler, theirs.LRScheduler)
    assert set(theirs.SequentialLR.__init__.__code__.co_varnames) >= {"schedulers", "milestones"}
    assert {"last_epoch", "_milestones", "_schedulers"} <= scheduler.state_dict().keys()


def test_children_know_where_they_are():
    optimizer = make_optimizer("sgd", BASES)
    children = [ours.LinearLR(optimizer), ours.StepLR(optimizer, 3)]
    scheduler = ours.SequentialLR(optimizer, children, [4])
    drive(optimizer, scheduler, 6)
    assert children[1].last_epoch == 2
    assert children[1].get_last_lr() == rates(optimizer)


def test_a_momentum_stays_where_its_part_left_it():
    rows = []
    for module in (ours, theirs):
        optimizer = make_optimizer("sgd", (0.1,))
        parts = [module.StepLR(optimizer, 5), module.OneCycleLR(optimizer, 1.0, total_steps=10)]
        scheduler = module.SequentialLR(optimizer, [*parts, module.StepLR(optimizer, 3)], [3, 9])
        rows.append([row[0][1] for row in drive(optimizer, scheduler, 12)])
    assert rows[0] == pytest.approx(rows[1], rel=1e-12)


def test_a_sequence_beside_another_scheduler_is_their_product():
    optimizer = make_optimizer("sgd", (0.5,))
    beside = ours.ExponentialLR(optimizer, 0.9)
    parts = [ours.ConstantLR(optimizer, 0.25, 2), ours.StepLR(optimizer, 2, 0.1)]
    scheduler = ours.SequentialLR(optimizer, parts, [3])
    found = []
    for _ in range(6):
        found.append(rates(optimizer)[0])
        optimizer.step()
        scheduler.step()
        beside.step()
    factors = [0.25, 0.25, 1.0, 1.0, 1.0, 0.1]
    assert found == pytest.approx([0.5 * f * 0.9**n for n, f in enumerate(factors)], rel=1e-14)


def test_lehrs_own_scheduler_is_a_child_as_well():
    optimizer = make_optimizer("sgd", (0.5,))
    parts = [ours.Scheduler(optimizer, lr=lehr.warmup(4)), ours.ExponentialLR(optimizer, 0.5)]
    scheduler = ours.SequentialLR(optimizer, parts, [4])
    found = [rows[0][0] for rows in drive(optimizer, scheduler, 6)]
    assert found == pytest.approx([0.0, 0.125, 0.25, 0.375, 0.5, 0.25, 0.125])


def test_what_is_no_tree_is_refused():
    optimizer = make_optimizer()
    other = make_optimizer()
    step = ours.StepLR(optimizer, 3)
    sequence, chain = ours.SequentialLR, ours.ChainedScheduler
    with pytest.raises(ValueError, match="at least one scheduler"):
        sequence(optimizer, [], [])
    with pytest.raises(ValueError, match="at least one scheduler"):
        chain([])
    with pytest.raises(ValueError, match="number of schedulers"):
        sequence(optimizer, [step], [3])
    with pytest.raises(ValueError, match="same optimizer"):
        sequence(optimizer, [ours.StepLR(other, 3)], [])
    with pytest.raises(ValueError, match="same optimizer"):
        chain([step, ours.StepLR(other, 3)])
    with pytest.raises(TypeError, match="`optimizer` as its attribute"):
        sequence(optimizer, [3], [])
    with pytest.raises(ValueError, match=r"milestones=.*order"):
        sequence(optimizer, [ours.StepLR(optimizer, n) for n in (1, 2, 3)], [5, 2])
    for bad in (-1, 2.5, "x"):
        with pytest.raises(ValueError, match="milestones"):
            sequence(optimizer, [ours.StepLR(optimizer, n) for n in (1, 2)], [bad])
    with pytest.raises(ValueError, match="does not support `ReduceLROnPlateau`"):
        sequence(optimizer, [ours.ReduceLROnPlateau(optimizer)], [])
    with pytest.raises(ValueError, match="does not support"):
        chain([ours.Scheduler(optimizer, feedback=lehr.plateau())])
    with pytest.raises(ValueError, match="follows elapsed time"):
        chain([ours.Scheduler(optimizer, lehr.linear(), over="90min")])
    with pytest.raises(ValueError, match="SWALR"):
        chain([ours.SWALR(optimizer, 0.1)])
    with pytest.raises(ValueError, match="numbers of their own"):
        chain([ours.OneCycleLR(optimizer, 1.0, 10), ours.CyclicLR(optimizer, 0.1, 1.0)])
    with pytest.raises(ValueError, match="twice"):
        chain([step, step])
    with pytest.raises(TypeError, match=r"torch\.optim"):
        sequence(optimizer, [theirs.StepLR(optimizer, 3)], [])


def test_a_child_is_not_stepped_by_itself():
    optimizer = make_optimizer()
    child = ours.StepLR(optimizer, 3)
    scheduler = ours.SequentialLR(optimizer, [child], [])
    with pytest.raises(lehr.ScheduleError, match="SequentialLR"):
        child.step()
    assert scheduler.last_epoch == 0
