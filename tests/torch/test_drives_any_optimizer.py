"""Objects that are not torch optimizers, hidden optimizers, and updates of several."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.checkpoint.state_dict_loader import load  # pyright: ignore[reportUnknownVariableType]
from torch.distributed.checkpoint.state_dict_saver import save  # pyright: ignore[reportUnknownVariableType]

import lehr
from driving import make_optimizer, rates
from lehr.torch import Scheduler

pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is")


def parameter() -> torch.Tensor:
    """Return a parameter with a gradient."""
    made = torch.zeros(1, requires_grad=True)
    made.grad = torch.ones(1)
    return made


class Shell:
    """Groups and a step, without torch's class."""

    def __init__(self) -> None:
        self.param_groups: list[dict[str, Any]] = [{"params": [parameter()], "lr": 0.5}]

    def step(self) -> None:
        """Update nothing."""


class Combined(torch.optim.SGD):
    """Two optimizers in one, which shows the groups of the first."""

    def __init__(self) -> None:
        super().__init__([parameter()], lr=0.1)
        self.rest = torch.optim.AdamW([parameter()], lr=0.01)


def test_any_object_with_groups_is_driven_if_asked():
    with pytest.raises(TypeError, match="any_optimizer=True"):
        Scheduler(Shell(), lr=lehr.linear(10))  # pyright: ignore[reportArgumentType]
    shell = Shell()
    scheduler = Scheduler(shell, lr=lehr.linear(10), any_optimizer=True, guards="error")  # pyright: ignore[reportArgumentType]
    for t in range(1, 10):
        shell.step()
        scheduler.step()
        assert shell.param_groups[0]["lr"] == pytest.approx(0.5 * (1 - t / 10))
    fresh = Shell()
    again = Scheduler(fresh, lr=lehr.linear(10), any_optimizer=True)  # pyright: ignore[reportArgumentType]
    again.load_state_dict(scheduler.state_dict())
    assert fresh.param_groups[0]["lr"] == shell.param_groups[0]["lr"]


@pytest.mark.parametrize("bad", [None, 3, object(), torch.nn.Linear(1, 1)])
def test_an_object_without_groups_is_refused_even_so(bad: Any):
    with pytest.raises(TypeError, match="no param_groups"):
        Scheduler(bad, lr=lehr.linear(10), any_optimizer=True)


def test_an_optimizer_that_is_hidden_inside_is_reported():
    combined = Combined()
    with pytest.warns(UserWarning, match=r"AdamW in `\.rest` of Combined.*'unscheduled': 'off'"):
        Scheduler(combined, lr=lehr.linear(10))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Scheduler([combined, combined.rest], lr=lehr.linear(10))
        Scheduler(Combined(), lr=lehr.linear(10), guards={"unscheduled": "off"})


@pytest.mark.parametrize("schedule", [lehr.hold(100), lehr.warmup(10) >> lehr.hold(90)])
def test_a_schedule_free_optimizer_may_be_warmed_up(schedule: lehr.Schedule):
    optimizer = torch.optim.SGD([parameter()], lr=0.1)
    optimizer.param_groups[0].update(weight_sum=0.0, scheduled_lr=0.0)
    Scheduler(optimizer, lr=schedule, guards="error")
    with pytest.raises(lehr.GuardError, match="schedule-free"):
        Scheduler(optimizer, lr=lehr.linear(100), guards="error")
    assert optimizer.param_groups[0]["scheduled_lr"] == 0.0


def stepped(pattern: list[tuple[int, int]]) -> list[str]:
    """Return the warnings of a run in which two optimizers make updates by a pattern."""
    one, two = make_optimizer("sgd", (0.1,)), make_optimizer("sgd", (0.1,))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scheduler = Scheduler([one, two], lr=lehr.linear(), over=1000)
        for first, second in pattern * 5:
            for optimizer in [one] * first + [two] * second:
                optimizer.step()
            scheduler.step()
        assert scheduler.last_epoch == 5 * len(pattern)
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize(
    "pattern", [[(1, 1)], [(5, 1)], [(1, 0), (0, 1)], [(0, 1)], [(1, 0)], [(2, 0), (1, 1), (0, 3)]]
)
def test_updates_are_counted_over_all_optimizers(pattern: list[tuple[int, int]]):
    assert stepped(pattern) == []


