"""Numbers written for people."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lehr.lab.metric import Metric


NARROW = "\u202f"
"""The narrow no-break space between a number and its unit."""

MISSING = "–"
"""Shown where a number is missing."""


def measured(metric: Metric, value: float | None, *, unit: bool = True) -> str:
    """Write a value of a metric, `93.4 %` or `1.483 nats`, and None as a dash."""
    if value is None:
        return MISSING
    if unit and metric.is_share:
        return f"{metric.number(value)}{NARROW}%"
    return metric.text(value) if unit else metric.number(value)


def plain(value: float | None, digits: int = 3) -> str:
    """Write a number with `digits` significant digits, and an exponent only if it is needed."""
    if value is None:
        return MISSING
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return f"{mantissa}e{int(exponent)}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def rate(value: float | None) -> str:
    """Write a learning rate: `0.003`, `0.0316`, `3e-5`."""
    return plain(value, 3)


def factor(decades: float | None) -> str:
    """Write a width in decades as a factor: one decade is `×10`."""
    return MISSING if decades is None else f"×{plain(10**decades, 2)}"


def ranks(ends: tuple[int, int]) -> str:
    """Write the ranks that are left open to a pair: `1–12`, or `3` for a single one."""
    first, last = ends
    return str(first) if first == last else f"{first}–{last}"


def count(number: int, one: str, many: str | None = None) -> str:
    """Write a count with its noun: `1 pair`, `2,640 pairs`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def day(seconds: float) -> str:
    """Write a moment, in seconds since 1970: `28 November 2026, 12:05 UTC`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def duration(seconds: float | None) -> str:
    """Write a time: `48 s`, `12 min`, `2 h 05 min`."""
    if seconds is None:
        return MISSING
    if seconds < 60:
        return f"{plain(seconds, 2)}{NARROW}s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes}{NARROW}min"
    return f"{minutes // 60}{NARROW}h {minutes % 60:02d}{NARROW}min"
