"""Changes of a live drop-in outlive a copy, a save and a load before the next step."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch

import lehr
import lehr.torch
from driving import make_optimizer, rates
from twins import ARGUMENTS, CLOSED, SIDES, Run, build, flat, saved, scheduler_class

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

RECURSIVE = sorted(set(ARGUMENTS) - CLOSED - {"SWALR", "ReduceLROnPlateau"})

ATTRIBUTE: dict[str, tuple[str, Any]] = {
    "StepLR": ("gamma", 0.9),
    "MultiStepLR": ("gamma", 0.9),
    "ExponentialLR": ("gamma", 0.7),
    "ConstantLR": ("total_iters", 9),
    "LinearLR": ("total_iters", 12),
    "PolynomialLR": ("power", 3.0),
    "CosineAnnealingLR": ("T_max", 20),
    "MultiplicativeLR": ("lr_lambdas", [lambda epoch: 0.9, lambda epoch: 0.8]),
    "CosineAnnealingWarmRestarts": ("T_i", 11),
    "CyclicLR": ("max_lrs", [0.5, 2.0]),
}


def written(run: Run) -> None:
    """Write a rate by hand."""
    run.optimizer.param_groups[1]["lr"] = 0.02


def attribute(run: Run) -> None:
    """Set an attribute."""
    name, value = ATTRIBUTE[type(run.scheduler).__name__]
    setattr(run.scheduler, name, copy.copy(value))


def copied(run: Run) -> Run:
    """Return a deep copy, with a copy of the optimizer."""
    twin = copy.deepcopy(run.scheduler)
    return Run(twin.optimizer, twin, run.made)


def pickled(run: Run) -> Run:
    """Return an object after pickling and unpickling."""
    twin = pickle.loads(pickle.dumps(run.scheduler))
    return Run(twin.optimizer, twin, run.made)


def resumed(run: Run) -> Run:
    """Return a new run that has loaded the states; torch's is right in this order only."""
    side = "lehr" if type(run.scheduler).__module__.startswith("lehr") else "torch"
    given = {"lr_lambda": list(getattr(run.scheduler, "lr_lambdas", []))}
    name = type(run.scheduler).__name__
    fresh = build(side, name, given if given["lr_lambda"] else None)
    fresh.scheduler.load_state_dict(saved(run))
    fresh.optimizer.load_state_dict(run.optimizer.state_dict())
    fresh.made = run.made
    return fresh


def reloaded(run: Run) -> Run:
    """Load the optimizer's own state into it."""
    run.optimizer.load_state_dict(copy.deepcopy(run.optimizer.state_dict()))
    return run


KEPT = {"deepcopy": copied, "pickle": pickled, "resume": resumed, "optimizer loaded": reloaded}


def both(
    name: str, before: Callable[[Run], None], keep: Callable[[Run], Run], after: Any = None
) -> tuple[list[float], list[float]]:
    """Return the rates of torch and of lehr after a change, what keeps it, and another change."""
    found: list[list[float]] = []
    for side in SIDES:
        run = build(side, name)
        run.steps(3)
        before(run)
        run = keep(run)
        if after is not None:
            after(run)
        found.append(flat(run.steps(8)))
    return found[0], found[1]


@pytest.mark.parametrize("keep", KEPT)
@pytest.mark.parametrize("name", RECURSIVE)
def test_a_rate_written_just_before(name: str, keep: str):
    expected, found = both(name, written, KEPT[keep])
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("keep", ["deepcopy", "pickle"])
@pytest.mark.parametrize("name", RECURSIVE)
def test_a_rate_written_into_a_copy(name: str, keep: str):
    expected, found = both(name, lambda run: None, KEPT[keep], written)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("keep", ["deepcopy", "resume", "optimizer loaded"])
@pytest.mark.parametrize("name", ATTRIBUTE)
def test_an_attribute_set_just_before(name: str, keep: str):
    """It is in the state at once, not only after the next step."""
    expected, found = both(name, attribute, KEPT[keep])
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", ["StepLR", "LambdaLR", "CosineAnnealingLR"])
def test_bases_that_were_set_are_those_of_the_state(name: str):
    """The optimizer is loaded last, and has the old ones."""

    def change(run: Run) -> None:
        run.scheduler.base_lrs = [0.7, 0.02]
        run.steps(2)

    expected, found = both(name, change, resumed, lambda run: run.scheduler.step(9))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", ["StepLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR"])
def test_step_to_the_next_epoch_is_the_formula(name: str):
    """``step(n)`` is the closed form of what was set, even where n is the next epoch."""
    expected, found = both(
        name, attribute, lambda run: run, lambda run: run.scheduler.step(run.made + 1)
    )
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


