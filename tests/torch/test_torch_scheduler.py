"""The scheduler: any schedule on any number of any optimizer."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import LRScheduler

import lehr
from driving import KINDS, drive, make_optimizer, rates, read
from lehr import Horizon, NeedsHorizon, PastEnd, ScheduleError
from lehr.torch import Scheduler, absolute, factor


def weight() -> torch.Tensor:
    return torch.zeros(1, requires_grad=True)


def warmup_and_cosine(t: int, warm: int, total: int) -> float:
    """The formula, by hand."""
    if t < warm:
        return t / warm
    return (1 + math.cos(math.pi * min(1.0, (t - warm) / (total - warm)))) / 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "over", [100, "100st", Horizon("10ep", steps_per_epoch=10), Horizon(100), "100"]
)
def test_the_run_may_be_written_in_many_ways(kind: str, over: Any):
    optimizer = make_optimizer(kind, (0.1, 0.3))
    schedule = lehr.warmup("10%") >> lehr.cosine()
    scheduler = Scheduler(optimizer, lr=schedule, over=over, guards={"past_end": "off"})
    for t, row in enumerate(drive(optimizer, scheduler, 120)):
        shape = warmup_and_cosine(t, 10, 100)
        assert [rate for rate, _ in row] == pytest.approx([0.1 * shape, 0.3 * shape], abs=1e-12)


def test_durations_in_epochs():
    horizon = Horizon("10ep", steps_per_epoch=7)
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, lehr.warmup("2ep") >> lehr.cosine(), over=horizon)
    scheduler.seek(7)
    assert rates(optimizer) == [pytest.approx(0.05)]
    scheduler.seek(70)
    assert rates(optimizer) == [0.0]


@pytest.mark.parametrize("kind", KINDS)
def test_momentum_reaches_momentum_or_the_first_beta(kind: str):
    optimizer = make_optimizer(kind)
    Scheduler(optimizer, momentum=lehr.linear(10, start=0.9, to=0.5)).seek(5)
    group = optimizer.param_groups[0]
    if "betas" in group:
        assert group["betas"] == (pytest.approx(0.7), 0.999)
        assert "momentum" not in group
    else:
        assert group["momentum"] == pytest.approx(0.7)
    assert rates(optimizer) == [0.1], "the rate was not to be driven"


def test_every_number_of_a_group_can_be_driven():
    optimizer = torch.optim.AdamW(
        [
            {"params": [weight()], "weight_decay": 0.1, "warp": 3.0},
            {"params": [weight()], "weight_decay": 0.2, "warp": 5.0},
        ],
        lr=0.1,
        eps=1e-8,
    )
    half = lehr.linear(10)
    scheduler = Scheduler(
        optimizer,
        half,
        beta1=lehr.constant(0.8),
        beta2=lehr.linear(10, start=0.9, to=0.99),
        weight_decay=half,
        eps=lehr.linear(10, to=101.0),
        warp=half,
    )
    scheduler.seek(5)
    for group, decay, warp in zip(optimizer.param_groups, (0.05, 0.1), (1.5, 2.5), strict=True):
        assert group["lr"] == pytest.approx(0.05)
        assert group["betas"] == pytest.approx((0.8, 0.945))
        assert group["weight_decay"] == pytest.approx(decay)
        assert group["eps"] == pytest.approx(51e-8)
        assert group["warp"] == pytest.approx(warp)
        assert isinstance(group["betas"], tuple)


def test_absolute_and_factor_say_what_the_numbers_mean():
    optimizer = make_optimizer(rates=(0.1, 0.3))
    Scheduler(optimizer, absolute(lehr.constant(0.02)), momentum=factor(lehr.constant(0.5)))
    assert read(optimizer) == [(0.02, 0.45), (0.02, 0.45)]
    optimizer = make_optimizer("adamw", rates=(0.1, 0.3))
    Scheduler(
        optimizer,
        factor(lehr.constant(0.5)),
        beta2=factor(lehr.constant(0.5)),
        weight_decay=absolute(lehr.constant(0.3)),
    )
    assert [g["betas"][1] for g in optimizer.param_groups] == [0.4995, 0.4995]
    assert [g["weight_decay"] for g in optimizer.param_groups] == [0.3, 0.3]
    assert rates(optimizer) == [0.05, 0.15]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_are_filled_and_never_replaced(dtype: torch.dtype):
    tensors = [torch.tensor(0.25, dtype=dtype), torch.tensor(0.5, dtype=dtype)]
    optimizer = torch.optim.SGD(
        [{"params": [weight()], "lr": tensor} for tensor in tensors], momentum=0.9
    )
    scheduler = Scheduler(optimizer, lehr.linear(2000), momentum=lehr.linear(2000, start=0.9))
    for t in range(1500):
        expected = [torch.tensor(base * (1 - t / 2000), dtype=dtype).item() for base in (0.25, 0.5)]
        assert [tensor.item() for tensor in tensors] == pytest.approx(expected, rel=1e-7)
        optimizer.step()
        scheduler.step()
    scheduler.seek(1000)
    scheduler.seek(3.5)
    scheduler.load_state_dict(scheduler.state_dict())
    for group, tensor in zip(optimizer.param_groups, tensors, strict=True):
        assert group["lr"] is tensor
        assert isinstance(group["momentum"], float)
    for given, tensor in zip(scheduler.get_last_lr(), tensors, strict=True):
        assert isinstance(given, torch.Tensor)
        assert given is not tensor
        assert torch.equal(given, tensor)


def test_tensor_rates_survive_the_loading_of_an_optimizer():
    optimizer = make_optimizer("adamw-tensor", (0.1, 0.3))
    scheduler = Scheduler(optimizer, lehr.linear(100))
    drive(optimizer, scheduler, 10)
    optimizer.load_state_dict(optimizer.state_dict())
    held = [group["lr"] for group in optimizer.param_groups]
    drive(optimizer, scheduler, 10)
    for group, tensor in zip(optimizer.param_groups, held, strict=True):
        assert group["lr"] is tensor
    assert rates(optimizer) == pytest.approx([0.08, 0.24])


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
@pytest.mark.parametrize("when", [0, 1, 700, 1024])
def test_a_group_added_later_joins(kind: str, when: int):
    optimizer = make_optimizer(kind, (0.1,))
    scheduler = Scheduler(optimizer, lehr.linear(2000), momentum=lehr.linear(2000, start=0.9))
    drive(optimizer, scheduler, when)
    optimizer.add_param_group({"params": [weight()], "lr": 0.5})
    for t, row in enumerate(drive(optimizer, scheduler, 30)[1:], start=when + 1):
        u = 1 - t / 2000
        assert row == [pytest.approx((0.1 * u, 0.9 * u)), pytest.approx((0.5 * u, 0.9 * u))]
    assert len(scheduler.base_lrs) == 2
    assert scheduler.base_lrs[1] == 0.5


def test_stepping_and_seeking_and_building_there_are_one():
    schedule = lehr.warmup(100) >> lehr.cosine(2000, to=0.1)
    stepped = make_optimizer(rates=(0.1, 0.3))
    stepping = Scheduler(stepped, schedule)
    sought = make_optimizer(rates=(0.1, 0.3))
    seeking = Scheduler(sought, schedule)
    rng = np.random.default_rng(3)
    path = drive(stepped, stepping, 2200)
    for n in [0, 1, 2199, 1023, 1024, 1025, *rng.integers(0, 2200, 60).tolist()]:
        seeking.seek(n)
        assert seeking.last_epoch == n
        assert rates(sought) == pytest.approx([rate for rate, _ in path[n]], rel=1e-12, abs=0)
        by_step = make_optimizer(rates=(0.1, 0.3))
        Scheduler(by_step, schedule).seek(n)
        assert rates(by_step) == rates(sought)
        built = make_optimizer(rates=(0.1, 0.3))
        for group in built.param_groups:
            group["initial_lr"] = group["lr"]
        assert Scheduler(built, schedule, last_epoch=n - 1).last_epoch == n
        assert rates(built) == rates(sought)


def test_stepping_goes_on_from_where_it_sought():
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, lehr.linear(5000))
    optimizer.step()
    for start in (1020, 4, 2047, 0, 999):
        scheduler.seek(start)
        for n in range(start + 1, start + 9):
            scheduler.step()
            assert scheduler.last_epoch == n
            assert rates(optimizer) == [pytest.approx(0.1 * (1 - n / 5000))]


def test_a_position_between_two_steps():
    optimizer = make_optimizer(rates=(0.1, 0.3))
    scheduler = Scheduler(optimizer, lehr.linear(10))
    scheduler.seek(2.5)
    assert rates(optimizer) == pytest.approx([0.075, 0.225])
    assert scheduler.last_epoch == 2
    scheduler.seek(3)
    assert rates(optimizer) == pytest.approx([0.07, 0.21])
    with pytest.raises(ScheduleError, match=r"write seek\(64\)"):
        scheduler.step(64)
    assert scheduler.last_epoch == 3


@pytest.mark.parametrize("groups", [1, 3, 70])
@pytest.mark.parametrize("shared", [True, False])
def test_three_thousand_steps(groups: int, shared: bool):
    """Through the edges of the blocks in which values are computed."""
    bases = [0.1 if shared else 0.1 * (i + 1) for i in range(groups)]
    optimizer = make_optimizer("sgd", bases)
    run = (lehr.warmup("10%") >> lehr.cosine(to=0.01)).over(2500)
    curve = run(np.arange(3001))
    fall = lehr.linear(2500, start=0.9, to=0.1)
    scheduler = Scheduler(optimizer, run, momentum=fall, guards="off")
    optimizer.step()
    for t in range(3001):
        low = 0.9 - 0.8 * min(t / 2500, 1)
        for group, base in zip(optimizer.param_groups, bases, strict=True):
            assert abs(group["lr"] - base * curve[t]) <= 1e-15 * base
            assert abs(group["momentum"] - low) < 1e-12
        assert scheduler.last_epoch == t
        scheduler.step()


@pytest.mark.parametrize("kind", ["sgd", "adamw", "sgd-tensor", "adamw-tensor"])
def test_a_training_is_that_of_a_loop_written_by_hand(kind: str):
    """The weights after 300 updates equal those of a loop that sets the rate by its formula."""

    def train(by_hand: bool) -> torch.Tensor:
        torch.manual_seed(0)
        x, y = torch.randn(32, 5), torch.randn(32)
        optimizer = make_optimizer(kind, (0.02,))
        w = torch.zeros(5, requires_grad=True)
        optimizer.param_groups[0]["params"] = [w]
        scheduler = None
        if not by_hand:
            schedule = lehr.warmup(50) >> lehr.cosine()
            scheduler = Scheduler(optimizer, schedule, 300)
        for t in range(300):
            if by_hand:
                rate = 0.02 * warmup_and_cosine(t, 50, 300)
                group = optimizer.param_groups[0]
                if isinstance(group["lr"], torch.Tensor):
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate
            optimizer.zero_grad()
            ((x @ w - y) ** 2).mean().backward()
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
        return w.detach()

    assert train(by_hand=False) == pytest.approx(train(by_hand=True), rel=1e-5)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "nothing is driven"),
    ({"lr": 0.1}, "lr=0.1 is not a schedule"),
    ({"lr": 0.0}, "lr=0.0 is not a schedule"),
    ({"lr": 0.0, "momentum": lehr.constant(0.5)}, "lr=0.0 is not a schedule"),
    ({"lr": lambda t: 1.0}, "is not a schedule"),
    ({"lr": lehr.linear(10, to=-0.5)}, "lr=.*-0.5.*clip"),
    ({"lr": absolute(lehr.linear(10, to=-0.5))}, "-0.5"),
    ({"lr": lehr.formula(lambda t: -1.0)}, "lr=.*-1.0 at step 0"),
    ({"momentum": lehr.constant(1.0)}, "momentum=.*1"),
    ({"momentum": lehr.constant(1.5)}, "momentum=.*1.5"),
    ({"momentum": lehr.linear(10, start=0.9, to=-0.1)}, "momentum=.*-0.1"),
    ({"weight_decay": lehr.constant(-1.0) * lehr.constant(1.0)}, "weight_decay"),
    ({"beta1": lehr.constant(0.5)}, "no number 'beta1'"),
    ({"beta2": lehr.constant(0.5)}, "no number 'beta2'"),
    ({"temperature": lehr.constant(0.5)}, "no number 'temperature'.*lr.*momentum"),
    ({"nesterov": lehr.constant(0.5)}, "no number 'nesterov'"),
    ({"params": lehr.constant(0.5)}, "no number 'params'"),
    ({"lr": lehr.constant(1.0), "over": 0}, "horizon"),
    ({"lr": lehr.constant(1.0), "over": -5}, "horizon"),
    ({"lr": lehr.constant(1.0), "last_epoch": -2}, "last_epoch"),
    ({"lr": lehr.constant(1.0), "last_epoch": 1.5}, "last_epoch"),
    ({"lr": lehr.warmup("70%") >> lehr.linear("60%"), "over": 100}, "%"),
]


@pytest.mark.parametrize(("arguments", "text"), REFUSED)
def test_what_cannot_be_meant_is_refused(arguments: dict[str, Any], text: str):
    optimizer = make_optimizer()
    optimizer.param_groups[0]["weight_decay"] = 0.1
    before = read(optimizer)
    with pytest.raises(ScheduleError, match=text):
        Scheduler(optimizer, **arguments)
    assert read(optimizer) == before


@pytest.mark.parametrize("schedule", [lehr.cosine(), lehr.warmup("10%") >> lehr.cosine(100)])
def test_a_schedule_without_a_run_needs_one(schedule: lehr.Schedule):
    with pytest.raises(NeedsHorizon, match="over=1000"):
        Scheduler(make_optimizer(), schedule)


def test_an_optimizer_without_momentum():
    optimizer = torch.optim.Adagrad([weight()], lr=0.1)
    with pytest.raises(ScheduleError, match=r"no number 'momentum'.*lr"):
        Scheduler(optimizer, momentum=lehr.constant(0.5))


def test_a_key_that_some_groups_lack_is_refused_by_name():
    optimizer = torch.optim.SGD([{"params": [weight()], "warp": 1.0}, {"params": [weight()]}])
    with pytest.raises(ScheduleError, match="warp"):
        Scheduler(optimizer, warp=lehr.constant(0.5))


def test_one_number_cannot_be_driven_twice():
    with pytest.raises(ScheduleError, match="beta1"):
        Scheduler(make_optimizer("adamw"), momentum=lehr.constant(0.5), beta1=lehr.constant(0.7))


def test_what_is_no_optimizer():
    with pytest.raises(TypeError, match="not an Optimizer"):
        Scheduler("sgd", lehr.constant())  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("position", [-1, -0.5, math.nan, math.inf])
def test_positions_that_do_not_exist(position: float):
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, lehr.linear(10))
    drive(optimizer, scheduler, 3)
    before = rates(optimizer)
    with pytest.raises(ScheduleError):
        scheduler.seek(position)
    assert rates(optimizer) == before
    assert scheduler.last_epoch == 3


def test_a_run_that_must_not_be_left_raises_at_its_end_and_not_before():
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, lehr.linear().over(10, past="raise"))
    drive(optimizer, scheduler, 10)
    optimizer.step()
    with pytest.raises(PastEnd):
        scheduler.step()
    assert rates(optimizer) == [0.0]


def test_a_state_of_another_schedule_shows_both():
    source = Scheduler(make_optimizer(), lehr.cosine(100))
    optimizer = make_optimizer(rates=(0.5,))
    scheduler = Scheduler(optimizer, lehr.linear(100), momentum=lehr.constant(0.5))
    drive(optimizer, scheduler, 4)
    with pytest.raises(ScheduleError) as caught:
        scheduler.load_state_dict(source.state_dict())
    text = str(caught.value)
    for part in (repr(lehr.cosine(100)), repr(lehr.linear(100)), "momentum", "adopt="):
        assert part in text
    assert scheduler.last_epoch == 4


def test_a_state_of_another_schedule_can_be_adopted():
    first = make_optimizer()
    source = Scheduler(first, lehr.cosine(100))
    drive(first, source, 30)
    optimizer = make_optimizer(rates=(0.5, 0.7))
    scheduler = Scheduler(optimizer, lehr.linear(100))
    scheduler.load_state_dict(source.state_dict(), adopt="here")
    assert scheduler.last_epoch == 30
    assert rates(optimizer) == pytest.approx([0.35, 0.49])
    third = make_optimizer(rates=(0.5,))
    adopting = Scheduler(third, lehr.linear(100))
    adopting.load_state_dict(source.state_dict(), adopt="saved")
    assert drive(third, adopting, 80) == drive(first, source, 80)
    assert adopting.state_dict() == source.state_dict()
    with pytest.raises(ScheduleError, match="adopt='both'"):
        scheduler.load_state_dict(source.state_dict(), adopt="both")  # pyright: ignore


def test_a_state_with_another_feedback_rule_cannot_be_adopted():
    plateau = lehr.plateau(patience=1)
    state = Scheduler(make_optimizer(), lehr.constant(), feedback=plateau).state_dict()
    for rule in (lehr.plateau(patience=2), None):
        scheduler = Scheduler(make_optimizer(), lehr.constant(), feedback=rule)
        before = scheduler.state_dict()
        with pytest.raises(ScheduleError, match="with the same feedback rule"):
            scheduler.load_state_dict(state, adopt="saved")
        assert scheduler.state_dict() == before


def test_a_state_of_another_number_of_groups():
    state = Scheduler(make_optimizer(), lehr.linear(10)).state_dict()
    scheduler = Scheduler(make_optimizer(rates=(0.1, 0.2)), lehr.linear(10))
    with pytest.raises(ScheduleError, match=r"1 groups.*has 2"):
        scheduler.load_state_dict(state)


def test_it_is_what_trainers_ask_for():
    optimizer = make_optimizer("sgd-tensor", (0.1, 0.3))
    scheduler = Scheduler(optimizer, lehr.linear(10))
    assert isinstance(scheduler, LRScheduler)
    # DeepSpeed calls what is callable; Accelerate stops stepping after what is called total_steps.
    assert not callable(scheduler)
    assert not hasattr(scheduler, "total_steps")
    assert scheduler.optimizer is optimizer
    assert scheduler._step_count == 1
    drive(optimizer, scheduler, 3)
    assert scheduler._step_count == 4
    assert [float(lr) for lr in scheduler.get_last_lr()] == pytest.approx([0.07, 0.21])
    assert [float(lr) for lr in scheduler.base_lrs] == [0.1, 0.3]
    assert "Scheduler" in repr(scheduler)
    assert "linear(10" in repr(scheduler)


@pytest.mark.parametrize(
    "name",
    [
        "StepLR", "MultiStepLR", "ExponentialLR", "LinearLR", "PolynomialLR", "CosineAnnealingLR",
        "CosineAnnealingWarmRestarts", "CyclicLR", "TrapezoidalLR", "OneCycleLR",
    ],
)  # fmt: skip
def test_only_one_cycle_has_a_public_total_steps(name: str):
    import lehr.torch as ours

    arguments: dict[str, Any] = {
        "StepLR": {"step_size": 3},
        "MultiStepLR": {"milestones": [3]},
        "ExponentialLR": {"gamma": 0.9},
        "CosineAnnealingLR": {"T_max": 9},
        "CosineAnnealingWarmRestarts": {"T_0": 9},
        "CyclicLR": {"base_lr": 0.1, "max_lr": 1.0},
        "TrapezoidalLR": {"step_size": 5},
        "OneCycleLR": {"max_lr": 1.0, "total_steps": 10},
    }.get(name, {})
    scheduler = getattr(ours, name)(make_optimizer(), **arguments)
    assert isinstance(scheduler, LRScheduler)
    assert not callable(scheduler)
    assert hasattr(scheduler, "total_steps") == (name == "OneCycleLR")


def test_the_order_of_the_first_two_steps_is_watched():
    scheduler = Scheduler(make_optimizer(), lehr.linear(10))
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()
