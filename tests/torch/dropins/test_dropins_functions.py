"""Drop-ins whose rates come from functions, or from what is there; torch is the reference."""

from __future__ import annotations

import doctest
import importlib
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.optim.lr_scheduler as theirs
import torch.optim.swa_utils as their_swa
from hypothesis import given, settings
from hypothesis import strategies as st

import lehr.torch as ours
from driving import KINDS, drive, make_optimizer, rates, read, run, worst

MANY = 150
TOLERANCE = 1e-12

kinds = st.sampled_from(KINDS)
bases = st.lists(st.floats(1e-6, 10.0), min_size=1, max_size=3)


def compare(name: str, arguments: dict[str, Any], steps: int, kind: str, base: list[float]) -> None:
    """Assert that both classes of a name give the same run."""
    torchs = their_swa.SWALR if name == "SWALR" else getattr(theirs, name)
    expected = run(torchs, arguments, steps, kind, base)
    assert worst(run(getattr(ours, name), arguments, steps, kind, base), expected) <= TOLERANCE


@settings(max_examples=MANY)
@given(kinds, bases, st.floats(1e-3, 1.0), st.integers(1, 30))
def test_constant_lr(kind: str, base: list[float], factor: float, total: int):
    compare("ConstantLR", {"factor": factor, "total_iters": total}, total + 5, kind, base)


def functions(draw: st.DrawFn) -> Callable[[int], float]:
    rate, every = draw(st.floats(0.5, 1.1)), draw(st.integers(1, 9))
    return draw(
        st.sampled_from(
            [
                lambda n: rate**n,
                lambda n: 1 if n < every else 0,
                lambda n: n // every,
                lambda n: min((n + 1) / every, (every + 1) ** 0.5 / (n + 1) ** 0.5),
                lambda n: torch.tensor(rate, dtype=torch.float64),
            ]
        )
    )


@st.composite
def lambdas(draw: st.DrawFn) -> tuple[Any, int]:
    """One function for all groups, or a list with one for each."""
    groups = draw(st.integers(1, 3))
    if draw(st.booleans()):
        return functions(draw), groups
    return [functions(draw) for _ in range(groups)], groups


@settings(max_examples=MANY)
@given(kinds, lambdas(), st.floats(1e-6, 10.0))
def test_lambda_lr(kind: str, drawn: tuple[Any, int], base: float):
    given_lambda, groups = drawn
    compare("LambdaLR", {"lr_lambda": given_lambda}, 30, kind, [base] * groups)


@settings(max_examples=MANY)
@given(kinds, lambdas(), st.floats(1e-6, 10.0))
def test_multiplicative_lr(kind: str, drawn: tuple[Any, int], base: float):
    given_lambda, groups = drawn
    # Factors above 1 grow without bound: some steps are enough.
    compare("MultiplicativeLR", {"lr_lambda": given_lambda}, 12, kind, [base] * groups)


@st.composite
def swa(draw: st.DrawFn) -> tuple[dict[str, Any], list[float]]:
    base = draw(st.lists(st.floats(1e-3, 1.0), min_size=1, max_size=3))
    lr = st.floats(1e-3, 1.0)
    return {
        "swa_lr": draw(lr | st.lists(lr, min_size=len(base), max_size=len(base))),
        "anneal_epochs": draw(st.integers(0, 12)),
        "anneal_strategy": draw(st.sampled_from(["cos", "linear"])),
    }, base


# Torch divides by what is left of the way at each step, which costs it digits near the end.
SWA_TOLERANCE = 1e-11


@settings(max_examples=MANY)
@given(kinds, swa(), st.integers(0, 6))
def test_swalr_from_what_another_left(
    kind: str, drawn: tuple[dict[str, Any], list[float]], before: int
):
    arguments, base = drawn
    rows = []
    for module, kind_of_swa in ((ours, ours.SWALR), (theirs, their_swa.SWALR)):
        optimizer = make_optimizer(kind, base)
        first = module.ExponentialLR(optimizer, gamma=0.8)
        last = kind_of_swa(optimizer, **arguments)
        rows.append(drive(optimizer, first, before) + drive(optimizer, last, 16))
    if arguments["anneal_epochs"]:
        assert worst(*rows) <= SWA_TOLERANCE
    else:
        # Both are at the rate at once; the other scheduler moves torch's away from it again.
        assert worst(rows[0][before + 2 :], rows[1][before + 2 :]) <= SWA_TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
