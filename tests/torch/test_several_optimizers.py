"""Several optimizers under one plan: one position, one state, the groups of all."""

import itertools
import json
import re
from typing import Any

import pytest
import torch

import lehr
import lehr.torch as ours
from driving import drive, make_optimizer

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def pair() -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """Return Muon for a matrix, and AdamW for the rest."""
    matrix, vector = torch.zeros(2, 2, requires_grad=True), torch.zeros(2, requires_grad=True)
    return torch.optim.Muon([matrix], lr=0.02), torch.optim.AdamW([vector], lr=3e-4)


def rates(optimizers: Any) -> list[float]:
    """Return the rates of all groups of all optimizers."""
    return [float(group["lr"]) for each in optimizers for group in each.param_groups]


def train(optimizers: Any, scheduler: Any, steps: int) -> None:
    """Make so many updates with all optimizers."""
    for _ in range(steps):
        for optimizer in optimizers:
            optimizer.step()
        scheduler.step()


GIVEN = {
    "one for all": lambda: lehr.linear(),
    "one for each": lambda: [lehr.linear(), lehr.cosine()],
}


def expected(given: str, t: int) -> list[float]:
    """Return both rates at a step of 10."""
    line, wave = lehr.linear(10)(t), lehr.cosine(10)(t)
    return [0.02 * line, 3e-4 * (line if given == "one for all" else wave)]


@pytest.mark.parametrize("given", GIVEN)
def test_both_are_driven(given: str):
    both = pair()
    scheduler = ours.Scheduler(list(both), lr=GIVEN[given](), over=10)
    for t in range(10):
        assert rates(both) == pytest.approx(expected(given, t), rel=1e-12)
        assert scheduler.get_last_lr() == pytest.approx(expected(given, t), rel=1e-12)
        assert scheduler.last_epoch == t
        train(both, scheduler, 1)


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("order", list(itertools.permutations(["muon", "adamw", "scheduler"])))
@pytest.mark.parametrize("built", ["before", "after"])
def test_resumed_in_every_order(built: str, order: tuple[str, ...], given: str):
    both = pair()
    scheduler = ours.Scheduler(list(both), lr=GIVEN[given](), over=10)
    train(both, scheduler, 4)
    states: dict[str, Any] = {
        "muon": both[0].state_dict(),
        "adamw": both[1].state_dict(),
        "scheduler": json.loads(json.dumps(scheduler.state_dict())),
    }
    fresh = pair()
    again: Any = (
        ours.Scheduler(list(fresh), lr=GIVEN[given](), over=10) if built == "before" else None
    )
    for what in order:
        if what == "scheduler":
            again = again or ours.Scheduler(list(fresh), lr=GIVEN[given](), over=10)
            again.load_state_dict(states[what])
        else:
            fresh[what == "adamw"].load_state_dict(states[what])
    for t in range(4, 10):
        assert rates(fresh) == pytest.approx(expected(given, t), rel=1e-12)
        train(fresh, again, 1)


def test_groups_of_both_and_other_numbers():
    one, two = make_optimizer("sgd", (0.1, 0.2)), make_optimizer("adamw", (0.3,))
    scheduler = ours.Scheduler([one, two], lr=lehr.linear(), momentum=lehr.hold(at=0.5), over=10)
    train((one, two), scheduler, 5)
    assert rates((one, two)) == pytest.approx([0.05, 0.1, 0.15])
    assert [group["momentum"] for group in one.param_groups] == [0.5, 0.5]
    assert two.param_groups[0]["betas"][0] == 0.5


def test_a_group_added_to_the_second_joins():
    both = pair()
    scheduler = ours.Scheduler(list(both), lr=lehr.linear(), over=10)
    train(both, scheduler, 2)
    both[1].add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.1})
    train(both, scheduler, 3)
    assert rates(both) == pytest.approx([0.01, 1.5e-4, 0.05])


