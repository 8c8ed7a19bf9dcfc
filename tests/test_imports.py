"""`import lehr` loads little, and NumPy only when an array comes in."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import pytest

HEAVY = ["torch", "matplotlib", "sklearn", "scipy", "click", "rich", "jax", "hypothesis"]

USE = """
import lehr
from lehr.catalogue import ENTRIES
for entry in ENTRIES.values():
    run = entry.example.over(100)
    repr(run), run(3), run.values(), run.bounds
"""


def modules_after(code: str) -> list[str]:
    program = f"{code}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-X", "frozen_modules", "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize("code", ["import lehr", USE], ids=["import", "use"])
def test_nothing_heavy_is_imported(code: str) -> None:
    loaded = set(modules_after(code))
    assert "lehr" in loaded
    assert not loaded & set(HEAVY)


def test_nothing_else_is_installed_for_it() -> None:
    own = set(modules_after("import lehr")) - set(modules_after("import numpy"))
    packages = {name.partition(".")[0] for name in own}
    strangers = packages - set(sys.stdlib_module_names) - {"lehr", "array_api_compat"}
    # What a virtual environment's own start-up files load is not lehr's doing.
    assert {name for name in strangers if not name.startswith("_")} == set()


def test_it_loads_few_modules_beside_numpy() -> None:
    # Counted rather than timed: how long a module takes to load depends on the machine.
    common = "import numpy, dataclasses, fractions, difflib, typing, ast, inspect, json"
    added = set(modules_after(f"{common}\nimport lehr")) - set(modules_after(common))
    others = {name for name in added if name.partition(".")[0] not in ("lehr", "array_api_compat")}
    assert len(others) < 25, sorted(others)


def test_numbers_need_no_numpy() -> None:
    code = "import lehr\nlehr.cosine().over(100)(7)\nlehr.cosine(100).to_json()"
    assert "numpy" not in modules_after(code)


def test_a_trial_of_ones_own_training_starts_with_little() -> None:
    loaded = set(modules_after("import lehr.lab.own.child"))
    assert "lehr.lab.own.running" in loaded
    assert not loaded & {*HEAVY, "numpy", "sqlite3", "lehr.lab.study"}


def test_the_names_of_the_lab_are_loaded_when_they_are_used() -> None:
    lab = importlib.import_module("lehr.lab")
    assert {name: getattr(lab, name) for name in dir(lab)}.keys() == set(lab.__all__)
    # A module with the name of one of them would hide it.
    assert all(getattr(lab, name) is not sys.modules.get(f"lehr.lab.{name}") for name in dir(lab))
    assert lab.compare.__module__ == "lehr.lab.comparison"
    with pytest.raises(AttributeError, match=r"'lehr.lab' has no attribute 'compair'"):
        lab.compair  # noqa: B018 - it raises
