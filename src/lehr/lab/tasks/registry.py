"""Tasks by name, and tasks in files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path

from lehr.lab.errors import TaskError
from lehr.lab.own.naming import find_own, is_own, own_identity, pinned_own, split_batch
from lehr.lab.python_source import fingerprint, read_content
from lehr.lab.tasks.base import Split, Task
from lehr.lab.tasks.text_file import text_task

# Each name with the module and attribute of its `Task`. A new task is a file and a line here.
_KNOWN = {
    "digits": ("lehr.lab.tasks.digits", "TASK"),
    "digits-conv": ("lehr.lab.tasks.digits", "CONVOLUTIONAL"),
    "mnist5k": ("lehr.lab.tasks.mnist", "TASK"),
    "breast_cancer": ("lehr.lab.tasks.breast_cancer", "TASK"),
    "quadratic": ("lehr.lab.tasks.quadratic", "TASK"),
}

TASKS = tuple(_KNOWN)
"""The names of the built-in tasks."""

OTHERS = "text:FILE, FILE.py:FUNCTION"
"""The forms of a task in a file."""


def find_task(name: str) -> Task:
    """Return the task of this name.

    Arguments:
        name: One of `TASKS`; ``text:FILE`` for a text to predict; ``FILE.py:FUNCTION`` for a task
            that this function of a Python file makes (the file is run); or a name from `pinned`.

    Raises:
        TaskError: If the name is unknown (the message lists the known ones), or its file cannot
            be used.
    """
    batch, plain = split_batch(name)
    if batch is not None and not is_own(name):
        return _with_batch(plain, batch)
    if name in _KNOWN:
        module, attribute = _KNOWN[name]
        return getattr(import_module(module), attribute)
    if is_own(name):
        raise TaskError(f"{name!r:.200} is a training, not a task: it has no data of its own here")
    return _of_file(pinned(name))


def pinned(name: str) -> str:
    """Return a name with the file's absolute path and hash, for other processes.

    `find_task` refuses a pinned file whose content has changed.

    Raises:
        TaskError: If the name is unknown, or the file cannot be read.

    Example:
        >>> pinned("digits")
        'digits'
    """
    if name in _KNOWN or _PIN.search(name):
        return name
    batch, plain = split_batch(name)
    if is_own(name):
        return pinned_own(name)
    if batch is not None:
        return f"batch[{batch}]:{pinned(plain)}"
    kind, file = _parts(name)
    path = Path(file).expanduser().absolute()
    known = f"{kind}:{path}" if kind == _TEXT else f"{path}:{kind}"
    return f"{known}@{fingerprint(read_content(path))}"


def identity(name: str) -> str:
    """Return the part of a name that defines the task, without its file's path.

    Raises:
        TaskError: If the name is unknown, or the file cannot be read.

    Example:
        >>> identity("text:/poems/sonnets.txt@0123456789abcdef")
        'text@0123456789abcdef'
    """
    batch, plain = split_batch(name)
    if is_own(name):
        return own_identity(name)
    if batch is not None:
        return f"batch[{batch}]:{identity(plain)}"
    if name in _KNOWN:
        return name
    known, _, pin = pinned(name).rpartition("@")
    return f"{_parts(known)[0]}@{pin}"


@cache
def _with_batch(name: str, batch: int) -> Task:
    task = find_task(name)
    if not isinstance(task.load().train, Split):
        raise TaskError(f"task {name!r} has loaders, which make its batches: set their size there")
    try:
        return replace(task, batch_size=batch)
    except ValueError as error:
        raise TaskError(str(error)) from None


_TEXT = "text"
_PIN = re.compile("@[0-9a-f]{16}$")


def _parts(name: str) -> tuple[str, str]:
    """Split a name into its kind (``text``, or the name of a function) and the path of its file."""
    kind, _, file = name.partition(":")
    if kind == _TEXT and file:
        return kind, file
    file, _, function = name.rpartition(":")
    if file.endswith(".py") and function.isidentifier():
        return function, file
    known = ", ".join(TASKS)
    raise TaskError(f"unknown task {name!r}: choose from {known}; or write {OTHERS}")


def files_of(name: str) -> dict[str, bytes]:
    """Return the content of the Python file that a pinned name needs, by that name."""
    _, name = split_batch(name)
    file = find_own(name).file if is_own(name) else None
    if name not in _KNOWN and not is_own(name):
        kind, path = _parts(name.rpartition("@")[0])
        file = None if kind == _TEXT else Path(path)
    return {} if file is None else {name: read_content(file)}


_given: dict[str, bytes] = {}


def add_files(files: Mapping[str, bytes]) -> None:
    """Add the content of files, by pinned task names, for a machine that lacks the files."""
    _given.update(files)


@cache
def _of_file(name: str) -> Task:
    known, _, pin = name.rpartition("@")
    kind, file = _parts(known)
    content = _given[name] if name in _given else read_content(Path(file))
    if fingerprint(content) != pin:
        raise TaskError(
            f"task file {file!r} has changed since the comparison began: start the comparison again"
        )
    if kind == _TEXT:
        return text_task(file, content)
    from lehr.lab.tasks.python_file import task_of_file  # Loads torch.

    return task_of_file(Path(file), content, kind)
