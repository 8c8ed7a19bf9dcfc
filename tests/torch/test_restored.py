"""A refused state leaves nothing changed: groups, tensors, attributes, the values to come."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.optim import Optimizer

import lehr
import lehr.torch as ours
from driving import drive, make_optimizer
from lehr.torch.checkpoint import groups_restored_on_error

BAD: tuple[Any, ...] = (
    None,
    "x",
    10**400,
    -1e308,
    1e308,
    float("nan"),
    [],
    [None, "x"],
    {},
    {"a": 1},
)


class Scale:
    """A callable object, whose attributes a state has."""

    def __init__(self) -> None:
        self.rate = 0.5

    def __call__(self, n: float) -> float:
        return self.rate


def build(name: str, optimizer: Optimizer) -> Any:
    if name == "Scheduler":
        return ours.Scheduler(
            optimizer,
            lehr.warmup(3) >> lehr.cosine(),
            over=50,
            momentum=lehr.linear(50, start=0.9),
            weight_decay="lr",
            feedback=lehr.plateau(),
            guards="off",
        )
    if name == "SequentialLR":
        parts = [ours.LinearLR(optimizer), ours.OneCycleLR(optimizer, [1.0, 2.0], 40)]
        return ours.SequentialLR(optimizer, parts, [3])
    arguments: dict[str, Any] = {
        "StepLR": {"step_size": 3},
        "MultiStepLR": {"milestones": [3, 9]},
        "OneCycleLR": {"max_lr": [1.0, 2.0], "total_steps": 40},
        "CyclicLR": {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 5, "scale_fn": Scale()},
        "LambdaLR": {"lr_lambda": [Scale(), Scale()]},
        "MultiplicativeLR": {"lr_lambda": [Scale(), Scale()]},
        "SWALR": {"swa_lr": [0.05, 0.01]},
        "TrapezoidalLR": {"scale_fn": lambda x: x},
        "ReduceLROnPlateau": {"factor": 0.5},
    }
    return getattr(ours, name)(optimizer, **arguments[name])


NAMES = [
    *("Scheduler", "StepLR", "MultiStepLR", "OneCycleLR", "CyclicLR", "LambdaLR"),
    *("MultiplicativeLR", "SWALR", "TrapezoidalLR", "ReduceLROnPlateau", "SequentialLR"),
]


def damaged(state: Any) -> Iterator[Any]:
    """Yield copies of a state, in each of which one entry, however deep, is another."""
    items = state.items() if isinstance(state, dict) else enumerate(state)
    for key, value in items:
        for bad in BAD:
            changed = copy.copy(state)
            changed[key] = bad
            yield changed
        if isinstance(value, dict | list) and key not in ("plan",):
            for inner in damaged(value):
                changed = copy.copy(state)
                changed[key] = inner
                yield changed
    if isinstance(state, dict):
        for key in state:
            yield {other: value for other, value in state.items() if other != key}


def everything(optimizer: Optimizer, scheduler: Any) -> Any:
    groups = [
        {
            key: value.tolist() if isinstance(value, torch.Tensor) else copy.copy(value)
            for key, value in group.items()
            if key != "params"
        }
        for group in optimizer.param_groups
    ]
    return groups, copy.deepcopy(scheduler.state_dict())


def go_on(optimizer: Optimizer, scheduler: Any) -> Any:
    if isinstance(scheduler, ours.ReduceLROnPlateau):
        for metric in (1.0,) * 12:
            scheduler.step(metric)
        return everything(optimizer, scheduler)
    return drive(optimizer, scheduler, 3)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["sgd", "sgd-tensor"])
@pytest.mark.parametrize("name", NAMES)
def test_a_refused_state_leaves_nothing_changed(name: str, kind: str):
    def fresh() -> tuple[Optimizer, Any]:
        optimizer = make_optimizer(kind, (0.1, 0.3))
        return optimizer, build(name, optimizer)

    optimizer, scheduler = fresh()
    go_on(optimizer, scheduler)
    state = scheduler.state_dict()
    optimizer, scheduler = fresh()
    before = everything(optimizer, scheduler)
    tensors = [group["lr"] for group in optimizer.param_groups]
    refused = 0
    for bad in [None, 3, [], {}, *damaged(state)]:
        kept = copy.deepcopy(bad)
        try:
            scheduler.load_state_dict(bad)
        except (ValueError, TypeError):
            refused += 1
            assert everything(optimizer, scheduler) == before, kept
        else:
            # Some entries are free, such as a count of steps.
            optimizer, scheduler = fresh()
            tensors = [group["lr"] for group in optimizer.param_groups]
    assert refused > 10
    if kind == "sgd-tensor":
        assert all(
            group["lr"] is tensor
            for group, tensor in zip(optimizer.param_groups, tensors, strict=True)
        )
    assert go_on(optimizer, scheduler) == go_on(*fresh())


def test_what_was_filled_before_an_error_is_filled_again():
    """A captured graph reads the same tensors, with what was in them."""
    (group,) = make_optimizer("sgd-tensor", (0.25,)).param_groups
    rate, weights = group["lr"], group["params"]

    def fill() -> None:
        with groups_restored_on_error([group]):
            rate.fill_(3.0)
            group.update(initial_lr=0.5, momentum=0.75)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill()
    assert group["lr"] is rate
    assert group["params"] is weights
    assert float(rate) == 0.25
    assert "initial_lr" not in group
    assert group["momentum"] != 0.75
