"""A short text cannot ask for much work: parts and calls are counted, not seconds."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable
from dataclasses import fields
from fractions import Fraction
from typing import Any

import pytest

import lehr
from lehr import ENTRIES, Entry, ParseError, Schedule, ScheduleError, parse
from lehr.schedule.node import DEEPEST
from lehr.schedule.sequence import Sequence
from lehr.schedule.work import MOST_PARTS, Budget


def calls(function: Callable[[], Any]) -> int:
    """Return how many calls a function makes, however fast the machine is."""
    count = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count


def parts(schedule: Any) -> int:
    """Return how many schedules a schedule is made of, with itself."""
    if isinstance(schedule, tuple):
        return sum(map(parts, schedule))
    if not isinstance(schedule, Schedule):
        return 0
    return 1 + sum(parts(getattr(schedule, field.name)) for field in fields(schedule))  # type: ignore[arg-type]


HOSTILE = {
    "signs": "-" * 90_000 + "hold()",
    "brackets": "(" * 40_000 + "hold()" + ")" * 40_000,
    "lists": "table(" + "[" * 40_000 + "]" * 40_000 + ")",
    "tuples": "table(" + "(" * 40_000 + ")" * 40_000 + ")",
    "methods": "hold(9)" + ".every(2)" * 9_000,
    "slices": "hold(9)" + "[1:]" * 9_000,
    "sums": "+".join(["hold(9)"] * 1_900),
    "sequence": ">>".join(["hold(9)"] * 9_000),
    "long": "hold() " * 200_000,
    "marks": "hold() " * 100_000,
    "commas": "table([" + "1," * 60_000 + "])",
    "digits": f"hold({'9' * 50_000})",
    "digits in a text": f"hold('{'9' * 50_000}%')",
    "exponent": "hold(at=1e999999999)",
    "long duration": "hold('99999999999999999999ep')",
    "large duration": f"hold({2**63})",
    "cycles of a stretch": "linear(1).repeat(1000000000, stretch=1.5)",
    "a stretch near 1": "linear(1, start=1, to=0).repeat(1000000, stretch=1.0000001)",
    "growth": "linear(1).repeat(scale=2).over(10000)",
    "many nodes": "chebyshev(1073741824)",
    "power": "linear(1).repeat(2 ** 2 ** 2 ** 2 ** 2)",
    "one more cycle than there are parts": f"rewarm_cycles(1, {MOST_PARTS + 1})",
    "three parts a cycle": "rewarm_cycles(cycle='1', cycles=1500)",
    "two parts a cycle": "warmup_restarts(9, 1, cycles=1500)",
    "many times some": " >> ".join(["rewarm_cycles(1, 30)"] * 100),
    "many times many": " >> ".join(["chebyshev(1024)"] * 1_000),
    "slices of slices": "chebyshev(1024)" + "[1:]" * 60,
    "runs of runs": "chebyshev(1024)" + ".over(9999)" * 60,
    "swa of swa": "swa(" * 60 + "cosine()" + ", '10%', '10%', to=0.5)" * 60,
    "cycles that shrink": " >> ".join(
        ["linear(1, start=1, to=0).repeat(2700, stretch='2/3').over(9)"] * 100
    ),
    "batches that grow": " >> ".join(
        ["hold().over('9999999sa', batch=linear('9999sa', start=1, to=9))"] * 100
    ),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_too_much_is_refused_with_little_work(text: str) -> None:
    def read() -> None:
        with pytest.raises(ParseError):
            parse(text)

    assert calls(read) < 4_000_000


ALLOWED = [
    "linear(1).repeat(1000000000)",
    "hard_restarts(1000000)",
    "warm_restarts(1, cycles=1000000)",
    "one_cycle_inverse(100, stairs_up=1000000)",
    "noise(0.1, seed=2147483647)",
    "rewarm_cycles(cycle='1', cycles=512)",
    "rewarm_cycles(cycle='1', cycles=512, floor=-0.5, peak=-0.1)",
    "warmup_restarts('9st', '1/7st', cycles=512, peak=-0.9, floor=-0.1, gamma=0.99)",
    "chebyshev(1024, every='1/7%')",
    "linear(1000, start=1, to=0.5)" + "[1:]" * 60,
    "swa(" * 20 + "cosine('100%')" + ", '90%', '5%', to=0.5)" * 20,
    "(" * 20 + "hold(9)" + " >> linear(9, start=0, to=1))[1:]" * 20,
    " >> ".join(f"hold('1/{99999 - i}st')" for i in range(900)),
    " >> ".join(["linear(9, start=1, to=0).repeat(150, stretch=1.5)"] * 100),
    "exponential(1e-300, every='1/999999999999st')",
    "inverse('1/999999999999st', power=1e300)",
    " >> ".join(["hold(9, at=-0.25)"] * MOST_PARTS)[: -len(" >> hold(9, at=-0.25)")],
    "table([" + "0.1234567890123456, " * 40_000 + "])",
]


@pytest.mark.parametrize("text", ALLOWED, ids=[text[:40] for text in ALLOWED])
def test_what_is_read_is_little_work_and_can_be_read_again(text: str) -> None:
    schedules: list[Schedule] = []
    assert calls(lambda: schedules.append(parse(text))) < 3_000_000
    (schedule,) = schedules
    assert parts(schedule) <= MOST_PARTS
    assert parse(repr(schedule)) == schedule

    def place() -> None:
        try:
            run = schedule.over(1_000)
            assert all(math.isfinite(run(t)) for t in range(0, 1_001, 50))
        except ScheduleError:
            pass

    assert calls(place) < 4_000_000


def test_the_refusal_says_what_to_do() -> None:
    with pytest.raises(ParseError, match=r"write fewer, or build it in Python .*\.to_json\(\)"):
        parse("rewarm_cycles(1, 1500)")
    # So it is: Python and JSON take it.
    long = lehr.rewarm_cycles(1, 1_500)
    assert lehr.from_json(long.to_json()) == long


counting = [
    (entry, name)
    for entry in ENTRIES.values()
    for name, parameter in inspect.signature(entry.function, eval_str=True).parameters.items()
    if parameter.annotation in (int, int | None)
]


@pytest.mark.parametrize(
    ("entry", "name"), counting, ids=[f"{entry.name}-{name}" for entry, name in counting]
)
def test_a_count_that_is_written_out_is_declared(entry: Entry, name: str) -> None:
    def example(count: int) -> Schedule:
        def build(*args: Any, **kwargs: Any) -> Schedule:
            bound = inspect.signature(entry.function).bind(*args, **kwargs)
            bound.arguments[name] = count
            return entry.function(*bound.args, **bound.kwargs)

        return entry.arguments.call(build)

    grows = parts(example(64)) > parts(example(4))
    assert grows == (entry.writes_out == name)


def test_what_is_declared_is_an_argument() -> None:
    declared = {entry.name: entry.writes_out for entry in ENTRIES.values() if entry.writes_out}
    assert declared == {
        "rewarm_cycles": "cycles",
        "warmup_restarts": "cycles",
        "chebyshev": "nodes",
    }


def test_each_part_is_paid_once() -> None:
    budget = Budget()
    schedule: Schedule = lehr.chebyshev(1024)
    for _ in range(50):
        budget.take(schedule)
    with pytest.raises(ScheduleError, match="more than 2000 parts"):
        budget.take(lehr.chebyshev(1024, every=2))


def test_a_schedule_that_nests_deeper_than_its_text_is_refused() -> None:
    # Each swa(...) is a slice in a sequence: two schedules in each other.
    deep = DEEPEST // 2 + 2
    text = "swa(" * deep + "cosine('100%')" + ", '90%', '5%', to=0.5)" * deep
    with pytest.raises(ParseError, match=r"nested more than|too many times over"):
        parse(text)


@pytest.mark.parametrize("more", [-2, 1])
def test_text_and_json_nest_alike(more: int) -> None:
    def nested() -> Schedule:
        schedule: Schedule = lehr.hold(9)
        for _ in range(DEEPEST + more):
            schedule = schedule.every(2)
        return schedule

    text = "hold(9)" + ".every(2)" * (DEEPEST + more)
    if more < 0:
        assert parse(text) == nested() == lehr.from_json(nested().to_json())
        return
    with pytest.raises(ParseError, match=f"nested more than {DEEPEST} deep"):
        parse(text)
    with pytest.raises(ScheduleError, match=f"nested more than {DEEPEST} deep"):
        nested().to_json()


def test_fractions_stay_exact() -> None:
    schedule = parse("linear(9, start=1, to=0).repeat(3, stretch='4/3')")
    assert schedule.stretch == Fraction(4, 3)  # type: ignore[attr-defined]


def nested(depth: int, wrap: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Return the dict form of many parts, wrapped again and again."""
    tree = lehr.chebyshev(512).to_dict()
    del tree["lehr"]
    for _ in range(depth):
        tree = wrap(tree)
    return {"lehr": 1, **tree}


