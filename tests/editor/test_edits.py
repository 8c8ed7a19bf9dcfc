"""Pieces of a text: split, joined, eased, taken apart, added, removed, repeated; typed numbers."""

from __future__ import annotations

import pytest

import lehr
from lehr.editor import edits
from lehr.editor.handles import place
from lehr.editor.sections import sections
from lehr.errors import ScheduleError

RUN = 1000


def test_sections_are_the_parts_of_the_first_chain() -> None:
    text = "# two\n( warmup('10%')  # a >> b\n >> wsd('5%', '20%').over('50%') >> hold() )"
    found = sections(text, RUN)
    assert [s.text for s in found] == ["warmup('10%')", "wsd('5%', '20%').over('50%')", "hold()"]
    assert [(s.begin, s.end) for s in found] == [(0, 100), (100, 600), (600, 1000)]
    assert [s.ease for s in found] == ["linear", "", "hold"]


def test_a_single_piece_is_the_whole_run() -> None:
    assert [(s.begin, s.end, s.ease) for s in sections("cosine()", RUN)] == [(0, 1000, "cosine")]


@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        ("hold()", 250, "hold('25%') >> hold()"),
        ("hold(800) >> linear()", 200, "hold(200) >> hold(600) >> linear()"),
        ("warmup('20%') >> hold()", 100,
         "warmup('10%', to=0.5) >> linear('10%', to=1.0) >> hold()"),
        ("wsd('10%', '20%')", 500, "warmup('10%') >> hold('40%') >> hold() >> "
         "ramp('20%', to=0.0, ease='1-sqrt')"),
        ("(hold('10%') >> linear('10%')).repeat()", 50,
         "(hold('5%') >> hold('5%') >> linear('10%')).repeat()"),
    ],
)  # fmt: skip
def test_a_split_keeps_the_levels(text: str, x: float, expected: str) -> None:
    cut = edits.split(text, RUN, x)
    assert cut == expected
    before, after = place(text, RUN), place(cut, RUN)
    for step in (0, int(x), RUN - 1):
        assert after(step) == pytest.approx(before(step), abs=1e-9)


def test_a_first_half_has_at_least_one_step() -> None:
    cut = edits.split("warmup(5) >> linear()", 20, 5.3)
    assert cut == "warmup(5) >> linear(1, to=0.98) >> linear(to=0.0)"


def test_what_cannot_be_split_says_so() -> None:
    with pytest.raises(ScheduleError, match=r"is not made of pieces"):
        edits.split("noise(0.2)", RUN, 500)


@pytest.mark.parametrize(
    ("text", "index", "expected"),
    [
        ("warmup('5%') >> hold('10%') >> cosine('20%') >> hold()", 1,
         "warmup('5%') >> cosine('30%', to=0.0) >> hold()"),
        ("warmup('5%') >> hold() >> cosine('20%')", 0, "warmup() >> cosine('20%')"),
        ("hold(100) >> linear('10%')", 0, "linear('20%', to=0.0)"),
        ("warmup('5%') >> hold('10%', at=0.5) >> cosine()", 1,
         "warmup('5%') >> cosine(to=0.0, start=0.5)"),
        ("cosine('10%', to=0.5, start=0.9) >> hold('10%')", 0,
         "cosine('20%', to=0.5, start=0.9)"),
    ],
)  # fmt: skip
def test_joined_pieces_are_as_long_as_both(text: str, index: int, expected: str) -> None:
    if "warmup()" in expected:
        # A rise without a length is a line.
        expected = expected.replace("warmup()", "linear(to=1.0, start=0.0)")
    assert edits.joined(text, RUN, index) == expected


def test_nothing_is_joined_after_the_last() -> None:
    with pytest.raises(ScheduleError, match="piece=1 is not in this text, which has 1"):
        edits.joined("cosine()", RUN, 0)


