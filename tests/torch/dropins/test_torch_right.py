"""Where torch's schedulers are wrong, and the drop-ins are right: one test a case."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.optim.lr_scheduler as theirs

import lehr.torch as ours
from driving import drive, make_optimizer, rates, read
from lehr import ScheduleError


def rates_of(scheduler: Any, steps: int) -> list[float]:
    """Return the first group's rate at the steps from 0 to ``steps``."""
    return [rows[0][0] for rows in drive(scheduler.optimizer, scheduler, steps)]


def momenta_of(scheduler: Any, steps: int) -> list[float]:
    return [rows[0][1] for rows in drive(scheduler.optimizer, scheduler, steps)]


def test_a_linear_ramp_of_no_length_is_at_its_end():
    # torch stays at start_factor for ever.
    scheduler = ours.LinearLR(make_optimizer(), start_factor=0.5, end_factor=1.0, total_iters=0)
    assert rates_of(scheduler, 3) == [0.1] * 4


def test_a_linear_ramp_that_does_not_move_is_level():
    scheduler = ours.LinearLR(make_optimizer(), start_factor=0.5, end_factor=0.5)
    assert rates_of(scheduler, 9) == pytest.approx([0.05] * 10)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("three_phase", [False, True])
def test_one_cycle_stays_at_its_minimum(strategy: Any, three_phase: bool):
    # torch's cosine goes back up at the step total_steps, and its line goes below 0.
    scheduler = ours.OneCycleLR(
        make_optimizer(),
        max_lr=1.0,
        total_steps=10,
        anneal_strategy=strategy,
        three_phase=three_phase,
    )
    lowest = 1.0 / 25 / 1e4
    found = rates_of(scheduler, 10)
    assert found[9] == pytest.approx(lowest, rel=1e-12)
    assert found[10] == found[9]
    assert read(scheduler.optimizer)[0][1] == pytest.approx(0.95, rel=1e-12)


def test_one_cycle_refuses_the_step_after_that_and_stays_where_it_is():
    scheduler = ours.OneCycleLR(make_optimizer(), max_lr=1.0, total_steps=10)
    drive(scheduler.optimizer, scheduler, 10)
    before = read(scheduler.optimizer), scheduler.last_epoch
    with pytest.raises(ValueError, match=r"Tried to step 11 times.*total steps is 10"):
        scheduler.step()
    assert (read(scheduler.optimizer), scheduler.last_epoch) == before


def test_one_cycle_whose_rise_has_no_length_begins_at_its_peak():
    # pct_start * total_steps == 1: torch divides by zero when it is built.
    with pytest.raises(ZeroDivisionError):
        theirs.OneCycleLR(make_optimizer(), max_lr=1.0, total_steps=10, pct_start=0.1)
    scheduler = ours.OneCycleLR(make_optimizer(), max_lr=1.0, total_steps=10, pct_start=0.1)
    lowest = 1.0 / 25 / 1e4
    expected = [lowest + (1 - lowest) * (1 + math.cos(math.pi * t / 9)) / 2 for t in range(10)]
    assert rates_of(scheduler, 9) == pytest.approx(expected, abs=1e-12)


def test_one_cycle_with_no_rise_at_all_begins_on_its_way_down():
    """As torch's: the rise ends before step 0, so that step 0 is 1 of 10 steps into the fall."""
    lowest = 1.0 / 25 / 1e4
    down = [(1 + math.cos(math.pi * (t + 1) / 10)) / 2 for t in range(10)]
    scheduler = ours.OneCycleLR(make_optimizer(), max_lr=1.0, total_steps=10, pct_start=0.0)
    expected = [lowest + (1 - lowest) * height for height in down]
    assert rates_of(scheduler, 9) == pytest.approx(expected, abs=1e-12)
    scheduler = ours.OneCycleLR(make_optimizer(), max_lr=1.0, total_steps=10, pct_start=0.0)
    expected = [0.95 - 0.1 * height for height in down]
    assert momenta_of(scheduler, 9) == pytest.approx(expected, abs=1e-12)


def test_one_cycle_that_only_rises_does_rise():
    """``pct_start=1.0``: torch's values up to the last step, and no division by zero after it."""
    expected = [
        1 + (0.04 - 1) / 2 * (1 + math.cos(math.pi * t / 9)) for t in range(10)
    ]  # from max_lr / 25 to max_lr in the 9 steps up to total_steps - 1
    reference = theirs.OneCycleLR(make_optimizer(), max_lr=1.0, total_steps=10, pct_start=1.0)
    assert rates_of(reference, 9) == pytest.approx(expected, abs=1e-12)
    scheduler = ours.OneCycleLR(make_optimizer(), max_lr=1.0, total_steps=10, pct_start=1.0)
    assert rates_of(scheduler, 9) == pytest.approx(expected, abs=1e-12)