def test_swalr_built_changes_nothing(kind: str):
    optimizer = make_optimizer(kind, (0.3, 0.7))
    before = read(optimizer)
    ours.SWALR(optimizer, swa_lr=[0.05, 0.1])
    assert read(optimizer) == before
    assert [group["swa_lr"] for group in optimizer.param_groups] == [0.05, 0.1]


def test_swalr_ends_exactly_at_its_rate():
    optimizer = make_optimizer("sgd", (0.3, 0.7))
    scheduler = ours.SWALR(optimizer, swa_lr=0.05, anneal_epochs=7)
    drive(optimizer, scheduler, 9)
    assert rates(optimizer) == [0.05, 0.05]


def test_swalr_reads_its_rate_from_the_groups_when_it_starts():
    rows = []
    for kind_of_swa in (ours.SWALR, their_swa.SWALR):
        optimizer = make_optimizer()
        scheduler = kind_of_swa(optimizer, swa_lr=0.05, anneal_epochs=4)
        optimizer.param_groups[0]["swa_lr"] = 0.02
        rows.append(drive(optimizer, scheduler, 6))
    assert worst(*rows) <= SWA_TOLERANCE


@pytest.mark.parametrize("last_epoch", [0, 3, 11])
def test_swalr_goes_on_from_last_epoch(last_epoch: int):
    """Torch's begins a new way from the rate that is there; ours goes the rest of the old one."""
    optimizer = make_optimizer("sgd", (0.3,))
    scheduler = ours.SWALR(optimizer, swa_lr=0.05, anneal_epochs=8)
    drive(optimizer, scheduler, last_epoch + 1)
    again = make_optimizer("sgd", (9.0,))
    again.load_state_dict(optimizer.state_dict())
    resumed = ours.SWALR(again, swa_lr=0.05, anneal_epochs=8, last_epoch=last_epoch)
    assert resumed.last_epoch == last_epoch + 1
    wanted, found = drive(optimizer, scheduler, 10), drive(again, resumed, 10)
    assert worst(found, wanted) <= TOLERANCE


def test_swalr_goes_on_from_a_rate_that_was_set_by_hand():
    rows = []
    for kind_of_swa in (ours.SWALR, their_swa.SWALR):
        optimizer = make_optimizer()
        scheduler = kind_of_swa(optimizer, swa_lr=0.05, anneal_epochs=8)
        found = drive(optimizer, scheduler, 3)
        optimizer.param_groups[0]["lr"] = 0.5
        rows.append([*found, *drive(optimizer, scheduler, 7)])
    assert worst(*rows) <= SWA_TOLERANCE


def test_swalr_takes_a_group_that_is_added():
    optimizer = make_optimizer("sgd", (0.3,))
    scheduler = ours.SWALR(optimizer, swa_lr=0.1, anneal_epochs=2, anneal_strategy="linear")
    drive(optimizer, scheduler, 1)
    new = {"params": [torch.zeros(1, requires_grad=True)], "lr": 0.5, "swa_lr": 0.3}
    optimizer.add_param_group(new)
    drive(optimizer, scheduler, 1)
    assert rates(optimizer) == [0.1, 0.3]


@pytest.mark.parametrize(
    "change",
    [
        {"anneal_strategy": "exponential"},
        {"anneal_epochs": -1},
        {"anneal_epochs": 1.7},
        {"swa_lr": [1.0, 0.1]},
        {"swa_lr": -0.1},
        {"swa_lr": math.nan},
    ],
)
def test_swalr_refuses(change: dict[str, Any]):
    optimizer = make_optimizer()
    with pytest.raises(ValueError, match=next(iter(change))):
        ours.SWALR(optimizer, **{"swa_lr": 0.05, **change})
    assert "swa_lr" not in optimizer.param_groups[0]


