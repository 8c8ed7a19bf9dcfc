"""The subjects of public bug reports, beside torch's class of the same name.

Each test names the library or the habit that it is from.
"""

import copy
import functools
import io
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.optim.lr_scheduler as theirs

import lehr
import lehr.torch as ours
from driving import make_optimizer, rates
from twins import ARGUMENTS, PLATEAU, SIDES, Run, build, flat, inverse

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture
def one_process(tmp_path: Any):
    """A process group of this process alone."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("one_process")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # importing it compiles by torch.jit
def test_an_optimizer_that_copies_its_groups_into_the_inner_one():
    """torch's ZeroRedundancyOptimizer does so before each update: its own groups are those."""
    from torch.distributed.optim import ZeroRedundancyOptimizer

    weight = torch.ones(1, requires_grad=True)
    optimizer = ZeroRedundancyOptimizer([weight], optimizer_class=torch.optim.SGD, lr=1.0)
    scheduler = ours.Scheduler(optimizer, lr=lehr.linear(4))
    moved: list[float] = []
    for _ in range(4):
        before = weight.item()
        weight.grad = torch.ones(1)
        optimizer.step()
        scheduler.step()
        moved.append(before - weight.item())
    assert moved == pytest.approx([1.0, 0.75, 0.5, 0.25])


WRITTEN_BY_OTHERS = sorted(set(ARGUMENTS) - {"SWALR", PLATEAU})


@pytest.mark.parametrize("name", WRITTEN_BY_OTHERS)
def test_a_framework_that_asks_for_rates_and_writes_them(name: str):
    """ignite's LRScheduler adds one to ``last_epoch``, calls ``get_lr`` and writes what it gets."""
    found: list[list[float]] = []
    for side in SIDES:
        run = build(side, name)
        rows: list[float] = []
        for _ in range(12):
            run.scheduler.last_epoch += 1
            run.scheduler._get_lr_called_within_step = True
            asked = run.scheduler.get_lr()
            run.scheduler._get_lr_called_within_step = False
            for group, lr in zip(run.optimizer.param_groups, asked, strict=True):
                group["lr"] = lr
            rows += [float(lr) for lr in asked]
        found.append(rows)
    assert found[1] == pytest.approx(found[0], rel=1e-9, abs=1e-12)


def test_a_framework_that_asks_a_scheduler():
    optimizer = make_optimizer("sgd", (0.1, 0.3))
    scheduler = ours.Scheduler(optimizer, lr=lehr.linear(10), guards="off")
    scheduler.last_epoch += 4
    assert scheduler.get_lr() == pytest.approx([0.06, 0.18], rel=1e-12)


class Warming(theirs.LRScheduler):
    """As the best-known gradual warmup: linear, then the scheduler that it was given."""

    def __init__(self, optimizer: Any, epochs: int, after: Any) -> None:
        self.epochs, self.after, self.over = epochs, after, False
        super().__init__(optimizer)

    def get_lr(self) -> list[Any]:
        if self.last_epoch <= self.epochs:
            return [base * self.last_epoch / self.epochs for base in self.base_lrs]
        if not self.over:
            self.after.base_lrs, self.over = list(self.base_lrs), True
        return self.after.get_last_lr()

    def step(self, epoch: Any = None) -> None:
        if self.over:
            self.after.step(None if epoch is None else epoch - self.epochs)
        else:
            super().step(epoch)