def test_one_cycle_of_one_step():
    scheduler = ours.OneCycleLR(make_optimizer(), max_lr=1.0, total_steps=1)
    assert all(math.isfinite(rate) and rate >= 0 for rate in rates_of(scheduler, 1))


def test_one_cycle_takes_numpys_whole_numbers():
    scheduler = ours.OneCycleLR(make_optimizer(), max_lr=1.0, total_steps=np.int64(10))
    assert scheduler.total_steps == 10


# T_0, T_mult and a restart at which torch's step(n) is at the bottom instead of the top.
MISSED = [(1, 3, 121), (1, 3, 29524), (5, 3, 605), (5, 3, 147620), (7, 10, 777)]


@pytest.mark.parametrize(("first", "mult", "restart"), MISSED)
def test_warm_restarts_restart_where_they_should(first: int, mult: int, restart: int):
    scheduler = ours.CosineAnnealingWarmRestarts(make_optimizer(), first, mult, eta_min=0.001)
    scheduler.step(restart)
    assert scheduler.get_last_lr() == [pytest.approx(0.1, rel=1e-12)]
    assert scheduler.T_cur == 0
    cycle = scheduler.T_i
    # A restart is a sum of the cycles before it, and T_i is the cycle that begins.
    assert restart * (mult - 1) == cycle - first
    scheduler.step()
    expected = 0.001 + 0.099 * (1 + math.cos(math.pi / cycle)) / 2
    assert scheduler.get_last_lr() == [pytest.approx(expected, rel=1e-12)]


@pytest.mark.parametrize(("first", "mult"), [(1, 3), (5, 3), (7, 10), (3, 2), (10, 1)])
def test_warm_restarts_seek_what_they_step(first: int, mult: int):
    stepped = ours.CosineAnnealingWarmRestarts(make_optimizer(), first, mult)
    seeking = ours.CosineAnnealingWarmRestarts(make_optimizer(), first, mult)
    stepped.optimizer.step()
    begin, length = 0, first
    for n in range(1, 800):
        stepped.step()
        seeking.step(n)
        if n == begin + length:
            begin, length = n, length * mult
        expected = 0.1 * (1 + math.cos(math.pi * (n - begin) / length)) / 2
        assert stepped.get_last_lr() == seeking.get_last_lr() == [pytest.approx(expected, abs=1e-9)]
        assert (seeking.T_cur, seeking.T_i) == (n - begin, length)


def test_warm_restarts_built_at_an_epoch_know_their_cycle():
    # torch takes T_0 for the length of every cycle then.
    optimizer = make_optimizer()
    optimizer.param_groups[0]["initial_lr"] = 0.1
    scheduler = ours.CosineAnnealingWarmRestarts(optimizer, 4, 2, last_epoch=16)
    # Cycles begin at 0, 4, 12, 28: the position 17 is 5 of 16 steps into the third.
    assert rates(optimizer) == [pytest.approx(0.1 * (1 + math.cos(math.pi * 5 / 16)) / 2)]
    assert (scheduler.T_cur, scheduler.T_i) == (5, 16)


@pytest.mark.parametrize(
    ("name", "arguments", "position"),
    [
        ("StepLR", {"step_size": 5}, 17),
        ("MultiStepLR", {"milestones": [5, 9]}, 17),
        ("ExponentialLR", {"gamma": 0.9}, 17),
        ("LinearLR", {"total_iters": 30}, 17),
        ("PolynomialLR", {"total_iters": 30}, 17),
        ("CosineAnnealingLR", {"T_max": 30}, 17),
        ("CosineAnnealingWarmRestarts", {"T_0": 5, "T_mult": 2}, 17),
        ("CyclicLR", {"base_lr": 0.01, "max_lr": 1.0, "step_size_up": 5}, 17),
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 30}, 17),
        ("TrapezoidalLR", {"step_size": 9, "anneal_start_epoch": 12}, 17),
    ],
)
def test_building_at_an_epoch_goes_on_from_there(
    name: str, arguments: dict[str, Any], position: int
):
    """``last_epoch=n``, as torch wants it: on an optimizer that knows its ``initial_lr``."""
    optimizer = make_optimizer()
    stepped = getattr(ours, name)(optimizer, **arguments)
    drive(optimizer, stepped, position)
    fresh = make_optimizer()
    fresh.param_groups[0]["initial_lr"] = 0.1
    built = getattr(ours, name)(fresh, **arguments, last_epoch=position - 1)
    assert built.last_epoch == position
    assert drive(fresh, built, 10) == drive(optimizer, stepped, 10)


