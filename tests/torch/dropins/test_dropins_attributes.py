"""An attribute of a drop-in that is set on the live scheduler does what it does in torch.

The rule: the drop-in goes on as torch's does, or setting the attribute is refused with what to do
instead. Nothing is kept silently beside the plan.
"""

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from driving import make_optimizer
from twins import ARGUMENTS, CLOSED, PLATEAU, Run, build, flat, saved, scheduler_class

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

Change = Callable[[Any], None]


def setting(name: str, value: Any) -> Change:
    """Return a function that sets an attribute, to a new value each time."""
    return lambda scheduler: setattr(scheduler, name, copy.copy(value))


def item(name: str, index: Any, value: Any) -> Change:
    """Return a function that sets one item of an attribute in place."""

    def change(scheduler: Any) -> None:
        getattr(scheduler, name)[index] = value

    return change


BASES = [("base_lrs", setting("base_lrs", [0.7, 0.02])), ("base_lrs[0]", item("base_lrs", 0, 0.7))]
PLACE = [("last_epoch", setting("last_epoch", 8)), ("last_epoch=0", setting("last_epoch", 0))]

CHANGES: dict[str, list[tuple[str, Change]]] = {
    "StepLR": [
        *[(f"step_size={n}", setting("step_size", n)) for n in (1, 3, 5, 50)],
        *[(f"gamma={g}", setting("gamma", g)) for g in (0.1, 1.0, 0.9)],
        *BASES,
        *PLACE,
    ],
    "MultiStepLR": [
        *[(f"milestones={m}", setting("milestones", Counter(m))) for m in ([4], [], [1, 4, 4, 8])],
        ("milestones[6]", item("milestones", 6, 2)),
        ("gamma", setting("gamma", 0.1)),
        *BASES,
        *PLACE,
    ],
    "ExponentialLR": [
        *[(f"gamma={g}", setting("gamma", g)) for g in (0.5, 1.0)],
        *BASES,
        *PLACE,
    ],
    "ConstantLR": [
        *[(f"total_iters={n}", setting("total_iters", n)) for n in (1, 4, 9, 100)],
        ("factor", setting("factor", 0.5)),
        *BASES,
        *PLACE,
    ],
    "LinearLR": [
        *[(f"total_iters={n}", setting("total_iters", n)) for n in (3, 5, 12, 100)],
        ("end_factor", setting("end_factor", 0.4)),
        ("start_factor", setting("start_factor", 0.3)),
        *BASES,
        *PLACE,
    ],
    "PolynomialLR": [
        *[(f"total_iters={n}", setting("total_iters", n)) for n in (5, 12, 100)],
        ("power", setting("power", 3.0)),
        *BASES,
        *PLACE,
    ],
    "CosineAnnealingLR": [
        *[(f"T_max={n}", setting("T_max", n)) for n in (5, 20, 40)],
        *[(f"eta_min={e}", setting("eta_min", e)) for e in (0.0, 0.05)],
        *BASES,
        *PLACE,
    ],
    "CosineAnnealingWarmRestarts": [
        ("T_0", setting("T_0", 9)),
        *[(f"T_i={n}", setting("T_i", n)) for n in (5, 11)],
        ("T_mult", setting("T_mult", 3)),
        *[(f"T_cur={n}", setting("T_cur", n)) for n in (0, 2)],
        ("eta_min", setting("eta_min", 0.05)),
        *BASES,
        *PLACE,
    ],
    "CyclicLR": [
        ("max_lrs", setting("max_lrs", [0.5, 2.0])),
        ("max_lrs[1]", item("max_lrs", 1, 3.0)),
        ("total_size", setting("total_size", 14.0)),
        ("step_ratio", setting("step_ratio", 0.25)),
        ("base_momentums", setting("base_momentums", [0.5, 0.6])),
        ("max_momentums", setting("max_momentums", [0.95, 0.99])),
        ("cycle_momentum", setting("cycle_momentum", False)),
        ("scale_mode", setting("scale_mode", "iterations")),
        *BASES,
        *PLACE,
    ],
    "OneCycleLR": [
        ("total_steps", setting("total_steps", 60)),
        ("cycle_momentum", setting("cycle_momentum", False)),
        *PLACE,
    ],
    "LambdaLR": [
        ("lr_lambdas", setting("lr_lambdas", [lambda epoch: 0.5, lambda epoch: epoch / 7])),
        ("lr_lambdas[1]", item("lr_lambdas", 1, lambda epoch: 0.25)),
        *BASES,
        *PLACE,
    ],
    "MultiplicativeLR": [
        ("lr_lambdas", setting("lr_lambdas", [lambda epoch: 0.5, lambda epoch: epoch / 7])),
        ("lr_lambdas[1]", item("lr_lambdas", 1, lambda epoch: 0.25)),
        *PLACE,
    ],
    "SWALR": [
        *[(f"anneal_epochs={n}", setting("anneal_epochs", n)) for n in (4, 20)],
    ],
    PLATEAU: [
        ("patience", setting("patience", 0)),
        ("patience=50", setting("patience", 50)),
        ("factor", setting("factor", 0.1)),
        ("min_lrs", setting("min_lrs", [0.09, 0.01])),
        ("min_lrs[0]", item("min_lrs", 0, 0.09)),
        ("cooldown", setting("cooldown", 4)),
        ("cooldown_counter", setting("cooldown_counter", 5)),
        ("num_bad_epochs", setting("num_bad_epochs", 1)),
        ("best", setting("best", 0.1)),
        ("threshold", setting("threshold", 0.3)),
        ("threshold_mode", setting("threshold_mode", "abs")),
        ("mode", setting("mode", "max")),
        ("eps", setting("eps", 10.0)),
        ("last_epoch", setting("last_epoch", 9)),
    ],
}

