"""Functions of the user's: checked as their values come, and never blamed on lehr's insides."""

from typing import Any

import pytest
import torch

import lehr
import lehr.torch as ours
from driving import make_optimizer, rates, read
from twins import ARGUMENTS, Run, saved, scheduler_class

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def test_a_formula_without_bounds_is_driven():
    """Users of ``LambdaLR`` expect it to work."""
    optimizer = make_optimizer("sgd", [0.5])
    scheduler = ours.Scheduler(optimizer, lr=lehr.formula(lambda t: 0.9**t), over=10)
    found = [rates(optimizer)[0]]
    for _ in range(9):
        optimizer.step()
        scheduler.step()
        found.append(rates(optimizer)[0])
    assert found == pytest.approx([0.5 * 0.9**t for t in range(10)], rel=1e-12)


@pytest.mark.parametrize("bad", [-0.5, float("nan"), float("inf"), None, "x", 1j])
def test_its_values_are_checked_as_they_come(bad: Any):
    """The step is named, and the rate is the one before."""
    optimizer = make_optimizer("sgd", [0.5])
    curve = lehr.formula(lambda t: bad if t == 4 else 1.0)
    run = Run(optimizer, ours.Scheduler(optimizer, lr=curve, over=10))
    run.steps(3)
    with pytest.raises((lehr.ScheduleError, TypeError), match="4"):
        run.step()
    assert rates(optimizer) == [0.5]
    assert run.scheduler.last_epoch == 3


def test_bounds_that_are_given_are_kept():
    bounded = lehr.formula(lambda t: 0.9**t, low=0, high=1)
    optimizer = make_optimizer("sgd", [0.5])
    run = Run(optimizer, ours.Scheduler(optimizer, lr=bounded, over=10))
    run.steps(3)
    assert rates(optimizer) == pytest.approx([0.5 * 0.9**3])
    outside = lehr.formula(lambda t: 1.5 if t == 2 else 1.0, low=0, high=1)
    with pytest.raises(lehr.ScheduleError, match=r"1\.5"):
        outside(2)


@pytest.mark.parametrize(
    "error", [StopIteration, StopAsyncIteration, GeneratorExit, ZeroDivisionError]
)
@pytest.mark.parametrize(
    "build",
    [
        lambda o, f: ours.LambdaLR(o, f),
        lambda o, f: ours.MultiplicativeLR(o, f),
        lambda o, f: ours.CyclicLR(
            o, 0.1, 1.0, step_size_up=4, scale_fn=f, scale_mode="iterations"
        ),
        lambda o, f: ours.TrapezoidalLR(o, 0.1, 1.0, scale_fn=f, scale_mode="iterations"),
        lambda o, f: ours.Scheduler(o, lr=lehr.formula(f, low=0, high=1), over=20),
    ],
    ids=["LambdaLR", "MultiplicativeLR", "CyclicLR", "TrapezoidalLR", "Scheduler"],
)
def test_an_error_in_it_comes_out_as_itself(build: Any, error: Any):
    """Not as "generator raised StopIteration": the user's own error, from the user's own line."""
    calls = [False]

    def function(x: Any) -> float:
        if calls[0]:
            raise error("from the user's function")
        return 1.0

    optimizer = make_optimizer("sgd", [0.5])
    scheduler = build(optimizer, function)
    calls[0] = True
    with pytest.raises(error, match="from the user's function"):
        Run(optimizer, scheduler).steps(30)


BAD = [lambda x: None, lambda x: "x", lambda x: float("nan"), lambda x: 1j, lambda x: 1 / 0]


@pytest.mark.parametrize("number", range(len(BAD)))
@pytest.mark.parametrize("kind", ["CyclicLR", "TrapezoidalLR"])
def test_a_bad_scale_function_leaves_all_where_it_was(kind: str, number: int):
    """Refused when it is built, or at the step at which it goes wrong."""
    turned = [False]

    def function(x: Any) -> Any:
        return BAD[number](x) if turned[0] else 1.0

    optimizer = make_optimizer("sgd", [0.5])
    arguments: dict[str, Any] = {"scale_fn": function, "scale_mode": "iterations"}
    if kind == "CyclicLR":
        arguments["step_size_up"] = 4
    run = Run(optimizer, getattr(ours, kind)(optimizer, 0.1, 1.0, **arguments))
    run.steps(2)
    turned[0] = True
    caught: list[Exception] = []
    before: Any = None
    for _ in range(30):
        before = read(optimizer), saved(run), run.scheduler.last_epoch
        try:
            run.step()
        except (ValueError, TypeError, ZeroDivisionError) as error:
            caught.append(error)
            break
    assert caught, "it was never refused"
    assert (read(optimizer), saved(run), run.scheduler.last_epoch) == before


@pytest.mark.parametrize("number", range(len(BAD)))
@pytest.mark.parametrize("kind", ["CyclicLR", "TrapezoidalLR"])
def test_a_scale_function_that_is_bad_from_the_start_leaves_the_groups_alone(
    kind: str, number: int
):
    optimizer = make_optimizer("sgd", [0.5])
    before = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    arguments: dict[str, Any] = {"scale_fn": BAD[number], "scale_mode": "iterations"}
    scheduler = None
    try:
        scheduler = getattr(ours, kind)(optimizer, 0.1, 1.0, **arguments)
        optimizer.step()
        scheduler.step()
    except (ValueError, TypeError, ZeroDivisionError):
        if scheduler is None:
            after = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
            assert after == before
    else:
        pytest.fail("it was never refused")


@pytest.mark.parametrize("name", ["LinearLR", "CosineAnnealingLR", "OneCycleLR", "Scheduler"])
def test_a_tensor_rate_made_in_inference_mode(name: str):
    """Inside that mode torch's classes work over one."""
    found: list[list[float]] = []
    for side in ("torch", "lehr"):
        with torch.inference_mode():
            rate = torch.tensor(0.5, dtype=torch.float64)
            optimizer = torch.optim.SGD([torch.zeros(1)], lr=rate, momentum=0.9)
            if name != "Scheduler":
                scheduler = scheduler_class(side, name)(optimizer, **ARGUMENTS[name])
            elif side == "lehr":
                scheduler = ours.Scheduler(optimizer, lr=lehr.linear(10))
            else:
                scheduler = scheduler_class(side, "LambdaLR")(optimizer, lambda t: 1 - t / 10)
            run = Run(optimizer, scheduler)
            found.append([row[0][0] for row in run.steps(5)])
    assert found[1] == pytest.approx(found[0], rel=1e-12)
