"""A shape that begins at 0 rises to 1 where nothing else is said."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import lehr
from lehr.catalogue.registry import ENTRIES

# The arguments that the shapes need beside these.
NEEDED = {"k": 2.0, "exponent": 2.0}


def shapes() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {"ramp": lehr.ramp}
    for name, entry in ENTRIES.items():
        parameters = inspect.signature(entry.function).parameters
        if "start" in parameters and "to" in parameters and parameters["to"].default is None:
            found[name] = entry.function
    return found


def test_all_shapes_are_found() -> None:
    assert {"ramp", "linear", "cosine", "polynomial", "rex", "quarter_cosine"} <= set(shapes())
    assert len(shapes()) == 13


@pytest.mark.parametrize("name", shapes())
def test_a_shape_from_zero_goes_to_one(name: str) -> None:
    shape = shapes()[name]
    own = {k: v for k, v in NEEDED.items() if k in inspect.signature(shape).parameters}
    up = shape(8, start=0.0, **own)
    assert up == shape(8, start=0.0, to=1.0, **own)
    assert (up(0), up(8)) == (0.0, 1.0)
    assert shape(8, **own) == shape(8, to=0.0, **own)
    assert lehr.parse(repr(up)) == up
