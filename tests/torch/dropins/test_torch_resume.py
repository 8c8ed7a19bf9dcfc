"""Resuming: every order gives the uninterrupted run's values, exactly."""

import copy
import io
import json
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.optim.lr_scheduler as theirs
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

import lehr
import lehr.torch as ours
from driving import KINDS, drive, make_optimizer, read

Build = Callable[[Optimizer], LRScheduler]


def inverse(epoch: int) -> float:
    return 1 - 0.5 / (epoch + 1)


class Power:
    """A callable object: its attributes are saved."""

    def __init__(self, base: float) -> None:
        self.base = base

    def __call__(self, epoch: int) -> float:
        return self.base ** (epoch % 7)


DROP_INS: dict[str, dict[str, Any]] = {
    "StepLR": {"step_size": 7, "gamma": 0.7},
    "MultiStepLR": {"milestones": [3, 40, 40, 45], "gamma": 0.5},
    "ExponentialLR": {"gamma": 0.97},
    "ConstantLR": {"factor": 0.25, "total_iters": 38},
    "LinearLR": {"start_factor": 0.01, "total_iters": 60},
    "PolynomialLR": {"total_iters": 60, "power": 1.7},
    "CosineAnnealingLR": {"T_max": 40, "eta_min": 0.01},
    "CosineAnnealingWarmRestarts": {"T_0": 5, "T_mult": 2, "eta_min": 0.01},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 1.0, "step_size_up": 7, "mode": "exp_range"},
    "OneCycleLR": {"max_lr": 1.0, "total_steps": 1100},
    "LambdaLR": {"lr_lambda": [inverse, Power(0.97)]},
    "MultiplicativeLR": {"lr_lambda": [Power(0.99), inverse]},
    "SWALR": {"swa_lr": [0.05, 0.01], "anneal_epochs": 45},
    "TrapezoidalLR": {"base_lr": 0.01, "max_lr": 1.0, "step_size": 20, "anneal_start_epoch": 30},
}


def drop_in(name: str) -> Build:
    return lambda optimizer: getattr(ours, name)(optimizer, **DROP_INS[name])


def scheduler(**arguments: Any) -> Build:
    return lambda optimizer: ours.Scheduler(optimizer, guards="off", **arguments)


BUILDS: dict[str, Build] = {
    **{name: drop_in(name) for name in DROP_INS},
    "warmup and cosine": scheduler(lr=lehr.warmup("10%") >> lehr.cosine(to=0.1), over=60),
    "one cycle with momentum": scheduler(
        lr=ours.absolute(lehr.one_cycle(peak=2.0)), momentum=lehr.one_cycle_momentum(), over=60
    ),
    "rate and decay": scheduler(lr=lehr.cosine(60), weight_decay=lehr.linear(60, to=0.5)),
}

POSITIONS = (0, 1, 37, 1023, 1025)


def at(build: Build, kind: str, position: int) -> tuple[Optimizer, Any]:
    optimizer = make_optimizer(kind, (0.1, 0.3))
    for group in optimizer.param_groups:
        group["weight_decay"] = 0.02
    driver = build(optimizer)
    drive(optimizer, driver, position)
    return optimizer, driver


def everything(optimizer: Optimizer, driver: LRScheduler) -> list[Any]:
    """Return the values that the next updates use, with the decay."""
    rows = []
    for _ in range(12):
        rows.append((read(optimizer), [g["weight_decay"] for g in optimizer.param_groups]))
        optimizer.step()
        driver.step()
    return rows