def trees(container: str, first: str, second: str) -> list[Run]:
    """Return torch's and lehr's container of two schedulers, after five steps."""
    runs: list[Run] = []
    for side in SIDES:
        optimizer = make_optimizer("sgd", (0.1, 0.3))
        parts = [scheduler_class(side, n)(optimizer, **ARGUMENTS[n]) for n in (first, second)]
        if container == "SequentialLR":
            tree = scheduler_class(side, container)(optimizer, parts, [7])
        else:
            tree = scheduler_class(side, container)(parts)
        run = Run(optimizer, tree)
        run.steps(5)
        runs.append(run)
    return runs


@pytest.mark.parametrize("second", ["SWALR", "StepLR", "LambdaLR", "CosineAnnealingWarmRestarts"])
def test_a_rate_written_before_the_next_child_begins(second: str):
    """``SWALR`` begins at the rate that is there; all others at their base."""
    runs = trees("SequentialLR", "StepLR", second)
    for run in runs:
        written(run)
    expected, found = (flat(run.steps(8)) for run in runs)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("name", "value"), [("T_i", 11), ("T_cur", 2), ("T_cur", 4)])
@pytest.mark.parametrize("steps", [1, 3, 5])
def test_the_cycle_of_a_child_is_set(name: str, value: int, steps: int):
    """Before its turn comes, and after."""
    runs = trees("SequentialLR", "StepLR", "CosineAnnealingWarmRestarts")
    for run in runs:
        run.steps(steps - 1)
        setattr(run.scheduler._schedulers[1], name, value)
    expected, found = (flat(run.steps(9)) for run in runs)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_in_a_chain_what_works_from_the_base_discards_a_written_rate():
    runs = trees("ChainedScheduler", "LambdaLR", "ConstantLR")
    for run in runs:
        written(run)
        run.step()
    ratio = rates(runs[1].optimizer)[0] / rates(runs[1].optimizer)[1]
    assert ratio == pytest.approx(1 / 3, rel=1e-12)


def test_in_a_chain_a_rate_is_written_over_zero():
    """The product was 0, so that no child knows of a factor: they go on from what was written."""
    found: list[list[float]] = []
    for side in SIDES:
        optimizer = make_optimizer("sgd", (0.1, 0.3))
        parts = [
            scheduler_class(side, "MultiStepLR")(optimizer, milestones=[2, 6], gamma=0.5),
            scheduler_class(side, "LinearLR")(optimizer, 1.0, end_factor=0.0, total_iters=2),
        ]
        run = Run(optimizer, scheduler_class(side, "ChainedScheduler")(parts))
        run.steps(3)
        written(run)
        found.append(flat(run.steps(6)))
    assert found[1] == pytest.approx(found[0], rel=1e-9, abs=1e-12)


def test_a_scheduler_adopts_what_is_written_into_its_copy():
    """Adopting the rate as a base is the rule of ``Scheduler``, in a copy as in the original."""

    optimizer = make_optimizer("sgd", (0.1,))
    scheduler = lehr.torch.Scheduler(optimizer, lr=lehr.linear(10))
    for _ in range(2):
        optimizer.step()
        scheduler.step()
    twin = copy.deepcopy(scheduler)
    twin.optimizer.param_groups[0]["lr"] = 0.4
    twin.optimizer.step()
    twin.step()
    assert twin.get_last_lr() == pytest.approx([0.35], rel=1e-12)


def add_group(run: Run) -> None:
    """Add a group with a rate of its own."""
    group = {"params": [torch.zeros(1, requires_grad=True)], "lr": 0.2}
    run.optimizer.add_param_group(group)


@pytest.mark.parametrize("name", [*RECURSIVE, "CosineAnnealingWarmRestarts", "LambdaLR", "SWALR"])
def test_a_group_added_just_before(name: str):
    """The state has it at once: it loads where the group was added as well."""
    run, fresh = build("lehr", name), build("lehr", name)
    run.steps(3)
    for each in (run, fresh):
        add_group(each)
    fresh.scheduler.load_state_dict(saved(run))
    fresh.optimizer.load_state_dict(run.optimizer.state_dict())
    assert flat(fresh.steps(8)) == pytest.approx(flat(run.steps(8)), rel=1e-12)


def test_a_group_added_to_a_scheduler_just_before():
    runs: list[Run] = []
    for _ in range(2):
        optimizer = make_optimizer("sgd", (0.1, 0.3))
        scheduler = lehr.torch.Scheduler(optimizer, lr=lehr.linear(10))
        runs.append(Run(optimizer, scheduler))
    run, fresh = runs
    run.steps(3)
    for each in runs:
        add_group(each)
    fresh.scheduler.load_state_dict(run.scheduler.state_dict())
    assert rates(fresh.optimizer) == pytest.approx([0.07, 0.21, 0.14], rel=1e-12)


@pytest.mark.parametrize("name", ["OneCycleLR", "SWALR"])
def test_a_group_that_was_removed_before_the_optimizer_is_loaded(name: str):
    """These two read keys of the groups; the rate of the group that remains is its own."""
    run, twin = build("lehr", name), build("lehr", name)
    for each in (run, twin):
        each.steps(3)
        del each.optimizer.param_groups[0]
    reloaded(run)
    assert flat(run.steps(6)) == flat(twin.steps(6))
