"""Arrays, tensors, lists and the like where a number, a text or a flag is meant."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

import lehr
import lehr.torch as ours
from driving import make_optimizer

GIVEN: dict[str, Any] = {
    "tensor": torch.tensor(3.0),
    "tensor of two": torch.tensor([3.0, 4.0]),
    "tensor of a bool": torch.tensor(True),
    "meta tensor": torch.empty((), device="meta"),
    "array": np.array([1, 2]),
    "empty array": np.array([]),
    "texts": np.array(["here", "saved"]),
    "number": np.int64(3),
    "bool": np.bool_(True),
    "NaN": float("nan"),
    "complex": 1j,
    "list": ["here"],
    "dict": {},
    "set": {3},
    "bytes": b"x",
    "object": object(),
    "fraction": Fraction(3),
    "huge": 10**400,
}

SEEKS = {"tensor", "number", "fraction"}
FLAGS = {"tensor of a bool", "bool"}


def scheduler() -> Any:
    """Return one of each kind of argument."""
    optimizer = make_optimizer("sgd", (0.1,))
    return ours.Scheduler(optimizer, lehr.linear(100), feedback=lehr.plateau(), guards="off")


def loads(driver: Any) -> Callable[[Any], None]:
    """Return a function that loads a driver's own state, with an ``adopt``."""
    return lambda value: driver.load_state_dict(driver.state_dict(), adopt=value)


CALLS: dict[str, tuple[Callable[[], Callable[[Any], Any]], set[str]]] = {
    "adopt": (lambda: loads(scheduler()), set()),
    "adopt of a drop-in": (lambda: loads(ours.StepLR(make_optimizer(), 3)), set()),
    "seek": (lambda: scheduler().seek, SEEKS),
    "step": (lambda: ours.StepLR(make_optimizer(), 3).step, SEEKS),
    "a metric's epoch": (
        lambda: lambda value: ours.ReduceLROnPlateau(make_optimizer()).step(1.0, value),
        {*SEEKS, *FLAGS},
    ),
    "report": (lambda: scheduler().report, {*SEEKS, *FLAGS, "NaN"}),
    "jump": (
        lambda: lambda value: scheduler().replace(lehr.linear(start=0.2), over=9, jump=value),
        FLAGS,
    ),
    "guards": (lambda: lambda v: ours.Scheduler(make_optimizer(), "linear(9)", guards=v), {"dict"}),
    "momentum": (lambda: lambda v: ours.Scheduler(make_optimizer(), momentum=v), set()),
    "floor": (lambda: lambda v: ours.factor(lehr.linear(9), floor=v), {*SEEKS, "tensor of a bool"}),
    "record": (
        lambda: lambda v: ours.TrapezoidalLR(make_optimizer()).record(loss=v),
        {*SEEKS, *FLAGS, "NaN"},
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("call", CALLS)
def test_a_value_of_any_kind(call: str):
    """It is used for what it is, or refused by lehr with words that are not Python's own."""
    make, right = CALLS[call]
    for name, value in GIVEN.items():
        try:
            make()(value)
        except lehr.ScheduleError as refusal:
            if "ambiguous" in str(refusal) or name in right - FLAGS:
                pytest.fail(f"{name}: {refusal}")
        else:
            assert name in right, name
