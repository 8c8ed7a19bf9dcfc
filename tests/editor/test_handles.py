"""Each handle lands where it is moved, or says which bound stops it; the rest of a text stays."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given, settings

import lehr
from lehr.editor.handles import Handle, handles, place, seen
from lehr.editor.moving import move, moved, nudge, nudged
from lehr.editor.numbers import numbers, put
from lehr.errors import ScheduleError
from strategies import schedules

RUN = 10_000
PIXELS = 600

# The one has a count only, and the other one number that changes how fast it rises and neither
# where it begins nor where it ends: both are typed into their fields.
WITHOUT_HANDLES = {"hard_restarts", "exponential_warmup"}

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def span(text: str) -> float:
    return max(max(abs(k.left), abs(k.right)) for k in seen(text, RUN).values()) or 1.0


def targets(handle: Handle, height: float) -> list[tuple[float | None, float | None]]:
    """Places to move a handle to: near, far, on each of its axes and on both."""
    xs = [min(handle.x * f + (50 if handle.x < 100 else 0), RUN) for f in (0.9, 1.1, 0.5)]
    ys = [handle.y * f + (0.05 * height if handle.y == 0 else 0) for f in (0.9, 1.1, 0.5)]
    found: list[tuple[float | None, float | None]] = []
    if handle.x_numbers:
        found += [(x, None) for x in xs]
    if handle.y_number is not None:
        found += [(None, y) for y in ys]
    if handle.x_numbers and handle.y_number is not None:
        found.append((xs[0], ys[0]))
    return found


def skeleton(text: str) -> str:
    return NUMBER.sub("0", text)


def written(text: str, names: list[str]) -> str:
    """The skeleton of a text with these numbers written, one after the other."""
    for name in names:
        number = next(number for number in numbers(text) if number.name == name)
        text = put(text, [(number, "0")])
    return skeleton(text)


@pytest.mark.parametrize("name", list(lehr.ENTRIES))
def test_each_handle_lands_within_two_pixels_or_at_a_named_bound(name: str) -> None:
    text = lehr.ENTRIES[name].call
    found, height = handles(text, RUN), span(text)
    assert bool(found) == (name not in WITHOUT_HANDLES)
    known = numbers(text)
    pixel = (RUN / PIXELS, height / (PIXELS / 2))
    for handle in found:
        arrived = 0
        for x, y in targets(handle, height):
            result = move(text, RUN, handle.id, x, y, tolerance=pixel)
            now = seen(result.text, RUN)[handle.knot]
            off_x = 0.0 if x is None else abs(float(now.x) - x) / pixel[0]
            off_y = 0.0 if y is None else abs(handle.of(now) - y) / pixel[1]
            arrived += max(off_x, off_y) <= 2
            assert max(off_x, off_y) <= 2 or result.bound, (handle, x, y, result)
            # Outside of the numbers of this handle, not a byte has changed.
            across = [known[i].name for i, _ in handle.x_numbers] if x is not None else []
            up = [known[handle.y_number].name] if y is not None else []
            allowed = {written(text, names) for names in (across + up, across, up, [])}
            assert skeleton(result.text) in allowed, (text, result.text)
        assert arrived, handle


@pytest.mark.parametrize("name", list(lehr.ENTRIES))
def test_moved_to_where_it_is_nothing_changes(name: str) -> None:
    text = lehr.ENTRIES[name].call
    for handle in handles(text, RUN):
        assert moved(text, RUN, handle.id, handle.x, handle.y) == text


@pytest.mark.parametrize(
    ("text", "handle", "x", "y", "expected"),
    [
        # The examples of how a drag is written.
        ("wsd('5%','20%')", "1", 3600, 0.645, "wsd('36%','20%', peak=0.645)"),
        ("trapezoid('20%')", "1", 2590, 0.878, "trapezoid('25.9%', peak=0.878)"),
        ("polynomial(power=2.0)", "0.~", None, 0.5**2.96, "polynomial(power=2.96)"),
        # A boundary rolls: the end stays.
        ("hold(7000) >> linear(2500)", "1", 6000, None, "hold(6000) >> linear(3500)"),
        ("warmup('5%') >> hold('75%') >> cosine('20%')", "1", 1000, None,
         "warmup('10%') >> hold('70%') >> cosine('20%')"),
        # Comments, lines and order stay.
        ("# mine\nwarmup(500)  # short\n>> cosine(\n  to=0.1)", "1", 700, None,
         "# mine\nwarmup(700)  # short\n>> cosine(\n  to=0.1)"),
        # Inside repeats and products.
        ("(warmup('2%') >> cosine('18%', to=0.1)).repeat(scale=0.6)", "0.c.1", 400, None,
         "(warmup('4%') >> cosine('16%', to=0.1)).repeat(scale=0.6)"),
        ("(hold('50%') >> linear('50%')) * 0.5", "0.l.1", 2500, 0.25,
         "(hold('25%') >> linear('75%')) * 0.25"),
        # The level of a hold, whichever end is moved.
        ("hold('50%', at=0.8) >> linear(to=0.1)", "0", None, 0.4,
         "hold('50%', at=0.4) >> linear(to=0.1)"),
    ],
)  # fmt: skip
def test_a_drag_changes_numbers_and_nothing_else(
    text: str, handle: str, x: float | None, y: float | None, expected: str
) -> None:
    assert moved(text, RUN, handle, x, y) == expected


def test_alt_pushes_what_comes_after_instead_of_rolling() -> None:
    text = "hold(5000) >> linear(2500)"
    assert moved(text, RUN, "1", 6000, None, ripple=True) == "hold(6000) >> linear(2500)"
    assert moved(text, RUN, "1", 6000, None) == "hold(6000) >> linear(1500)"


def test_a_jump_has_a_handle_on_each_side() -> None:
    text = "hold('50%', at=1.0) >> hold(at=0.1)"
    sides = {h.id: h.y for h in handles(text, RUN) if h.x == 5000}
    assert sides == {"1<": 1.0, "1>": 0.1}
    assert moved(text, RUN, "1>", None, 0.2) == "hold('50%', at=1.0) >> hold(at=0.2)"
    assert moved(text, RUN, "1<", None, 0.9) == "hold('50%', at=0.9) >> hold(at=0.1)"


def test_a_steep_ease_is_no_jump() -> None:
    text = "ramp('50%', to=1.0, start=0.0, ease='complement(0.1)') >> hold()"
    assert "1" in {h.id for h in handles(text, RUN)}


def test_what_stops_a_handle_is_named() -> None:
    result = move("warmup('5%') >> hold()", RUN, "1", -500, None)
    assert "no steps" in result.bound
    text = "cosine('50%') >> hold('50%')"
    result = move(text, RUN, "1", 20_000, None)
    assert result.text == text
    assert "more than the run" in result.bound


def test_keys_move_by_the_second_digit_and_add_up() -> None:
    text = "warmup('5%') >> cosine(to=0.1)"
    assert nudged(text, RUN, "1", "x", 1) == "warmup('5.1%') >> cosine(to=0.1)"
    assert nudged(text, RUN, "1", "x", -30) == "warmup('2%') >> cosine(to=0.1)"
    assert nudged(text, RUN, "end", "y", 2) == "warmup('5%') >> cosine(to=0.12)"
    assert nudged(text, RUN, "0", "y", 3) == "warmup('5%', start=0.03) >> cosine(to=0.1)"
    # Right is right, also where the number counts from the end.
    assert nudged("trapezoid('20%')", RUN, "2", "x", 3) == "trapezoid('17%')"
    assert nudge(text, RUN, "1", "x", -500).bound == "warmup.steps cannot be less than 0"
    # Steps are whole.
    assert nudged("warmup(5) >> hold()", RUN, "1", "x", 1) == "warmup(6) >> hold()"
    assert nudged("warmup(250) >> hold()", RUN, "1", "x", -1) == "warmup(240) >> hold()"


def test_a_schedule_that_is_0_throughout_can_be_moved() -> None:
    # A level of 1 is the height of the picture then.
    assert moved("hold(at=0.0)", RUN, "end", None, 1 / 3) == "hold(at=0.333)"


def test_an_unknown_handle_is_refused() -> None:
    with pytest.raises(ScheduleError, match=r"handle='7' is not in this text; its handles are '0'"):
        moved("linear()", RUN, "7", 1, 1)


def test_handles_say_what_they_change() -> None:
    words = [handle.words for handle in handles("warmup('5%') >> hold(5000) >> linear()", RUN)]
    assert words == [
        "up and down: warmup start",
        "left and right: warmup steps; up and down: warmup to",
        "left and right: hold steps; up and down: warmup to",
        "up and down: linear to",
    ]


def test_a_schedule_over_a_run_of_its_own_is_shown_over_that() -> None:
    assert place("linear().over(50)", RUN).length == 50
    assert place("linear().over('50%')", RUN).length == RUN


@settings(max_examples=60, deadline=None)
@given(schedules())
def test_any_schedule_has_handles_that_can_be_moved(schedule: lehr.Schedule) -> None:
    text = repr(schedule)
    try:
        found = handles(text, 300)
    except ScheduleError:
        assert "<" in text  # a function without a name
        return
    for handle in found[:3]:
        result = move(text, 300, handle.id, handle.x * 0.7 + 10, handle.y * 0.8)
        again = place(result.text, 300)
        assert math.isfinite(again(0))
