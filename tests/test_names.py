"""A name of a class or of a type is used for one thing in the whole project."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "src" / "lehr"


def named(statement: ast.stmt) -> Iterator[str]:
    """Yield the class or the alias of a type that a statement of a module defines."""
    match statement:
        case ast.ClassDef(name=name):
            yield name
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
            if "TypeAlias" in ast.unparse(annotation):
                yield name
        case ast.Assign(targets=[ast.Name(id=name)]):
            # By the style of the project, only types are written so.
            if name[0].isupper() and not name.isupper():
                yield name
        case _:
            pass


def definitions(root: Path) -> dict[str, list[str]]:
    """Return where each public class and alias is defined."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(root.rglob("*.py")):
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            for name in named(statement):
                if not name.startswith("_"):
                    found[name].append(str(path.relative_to(root)))
    return found


def test_a_name_is_used_for_one_thing() -> None:
    found = definitions(SOURCES)
    assert {"Schedule", "ScheduleLike", "Translation"} <= set(found)
    assert not {name: places for name, places in found.items() if len(places) > 1}


def test_two_definitions_are_found(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("class Row: ...\nLike: TypeAlias = int\n_Own = dict\n")
    (tmp_path / "two.py").write_text("Row = tuple[int, ...]\nLIMIT = 3\n_Own = list[int]\n")
    assert definitions(tmp_path) == {"Row": ["one.py", "two.py"], "Like": ["one.py"]}
