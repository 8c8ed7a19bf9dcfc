"""The numbers inside a text: all of them, each at its place, and written as the notation has it."""

from __future__ import annotations

import pytest

import lehr
from helpers import assert_same
from lehr.editor.handles import place
from lehr.editor.numbers import Number, numbers, plain, put, shortest


def named(text: str) -> dict[str, tuple[float, str]]:
    return {n.name: (n.value, n.unit) for n in numbers(text) if n.written}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hold(1_000)", {"hold.steps": (1000, "steps")}),
        ("linear(0.2, to=-0.5)", {"linear.steps": (0.2, "share"), "linear.to": (-0.5, "")}),
        ("cosine('1.5ep')", {"cosine.steps": (1.5, "ep")}),
        ("lehr.hold('20Mtok')", {"hold.steps": (20, "Mtok")}),
        ("0.95 - 0.1 * cosine()", {"offset": (0.95, ""), "factor": (0.1, "")}),
        ("cosine()[100:'50%']", {"slice.from": (100, "steps"), "slice.to": (50, "%")}),
        ("ramp(ease='k-power(3, 1.5)')", {"ramp.ease": (1.5, "")}),
        ("cosine(9).repeat(3, scale=0.5)",
         {"cosine.steps": (9, "steps"), "repeat.times": (3, "count"), "repeat.scale": (0.5, "")}),
        ("piecewise([(0, 1), ('20%', 0.5)])",
         {"piecewise.points[0][0]": (0, "steps"), "piecewise.points[0][1]": (1, ""),
          "piecewise.points[1][0]": (20, "%"), "piecewise.points[1][1]": (0.5, "")}),
        ("swa(cosine(to=0.1), '75%', '10%')",
         {"cosine.to": (0.1, ""), "swa.start": (75, "%"), "swa.anneal": (10, "%")}),
    ],
)  # fmt: skip
def test_every_number_is_found(text: str, expected: dict[str, tuple[float, str]]) -> None:
    assert {k: v for k, v in named(text).items() if k in expected} == expected


@pytest.mark.parametrize("name", list(lehr.ENTRIES))
def test_another_number_is_put_where_the_first_was(name: str) -> None:
    text = lehr.ENTRIES[name].call
    for number in numbers(text):
        digits = plain(number, number.value)
        same = put(text, [(number, digits)])
        assert_same(place(same, 500).values(), place(text, 500).values(), 1e-11)
        # Nothing but its own characters is touched.
        assert same[: number.start] == text[: number.start]
        assert same[len(same) - len(text[number.stop :]) :] == text[number.stop :]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cosine()", "cosine(to=0.5)"),
        ("cosine('20%')", "cosine('20%', to=0.5)"),
        ("cosine('20%',  # all of it\n)", "cosine('20%', to=0.5,  # all of it\n)"),
        ("cosine(('20%'))", "cosine(('20%'), to=0.5)"),
        ("cosine(  # nothing yet )\n)", "cosine(to=0.5  # nothing yet )\n)"),
    ],
)
def test_a_default_is_written_where_it_is_missing(text: str, expected: str) -> None:
    to = next(number for number in numbers(text) if number.name == "cosine.to")
    assert not to.written
    changed = put(text, [(to, "0.5")])
    assert changed == expected
    assert lehr.parse(changed).over(100).end == 0.5


def test_only_the_first_piece_has_a_start_of_its_own() -> None:
    names = [n.name for n in numbers("linear(10) >> cosine(10, to=0.5)") if "start" in n.name]
    assert names == ["linear.start"]


@pytest.mark.parametrize(
    ("low", "high", "digits"),
    [(0.7083, 0.7117, "0.71"), (6990.0, 7013.0, "7000.0"), (-0.021, -0.019, "-0.02"),
     (0.0, 0.0, "0.0"), (1e-7, 1.2e-7, "1e-07")],
)  # fmt: skip
def test_the_fewest_digits_are_written(low: float, high: float, digits: str) -> None:
    assert shortest(Number(0, 1, 0.5, "", "x"), low, high) == digits


def test_durations_have_no_exponent_and_steps_are_whole() -> None:
    assert plain(Number(0, 1, 5.0, "%", "x", "'", "%'"), 1e-5) == "0.00001"
    assert plain(Number(0, 1, 5.0, "%", "x", "'", "%'"), 20.0) == "20"
    assert plain(Number(0, 1, 5.0, "steps", "x"), 20.4) == "20"
    assert plain(Number(0, 1, 0.5, "share", "x"), 1.0) == "1.0"


def test_more_numbers_than_anyone_would_move_are_not_listed() -> None:
    assert len(numbers(f"table({list(range(500))})")) == 64
