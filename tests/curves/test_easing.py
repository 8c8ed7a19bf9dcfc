"""Eases against their formulas, worked out to 50 digits."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mpmath import mpf

import lehr
from lehr.curves import easing
from lehr.curves.easing import Ease
from lehr.errors import ScheduleError

mpmath.mp.dps = 50

Fall = Callable[[mpf], mpf]


def hyperbolic(u: mpf, bound: mpf) -> mpf:
    """Kim (2024): sqrt((N - x) / U * (2 - (N + x) / U)) with x = u N and U = bound N."""
    return mpmath.sqrt((1 - u) / bound * (2 - (1 + u) / bound))


# What is left of the way at the share u of the time, from the papers; not from lehr's own halves.
FALLS: dict[str, Fall] = {
    "linear": lambda u: 1 - u,
    "cosine": lambda u: (1 + mpmath.cos(mpmath.pi * u)) / 2,
    "power(2)": lambda u: (1 - u) ** 2,
    "power(0.5)": lambda u: mpmath.sqrt(1 - u),
    "power(0.9)": lambda u: (1 - u) ** mpf(0.9),
    "power(3.25)": lambda u: (1 - u) ** mpf(3.25),
    "complement(2)": lambda u: 1 - u**2,
    "complement(0.4)": lambda u: 1 - u ** mpf(0.4),
    "1-sqrt": lambda u: 1 - mpmath.sqrt(u),
    "1-square": lambda u: 1 - u**2,
    "quarter-cosine": lambda u: mpmath.cos(mpmath.pi * u / 2),
    "exponential(0.01)": lambda u: (mpf(0.01) ** u - mpf(0.01)) / (1 - mpf(0.01)),
    "exponential(0.5)": lambda u: (mpf(0.5) ** u - mpf(0.5)) / (1 - mpf(0.5)),
    "exponential(0.9)": lambda u: (mpf(0.9) ** u - mpf(0.9)) / (1 - mpf(0.9)),
    "rex": lambda u: (1 - u) / (mpf(1) / 2 + (1 - u) / 2),
    "second-half-cosine": lambda u: 1 - mpmath.sin(mpmath.pi * u / 2),
    "mirror-cosine": lambda u: 2 * (1 - u) - (1 + mpmath.cos(mpmath.pi * u)) / 2,
    "cosine-power(1.5)": lambda u: ((1 + mpmath.cos(mpmath.pi * u)) / 2) ** mpf(1.5),
    "k-cosine(2)": lambda u: (1 + mpmath.cos(mpmath.pi * u**2)) / 2,
    "k-power(1.5, 0.8)": lambda u: (1 - u ** mpf(1.5)) ** mpf(0.8),
    "tanh(6, 3)": lambda u: (
        (mpmath.tanh(3) - mpmath.tanh(-6 + 9 * u)) / (mpmath.tanh(3) + mpmath.tanh(6))
    ),
    "hyperbolic(1.25)": lambda u: hyperbolic(u, mpf(1.25)) / hyperbolic(mpf(0), mpf(1.25)),
    "hyperbolic(1)": lambda u: hyperbolic(u, mpf(1)) / hyperbolic(mpf(0), mpf(1)),
    "log(1000)": lambda u: 1 - mpmath.log(1 + 999 * u) / mpmath.log(1000),
}

eases = pytest.mark.parametrize("name", FALLS)
lengths = pytest.mark.parametrize("length", [1, 2, 7, 1_000, 10**6, 20_000_000])


def probed(length: int) -> list[int]:
    """The first and last steps of a piece and some between."""
    edge = range(min(50, length))
    middle = random.Random(length).sample(range(length), min(100, length))
    return sorted({*edge, *middle, *(length - 1 - t for t in edge)})


def test_every_ease_has_a_formula_here() -> None:
    assert {name.partition("(")[0] for name in FALLS} == {
        name.partition("(")[0] for name in easing.names()
    }


@eases
@lengths
@pytest.mark.parametrize(("start", "to"), [(1.0, 0.0), (0.0, 1.0), (0.9, 0.1), (0.003, 0.7)])
def test_values_relative_to_the_peak(name: str, length: int, start: float, to: float) -> None:
    s = lehr.ramp(length, start=start, to=to, ease=name)
    fall = FALLS[name]
    steps = probed(length)
    values, array = [s(t) for t in steps], s(np.asarray(steps))
    for t, value, other in zip(steps, values, array.tolist(), strict=True):
        left = fall(mpf(t) / length)
        exact = mpf(start) * left + mpf(to) * (1 - left)
        assert abs(value - exact) <= 2e-14 * max(start, to)
        assert abs(other - exact) <= 2e-14 * max(start, to)


# Relative to the tiny value itself, on the last 50 steps of a fall to 0.
TAILS = {
    "linear": 2.3e-16,
    "cosine": 9e-16,
    "power(2)": 9e-16,
    "power(0.5)": 5e-16,
    "power(0.9)": 5e-16,
    "power(3.25)": 2e-15,
    "1-sqrt": 5e-16,
    "1-square": 5e-16,
    "quarter-cosine": 5e-16,
    "exponential(0.01)": 2e-15,
    "exponential(0.9)": 2e-15,
    "rex": 7e-16,
    "second-half-cosine": 9e-16,
    "mirror-cosine": 9e-16,
    "cosine-power(1.5)": 2e-15,
    "tanh(6, 3)": 2e-15,
    "hyperbolic(1.25)": 9e-16,
    "hyperbolic(1)": 9e-16,
    "log(1000)": 9e-16,
}


@pytest.mark.parametrize("name", TAILS)
@pytest.mark.parametrize("length", [10**6, 20_000_000])
def test_the_tail_relative_to_its_own_tiny_value(name: str, length: int) -> None:
    s = lehr.ramp(length, to=0.0, ease=name)
    steps = [length - k for k in range(1, 51)]
    values, array = [s(t) for t in steps], s(np.asarray(steps)).tolist()
    for t, value, other in zip(steps, values, array, strict=True):
        exact = FALLS[name](mpf(t) / length)
        assert abs(value / exact - 1) <= TAILS[name]
        assert abs(other / exact - 1) <= TAILS[name]


@pytest.mark.parametrize("name", ["linear", "cosine", "complement(2)", "1-square", "1-sqrt"])
@pytest.mark.parametrize("length", [10**6, 20_000_000])
def test_the_head_of_a_rise_relative_to_its_own_tiny_value(name: str, length: int) -> None:
    s = lehr.ramp(length, start=0.0, to=1.0, ease=name)
    for t in range(1, 51):
        exact = 1 - FALLS[name](mpf(t) / length)
        assert abs(s(t) / exact - 1) <= 9e-16


@eases
@given(st.integers(1, 10**7), st.data())
def test_halves_sum_to_one(name: str, length: int, data: st.DataObject) -> None:
    t = data.draw(st.integers(0, length))
    ease = Ease.of(name)
    u, w = t / length, (length - t) / length
    assert ease.rise(u, w) + ease.fall(u, w) == pytest.approx(1, abs=5e-15)
    assert 0 <= ease.fall(u, w) <= 1
    assert 0 <= ease.rise(u, w) <= 1


@eases
def test_ends_are_exact(name: str) -> None:
    ease = Ease.of(name)
    assert (ease.rise(0.0, 1.0), ease.fall(0.0, 1.0)) == (0.0, 1.0)
    assert (ease.rise(1.0, 0.0), ease.fall(1.0, 0.0)) == (1.0, 0.0)


@eases
@pytest.mark.parametrize("length", [7, 1_000])
def test_a_fall_never_rises(name: str, length: int) -> None:
    values = lehr.ramp(length, to=0.0, ease=name).values()
    assert (np.diff(values) <= 1e-15).all()


@given(
    st.floats(1e-6, 1e3),
    st.floats(1e-6, 1e3),
    st.integers(1, 10**6),
    st.sampled_from(sorted(FALLS)),
    st.data(),
)
def test_log_space(start: float, to: float, length: int, name: str, data: st.DataObject) -> None:
    assume(start != to)
    t = data.draw(st.integers(0, length))
    s = lehr.ramp(length, start=start, to=to, ease=name, log=True)
    left = FALLS[name](mpf(t) / length)
    exact = mpmath.exp(left * mpmath.log(start) + (1 - left) * mpmath.log(to))
    assert abs(s(t) / exact - 1) <= 2e-13


@given(st.floats(0.05, 8.0), st.integers(1, 10**6), st.data())
def test_any_power(power: float, length: int, data: st.DataObject) -> None:
    t = data.draw(st.integers(0, length))
    exact = (mpf(length - t) / length) ** mpf(power)
    assert abs(lehr.ramp(length, to=0.0, ease=f"power({power!r})")(t) - exact) <= 2e-14
    assert abs(lehr.polynomial(length, power=power)(t) - exact) <= 2e-14


@given(st.floats(1e-9, 0.999_999), st.integers(1, 10**6), st.data())
def test_any_ratio(ratio: float, length: int, data: st.DataObject) -> None:
    t = data.draw(st.integers(0, length))
    r = mpf(ratio)
    exact = (r ** (mpf(t) / length) - r) / (1 - r)
    value = lehr.ramp(length, to=0.0, ease=f"exponential({ratio!r})")(t)
    assert abs(value - exact) <= 2e-14


class TestFunctions:
    def test_a_function_of_the_way(self) -> None:
        s = lehr.ramp(10, start=1.0, to=3.0, ease=lambda u: u * u)
        assert [s(t) for t in (0, 5, 10)] == [1.0, 1.5, 3.0]

    def test_a_function_of_the_steps(self) -> None:
        ease = Ease("quarters", function=lambda n: n / 4, iterations=True)
        s = lehr.hold(3, at=0.0) >> lehr.ramp(4, to=2.0, ease=ease)
        assert [s(t) for t in (3, 4, 7)] == [0.0, 0.5, 2.0]

    def test_a_function_that_does_not_arrive_leaves_it_where_it_got_to(self) -> None:
        s = lehr.ramp(4, start=0.0, to=2.0, ease=lambda u: u / 2) >> lehr.hold(2)
        assert [s(t) for t in (2, 4, 5)] == [0.5, 1.0, 1.0]

    def test_it_is_called_with_python_numbers_from_arrays_too(self) -> None:
        seen: list[type] = []

        def ease(u: float) -> float:
            seen.append(type(u))
            return min(max(math.sin(u), 0.0), 1.0)

        lehr.ramp(10, ease=ease)(np.arange(10))
        assert set(seen) == {float}


class TestText:
    @pytest.mark.parametrize("name", FALLS)
    def test_round_trip(self, name: str) -> None:
        assert str(Ease.of(name)) == name
        assert Ease.of(str(Ease.of(name))) == Ease.of(name)

    @given(st.floats(1e-9, 1e9))
    def test_parameters_are_written_exactly(self, power: float) -> None:
        ease = Ease("power", (power,))
        assert Ease.of(str(ease)) == ease

    def test_spaces_do_not_matter(self) -> None:
        assert Ease.of("  power( 2.0 ) ") == Ease.of("power(2)")


@pytest.mark.parametrize("ratio", [5e-324, 1e-320, 1e-300, 1e-9, 1 - 2**-53])
def test_an_exponential_ease_takes_any_ratio_below_one(ratio: float) -> None:
    run = lehr.ramp(start=1.0, to=0.0, ease=f"exponential({ratio!r})").over(50)
    values = [run(t) for t in range(51)]
    assert values[0] == 1.0
    assert values[-1] == 0.0
    assert all(before >= after for before, after in itertools.pairwise(values))


def test_a_parameter_out_of_range_is_shown_with_its_ease() -> None:
    with pytest.raises(ScheduleError, match=r"^ease='tanh\(30, 2\)': from=30.0 must be at most 20"):
        Ease.of("tanh(30, 2)")
