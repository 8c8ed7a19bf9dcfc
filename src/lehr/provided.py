"""Functions of higher-level packages that values of lower-level packages call.

A notebook asks a schedule for its picture, and a pydantic model asks it to read its text; but
pictures and texts are handled by code that itself needs schedules. That code registers its
functions here when ``lehr`` is imported. They import what they need when they are called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

PROVIDED: Final[dict[str, Callable[..., Any]]] = {}
"""The functions, by name: ``schedule_html``, ``entry_html``, ``results_html`` and ``plot`` draw,
``read_schedule`` reads."""