GROUP_KEYS: dict[str, list[tuple[str, float]]] = {
    "OneCycleLR": [
        *[("max_lr", 2.0), ("initial_lr", 0.2), ("min_lr", 0.01)],
        *[("max_momentum", 0.99), ("base_momentum", 0.5)],
    ],
    "SWALR": [("swa_lr", 0.01)],
}
"""The keys that torch reads from the groups at each step, and that people set there."""

CASES = [(name, what) for name, changes in CHANGES.items() for what, _ in changes]

REFUSED = {
    ("CyclicLR", "cycle_momentum"),
    ("OneCycleLR", "cycle_momentum"),
    ("OneCycleLR", "total_steps"),
}
"""What a drop-in cannot follow in the middle of a run; it says what to do instead."""


def changed(run: Run, change: Change) -> bool:
    """Set the attribute; return whether that was refused with what to do instead."""
    before = flat([[(float(g["lr"]), 0.0) for g in run.optimizer.param_groups]])
    try:
        change(run.scheduler)
    except (ValueError, TypeError, AttributeError) as refusal:
        # A bare "can't set attribute" or "has no setter" says nothing of what to do instead.
        if len(str(refusal)) < 40 or "setter" in str(refusal):
            pytest.fail(f"the refusal gives no advice: {refusal!r}")
        now = flat([[(float(g["lr"]), 0.0) for g in run.optimizer.param_groups]])
        assert now == before, "a refused change changes nothing"
        return True
    return False


def both(name: str, what: str, before: int, arguments: dict[str, Any] | None = None) -> list[Run]:
    """Return torch's and lehr's run with the attribute set, or only torch's where it is refused."""
    change = dict(CHANGES[name])[what]
    pair = [build(side, name, arguments) for side in ("torch", "lehr")]
    for run in pair:
        run.steps(before)
    change(pair[0].scheduler)
    refused = changed(pair[1], change)
    assert refused == ((name, what) in REFUSED)
    return pair[:1] if refused else pair