@pytest.mark.parametrize("ease", edits.EASES)
def test_every_ease_can_be_chosen(ease: str) -> None:
    text = edits.eased("warmup('5%') >> hold() >> linear('20%', to=0.1)", RUN, 2, ease)
    run = place(text, RUN)
    assert (run(800), run.end) == (pytest.approx(1.0), 0.1)
    assert sections(text, RUN)[2].ease == str(lehr.Ease.of(ease))


def test_a_hold_has_no_ease() -> None:
    with pytest.raises(ScheduleError, match="a hold has no ease"):
        edits.eased("warmup('5%') >> hold()", RUN, 1, "cosine")
    with pytest.raises(ScheduleError, match="take it apart first"):
        edits.eased("wsd('5%', '20%')", RUN, 0, "cosine")


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (0, "hold('10%')  # b\n>> cosine()  # c"),
        (1, "warmup('5%') >> cosine()  # c"),
        (2, "warmup('5%') >> hold('10%')  # c"),
    ],
)
def test_a_deleted_piece_leaves_the_others_as_written(index: int, expected: str) -> None:
    text = "warmup('5%') >> hold('10%')  # b\n>> cosine()  # c"
    assert edits.deleted(text, RUN, index) == expected


def test_the_only_piece_stays() -> None:
    with pytest.raises(ScheduleError, match="at least one piece"):
        edits.deleted("cosine()", RUN, 0)


def test_a_named_schedule_is_taken_apart_where_it_stands() -> None:
    text = "hold(100) >> trapezoid('20%').over(500)  # then"
    assert edits.apart(text, RUN, 1) == (
        "hold(100) >> (warmup('20%') >> hold() >> linear('20%', to=0.0, start=1.0)).over(500)"
        "  # then"
    )
    with pytest.raises(ScheduleError, match="is not made of pieces"):
        edits.apart("linear('20%', to=0.1)", RUN, 0)


@pytest.mark.parametrize("name", list(lehr.ENTRIES))
def test_every_entry_taken_apart_is_the_same_schedule(name: str) -> None:
    text = lehr.ENTRIES[name].call
    if repr(lehr.parse(text)) == text:
        with pytest.raises(ScheduleError, match="is not made of pieces"):
            edits.apart(text, RUN, 0)
    else:
        assert lehr.parse(edits.apart(text, RUN, 0)) == lehr.parse(text)


def test_a_repeat_fills_the_run_with_cycles() -> None:
    run = place(edits.repeated("warmup('10%') >> cosine()  # c", RUN, 5), RUN)
    assert [run(t) for t in (0, 20, 200, 220)] == [0, 1, 0, 1]
    with pytest.raises(ScheduleError, match="times=200 must be at most 100"):
        edits.repeated("cosine()", RUN, 200)


@pytest.mark.parametrize(
    ("index", "typed", "expected"),
    [
        (0, "7.5", "warmup('7.5%') >> cosine(to=0.1)"),
        (0, "70st", "warmup('70st') >> cosine(to=0.1)"),
        (2, "0.5", "warmup('5%', to=0.5) >> cosine(to=0.1)"),
        (3, "1e-3", "warmup('5%') >> cosine(to=1e-3)"),
    ],
)
def test_a_typed_number_replaces_another(index: int, typed: str, expected: str) -> None:
    assert edits.written("warmup('5%') >> cosine(to=0.1)", RUN, index, typed) == expected


@pytest.mark.parametrize("typed", ["", "x", "1) >> hold(2", "0.5, start=1.0", "'", "1\n", "nan"])
def test_nothing_but_a_number_comes_in_through_its_field(typed: str) -> None:
    with pytest.raises(ScheduleError):
        edits.written("warmup('5%') >> cosine(to=0.1)", RUN, 3, typed)


@pytest.mark.parametrize("x", [101, 110, 113, 500, 990, 999])
def test_a_piece_is_cut_where_it_is_nearly_flat(x: int) -> None:
    text = "warmup(100) >> cosine(to=0.1)"
    parts = lehr.parse(edits.split(text, 1000, x)).over(1000)
    assert parts(x) == pytest.approx(lehr.parse(text).over(1000)(x), rel=0.005)
    assert parts(1000) == pytest.approx(0.1)
