"""How values draw themselves: they look here for the function, which is in a higher room.

A notebook asks a value for its picture, and the code that draws pictures needs the values. The
pictures register here when ``lehr`` is imported, as functions that load what they need when they
are called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

__all__ = ["DRAWERS"]

DRAWERS: Final[dict[str, Callable[..., Any]]] = {}
"""The functions, by what they draw: ``"schedule"``, ``"entry"`` and ``"results"`` as HTML for a
notebook; ``"plot"`` with matplotlib."""
