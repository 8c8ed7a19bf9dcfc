"""Schedules are values: equality, hashing, text, copies."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given

import lehr
import strategies
from helpers import assert_same_schedule, samples
from lehr import ENTRIES, Schedule
from lehr.curves.easing import Ease

NAMES = {name: getattr(lehr, name) for name in lehr.__all__}


def read(text: str) -> Any:
    """Read a schedule's text as Python, with nothing but the names of lehr."""
    return eval(text, {"__builtins__": {}}, NAMES)


WRITTEN = [
    "linear(100, to=0.0)",
    "linear(to=0.0, start=1.0)",
    "linear('20%', to=0.25)",
    "warmup(100)",
    "warmup('4.1st')",
    "warmup(100, start=0.5)",
    "warmup(100, to=0.5)",
    "linear(100, to=0.5, start=1.0)",
    "cosine('3ep', to=0.0)",
    "polynomial(100, to=0.0, power=2.0)",
    "geometric(100, to=0.01)",
    "ramp(100, to=0.01, ease='power(0.5)', log=True)",
    "ramp(100, to=0.0, start=0.5, ease='exponential(0.01)')",
    "ramp('1/3st', to=0.0, ease='1-sqrt')",
    "hold()",
    "hold(5)",
    "hold(5, at=0.5)",
    "hold(at=0.5)",
    "exponential(0.5)",
    "exponential(0.5, every=30, start=2.0)",
    "inverse(100, power=0.5)",
    "inverse('10%', power=1.0, start=2.0)",
    "table([1.0, 0.5])",
    "warmup(10) >> hold() >> cosine('20%', to=0.1)",
    "warmup(10) * 2.0",
    "warmup(10) + 0.5",
    "warmup(10) - 0.5",
    "(warmup(10) + 0.5) * 2.0",
    "warmup(10) * 2.0 + 0.5",
    "warmup(10) * hold(5) * 2.0",
    "warmup(10) * (hold(5) * 2.0)",
    "warmup(10) + (hold(5) + 2.0)",
    "(warmup(10) >> hold(5)) * 2.0",
    "warmup(10) * 2.0 >> hold(5)",
    "warmup(10) + 2.0 >> hold(5)",
    "(warmup(10) >> hold(5))[3:]",
    "warmup(10)[:7]",
    "warmup(10)['10%':'20%']",
    "warmup(10)[:]",
    "warmup(10).repeat()",
    "warmup(10).repeat(3, stretch=2, scale=0.5)",
    "warmup(10).repeat(stretch=1.5)",
    "(warmup(10) >> hold(5)).every(3)",
    "warmup(10).every('2.5st')",
    "warmup(10).clip(low=0.1)",
    "warmup(10).clip(high=0.5)",
    "warmup(10).clip(low=0.1, high=0.5)",
    "warmup(10).over(100)",
    "warmup('10%').over('25%')",
    "warmup('10%').over('30ep', steps_per_epoch=118, closed=True, past='raise')",
    "warmup(10).over(20)[5:].every(2).clip(low=0.1).repeat(2)",
]


class TestText:
    @pytest.mark.parametrize("text", WRITTEN)
    def test_what_is_shown_is_what_a_person_would_write(self, text: str) -> None:
        assert repr(read(text)) == text

    @given(strategies.schedules())
    def test_it_reads_back_as_the_same_value(self, schedule: Schedule) -> None:
        text = repr(schedule)
        assume("<" not in text)
        assert read(text) == schedule
        assert repr(read(text)) == text

    @given(strategies.plans())
    def test_plans_read_back(self, plan: Schedule) -> None:
        assert read(repr(plan)) == plan

    @pytest.mark.parametrize("name", ENTRIES)
    def test_examples_read_back(self, name: str) -> None:
        entry = ENTRIES[name]
        assert read(repr(entry.example)) == entry.example
        if entry.momentum is not None:
            assert read(repr(entry.momentum)) == entry.momentum

    @pytest.mark.parametrize(
        "schedule",
        [
            lehr.linear(start=0.0, to=1.0),
            lehr.linear(10).repeat(stretch=Fraction(4, 3)),
            lehr.hold(Fraction(1, 3)),
            lehr.hold(Fraction(1, 2**40)),
            lehr.hold(0.1 + 0.2),
            lehr.polynomial(10, power=0.1 + 0.2),
            lehr.ramp(10, ease=f"exponential({1 / 3!r})"),
            lehr.linear(10, to=1e-300),
            lehr.linear(10, to=1e300),
            lehr.linear(10) - (lehr.linear(10) - 3),
            3 - (2 - lehr.linear(10)),
            2 / 3 * lehr.linear(10) / 7,
            lehr.linear(Fraction(22, 7)).every(Fraction(1, 7))[Fraction(1, 7) :],
        ],
        ids=repr,
    )
    def test_numbers_that_are_hard_to_write(self, schedule: Schedule) -> None:
        assert read(repr(schedule)) == schedule

    def test_zero_has_no_sign(self) -> None:
        assert repr(lehr.linear(10, to=-0.0)) == "linear(10, to=0.0)"
        assert lehr.linear(10, to=-0.0) == lehr.linear(10, to=0.0)

    def test_a_function_is_shown_though_it_cannot_be_read(self) -> None:
        assert "sawtooth" in repr(lehr.formula(strategies.sawtooth))
        assert "sawtooth" in repr(lehr.ramp(10, ease=strategies.sawtooth))


