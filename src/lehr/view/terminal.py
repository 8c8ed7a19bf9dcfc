"""Curves as text: one line of blocks for a table, and a plot in braille dots.

Both have a form in plain ASCII, for outputs whose encoding has neither blocks nor braille.
"""

import math
import string
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise

from lehr.extras import needs
from lehr.schedule.base import Schedule
from lehr.view.numbers import plain
from lehr.view.printable import printable
from lehr.view.scales import STEPS, Look, TimeUnit, evenly

with needs("drawing in a terminal", "cli", "rich"):
    from rich.text import Text


BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "_.:-=+*#"

COLOURS = ("cyan", "magenta", "yellow", "green", "red", "blue")
LETTERS = string.ascii_lowercase + string.ascii_uppercase + string.digits + "#%&*+=@!?$~^"

# Which bit of a braille character is the dot in a column (0, 1) and a row (0 to 3 from the top).
_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))


def can_show_blocks(encoding: str | None) -> bool:
    """Return whether an output of this encoding can show blocks, braille and the axes' lines."""
    try:
        (BLOCKS + "⣿│└─").encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def sparkline(schedule: Schedule, steps: int, *, width: int = 24, unicode: bool = True) -> str:
    """Draw a schedule over a run as one line of text, `width` characters wide.

    The lowest block means 0 (or the lowest value, if that is negative), the highest block means the
    highest value.
    """
    # A few dozen numbers, one at a time, take less than importing NumPy.
    at = evenly(steps, width)
    run = schedule.over(steps)
    values = [run(t) for t in at]
    low, high = min(0.0, *values), max(values)
    blocks = BLOCKS if unicode else ASCII_BLOCKS
    if high <= low:
        return blocks[0] * width
    top = (len(blocks) - 1) / (high - low)
    return "".join(blocks[round((value - low) * top)] for value in values)


class Canvas:
    """A grid of characters to draw curves on: braille dots, or a letter for each curve.

    Positions are counted in dots, from the lower left.

    Arguments:
        width, height: its size in characters, each at least 1.
        braille: whether a character has two by four dots, rather than one.
    """

    def __init__(self, width: int, height: int, *, braille: bool) -> None:
        self._fine = (2, 4) if braille else (1, 1)
        self._braille = braille
        self._dots = [[0] * width for _ in range(height)]
        self._owner = [[-1] * width for _ in range(height)]

    @property
    def size(self) -> tuple[int, int]:
        """The width and height in dots."""
        return len(self._dots[0]) * self._fine[0], len(self._dots) * self._fine[1]

    def dot(self, x: int, y: int, curve: int) -> None:
        """Set a dot for the curve of this number; where curves meet, the later one is visible."""
        y = self.size[1] - 1 - y
        column, row = x // self._fine[0], y // self._fine[1]
        self._dots[row][column] |= _BITS[x % self._fine[0]][y % self._fine[1]]
        self._owner[row][column] = curve

    def curve(self, xs: Sequence[int], ys: Sequence[int], curve: int) -> None:
        """Connect dots by straight lines."""
        for x, y in zip(xs[:1], ys[:1], strict=True):
            self.dot(x, y, curve)
        for (x0, y0), (x1, y1) in pairwise(zip(xs, ys, strict=True)):
            count = max(abs(x1 - x0), abs(y1 - y0), 1)
            for i in range(1, count + 1):
                self.dot(
                    round(x0 + (x1 - x0) * i / count), round(y0 + (y1 - y0) * i / count), curve
                )

    def rows(self, letters: str) -> list[Text]:
        """Return the lines, from the top; a curve's colour follows from its number."""
        lines: list[Text] = []
        for dots, owners in zip(self._dots, self._owner, strict=True):
            line = Text()
            for owner, cells in groupby(zip(owners, dots, strict=True), key=lambda cell: cell[0]):
                bits = [bits for _, bits in cells]
                if owner < 0:
                    line.append(" " * len(bits))
                    continue
                letter = letters[owner % len(letters)]
                marks = (chr(0x2800 + b) if self._braille else letter for b in bits)
                line.append("".join(marks), style=COLOURS[owner % len(COLOURS)])
            lines.append(line)
        return lines


