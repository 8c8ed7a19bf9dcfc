"""The table of arguments against the libraries' own signatures."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest
from signatures import SIGNATURES

# Where a library's live test keeps the modules that its schedulers are in.
MODULES = {
    "composer": ("scheduler",),
    "deepspeed": ("schedules",),
    "fastai": ("Learner", "schedule"),
    "fvcore": ("fvcore",),
    "ignite": ("handlers", "states"),
    "keras": ("keras.optimizers.schedules",),
    "levanter": ("config",),
    "megatron": ("megatron",),
    "mmengine": ("schedulers",),
    "olmo_core": ("olmo",),
    "optax": ("optax",),
    "timm": ("timm",),
    "torchtitan": ("titan",),
    "transformers": ("optimization",),
}
VARIADIC = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
# What is not an argument of the schedule itself.
OTHER = {"self", "optimizer", "optimizers", "lr_lambda", "scheduler_kwargs"}


def found(library: str, name: str) -> Any:
    live = importlib.import_module(f"live_{library}")
    for place in MODULES[library]:
        holder: Any = live
        for part in place.split("."):
            holder = getattr(holder, part)
        if hasattr(holder, name):
            return getattr(holder, name)
    raise AssertionError(f"{library} has no {name}")


@pytest.mark.parametrize(
    ("library", "name"), [(library, name) for library in MODULES for name in SIGNATURES[library]]
)
def test_live_signature(library: str, name: str) -> None:
    kind = found(library, name)
    if library == "torchtitan":
        kind = kind.Config
        own = set(kind.__annotations__)
    else:
        parameters = inspect.signature(kind).parameters.values()
        own = {p.name for p in parameters if p.kind not in VARIADIC}
        open_ended = any(p.kind in VARIADIC for p in parameters)
    table = set(SIGNATURES[library][name].split())
    assert own - OTHER <= table
    if library != "torchtitan" and not open_ended:
        assert table <= own
