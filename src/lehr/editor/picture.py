"""The picture: panels for rate, momentum and weight decay under one time axis, and their lines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np

from lehr.editor.knots import breaks, limits
from lehr.editor.sketch import ROLES, Sketch
from lehr.errors import ScheduleError
from lehr.schedule.base import Schedule
from lehr.view.markup import Markup, tag
from lehr.view.numbers import plain
from lehr.view.svg import Frame, Scale, chart, line, log_ticks, nice_ticks

_LEFT, _RIGHT, _TOP, _BOTTOM, _GAP = 56.0, 30.0, 30.0, 34.0, 46.0
_MOST: Final = 300
_COUNTED: Final = 100_000
_DECADES: Final = 1e-4

Points = tuple[list[float], list[float | None]]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is in the picture.

    Attributes:
        size: Its width and height in pixels.
        x: The time axis, in steps.
        panels: The vertical axis of the panel of each role, from the top.
    """

    size: tuple[float, float]
    x: Scale
    panels: dict[str, Scale]

    def to_dict(self) -> dict[str, Any]:
        """Return its axes as a dict, which :func:`layout` takes to keep them."""
        return {
            "x": [self.x.low, self.x.high],
            "panels": {role: [y.low, y.high] for role, y in self.panels.items()},
        }


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line with its values.

    Attributes:
        placed: The schedule over its run.
        length: The steps that are drawn.
        points: Steps and levels, with both levels at a jump.
        values: The levels of the updates, or of the points in a run of more than 100,000.
    """

    placed: Schedule
    length: float
    points: Points
    values: Any


def points(placed: Schedule, count: int = _MOST) -> Stroke:
    """Return a line through a placed schedule, with all its corners up to 512.

    Raises:
        ScheduleError: If it has no end.
    """
    path = placed._path
    if path.length is None:
        raise ScheduleError("the schedule has no end: it needs a run")
    length = float(path.length)
    even = np.linspace(0.0, length, count)
    rows = [(float(x), 1, float(y)) for x, y in zip(even[:-1], placed(even[:-1]), strict=True)]
    for corner in breaks(placed, path.length):
        before, after = limits(path, corner)
        rows.append((float(corner), 0, before))
        if corner < path.length:
            rows.append((float(corner), 2, after))
    if path.length == 0:
        rows.append((0.0, 2, path.end))
    rows.sort(key=lambda row: row[:2])
    known = [(x, y if math.isfinite(y) else None) for x, _, y in rows]
    if 0 < length <= _COUNTED:
        values = np.asarray(placed(np.arange(math.ceil(length))))
    else:
        values = np.array([math.nan if y is None else y for _, y in known])
    return Stroke(placed, length, ([x for x, _ in known], [y for _, y in known]), values)


def layout(
    sketch: Sketch,
    lines: Sequence[Stroke],
    size: tuple[float, float],
    kept: Mapping[str, Any] | None = None,
) -> Layout:
    """Return where everything is in a picture of a size in pixels.

    The axes fit the lines, or are those of an earlier layout, ``kept`` while something is moved.

    Raises:
        ScheduleError: If ``kept`` does not belong to a sketch like this.
    """
    roles = [role for role in ROLES if any(line.role == role for line in sketch.lines)]
    width, height = size
    axes: Mapping[str, Any] = {}
    if kept is not None:
        x_ends = _ends("x", kept.get("x"))
        given = kept.get("panels")
        axes = cast("Mapping[str, Any]", given) if isinstance(given, Mapping) else {}
    else:
        x_ends = (0.0, max(max(line.length for line in lines), 1.0))
    x = Scale(*x_ends, _LEFT, width - _RIGHT)
    # The rate has the most room.
    shares = [2.0 if role == roles[0] else 1.0 for role in roles]
    room = height - _TOP - _BOTTOM - _GAP * (len(roles) - 1)
    panels: dict[str, Scale] = {}
    top = _TOP
    for role, share in zip(roles, shares, strict=True):
        bottom = top + room * share / sum(shares)
        log = sketch.log and role == "rate"
        if kept is not None:
            low, high = _ends(role, axes.get(role))
            if log and low <= 0:
                raise ScheduleError(f"frame {role}: a log axis begins above 0")
        else:
            both = zip(sketch.lines, lines, strict=True)
            low, high = _extent([stroke for line, stroke in both if line.role == role], log)
        panels[role] = Scale(low, high, bottom, top, log)
        top = bottom + _GAP
    return Layout(size, x, panels)


def _ends(name: str, value: Any) -> tuple[float, float]:
    match value:
        case [int() | float() as low, int() | float() as high] if -1e300 < low < high < 1e300:
            return float(low), float(high)
        case _:
            raise ScheduleError(f"frame {name}: two rising numbers are needed")


def _extent(lines: Sequence[Stroke], log: bool) -> tuple[float, float]:
    """Return the ends of the axis of some lines."""
    known = [y for line in lines for y in line.points[1] if y is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if max(abs(low), abs(high)) > 1e300:
        raise ScheduleError("the levels are too large to be drawn")
    if log:
        high = high if high > 0 else 1.0
        least = min((y for y in known if y > 0), default=high)
        low = max(least, high * _DECADES)
        return (low if low < high else high / 10) / 1.1, high * 1.1
    # 0 is part of the axis, unless the line stays far above it: a momentum of 0.95.
    if low > 0 and high - low < 0.5 * high:
        pad = (high - low) * 0.15 or 0.05 * high
        return low - pad, high + pad
    pad = (high - min(low, 0.0)) * 0.08 or 0.1
    return (0.0 if low >= 0 else low - pad), high + pad


def value_at(scale: Scale, pixel: float) -> float:
    """Return the value at a pixel of a scale."""
    part = (pixel - scale.start) / (scale.stop - scale.start)
    if scale.log:
        return scale.low * (scale.high / scale.low) ** part
    return scale.low + part * (scale.high - scale.low)


def draw(sketch: Sketch, lines: Sequence[Stroke], where: Layout) -> Markup:
    """Draw the axes and the lines."""
    parts: list[Markup] = []
    steps, unit = sketch.step_of_axis(where.x.high)
    count = 5 if where.size[0] > 500 else 3
    ticks = [tick * steps for tick in nice_ticks(0.0, where.x.high / steps, count)]
    for number, (role, y) in enumerate(where.panels.items(), start=1):
        base = sketch.base_of(role)
        frame = Frame(
            where.x,
            y,
            ticks if number == len(where.panels) else (),
            _level_ticks(y),
            lambda at: _tick(at / steps, unit),
            lambda level, base=base: plain(level * base),
        )
        parts.append(frame.grid())
        parts.append(tag("text", role.capitalize(), x=_LEFT - 44, y=y.stop - 14, class_="role"))
        for index, (own, stroke) in enumerate(zip(sketch.lines, lines, strict=True)):
            if own.role == role:
                xs, levels = stroke.points
                shown = [None if level is None else _shown(level, y) for level in levels]
                look = f"series l{index}{' chosen' if index == sketch.selected else ''}"
                parts.append(line(xs, shown, where.x, y, class_=look))
    return Markup("".join(parts))


def alone(sketch: Sketch, lines: Sequence[Stroke], where: Layout, words: str) -> Markup:
    """Draw a picture that needs no page around it, for a file."""
    white = tag("rect", width=where.size[0], height=where.size[1], fill="#fff")
    picture = chart(
        *where.size,
        tag("style", Markup(_STYLE)),
        white,
        draw(sketch, lines, where),
        name="lehr",
        title="A schedule",
        text=words,
        class_="lehr",
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{where.size[0]:g}" '
    return Markup(picture.replace("<svg ", f'{head}height="{where.size[1]:g}" ', 1))


_STYLE: Final = (
    "text{font:12px system-ui,sans-serif;fill:#566072}.role{fill:#1c2430;font-weight:600}"
    ".grid{stroke:#e4e3df}.axis{stroke:#566072}"
    ".series{stroke-width:2.5;stroke-linejoin:round;stroke-linecap:round;stroke:#1f62b5}"
    ".l1{stroke:#b8430b}.l2{stroke:#0b7a55}.l3{stroke:#8a3ea8}.l4{stroke:#8a6100}.l5{stroke:#4a5568}"
)


def _shown(level: float, y: Scale) -> float:
    """Return a level that is not far outside of its panel."""
    far = 4 * (y.high - y.low)
    return max(level, y.low) if y.log else min(max(level, y.low - far), y.high + far)


def _level_ticks(y: Scale) -> list[float]:
    room = abs(y.stop - y.start)
    if y.log:
        return log_ticks(y.low, y.high, max(3, round(room / 45)))
    return nice_ticks(y.low, y.high, 5 if room > 150 else 4)


def _tick(value: float, unit: str) -> str:
    if unit == "%":
        return f"{value:g}%"
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if value >= size and unit != "epoch":
            return f"{value / size:g}{letter}"
    return f"{value:,.6g}" if value < 1e6 else plain(value)


def thumbnail(schedule: Schedule) -> Markup:
    """Draw a schedule as a thumbnail, over a thousand steps."""
    stroke = points(schedule.over(1000), 48)
    low, high = _extent([stroke], log=False)
    x, y = Scale(0.0, max(stroke.length, 1.0), 2.0, 94.0), Scale(low, high, 37.0, 3.0)
    return tag(
        "svg",
        line(*stroke.points, x, y, class_="series"),
        viewBox="0 0 96 40",
        aria_hidden="true",
        class_="thumb",
    )
