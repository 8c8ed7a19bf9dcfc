"""Curves as text: the dots are where the numbers say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lehr
from lehr.catalogue import ENTRIES
from lehr.view.terminal import ASCII_BLOCKS, BLOCKS, Canvas, can_show_blocks, draw, sparkline

FALL = lehr.linear(to=0.0)
RISE = lehr.linear(to=1.0, start=0.0)


def _dots(lines: list[str]) -> set[tuple[int, int]]:
    """Where a braille drawing has dots, counted from the lower left; independent of the code."""
    # Unicode numbers braille dots 1 to 8: 1-3 down the left, 4-6 down the right, 7 and 8 below.
    places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]
    height = 4 * len(lines)
    return {
        (2 * column + x, height - 1 - (4 * row + y))
        for row, text in enumerate(lines)
        for column, character in enumerate(text)
        for bit, (x, y) in enumerate(places)
        if "\u2800" <= character <= "\u28ff" and (ord(character) - 0x2800) >> bit & 1
    }


@given(st.integers(0, 15), st.integers(0, 11))
def test_a_dot_is_where_it_was_put(x: int, y: int) -> None:
    canvas = Canvas(8, 3, braille=True)
    assert canvas.size == (16, 12)
    canvas.dot(x, y, 0)
    assert _dots([row.plain for row in canvas.rows("*")]) == {(x, y)}


def test_a_letter_is_where_it_was_put() -> None:
    canvas = Canvas(4, 3, braille=False)
    canvas.dot(0, 0, 0)
    canvas.dot(3, 2, 1)
    assert [row.plain for row in canvas.rows("ab")] == ["   b", "    ", "a   "]


def test_a_diagonal_of_dots() -> None:
    canvas = Canvas(4, 2, braille=True)
    canvas.curve([0, 7], [0, 7], 0)
    assert _dots([row.plain for row in canvas.rows("*")]) == {(i, i) for i in range(8)}


def test_a_jump_is_drawn_as_a_vertical_line() -> None:
    canvas = Canvas(2, 2, braille=True)
    canvas.curve([1, 1], [0, 7], 0)
    assert _dots([row.plain for row in canvas.rows("*")]) == {(1, y) for y in range(8)}


def _plotted(lines: list[str]) -> list[str]:
    return [line.split("│", 1)[1] for line in lines if "│" in line]


def test_a_straight_line_is_drawn_straight() -> None:
    drawn = draw({"rise": RISE}, 1000, width=43, height=12).plain.splitlines()
    dots = _dots(_plotted(drawn))
    right, top = max(x for x, _ in dots), max(y for _, y in dots)
    assert {(0, 0), (right, top)} <= dots
    assert {x for x, _ in dots} == set(range(right + 1))
    # Within a dot of y = x * top / right, everywhere.
    assert all(abs(y - x * top / right) <= 1 for x, y in dots)


def test_axes_are_labelled_with_their_ends() -> None:
    drawn = draw({"fall": 3e-4 * FALL}, 500, width=60, height=10).plain.splitlines()
    assert drawn[0].startswith("0.0003 │")
    assert drawn[7].startswith("     0 │")
    assert drawn[-1].split() == ["0", "499"]
    assert max(len(line) for line in drawn) <= 60


def test_a_level_that_never_moves() -> None:
    lines = _plotted(draw({"one": lehr.constant()}, 100, width=30, height=8).plain.splitlines())
    assert {y for _, y in _dots(lines)} == {4 * 6 - 1}


def test_a_run_of_one_step() -> None:
    assert len(_dots(_plotted(draw({"one": FALL}, 1).plain.splitlines()))) == 1


def test_several_schedules_have_colours_and_a_legend() -> None:
    drawn = draw({"first": FALL, "second": RISE}, 100)
    assert drawn.plain.splitlines()[-2:] == ["⠒⠒ first", "⠒⠒ second"]
    styles = [str(span.style) for span in drawn.spans]
    assert {"cyan", "magenta"} <= set(styles)


def test_several_schedules_without_colour_are_letters() -> None:
    lines = draw({"first": FALL, "second": RISE}, 100, colour=False).plain.splitlines()
    assert lines[0].split("│")[1].startswith("a")
    assert lines[0].rstrip().endswith("b")
    assert lines[-2:] == ["a first", "b second"]


def test_ascii_is_ascii() -> None:
    schedules = {name: entry.example for name, entry in ENTRIES.items()}
    assert draw(schedules, 200, unicode=False).plain.isascii()
    assert draw({"fall": FALL}, 200, unicode=False).plain.isascii()
    assert sparkline(FALL, 200, unicode=False).isascii()


@pytest.mark.parametrize(
    ("encoding", "answer"), [("utf-8", True), ("ascii", False), ("cp1252", False), (None, False)]
)
def test_what_an_encoding_can_show(encoding: str | None, answer: bool) -> None:
    assert can_show_blocks(encoding) is answer


@pytest.mark.parametrize("unicode", [True, False])
def test_a_falling_curve_has_falling_blocks(unicode: bool) -> None:
    blocks = BLOCKS if unicode else ASCII_BLOCKS
    levels = [blocks.index(mark) for mark in sparkline(FALL, 1000, unicode=unicode)]
    assert levels == sorted(levels, reverse=True)
    assert (levels[0], levels[-1]) == (7, 0)
    # A straight line spends as many characters in each block, but for the two at the ends.
    assert np.ptp(np.bincount(levels)[1:-1]) <= 1


def test_a_sparkline_starts_at_zero() -> None:
    assert sparkline(lehr.linear(to=0.5), 100)[-1] == BLOCKS[4]
    assert sparkline(0 * lehr.constant(), 10, width=5) == BLOCKS[0] * 5


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize("steps", [10, 1000])
def test_every_schedule_can_be_drawn(name: str, steps: int) -> None:
    example = ENTRIES[name].example
    assert len(sparkline(example, steps)) == 24
    assert len(sparkline(example, steps, width=8)) == 8
    assert _dots(_plotted(draw({name: example}, steps).plain.splitlines()))


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="schedules="):
        draw({}, 10)
    with pytest.raises(ValueError, match="steps=0"):
        draw({"fall": FALL}, 0)
    with pytest.raises(ValueError, match="steps=0"):
        sparkline(FALL, 0)
