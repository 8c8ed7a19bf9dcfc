"""The classes that texts may name, found in source code; nothing is imported or run.

So a plan can be made without torch, which takes seconds to load, and without running a user's file.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from lehr.lab.optimizers.text import Parts, nearest, read

_PINNED = re.compile(r"(?P<place>.+?\.py)(?P<pin>@[0-9a-f]{16}):(?P<call>.*)", re.DOTALL)

# The arguments that lehr itself passes.
_GIVEN = ("self", "params", "lr")


def _folder() -> Path | None:
    spec = find_spec("torch")  # of a package, this imports nothing
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "optim"


@cache
def _modules() -> Mapping[str, str]:
    """Return the module of each class in `torch.optim`."""
    folder = _folder()
    if folder is None:
        return {}
    found = re.findall(
        r"^from torch\.optim\.(\w+) import ([A-Z]\w*)", (folder / "__init__.py").read_text(), re.M
    )
    return {name: module for module, name in found if name != "Optimizer"}


@cache
def torch_classes() -> Mapping[str, str]:
    """Return the classes of the installed `torch.optim`, by lower-case name."""
    return {name.lower(): name for name in _modules()}


@cache
def torch_arguments(kind: str) -> tuple[str, ...] | None:
    """Return the arguments of one of torch's classes, or None if they cannot be found."""
    folder, module = _folder(), _modules().get(kind)
    if folder is None or module is None:
        return None
    return _arguments((folder / f"{module}.py").read_text(), kind)


def _arguments(source: str, kind: str) -> tuple[str, ...] | None:
    """Return the arguments of a class in a source, or None if it passes on those of another."""
    classes = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}
    for node in classes[kind].body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            if node.args.kwarg is not None:
                return None
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            # A wrapper's first argument is the optimizer, or the parameters.
            return tuple(each.arg for each in every[2:] if each.arg not in _GIVEN)
    return None


def check_class(parts: Parts) -> None:
    """Raise ValueError unless the file that a text names has its class and the arguments."""
    if not parts.place.endswith(".py"):
        return  # a package, or a file that was checked before and may be gone
    source = content_of(parts.place, parts)
    try:
        taken = _arguments(source.decode(), parts.name)
    except (SyntaxError, ValueError) as error:
        raise parts.error(f"file {parts.place!r} cannot be read as Python: {error}") from None
    except KeyError:
        classes = re.findall(r"^class (\w+)", source.decode(), re.M)
        near = nearest(parts.name, classes, "it has") if classes else "it has no class"
        raise parts.error(f"{parts.place} has no class {parts.name!r}: {near}") from None
    if taken is None:
        return
    for name in parts.settings:
        if name not in (*taken, "rest", "rest_ratio", "rest_schedule"):
            near = nearest(name, taken) if taken else "it takes none"
            raise parts.error(f"{parts.name} has no argument {name!r}: {near}", name)


def check_packages(texts: Iterable[str]) -> None:
    """Raise ValueError unless the packages of the optimizers are installed."""
    for text in texts:
        place = read(text).place
        package = "" if file_of(f"{place}:")[1] or place.endswith(".py") else place.split(".")[0]
        if package and find_spec(package) is None:
            raise ValueError(
                f"optimizer {text!r:.80} needs the package {package!r}, which is not installed: "
                "install it, or write FILE.py:Class for a class of your own"
            )


def own_arguments(parts: Parts) -> tuple[str, ...] | None:
    """Return the arguments of a class in a file, or None if its source does not show them."""
    path = file_of(f"{parts.place}:")[0] or parts.place
    if not path.endswith(".py"):
        return None
    try:
        return _arguments(content_of(path).decode(), parts.name)
    except (ValueError, SyntaxError, KeyError):
        return None


def content_of(place: str, parts: Parts | None = None) -> bytes:
    """Return the content of a file, or raise ValueError."""
    try:
        return Path(place).expanduser().read_bytes()
    except OSError as error:
        message = f"optimizer file {place!r} cannot be read: {error.strerror}"
        raise (parts.error(message) if parts else ValueError(message)) from None


def pinned(parts: Parts) -> Parts:
    """Return the parts with an absolute path and a hash of the file, if the class is in one."""
    if file_of(f"{parts.place}:")[1] or not parts.place.endswith(".py"):
        return parts
    path = Path(parts.place).expanduser().absolute()
    digest = hashlib.sha256(content_of(str(path), parts)).hexdigest()[:16]
    return replace(parts, place=f"{path}@{digest}")


def file_of(text: str) -> tuple[str, str, str]:
    """Return the path of a pinned text's file, ``@`` with the hash, and the rest of the text.

    For other texts, path and hash are empty.
    """
    found = _PINNED.fullmatch(text)
    return (found["place"], found["pin"], found["call"]) if found else ("", "", text)
