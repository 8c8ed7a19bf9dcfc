"""Small charts in SVG, as text: scales, ticks, lines that may have gaps, bands."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lehr.view.markup import Markup, tag
from lehr.view.numbers import plain

Values = Sequence[float | None]


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return round numbers in [low, high] at equal distances: multiples of 1, 2 or 5 times 10^k.

    Arguments:
        low, high: the ends of the axis, low < high.
        count: the approximate number of intervals. From 4 on, there are at least two ticks and at
            most `1.6 * count + 1`.
    """
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"low, high: need finite numbers with low < high, got {low!r}, {high!r}")
    raw = (high - low) / count
    exponent = math.floor(math.log10(raw))
    steps = [multiple * 10.0**exponent for multiple in (1, 2, 5, 10)]
    step = min(steps, key=lambda step: abs(math.log(step / raw)))
    # A millionth of a step of slack: 0.3 / 0.1 is 2.9999999999999996.
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    digits = max(0, -exponent)
    return [round(k * step, digits) for k in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers in [low, high] for a log axis: powers of ten, finer if those are few.

    Arguments:
        low, high: the ends of the axis, 0 < low < high.
        most: the most ticks that fit; powers of ten are thinned out to this number.
    """
    if not 0 < low < high < math.inf:
        raise ValueError(f"low, high: need 0 < low < high, got {low!r}, {high!r}")
    exponents = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    slack = 1 + 1e-9
    found: list[float] = []
    for digits in ((1,), (1, 3), (1, 2, 5), tuple(range(1, 10))):
        ticks = [float(f"{d}e{e}") for e in exponents for d in digits]
        ticks = [tick for tick in ticks if low / slack <= tick <= high * slack]
        if found and len(ticks) > most:
            break
        found = ticks
        if len(found) >= 3:
            break
    return found[:: math.ceil(len(found) / most)] if found else []


def robust_low(values: Iterable[float], keep: float = 4.0) -> float:
    """Return the low end for an axis of scores, so that a few failures do not flatten the rest.

    It is the lowest value, but never further below the best than `keep` times the distance
    between the best and the median.
    """
    ordered = sorted(values)
    best, median = ordered[-1], ordered[(len(ordered) - 1) // 2]
    floor = best - keep * (best - median)
    return next(value for value in ordered if value >= floor - 1e-12)


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move labels as little as needed so that neighbours are `gap` apart, within [low, high].

    If there is no room for that gap, the labels are spread evenly.
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    gap = min(gap, (high - low) / max(1, len(order) - 1))
    # Blocks of touching labels, each centred on the mean of their own positions.
    blocks: list[tuple[list[int], float]] = []
    for index in order:
        members, centre = [index], _inside(positions[index], 0.0, low, high)
        while blocks and blocks[-1][1] + gap * (len(blocks[-1][0]) + len(members)) / 2 > centre:
            members = blocks.pop()[0] + members
            wish = sum(positions[i] for i in members) / len(members)
            centre = _inside(wish, gap * (len(members) - 1) / 2, low, high)
        blocks.append((members, centre))
    placed = [0.0] * len(positions)
    for members, centre in blocks:
        for rank, index in enumerate(members):
            placed[index] = centre + gap * (rank - (len(members) - 1) / 2)
    return placed


def _inside(centre: float, half: float, low: float, high: float) -> float:
    return min(max(centre, low + half), high - half)


@dataclass(frozen=True)
class Scale:
    """A map from values in [low, high] to positions from `start` to `stop`, linear or log."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            # Zero has no position on a log axis: put it below all values that have one.
            value, low, high = math.log(max(value, 1e-300)), math.log(low), math.log(high)
        return self.start + (self.stop - self.start) * (value - low) / (high - low)

    def clamp(self, value: float) -> float:
        """Return the position of a value, at most at the end of the axis."""
        return self(min(max(value, self.low), self.high))


def _number(value: float) -> str:
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def _runs(*columns: Values) -> list[list[tuple[float, ...]]]:
    """Split rows into stretches in which every column has a number."""
    runs: list[list[tuple[float, ...]]] = [[]]
    for row in zip(*columns, strict=True):
        numbers = tuple(value for value in row if value is not None)
        if len(numbers) == len(row):
            runs[-1].append(numbers)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _polyline(points: Iterable[tuple[float, float]]) -> str:
    return "L".join(f"{_number(x)} {_number(y)}" for x, y in points)


def line(xs: Values, ys: Values, x: Scale, y: Scale, **attributes: str) -> Markup:
    """Draw a line through points; a missing number breaks it, a single point becomes a dot."""
    parts: list[str] = []
    for run in _runs(xs, ys):
        points = [(x(a), y(b)) for a, b in run]
        # A path of no length shows as a dot under round line caps.
        parts.append("M" + _polyline(points if len(points) > 1 else points * 2))
    return tag("path", d="".join(parts), fill="none", **attributes)


def band(xs: Values, lows: Values, highs: Values, x: Scale, y: Scale, **attributes: str) -> Markup:
    """Fill the area between two lines, broken where either is missing."""
    parts: list[str] = []
    for run in _runs(xs, lows, highs):
        there = [(x(a), y(high)) for a, _, high in run]
        back = [(x(a), y(low)) for a, low, _ in reversed(run)]
        parts.append(f"M{_polyline(there + back)}Z")
    return tag("path", d="".join(parts), **attributes)


@dataclass(frozen=True)
class Frame:
    """The position and axes of a plot: its scales, its ticks and their formats."""

    x: Scale
    y: Scale
    x_ticks: Sequence[float]
    y_ticks: Sequence[float]
    x_format: Callable[[float], str] = "{:,.0f}".format
    y_format: Callable[[float], str] = plain

    def grid(self) -> Markup:
        """Draw horizontal lines at the ticks, the axis below, and the labels of both axes."""
        left, right, bottom = self.x.start, self.x.stop, self.y.start
        rows = [
            tag("line", x1=left, x2=right, y1=self.y(t), y2=self.y(t), class_="grid")
            + _label(left - 7, self.y(t), self.y_format(t), "end", "middle")
            for t in self.y_ticks
        ]
        axis = tag("line", x1=left, x2=right, y1=bottom, y2=bottom, class_="axis")
        columns = [
            tag("line", x1=self.x(t), x2=self.x(t), y1=bottom, y2=bottom + 4, class_="axis")
            + _label(self.x(t), bottom + 8, self.x_format(t), "middle", "hanging")
            for t in self.x_ticks
        ]
        return Markup("".join([*rows, axis, *columns]))


def _label(x: float, y: float, text: str, anchor: str, baseline: str) -> Markup:
    return tag(
        "text", text, x=x, y=y, text_anchor=anchor, dominant_baseline=baseline, class_="tick"
    )


def chart(
    width: float,
    height: float,
    *content: str,
    name: str,
    title: str,
    text: str,
    class_: str,
    **data: str,
) -> Markup:
    """Build an SVG picture that scales with the page and has a description in words.

    Arguments:
        width, height: its size in its own units.
        content: what is drawn.
        name: an id that is unique on the page.
        title, text: for a screen reader: a few words, and a sentence.
        class_: its CSS class.
        data: `data-` attributes for the page's script, named without that prefix.
    """
    return tag(
        "svg",
        tag("title", title, id=f"{name}-t"),
        tag("desc", text, id=f"{name}-d"),
        *content,
        viewBox=f"0 0 {_number(width)} {_number(height)}",
        role="img",
        aria_labelledby=f"{name}-t",
        aria_describedby=f"{name}-d",
        class_=class_,
        **{f"data_{key}": value for key, value in data.items()},
    )
