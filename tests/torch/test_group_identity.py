"""Groups come and go: those that remain keep their bases and schedules."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

import lehr
import lehr.torch as ours
from driving import KINDS, drive, make_optimizer, rates
from lehr import ScheduleError
from lehr.torch import Scheduler


def weight() -> torch.Tensor:
    return torch.zeros(1, requires_grad=True)


def test_groups_of_which_none_is_known_are_taken_in_their_order():
    """A model that was moved or wrapped has other parameters, in as many groups."""
    optimizer = make_optimizer(rates=(1.0, 0.2))
    scheduler = Scheduler(optimizer, [lehr.linear(10), lehr.linear(20)])
    drive(optimizer, scheduler, 5)
    groups = [{**group, "params": [weight()]} for group in optimizer.param_groups]
    for group in groups:
        del group["initial_lr"]
    optimizer.param_groups = groups
    scheduler.seek(6)
    assert rates(optimizer) == pytest.approx([0.4, 0.14])
    assert [float(base) for base in scheduler.base_lrs] == [1.0, 0.2]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("removed", [0, 1, 2])
def test_a_group_that_is_removed_takes_its_schedule_along(kind: str, removed: int):
    bases = [0.1, 0.2, 0.4]
    optimizer = make_optimizer(kind, bases)
    shapes = [lehr.linear(100), lehr.constant(0.5), lehr.linear(50)]
    scheduler = Scheduler(optimizer, shapes)
    drive(optimizer, scheduler, 5)
    del optimizer.param_groups[removed]
    drive(optimizer, scheduler, 5)
    wanted = [0.1 * 0.9, 0.2 * 0.5, 0.4 * 0.8]
    del wanted[removed], bases[removed]
    assert rates(optimizer) == pytest.approx(wanted)
    assert [float(base) for base in scheduler.base_lrs] == pytest.approx(bases)


@pytest.mark.parametrize(
    "build",
    [
        lambda o: ours.StepLR(o, 3, 0.5),
        lambda o: ours.CosineAnnealingLR(o, 50),
        lambda o: ours.LambdaLR(o, [lambda n: 0.5**n, lambda n: 0.7**n, lambda n: 0.9**n]),
        lambda o: ours.MultiplicativeLR(o, [lambda n: 0.5, lambda n: 0.7, lambda n: 0.9]),
        lambda o: ours.OneCycleLR(o, [1.0, 2.0, 3.0], 90),
        lambda o: ours.CyclicLR(o, [0.1, 0.2, 0.3], [1.0, 2.0, 3.0], 7),
        lambda o: ours.SWALR(o, [0.01, 0.02, 0.03]),
        lambda o: ours.TrapezoidalLR(o, [0.01, 0.02, 0.03], [1.0, 2.0, 3.0]),
        lambda o: ours.SequentialLR(
            o, [ours.LinearLR(o, 0.5), ours.OneCycleLR(o, [1.0, 2.0, 3.0], 90)], [3]
        ),
    ],
)
@pytest.mark.parametrize("change", ["remove", "reorder"])
def test_a_drop_in_follows_its_groups(build: Any, change: str):
    whole, partial = make_optimizer(rates=(0.1, 0.2, 0.4)), make_optimizer(rates=(0.1, 0.2, 0.4))
    schedulers = build(whole), build(partial)
    drive(whole, schedulers[0], 5)
    drive(partial, schedulers[1], 5)
    groups = partial.param_groups
    if change == "remove":
        del groups[0]
    else:
        groups.append(groups.pop(0))
    drive(whole, schedulers[0], 5)
    drive(partial, schedulers[1], 5)
    wanted = rates(whole)
    assert rates(partial) == pytest.approx(wanted[1:] + wanted[:1] * (change == "reorder"))


@pytest.mark.parametrize("name", ["Scheduler", "StepLR", "LambdaLR", "CosineAnnealingLR"])
def test_a_group_that_is_added_is_resumed_in_every_order(name: str):
    def build(optimizer: Any) -> Any:
        arguments: dict[str, Any] = {
            "Scheduler": {"lr": lehr.linear(100)},
            "StepLR": {"step_size": 3},
            "LambdaLR": {"lr_lambda": lambda n: 1 / (1 + n)},
            "CosineAnnealingLR": {"T_max": 50},
        }
        return getattr(ours, name)(optimizer, **arguments[name])

    def add(optimizer: Any) -> None:
        optimizer.add_param_group({"params": [weight()], "lr": 0.3})

    optimizer = make_optimizer()
    scheduler = build(optimizer)
    drive(optimizer, scheduler, 4)
    add(optimizer)
    drive(optimizer, scheduler, 4)
    saved, state = copy.deepcopy(optimizer.state_dict()), scheduler.state_dict()
    wanted = drive(optimizer, scheduler, 9)
    for order in ("build add optimizer scheduler", "build add scheduler optimizer",
                  "add build optimizer scheduler", "add optimizer build scheduler"):  # fmt: skip
        fresh, built = make_optimizer(), None
        for what in order.split():
            if what == "build":
                built = build(fresh)
            elif what == "add":
                add(fresh)
            elif what == "optimizer":
                fresh.load_state_dict(copy.deepcopy(saved))
            else:
                built.load_state_dict(state)
        assert drive(fresh, built, 9) == wanted, order


def sgd_and_adam() -> torch.optim.Optimizer:
    """Return an optimizer with a group that has a momentum and one that has betas."""
    optimizer = make_optimizer(rates=(0.1, 0.3))
    del optimizer.param_groups[1]["momentum"]
    optimizer.param_groups[1]["betas"] = (0.9, 0.999)
    optimizer.step = lambda *_: None  # type: ignore[method-assign]
    return optimizer


def test_what_is_driven_is_named_group_by_group():
    fall = lehr.linear(10, start=0.9, to=0.4)
    optimizer = sgd_and_adam()
    scheduler = Scheduler(optimizer, lehr.hold(), momentum=[fall, None], over=10, guards="off")
    scheduler.seek(5)
    assert optimizer.param_groups[0]["momentum"] == pytest.approx(0.65)
    assert optimizer.param_groups[1]["betas"] == (0.9, 0.999)
    assert "momentum" not in optimizer.param_groups[1]
    optimizer = sgd_and_adam()
    Scheduler(optimizer, lehr.hold(), momentum=fall, over=10, guards="off").seek(5)
    assert optimizer.param_groups[0]["momentum"] == pytest.approx(0.65)
    assert optimizer.param_groups[1]["betas"] == (pytest.approx(0.65), 0.999)
    with pytest.raises(ScheduleError, match=r"group 0 .*'beta2'"):
        Scheduler(sgd_and_adam(), beta2=lehr.constant(0.5))


def test_a_group_without_a_rate_may_have_another_number_driven():
    optimizer = make_optimizer(rates=(0.1, 0.3))
    del optimizer.param_groups[1]["lr"]
    optimizer.step = lambda *_: None  # type: ignore[method-assign]
    scheduler = Scheduler(optimizer, momentum=lehr.linear(10, start=0.9, to=0.4), guards="off")
    scheduler.seek(5)
    assert [group["momentum"] for group in optimizer.param_groups] == [pytest.approx(0.65)] * 2
    assert "initial_lr" not in optimizer.param_groups[1]
    again = scheduler.state_dict()
    scheduler.load_state_dict(again)
    assert scheduler.state_dict() == again


def test_a_schedule_of_ten_thousand_pieces_can_be_adopted():
    text = {
        "lehr": 1,
        "kind": "sequence",
        "parts": [{"kind": "piece", "steps": 1, "to": 1 / (n + 2)} for n in range(10_000)],
    }
    schedule = lehr.from_dict(text)
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, schedule)
    scheduler.seek(4321)
    fresh = make_optimizer(rates=(0.5,))
    other = Scheduler(fresh, lehr.linear(10))
    other.load_state_dict(scheduler.state_dict(), adopt="saved")
    assert rates(fresh) == rates(optimizer)
    assert other.state_dict() == scheduler.state_dict()


def test_one_plan_may_drive_two_optimizers():
    first, second = make_optimizer(rates=(0.1,)), make_optimizer("adamw", (0.3, 0.4))
    scheduler = Scheduler([first, second], lehr.linear(100))  # pyright: ignore
    for _ in range(10):
        first.step()
        second.step()
        scheduler.step()
    assert rates(first) == pytest.approx([0.09])
    assert rates(second) == pytest.approx([0.27, 0.36])
    second.param_groups[1]["lr"] = 0.5
    first.step()
    second.step()
    scheduler.step()
    assert rates(second) == pytest.approx([0.267, 0.5 / 0.9 * 0.89])
    state = scheduler.state_dict()
    fresh = [make_optimizer(rates=(0.1,)), make_optimizer("adamw", (0.3, 0.4))]
    again = Scheduler(fresh, lehr.linear(100))  # pyright: ignore
    again.load_state_dict(state)
    assert [rates(each) for each in fresh] == [rates(first), rates(second)]
