"""Values that a program may hold by mistake, each made anew: arrays, texts, numbers, objects."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

import lehr

__all__ = ["HOSTILE", "torch_values"]


class Rude:
    """Raises an error of its own whatever is asked of it."""

    def _refuse(self, *_: Any) -> Any:
        raise RuntimeError("not this one")

    __repr__ = __float__ = __index__ = __iter__ = __bool__ = __eq__ = _refuse
    __hash__ = None  # type: ignore[assignment]


def numbers_one_by_one() -> Iterator[int]:
    yield from (1, 2)


def one_number(t: float) -> float:
    """Return a number, as a user's function does."""
    return 1.0


def two_numbers(a: float, b: float) -> float:
    """Return a number; nothing calls a function with two."""
    return 1.0


def endless_list() -> list[Any]:
    """Return a list that holds itself."""
    items: list[Any] = []
    items.append(items)
    return items


HOSTILE: dict[str, Callable[[], Any]] = {
    "an array of one": lambda: np.array([1.0]),
    "an array": lambda: np.array([1.0, 2.0]),
    "an array of ints": lambda: np.array([1, 2]),
    "an array without axes": lambda: np.array(0.5),
    "an array of bools": lambda: np.array([True, False]),
    "an array of objects": lambda: np.array([None, "a"], object),
    "an empty array": lambda: np.array([]),
    "a matrix": lambda: np.ones((2, 2)),
    "an array of texts": lambda: np.array(["a"]),
    "a float32": lambda: np.float32(0.5),
    "an int64": lambda: np.int64(3),
    "NumPy's bool": lambda: np.True_,
    "NumPy's nan": lambda: np.float64("nan"),
    "a date of NumPy": lambda: np.datetime64("2020-01-01"),
    "a complex128": lambda: np.complex128(1j),
    "a list": lambda: [1, 2],
    "an empty list": list,
    "nested lists": lambda: [[1], [2]],
    "a mixed list": lambda: [None, "a"],
    "a list in itself": endless_list,
    "a tuple": lambda: (1, 2),
    "a set": lambda: {1, 2},
    "a dict": lambda: {"a": 1},
    "a generator": numbers_one_by_one,
    "a range": lambda: range(3),
    "None": lambda: None,
    "True": lambda: True,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-inf": lambda: -math.inf,
    "a complex number": lambda: 1j,
    "bytes": lambda: b"abc",
    "a text": lambda: "abc",
    "an empty text": str,
    "a number in a text": lambda: "1e-3",
    "a long text": lambda: "x" * 10**5,
    "a text of controls": lambda: "\x1b[31m\ud800\n",
    "a Decimal": lambda: Decimal("0.5"),
    "a Decimal that is none": lambda: Decimal("sNaN"),
    "a fraction": lambda: Fraction(1, 3),
    "a huge fraction": lambda: Fraction(10**5000, 3),
    "a tiny fraction": lambda: Fraction(1, 10**5000),
    "an int of 5,000 digits": lambda: 10**5000,
    "minus an int of 5,000 digits": lambda: -(10**5000),
    "2**63": lambda: 2**63,
    "longer than any run": lambda: 10**15 + 1,
    "the smallest float": lambda: 5e-324,
    "a large float": lambda: 1.7e308,
    "-1": lambda: -1,
    "0": lambda: 0,
    "an object": object,
    "an object that raises": Rude,
    "a class": lambda: int,
    "a function": lambda: one_number,
    "a function of two": lambda: two_numbers,
    "a schedule": lehr.cosine,
    "a duration": lambda: lehr.Duration.of(5),
    "a horizon": lambda: lehr.Horizon(10),
    "an ease": lambda: lehr.Ease.of("cosine"),
    "a span of time": lambda: datetime.timedelta(1),
    "an ellipsis": lambda: ...,
}


def torch_values() -> dict[str, Callable[[], Any]]:
    """Return the same of torch, where it is installed."""
    try:
        import torch
    except ModuleNotFoundError:
        return {}
    return {
        "a tensor of one": lambda: torch.tensor(0.5),
        "a tensor": lambda: torch.tensor([1.0, 2.0]),
        "a tensor of bools": lambda: torch.tensor([True, False]),
        "a tensor of one int": lambda: torch.tensor(3),
    }
