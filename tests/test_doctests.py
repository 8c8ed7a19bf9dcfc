"""The examples in the docstrings do what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import lehr

# What drives, trains, draws or is a program has tests of its own; some of it needs more packages.
ELSEWHERE = ("lehr.torch", "lehr.interop", "lehr.view", "lehr.lab", "lehr.cli", "lehr.__main__")

MODULES = [
    "lehr",
    *(
        module.name
        for module in pkgutil.walk_packages(lehr.__path__, "lehr.", onerror=lambda _: None)
        if not module.name.startswith(ELSEWHERE)
    ),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    results = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert results.failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    tried = sum(
        len(test.examples)
        for name in MODULES
        for test in finder.find(importlib.import_module(name))
    )
    assert tried > 60


@pytest.mark.parametrize("name", lehr.__all__)
def test_what_is_public_says_what_it_is(name: str) -> None:
    thing = getattr(lehr, name)
    if isinstance(thing, str | dict):
        return
    text = (thing.__doc__ or "").strip()
    assert text
    assert text.splitlines()[0].endswith((".", ":"))
    # A dataclass that has no docstring of its own is given its signature.
    assert not text.startswith(f"{name}(")