@pytest.mark.parametrize("before", [1, 3, 7])
@pytest.mark.parametrize(("name", "what"), CASES)
def test_set_on_a_live_scheduler(name: str, what: str, before: int):
    pair = both(name, what, before)
    if len(pair) == 1:
        return
    expected, found = (run.steps(14) for run in pair)
    if flat(found) != pytest.approx(flat(expected), rel=1e-9, abs=1e-12):
        assert what.startswith("last_epoch"), (found[:3], expected[:3])
        assert name not in CLOSED, (found[:3], expected[:3])
        # torch's goes on from the rate of another epoch; the drop-in may go where the epoch is.
        there = build("torch", name)
        there.steps(0 if what == "last_epoch=0" else 8)
        assert flat(found) == pytest.approx(flat(there.steps(14)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("name", "what"), [case for case in CASES if "last_epoch" not in case[1]])
def test_set_and_saved_and_loaded(name: str, what: str):
    """The state has the attributes that were set, and a loaded scheduler goes on with them."""
    pair = both(name, what, 3)
    if len(pair) == 1:
        return
    theirs, here = pair
    theirs.steps(2)
    here.steps(2)
    functions = {"lr_lambda": list(here.scheduler.lr_lambdas)} if "lr_lambdas" in what else None
    fresh = build("lehr", name, functions)
    fresh.optimizer.load_state_dict(here.optimizer.state_dict())
    fresh.scheduler.load_state_dict(saved(here))
    fresh.made = here.made
    assert flat(fresh.steps(10)) == pytest.approx(flat(theirs.steps(10)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("name", "what"), [case for case in CASES if "last_epoch" not in case[1]])
def test_set_after_a_state_was_loaded(name: str, what: str):
    """The code of people who resume: load, set, go on."""
    change = dict(CHANGES[name])[what]
    pair: list[Run] = []
    for side in ("torch", "lehr"):
        old = build(side, name)
        old.steps(3)
        run = build(side, name)
        run.scheduler.load_state_dict(saved(old))
        run.optimizer.load_state_dict(old.optimizer.state_dict())
        run.made = 3
        pair.append(run)
    change(pair[0].scheduler)
    refused = changed(pair[1], change)
    assert refused == ((name, what) in REFUSED)
    if not refused:
        expected, found = (run.steps(14) for run in pair)
        assert flat(found) == pytest.approx(flat(expected), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "key", "value"), [(name, *pair) for name, keys in GROUP_KEYS.items() for pair in keys]
)
@pytest.mark.parametrize("before", [1, 3, 7])
def test_set_in_a_group_that_torch_reads(name: str, key: str, value: float, before: int):
    """``OneCycleLR`` and ``SWALR`` keep their bounds in the groups: they are read from there."""
    pair = [build(side, name) for side in ("torch", "lehr")]
    for run in pair:
        run.steps(before)
        run.optimizer.param_groups[1][key] = value
    expected, found = (run.steps(14) for run in pair)
    assert flat(found) == pytest.approx(flat(expected), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("name", "what"), CASES)
def test_what_is_read_is_what_was_set(name: str, what: str):
    """An attribute that was set reads as torch's does, at once and two steps later."""
    pair = both(name, what, 3)
    if len(pair) == 1:
        return
    attribute = what.partition("=")[0].partition("[")[0]
    for _ in range(2):
        values = [getattr(run.scheduler, attribute) for run in pair]
        if attribute == "lr_lambdas":
            values = [[function(5) for function in functions] for functions in values]
        if isinstance(values[0], float):
            assert values[1] == pytest.approx(values[0], rel=1e-12)
        else:
            assert values[1] == values[0]
        for run in pair:
            run.steps(2)


CHILDREN = ["StepLR", "ExponentialLR", "LinearLR", "PolynomialLR", "CosineAnnealingLR", "LambdaLR"]


@pytest.mark.parametrize(
    ("name", "what"),
    [(n, w) for n, w in CASES if n in CHILDREN and not w.startswith(("last_epoch", "base_lrs"))],
)
@pytest.mark.parametrize("container", ["SequentialLR", "ChainedScheduler"])
def test_set_on_a_child_of_a_container(container: str, name: str, what: str):
    """``sequence._schedulers[0].T_max = 20`` is what people write: torch has no other way."""
    change = dict(CHANGES[name])[what]
    pair: list[Run] = []
    for side in ("torch", "lehr"):
        optimizer = make_optimizer("sgd", (0.1, 0.3))
        child = scheduler_class(side, name)(optimizer, **ARGUMENTS[name])
        other = scheduler_class(side, "ExponentialLR")(optimizer, gamma=0.95)
        if container == "SequentialLR":
            tree = scheduler_class(side, container)(optimizer, [child, other], [12])
        else:
            # What works out its rate from the base comes first in torch's chain.
            tree = scheduler_class(side, container)([child, other])
        run = Run(optimizer, tree)
        run.steps(3)
        if side == "torch":
            change(child)
        else:
            assert not changed(Run(optimizer, child), change)
        pair.append(run)
    chained = container == "ChainedScheduler" and name in ("CosineAnnealingLR", "LambdaLR")
    if not chained:
        expected, found = (run.steps(8) for run in pair)
        assert flat(found) == pytest.approx(flat(expected), rel=1e-9, abs=1e-12)