# ----- where torch is wrong -----------------------------------------------------------------------


def test_constant_lr_comes_back_from_zero():
    found = run(ours.ConstantLR, {"factor": 0.0, "total_iters": 3}, 5)
    assert [rows[0][0] for rows in found] == [0, 0, 0, 0.1, 0.1, 0.1]


def test_constant_lr_of_no_steps_is_at_the_base():
    found = run(ours.ConstantLR, {"factor": 0.5, "total_iters": 0}, 2)
    assert [rows[0][0] for rows in found] == [0.1, 0.1, 0.1]


@pytest.mark.parametrize(
    "change", [{"factor": -0.1}, {"factor": 1.1}, {"total_iters": -1}, {"total_iters": 2.5}]
)
def test_constant_lr_refuses(change: dict[str, Any]):
    with pytest.raises(ValueError, match=next(iter(change))):
        ours.ConstantLR(make_optimizer(), **change)


def test_multiplicative_lr_seeks():
    """Torch's ``step(n)`` multiplies what is there by the n-th factor alone."""
    calls: list[int] = []

    def factor(epoch: int) -> float:
        calls.append(epoch)
        return 1 - 1 / (epoch + 1)

    optimizer = make_optimizer()
    scheduler = ours.MultiplicativeLR(optimizer, factor)
    for position in (5000, 3, 2048, 2049, 0, 5001):
        scheduler.seek(position)
        # The product of k / (k + 1) for k from 1 to n is 1 / (n + 1).
        assert rates(optimizer)[0] == pytest.approx(0.1 / (position + 1), rel=1e-12)
    assert len(calls) < 9000, "a step asks for one factor, a seek for at most 1024 or what is new"


def test_multiplicative_lr_goes_on_from_last_epoch():
    optimizer = make_optimizer()
    optimizer.param_groups[0]["initial_lr"] = 0.1
    scheduler = ours.MultiplicativeLR(optimizer, lambda n: 1 - 1 / (n + 1), last_epoch=9)
    assert scheduler.last_epoch == 10
    assert rates(optimizer) == pytest.approx([0.1 / 11], rel=1e-14)


def test_multiplicative_lr_does_not_ask_again_for_what_is_over():
    """A function may look at more than the epoch: a resumed run must not ask it for the past."""
    hot = {"now": False}

    def factor(_epoch: int) -> float:
        return 0.5 if hot["now"] else 1.0

    optimizer = make_optimizer()
    scheduler = ours.MultiplicativeLR(optimizer, factor)
    drive(optimizer, scheduler, 3)
    hot["now"] = True
    drive(optimizer, scheduler, 2)
    assert rates(optimizer) == [0.025]
    fresh = make_optimizer()
    resumed = ours.MultiplicativeLR(fresh, factor)
    resumed.load_state_dict(scheduler.state_dict())
    assert rates(fresh) == [0.025]
    drive(fresh, resumed, 1)
    assert rates(fresh) == [0.0125]


@pytest.mark.parametrize("name", ["LambdaLR", "MultiplicativeLR"])
def test_one_function_for_all_groups_is_called_once_an_epoch(name: str):
    calls: list[int] = []

    def factor(epoch: int) -> float:
        calls.append(epoch)
        assert type(epoch) is int
        return 0.9

    optimizer = make_optimizer("sgd", (0.1, 0.2, 0.3))
    drive(optimizer, getattr(ours, name)(optimizer, factor), 5)
    assert calls == ([0] if name == "LambdaLR" else []) + [1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", ["LambdaLR", "MultiplicativeLR"])
def test_a_group_that_is_added_gets_the_one_function(name: str):
    optimizer = make_optimizer()
    scheduler = getattr(ours, name)(optimizer, lambda n: 1 / (1 + n))
    drive(optimizer, scheduler, 1)
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.3})
    drive(optimizer, scheduler, 1)
    # A product goes on from the rate that the group came with, as in torch.
    expected = [0.1 / 3, 0.3 / 3] if name == "LambdaLR" else [0.1 / 6, 0.3 / 3]
    assert rates(optimizer) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("name", ["LambdaLR", "MultiplicativeLR"])