REFUSED = [
    ("CosineAnnealingLR", {"T_max": 0}, "T_max=0"),
    ("CosineAnnealingLR", {"T_max": -3}, "T_max=-3"),
    ("CosineAnnealingLR", {"T_max": 10, "eta_min": -0.1}, "eta_min=-0.1"),
    ("CosineAnnealingLR", {"T_max": math.nan}, "T_max=nan"),
    ("StepLR", {"step_size": 0}, "step_size=0"),
    ("StepLR", {"step_size": 2.5}, "step_size=2.5"),
    ("StepLR", {"step_size": 5, "gamma": -0.5}, "gamma=-0.5"),
    ("MultiStepLR", {"milestones": [5, -1]}, "-1"),
    ("MultiStepLR", {"milestones": [2.5]}, "2.5"),
    ("ExponentialLR", {"gamma": -0.9}, "gamma=-0.9"),
    ("LinearLR", {"start_factor": 0.0}, "start_factor=0"),
    ("LinearLR", {"start_factor": 1.5}, "start_factor=1.5"),
    ("LinearLR", {"end_factor": -0.1}, "end_factor=-0.1"),
    ("LinearLR", {"total_iters": -1}, "total_iters=-1"),
    ("PolynomialLR", {"total_iters": 0}, "total_iters=0"),
    ("CosineAnnealingWarmRestarts", {"T_0": 0}, "T_0=0"),
    ("CosineAnnealingWarmRestarts", {"T_0": 5, "T_mult": 0}, "T_mult=0"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 0}, "step_size_up=0"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "mode": "triangle"}, "triangle"),
    ("CyclicLR", {"base_lr": [0.1, 0.2], "max_lr": 1.0}, "base_lr"),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "scale_mode": "epochs"}, "scale_mode='epochs'"),
    ("OneCycleLR", {"max_lr": 1.0}, "total_steps OR"),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 0}, "total_steps"),
    ("OneCycleLR", {"max_lr": 1.0, "epochs": 0, "steps_per_epoch": 5}, "epochs=0"),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 10, "pct_start": 1.5}, "1.5"),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 10, "anneal_strategy": "sin"}, "sin"),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 10, "div_factor": 0.0}, "div_factor=0"),
    ("OneCycleLR", {"max_lr": [1.0, 2.0], "total_steps": 10}, "max_lr"),
]


@pytest.mark.parametrize(("name", "arguments", "text"), REFUSED)
def test_what_has_no_meaning_is_refused_when_it_is_built(
    name: str, arguments: dict[str, Any], text: str
):
    optimizer = make_optimizer()
    before = read(optimizer)
    with pytest.raises(ValueError, match=text.replace("[", r"\[")):
        getattr(ours, name)(optimizer, **arguments)
    assert read(optimizer) == before, "a refused scheduler must leave the optimizer as it was"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0}),
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 10}),
    ],
)
def test_an_optimizer_without_momentum_is_refused(name: str, arguments: dict[str, Any]):
    optimizer = torch.optim.Adagrad([torch.zeros(1, requires_grad=True)], lr=0.1)
    with pytest.raises(ValueError, match="momentum"):
        getattr(ours, name)(optimizer, **arguments)
    scheduler = getattr(ours, name)(optimizer, **arguments, cycle_momentum=False)
    assert scheduler.last_epoch == 0


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("StepLR", {"step_size": 5}),
        ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0}),
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 10}),
        ("TrapezoidalLR", {"step_size": 5}),
    ],
)
def test_what_is_no_optimizer_is_refused_by_name(name: str, arguments: dict[str, Any]):
    with pytest.raises(TypeError, match="str is not an Optimizer"):
        getattr(ours, name)("sgd", **arguments)


GROWING = [
    # What multiplies the present rate goes on from the group's own, as in torch.
    ("StepLR", {"step_size": 5}, 0.3),
    (
        "CosineAnnealingLR",
        {"T_max": 30},
        0.3 * (1 + math.cos(math.pi / 5)) / (1 + math.cos(math.pi / 6)),
    ),
    (
        "CosineAnnealingWarmRestarts",
        {"T_0": 30},
        0.3 * (1 + math.cos(math.pi / 5)) / 2,
    ),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 1.0, "step_size_up": 12}, 0.01 + 0.99 / 2),
    (
        "OneCycleLR",
        {"max_lr": 1.0, "total_steps": 50, "pct_start": 0.26},
        0.04 + 0.96 / 2,  # half way up the 12 steps to the peak
    ),
    ("TrapezoidalLR", {"base_lr": 0.0, "max_lr": 1.0, "step_size": 12}, 0.5),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), GROWING)
