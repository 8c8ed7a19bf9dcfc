"""Numbers of every kind that torch takes: NumPy's, tensors, whole floats, texts that are refused.

Whatever is taken, the optimizer's state holds plain numbers and tensors, so that it loads with
``torch.load(weights_only=True)``.
"""

import io
import json
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

import lehr
import lehr.torch as ours
from driving import make_optimizer, rates
from twins import ARGUMENTS, PLATEAU, Run, build, flat, saved, scheduler_class

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

KINDS: dict[str, Callable[[float], Any]] = {
    "float32": np.float32,
    "float64": np.float64,
    "0-d array": np.array,
    "float32 tensor": torch.tensor,
    "float64 tensor": lambda value: torch.tensor(value, dtype=torch.float64),
}

WHOLE: dict[str, Callable[[int], Any]] = {
    "int": int,
    "int64": np.int64,
    "int32": np.int32,
    "float": float,
    "float64": np.float64,
}


class Listing(Sequence[Any]):
    """A list-like class that is not a list, as configuration libraries have."""

    def __init__(self, *items: Any) -> None:
        self._items = items

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)


def with_rates(*given: Any, **more: Any) -> torch.optim.Optimizer:
    """Return an optimizer whose groups have these rates."""
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": rate} for rate in given]
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9, **more)


def loads(optimizer: torch.optim.Optimizer, scheduler: Any) -> None:
    """Assert that both states load without unpickling anything but plain types."""
    file = io.BytesIO()
    torch.save({"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}, file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    json.dumps(state["scheduler"])


def stepped(optimizer: torch.optim.Optimizer, scheduler: Any, steps: int = 12) -> list[float]:
    """Return the first group's rate after each step."""
    run, found = Run(optimizer, scheduler), [float(optimizer.param_groups[0]["lr"])]
    for _ in range(steps):
        run.step()
        found.append(float(optimizer.param_groups[0]["lr"]))
    return found


def bind(name: str, optimizer: torch.optim.Optimizer) -> Any:
    """Return a scheduler of a name over an optimizer."""
    if name == "Scheduler":
        return ours.Scheduler(optimizer, lr=lehr.hold(9, at=0.5))
    return scheduler_class("lehr", name)(optimizer, **ARGUMENTS[name])


# ----- the optimizer's rate -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ARGUMENTS)
def test_drop_ins_over_rates_of_each_kind(name: str, kind: str):
    make = KINDS[kind]
    found, expected = (
        stepped(optimizer, scheduler_class(side, name)(optimizer, **ARGUMENTS[name]))
        for side in ("lehr", "torch")
        for optimizer in [with_rates(make(0.25), make(0.5))]
    )
    # A float32 tensor is rounded by torch at each step, and by a drop-in once.
    assert found == pytest.approx(expected, rel=1e-5)
    optimizer = with_rates(make(0.25), make(0.5))
    loads(optimizer, scheduler_class("lehr", name)(optimizer, **ARGUMENTS[name]))


@pytest.mark.parametrize("kind", KINDS)
def test_the_scheduler_over_rates_of_each_kind(kind: str):
    optimizer = with_rates(KINDS[kind](0.25), KINDS[kind](0.5))
    scheduler = ours.Scheduler(optimizer, lr=lehr.linear(10))
    loads(optimizer, scheduler)
    for t in range(1, 9):
        optimizer.step()
        scheduler.step()
        expected = [0.25 * (1 - t / 10), 0.5 * (1 - t / 10)]
        assert rates(optimizer) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("whole", [1, np.int64(1), np.int32(1), np.uint8(1)])
@pytest.mark.parametrize("name", [*ARGUMENTS, "Scheduler"])
def test_whole_rates(name: str, whole: Any):
    optimizer = with_rates(whole)
    if name == "Scheduler":
        scheduler: Any = ours.Scheduler(optimizer, lr=lehr.linear(10, to=0.5))
        reference = [1 - t / 20 for t in range(11)]
    else:
        scheduler = scheduler_class("lehr", name)(optimizer, **ARGUMENTS[name])
        twin = with_rates(1.0)
        reference = stepped(twin, scheduler_class("torch", name)(twin, **ARGUMENTS[name]), 10)
    loads(optimizer, scheduler)
    assert stepped(optimizer, scheduler, 10) == pytest.approx(reference, rel=1e-9)


@pytest.mark.parametrize("name", [*ARGUMENTS, "Scheduler"])
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.bool])
def test_a_tensor_of_whole_numbers_is_refused(name: str, dtype: torch.dtype):
    """It cannot hold a half: filled, it would silently become 0."""
    optimizer = with_rates(torch.tensor(1, dtype=dtype))
    before = optimizer.param_groups[0]["lr"].clone()
    with pytest.raises((lehr.ScheduleError, TypeError), match=r"lr.*(int|bool|whole|float)"):
        bind(name, optimizer)
    assert optimizer.param_groups[0]["lr"] == before


