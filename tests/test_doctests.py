"""The examples in the docstrings do what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from types import ModuleType

import pytest

import lehr

# Importing it runs the command line.
PROGRAM = "lehr.__main__"

MODULES = [
    "lehr",
    *(
        module.name
        for module in pkgutil.walk_packages(lehr.__path__, "lehr.", onerror=lambda _: None)
        if module.name != PROGRAM
    ),
]


def load(name: str) -> ModuleType:
    """Import a module, or skip the test where a package that it needs is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = (error.name or "lehr").split(".")[0]
        if missing == "lehr":
            raise
        pytest.skip(f"{missing} is not installed")


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))  # what an example writes is not left in the checkout
    results = doctest.testmod(load(name), optionflags=doctest.ELLIPSIS)
    assert results.failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    catalogue = [name for name in MODULES if name.startswith("lehr.catalogue.")]
    tried = {
        name: sum(len(test.examples) for test in finder.find(importlib.import_module(name)))
        for name in catalogue
    }
    assert sum(tried.values()) > 100


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