def test_a_group_that_is_added_to_a_list_of_functions_is_refused(name: str):
    optimizer = make_optimizer("sgd", (0.1, 0.2))
    scheduler = getattr(ours, name)(optimizer, [lambda n: 0.5, lambda n: 0.25])
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.3})
    before = rates(optimizer)
    optimizer.step()
    with pytest.raises(ValueError, match="group 2 was added"):
        scheduler.step()
    assert rates(optimizer) == before
    assert scheduler.last_epoch == 0


@pytest.mark.parametrize("name", ["LambdaLR", "MultiplicativeLR"])
def test_what_is_no_function_is_refused(name: str):
    kind = getattr(ours, name)
    with pytest.raises(TypeError, match="lr_lambda should be a function"):
        kind(make_optimizer(), 0.95)
    with pytest.raises(TypeError, match="lr_lambda should be a function"):
        kind(make_optimizer("sgd", (0.1, 0.2)), [abs, 0.95])
    with pytest.raises(ValueError, match="Expected 1 lr_lambdas, but got 2"):
        kind(make_optimizer(), [abs, abs])
    with pytest.raises(TypeError, match="not an Optimizer"):
        kind("optimizer", abs)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_function_that_gives_no_number_stops_the_step_and_changes_nothing(bad: float):
    optimizer = make_optimizer("sgd", (0.1, 0.2))
    scheduler = ours.LambdaLR(optimizer, [lambda n: 0.5, lambda n: bad if n == 3 else 1.0])
    drive(optimizer, scheduler, 2)
    before = rates(optimizer)
    with pytest.raises(ValueError, match=r"lr_lambda\(3\)"):
        scheduler.step()
    assert rates(optimizer) == before
    assert scheduler.last_epoch == 2


@pytest.mark.parametrize("name", ["lambdas", "swa", "plateau", "containers"])
def test_the_examples_do_what_they_say(name: str):
    results = doctest.testmod(importlib.import_module(f"lehr.torch.dropins.{name}"))
    assert results.attempted
    assert not results.failed


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 10}),
        ("CyclicLR", {"base_lr": 0.01, "max_lr": 1.0}),
    ],
)
def test_rates_of_its_own_are_no_base_for_another_scheduler(name: str, arguments: dict[str, Any]):
    """Torch's write their own start as the group's base rate, which the next one begins from."""
    optimizer = make_optimizer("sgd", (0.3,))
    getattr(ours, name)(optimizer, **arguments)
    assert optimizer.param_groups[0]["initial_lr"] == 0.3


@pytest.mark.parametrize("bases", [(0.1,), (0.1, 0.3)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_function_is_asked_once_for_each_step_and_not_ahead_of_time(
    kind: str, bases: tuple[float, ...]
):
    asked: list[int] = []

    def factor(epoch: int) -> float:
        asked.append(epoch)
        if epoch > 6:
            raise LookupError("there is no value")
        return 1 / (1 + epoch)

    optimizer = make_optimizer(kind, bases)
    scheduler = ours.LambdaLR(optimizer, factor)
    drive(optimizer, scheduler, 6)
    assert asked == [0, 1, 2, 3, 4, 5, 6]
    before = read(optimizer)
    for _ in range(2):
        with pytest.raises(LookupError):
            scheduler.step()
    assert (read(optimizer), scheduler.last_epoch) == (before, 6)
    with pytest.warns(UserWarning, match="epoch parameter"):
        scheduler.step(2)
    assert rates(optimizer) == pytest.approx([base / 3 for base in bases], rel=1e-15)


def test_a_rate_that_is_set_by_hand_is_discarded_at_the_next_value():
    optimizer = make_optimizer()
    scheduler = ours.LambdaLR(optimizer, lambda n: 0.5**n)
    drive(optimizer, scheduler, 3)
    optimizer.param_groups[0]["lr"] = 0.8
    drive(optimizer, scheduler, 2)
    assert rates(optimizer) == pytest.approx([0.1 * 0.5**5])
