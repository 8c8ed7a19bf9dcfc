"""Reading, copying and changing between two steps neither mislead nor last too long."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

import lehr
import lehr.torch as ours
from lehr.torch import Scheduler, StepLR, absolute


def sgd(groups: int = 1, lr: float = 0.1) -> torch.optim.SGD:
    return torch.optim.SGD([{"params": [torch.zeros(1)]} for _ in range(groups)], lr=lr)


def steps(optimizer: Any, scheduler: Any, count: int) -> None:
    for _ in range(count):
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_rate_set_by_hand_after_a_users_function_has_failed(error: type[BaseException]) -> None:
    failing = False

    def level(step: int) -> float:
        if failing:
            raise error
        return 1 / (1 + step)

    optimizer = sgd()
    scheduler = Scheduler(optimizer, lehr.formula(level), guards="off")
    steps(optimizer, scheduler, 3)
    failing = True
    optimizer.step()
    with pytest.raises(error):
        scheduler.step()
    failing = False
    optimizer.param_groups[0]["lr"] = 0.01  # at level 1/4: the base is 0.04
    optimizer.state_dict()
    scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([0.04 / 5])


@pytest.mark.parametrize("momentum", [None, lehr.constant(0.5)])
def test_a_copy_drives_beside_and_leaves_the_original_alone(momentum: Any) -> None:
    optimizer = sgd()
    optimizer.param_groups[0]["momentum"] = 0.9
    scheduler = Scheduler(optimizer, lehr.linear(10), momentum=momentum, guards="off")
    scheduler.seek(5)
    twin = copy.copy(scheduler)
    scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([0.04])
    assert twin.last_epoch == 5
    twin.seek(8)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.02)
    assert scheduler.last_epoch == 6
    twin.cooldown(1)
    assert scheduler.history == []


def test_a_copy_has_clocks_of_its_own() -> None:
    now = 0.0
    optimizer = sgd()
    schedule = lehr.linear().over("10s")
    scheduler = Scheduler(optimizer, schedule, clock=lambda: now, guards="off")
    now = 2.0
    scheduler.step()
    twin = copy.copy(scheduler)
    now = 5.0
    twin.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05)
    assert scheduler.get_lr() == pytest.approx([0.08])


def test_each_scheduler_counts_the_rounds_of_several_optimizers_for_itself() -> None:
    generator, discriminator = sgd(), sgd()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        both = Scheduler([generator, discriminator], lehr.linear(), over=100)
        decay = Scheduler(generator, weight_decay=lehr.constant(), over=100)
        for _ in range(6):
            generator.step()
            decay.step()
            discriminator.step()
            both.step()
    assert both.last_epoch == decay.last_epoch == 6


def test_a_saved_state_is_the_same_after_it_was_loaded_into_a_later_run() -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, lehr.warmup(50) >> lehr.linear(), over=100)
    steps(optimizer, scheduler, 5)
    saved = copy.deepcopy(scheduler.state_dict())
    steps(optimizer, scheduler, 60)
    scheduler.load_state_dict(saved)
    assert scheduler.state_dict() == saved


def test_what_is_logged_after_a_group_was_removed() -> None:
    optimizer = sgd(3)
    scheduler = Scheduler(optimizer, [lehr.constant(1), lehr.constant(0.5), lehr.constant(0.2)])
    del optimizer.param_groups[0]
    assert scheduler.logged() == pytest.approx({"lr/0": 0.05, "lr/1": 0.02})
    del optimizer.param_groups[0]
    assert scheduler.logged() == pytest.approx({"lr": 0.02})


def test_base_rates_are_set_together() -> None:
    optimizer = sgd(2)
    scheduler = Scheduler(optimizer, lehr.linear(10), guards="off")
    scheduler.step()
    assert scheduler.base_lrs == (0.1, 0.1)
    scheduler.base_lrs = [1.0, 2.0]
    scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([0.8, 1.6])
    assert [group["initial_lr"] for group in optimizer.param_groups] == [1.0, 2.0]
    resumed = Scheduler(sgd(2), lehr.linear(10), guards="off")
    resumed.load_state_dict(scheduler.state_dict())
    assert resumed.get_last_lr() == pytest.approx([0.8, 1.6])
    with pytest.raises(TypeError, match="item assignment"):
        scheduler.base_lrs[0] = 3.0  # pyright: ignore[reportIndexIssue]
    with pytest.raises(lehr.ScheduleError, match="one rate for each group, 2 in all"):
        scheduler.base_lrs = [1.0]
    with pytest.raises(lehr.ScheduleError, match=r"base_lrs\[1\]=-1"):
        scheduler.base_lrs = [1.0, -1.0]
    for bad in (5, ["a", "b"], [None, 1.0]):
        with pytest.raises(lehr.ScheduleError, match="base_lrs"):
            scheduler.base_lrs = bad  # pyright: ignore[reportAttributeAccessIssue]
    assert scheduler.base_lrs == (1.0, 2.0)
    scheduler.base_lrs = [torch.tensor(0.5), 2]
    assert scheduler.base_lrs == (0.5, 2.0)


@pytest.mark.parametrize("name", ["beta1", "betas[0]"])
def test_one_number_is_read_alike_under_both_names(name: str) -> None:
    adam = torch.optim.Adam([torch.zeros(1)], lr=0.1)
    scheduler = Scheduler(adam, **{name: lehr.constant(0.5)})
    assert adam.param_groups[0]["betas"] == (0.5, 0.999)
    assert scheduler.last_epoch == 0
    with pytest.raises(lehr.ScheduleError, match="between 0 and 1"):
        Scheduler(adam, **{name: absolute(lehr.constant(1.5))})


def test_shares_of_the_run_are_of_the_run_as_it_is_now() -> None:
    scheduler = Scheduler(sgd(), lehr.linear(), over=100, guards="off")
    scheduler.extend(100)
    scheduler.seek("50%")
    assert scheduler.last_epoch == 100
    scheduler.extend("10%")
    assert scheduler.history[-1]["steps"] == 20
    scheduler.seek("100%")
    assert scheduler.last_epoch == 220


def test_a_state_between_two_steps_is_between_them() -> None:
    scheduler = StepLR(sgd(), 2)
    state = {**scheduler.state_dict(), "last_epoch": 3, "fraction": 1.0}
    with pytest.raises(lehr.ScheduleError, match=r"fraction=1\.0 must be below 1"):
        scheduler.load_state_dict(state)


def test_base_rates_replace_a_rate_that_was_set_by_hand_before() -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, lehr.linear(10), guards="off")
    scheduler.step()
    optimizer.param_groups[0]["lr"] = 0.01
    scheduler.base_lrs = [1.0]
    scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([0.8])
    assert scheduler.base_lrs == (1.0,)


def test_base_rates_are_set_for_the_groups_that_there_are_now() -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, lehr.linear(10), guards="off")
    optimizer.add_param_group({"params": [torch.zeros(1)], "lr": 0.3})
    scheduler.base_lrs = [0.2, 0.4]
    scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([0.18, 0.36])
    del optimizer.param_groups[0]
    scheduler.base_lrs = [1.0]
    scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([0.8])


@pytest.mark.parametrize("scheduler_first", [True, False])
def test_new_bases_and_rates_by_hand_reach_a_drop_in_that_goes_on_from_its_rate(
    scheduler_first: bool,
) -> None:
    optimizer = sgd()
    makers = [
        lambda: Scheduler(optimizer, lehr.constant(), guards="off"),
        lambda: ours.StepLR(optimizer, 100),
    ]
    made = [make() for make in (makers if scheduler_first else reversed(makers))]
    scheduler, dropin = made if scheduler_first else reversed(made)

    def step_all() -> None:
        optimizer.step()
        for each in made:
            each.step()

    dropin.gamma = 0.5  # from here on it goes on from its present rate
    step_all()
    scheduler.base_lrs = [1.0]
    step_all()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1.0)
    optimizer.param_groups[0]["lr"] = 0.02
    step_all()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.02)


def test_a_refused_report_changes_nothing() -> None:
    optimizer = sgd()
    scheduler = Scheduler(optimizer, lehr.linear(10), guards="error")
    steps(optimizer, scheduler, 1)
    optimizer.param_groups[0]["lr"] = 0.01
    with pytest.raises(lehr.ScheduleError, match="no feedback rule"):
        scheduler.report(1.0)
    assert optimizer.param_groups[0]["initial_lr"] == 0.1


@pytest.mark.parametrize("make", [lambda o: Scheduler(o, lehr.linear(10)), ours.LinearLR])
def test_a_rate_set_by_hand_before_the_first_position_is_no_obstacle(
    make: Callable[[Any], Any],
) -> None:
    optimizer = sgd()
    scheduler = make(optimizer)
    scheduler.last_epoch = -1
    optimizer.param_groups[0]["lr"] = 0.05
    scheduler.seek(0)
    scheduler.state_dict()
    assert scheduler.last_epoch == 0


def test_new_bases_leave_alone_a_drop_in_whose_rates_do_not_depend_on_them() -> None:
    class OfItsOwn(ours.CyclicLR):
        def get_lr(self) -> list[float]:
            return super().get_lr()

    def rates(new_bases: bool) -> list[float]:
        optimizer = sgd()
        other = Scheduler(optimizer, weight_decay=lehr.constant(), guards="off")
        cyclic = OfItsOwn(optimizer, 0.1, 0.5, step_size_up=4, cycle_momentum=False)
        found: list[float] = []
        for step in range(12):
            optimizer.step()
            if step == 5 and new_bases:
                other.base_lrs = [1.0]
            other.step()
            found.append(optimizer.param_groups[0]["lr"])
            cyclic.step()
        return found

    assert rates(new_bases=True) == rates(new_bases=False)