@pytest.mark.parametrize("text", ["1e-3", "0.1", "", "fast"])
@pytest.mark.parametrize("name", [*ARGUMENTS, "Scheduler"])
def test_a_string_for_a_rate_is_called_a_string(name: str, text: str):
    """From a YAML file: ``1e-3`` is a string there."""
    optimizer = with_rates(0.1)
    optimizer.param_groups[0]["lr"] = text
    with pytest.raises((lehr.ScheduleError, TypeError), match=r"lr.*string") as refusal:
        bind(name, optimizer)
    assert repr(text) in str(refusal.value)
    assert optimizer.param_groups[0]["lr"] == text


@pytest.mark.parametrize("bad", [None, True, [0.1], float("nan"), float("inf"), 1j, torch.ones(2)])
def test_what_is_no_rate_is_refused_by_name(bad: Any):
    optimizer = with_rates(0.1)
    optimizer.param_groups[0]["lr"] = bad
    with pytest.raises((lehr.ScheduleError, TypeError), match="lr"):
        ours.Scheduler(optimizer, lr=lehr.linear(10))


@pytest.mark.parametrize("kind", [*KINDS, "int64"])
@pytest.mark.parametrize("key", ["weight_decay", "momentum"])
def test_other_numbers_of_each_kind(key: str, kind: str):
    make = {**KINDS, "int64": lambda value: np.int64(round(value * 4))}[kind]
    optimizer = make_optimizer("sgd", [0.1])
    optimizer.param_groups[0][key] = make(0.25)
    schedule = lehr.hold(9, at=0.5)
    scheduler = ours.Scheduler(optimizer, **{key: schedule})
    base = 1.0 if key == "momentum" else float(make(0.25))
    assert float(optimizer.param_groups[0][key]) == pytest.approx(base * 0.5)
    loads(optimizer, scheduler)


# ----- arguments ----------------------------------------------------------------------------------

COUNTS = [
    ("StepLR", "step_size", 3),
    ("MultiStepLR", "milestones", [3, 5]),
    ("ConstantLR", "total_iters", 4),
    ("LinearLR", "total_iters", 4),
    ("PolynomialLR", "total_iters", 20),
    ("CosineAnnealingLR", "T_max", 10),
    ("CyclicLR", "step_size_up", 4),
    ("CyclicLR", "step_size_down", 4),
    (PLATEAU, "patience", 1),
    (PLATEAU, "cooldown", 1),
]
"""Counts for which torch takes any number that is whole."""


@pytest.mark.parametrize("kind", [*WHOLE, "tensor", "float tensor"])
@pytest.mark.parametrize(("name", "argument", "count"), COUNTS)
def test_counts_of_each_kind(name: str, argument: str, count: Any, kind: str):
    make: Any = {
        **WHOLE,
        "tensor": torch.tensor,
        "float tensor": lambda n: torch.tensor(float(n)),
    }[kind]
    if argument == "milestones" and "tensor" in kind:
        pytest.skip("torch's never meets a milestone that is a tensor: it is none of the epochs")
    given = [make(n) for n in count] if isinstance(count, list) else make(count)
    arguments = {**ARGUMENTS[name], argument: given}
    plain = {**ARGUMENTS[name], argument: count}
    run, twin = build("lehr", name, arguments), build("torch", name, plain)
    loads(run.optimizer, run.scheduler)
    assert flat(run.steps(14)) == pytest.approx(flat(twin.steps(14)), rel=1e-9, abs=1e-12)


NUMBERS = [
    ("StepLR", "gamma", 0.5),
    ("MultiStepLR", "gamma", 0.5),
    ("ExponentialLR", "gamma", 0.5),
    ("ConstantLR", "factor", 0.5),
    ("LinearLR", "start_factor", 0.5),
    ("LinearLR", "end_factor", 0.5),
    ("PolynomialLR", "power", 0.5),
    ("CosineAnnealingLR", "eta_min", 0.0625),
    ("CyclicLR", "base_lr", 0.25),
    ("CyclicLR", "max_lr", 0.5),
    ("CyclicLR", "gamma", 0.5),
    ("CyclicLR", "max_momentum", 0.75),
    ("OneCycleLR", "max_lr", 0.5),
    ("OneCycleLR", "div_factor", 4.0),
    ("OneCycleLR", "final_div_factor", 4.0),
    ("OneCycleLR", "base_momentum", 0.5),
    ("SWALR", "swa_lr", 0.0625),
    (PLATEAU, "factor", 0.5),
    (PLATEAU, "min_lr", 0.0625),
    (PLATEAU, "threshold", 0.25),
    (PLATEAU, "eps", 0.0625),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "argument", "value"), NUMBERS)
