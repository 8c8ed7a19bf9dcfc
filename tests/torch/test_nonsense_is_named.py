"""Wrong kinds of values are refused by name, wherever they are given or set."""

import json
from typing import Any

import numpy as np
import pytest
import torch

import lehr
import lehr.torch as ours
from driving import make_optimizer
from twins import ARGUMENTS, PLATEAU, build, saved

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

NONSENSE: list[Any] = [None, "x", b"1", object(), {}, 1j, torch.empty((), device="meta")]
"""Values that no attribute may have, by its kind."""

SET = [
    *[("StepLR", "base_lrs"), ("StepLR", "step_size"), ("MultiStepLR", "milestones")],
    *[("LinearLR", "start_factor"), ("PolynomialLR", "total_iters"), ("LambdaLR", "lr_lambdas")],
    *[("CosineAnnealingLR", "T_max"), ("CosineAnnealingLR", "eta_min"), ("CyclicLR", "max_lrs")],
    *[("CosineAnnealingWarmRestarts", "T_0"), ("OneCycleLR", "max_lrs"), ("SWALR", "swa_lrs")],
]


@pytest.mark.parametrize("value", NONSENSE, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(("name", "attribute"), SET)
def test_set_on_a_live_scheduler(name: str, attribute: str, value: Any):
    run = build("lehr", name)
    run.steps(3)

    def set_and_step() -> None:
        setattr(run.scheduler, attribute, value)
        run.steps(2)

    with pytest.raises((ValueError, TypeError), match=attribute.rstrip("s")):
        set_and_step()


FLAGS = [("OneCycleLR", "three_phase"), ("OneCycleLR", "cycle_momentum")]
FLAGS += [("CyclicLR", "cycle_momentum")]


@pytest.mark.parametrize("value", [*NONSENSE, 2, 0.5, np.array([1, 1]), torch.tensor([1, 1])])
@pytest.mark.parametrize(("name", "flag"), FLAGS)
def test_flags(name: str, flag: str, value: Any):
    with pytest.raises((ValueError, TypeError), match=flag):
        build("lehr", name, {**ARGUMENTS[name], flag: value})


@pytest.mark.parametrize("value", [0, np.bool_(False), torch.tensor(False)])
def test_a_flag_of_another_kind(value: Any):
    run = build("lehr", "CyclicLR", {**ARGUMENTS["CyclicLR"], "cycle_momentum": value})
    assert run.scheduler.cycle_momentum is False


GIVEN = [
    *[("CyclicLR", "gamma"), ("CyclicLR", "mode"), ("CyclicLR", "step_size_down")],
    *[("CyclicLR", "scale_mode"), ("LinearLR", "start_factor"), ("StepLR", "last_epoch")],
    *[("OneCycleLR", "last_epoch"), ("SWALR", "last_epoch"), ("SWALR", "anneal_strategy")],
]


@pytest.mark.parametrize("value", [*NONSENSE[1:], torch.tensor([0.5, 0.5])])
@pytest.mark.parametrize(("name", "argument"), GIVEN)
def test_given_to_a_constructor(name: str, argument: str, value: Any):
    """And nothing is left in the optimizer's groups."""
    optimizer = make_optimizer("sgd", (0.1, 0.3))
    before = repr(optimizer.param_groups)
    with pytest.raises((ValueError, TypeError), match=argument):
        getattr(ours, name)(optimizer, **{**ARGUMENTS[name], argument: value})
    assert repr(optimizer.param_groups) == before


@pytest.mark.parametrize("value", [0.5, "x", [1]])
def test_what_is_no_function(value: Any):
    with pytest.raises(TypeError, match="scale_fn"):
        build("lehr", "CyclicLR", {**ARGUMENTS["CyclicLR"], "scale_fn": value})
    with pytest.raises(TypeError, match="feedback"):
        ours.Scheduler(make_optimizer(), lr=lehr.linear(10), feedback=value)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1j, "3", None, 10**400])
@pytest.mark.parametrize("name", [name for name in ARGUMENTS if name != PLATEAU])
def test_last_epoch_is_set(name: str, value: Any):
    run = build("lehr", name)
    run.steps(2)
    with pytest.raises(lehr.ScheduleError):
        run.scheduler.last_epoch = value
    assert run.scheduler.last_epoch == 2


@pytest.mark.parametrize("whole", [np.int64(4), torch.tensor(4)])
def test_the_state_of_restarts_is_plain(whole: Any):
    run = build("lehr", "CosineAnnealingWarmRestarts", {"T_0": whole, "T_mult": whole})
    run.steps(6)
    assert json.loads(json.dumps(saved(run)))["T_i"] == 16


@pytest.mark.parametrize(
    ("change", "arguments"),
    [
        ("scale", {"factor": None}),
        ("scale", {"factor": "2"}),
        ("cooldown", {"steps": 3, "to": None}),
        ("rewarm", {"steps": 3, "to": {}}),
        ("extend", {"steps": 3, "of": ["lr"]}),
    ],
)
def test_a_change_of_plan(change: str, arguments: dict[str, Any]):
    scheduler = ours.Scheduler(make_optimizer(), lr=lehr.linear(10), guards="off")
    scheduler.seek(2)
    with pytest.raises(lehr.ScheduleError, match=list(arguments)[-1]):
        getattr(scheduler, change)(**arguments)
    assert scheduler.history == []
