"""Functions of higher rooms that the values of lower rooms call.

A notebook asks a schedule for its picture, and a model of pydantic asks it to read its text; but
pictures and texts are made by code that needs schedules. That code registers its functions here
when ``lehr`` is imported. They load what they need when they are called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

PROVIDED: Final[dict[str, Callable[..., Any]]] = {}
"""The functions, by name: ``schedule_html``, ``entry_html``, ``results_html`` and ``plot`` draw,
``read_schedule`` reads."""
