"""Imports go down only: between rooms, inside functions and for type checkers too."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCES = Path(__file__).parents[1] / "src"

# From the ground up. A room imports from the rooms before it, and from itself.
ROOMS = [
    "provided",
    "errors",
    "extras",
    "files",
    "time",
    "curves",
    "schedule",
    "catalogue",
    "notation",
    "export",
    "translate",
    "walltime",
    "check",
    "find",
    "torch",
    "interop",
    "lab",
    "laws",
    "view",
    "editor",
    "cli",
    "__main__",
]

# Rooms that are houses of their own: each file and folder in them is a room.
HOUSES = ["torch", "lab"]

# What costs much to import, so that a function may be where it is first needed.
HEAVY = {
    *("numpy", "torch", "matplotlib", "sklearn", "mlxtend", "scipy", "pandas"),
    *("click", "rich", "dask", "distributed", "ray", "tensorboardX", "mlflow"),
    *("jax", "optax", "keras", "lightning", "transformers", "accelerate", "deepspeed"),
    *("sqlite3", "concurrent", "multiprocessing", "subprocess", "html"),
    *("starlette", "uvicorn", "anyio", "anywidget", "traitlets"),
}


class Import(NamedTuple):
    """One import of a module.

    Attributes:
        source: The module that has it.
        target: The module that it loads.
        line: Its line.
        scope: ``"module"``, ``"function"`` or ``"types"`` (under ``TYPE_CHECKING``).
        said: Whether a comment says why it is there.
    """

    source: str
    target: str
    line: int
    scope: str
    said: bool

    def __str__(self) -> str:
        return f"{self.source}:{self.line} imports {self.target} ({self.scope})"


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCES).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


FILES = {module_name(path): path for path in sorted(SOURCES.rglob("*.py"))}


def scopes(tree: ast.Module) -> Iterator[tuple[ast.stmt, str]]:
    """Yield each import statement with its scope."""
    pending: list[tuple[ast.AST, str]] = [(tree, "module")]
    while pending:
        node, scope = pending.pop()
        for child in ast.iter_child_nodes(node):
            inner = scope
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                inner = "function"
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                inner = "types"
            if isinstance(child, ast.Import | ast.ImportFrom):
                yield child, inner
            pending.append((child, inner))


def targets(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.Import(names=names):
            yield from (name.name for name in names)
        case ast.ImportFrom(module=str(module), names=names, level=0):
            for name in names:
                full = f"{module}.{name.name}"
                yield full if full in FILES else module
        case _:
            raise AssertionError(f"a relative import: {ast.unparse(statement)}")


@cache
def imports() -> list[Import]:
    found: list[Import] = []
    for source, path in FILES.items():
        text = path.read_text()
        lines = text.splitlines()
        for statement, scope in scopes(ast.parse(text)):
            above = lines[statement.lineno - 2 : statement.end_lineno]
            said = any("#" in line for line in above)
            found += [
                Import(source, target, statement.lineno, scope, said)
                for target in targets(statement)
            ]
    return found


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "lehr"


def chamber(module: str) -> str:
    """Return a room, or the file or folder of a house."""
    parts = module.split(".")
    if room(module) not in HOUSES:
        return room(module)
    return ".".join(parts[1:3]) if len(parts) > 2 else f"{parts[1]}.__init__"


INSIDE = [found for found in imports() if found.target.split(".")[0] == "lehr"]


def test_every_room_has_its_place() -> None:
    assert {room(module) for module in FILES} - {"lehr"} == set(ROOMS)


def test_no_import_goes_up() -> None:
    # The public face is above all rooms but the command line, and below none of them: a room that
    # needs its version is the one exception.
    height = {name: at for at, name in enumerate(ROOMS)}
    assert [
        str(found)
        for found in INSIDE
        if room(found.source) != "lehr" and room(found.target) != "lehr"
        if height[room(found.target)] > height[room(found.source)]
    ] == []


def test_no_room_reads_the_public_face() -> None:
    assert [
        str(found)
        for found in INSIDE
        if found.target == "lehr" and room(found.source) not in ("lehr", "cli", "__main__")
    ] == []


def test_there_is_no_circle_between_rooms() -> None:
    below: dict[str, set[str]] = {}
    for found in INSIDE:
        source, target = chamber(found.source), chamber(found.target)
        below.setdefault(target, set())
        if source != target:
            below.setdefault(source, set()).add(target)
    while grounded := {name for name, others in below.items() if not others}:
        below = {name: others - grounded for name, others in below.items() if name not in grounded}
    assert below == {}


@cache
def loads(module: str) -> frozenset[str]:
    """Return the packages of others that importing a module of lehr's loads at once."""
    seen, pending, packages = set[str](), [module], set[str]()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        if "." in name:
            pending.append(name.rpartition(".")[0])
        for found in imports():
            if found.source == name and found.scope == "module":
                package = found.target.split(".")[0]
                if package == "lehr":
                    pending.append(found.target)
                else:
                    packages.add(package)
    return frozenset(packages)


def heavy(found: Import) -> bool:
    """Return whether an import inside a function keeps something heavy away."""
    package = found.target.split(".")[0]
    loaded = loads(found.target) if package == "lehr" else {package}
    return bool(HEAVY & (set(loaded) - loads(found.source)))


LOCAL = [found for found in imports() if found.scope == "function"]


@pytest.mark.parametrize("found", LOCAL, ids=str)
def test_an_import_inside_a_function_keeps_something_heavy_away(found: Import) -> None:
    package = found.target.split(".")[0]
    assert heavy(found) or package not in {"lehr", *sys.stdlib_module_names}


@pytest.mark.parametrize("found", [f for f in LOCAL if f in INSIDE], ids=str)
def test_an_import_of_our_own_inside_a_function_says_why(found: Import) -> None:
    assert found.said