def reload(state: Any) -> Any:
    """Save and load as trainers do: nothing but plain types passes."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BUILDS)
def test_every_order_resumes(name: str, kind: str):
    build = BUILDS[name]
    for position in POSITIONS:
        optimizer, driver = at(build, kind, position)
        saved, state = reload(optimizer.state_dict()), reload(driver.state_dict())
        wanted = everything(optimizer, driver)
        for order in ("build optimizer scheduler", "build scheduler optimizer",
                      "optimizer build scheduler"):  # fmt: skip
            fresh = make_optimizer(kind, (0.1, 0.3))
            for group in fresh.param_groups:
                group["weight_decay"] = 0.02
            built: Any = None
            for what in order.split():
                if what == "build":
                    built = build(fresh)
                elif what == "optimizer":
                    fresh.load_state_dict(copy.deepcopy(saved))
                else:
                    built.load_state_dict(copy.deepcopy(state))
            assert built.last_epoch == position
            assert everything(fresh, built) == wanted, (order, position)


@pytest.mark.parametrize("name", BUILDS)
def test_an_optimizer_with_other_rates_still_resumes(name: str):
    """The state carries the bases: what the new script wrote as ``lr=`` does not matter."""
    optimizer, driver = at(BUILDS[name], "sgd", 37)
    saved, state = optimizer.state_dict(), driver.state_dict()
    wanted = everything(optimizer, driver)
    fresh = make_optimizer("sgd", (5.0, 7.0))
    built: Any = BUILDS[name](fresh)
    fresh.load_state_dict(saved)
    built.load_state_dict(state)
    assert everything(fresh, built) == wanted


@pytest.mark.parametrize("name", BUILDS)
def test_the_state_passes_json(name: str):
    optimizer, driver = at(BUILDS[name], "adamw-tensor", 37)
    state = json.loads(json.dumps(driver.state_dict(), allow_nan=False))
    wanted = everything(optimizer, driver)
    fresh, built = at(BUILDS[name], "adamw-tensor", 2)
    built.load_state_dict(state)
    assert everything(fresh, built) == wanted


@pytest.mark.parametrize("name", BUILDS)
def test_the_state_is_a_snapshot(name: str):
    """Neither stepping on nor scribbling on a state reaches the other side."""
    optimizer, driver = at(BUILDS[name], "sgd", 5)
    state = driver.state_dict()
    kept = copy.deepcopy(state)
    drive(optimizer, driver, 3)
    assert state == kept
    scribble(driver.state_dict())
    assert driver.state_dict() == driver.state_dict()
    fresh, built = at(BUILDS[name], "sgd", 0)
    built.load_state_dict(state)
    assert state == kept, "loading must not change the state"
    scribble(state)
    assert built.state_dict() == kept
    expected, reference = at(BUILDS[name], "sgd", 5)
    assert everything(fresh, built) == everything(expected, reference)


def scribble(value: Any) -> None:
    """Empty every list of a state, however deep."""
    for inner in list(value.values() if isinstance(value, dict) else value):
        if isinstance(inner, dict | list):
            scribble(inner)
    if isinstance(value, list):
        value.clear()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ExponentialLR", {"gamma": np.exp(-0.1)}),
        ("CosineAnnealingLR", {"T_max": np.int64(30), "eta_min": np.float64(0.01)}),
        ("StepLR", {"step_size": np.int64(3), "gamma": np.float64(0.5)}),
        ("MultiStepLR", {"milestones": np.array([3, 9])}),
        ("OneCycleLR", {"max_lr": np.float64(1.0), "total_steps": np.int64(30)}),
        ("TrapezoidalLR", {"step_size": np.int64(5), "anneal_start_epoch": np.int64(9)}),
    ],
)
def test_numpys_numbers_are_saved_as_plain_ones(name: str, arguments: dict[str, Any]):
    optimizer = make_optimizer()
    state = getattr(ours, name)(optimizer, **arguments).state_dict()
    through_json = json.loads(json.dumps(state))
    if name == "MultiStepLR":
        # A Counter, as torch's class has it: JSON makes texts of its keys, which load all the same.
        assert {int(at): n for at, n in through_json.pop("milestones").items()} == reload(
            state
        ).pop("milestones")
        state = {key: value for key, value in state.items() if key != "milestones"}
    assert reload(state) == through_json


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
@pytest.mark.parametrize("name", [name for name in DROP_INS if name != "TrapezoidalLR"])
def test_torchs_own_state_loads(name: str, kind: str):
    optimizer = make_optimizer(kind, (0.1, 0.3))
    reference = getattr(torch.optim.swa_utils if name == "SWALR" else theirs, name)(
        optimizer, **DROP_INS[name]
    )
    drive(optimizer, reference, 37)
    state = reload(reference.state_dict())
    wanted = drive(optimizer, reference, 12)
    fresh, built = at(BUILDS[name], kind, 0)
    built.load_state_dict(state)
    found = drive(fresh, built, 12)
    for mine, torchs in zip(found, wanted, strict=True):
        for group, expected in zip(mine, torchs, strict=True):
            assert group == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_torchs_state_of_a_one_cycle_with_another_peak_time_loads():
    """torch saves where the peak is only as the end of its first phase."""
    optimizer = make_optimizer()
    reference = theirs.OneCycleLR(optimizer, max_lr=1.0, total_steps=100, pct_start=0.5)
    drive(optimizer, reference, 37)
    state = reload(reference.state_dict())
    wanted = drive(optimizer, reference, 12)
    fresh = make_optimizer()
    built = ours.OneCycleLR(fresh, max_lr=1.0, total_steps=100, pct_start=0.3)
    built.load_state_dict(state)
    for mine, torchs in zip(drive(fresh, built, 12), wanted, strict=True):
        assert mine[0] == pytest.approx(torchs[0], rel=1e-9)


@pytest.mark.parametrize("name", ["CosineAnnealingWarmRestarts", "TrapezoidalLR", "rate and decay"])
def test_a_position_between_two_steps_is_saved(name: str):
    optimizer, driver = at(BUILDS[name], "sgd", 3)
    if name == "rate and decay":
        driver.seek(7.25)
    else:
        driver.step(7.25)
    fresh, built = at(BUILDS[name], "sgd", 0)
    built.load_state_dict(reload(driver.state_dict()))
    assert read(fresh) == read(optimizer)


@pytest.mark.parametrize("name", [name for name in BUILDS if name not in DROP_INS])
@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.clear(),
        lambda state: state.update(format=99),
        lambda state: state.update(format=True),
        lambda state: state.update(fraction=1.0),
        lambda state: state.update(last_epoch=-5),
        lambda state: state.update(last_epoch="soon"),
        lambda state: state.update(last_epoch=None),
        lambda state: state.update(plan={"lr": "constant(3.0)"}),
        lambda state: state.update(bases={}),
        lambda state: state["bases"].update(lr=[1.0]),
        lambda state: state["bases"].update(lr=["x"] * 2),
        lambda state: state["bases"].update(lr=[-1.0] * 2),
        lambda state: state.update(changes=[{"at": 0, "change": "none", "of": "lr"}]),
        lambda state: state.update(changes=[{"at": 0, "change": "scale", "of": "lr"}]),
        lambda state: state.update(changes=3),
        lambda state: state.pop("_step_count"),
    ],
)
def test_a_load_of_the_scheduler_that_fails_changes_nothing(name: str, damage: Any):
    assert_failed_load_changes_nothing(BUILDS[name], damage)


@pytest.mark.parametrize("name", DROP_INS)
@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.clear(),
        lambda state: state.pop("last_epoch"),
        lambda state: state.update(last_epoch=-5),
        lambda state: state.update(last_epoch="soon"),
        lambda state: state.update(last_epoch=None),
        lambda state: state.update(base_lrs=[0.1]),
        lambda state: state.update(base_lrs=["x", "y"]),
    ],
)
def test_a_load_of_a_drop_in_that_fails_changes_nothing(name: str, damage: Any):
    assert_failed_load_changes_nothing(BUILDS[name], damage)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("StepLR", {"step_size": 0}),
        ("MultiStepLR", {"milestones": [3, "x"]}),
        ("ExponentialLR", {"gamma": "fast"}),
        ("LinearLR", {"start_factor": 5.0}),
        ("PolynomialLR", {"power": -1.0}),
        ("CosineAnnealingLR", {"T_max": 0}),
        ("CosineAnnealingWarmRestarts", {"T_mult": 0}),
        ("CyclicLR", {"max_lrs": [1.0]}),
        ("CyclicLR", {"step_size_up": -3}),
        ("CyclicLR", {"mode": "square"}),
        ("CyclicLR", {"base_momentums": []}),
        ("OneCycleLR", {"pct_start": 7.0}),
        ("OneCycleLR", {"max_lrs": []}),
        ("OneCycleLR", {"total_steps": 3}),
        ("OneCycleLR", {"max_momentums": ["x", "y"]}),
        ("ConstantLR", {"factor": 1.5}),
        ("ConstantLR", {"total_iters": 2.5}),
        ("LambdaLR", {"lr_lambdas": None}),
        ("LambdaLR", {"lr_lambdas": [None]}),
        ("LambdaLR", {"lr_lambdas": [{"base": 2.0}, 3.0]}),
        ("LambdaLR", {"lr_lambdas": [None, {"base": "high"}]}),
        ("MultiplicativeLR", {"lr_lambdas": [{"base": math.inf}, None], "products": None}),
        ("MultiplicativeLR", {"products": [1.0]}),
        ("MultiplicativeLR", {"products": [1.0, "x"]}),
        ("MultiplicativeLR", {"products": [1.0, math.nan]}),
        ("SWALR", {"anneal_epochs": -1}),
        ("SWALR", {"_anneal_strategy": "exponential"}),
        ("SWALR", {"swa_lrs": [0.1]}),
        ("SWALR", {"swa_lrs": [0.1, -0.1]}),
        ("SWALR", {"starts": ["x", "y"]}),
        ("TrapezoidalLR", {"step_size": -1}),
        ("TrapezoidalLR", {"anneal_start_epoch": 1}),
        ("TrapezoidalLR", {"max_lrs": [-1.0, -1.0]}),
        ("TrapezoidalLR", {"history": 5}),
    ],
)
def test_a_parameter_out_of_range_in_a_state_changes_nothing(name: str, change: dict[str, Any]):
    assert_failed_load_changes_nothing(BUILDS[name], lambda state: state.update(change))


def assert_failed_load_changes_nothing(
    build: Build, damage: Callable[[dict[str, Any]], Any]
) -> None:
    source = at(build, "sgd", 9)[1]
    state = source.state_dict()
    damage(state)
    optimizer, driver = at(build, "sgd", 4)
    before = driver.state_dict()
    groups = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
    expected = everything(*at(build, "sgd", 4))
    with pytest.raises((ValueError, TypeError)):
        driver.load_state_dict(state)
    assert driver.state_dict() == before
    assert groups == [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
    assert everything(optimizer, driver) == expected


def test_a_failed_load_leaves_a_callables_attributes_alone():
    class Scale:
        def __init__(self) -> None:
            self.rate = 0.5

        def __call__(self, n: float) -> float:
            return self.rate**n

    function = Scale()
    scheduler = ours.CyclicLR(make_optimizer(), 0.1, 1.0, step_size_up=5, scale_fn=function)
    state = scheduler.state_dict()
    state["_scale_fn_custom"] = {"rate": 0.9}
    state["base_lrs"] = [0.1, 0.2, 0.3]
    with pytest.raises(ValueError, match="groups"):
        scheduler.load_state_dict(state)
    assert function.rate == 0.5


@pytest.mark.parametrize("name", BUILDS)
def test_schedulers_can_be_copied_and_pickled_as_torchs_can(name: str):
    optimizer, driver = at(BUILDS[name], "sgd", 9)
    # torch's order of calls wraps optimizer.step; its own schedulers pass both of these.
    copied = copy.deepcopy(driver)
    pickled = pickle.loads(pickle.dumps(driver))
    wanted = everything(optimizer, driver)
    assert everything(copied.optimizer, copied) == wanted
    assert everything(pickled.optimizer, pickled) == wanted