def test_a_step_without_any_update_is_reported():
    (message,) = stepped([(1, 1), (0, 0)])
    assert "without an update in between" in message
    (message,) = stepped([(0, 0)])
    assert "before `optimizer.step()`" in message


def test_a_list_for_each_optimizer_and_each_group():
    one, two = make_optimizer("sgd", (0.1, 0.2)), make_optimizer("sgd", (0.3, 0.4, 0.5))
    a, b = lehr.linear(10), lehr.linear(20)
    scheduler = Scheduler([one, two], lr=[[a, b], {0: b, "*": None}])
    scheduler.seek(5)
    assert rates(one) == pytest.approx([0.05, 0.15])
    assert rates(two) == pytest.approx([0.225, 0.4, 0.5])
    with pytest.raises(lehr.ScheduleError, match=r"lr is a list of 5 for 2 optimizers"):
        Scheduler([one, two], lr=[a] * 5)


def test_a_group_added_to_the_first_of_two_takes_its_schedule():
    one, two = make_optimizer("sgd", (0.1,)), make_optimizer("sgd", (0.3,))
    scheduler = Scheduler([one, two], lr=[lehr.linear(10), lehr.linear(20)])
    for _ in range(3):
        one.step()
        two.step()
        scheduler.step()
    one.add_param_group({"params": [parameter()], "lr": 0.2})
    one.step()
    scheduler.step()
    assert rates(one) == pytest.approx([0.06, 0.12])
    assert rates(two) == pytest.approx([0.24])


def test_schedulers_of_each_are_joined_by_one_of_both():
    """The bases of numbers that were driven before are those that the groups were given."""
    one, two = make_optimizer("sgd", (0.1,)), make_optimizer("sgd", (0.2,))
    for optimizer, decay in ((one, 0.01), (two, 0.02)):
        optimizer.param_groups[0]["weight_decay"] = decay
        scheduler = Scheduler(optimizer, weight_decay=lehr.linear(10))
        scheduler.seek(5)
        assert optimizer.param_groups[0]["weight_decay"] == pytest.approx(decay / 2)
        del scheduler
    both = Scheduler([one, two], weight_decay=lehr.linear(10))
    both.seek(2)
    decays = [optimizer.param_groups[0]["weight_decay"] for optimizer in (one, two)]
    assert decays == pytest.approx([0.008, 0.016])


@pytest.mark.parametrize("text", ["25%", "250sa", "25st", "0.25ksa"])
def test_a_moment_in_any_unit(text: str):
    optimizer = make_optimizer("sgd", (1.0,))
    scheduler = Scheduler(optimizer, lr=lehr.linear(), over=lehr.Horizon("1000sa", batch=10))
    scheduler.seek(text)
    assert rates(optimizer) == pytest.approx([0.75])
    assert scheduler.state_dict()["progress"] == {"sa": 250}


@pytest.mark.parametrize("scheduled", [True, False])
def test_a_checkpoint_of_torch_alone_resumes(tmp_path: Path, scheduled: bool):
    """Under torch.distributed.checkpoint, which requires each key of the state that is loaded."""

    def state_of(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        (group,) = optimizer.state_dict()["param_groups"]
        return dict(group)

    optimizer = make_optimizer("adamw", (0.1,))
    if scheduled:
        theirs = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 - epoch / 10)
        for _ in range(4):
            optimizer.step()
            theirs.step()
    save(state_of(optimizer), checkpoint_id=tmp_path)
    fresh = make_optimizer("adamw", (0.1,))
    scheduler = Scheduler(fresh, lr=lehr.linear(10)) if scheduled else None
    state = state_of(fresh)
    load(state, checkpoint_id=tmp_path)
    fresh.load_state_dict({"state": {}, "param_groups": [state]})
    # A run without any scheduler has no ``initial_lr``: there the scheduler is built afterwards.
    scheduler = scheduler or Scheduler(fresh, lr=lehr.linear(10))
    scheduler.seek(4)
    assert rates(fresh) == pytest.approx([0.06])
