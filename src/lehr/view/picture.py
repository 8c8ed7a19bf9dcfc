"""A picture of curves in SVG that needs no style sheet: for notebooks, and for files.

It has the colour of the text around it, so it can be read on a light page and on a dark one. In a
file of its own it follows the reader's colour scheme.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lehr.view.markup import Markup, tag
from lehr.view.numbers import plain
from lehr.view.svg import Frame, Scale, line, nice_ticks

COLOURS = ("#3b7dd8", "#d0662b", "#1c9a6c", "#a55cc9", "#a98200", "#7a8699")
"""Colours with a contrast of at least 3 to 1 on white and on a dark page."""

_INK = """\
.lehr-picture text{fill:currentColor;font:11px system-ui,sans-serif;opacity:.75}\
.lehr-picture .grid{stroke:currentColor;opacity:.15}\
.lehr-picture .axis{stroke:currentColor;opacity:.5}"""
_ALONE = "svg{color:#1c2430}@media(prefers-color-scheme:dark){svg{color:#e6e8ec}}"

_WIDTH, _HEIGHT = 360.0, 180.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 346.0, 10.0, 146.0


def picture(
    title: str,
    at: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    *,
    unit: str = "step",
    from_zero: bool = True,
    alone: bool = False,
) -> Markup:
    """Draw curves over a run, with numbers on both axes.

    Arguments:
        title: Its name, for a screen reader.
        at: The steps, in ascending order, at least one.
        curves: The values at these steps, by name, at least one.
        unit: The name of the axis of the steps.
        from_zero: Whether the axis of the values has 0 on it.
        alone: Whether the picture is a file of its own, rather than part of a page.
    """
    numbers = [value for values in curves.values() for value in values]
    low, high = min(numbers), max(numbers)
    low = min(low, 0.0) if from_zero else low
    high = high if high > low else low + 1.0
    x = Scale(at[0], max(at[-1], at[0] + 1), _LEFT, _RIGHT)
    y = Scale(low, high + 0.03 * (high - low), _BOTTOM, _TOP)
    frame = Frame(x, y, nice_ticks(x.low, x.high, 4), nice_ticks(y.low, y.high, 4), _steps)
    lines = [
        line(
            list(at),
            list(values),
            x,
            y,
            stroke=COLOURS[i % len(COLOURS)],
            stroke_width="2",
            stroke_linecap="round",
            stroke_linejoin="round",
        )
        for i, values in enumerate(curves.values())
    ]
    return tag(
        "svg",
        tag("title", title),
        tag("style", Markup(_ALONE + _INK if alone else _INK)),
        frame.grid(),
        tag("text", unit, x=(_LEFT + _RIGHT) / 2, y=_HEIGHT - 4, text_anchor="middle"),
        *lines,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}",
        width=f"{_WIDTH:g}",
        height=f"{_HEIGHT:g}",
        role="img",
        class_="lehr-picture",
    )


def _steps(value: float) -> str:
    """Write a step: 20,000 in full, and longer runs as 3M or 1.5G."""
    for size, letter in ((1e9, "G"), (1e6, "M")):
        if value >= size:
            return f"{plain(value / size)}{letter}"
    return f"{value:,.0f}" if value == int(value) else plain(value)
