"""Users' files: reading and hashing them, and loading Python files as modules."""

from __future__ import annotations

import hashlib
import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from lehr.lab.errors import TaskError

_END = os._exit


def read_content(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        TaskError: If it cannot be read.
    """
    try:
        if path.is_char_device() or path.is_fifo():
            raise ValueError("it is not a file on a disk")  # and its content may never end
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise TaskError(f"task file {str(path)!r} cannot be read: {reason}") from error


def fingerprint(content: bytes) -> str:
    """Return a hash of sixteen hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()[:16]


class _Source(importlib.abc.SourceLoader):
    """Loads a module from the bytes that were hashed, even if the file has changed since."""

    def __init__(self, path: Path, content: bytes) -> None:
        self._path, self._content = str(path), content

    def get_filename(self, fullname: str) -> str:
        return self._path

    def get_data(self, path: str) -> bytes:
        if path != self._path:
            raise OSError(f"only the source of {self._path} is here")
        return self._content


def module_of(path: Path, content: bytes, name: str) -> ModuleType:
    """Run the content of a Python file as a module of this name.

    Raises:
        Exception: Whatever the code raises.
    """
    spec = importlib.util.spec_from_loader(name, _Source(path, content))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look up their module by name.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def exits_raise() -> Generator[None]:
    """Make `os._exit` raise an error in the block; a user's code would end lehr silently."""
    owner, before = os.getpid(), os._exit

    def refused(status: int) -> NoReturn:
        if os.getpid() != owner:
            _END(status)  # a process started by the code ends as usual
        raise RuntimeError(f"os._exit({status}) would end the process of lehr")

    os._exit = refused
    try:
        yield
    finally:
        os._exit = before