def draw(
    schedules: Mapping[str, Schedule],
    steps: int,
    *,
    width: int = 72,
    height: int = 14,
    unicode: bool = True,
    colour: bool = True,
    look: Look = Look(),  # noqa: B008  it is immutable
) -> Text:
    """Draw schedules over a run, as lines of text.

    Arguments:
        schedules: by the names that the legend gives them, at least one.
        steps: the run's length, at least 1.
        width, height: of the whole drawing without the legend, in characters.
        unicode: whether the output can show braille; see `can_show_blocks`.
        colour: whether it can show colour. Several curves without colour, or more of them than
            there are colours, are drawn in letters: dots would not show whose they are.
        look: the unit of time, the peak rate and the kind of axis.

    Raises:
        ValueError: there is no schedule, there are more than there are letters, or no step.
    """
    if not schedules:
        raise ValueError("schedules={} is empty: give at least one schedule to draw")
    if len(schedules) > len(LETTERS):
        raise ValueError(
            f"{len(schedules)} schedules cannot be told apart; draw at most {len(LETTERS)}"
        )
    distinct = 1 if not colour else len(COLOURS)
    braille = unicode and len(schedules) <= distinct
    letters = LETTERS if len(schedules) > 1 else "*"
    at = evenly(steps, min(steps, 16 * width))
    runs = [schedule.over(steps) for schedule in schedules.values()]
    values = [[look.peak * run(t) for t in at] for run in runs]
    low, high = _limits(values, look)
    height_of = math.log10 if look.log else float
    bottom, span = height_of(low), height_of(high) - height_of(low)
    margin = max(len(plain(high)), len(plain(low)))
    canvas = Canvas(max(4, width - margin - 2), max(2, height - 2), braille=braille)
    right, top = (size - 1 for size in canvas.size)
    xs = [round(t * right / max(1, steps - 1)) for t in at]
    for number, curve in enumerate(values):
        # On a log axis, values below it are drawn at its lower end.
        ys = [round((height_of(max(value, low)) - bottom) * top / span) for value in curve]
        canvas.curve(xs, ys, number)
    rows = canvas.rows(letters)
    lines = _framed(rows, plain(low), plain(high), steps, look.time, margin, unicode)
    if len(schedules) > 1:
        lines += [Text(), *_legend(schedules, letters, braille)]
    return Text("\n").join(lines)


_DECADES = 4
"""The most decades of a log axis that ends at a schedule's lowest value above 0."""


def _limits(values: Sequence[Sequence[float]], look: Look) -> tuple[float, float]:
    """Return the ends of the axis of the values.

    Raises:
        ValueError: If the axis is logarithmic and no value is above 0.
    """
    every = [value for curve in values for value in curve]
    high = max(every)
    if not look.log:
        low = min(0.0, *every) if look.from_zero else min(every)
        return low, high if high > low else low + 1.0
    if high <= 0:
        raise ValueError("log=True: no value is above 0, so there is none on a log axis")
    low = max(min(value for value in every if value > 0), high / 10**_DECADES)
    return (low, high) if low < high else (low / 10, high)


def _framed(
    rows: list[Text],
    low: str,
    high: str,
    steps: int,
    time: TimeUnit,
    margin: int,
    unicode: bool,
) -> list[Text]:
    """Put axes around the rows, labelled with their lowest and highest numbers."""
    wall, corner, floor = "│└─" if unicode else "|+-"
    labels = [high, *[""] * (len(rows) - 2), low]
    width = rows[0].cell_len
    framed = [
        Text.assemble((f"{label:>{margin}} {wall}", "dim"), row)
        for label, row in zip(labels, rows, strict=True)
    ]
    last = str(steps - 1) if time == STEPS else time.label((steps - 1) * time.per_step(steps))
    title = "" if time in (STEPS, TimeUnit("%", None)) else f" {time.name}"
    framed.append(Text(f"{'':>{margin}} {corner}{floor * width}", style="dim"))
    framed.append(Text(f"{'':>{margin}}  0{last + title:>{width - 1}}", style="dim"))
    return framed


def _legend(names: Mapping[str, Schedule], letters: str, braille: bool) -> list[Text]:
    return [
        Text.assemble(
            ("⠒⠒" if braille else letters[i % len(letters)], COLOURS[i % len(COLOURS)]),
            f" {printable(name)}",
        )
        for i, name in enumerate(names)
    ]
