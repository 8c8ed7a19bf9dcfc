"""Arrays of steps: of any library, type, shape and order, they give what single steps give."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import array_api_strict
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

import lehr
import strategies
from helpers import assert_same, samples
from lehr import Schedule, ScheduleError

torch = pytest.importorskip("torch")

# Sines and powers of arrays come from other code than those of numbers.
SAME = 1e-13
SINGLE = 2e-6

# One of each kind of curve, and a path long enough to be evaluated by table.
KINDS = {
    "hold": lehr.hold(20, at=0.5),
    "nothing": lehr.linear(0, to=0.25),
    "jump": lehr.hold(5) >> lehr.linear(0, to=0.25),
    "path": lehr.warmup(10) >> lehr.hold(5) >> lehr.cosine(20, to=0.1),
    "real boundaries": lehr.warmup("4.1st") >> lehr.ramp("7.7st", ease="1-sqrt") >> lehr.hold(3),
    "log": lehr.ramp(20, start=0.01, to=1.0, ease="cosine", log=True),
    "exponential": lehr.exponential(0.9, every=3),
    "inverse": lehr.warmup(10) >> lehr.inverse(10, power=0.5),
    "table": lehr.table([0.5, 0.25, 1.0]) >> lehr.hold(5, at=2.0),
    "formula": lehr.formula(strategies.sawtooth, low=0, high=1)[3:20],
    "ease function": lehr.ramp(20, ease=lambda u: u * u),
    "ease of steps": lehr.ramp(20, ease=lehr.Ease("f", function=lambda n: n / 40, iterations=True)),
    "cycles": lehr.linear(7).repeat(),
    "counted cycles": (lehr.warmup(2) >> lehr.cosine(5, to=0.1)).repeat(3, scale=0.5),
    "stretched cycles": lehr.cosine(4).repeat(stretch=2, scale=0.9),
    "cycles of 4.1": lehr.linear("4.1st").repeat(),
    "stairs": lehr.linear(20).every(3),
    "stairs of 2.5": lehr.linear(20).every("2.5st"),
    "clip": lehr.linear(20).clip(0.25, 0.75),
    "slice": (lehr.warmup(10) >> lehr.cosine(20))[5:25],
    "slice of stairs": lehr.linear(20).every(3)[2:17],
    "endless slice": lehr.exponential(0.9)[5:],
    "product": lehr.linear(20) * lehr.warmup(5),
    "sum": 0.95 - 0.1 * lehr.linear(20),
    "run": (lehr.warmup("20%") >> lehr.cosine()).over(37),
    "closed run": (lehr.warmup("20%") >> lehr.cosine()).over(37, closed=True),
    "twelve pieces": (lehr.linear(3, start=1.0, to=0.2) >> lehr.cosine(4, to=0.9)).repeat(6)
    >> lehr.hold(4, at=0.3)
    >> lehr.ramp(5, start=0.3, to=0.1, log=True)
    >> lehr.ramp(4, to=1.0, ease="power(2)")
    >> lehr.ramp(4, to=0.5, ease="power(3)")
    >> lehr.ramp("2.5st", to=0.1, ease="rex")
    >> lehr.linear(0, to=0.7)
    >> lehr.linear(3, to=0.1)
    >> lehr.linear(3, to=0.2)
    >> lehr.cosine(3, to=0.0)
    >> lehr.table([1.0, 2.0])
    >> lehr.geometric(3, start=0.2, to=0.1),
}

kinds = pytest.mark.parametrize("schedule", KINDS.values(), ids=KINDS.keys())


def numpy_array(dtype: Any) -> Callable[[list[int]], Any]:
    return lambda steps: np.asarray(steps, dtype)


def torch_array(dtype: Any) -> Callable[[list[int]], Any]:
    return lambda steps: torch.asarray(steps, dtype=dtype)


def strict_array(dtype: Any) -> Callable[[list[int]], Any]:
    return lambda steps: array_api_strict.asarray(steps, dtype=dtype)


# How to make an array, the type of what comes back, and how near that must be.
MAKERS = {
    "numpy int64": (numpy_array(np.int64), np.float64, SAME),
    "numpy int32": (numpy_array(np.int32), np.float64, SAME),
    "numpy int16": (numpy_array(np.int16), np.float64, SAME),
    "numpy int8": (numpy_array(np.int8), np.float64, SAME),
    "numpy uint8": (numpy_array(np.uint8), np.float64, SAME),
    "numpy uint64": (numpy_array(np.uint64), np.float64, SAME),
    "numpy float64": (numpy_array(np.float64), np.float64, SAME),
    "numpy float32": (numpy_array(np.float32), np.float32, SINGLE),
    "torch int64": (torch_array(torch.int64), torch.float64, SAME),
    "torch int32": (torch_array(torch.int32), torch.float64, SAME),
    "torch uint8": (torch_array(torch.uint8), torch.float64, SAME),
    "torch float64": (torch_array(torch.float64), torch.float64, SAME),
    "torch float32": (torch_array(torch.float32), torch.float32, SINGLE),
    "strict int64": (strict_array(array_api_strict.int64), array_api_strict.float64, SAME),
    "strict int32": (strict_array(array_api_strict.int32), array_api_strict.float64, SAME),
    "strict float64": (strict_array(array_api_strict.float64), array_api_strict.float64, SAME),
    "strict float32": (strict_array(array_api_strict.float32), array_api_strict.float32, SINGLE),
}

makers = pytest.mark.parametrize(
    ("make", "dtype", "tolerance"), MAKERS.values(), ids=list(MAKERS.keys())
)


def to_numpy(array: Any) -> NDArray[np.float64]:
    return np.asarray(array if isinstance(array, np.ndarray) else np.from_dlpack(array), np.float64)


@kinds
@makers
def test_every_kind_of_array(
    schedule: Schedule, make: Callable[[list[int]], Any], dtype: Any, tolerance: float
) -> None:
    steps = list(range(60))
    expected = [schedule(t) for t in steps]
    given_steps = make(steps)
    values = schedule(given_steps)
    assert type(values) is type(given_steps)
    assert values.dtype == dtype
    assert_same(to_numpy(values), expected, tolerance)


@kinds
@pytest.mark.parametrize("make", [numpy_array(np.int64), torch_array(torch.int64)])
def test_every_shape_and_order(schedule: Schedule, make: Callable[[Any], Any]) -> None:
    shuffled = np.random.default_rng(0).permutation(60)
    expected = np.asarray([schedule(int(t)) for t in shuffled])
    assert_same(to_numpy(schedule(make(shuffled.tolist()))), expected, SAME)
    grid = schedule(make(shuffled.reshape(3, 4, 5).tolist()))
    assert_same(to_numpy(grid), expected.reshape(3, 4, 5), SAME)
    point = schedule(make(17))
    assert tuple(point.shape) == ()
    assert_same(float(point), schedule(17), SAME)
    repeated = schedule(make([8, 8, 3, 8]))
    assert_same(to_numpy(repeated), [schedule(t) for t in (8, 8, 3, 8)], SAME)
    for shape in [(0,), (2, 0, 3)]:
        empty = schedule(make(np.zeros(shape).astype(np.int64).tolist()))
        assert 0 in tuple(empty.shape)


@kinds
def test_empty_arrays_keep_their_shape(schedule: Schedule) -> None:
    assert schedule(np.zeros((2, 0, 3), np.int64)).shape == (2, 0, 3)
    assert tuple(schedule(torch.zeros((2, 0, 3), dtype=torch.int64)).shape) == (2, 0, 3)


@given(strategies.schedules(), st.randoms(use_true_random=False))
def test_any_schedule_on_numpy(schedule: Schedule, random: Any) -> None:
    steps = samples(schedule)
    random.shuffle(steps)
    assert_same(schedule(np.asarray(steps)), [schedule(t) for t in steps], 1e-12)


@given(strategies.schedules())
def test_any_schedule_on_torch(schedule: Schedule) -> None:
    steps = samples(schedule, 80)
    assert_same(schedule(torch.asarray(steps)).numpy(), [schedule(t) for t in steps], 1e-12)


@given(strategies.schedules())
def test_any_schedule_on_a_strict_library(schedule: Schedule) -> None:
    steps = samples(schedule, 80)
    values = schedule(array_api_strict.asarray(steps))
    assert_same(to_numpy(values), [schedule(t) for t in steps], 1e-12)


@given(strategies.schedules())
def test_real_steps_that_are_whole(schedule: Schedule) -> None:
    steps = samples(schedule, 80)
    expected = [schedule(t) for t in steps]
    assert_same([schedule(float(t)) for t in steps], expected, 1e-12)
    assert_same(schedule(np.asarray(steps, np.float64)), expected, 1e-12)


@given(strategies.fixed(3), st.lists(st.integers(0, 400), min_size=1, max_size=9))
def test_real_steps(schedule: Schedule, eighths: list[int]) -> None:
    # Eighths are exact in binary, and the drawn boundaries are tenths or thirds: all is clear.
    steps = [n / 8 for n in eighths]
    assert_same(schedule(np.asarray(steps)), [schedule(t) for t in steps], 1e-12)


class TestNumbers:
    def test_growth_without_bound_is_refused_for_numpys_numbers_too(self) -> None:
        with pytest.raises(ScheduleError, match="no finite value"):
            lehr.exponential(2.0)(np.int64(5000))

    def test_python_numbers_give_python_floats(self) -> None:
        s = lehr.linear(10)
        assert type(s(3)) is type(s(3.0)) is float

    def test_numpy_numbers_give_numpy_numbers(self) -> None:
        s = lehr.linear(10)
        for number, kind in [
            (np.int64(3), np.float64),
            (np.uint8(3), np.float64),
            (np.float64(3), np.float64),
            (np.float32(3), np.float32),
        ]:
            assert type(s(number)) is kind
            assert s(number) == kind(0.7)

    @given(strategies.schedules())
    def test_a_numpy_integer_is_an_integer(self, schedule: Schedule) -> None:
        for t in samples(schedule, 20):
            assert schedule(np.int32(t)) == schedule(t)

    def test_negative_steps_are_refused_in_numpy_arrays(self) -> None:
        with pytest.raises(ScheduleError, match="t=-1 is negative"):
            lehr.linear(10)(np.asarray([3, -1]))

    def test_steps_that_are_no_number_are_refused_in_numpy_arrays(self) -> None:
        with pytest.raises(ScheduleError, match="nan"):
            lehr.linear(10)(np.asarray([3, math.nan]))

    def test_unsigned_steps_do_not_wrap_around(self) -> None:
        s = lehr.warmup(200) >> lehr.linear(100)
        steps = np.asarray([0, 199, 200, 250, 255], np.uint8)
        assert_same(s(steps), [s(int(t)) for t in steps])


class TestLargeSteps:
    """Boundaries beyond what small integers and single floats can count."""

    @pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32])
    @pytest.mark.parametrize("size", ["4.1st", "2.5st", 7, "1/3st"])
    def test_cycles_at_large_steps(self, dtype: Any, size: int | str) -> None:
        s = lehr.linear(size).repeat()
        steps = [300_000_000, 300_000_001, 2_000_000_000, 2_147_483_647]
        assert_same(s(np.asarray(steps, dtype)), [s(t) for t in steps], 1e-6)

    def test_stretched_cycles_in_small_integers(self) -> None:
        s = lehr.linear(10).repeat(stretch=2)
        for dtype in (np.int32, np.int16, np.int8):
            assert_same(s(np.arange(100).astype(dtype)), [s(t) for t in range(100)])
        assert_same(s(torch.arange(100, dtype=torch.int32)).numpy(), [s(t) for t in range(100)])

    def test_a_long_run_in_small_integers(self) -> None:
        s = lehr.warmup(10**10) >> lehr.linear(10**10)
        assert_same(s(np.arange(100, dtype=np.int32)), [t / 10**10 for t in range(100)])
        assert_same(s(torch.arange(100, dtype=torch.int32)).numpy(), [t / 1e10 for t in range(100)])

    def test_integer_steps_beyond_32_bits(self) -> None:
        s = lehr.warmup(10**12) >> lehr.linear(10**12)
        steps = [0, 10**12 - 1, 10**12, 10**12 + 1, 2 * 10**12 - 1]
        assert_same(s(np.asarray(steps)), [s(t) for t in steps])
        assert s(2 * 10**12 - 1) == 1e-12

    def test_single_floats_at_two_times_ten_to_the_seven(self) -> None:
        # Even numbers up to 2**25 are exact in float32, so the way left is too.
        run = 20_000_000
        steps = [run - 2 * k for k in range(1, 50)]
        array = np.asarray(steps, np.float32)
        for s, exact in [
            (lehr.linear(run), [2 * k / run for k in range(1, 50)]),
            (lehr.cosine(run), [math.sin(math.pi * k / run) ** 2 for k in range(1, 50)]),
            (lehr.polynomial(run, power=2.0), [(2 * k / run) ** 2 for k in range(1, 50)]),
            (
                lehr.ramp(run, ease="1-sqrt"),
                [(2 * k / run) / (1 + math.sqrt(1 - 2 * k / run)) for k in range(1, 50)],
            ),
        ]:
            values = s(array)
            assert values.dtype == np.float32
            np.testing.assert_allclose(values, exact, rtol=5e-7)
            from_torch = s(torch.asarray(array))
            np.testing.assert_allclose(from_torch.numpy(), exact, rtol=5e-7)

    @pytest.mark.parametrize("count", [9, 100])
    def test_single_floats_in_a_long_path(self, count: int) -> None:
        pieces = lehr.linear(10)
        for index in range(count):
            pieces = pieces >> lehr.linear(10, to=float(index % 2 == 0))
        last = 20_000_000
        s = pieces >> lehr.hold(last - 10 * count - 10, at=1.0) >> lehr.cosine(1_000)
        steps = np.asarray([last + 1_000 - 2 * k for k in range(1, 50)], np.float32)
        expected = [s(int(t)) for t in steps]
        np.testing.assert_allclose(s(steps), expected, rtol=2e-6)
        np.testing.assert_allclose(s(torch.asarray(steps)).numpy(), expected, rtol=2e-6)


class TestGradients:
    @pytest.mark.parametrize("ease", strategies.EASES)
    def test_no_branch_that_is_not_taken_poisons_them(self, ease: str) -> None:
        s = lehr.warmup(10) >> lehr.ramp(20, ease=ease) >> lehr.hold(5)
        t = torch.asarray([0.0, 5.0, 10.5, 20.0, 29.5, 31.0, 99.0], requires_grad=True)
        s(t).sum().backward()
        assert torch.isfinite(t.grad).all()
        # A numeric derivative of the formula, away from the joins.
        for index in (1, 3, 5):
            at = float(t[index].detach())
            slope = (s(at + 1e-5) - s(at - 1e-5)) / 2e-5
            assert float(t.grad[index]) == pytest.approx(slope, abs=1e-5)


class TestValues:
    @given(strategies.fixed())
    def test_they_are_all_steps_before_the_end(self, schedule: Schedule) -> None:
        values = schedule.values()
        assert values.dtype == np.float64
        assert len(values) == math.ceil(schedule.length)
        assert_same(values, [schedule(t) for t in range(len(values))], 1e-12)

    @given(strategies.runs())
    def test_of_a_run(self, run: Schedule) -> None:
        assume(run.length > 1)
        assert run.values().shape == (run.length,)