def test_seeking_and_a_change_of_plan_reach_both():
    both = pair()
    scheduler = ours.Scheduler(list(both), lr=lehr.linear(), over=10)
    scheduler.seek(5)
    assert rates(both) == pytest.approx([0.01, 1.5e-4])
    scheduler.scale(0.5)
    assert rates(both) == pytest.approx([0.005, 0.75e-4])


@pytest.mark.parametrize("given", [[], [lehr.linear()], [lehr.linear()] * 3])
def test_lists_of_another_length_are_refused(given: Any):
    with pytest.raises(lehr.ScheduleError, match="lr"):
        ours.Scheduler(list(pair()), lr=given, over=10)


@pytest.mark.parametrize("bad", [[], [None], ["sgd"]])
def test_no_optimizers_are_refused(bad: Any):
    with pytest.raises((TypeError, lehr.ScheduleError), match=r"[Oo]ptimizer"):
        ours.Scheduler(bad, lr=lehr.linear(10))


def test_the_same_optimizer_twice_is_refused():
    optimizer = make_optimizer()
    with pytest.raises(lehr.ScheduleError, match="twice"):
        ours.Scheduler([optimizer, optimizer], lr=lehr.linear(10))


# ----- what is never scheduled --------------------------------------------------------------------


def said(found: Any) -> str:
    """Return all that a check says, as text."""
    return "\n".join(map(str, found if isinstance(found, list | tuple) else [found]))


def test_check_tells_of_a_group_that_is_never_scheduled():
    optimizer = make_optimizer("sgd", (0.1, 0.2))
    scheduler = ours.Scheduler(optimizer, lr=[lehr.linear(10), None])
    text = said(lehr.check(lehr.linear(10), optimizer=optimizer, scheduler=scheduler))
    assert re.search(r"unscheduled: group 1 of SGD .*no scheduler", text)
    assert "group 0" not in text


def test_check_tells_of_an_optimizer_that_is_never_scheduled():
    both = pair()
    scheduler = ours.Scheduler(both[0], lr=lehr.linear(10))
    text = said(lehr.check(lehr.linear(10), optimizer=list(both), scheduler=scheduler))
    assert re.search(r"unscheduled: AdamW \(1\) .*no scheduler", text)
    together = ours.Scheduler(list(both), lr=lehr.linear(10))
    again = said(lehr.check(lehr.linear(10), optimizer=list(both), scheduler=together))
    assert "unscheduled" not in again


def test_the_bases_of_each_optimizer_are_kept_where_one_scheduler_drives_both():
    optimizers = [make_optimizer("adamw", (0.1,)) for _ in range(2)]
    for optimizer, decay in zip(optimizers, (0.1, 0.4), strict=True):
        optimizer.param_groups[0]["weight_decay"] = decay
    shape = lehr.linear(10)
    apart = [ours.Scheduler(each, lehr.constant(), weight_decay=shape) for each in optimizers]
    for i in range(2):
        drive(optimizers[i], apart[i], 5)
    both = ours.Scheduler(optimizers, lehr.constant(), weight_decay=shape, guards="off")
    apart.clear()
    for optimizer in optimizers:
        optimizer.step()
    both.step()
    found = [optimizer.param_groups[0]["weight_decay"] for optimizer in optimizers]
    assert found == pytest.approx([0.09, 0.36])


def test_schedulers_deleted_after_their_optimizers_are_joined_leave_nothing_behind() -> None:
    first, second = (torch.optim.AdamW([torch.zeros(1)], lr=lr) for lr in (0.1, 0.4))
    alone = [ours.Scheduler(each, lehr.linear(10)) for each in (first, second)]
    for _ in range(5):
        for optimizer, scheduler in zip((first, second), alone, strict=True):
            optimizer.step()
            scheduler.step()
    both = ours.Scheduler([first, second], lehr.linear(10), guards="off")
    del scheduler
    alone.clear()
    assert [each.param_groups[0]["lr"] for each in (first, second)] == [0.1, 0.4]
    both.step()
    assert both.get_last_lr() == pytest.approx([0.09, 0.36])