def test_numbers_of_each_kind(name: str, argument: str, value: float, kind: str):
    """Values that float32 holds exactly, so that every kind means the same number."""
    given = {**ARGUMENTS[name], argument: KINDS[kind](value)}
    run, twin = (
        build("lehr", name, given),
        build("torch", name, {**ARGUMENTS[name], argument: value}),
    )
    loads(run.optimizer, run.scheduler)
    assert flat(run.steps(14)) == pytest.approx(flat(twin.steps(14)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("argument", ["T_max", "step_size", "total_iters"])
@pytest.mark.parametrize("text", ["10", "ten"])
def test_a_text_for_a_count_is_called_a_text(argument: str, text: str):
    name = {"T_max": "CosineAnnealingLR", "step_size": "StepLR", "total_iters": "LinearLR"}[
        argument
    ]
    with pytest.raises((lehr.ScheduleError, TypeError), match=f"{argument}.*{text}"):
        build("lehr", name, {argument: text})


LISTS = [
    ("CyclicLR", "base_lr", (0.01, 0.02)),
    ("CyclicLR", "max_lr", (0.5, 0.7)),
    ("CyclicLR", "base_momentum", (0.5, 0.6)),
    ("CyclicLR", "max_momentum", (0.8, 0.9)),
    ("OneCycleLR", "max_lr", (0.5, 0.7)),
    ("OneCycleLR", "base_momentum", (0.5, 0.6)),
    ("OneCycleLR", "max_momentum", (0.8, 0.9)),
    ("SWALR", "swa_lr", (0.01, 0.02)),
    (PLATEAU, "min_lr", (0.01, 0.02)),
    ("MultiStepLR", "milestones", (2, 5)),
    ("LambdaLR", "lr_lambda", (lambda epoch: 0.5**epoch, lambda epoch: 0.25**epoch)),
    ("MultiplicativeLR", "lr_lambda", (lambda epoch: 0.5, lambda epoch: 0.25)),
]


@pytest.mark.parametrize("kind", ["list", "tuple", "sequence", "array", "tensor"])
@pytest.mark.parametrize(("name", "argument", "values"), LISTS)
def test_lists_of_each_kind(name: str, argument: str, values: Any, kind: str):
    """One number for each group, from a configuration file or an array."""
    if kind in ("array", "tensor") and argument == "lr_lambda":
        pytest.skip("functions are in no array")
    if kind == "tensor" and argument == "milestones":
        pytest.skip("torch's never meets a milestone that is a tensor")
    make: Any = {
        "list": list,
        "tuple": tuple,
        "sequence": lambda v: Listing(*v),
        "array": np.array,
        "tensor": lambda v: torch.tensor(v, dtype=torch.float64),
    }[kind]
    run = build("lehr", name, {**ARGUMENTS[name], argument: make(values)})
    twin = build("torch", name, {**ARGUMENTS[name], argument: list(values)})
    loads(run.optimizer, run.scheduler)
    assert flat(run.steps(14)) == pytest.approx(flat(twin.steps(14)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("name", "argument", "values"), LISTS)
def test_a_sequence_of_another_length_is_refused_by_name(name: str, argument: str, values: Any):
    if argument == "milestones":
        pytest.skip("any number of milestones is right")
    with pytest.raises(ValueError, match=rf"{argument}.*3|3 {argument}"):
        build("lehr", name, {**ARGUMENTS[name], argument: Listing(*values, values[0])})


# ----- what functions return ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [*KINDS, "bool", "np.bool", "int", "Fraction", "one-element array"]
)
@pytest.mark.parametrize("name", ["LambdaLR", "MultiplicativeLR"])
def test_what_a_lambda_returns(name: str, kind: str):
    make: Any = {
        **KINDS,
        "bool": bool,
        "np.bool": np.bool_,
        "int": round,
        "Fraction": Fraction,
        "one-element array": lambda value: np.array([value])[0],
    }[kind]
    plain: Any = {"bool": bool, "np.bool": bool, "int": round}.get(kind, float)
    values = [1.0, 0.5, 0.75, 1.5, 0.25, 1.0, 0.5, 0.125]
    run = build("lehr", name, {"lr_lambda": lambda epoch: make(values[epoch % 8])})
    twin = build("torch", name, {"lr_lambda": lambda epoch: float(plain(values[epoch % 8]))})
    assert flat(run.steps(14)) == pytest.approx(flat(twin.steps(14)), rel=1e-9, abs=1e-12)
    loads(run.optimizer, run.scheduler)


@pytest.mark.parametrize("bad", [None, "0.5", float("nan"), float("inf"), 1j, [0.5], object()])
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("name", ["LambdaLR", "MultiplicativeLR"])
def test_a_lambda_that_returns_no_number_is_named_with_its_epoch(name: str, late: bool, bad: Any):
    """A forgotten ``return``: the message has the epoch and the value, and nothing has moved."""
    built: list[Run] = []

    def train() -> None:
        arguments = {"lr_lambda": lambda epoch: bad if epoch >= 4 * late else 1.0}
        built.append(build("lehr", name, arguments))
        built[0].steps(6)

    with pytest.raises((lehr.ScheduleError, TypeError), match=r"lr_lambda.*\d") as refusal:
        train()
    said = str(refusal.value)
    assert repr(bad)[:12] in said or type(bad).__name__ in said
    if built:
        assert rates(built[0].optimizer) == [0.1, 0.3]
        assert built[0].scheduler.last_epoch == 3 * late


# ----- the texts of errors ------------------------------------------------------------------------


@pytest.mark.parametrize("run", [1e5, 1e6, 1500.0, 2.5])
def test_what_a_refused_length_advises_is_valid(run: float):
    """``over(1e5)``: the text that is to be written instead can be written."""
    with pytest.raises(lehr.ScheduleError) as refusal:
        lehr.cosine().over(run)
    steps = re.findall(r"write ([\d_]+) for steps", str(refusal.value))
    texts = re.findall(r"'([^']+)'", str(refusal.value))
    assert steps or texts
    for number in steps:
        assert lehr.linear().over(int(number)).length == run
    for text in texts:
        lehr.linear(text)


@pytest.mark.parametrize("text", ["64ksa", "64000sa", "32000sa"])
def test_a_scheduler_seeks_a_text_of_its_clock(text: str):
    optimizer = make_optimizer("sgd", [1.0])
    run = lehr.Horizon("128ksa", batch=32)
    scheduler = ours.Scheduler(optimizer, lr=lehr.linear(), over=run)
    scheduler.seek(text)  # pyright: ignore[reportArgumentType]
    share = {"64ksa": 0.5, "64000sa": 0.5, "32000sa": 0.25}[text]
    assert rates(optimizer) == pytest.approx([1 - share])


@pytest.mark.parametrize(
    "kind", [np.float32, np.float64, np.int64, Decimal, Fraction, torch.tensor]
)
def test_a_position_of_each_kind(kind: Any):
    optimizer = make_optimizer("sgd", [1.0])
    scheduler = ours.Scheduler(optimizer, lr=lehr.linear(10))
    scheduler.seek(kind(4))
    assert rates(optimizer) == pytest.approx([0.6])
    assert type(scheduler.last_epoch) is int
    json.dumps(scheduler.state_dict())


@pytest.mark.parametrize("bad", ["soon", None, [], float("nan"), 1j, "3kg"])
def test_a_position_that_is_none_is_refused_by_name(bad: Any):
    scheduler = ours.Scheduler(make_optimizer("sgd", [1.0]), lr=lehr.linear(10))
    with pytest.raises(lehr.ScheduleError, match=r"position|seek|epoch"):
        scheduler.seek(bad)
    assert scheduler.last_epoch == 0


def test_saved_states_have_plain_types_only():
    """Not a NumPy scalar anywhere, whatever the arguments were."""
    optimizer = with_rates(np.float64(0.25), np.float32(0.5))
    run = Run(
        optimizer,
        ours.OneCycleLR(optimizer, np.array([0.5, 0.75]), total_steps=np.int64(20)),
    )
    run.steps(3)

    def check(value: Any) -> None:
        if isinstance(value, dict):
            for item in value.values():
                check(item)
        elif isinstance(value, list | tuple):
            for item in value:
                check(item)
        else:
            assert value is None or type(value) in (int, float, bool, str, torch.Tensor), repr(
                value
            )

    check(saved(run))
    check(optimizer.state_dict()["param_groups"])
