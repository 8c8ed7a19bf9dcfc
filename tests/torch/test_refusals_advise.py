"""The advice of each refusal is accepted: it is provoked, and then done as its message says."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

import lehr
import lehr.torch as ours
from driving import make_optimizer
from lehr.torch import Scheduler

Case = tuple[Callable[[], Any], str, Callable[[], Any]]


def sgd(**arguments: Any) -> torch.optim.Optimizer:
    """Return an optimizer of one group without momentum."""
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, **arguments)


def resuming(note: bool) -> Any:
    """Build a drop-in in the middle of a run, whose groups have their base rate or lack it."""
    optimizer = sgd()
    if note:
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
    return ours.StepLR(optimizer, 3, last_epoch=4)


class Shell:
    """A wrapper of an optimizer that is not an optimizer itself."""

    def __init__(self) -> None:
        self.optim = sgd()
        self.param_groups = self.optim.param_groups

    def step(self) -> None:
        self.optim.step()


class Bare:
    """An object with groups that is not an optimizer."""

    def __init__(self) -> None:
        self.param_groups = [{"params": [torch.zeros(1)], "lr": 0.1}]


def built(change: Callable[[Scheduler], Any], at: int = 10) -> Any:
    """Change the plan of a scheduler that is at a position."""
    scheduler = Scheduler(sgd(), lehr.linear(10), guards="off")
    scheduler.seek(at)
    change(scheduler)
    return scheduler


def fixed(again: bool) -> Any:
    """Change what is fixed on a live scheduler, or build another one."""
    optimizer = sgd(momentum=0.9)
    scheduler = ours.OneCycleLR(optimizer, 1.0, total_steps=30)
    if again:
        return ours.OneCycleLR(optimizer, 1.0, total_steps=60, last_epoch=scheduler.last_epoch)
    scheduler.total_steps = 60
    return scheduler


def swa(own: bool) -> Any:
    """Add a group under an SWALR whose rates differ."""
    optimizer = make_optimizer("sgd", (0.1, 0.3))
    scheduler = ours.SWALR(optimizer, [0.01, 0.02])
    more = {"swa_lr": 0.03} if own else {}
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], **more})
    optimizer.step()
    scheduler.step()
    return scheduler


def swa_beside(sequence: bool) -> Any:
    """Combine an SWALR with another drop-in."""
    optimizer = sgd()
    parts = [ours.ExponentialLR(optimizer, 0.9), ours.SWALR(optimizer, 0.01)]
    if sequence:
        return ours.SequentialLR(optimizer, parts, [5])
    return ours.ChainedScheduler(parts)


def by_group(lr: Any) -> Any:
    """Drive three groups."""
    return Scheduler(make_optimizer("sgd", (0.1, 0.2, 0.3)), lr=lr, guards="off")


def plateau(more: bool) -> Any:
    """Reduce the rates where a group was added after ``min_lr`` was given as a list."""
    optimizer = make_optimizer("sgd", (0.1, 0.3))
    scheduler = ours.ReduceLROnPlateau(optimizer, patience=0, min_lr=[0.0, 0.0])
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)]})
    if more:
        scheduler.min_lrs.append(0.0)
    scheduler.step(1.0)
    scheduler.step(1.0)
    return scheduler


CURVE = lehr.linear(10)

CASES: dict[str, Case] = {
    "initial_lr": (lambda: resuming(False), "setdefault", lambda: resuming(True)),
    "a wrapper": (
        lambda: Scheduler(Shell(), CURVE),  # type: ignore[arg-type]
        r"`\.optim`",
        lambda: Scheduler(Shell().optim, CURVE),
    ),
    "only groups": (
        lambda: Scheduler(Bare(), CURVE),  # type: ignore[arg-type]
        "any_optimizer=True",
        lambda: Scheduler(Bare(), CURVE, any_optimizer=True),  # type: ignore[arg-type]
    ),
    "nothing": (lambda: Scheduler(sgd()), "lr=schedule", lambda: Scheduler(sgd(), lr=CURVE)),
    "no run": (
        lambda: Scheduler(sgd(), lehr.cosine()),
        "over=1000",
        lambda: Scheduler(sgd(), lehr.cosine(), over=1000),
    ),
    "no rule": (
        lambda: Scheduler(sgd(), CURVE).report(1.0),
        r"feedback=lehr\.plateau\(\)",
        lambda: Scheduler(sgd(), CURVE, feedback=lehr.plateau()).report(1.0),
    ),
    "step(n)": (
        lambda: Scheduler(sgd(), CURVE).step(5),
        r"seek\(5\)",
        lambda: Scheduler(sgd(), CURVE).seek(5),
    ),
    "from 0": (
        lambda: ours.LinearLR(sgd(), start_factor=0.0),
        r"lr=lehr\.warmup\(steps\)",
        lambda: Scheduler(sgd(), lr=lehr.warmup(5)),
    ),
    "no momentum": (
        lambda: ours.OneCycleLR(torch.optim.Adagrad([torch.zeros(1)]), 1.0, 10),
        "cycle_momentum=False",
        lambda: ours.OneCycleLR(
            torch.optim.Adagrad([torch.zeros(1)]), 1.0, 10, cycle_momentum=False
        ),
    ),
    "fixed": (lambda: fixed(False), r"last_epoch=scheduler\.last_epoch", lambda: fixed(True)),
    "below 0": (
        lambda: Scheduler(sgd(), lehr.linear(10) - 0.5),
        r"\.clip\(low=",
        lambda: Scheduler(sgd(), (lehr.linear(10) - 0.5).clip(low=0.0, high=1.0)),
    ),
    "swa in a chain": (
        lambda: swa_beside(False),
        "SequentialLR that ends with it",
        lambda: swa_beside(True),
    ),
    "swa of a new group": (lambda: swa(False), "a swa_lr of its own", lambda: swa(True)),
    "a short list": (
        lambda: by_group([CURVE, CURVE]),
        r"'\*' for the rest",
        lambda: by_group({0: CURVE, 1: CURVE, "*": CURVE}),
    ),
    "no entry": (
        lambda: by_group({0: CURVE}),
        r"'\*': None",
        lambda: by_group({0: CURVE, "*": None}),
    ),
    "extend": (
        lambda: built(lambda s: s.extend(5)),
        r"rewarm\(\.\.\.\) or replace",
        lambda: built(lambda s: s.rewarm(5, over=20)),
    ),
    "nothing left": (
        lambda: built(lambda s: s.rewarm(5)),
        "over=1000",
        lambda: built(lambda s: s.rewarm(5, over=1000)),
    ),
    "a jump": (
        lambda: built(lambda s: s.replace(lehr.hold(5, at=1.0)), at=5),
        "jump=True",
        lambda: built(lambda s: s.replace(lehr.hold(5, at=1.0), jump=True), at=5),
    ),
    "a tensor of ints": (
        lambda: Scheduler(torch.optim.SGD([torch.zeros(1)], lr=torch.tensor(1)), CURVE),
        r"torch\.tensor\(1\.0\)",
        lambda: Scheduler(torch.optim.SGD([torch.zeros(1)], lr=torch.tensor(1.0)), CURVE),
    ),
    "min_lrs": (lambda: plateau(False), "append to `min_lrs`", lambda: plateau(True)),
    "the order of phases": (
        lambda: ours.TrapezoidalLR(sgd(), step_size=20, anneal_start_epoch=10),
        "write at least that",
        lambda: ours.TrapezoidalLR(sgd(), step_size=20, anneal_start_epoch=20),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_advice_is_accepted(name: str):
    refused, advice, advised = CASES[name]
    with pytest.raises((ValueError, TypeError, KeyError, RuntimeError), match=advice):
        refused()
    advised()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("guard", ["order", "jump"])
def test_a_guard_is_silenced_as_its_warning_says(guard: str):
    schedule = lehr.hold(3, at=0.01) >> lehr.hold(at=1.0) if guard == "jump" else CURVE

    def run(**more: Any) -> None:
        optimizer = sgd()
        scheduler = Scheduler(optimizer, schedule, **more)
        for _ in range(5):
            if guard != "order":
                optimizer.step()
            scheduler.step()

    others = dict.fromkeys(set(ours.GUARDS) - {guard}, "off")
    with pytest.raises(UserWarning, match=rf"guards={{'{guard}': 'off'}} silences it"):
        run(guards=others)
    run(guards={**others, guard: "off"})


def test_an_ease_of_a_user_has_a_name_to_be_saved_by():
    scheduler = Scheduler(sgd(), lehr.hold(20), guards="off")

    def half_sine(u: float) -> float:
        return math.sin(math.pi * u / 2)

    with pytest.raises(lehr.ScheduleError, match=r"lehr\.register\('mine'\)\(function\)"):
        scheduler.cooldown(4, ease=half_sine)  # type: ignore[arg-type]
    lehr.register("half_sine_of_the_test")(half_sine)
    scheduler.cooldown(4, ease="half_sine_of_the_test")
