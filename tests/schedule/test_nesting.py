"""Long and deep schedules: a long sequence is fast to build, and nesting has one limit."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import lehr
from lehr import Schedule, ScheduleError
from lehr.schedule.leaves import Piece
from lehr.schedule.node import DEEPEST, Reach

LEAF = lehr.linear(200, start=1.0, to=0.1)
ONE = lehr.hold(1, at=1.0)

NESTING: dict[str, Callable[[Schedule], Schedule]] = {
    "a factor": lambda s: s * 0.5,
    "a product on the left": lambda s: s * ONE,
    "a product on the right": lambda s: ONE * s,
    "a summand": lambda s: s + 1,
    "a sum on the right": lambda s: ONE + s,
    "a sign": lambda s: -s,
    "repeat": lambda s: s.repeat(1),
    "every": lambda s: s.every(1),
    "clip": lambda s: s.clip(0, 1),
    "a slice": lambda s: s[:9],
    "an open slice": lambda s: s[1:],
    "over": lambda s: s.over(9),
    "a sequence in a slice": lambda s: (ONE >> s)[1:],
    "a sequence in a product": lambda s: ONE >> s * 0.5,
    "the schedule of a batch": lambda s: lehr.hold(9).over(9, batch=s * 0.0 + 16),
}


@pytest.mark.parametrize("nest", NESTING.values(), ids=NESTING)
def test_nesting_ends_in_an_error_that_names_the_limit(
    nest: Callable[[Schedule], Schedule],
) -> None:
    schedule, error = LEAF, ""
    for _ in range(500):
        try:
            schedule = nest(schedule)
        except ScheduleError as refused:
            error = str(refused)
            break
    assert f"more than {DEEPEST} deep" in error
    assert "write what it gives as lehr.table(" in error
    # Whatever can be built can be used, copied, written and, within a bound of work, read.
    assert schedule(3) == schedule(3.0)
    assert eval(repr(schedule), dict(vars(lehr))) == schedule
    for read, written in ((lehr.from_json, schedule.to_json()), (lehr.parse, repr(schedule))):
        try:
            assert read(written) == schedule
        except lehr.ParseError as refused:
            assert "too many times over" in str(refused)  # noqa: PT017
    for again in (copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule))):
        assert again == schedule
        assert hash(again) == hash(schedule)


def pieces(count: int) -> list[Schedule]:
    return [lehr.linear(3, to=0.5 + 0.25 * (i % 2)) for i in range(count)]


@pytest.mark.parametrize("way", ["appended", "prepended"])
def test_a_loop_of_then_looks_at_each_piece_a_fixed_number_of_times(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    reach, check = Piece._reach.fget, Piece._check_moves
    assert reach is not None

    def counted_reach(self: Piece) -> Reach:
        nonlocal looks
        looks += 1
        return reach(self)

    def counted_check(self: Piece, start: float | None) -> None:
        nonlocal looks
        looks += 1
        check(self, start)

    monkeypatch.setattr(Piece, "_reach", property(counted_reach))
    monkeypatch.setattr(Piece, "_check_moves", counted_check)
    given = pieces(1_000)
    schedule, looks = given[0], 0
    for piece in given[1:]:
        schedule = schedule >> piece if way == "appended" else piece >> schedule
    assert looks <= 4 * len(given)
    assert len(vars(schedule)["parts"]) == 1_000


def test_grouping_makes_no_difference() -> None:
    a, b, c, d = pieces(4)
    every = [a >> b >> c >> d, a >> (b >> (c >> d)), (a >> b) >> (c >> d), a >> (b >> c) >> d]
    assert len(set(every)) == 1
    assert {len(vars(s)["parts"]) for s in every} == {4}
    assert {s._depth for s in every} == {2}


@pytest.mark.parametrize(
    "build",
    [
        lambda: (lehr.hold() >> ONE) >> lehr.cosine(),
        lambda: lehr.hold() >> (ONE >> lehr.cosine()),
        lambda: (ONE >> lehr.hold()) >> (lehr.cosine() >> ONE),
    ],
)
def test_two_open_parts_are_found_in_any_grouping(build: Callable[[], Any]) -> None:
    with pytest.raises(ScheduleError, match=r"hold\(\) and cosine\(to=0.0\) both take the rest"):
        build()


def test_a_piece_that_would_not_move_is_found_in_any_grouping() -> None:
    with pytest.raises(ScheduleError, match="write hold"):
        _ = (ONE >> lehr.linear(3, to=0.5)) >> (lehr.linear(3, to=0.5) >> ONE)


def test_the_dict_form_is_bounded_by_values_and_not_by_characters() -> None:
    schedule = lehr.linear(1, start=1.0, to=0.6)
    for piece in pieces(10_000):
        schedule = schedule >> piece
    # A text may come from a stranger, and is bounded more tightly.
    with pytest.raises(lehr.ParseError, match="more than 2000"):
        lehr.parse(repr(schedule))
    assert lehr.from_json(schedule.to_json()) == schedule
    assert lehr.from_dict(schedule.to_dict()) == schedule
