"""Which group gets which schedule; what is coupled; what the user sets by hand."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

import lehr
from driving import KINDS, drive, make_optimizer, rates
from lehr import ScheduleError
from lehr.torch import Scheduler, absolute, factor

FALL, FLAT = lehr.linear(10), lehr.constant(0.5)


def named(*names: str) -> torch.optim.Optimizer:
    """Return an optimizer with named groups, of the rates 0.1, 0.2, ..."""
    return torch.optim.SGD(
        [
            {"params": [torch.zeros(1, requires_grad=True)], "lr": 0.1 * (i + 1), "name": name}
            for i, name in enumerate(names)
        ],
        momentum=0.9,
    )


def by_name(group: dict[str, Any]) -> Any:
    return {"head": FALL, "body": FLAT}.get(group["name"])


@pytest.mark.parametrize(
    "given",
    [
        [FALL, FLAT, None],
        {0: FALL, 1: FLAT, 2: None},
        {"head": FALL, "body": FLAT, "*": None},
        {0: FALL, "body": FLAT, "*": None},
        by_name,
    ],
)
def test_groups_get_their_own(given: Any):
    optimizer = named("head", "body", "norm")
    scheduler = Scheduler(optimizer, given)
    for t in range(11):
        assert rates(optimizer) == pytest.approx([0.1 * (1 - t / 10), 0.1, 0.3])
        optimizer.step()
        scheduler.step()
    twin = named("head", "body", "norm")
    again = Scheduler(twin, given)
    scheduler.seek(4)
    again.load_state_dict(scheduler.state_dict())
    assert rates(twin) == rates(optimizer) == pytest.approx([0.06, 0.1, 0.3])
    assert scheduler.logged() == {
        "lr/head": pytest.approx(0.06),
        "lr/body": pytest.approx(0.1),
    }


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([FALL], "list of 1 schedules, which has none for group 1"),
        ([FALL, FLAT, None, FALL], "list of 4 schedules; the optimizer has 3"),
        ({0: FALL}, r"has no entry for group 1 \('body'\).*'\*'"),
        ({"haed": FALL, "*": FLAT}, "no group 'haed'; the groups are 'head', 'body', 'norm'"),
        ({"head": 0.5, "*": FLAT}, "lr=0.5 is not a schedule"),
        (lambda group: 0.5, "lr=0.5 is not a schedule"),
        ([None, None, None], "nothing"),
    ],
)
def test_what_names_no_group_is_refused(given: Any, text: str):
    optimizer = named("head", "body", "norm")
    with pytest.raises(ScheduleError, match=text):
        Scheduler(optimizer, given)
    assert rates(optimizer) == [0.1, 0.2, pytest.approx(0.3)]


@pytest.mark.parametrize("given", [{"head": FALL, "*": FLAT}, by_name])
def test_a_group_that_is_added_gets_its_own(given: Any):
    optimizer = named("head")
    scheduler = Scheduler(optimizer, given)
    drive(optimizer, scheduler, 3)
    optimizer.add_param_group(
        {"params": [torch.zeros(1, requires_grad=True)], "lr": 0.8, "name": "body"}
    )
    drive(optimizer, scheduler, 1)
    assert rates(optimizer) == pytest.approx([0.06, 0.4])
    state = scheduler.state_dict()
    assert state["plan"] == {"lr": [FALL.to_dict(), FLAT.to_dict()]}


def test_a_group_that_a_list_knows_nothing_of_stops_the_step_and_changes_nothing():
    optimizer = named("head")
    scheduler = Scheduler(optimizer, [FALL])
    drive(optimizer, scheduler, 3)
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.8})
    for _ in range(2):
        optimizer.step()
        with pytest.raises(ScheduleError, match="none for group 1"):
            scheduler.step()
        assert rates(optimizer) == pytest.approx([0.07, 0.8])
        assert scheduler.last_epoch == 3


def test_each_group_has_its_own_floor():
    optimizer = named("head", "body")
    scheduler = Scheduler(optimizer, factor(FALL, floor=[0.01, 0.05]))
    for t in range(11):
        u = 1 - t / 10
        assert rates(optimizer) == pytest.approx([0.01 + 0.09 * u, 0.05 + 0.15 * u])
        optimizer.step()
        scheduler.step()
    with pytest.raises(ScheduleError, match="floor"):
        Scheduler(named("head", "body"), factor(FALL, floor=[0.01]))
    with pytest.raises(ScheduleError, match=r"floor\[0\]=-1"):
        factor(FALL, floor=[-1])


@pytest.mark.parametrize("kind", ["adamw", "adamw-tensor"])
def test_weight_decay_follows_the_rate_if_asked(kind: str):
    optimizer = make_optimizer(kind, (0.1, 0.3))
    for group, decay in zip(optimizer.param_groups, (0.01, 0.0), strict=True):
        group["weight_decay"] = decay
    scheduler = Scheduler(optimizer, factor(FALL, floor=0.02), weight_decay="lr")
    for _ in range(11):
        for group, decay, base in zip(optimizer.param_groups, (0.01, 0.0), (0.1, 0.3), strict=True):
            assert group["weight_decay"] == pytest.approx(decay * float(group["lr"]) / base)
        optimizer.step()
        scheduler.step()
    with pytest.raises(ScheduleError, match="follows the rate, which is not driven"):
        Scheduler(make_optimizer("adamw"), momentum=FLAT, weight_decay="lr")


def test_an_absolute_rate_couples_too():
    optimizer = make_optimizer("adamw", (0.2,))
    optimizer.param_groups[0]["weight_decay"] = 0.1
    scheduler = Scheduler(optimizer, absolute(lehr.linear(10, start=0.2)), weight_decay="lr")
    scheduler.seek(5)
    assert optimizer.param_groups[0]["weight_decay"] == pytest.approx(0.05)


# ----- by hand ------------------------------------------------------------------------------


def set_rate(optimizer: torch.optim.Optimizer, index: int, rate: float) -> None:
    group = optimizer.param_groups[index]
    if isinstance(group["lr"], torch.Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", [1, 2, 31, 32, 33, 500])
def test_a_rate_set_by_hand_goes_on_from_there(kind: str, at: int):
    optimizer = make_optimizer(kind, (0.1, 0.3))
    scheduler = Scheduler(optimizer, lehr.linear(1000))
    drive(optimizer, scheduler, at)
    set_rate(optimizer, 1, 0.05)
    base = 0.05 / (1 - at / 1000)
    for t, row in enumerate(drive(optimizer, scheduler, 400), start=at):
        u = 1 - t / 1000
        assert [rate for rate, _ in row] == pytest.approx([0.1 * u, base * u], rel=1e-9)
    assert float(scheduler.base_lrs[1]) == pytest.approx(base)
    assert float(optimizer.param_groups[1]["initial_lr"]) == pytest.approx(base)


def test_set_by_hand_at_the_start_of_a_warmup_it_is_the_base():
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, lehr.warmup(10))
    set_rate(optimizer, 0, 0.4)
    drive(optimizer, scheduler, 5)
    assert rates(optimizer) == pytest.approx([0.2])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("group", [0, 10, 19])
def test_among_many_groups_it_is_seen_at_once(kind: str, own: bool, group: int):
    given = [0.1 * (1 + own * i) for i in range(20)]
    optimizer = make_optimizer(kind, given)
    scheduler = Scheduler(optimizer, lehr.linear(1000))
    drive(optimizer, scheduler, 50)
    set_rate(optimizer, group, 0.5)
    drive(optimizer, scheduler, 1)
    bases = [0.5 / 0.95 if i == group else base for i, base in enumerate(given)]
    assert rates(optimizer) == pytest.approx([base * 0.949 for base in bases], rel=1e-9)


def test_among_many_groups_with_one_rate_a_log_hides_nothing():
    optimizer = make_optimizer(rates=[0.1] * 100)
    scheduler = Scheduler(optimizer, lehr.linear(1000))
    log: list[Any] = []
    for t in range(60):
        log.append(scheduler.get_last_lr())
        if t == 50:
            set_rate(optimizer, 33, 0.5)
        if t == 55:
            set_rate(optimizer, 34, log[-1][0])  # the value there already: not a change
        optimizer.step()
        scheduler.step()
    wanted = [0.094] * 100
    wanted[33] = 0.5 / 0.95 * 0.94
    assert rates(optimizer) == pytest.approx(wanted)


@pytest.mark.parametrize("momentum", [None, lehr.linear(1000, start=0.9, to=0.4)])
def test_a_variable_that_holds_the_old_rate_hides_nothing(momentum: Any):
    optimizer = make_optimizer(rates=[0.1] * 20)
    scheduler = Scheduler(optimizer, lehr.linear(1000), momentum=momentum, guards="error")
    drive(optimizer, scheduler, 50)
    old = optimizer.param_groups[10]["lr"]
    optimizer.param_groups[10]["lr"] = old / 2
    drive(optimizer, scheduler, 6)
    wanted = [0.0944] * 20
    wanted[10] = old / 2 / 0.95 * 0.944
    assert rates(optimizer) == pytest.approx(wanted)


def test_what_is_assigned_again_in_any_case_is_not_reported():
    optimizer = make_optimizer(rates=[0.1] * 20)
    momentum = lehr.linear(1000, start=0.9, to=0.4)
    scheduler = Scheduler(optimizer, momentum=momentum, guards="error")
    drive(optimizer, scheduler, 50)
    old = optimizer.param_groups[10]["momentum"]
    optimizer.param_groups[10]["momentum"] = old / 2
    drive(optimizer, scheduler, 3)
    assert optimizer.param_groups[10]["momentum"] == pytest.approx(0.9 - 0.5 * 53 / 1000)


@pytest.mark.parametrize("group", [0, 10, 19])
def test_among_many_groups_a_cycle_sees_it_at_once(group: int):
    """A rate and a momentum are written in one pass."""
    optimizer = make_optimizer(rates=[0.1] * 20)
    momentum = lehr.linear(1000, start=0.9, to=0.4)
    scheduler = Scheduler(optimizer, lehr.linear(1000), momentum=momentum)
    drive(optimizer, scheduler, 50)
    set_rate(optimizer, group, 0.5)
    drive(optimizer, scheduler, 3)
    wanted = [0.1 * 0.947] * 20
    wanted[group] = 0.5 / 0.95 * 0.947
    assert rates(optimizer) == pytest.approx(wanted)
    assert optimizer.param_groups[10]["momentum"] == pytest.approx(0.9 - 0.5 * 53 / 1000)


@pytest.mark.parametrize("size", [9, 64, 101])
@pytest.mark.parametrize("group", [0, 5, -2, -1])
@pytest.mark.parametrize("floor", [0.0, 0.01])
def test_among_very_many_groups_with_rates_of_their_own_too(size: int, group: int, floor: float):
    given = [0.1 + 0.001 * i for i in range(size)]
    optimizer = make_optimizer(rates=given)
    scheduler = Scheduler(optimizer, factor(lehr.linear(1000), floor=floor))
    drive(optimizer, scheduler, 50)
    set_rate(optimizer, group, 0.5)
    drive(optimizer, scheduler, 10)
    given[group] = floor + (0.5 - floor) / 0.95
    assert rates(optimizer) == pytest.approx([floor + (b - floor) * 0.94 for b in given])


def test_groups_that_are_others_by_now_are_written():
    optimizer = make_optimizer(rates=[0.1, 0.2, 0.3])
    scheduler = Scheduler(optimizer, lehr.linear(1000))
    drive(optimizer, scheduler, 50)
    optimizer.param_groups[:] = [dict(group) for group in optimizer.param_groups]
    drive(optimizer, scheduler, 10)
    assert rates(optimizer) == pytest.approx([0.094, 0.188, 0.282])


@pytest.mark.parametrize("when", ["state", "optimizer state", "seek", "change", "another"])
def test_among_many_groups_all_are_looked_at(when: str):
    optimizer = make_optimizer(rates=[0.1 + 0.001 * i for i in range(100)])
    scheduler = Scheduler(optimizer, lehr.linear(1000))
    drive(optimizer, scheduler, 50)
    set_rate(optimizer, 7, 0.5)
    if when == "state":
        assert scheduler.state_dict()["bases"]["lr"][7] == pytest.approx(0.5 / 0.95)
    elif when == "optimizer state":
        saved = optimizer.state_dict()["param_groups"][7]
        assert saved["initial_lr"] == pytest.approx(0.5 / 0.95)
        assert saved["lr"] == pytest.approx(0.5)
    elif when == "seek":
        scheduler.seek(50)
    elif when == "another":
        other = lehr.torch.StepLR(optimizer, 1000)
        assert other.base_lrs[7] == pytest.approx(0.5 / 0.95)
    else:
        scheduler.scale(1.0)
    assert rates(optimizer)[7] == pytest.approx(0.5)
    drive(optimizer, scheduler, 10)
    assert rates(optimizer)[7] == pytest.approx(0.5 / 0.95 * 0.94)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_run_has_what_was_set_by_hand(kind: str):
    optimizer = make_optimizer(kind, (0.1, 0.3))
    scheduler = Scheduler(optimizer, lehr.warmup(10) >> lehr.cosine(50))
    drive(optimizer, scheduler, 20)
    set_rate(optimizer, 0, 0.7)
    state, saved = scheduler.state_dict(), copy.deepcopy(optimizer.state_dict())
    wanted = drive(optimizer, scheduler, 20)
    fresh = make_optimizer(kind, (0.1, 0.3))
    built = Scheduler(fresh, lehr.warmup(10) >> lehr.cosine(50))
    built.load_state_dict(state)
    fresh.load_state_dict(saved)
    assert drive(fresh, built, 20) == wanted


def test_a_stale_base_does_not_win_over_what_was_set():
    optimizer = make_optimizer()
    first = lehr.torch.ExponentialLR(optimizer, 0.5)
    drive(optimizer, first, 3)
    del first
    set_rate(optimizer, 0, 0.7)
    assert lehr.torch.StepLR(optimizer, 5).base_lrs == [0.7]


def test_a_loaded_optimizer_brings_its_base_as_torchs_schedulers_take_it():
    optimizer = make_optimizer()
    scheduler = lehr.torch.ExponentialLR(optimizer, 0.5)
    drive(optimizer, scheduler, 3)
    fresh = make_optimizer(rates=(0.4,))
    fresh.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert Scheduler(fresh, lehr.linear(10)).base_lrs == (0.1,)


@pytest.mark.parametrize("kind", KINDS)
def test_groups_hold_no_key_of_ours(kind: str):
    """Checkpoints hold what torch's own schedulers leave there: the rate's base."""
    plain = make_optimizer(kind)
    torch.optim.lr_scheduler.StepLR(plain, 3)
    optimizer = make_optimizer(kind)
    given = {"momentum": lehr.linear(10, start=0.9, to=0.5), "weight_decay": FALL}
    scheduler = Scheduler(optimizer, FALL, **given)  # pyright: ignore[reportArgumentType]
    drive(optimizer, scheduler, 3)
    for groups in (optimizer.param_groups, optimizer.state_dict()["param_groups"]):
        assert groups[0].keys() == plain.param_groups[0].keys()


def test_a_key_of_others_is_left_alone():
    """Schedule-free optimizers keep a number of their own under this name."""
    optimizer = make_optimizer()
    optimizer.param_groups[0]["scheduled_lr"] = 0.3
    scheduler = Scheduler(optimizer, lehr.linear(10))
    drive(optimizer, scheduler, 3)
    saved, state = copy.deepcopy(optimizer.state_dict()), scheduler.state_dict()
    fresh = make_optimizer()
    fresh.load_state_dict(saved)
    again = Scheduler(fresh, lehr.linear(10))
    again.load_state_dict(state)
    assert fresh.param_groups[0]["scheduled_lr"] == 0.3
    assert again.base_lrs == (0.1,)
    assert rates(fresh) == rates(optimizer)


def test_a_momentum_set_by_hand_lasts_until_the_next_step():
    optimizer = make_optimizer()
    scheduler = Scheduler(optimizer, momentum=lehr.linear(10, start=0.9, to=0.5))
    optimizer.param_groups[0]["momentum"] = 0.1
    drive(optimizer, scheduler, 1)
    assert optimizer.param_groups[0]["momentum"] == pytest.approx(0.86)


def test_one_number_of_any_tuple_can_be_driven():
    optimizer = make_optimizer(rates=(0.1, 0.3))
    for group in optimizer.param_groups:
        group["nus"] = (0.5, 0.8)
    scheduler = Scheduler(optimizer, **{"nus[1]": FALL})  # pyright: ignore[reportArgumentType]
    drive(optimizer, scheduler, 5)
    assert [group["nus"] for group in optimizer.param_groups] == [(0.5, 0.4), (0.5, 0.4)]
    for missing in ("nus[2]", "nu[0]", "params[0]", "nus[-1]"):
        with pytest.raises(ScheduleError, match=r"no number '.*nus\[0\]"):
            Scheduler(optimizer, **{missing: FALL})  # pyright: ignore[reportArgumentType]


def test_tensors_and_floats_may_be_mixed():
    optimizer = make_optimizer(rates=(0.1, 0.3))
    tensor = torch.tensor(0.3, dtype=torch.float64)
    optimizer.param_groups[1]["lr"] = tensor
    scheduler = Scheduler(optimizer, FALL)
    drive(optimizer, scheduler, 5)
    assert rates(optimizer) == pytest.approx([0.05, 0.15])
    assert optimizer.param_groups[1]["lr"] is tensor
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert optimizer.param_groups[1]["lr"] is tensor


def test_tensor_rates_are_exact_to_rounding():
    """Over a long run, in float32: each is the rounded value of the formula."""
    tensor = torch.tensor(0.1)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=tensor)
    total = 1_000_000
    scheduler = Scheduler(optimizer, lehr.cosine(), over=total)
    base = float(torch.tensor(0.1))
    run = lehr.cosine().over(total)
    for t in (1, 4096, 99_999, 500_000, 999_990, 999_999):
        scheduler.seek(t)
        for step in range(t, min(t + 40, total)):
            assert tensor.item() == torch.tensor(base * run(step)).item()
            scheduler.step()


def test_a_tensor_rate_may_move_in_memory():
    """As where processes come to share it: what was computed ahead goes into the new place."""
    optimizer = make_optimizer("sgd-tensor", (0.1, 0.3))
    scheduler = Scheduler(optimizer, lehr.linear(1000))
    drive(optimizer, scheduler, 50)
    for group in optimizer.param_groups:
        group["lr"].share_memory_()
    drive(optimizer, scheduler, 10)
    assert rates(optimizer) == pytest.approx([0.094, 0.282])


def sharing(shared: bool = True) -> torch.optim.Optimizer:
    """Return an optimizer of three groups that torch gives the same tensors, or as good ones."""
    first, second = torch.tensor(0.1, dtype=torch.float64), torch.tensor(0.9, dtype=torch.float64)
    groups: list[dict[str, Any]] = [
        {"params": [torch.zeros(1, requires_grad=True)]} for _ in range(3)
    ]
    if not shared:
        for group in groups:
            group["lr"], group["betas"] = first.clone(), (second.clone(), second.clone())
    return torch.optim.AdamW(groups, lr=first, betas=(second, second.clone()), foreach=False)


@pytest.mark.parametrize("given", [FALL, [FALL, FLAT, None]])
@pytest.mark.parametrize("beta1", [None, lehr.linear(40, start=0.9, to=0.5)])
def test_groups_that_share_a_tensor_get_their_own_values(given: Any, beta1: Any):
    runs: list[list[list[Any]]] = []
    for shared in (False, True):
        optimizer = sharing(shared)
        scheduler = Scheduler(optimizer, given, guards="error", beta1=beta1)
        runs.append(drive(optimizer, scheduler, 9))
    assert runs[0] == runs[1]


def test_groups_with_one_rate_go_on_sharing_its_tensor():
    """A compiled step or a captured graph may hold it already."""
    optimizer = sharing()
    tensor = optimizer.param_groups[0]["lr"]
    scheduler = Scheduler(optimizer, lehr.linear(1000), guards="error")
    drive(optimizer, scheduler, 50)
    assert all(group["lr"] is tensor for group in optimizer.param_groups)
    tensor.fill_(0.5)
    drive(optimizer, scheduler, 50)
    assert rates(optimizer) == pytest.approx([0.5 / 0.95 * 0.9] * 3)