@pytest.mark.parametrize("by_epoch", [False, True])
@pytest.mark.parametrize(
    "name",
    ["StepLR", "ExponentialLR", "LambdaLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts"],
)
def test_a_warmup_that_hands_over_to_another(name: str, by_epoch: bool):
    found: list[list[float]] = []
    for side in SIDES:
        after = build(side, name)
        scheduler = Warming(after.optimizer, 4, after.scheduler)
        rows: list[float] = []
        for epoch in range(14):
            after.optimizer.step()
            scheduler.step(*([epoch + 1] if by_epoch else []))
            rows += rates(after.optimizer)
        found.append(rows)
    assert found[1] == pytest.approx(found[0], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", ["StepLR", "CosineAnnealingLR", "ExponentialLR", "LambdaLR"])
def test_a_warmup_that_damps_between_the_steps(name: str):
    """pytorch_warmup puts the rate back before each step, and damps it afterwards."""
    found: list[list[float]] = []
    for side in SIDES:
        run = build(side, name)
        rows: list[float] = []
        for step in range(10):
            kept = [group["lr"] for group in run.optimizer.param_groups]
            for group in run.optimizer.param_groups:
                group["lr"] *= min(1.0, (step + 1) / 6)
            rows += rates(run.optimizer)
            run.optimizer.step()
            for group, lr in zip(run.optimizer.param_groups, kept, strict=True):
                group["lr"] = lr
            run.scheduler.step()
        found.append(rows)
    assert found[1] == pytest.approx(found[0], rel=1e-9, abs=1e-12)


def new_dicts(optimizer: Any) -> None:
    optimizer.param_groups = [dict(group) for group in optimizer.param_groups]


def dropped(optimizer: Any) -> None:
    optimizer.param_groups[:] = [group for group in optimizer.param_groups if group["params"]]


@pytest.mark.parametrize("replace", [new_dicts, dropped])
@pytest.mark.parametrize("name", ["StepLR", "CosineAnnealingLR", "LambdaLR"])
def test_groups_that_a_framework_replaces(name: str, replace: Callable[[Any], None]):
    """apex makes new dicts of the groups; DeepSpeed a new list without the empty ones."""
    found: list[Any] = []
    for side in SIDES:
        run = build(side, name)
        run.steps(1)
        replace(run.optimizer)
        found.append(flat(run.steps(6)))
    assert found[1] == pytest.approx(found[0], rel=1e-9)


@pytest.mark.parametrize(
    "milestones",
    [[9, 4, 2], (2, 4), {2, 4}, range(2, 8, 2), np.array([2, 4]), [2.0, 4.0], [], Counter([3, 3])],
    ids=repr,
)
def test_milestones_of_each_kind(milestones: Any):
    found = [
        flat(build(side, "MultiStepLR", {"milestones": milestones, "gamma": 0.5}).steps(10))
        for side in SIDES
    ]
    assert found[1] == pytest.approx(found[0], rel=1e-12)


@pytest.mark.parametrize("milestones", [None, 5, "24", [2.5], [-1, 3], [True]])
def test_milestones_that_are_none(milestones: Any):
    with pytest.raises((ValueError, TypeError), match="milestones"):
        build("lehr", "MultiStepLR", {"milestones": milestones})


@pytest.mark.parametrize(
    "function",
    [functools.partial(pow, 0.9), torch.nn.Identity(), inverse, np.exp],
    ids=["partial", "module", "function", "ufunc"],
)
def test_functions_of_each_kind(function: Any):
    found: list[Any] = []
    for side in SIDES:
        run, fresh = (build(side, "LambdaLR", {"lr_lambda": function}) for _ in range(2))
        run.steps(3)
        fresh.scheduler.load_state_dict(run.scheduler.state_dict())
        fresh.optimizer.load_state_dict(run.optimizer.state_dict())
        found.append(flat(fresh.steps(3)))
    assert found[1] == pytest.approx(found[0], rel=1e-12)


def test_a_state_of_a_position_alone():
    """torch takes it; here the message says how to."""
    run = build("lehr", "StepLR")
    with pytest.raises(ValueError, match="adopt='here'"):
        run.scheduler.load_state_dict({"last_epoch": 5})
    run.scheduler.load_state_dict({"last_epoch": 5}, adopt="here")
    assert run.scheduler.last_epoch == 5
    assert rates(run.optimizer) == pytest.approx([0.025, 0.075], rel=1e-12)


@pytest.mark.parametrize("last_epoch", [-2, 2.5, "3", None, float("nan"), True, [1]])
@pytest.mark.parametrize("name", ["StepLR", "OneCycleLR", "LambdaLR", "SWALR"])
def test_a_last_epoch_that_is_none(name: str, last_epoch: Any):
    with pytest.raises((ValueError, TypeError), match="last_epoch"):
        build("lehr", name, {**ARGUMENTS[name], "last_epoch": last_epoch})


def test_a_plateau_saved_as_a_whole():
    run = build("lehr", PLATEAU)
    run.steps(4)
    file = io.BytesIO()
    torch.save(run.scheduler, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    twin = Run(loaded.optimizer, loaded, run.made)
    assert flat(twin.steps(8)) == flat(run.steps(8))


def test_a_checkpoint_loaded_again_in_the_same_process():
    """A run that went wrong goes back to its checkpoint, and on from there."""
    found: list[Any] = []
    for side in SIDES:
        run = build(side, "CosineAnnealingLR")
        run.steps(3)
        states = copy.deepcopy((run.scheduler.state_dict(), run.optimizer.state_dict()))
        run.steps(4)
        run.scheduler.load_state_dict(states[0])
        run.optimizer.load_state_dict(states[1])
        found.append(flat(run.steps(5)))
    assert found[1] == pytest.approx(found[0], rel=1e-12)


class Pair(torch.optim.Optimizer):
    """Trains matrices by one optimizer and the rest by another, with groups of its own in front."""

    def __init__(self, matrix: Any, vector: Any) -> None:
        self.muon = torch.optim.Muon([matrix], lr=0.02)
        self.adamw = torch.optim.AdamW([vector], lr=3e-4)
        super().__init__([matrix, vector], {"lr": 0.02})

    def step(self, closure: Any = None) -> None:
        self.muon.step()
        self.adamw.step()


def test_a_pair_behind_groups_that_nobody_trains_by():
    pair = Pair(torch.ones(2, 2, requires_grad=True), torch.ones(2, requires_grad=True))
    with pytest.warns(UserWarning, match=r"Muon in `\.muon` of Pair .*follow no schedule"):
        ours.Scheduler(pair, lr=lehr.linear(10))
    scheduler = ours.Scheduler([pair.muon, pair.adamw], lr=lehr.linear(10), guards="error")
    pair.step()
    scheduler.step()
    assert rates(pair.muon) + rates(pair.adamw) == pytest.approx([0.018, 2.7e-4], rel=1e-12)


def test_steps_before_the_update_of_an_accumulation_are_reported_soon():
    """The first one comes before any update, which must not hide those that follow."""
    optimizer = make_optimizer()
    scheduler = ours.Scheduler(optimizer, lr=lehr.linear(10_000), guards={"order": "off"})

    def accumulate() -> None:
        for batch in range(48):
            if batch % 4 == 3:
                optimizer.step()
            scheduler.step()

    with pytest.warns(UserWarning, match="without an update in between"):
        accumulate()
