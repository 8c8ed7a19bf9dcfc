"""Schedules over time that really passes: values, state, resume, agreement, and what is refused."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import lehr
import strategies
from lehr import NeedsClock, NeedsHorizon, Schedule, ScheduleError, WallClock
from lehr.schedule.node import Reach
from lehr.walltime.parts import clocks


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def walk(schedule: Schedule, passes: list[float], steps: int = 1) -> list[float]:
    """The values before and after updates that take so long."""
    clock = Clock(1_000.0)
    wall = WallClock(schedule, clock=clock)
    values = [wall.value]
    for passed in passes:
        clock.now += passed
        values.append(wall.advance(steps))
    return values


PLAN = (lehr.warmup(50) >> lehr.hold() >> lehr.cosine("20s")).over("100s")


# ----- values -------------------------------------------------------------------------------------


def test_steps_and_seconds_by_hand() -> None:
    # Half a second a step: the warmup takes 25 s, the cosine begins at 80 s.
    values = walk(PLAN, [0.5] * 240)
    for step, value in enumerate(values):
        seconds = step * 0.5
        if step <= 50:
            expected = step / 50
        elif seconds <= 80:
            expected = 1.0
        else:
            expected = (1 + math.cos(math.pi * min((seconds - 80) / 20, 1))) / 2
        assert value == pytest.approx(expected, abs=1e-12)


@given(
    st.integers(1, 30),
    st.integers(1, 40),
    st.floats(0, 3),
    st.lists(st.floats(0, 2), min_size=60, max_size=120),
)
def test_a_reference_of_its_own(steps: int, fall: int, pace: float, passes: list[float]) -> None:
    """``warmup(steps) >> hold() >> linear(fall)`` over 60 s, written out."""
    schedule = (lehr.warmup(steps) >> lehr.hold() >> lehr.linear(f"{fall}s", to=0.1)).over("60s")
    passes = [passed * pace for passed in passes]
    seconds, warm_at, expected = 0.0, None, [0.0]
    for count, passed in enumerate(passes, 1):
        seconds += passed
        if count == steps:
            warm_at = seconds
        if warm_at is None:
            expected.append(count / steps)
            continue
        # It falls from when it must, or from when the warmup is over, to be there in time.
        begin = max(60 - fall, min(warm_at, 60))
        share = 1.0 if begin >= 60 else (min(seconds, 60) - begin) / (60 - begin)
        expected.append(1 - 0.9 * min(max(share, 0), 1))
    assert walk(schedule, passes) == pytest.approx(expected, abs=1e-9)


def in_seconds(tree: Any) -> Any:
    """The tree of a schedule whose lengths are so many seconds, where they were steps."""
    if isinstance(tree, list):
        return [in_seconds(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    lengths = {
        "slice": ("start", "stop"),
        "decay": ("scale",),
        "over": ("horizon",),
    }.get(tree.get("kind", ""), ("steps",))
    return {
        key: f"{str(value).removesuffix('st')}s" if key in lengths else in_seconds(value)
        for key, value in tree.items()
    }


def plain(schedule: Schedule) -> bool:
    """Whether it has no part that goes by the step, and no run that ends a step earlier."""
    return not any(word in repr(schedule) for word in ("table(", "formula(", "closed="))


@given(strategies.unplaced(), st.lists(st.integers(0, 9), max_size=40), st.integers(1, 150))
def test_a_schedule_of_seconds_is_the_same_function(
    schedule: Schedule, passes: list[int], length: int
) -> None:
    assume(plain(schedule))
    low, high = schedule.bounds
    assume(math.isfinite(high) and math.isfinite(low))
    timed = lehr.from_dict(in_seconds(schedule.to_dict()))
    assert lehr.parse(repr(timed)) == timed
    totals = np.concatenate([[0], np.cumsum(passes)])
    run = schedule.over(length)
    expected = [run(float(total)) for total in totals]
    assert walk(timed.over(f"{length}s"), list(map(float, passes))) == expected
    assert walk(timed, list(map(float, passes))) == [schedule(float(total)) for total in totals]


@pytest.mark.parametrize("name", list(lehr.ENTRIES))
def test_the_catalogue_over_an_hour(name: str) -> None:
    example = lehr.ENTRIES[name].example
    if clocks(example) == {"s", "st"} and "[1:]" in repr(example):
        with pytest.raises(NeedsClock, match="both seconds and steps"):
            WallClock(example.over("1h"))
        return
    values = walk(example.over("1h"), [60.0] * 62)
    low, high = WallClock(example.over("1h")).bounds
    assert all(low <= value <= high for value in values)
    if clocks(example) <= {"s"}:
        run = example.over(3_600)
        assert values == pytest.approx([run(60.0 * i) for i in range(63)], abs=2e-3)
    elif clocks(example) == {"st"} and example._reach is Reach.ENDLESS:
        assert values == pytest.approx([example(i) for i in range(63)])


def test_bounds_hold_where_a_factor_is_below_zero() -> None:
    falling = lehr.linear("20s", start=0.5, to=-0.25)
    assert WallClock(lehr.warmup(10) * falling).bounds == (-0.25, 0.5)
    assert WallClock(lehr.warmup(10) + falling).bounds == (-0.25, 1.5)
    assert WallClock(lehr.hold(10, at=-1.0) * falling).bounds == (-0.5, 0.25)


def test_shares_are_of_the_time() -> None:
    schedule = (lehr.warmup("10%") >> lehr.hold() >> lehr.linear("20%")).over("10min")
    values = walk(schedule, [30.0] * 22)
    assert values[1:3] == [0.5, 1.0]
    assert values[16:21] == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.0])
    assert values[22] == 0.0


def test_without_a_run_the_parts_follow_each_other() -> None:
    values = walk(lehr.warmup(4) >> lehr.linear("10s", to=0.5) >> lehr.linear(2), [2.5] * 12)
    assert values == [0, 0.25, 0.5, 0.75, 1.0, 0.875, 0.75, 0.625, 0.5, 0.25, 0.0, 0.0, 0.0]


def test_a_boundary_is_where_it_is_not_where_it_was_seen() -> None:
    # The second piece begins at 10 s, though the update after it ends at 14 s.
    values = walk(lehr.hold("10s") >> lehr.linear("10s"), [7.0, 7.0, 1.0])
    assert values == pytest.approx([1.0, 1.0, 0.6, 0.5])


def test_entered_late_it_is_hurried() -> None:
    # The warmup takes 90 of 100 s: the cosine of 20 s has 10 left.
    values = walk(PLAN, [1.8] * 50 + [5.0, 5.0, 5.0])
    assert values[50] == pytest.approx(1.0)
    assert values[51:] == pytest.approx([0.5, 0.0, 0.0], abs=1e-12)


def test_what_is_entered_in_time_lasts_as_long_as_it_says() -> None:
    half = (lehr.warmup("10s") >> lehr.linear()) * 0.5
    schedule = (lehr.hold("20s") >> lehr.hold(2) >> half).over("100s")
    # The two steps take no time: of the 80 s that are left, the warmup takes its 10.
    values = walk(schedule, [20.0, 0.0, 0.0, 5.0, 5.0, 35.0, 35.0])
    assert values == pytest.approx([1.0, 1.0, 1.0, 0.0, 0.25, 0.5, 0.25, 0.0])


def test_too_late_it_is_a_jump() -> None:
    values = walk(PLAN, [3.0] * 51)
    assert values[49:] == pytest.approx([49 / 50, 0.0, 0.0])


def test_a_run_inside_has_its_own_time() -> None:
    inner = (lehr.warmup(2) >> lehr.linear()).over("10s")
    schedule = (lehr.hold(3, at=0.25) >> inner >> lehr.hold(at=0.5)).over("1min")
    values = walk(schedule, [2.5] * 10)
    # From 7.5 s on: two steps up (to 12.5 s), then down until 17.5 s.
    assert values == pytest.approx([0.25] * 3 + [0.0, 0.5, 1.0, 0.5] + [0.5] * 4)


def test_factors_may_count_otherwise() -> None:
    schedule = lehr.linear().over("10s") * lehr.exponential(0.5) + 0.25 * lehr.warmup(4)
    values = walk(schedule, [2.0] * 4)
    expected = [(1 - i / 5) * 0.5**i + 0.25 * i / 4 for i in range(5)]
    assert values == pytest.approx(expected)
    mixed = (lehr.warmup(2) >> lehr.linear()).over("10s")
    assert walk(mixed.clip(0.25, 0.75), [2.0] * 4) == pytest.approx([0.25, 0.5, 0.75, 2 / 3, 1 / 3])


def test_a_schedule_of_steps_is_driven_too() -> None:
    schedule = (lehr.warmup("10%") >> lehr.cosine()).over(100)
    assert walk(schedule, [1.0] * 105) == [schedule(t) for t in range(106)]
    assert walk(schedule, [1.0] * 20, steps=5) == [schedule(5 * t) for t in range(21)]


def test_what_follows_a_law_begins_where_that_is() -> None:
    schedule = (lehr.exponential(0.9) >> lehr.linear("10s")).over("20s")
    values = walk(schedule, [2.0] * 10)
    reached = 0.9**5
    expected = [0.9**i for i in range(5)] + [reached * (1 - i / 5) for i in range(6)]
    assert values == pytest.approx(expected)


def test_what_is_entered_at_the_level_that_it_goes_to_stays_there() -> None:
    schedule = (lehr.exponential(0.5) >> lehr.linear("10s", to=0.5)).over("11s")
    assert walk(schedule, [1.0, 2.5, 2.5, 2.5]) == pytest.approx([1.0, 0.5, 0.5, 0.5, 0.5])


# ----- any clock ----------------------------------------------------------------------------------

passing = st.one_of(
    st.floats(0, 8),
    st.floats(0, 8),
    st.sampled_from([0.0, -5.0, 1e9, -1e300, math.inf, -math.inf, math.nan, 1e300]),
)


@st.composite
def plans(draw: st.DrawFn) -> Schedule:
    """Paths of parts in seconds and in steps, mostly over a run of time, also inside each other."""
    amounts = st.integers(0, 12)
    lengths = amounts.map(lambda n: f"{n}s") | amounts
    parts = [draw(strategies.pieces(lengths)) for _ in range(draw(st.integers(1, 4)))]
    over = draw(st.none() | st.integers(30, 90))
    if over is not None and draw(st.booleans()):
        parts.append(draw(strategies.pieces(st.none()) | st.just(lehr.exponential(0.9))))
        times = amounts.filter(bool).map(lambda n: f"{n}s")
        parts += [draw(strategies.pieces(times)) for _ in range(draw(st.integers(0, 2)))]

    def build() -> Schedule:
        path = parts[0]
        for part in parts[1:]:
            path = path >> part
        return path if over is None else path.over(f"{over + 36}s")

    schedule = strategies.built_unplaced(build)
    if draw(st.booleans()):
        schedule = schedule * draw(st.sampled_from([lehr.exponential(0.95), lehr.linear("9s")]))
    if over is not None and draw(st.booleans()):
        schedule = (lehr.hold(draw(amounts)) >> (lehr.warmup(3) * schedule).over("20s")).over("1h")
    return schedule


@given(plans(), st.lists(passing, max_size=60), st.data())
def test_a_resume_is_as_if_nothing_had_been(
    schedule: Schedule, passes: list[float], data: st.DataObject
) -> None:
    clock = Clock()
    wall = WallClock(schedule, clock=clock)
    low, high = wall.bounds
    slack = 1e-9 * max(1.0, abs(low), abs(high))
    other_clock = Clock(data.draw(st.floats(-1e6, 1e6)))
    other = WallClock(schedule, clock=other_clock)
    for passed in passes:
        # The same readings as far as the difference goes, whatever the zero of the clock.
        if data.draw(st.integers(0, 4)) == 0:
            state = json.loads(json.dumps(other.state_dict(), allow_nan=False))
            other_clock = clock_at(clock.now)
            other = WallClock(schedule, clock=other_clock)
            other.load_state_dict(state)
            assert other.value == wall.value
            assert other.state_dict() == wall.state_dict() == state
        else:
            other_clock.now = clock.now
            other.skip()
        clock.now = other_clock.now = clock.now + passed
        steps = data.draw(st.integers(0, 3))
        value = wall.advance(steps)
        assert other.advance(steps) == value
        assert math.isfinite(value)
        assert low - slack <= value <= high + slack
        if not math.isfinite(clock.now):
            clock.now = 0.0
            wall.skip()


def clock_at(now: float) -> Clock:
    return Clock(now)


@given(st.lists(st.integers(5, 40), min_size=2, max_size=5), st.data())
def test_between_pieces_nothing_jumps(lengths: list[int], data: st.DataObject) -> None:
    levels = [0.0, 1.0, 0.25, 0.75, 0.1, 0.6]
    path: Any = None
    for i, length in enumerate(lengths):
        unit = data.draw(st.sampled_from(["s", "st"]))
        piece = lehr.linear(f"{length}{unit}", start=0.0 if i == 0 else None, to=levels[i + 1])
        path = piece if path is None else path >> piece
    # Steps of a tenth of a second: none goes further than a step of the shortest piece.
    values = np.array(walk(path, [0.1] * 400))
    assert np.abs(np.diff(values)).max() <= 1 / min(lengths) + 1e-9


# ----- time ---------------------------------------------------------------------------------------


def test_time_that_goes_back_does_not_count() -> None:
    clock = Clock(100.0)
    wall = WallClock(lehr.linear("10s"), clock=clock)
    values: list[float] = []
    for now in (101, 99, 100, 50, 52, math.nan, 53):
        clock.now = now
        values.append(wall.advance())
    assert values == pytest.approx([0.9, 0.9, 0.8, 0.8, 0.6, 0.6, 0.5])
    assert wall.counters == {"st": 7, "s": pytest.approx(5.0)}


def test_a_state_of_any_time_can_be_loaded() -> None:
    clock = Clock()
    wall = WallClock(lehr.linear("1h", to=0.25), clock=clock)
    clock.now = 1e300
    assert wall.advance() == 0.25
    resumed = WallClock(lehr.linear("1h", to=0.25))
    resumed.load_state_dict(json.loads(json.dumps(wall.state_dict())))
    assert resumed.value == 0.25


def test_time_between_processes_does_not_count() -> None:
    clock = Clock(100.0)
    wall = WallClock(lehr.linear("10s"), clock=clock)
    clock.now = 104.0
    assert wall.advance() == pytest.approx(0.6)
    state = json.loads(json.dumps(wall.state_dict()))
    assert state == {"counters": {"st": 1, "s": 4.0}, "marks": None}
    # Another process, whose clock has another zero, a day later.
    later = Clock(7.0)
    resumed = WallClock(lehr.linear("10s"), clock=later)
    later.now = 9.0
    resumed.load_state_dict(state)
    assert resumed.value == wall.value
    later.now = 10.0
    assert resumed.advance() == pytest.approx(0.5)


def test_what_is_skipped_does_not_count() -> None:
    clock = Clock()
    wall = WallClock(lehr.linear("10s"), clock=clock)
    clock.now = 60.0  # the model was compiled
    wall.skip()
    clock.now = 62.0
    assert wall.advance() == pytest.approx(0.8)


def test_its_state_is_small() -> None:
    clock = Clock()
    wall = WallClock(PLAN, clock=clock)
    for _ in range(60):
        clock.now += 0.5
        wall.advance()
    assert wall.state_dict() == {
        "counters": {"st": 60, "s": 30.0},
        "marks": {"piece": 1, "entered": {"st": 50, "s": 25.0}, "level": 1.0},
    }


def test_the_real_clock() -> None:
    began = time.monotonic()
    wall = WallClock(lehr.linear("1h"))
    while wall.value == 1.0:
        wall.advance()
    assert 0 < wall.counters["s"] <= time.monotonic() - began
    assert wall.value == pytest.approx(1 - wall.counters["s"] / 3600)


class TestRanks:
    @given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), min_size=1, max_size=80))
    def test_they_go_by_one_clock(self, passes: list[tuple[float, float]]) -> None:
        sent: list[float] = []

        def send(seconds: float) -> float:
            sent.append(seconds)
            return seconds

        clocks = [Clock(5.0), Clock(77.0)]
        first = WallClock(PLAN, clock=clocks[0], agree=send)
        second = WallClock(PLAN, clock=clocks[1], agree=lambda _: sent[-1])
        alone = WallClock(PLAN, clock=clocks[0])
        for one, other in passes:
            clocks[0].now += one
            clocks[1].now += other
            assert first.advance() == second.advance() == alone.advance()
            assert first.state_dict() == second.state_dict()

    def test_an_answer_that_goes_back_is_not_followed(self) -> None:
        answers: Iterator[float] = iter([4.0, 3.0, math.nan, math.inf, -1.0, 5.0])
        wall = WallClock(lehr.linear("10s"), clock=Clock(), agree=lambda _: next(answers))
        values = [wall.advance() for _ in range(6)]
        assert values == pytest.approx([0.6, 0.6, 0.6, 0.6, 0.6, 0.5])


# ----- what is refused ----------------------------------------------------------------------------

COSINE = lehr.cosine("20s")
REFUSED: list[tuple[str, Callable[[], Any], type[Exception], tuple[str, ...]]] = [
    ("a step", lambda: COSINE(3), NeedsClock, ("'20s'", "not a number of steps", "WallClock")),
    ("steps", lambda: COSINE.over("1h")(np.arange(3)), NeedsClock, ("'1h'", "WallClock")),
    ("values", lambda: COSINE.over("1h").values(), NeedsClock, ("'1h'", "WallClock")),
    ("a length in steps", lambda: COSINE.over("1h").length, NeedsClock, ("'1h'",)),
    ("its whole steps", lambda: lehr.Horizon("1h").steps, NeedsClock, ("'1h'",)),
    ("a run of steps", lambda: COSINE.over(1_000), NeedsClock, ("'20s'", ".over('90min')")),
    (
        "a run of tokens",
        lambda: COSINE.over("2Gtok", batch=512, sequence=4096),
        NeedsClock,
        ("'20s'",),
    ),
    (
        "a run of time in one of steps",
        lambda: (COSINE.over("1h") >> lehr.hold()).over(1_000),
        NeedsClock,
        ("'1h'",),
    ),
    ("code", lambda: lehr.export(COSINE, "python"), NeedsClock, ("'20s'", "WallClock")),
    ("seeking", lambda: WallClock(COSINE).seek(5), NeedsClock, ("step 5", "load_state_dict")),
    ("asking", lambda: WallClock(COSINE)(5), NeedsClock, ("step 5", "load_state_dict")),
    ("a last step", lambda: COSINE.over("1h", closed=True), NeedsClock, ("closed=True", "'1h'")),
    ("a last step to pass", lambda: COSINE.over("1h", past="raise"), NeedsClock, ("past='raise'",)),
    (
        "steps behind what is left",
        lambda: WallClock((lehr.hold() >> lehr.cosine(50)).over("1h")),
        NeedsClock,
        ("cosine(50", "not known when it must begin"),
    ),
    (
        "a repeat that mixes",
        lambda: WallClock((lehr.warmup(5) >> COSINE).repeat()),
        NeedsClock,
        ("repeat", "both seconds and steps"),
    ),
    (
        "a slice that mixes",
        lambda: WallClock(COSINE[5:]),
        NeedsClock,
        ("[5:]", "both seconds and steps"),
    ),
    (
        "stairs that mix",
        lambda: WallClock(COSINE.every(5)),
        NeedsClock,
        ("every(5)", "both seconds and steps"),
    ),
    (
        "a part of no known end",
        lambda: WallClock(COSINE * lehr.warmup(5) >> lehr.hold()),
        NeedsClock,
        ("its end is not known", ".over('20s')"),
    ),
    ("no run", lambda: WallClock(lehr.warmup("5s") >> lehr.cosine()), NeedsHorizon, ("the rest",)),
    (
        "no run for both",
        lambda: WallClock(lehr.warmup(5) >> lehr.hold() >> COSINE),
        NeedsHorizon,
        ("the rest", ".over('90min')"),
    ),
    (
        "more than all",
        lambda: WallClock((lehr.warmup(5) >> lehr.hold("60%") >> COSINE).over("30s")),
        ScheduleError,
        ("asks for 38 of 30 seconds",),
    ),
    ("no bounds", lambda: WallClock(lehr.exponential(1.1)), ScheduleError, (".clip(low, high)",)),
    ("no schedule", lambda: WallClock(0.5), ScheduleError, ("schedule=0.5",)),  # type: ignore[arg-type]
    ("half an update", lambda: WallClock(COSINE).advance(0.5), ScheduleError, ("steps=0.5",)),  # type: ignore[arg-type]
    ("an update back", lambda: WallClock(COSINE).advance(-1), ScheduleError, ("steps=-1",)),
]


@pytest.mark.parametrize(
    ("attempt", "exception", "fragments"),
    [row[1:] for row in REFUSED],
    ids=[row[0] for row in REFUSED],
)
def test_it_is_refused(
    attempt: Callable[[], Any], exception: type[Exception], fragments: tuple[str, ...]
) -> None:
    with pytest.raises(exception) as caught:
        attempt()
    assert caught.type is exception
    for fragment in fragments:
        assert fragment in str(caught.value)


GOOD: dict[str, Any] = {
    "counters": {"st": 60, "s": 30.0},
    "marks": {"piece": 1, "entered": {"st": 50, "s": 25.0}, "level": 1.0},
}


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        {**GOOD, "more": 1},
        {**GOOD, "counters": None},
        {**GOOD, "counters": {"st": 60}},
        {**GOOD, "counters": {"st": 60.5, "s": 30.0}},
        {**GOOD, "counters": {"st": -1, "s": 30.0}},
        {**GOOD, "counters": {"st": 60, "s": math.nan}},
        {**GOOD, "counters": {"st": 60, "s": "30"}},
        {**GOOD, "marks": None},
        {**GOOD, "marks": [None, None]},
        {**GOOD, "marks": {**GOOD["marks"], "piece": 3}},
        {**GOOD, "marks": {**GOOD["marks"], "piece": True}},
        {**GOOD, "marks": {**GOOD["marks"], "entered": None}},
        {**GOOD, "marks": {**GOOD["marks"], "entered": {"st": 50}}},
        {**GOOD, "marks": {**GOOD["marks"], "entered": {"st": -50, "s": 1.0}}},
        {**GOOD, "marks": {**GOOD["marks"], "level": None}},
        {**GOOD, "marks": {**GOOD["marks"], "level": math.inf}},
        {**GOOD, "marks": {**GOOD["marks"], "inside": [1]}},
    ],
)
def test_a_foreign_state_changes_nothing(state: Any) -> None:
    clock = Clock()
    wall = WallClock(PLAN, clock=clock)
    clock.now = 3.0
    wall.advance()
    before = wall.state_dict()
    with pytest.raises(ScheduleError):
        wall.load_state_dict(state)
    assert wall.state_dict() == before
    wall.load_state_dict(GOOD)
    assert wall.state_dict() == GOOD


def test_text_and_json_hold_it() -> None:
    assert repr(PLAN) == "(warmup(50) >> hold() >> cosine('20s', to=0.0)).over('100s')"
    assert lehr.parse(repr(PLAN)) == PLAN
    assert lehr.from_json(PLAN.to_json()) == PLAN
    assert repr(WallClock(PLAN)) == f"WallClock({PLAN!r})"