def test_a_group_added_later_joins(name: str, arguments: dict[str, Any], expected: float):
    """torch raises, or leaves it out: the value at step 6 of a group whose own rate is 0.3."""
    if name == "TrapezoidalLR":
        arguments = arguments | {"anneal_start_epoch": 20}
    optimizer = make_optimizer()
    scheduler = getattr(ours, name)(optimizer, **arguments)
    drive(optimizer, scheduler, 5)
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.3})
    scheduler.step()
    assert rates(optimizer)[1] == pytest.approx(expected, rel=1e-9)
    assert scheduler.get_last_lr() == rates(optimizer)


@pytest.mark.parametrize(("name", "arguments", "expected"), GROWING)
def test_a_state_saved_after_a_group_was_added_loads(
    name: str, arguments: dict[str, Any], expected: float
):
    if name == "TrapezoidalLR":
        arguments = arguments | {"anneal_start_epoch": 20}
    optimizer = make_optimizer()
    scheduler = getattr(ours, name)(optimizer, **arguments)
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.3})
    drive(optimizer, scheduler, 6)
    state, saved = scheduler.state_dict(), optimizer.state_dict()
    wanted = drive(optimizer, scheduler, 5)
    fresh = make_optimizer(rates=(0.1, 0.3))
    again = getattr(ours, name)(fresh, **arguments)
    fresh.load_state_dict(saved)
    again.load_state_dict(state)
    np.testing.assert_allclose(drive(fresh, again, 5), wanted, rtol=1e-12)


def test_a_rate_that_grows_is_only_computed_where_it_is_used():
    """Values are computed ahead; what overflows there has not happened, and must not warn."""
    scheduler = ours.StepLR(make_optimizer(), step_size=1, gamma=10.0)
    assert rates_of(scheduler, 4) == pytest.approx([0.1, 1.0, 10.0, 100.0, 1000.0])
    scheduler = ours.ExponentialLR(make_optimizer(rates=(1e-7, 1e-6)), gamma=1.1)
    assert rates_of(scheduler, 100)[100] == pytest.approx(1e-7 * 1.1**100)


def test_a_users_function_is_only_asked_for_steps_that_are_reached():
    """Its own table may end with the run, as under torch, which asks one step at a time."""
    table = [1.0 / (1 + i) for i in range(21)]
    scheduler = ours.CyclicLR(
        make_optimizer(),
        base_lr=0.0,
        max_lr=1.0,
        step_size_up=5,
        scale_fn=lambda i: table[int(i)],
        scale_mode="iterations",
    )
    expected = [table[t] * (1 - abs(t % 10 - 5) / 5) for t in range(21)]
    assert rates_of(scheduler, 20) == pytest.approx(expected)


def test_get_lr_is_the_present_rate_and_does_not_warn():
    scheduler = ours.CosineAnnealingLR(make_optimizer(), T_max=10)
    drive(scheduler.optimizer, scheduler, 5)
    assert scheduler.get_lr() == scheduler.get_last_lr() == [pytest.approx(0.05)]


def test_no_state_holds_a_rate_of_the_cosine_below_zero():
    for half in range(1, 200):
        scheduler = ours.CosineAnnealingLR(make_optimizer(), T_max=half)
        scheduler.seek(half)
        assert scheduler.get_last_lr() == [0.0]


@pytest.mark.parametrize("kind", ["sgd", "sgd-tensor"])
def test_a_tensor_rate_that_arrives_in_mid_run_is_filled(kind: str):
    """A block of values is under way when the rate becomes a tensor."""
    optimizer = make_optimizer(kind)
    scheduler = ours.CosineAnnealingLR(optimizer, T_max=10)
    drive(optimizer, scheduler, 4)
    tensor = torch.tensor(float(optimizer.param_groups[0]["lr"]), dtype=torch.float64)
    optimizer.param_groups[0]["lr"] = tensor
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is tensor
    assert tensor.item() == pytest.approx(0.05)


def test_a_list_for_each_group_cannot_cover_a_group_added_later():
    optimizer = make_optimizer(rates=(0.1, 0.2))
    scheduler = ours.OneCycleLR(optimizer, max_lr=[1.0, 2.0], total_steps=10)
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.3})
    optimizer.step()
    with pytest.raises(ValueError, match="max_lr"):
        scheduler.step()


def test_errors_are_schedule_errors():
    with pytest.raises(ScheduleError):
        ours.CosineAnnealingLR(make_optimizer(), T_max=0)
