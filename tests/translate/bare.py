"""Importing one module of a large library without all that the library imports.

A package whose ``__init__`` pulls in half the world (image libraries, compilers, clusters) is
replaced by an empty one with the same path; the module that is wanted is the library's own.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def module(name: str, *, empty: tuple[str, ...] = (), stubs: dict[str, Any] | None = None) -> Any:
    """Import a module, or skip the tests with the reason.

    Arguments:
        name: The module.
        empty: The packages above it whose ``__init__`` is not run.
        stubs: Modules that it imports but does not need here, with the names that they offer.
    """
    top = name.partition(".")[0]
    spec = importlib.util.find_spec(top) if top not in sys.modules else sys.modules[top].__spec__
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{top} is not installed", allow_module_level=True)
    root = Path(next(iter(spec.submodule_search_locations)))
    for package in empty:
        if package not in sys.modules:
            bare = ModuleType(package)
            bare.__path__ = [str(root.joinpath(*package.split(".")[1:]))]
            bare.__spec__ = importlib.machinery.ModuleSpec(package, None, is_package=True)
            bare.__spec__.submodule_search_locations = bare.__path__
            sys.modules[package] = bare
    for stub, offers in (stubs or {}).items():
        fake = ModuleType(stub)
        vars(fake).update(offers)
        sys.modules.setdefault(stub, fake)
    try:
        return importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"{name} cannot be imported: {error}", allow_module_level=True)
