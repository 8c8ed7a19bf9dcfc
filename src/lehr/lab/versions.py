"""The versions of everything that may affect an outcome."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

LEHR = version("lehr")
"""The version of lehr in this process."""


def installed_versions() -> dict[str, str]:
    """Return the versions of lehr, Python and the packages that train, and the kind of machine."""
    found = {"lehr": LEHR, "python": platform.python_version()}
    for name in ("torch", "numpy", "scikit-learn"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found | {"machine": platform.machine()}