WRAPS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "slices": lambda inner: {"kind": "slice", "inner": inner, "start": 1},
    "runs": lambda inner: {"kind": "over", "inner": inner, "horizon": 9999},
    "slices of stairs": lambda inner: {
        "kind": "slice",
        "inner": {"kind": "every", "inner": inner, "steps": 2},
        "start": 1,
    },
    "slices of cycles": lambda inner: {
        "kind": "slice",
        "inner": {"kind": "repeat", "inner": inner, "times": 2, "stretch": 1.5},
        "start": 1,
    },
    "slices of products": lambda inner: {
        "kind": "slice",
        "inner": {"kind": "product", "left": inner, "right": 0.5},
        "start": 1,
    },
}


@pytest.mark.parametrize("kind", WRAPS)
def test_a_dict_of_slices_in_slices_is_refused_with_little_work(kind: str) -> None:
    tree = nested(45, WRAPS[kind])

    def read() -> None:
        with pytest.raises(ParseError, match="too many times over"):
            lehr.from_dict(tree)

    assert calls(read) < 4_000_000


def test_a_long_plan_that_was_changed_several_times_is_read_from_its_dict() -> None:
    steps = (lehr.hold(2, at=1 + n % 7) for n in range(10_000))
    plan = Sequence(tuple(steps))
    for at in (5_000, 9_000, 12_000, 15_000):
        plan = plan[:at] >> lehr.linear(5_000, start=1.0)
    assert lehr.from_dict(plan.to_dict()) == plan
