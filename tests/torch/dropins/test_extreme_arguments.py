"""Arguments of extreme size: refused by their name when a scheduler is built, or driven as torch's.

Alone and as a child of a container, where a rate is also divided by the group's base.
"""

import math
from typing import Any

import pytest

from driving import make_optimizer
from twins import ARGUMENTS, PLATEAU, SIDES, Run, flat, scheduler_class

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

SIZES = [1e308, -1e308, 1e154, 1e-308, 5e-324, 2**53, 10**400, math.inf, math.nan]
GROWING = {"gamma"}
"""A factor of 1e308 is a rate at first; what follows is not finite, and says so at its step."""

NUMBERS = [
    (name, argument)
    for name, arguments in ARGUMENTS.items()
    for argument, value in {
        **arguments,
        **({"max_momentum": 0.9} if "max_lr" in arguments else {}),
        **(
            {"div_factor": 2.0, "final_div_factor": 9.0, "pct_start": 0.3}
            if name == "OneCycleLR"
            else {}
        ),
    }.items()
    if isinstance(value, int | float) and name != PLATEAU and argument not in GROWING
]


def tree(side: str, name: str, place: str, argument: str, value: Any) -> Run:
    """Return a run of a drop-in, alone or inside a container."""
    optimizer = make_optimizer("sgd", (0.1, 0.3))
    arguments = {**ARGUMENTS[name], argument: value}
    drop_in = scheduler_class(side, name)(optimizer, **arguments)
    if place == "alone":
        return Run(optimizer, drop_in)
    other = scheduler_class(side, "ExponentialLR")(optimizer, gamma=0.9)
    sequence = scheduler_class(side, "SequentialLR")
    if place == "chain":
        return Run(optimizer, scheduler_class(side, "ChainedScheduler")([drop_in, other]))
    parts = [drop_in, other] if place == "first" else [other, drop_in]
    return Run(optimizer, sequence(optimizer, parts, [3]))


@pytest.mark.parametrize("place", ["alone", "first", "second", "chain"])
@pytest.mark.parametrize(("name", "argument"), NUMBERS)
def test_a_number_of_any_size(name: str, argument: str, place: str):
    if (name, place) == ("SWALR", "chain"):
        pytest.skip("a chain has no place for it")
    for size in SIZES:
        try:
            run = tree("lehr", name, place, argument, size)
        except ValueError as refusal:
            if argument not in str(refusal):
                pytest.fail(f"{size}: {refusal} does not name {argument}")
            continue
        rows = run.steps(8)
        assert all(map(math.isfinite, flat(rows))), size


@pytest.mark.parametrize("place", ["alone", "first"])
def test_a_floor_of_any_size_is_torchs(place: str):
    """A cosine up to 1e308: in a container it is not divided by the base."""
    pair = [tree(side, "CosineAnnealingLR", place, "eta_min", 1e308).steps(8) for side in SIDES]
    assert flat(pair[1]) == pytest.approx(flat(pair[0]), rel=1e-9)
