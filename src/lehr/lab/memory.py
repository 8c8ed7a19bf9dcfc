"""The memory that this process takes."""

from __future__ import annotations

import sys
from functools import cache

__all__ = ["own_bytes"]


@cache
def own_bytes() -> int:
    """Return the bytes that this process took at most until this was first asked.

    Raises:
        ValueError: Where the system does not tell.
    """
    if sys.platform == "win32":
        raise ValueError("memory cannot be bounded on Windows, which does not tell what is taken")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
