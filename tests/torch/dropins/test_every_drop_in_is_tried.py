"""No drop-in is left out of the tables by which all of them are tried."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lehr.torch as ours
from lehr.torch.driver import Driver
from twins import ARGUMENTS

# Containers are built of the others, and torch has no trapezoid. They have tables of their own.
APART = {"SequentialLR", "ChainedScheduler", "TrapezoidalLR", "Scheduler"}

NAMES = sorted(
    name
    for name in ours.__all__
    if isinstance(getattr(ours, name), type) and issubclass(getattr(ours, name), Driver)
)


def test_each_has_arguments_to_be_tried_with() -> None:
    assert set(NAMES) - APART == set(ARGUMENTS)


@pytest.mark.parametrize("table", ["test_dropins_attributes.py", "test_torch_resume.py"])
# A plateau takes a metric at each step: `test_dropins_plateau.py` is its file.
@pytest.mark.parametrize("name", sorted(set(NAMES) - APART - {"ReduceLROnPlateau"}))
def test_a_drop_in_is_in_each_table(name: str, table: str) -> None:
    text = (Path(__file__).parent / table).read_text()
    assert re.search(rf"\b{name}\b", text), f"add {name} to the builds of {table}"
