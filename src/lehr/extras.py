"""Optional packages that only some features need, and how to install them."""

from __future__ import annotations

import importlib.metadata
import json
import shlex
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname


class MissingExtra(ModuleNotFoundError):
    """An optional package is not installed; the message has the command to install it."""


@contextmanager
def needs(feature: str, extra: str | None, *packages: str) -> Generator[None]:
    """Explain what to install if an import in the block fails.

    A failure to import any other module passes through unchanged.

    Arguments:
        feature: The subject of the message, such as ``"lehr.torch"`` or ``"drawing"``.
        extra: The extra of lehr with the packages, such as ``"torch"``; None if they are installed
            by their own names.
        packages: The top-level modules that may be missing.

    Raises:
        MissingExtra: If one of ``packages`` is not installed.

    Example:
        >>> with needs("drawing", "plot", "matplotlib"):
        ...     import json
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in packages or isinstance(error, MissingExtra):
            raise
        command = f"{_pip()} install {package}" if extra is None else install(extra)
        raise MissingExtra(
            f"{feature} needs {package}: {command}", name=error.name, path=error.path
        ) from None


def install(extra: str) -> str:
    """Return the command that installs an extra of lehr into the running Python.

    If lehr was installed from a checkout, or runs from one, it is installed from there again: a
    package index may have another version, or none.
    """
    folder, editable = _checkout()
    if folder is None:
        return f"{_pip()} install {shlex.quote(f'lehr[{extra}]')}"
    return f"{_pip()} install {'-e ' if editable else ''}{shlex.quote(f'{folder}[{extra}]')}"


def _pip() -> str:
    found = shutil.which("pip")
    same = found is not None and Path(found).parent == Path(sys.executable).parent
    return "pip" if same else f"{shlex.quote(sys.executable)} -m pip"


def _checkout() -> tuple[Path | None, bool]:
    """Return the checkout from which lehr comes, if any, and whether it is used in place."""
    here = Path(__file__).parents[2]
    if here.name != "site-packages" and (here / "pyproject.toml").is_file():
        return here, True
    try:
        origin = importlib.metadata.distribution("lehr").read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return None, False
    url = urlsplit(str(json.loads(origin)["url"]) if origin else "")
    if url.scheme != "file":
        return None, False
    folder = Path(url2pathname(url.path))
    return (folder if (folder / "pyproject.toml").is_file() else None), False