class TestEquality:
    @given(strategies.schedules())
    def test_copies_are_the_same_value(self, schedule: Schedule) -> None:
        for t in samples(schedule, 3):
            schedule(t)
        pickled = pickle.loads(pickle.dumps(schedule))
        for twin in (copy.copy(schedule), copy.deepcopy(schedule), pickled):
            assert twin == schedule
            assert hash(twin) == hash(schedule)
            assert type(twin) is type(schedule)
            assert_same_schedule(twin, schedule, most=20)

    @given(strategies.schedules())
    def test_being_asked_changes_nothing(self, schedule: Schedule) -> None:
        before, size = hash(schedule), len(pickle.dumps(copy.copy(schedule)))
        schedule(3)
        assert hash(schedule) == before
        assert len(pickle.dumps(schedule)) == size

    def test_no_cache_travels(self) -> None:
        long = lehr.linear(10)
        for _ in range(50):
            long = long >> lehr.linear(10, to=0.5) >> lehr.linear(10)
        fresh = pickle.dumps(long)
        long(3)
        assert pickle.dumps(long) == fresh

    @pytest.mark.parametrize(
        ("a", "b"),
        [
            (lehr.linear(10), lehr.linear(11)),
            (lehr.linear(10), lehr.cosine(10)),
            (lehr.linear(10), lehr.linear(10, to=0.1)),
            (lehr.linear(10), lehr.linear(10, start=1.0)),
            (lehr.linear(1), lehr.linear(1.0)),
            (lehr.hold(1), lehr.hold("100%")),
            (lehr.hold(1), lehr.hold("1ep")),
            (lehr.geometric(10, to=0.5), lehr.linear(10, to=0.5)),
            (lehr.exponential(0.5), lehr.inverse(1, power=0.5)),
            (lehr.linear(10) * lehr.hold(5), lehr.linear(10) + lehr.hold(5)),
            (lehr.linear(10).repeat(2), lehr.linear(10).repeat(3)),
            (lehr.linear(10).repeat(2), lehr.linear(10).repeat(2, scale=0.5)),
            (lehr.linear(10).every(2), lehr.linear(10).every(3)),
            (lehr.linear(10)[2:], lehr.linear(10)[:2]),
            (lehr.linear().over(10), lehr.linear().over(10, closed=True)),
            (lehr.linear().over("3ep"), lehr.linear().over("3ep", steps_per_epoch=7)),
        ],
        ids=repr,
    )
    def test_what_differs_is_not_equal(self, a: Schedule, b: Schedule) -> None:
        assert a != b
        assert len({a, b, copy.copy(a)}) == 2

    def test_the_same_thing_written_differently_is_equal(self) -> None:
        assert lehr.linear("20%") == lehr.linear(0.2)
        assert lehr.linear(10, to=0) == lehr.linear("10st", to=0.0)
        assert lehr.linear(10, start=0, to=1) == lehr.warmup(10)
        assert lehr.linear(10, start=0.0) == lehr.warmup(10)
        assert lehr.cosine(10, start=0) == lehr.cosine(10, start=0.0, to=1.0)
        assert lehr.linear(10).repeat(stretch=2) == lehr.linear(10).repeat(stretch=2.0)
        assert lehr.ramp(10, ease="power(2)") == lehr.polynomial(10, power=2)
        assert lehr.ramp(10, ease=Ease("cosine")) == lehr.cosine(10)

    def test_it_equals_no_other_kind_of_thing(self) -> None:
        assert lehr.hold(at=1.0) != 1.0
        assert lehr.linear(10) != "linear(10, to=0.0)"

    def test_it_cannot_be_changed(self) -> None:
        s: Any = lehr.linear(10)
        with pytest.raises((FrozenInstanceError, AttributeError)):
            s.to = 0.5
        with pytest.raises((FrozenInstanceError, AttributeError)):
            s.length = 5

    def test_it_is_no_sequence(self) -> None:
        with pytest.raises(TypeError, match=r"write s\.over\(1000\)\.values\(\)"):
            list(lehr.linear(10))  # type: ignore[call-overload]
