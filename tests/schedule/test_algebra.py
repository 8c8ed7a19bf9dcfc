"""The promises of the operators, as laws that hold for any schedules."""

from __future__ import annotations

import functools
import itertools
import math
import operator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import lehr
import strategies
from helpers import assert_same, assert_same_schedule, samples
from lehr import NeedsHorizon, PastEnd, Schedule, ScheduleError
from lehr.curves import Cycles
from lehr.schedule.sequence import EXACT_BITS
from strategies import built


class TestThen:
    @given(strategies.fixed(3), strategies.fixed(3), strategies.unplaced())
    def test_brackets_do_not_matter(self, a: Schedule, b: Schedule, c: Schedule) -> None:
        left, right = built(lambda: (a >> b) >> c), built(lambda: a >> (b >> c))
        assert left == right
        assert hash(left) == hash(right)
        assert repr(left) == repr(right)
        assert_same_schedule(left, right)

    @given(strategies.fixed(3), strategies.fixed(3))
    def test_lengths_add(self, a: Schedule, b: Schedule) -> None:
        exact = Fraction(str(a.length)) + Fraction(str(b.length))
        assert built(lambda: a >> b).length == pytest.approx(float(exact), rel=1e-12)

    @given(strategies.fixed(3), strategies.fixed(3))
    def test_the_first_part_is_itself(self, a: Schedule, b: Schedule) -> None:
        steps = [t for t in samples(a) if t < a.length]
        both = built(lambda: a >> b)
        assert_same([both(t) for t in steps], [a(t) for t in steps])

    @given(strategies.fixed(3))
    def test_it_ends_at_the_end_of_its_last_part(self, a: Schedule) -> None:
        both = built(lambda: a >> lehr.cosine(10, start=3.0, to=0.25))
        assert both.end == 0.25
        assert both(math.ceil(both.length)) == 0.25

    @given(strategies.fixed(3), strategies.levels())
    def test_the_level_flows(self, a: Schedule, to: float) -> None:
        assume(a.end != to)
        both = a >> lehr.linear(10, to=to)
        explicit = a >> lehr.linear(10, start=a.end, to=to)
        assert_same_schedule(both, explicit)

    def test_the_level_flows_through_every_operator_of_one_schedule(self) -> None:
        quarter = lehr.hold(4, at=0.25)
        assert (quarter >> lehr.hold(3))(5) == 0.25
        assert (quarter >> lehr.hold(3).clip(0.0, 0.5))(5) == 0.25
        assert (quarter >> lehr.linear(4, to=0.05).every(2))(5) == 0.25
        assert (quarter >> lehr.linear(4, to=0.05)[2:])(4) == pytest.approx(0.15)
        cycles = quarter >> lehr.linear(2, to=0.05).repeat(2)
        assert [cycles(t) for t in (4, 5, 6, 7, 8)] == pytest.approx([0.25, 0.15, 0.25, 0.15, 0.05])
        assert (quarter >> lehr.exponential(0.5))(5) == 0.125
        assert (quarter >> lehr.inverse(1))(5) == 0.125

    def test_a_slice_begins_at_the_level_that_flows_in(self) -> None:
        s = lehr.hold(4, at=0.5) >> lehr.linear(4, to=1.0)[2:]
        assert [s(t) for t in (3, 4, 5, 6)] == [0.5, 0.75, 0.875, 1.0]

    def test_the_level_enters_neither_operands_nor_a_run(self) -> None:
        quarter = lehr.hold(4, at=0.25)
        assert (quarter >> lehr.hold(3) * 2)(4) == 2.0
        assert (quarter >> lehr.hold(3) + lehr.hold(3))(4) == 2.0
        assert (quarter >> lehr.linear().over(10))(4) == 1.0

    def test_the_level_before_an_open_part_flows_on_after_it(self) -> None:
        run = (lehr.warmup(10) >> lehr.inverse(10, power=0.5) >> lehr.linear("20%", to=0.0)).over(
            100
        )
        at_the_join = (1 + 70 / 10) ** -0.5
        assert run(80) == pytest.approx(at_the_join, rel=1e-14)
        assert run(90) == pytest.approx(at_the_join / 2, rel=1e-14)

    @pytest.mark.parametrize("run", [1, 2, 3])
    def test_a_part_of_no_steps_is_a_jump(self, run: int) -> None:
        jump = lehr.warmup(0) >> lehr.linear(0, to=0.5) >> lehr.hold(run)
        assert [jump(t) for t in range(run + 1)] == [0.5] * (run + 1)
        assert jump.length == run

    def test_the_end_level_of_a_last_part_of_no_steps_counts(self) -> None:
        s = lehr.hold(5) >> lehr.linear(0, to=0.25)
        assert s(4) == 1.0
        assert s(5) == s(50) == s.end == 0.25

    def test_a_schedule_of_no_steps_is_its_end(self) -> None:
        s = lehr.linear(0, to=0.25)
        assert (s.length, s(0), s(7), s.bounds) == (0, 0.25, 0.25, (0.25, 0.25))
        np.testing.assert_array_equal(s(np.arange(3)), [0.25] * 3)

    def test_an_open_part_needs_a_run_only_to_be_asked(self) -> None:
        s = lehr.warmup(10) >> lehr.cosine() >> lehr.hold(5)
        assert s.over(100)(100) == 0.0
        with pytest.raises(NeedsHorizon, match=r"cosine\(to=0\.0\).*\.over\(1000\)"):
            s(3)

    def test_a_law_may_get_nothing(self) -> None:
        run = (lehr.warmup(10) >> lehr.exponential(0.9) >> lehr.linear(5, to=0.0)).over(15)
        assert [run(t) for t in (0, 5, 10, 15)] == [0.0, 0.5, 1.0, 0.0]

    def test_endless_cycles_may_get_nothing(self) -> None:
        cycles = lehr.linear(4, to=0.5).repeat()
        run = (lehr.warmup(10) >> cycles >> lehr.linear(5, start=1.0)).over(15)
        assert [run(t) for t in (5, 10, 15)] == [0.5, 1.0, 0.0]

    def test_an_open_piece_may_get_nothing(self) -> None:
        run = (lehr.warmup(10) >> lehr.linear(to=0.5) >> lehr.linear(5, to=0.0)).over(15)
        assert [run(t) for t in (9, 10, 15)] == [0.9, 0.5, 0.0]


class TestPiecesFillTheRun:
    @given(
        st.lists(st.integers(1, 40), min_size=1, max_size=8),
        st.integers(1, 400),
        st.sampled_from(["percent", "fraction", "float"]),
    )
    @example([1] * 7, 1, "percent")
    @example([1, 1, 1], 2, "fraction")
    @example([1, 2, 7], 3, "float")
    def test_they_sum_to_it(self, weights: list[int], run: int, written: str) -> None:
        total = sum(weights)
        if written == "float":
            # Tenths, whose binary neighbours do not sum to 1.
            cuts = [Fraction(round(10 * sum(weights[:i]) / total), 10) for i in range(len(weights))]
            cuts.append(Fraction(1))
            ends = itertools.pairwise(cuts)
            lengths = [float(after - before) or "0%" for before, after in ends]
            exact = [Fraction(str(x)) if isinstance(x, float) else Fraction(0) for x in lengths]
        else:
            exact = [Fraction(weight, total) for weight in weights]
            ending = 0 if written == "percent" else 7
            lengths = [f"{100 * w * (1 + ending)}/{total * (1 + ending)}%" for w in weights]
        parts = [lehr.hold(length, at=float(i)) for i, length in enumerate(lengths)]
        s = functools.reduce(operator.rshift, parts).over(run)
        assert s.length == run
        boundaries = [
            math.floor(sum(exact[: i + 1]) * run + Fraction(1, 2)) for i in range(len(exact))
        ]
        expected = [sum(t >= boundary for boundary in boundaries[:-1]) for t in range(run)]
        assert s.values().tolist() == expected

    @given(strategies.plans(), st.integers(1, 60), st.booleans())
    def test_a_plan_is_as_long_as_its_run(self, plan: Schedule, run: int, closed: bool) -> None:
        placed = built(lambda: plan.over(run, closed=closed))
        assert placed.length == run
        assert len(placed.values()) == run

    @given(strategies.plans(), st.integers(2, 60))
    def test_closed_reaches_its_end_on_the_last_step(self, plan: Schedule, run: int) -> None:
        closed, shorter = (built(lambda: plan.over(run, closed=True)), plan.over(run - 1))
        assert closed(run - 1) == closed.end == shorter.end
        assert_same([closed(t) for t in range(run)], [shorter(t) for t in range(run)])

    def test_a_closed_run_of_one_step_is_its_end(self) -> None:
        run = (lehr.warmup("20%") >> lehr.cosine(to=0.125)).over(1, closed=True)
        assert (run(0), run.end, run.length) == (0.125, 0.125, 1)

    @pytest.mark.parametrize(
        ("run", "expected"),
        [
            (1, [1.0]),  # 0.2 of a step rounds to none
            (2, [1.0, 0.5]),
            (3, [0.0, 1.0, 0.5]),  # 0.6 rounds to one
            (10, [0.0, 0.5, *(1 - i / 8 for i in range(8))]),
        ],
    )
    def test_short_runs(self, run: int, expected: list[float]) -> None:
        s = (lehr.warmup("20%") >> lehr.linear()).over(run)
        assert_same(s.values(), expected)
        assert s(run) == s.end == 0.0

    @pytest.mark.parametrize("run", range(1, 30))
    def test_what_is_left_is_left_after_rounding(self, run: int) -> None:
        parts = [lehr.hold("20%", at=1.0), lehr.linear(start=1.0, to=3.0), lehr.hold("30%", at=4.0)]
        s = functools.reduce(operator.rshift, parts).over(run)
        first, second = (math.floor(run * Fraction(n, 10) + Fraction(1, 2)) for n in (2, 7))
        middle = [1 + 2 * i / (second - first) for i in range(second - first)]
        assert_same(s.values(), [1.0] * first + middle + [4.0] * (run - second))

    @pytest.mark.parametrize("run", range(1, 30))
    def test_a_group_under_an_operator_fits_where_its_parts_fit(self, run: int) -> None:
        group = lehr.hold("25%", at=2.0) >> lehr.hold("25%", at=3.0)
        s = (lehr.hold("50%", at=1.0) >> group.clip(high=9.0)).over(run)
        first, second = (math.floor(run * Fraction(n, 4) + Fraction(1, 2)) for n in (2, 3))
        values = s.values().tolist()
        assert values[:first] == [1.0] * first
        # Where a group is rounded inside, its inner boundary may fall on either side.
        assert values[second:] in ([3.0] * (run - second), [2.0, *[3.0] * (run - second - 1)])
        assert sorted(values) == values

    def test_fixed_steps_may_be_longer_than_the_run(self) -> None:
        run = (lehr.warmup(10) >> lehr.linear(100)).over(60)
        assert run.length == 60
        assert run(60) == run(1_000) == run.end == 0.5

    def test_a_run_inside_a_run_is_a_share_of_it(self) -> None:
        inner = (lehr.warmup("20%") >> lehr.linear()).over("25%")
        s = (lehr.hold("75%", at=0.5) >> inner).over(400)
        assert s(299) == 0.5
        assert [s(t) for t in (300, 310, 320, 360)] == [0.0, 0.5, 1.0, 0.5]

    def test_runs_inside_a_run_have_the_steps_that_it_rounds_them_to(self) -> None:
        third = lehr.linear().over("100/3%")
        run = (third >> third >> third).over(10)
        # The boundaries 3.33 and 6.67 are rounded to 3 and 7.
        expected = [1, 2 / 3, 1 / 3, 1, 3 / 4, 2 / 4, 1 / 4, 1, 2 / 3, 1 / 3]
        assert run.length == 10
        assert_same(run.values(), expected)


class TestSlice:
    @given(strategies.schedules(), st.integers(0, 40), st.integers(0, 40))
    def test_it_commutes_with_evaluation(self, s: Schedule, start: int, size: int) -> None:
        part = s[start : start + size]
        assert part.length == size
        assert_same([part(t) for t in range(size)], [s(start + t) for t in range(size)])

    @given(strategies.schedules(), st.integers(0, 40))
    def test_without_a_stop_it_goes_on(self, s: Schedule, start: int) -> None:
        assert_same([s[start:](t) for t in range(60)], [s(start + t) for t in range(60)])

    @given(strategies.plans(), st.integers(1, 90), st.integers(0, 40), st.integers(0, 40))
    def test_of_a_run(self, plan: Schedule, run: int, start: int, size: int) -> None:
        placed = built(lambda: plan.over(run))
        part = placed[start : start + size]
        assert_same([part(t) for t in range(size)], [placed(start + t) for t in range(size)])

    @given(strategies.runs(), st.integers(0, 220))
    def test_two_halves_are_the_whole(self, run: Schedule, at: int) -> None:
        assume(at <= run.length)
        assert_same_schedule(run[:at] >> run[at:], run, most=250)

    @given(strategies.fixed(3), st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
    def test_of_a_slice(self, s: Schedule, a: int, b: int, size: int) -> None:
        assert_same_schedule(s[a:][b : b + size], s[a + b : a + b + size])

    @given(strategies.fixed(3), st.integers(0, 12))
    def test_from_half_a_step_on(self, s: Schedule, at: int) -> None:
        part = s[f"{at}.5st" :]
        assert_same([part(t) for t in range(20)], [s(t + at + 0.5) for t in range(20)])

    def test_its_bounds_are_of_the_run(self) -> None:
        s = (lehr.warmup("10%") >> lehr.linear())["50%":"60%"].over(100)
        assert s(0) == pytest.approx(50 / 90)
        assert s.end == pytest.approx(40 / 90)

    @given(strategies.fixed(3), st.integers(0, 30))
    def test_what_follows_begins_at_its_end(self, s: Schedule, size: int) -> None:
        level = s(size)
        assume(level != 7)
        after = s[:size] >> lehr.linear(4, to=7.0)
        assert after(size) == pytest.approx(level, rel=1e-13, abs=1e-13)

    @pytest.mark.parametrize("run", range(1, 30))
    def test_a_slice_of_shares_is_rounded_with_what_follows(self, run: int) -> None:
        s = (lehr.hold(at=1.0).over("100%")[:"90%"] >> lehr.hold("10%", at=2.0)).over(run)
        first = math.floor(Fraction(9 * run, 10) + Fraction(1, 2))
        assert s.values().tolist() == [1.0] * first + [2.0] * (run - first)

    def test_a_jump_at_the_cut_belongs_to_what_follows(self) -> None:
        s = lehr.hold(5, at=1.0) >> lehr.hold(5, at=2.0)
        assert s[:5].values().tolist() == [1.0] * 5
        assert s[5:](0) == 2.0

    def test_a_plan_changed_twenty_times_is_still_itself(self) -> None:
        run = (lehr.warmup(100) >> lehr.cosine()).over(1_000)
        plan = run
        for at in range(40, 1_000, 47):
            plan = plan[:at] >> run[at:]
        assert_same_schedule(plan, run, most=1_010)


class TestArithmetic:
    @given(strategies.unplaced(), strategies.unplaced())
    def test_products_and_sums_are_of_values(self, a: Schedule, b: Schedule) -> None:
        for t in samples(a, 40):
            assert (a * b)(t) == a(t) * b(t)
            assert (a + b)(t) == a(t) + b(t)
            assert (a - b)(t) == a(t) - b(t)

    @given(strategies.unplaced(), strategies.levels(0.001).map(lambda x: x - 1.0005))
    def test_with_numbers(self, s: Schedule, number: float) -> None:
        for t in samples(s, 30):
            assert (s * number)(t) == (number * s)(t) == s(t) * number
            assert (s + number)(t) == (number + s)(t) == s(t) + number
            assert (s - number)(t) == s(t) - number
            assert (number - s)(t) == number - s(t)
            assert (-s)(t) == -s(t)
            assert (s / number)(t) == pytest.approx(s(t) / number, rel=1e-15)

    @given(strategies.fixed(3), strategies.fixed(3))
    def test_it_lasts_as_long_as_the_longer(self, a: Schedule, b: Schedule) -> None:
        assert (a * b).length == (a + b).length == max(a.length, b.length)

    @given(strategies.fixed(3), strategies.endless())
    def test_it_is_endless_where_an_operand_is(self, a: Schedule, b: Schedule) -> None:
        assert (a * b).length is (b + a).length is None

    def test_an_integer_is_a_number(self) -> None:
        assert lehr.linear(4) * 2 == lehr.linear(4) * 2.0

    @pytest.mark.parametrize("number", [np.float64(2.0), np.float32(2.0), np.int64(2)])
    def test_a_numpy_number_is_a_number(self, number: object) -> None:
        assert lehr.linear(4) * number == lehr.linear(4) * 2.0
        assert number * lehr.linear(4) == lehr.linear(4) * 2.0
        assert number + lehr.linear(4) == lehr.linear(4) + 2.0

    def test_a_momentum_may_be_below_the_run_of_the_rate(self) -> None:
        momentum = 0.95 - 0.1 * lehr.trapezoid(5, hold_for=5)
        assert [momentum(t) for t in (0, 5, 15)] == pytest.approx([0.95, 0.85, 0.95])


class TestRepeat:
    @given(
        strategies.fixed(3),
        st.integers(1, 5),
        st.sampled_from([1, 0.5, 1.25, 3.0]),
    )
    def test_it_is_the_cycles_written_out(self, s: Schedule, times: int, scale: float) -> None:
        assume(s.length)
        cycles = [s * 1.0 * scale**k for k in range(times)]  # operands begin at 1, as cycles do
        written = functools.reduce(operator.rshift, cycles)
        again = s.repeat(times, scale=scale)
        # A cycle whose length is not whole puts its boundaries where floats do not meet.
        whole = float(s.length).is_integer()
        steps = [t for t in samples(written) if whole or _clear(t, s.length)]
        assert again.length == pytest.approx(written.length, rel=1e-13)
        assert_same([again(t) for t in steps], [written(t) for t in steps], 1e-12)
        assert again.end == pytest.approx(written.end, rel=1e-13)

    @given(
        st.lists(strategies.levels(), min_size=2, max_size=2, unique=True),
        st.integers(1, 9),
        st.integers(1, 5),
        st.sampled_from([1, 2, 3, 1.5, Fraction(4, 3), 0.5]),
        st.sampled_from(["linear", "cosine", "1-sqrt", "power(2)"]),
    )
    def test_stretched_cycles_written_out(
        self, ends: list[float], size: int, times: int, stretch: Fraction | float, ease: str
    ) -> None:
        start, to = ends
        lengths = [size * Fraction(str(stretch)) ** k for k in range(times)]
        cycles = [lehr.ramp(length, start=start, to=to, ease=ease) for length in lengths]
        written = functools.reduce(operator.rshift, cycles)
        again = lehr.ramp(size, start=start, to=to, ease=ease).repeat(times, stretch=stretch)
        assert_same([again(t) for t in samples(written)], [written(t) for t in samples(written)])
        assert again.length == pytest.approx(written.length)

    @given(strategies.fixed(3), st.integers(1, 4), st.integers(0, 120))
    def test_endless_begins_as_the_counted_one(self, s: Schedule, times: int, t: int) -> None:
        assume(s.length and t < times * s.length)
        assert s.repeat()(t) == s.repeat(times)(t)

    @pytest.mark.parametrize("times", [1, 3, 7])
    @pytest.mark.parametrize("stretch", [1, 2, 3, 1.5])
    @pytest.mark.parametrize("run", [1, 5, 100, 1_000])
    def test_cycles_without_length_fill_the_run(self, times: int, stretch: float, run: int) -> None:
        s = lehr.cosine(to=0.0).repeat(times, stretch=stretch).over(run)
        assert s.length == run
        assert s.end == s(run) == 0.0
        first = Fraction(run) / sum(Fraction(stretch) ** k for k in range(times))
        starts = [first * sum(Fraction(stretch) ** j for j in range(k)) for k in range(times)]
        cycle = [max(k for k in range(times) if starts[k] <= t) for t in range(run)]
        expected = [
            math.sin(math.pi / 2 * float(1 - (t - starts[k]) / (first * Fraction(stretch) ** k)))
            ** 2
            for t, k in enumerate(cycle)
        ]
        assert_same(s.values(), expected, 1e-13)

    @pytest.mark.parametrize("stretch", [2, 3, 10])
    @pytest.mark.parametrize("size", [1, 7, 10, 1_000])
    def test_restarts_fall_exactly_on_their_step(self, stretch: int, size: int) -> None:
        s = lehr.linear(size).repeat(stretch=stretch)
        start, length = 0, size
        while start <= 10**12:
            assert s(start) == 1.0
            if start:
                before = length // stretch
                assert s(start - 1) == pytest.approx(1 / before, rel=1e-12)
            around = np.asarray([max(start - 1, 0), start, start + 1])
            np.testing.assert_allclose(s(around), [s(int(t)) for t in around], rtol=1e-14)
            start, length = start + length, length * stretch

    @pytest.mark.parametrize("stretch", ["4/3", "3/2", "7/5", "1/2", 2])
    def test_steps_inside_stretched_cycles_fall_on_their_side(self, stretch: int | str) -> None:
        levels = [float(n) for n in range(9)]
        s = lehr.table(levels).repeat(6, stretch=stretch)
        size, start, starts = Fraction(9), Fraction(0), []
        for _ in range(7):
            starts.append((start, size / 9))
            start, size = start + size, size * Fraction(stretch)
        end = starts[-1][0]
        expected = []
        for t in range(math.ceil(end)):
            begin, factor = max(pair for pair in starts[:-1] if pair[0] <= t)
            expected.append(levels[math.floor((t - begin) / factor)])
        assert [s(t) for t in range(len(expected))] == expected
        assert s(np.arange(len(expected))).tolist() == expected

    @pytest.mark.parametrize("size", [1, 3, 10, 999, 10**6 + 3])
    def test_equal_cycles_restart_exactly(self, size: int) -> None:
        s = lehr.linear(size).repeat()
        for cycle in (1, 2, 3, 1_000, 10**6, 10**12 // size):
            start = cycle * size
            assert s(start) == 1.0
            assert s(start - 1) == (1 / size if size > 1 else 1.0)
            assert s(np.asarray([start - 1, start])).tolist() == [s(start - 1), 1.0]

    def test_cycles_of_a_length_that_is_not_whole(self) -> None:
        s = lehr.linear(Fraction(10, 3)).repeat()
        for t in range(1_000):
            done = Fraction(t) % Fraction(10, 3)
            assert s(t) == pytest.approx(float(1 - done / Fraction(10, 3)), abs=1e-12)

    @pytest.mark.parametrize("stretch", [1.1, 1.01, 1.001])
    def test_many_cycles_of_a_stretch_near_1_have_starts_of_few_digits(
        self, stretch: float
    ) -> None:
        try:
            s = lehr.linear(10).repeat(stretch=stretch)
            assert s(10) == 1.0
        except ScheduleError as error:
            assert f"stretch={stretch}" in str(error)  # noqa: PT017 - the others are placed
            return
        (cycles,) = s._path.parts
        assert isinstance(cycles, Cycles)
        assert cycles.starts is not None
        assert max(start.denominator.bit_length() for start in cycles.starts) <= EXACT_BITS

    def test_shrinking_cycles_come_to_an_end(self) -> None:
        # 8 + 4 + 2 + 1 steps; a next cycle would be shorter than a step.
        s = lehr.linear(8).repeat(stretch=0.5)
        assert [s(t) for t in (0, 8, 12, 14)] == [1.0] * 4
        assert [s(t) for t in (15, 16, 10**6)] == [0.0] * 3

    def test_shares_inside_are_of_the_run(self) -> None:
        s = lehr.linear("25%").repeat().over(8)
        assert s.values().tolist() == [1.0, 0.5] * 4

    def test_cycles_of_a_share_fill_a_run_that_they_do_not_divide(self) -> None:
        s = lehr.linear("25%").repeat(4).over(10)
        assert s.length == 10
        assert_same(s.values(), [1 - float(Fraction(t) % Fraction(5, 2)) / 2.5 for t in range(10)])

    def test_a_run_repeats(self) -> None:
        s = (lehr.warmup("20%") >> lehr.cosine("80%")).over(250).repeat(4)
        assert s.length == 1_000
        assert [s(t) for t in (0, 50, 250, 300, 1_000)] == [0.0, 1.0, 0.0, 1.0, 0.0]


def _clear(t: int, size: float) -> bool:
    """Return whether a step is well inside a cycle of this size."""
    into = t / size
    return abs(into - round(into)) > 1e-9


class TestEvery:
    @given(strategies.schedules(), st.integers(1, 12))
    def test_it_holds_the_value_of_the_last_multiple(self, s: Schedule, n: int) -> None:
        stairs = s.every(n)
        steps = [t for t in samples(s) if s.length is None or t < s.length]
        assert_same([stairs(t) for t in steps], [s(t // n * n) for t in steps])

    @pytest.mark.parametrize("n", [3, 7, 30, 10**6])
    def test_stairs_fall_exactly_on_their_step(self, n: int) -> None:
        s = lehr.step(n, gamma=0.5)
        for count in (1, 2, 10, 50):
            assert s(count * n - 1) == 0.5 ** (count - 1)
            assert s(count * n) == 0.5**count
            around = np.asarray([count * n - 1, count * n])
            assert s(around).tolist() == [0.5 ** (count - 1), 0.5**count]

    def test_stairs_of_a_share(self) -> None:
        s = lehr.linear().every("25%").over(8)
        assert s.values().tolist() == [1.0, 1.0, 0.75, 0.75, 0.5, 0.5, 0.25, 0.25]

    def test_stairs_of_steps_that_are_not_whole(self) -> None:
        s = lehr.linear(100).every("2.5st")
        expected = [1 - float(t // Fraction(5, 2) * Fraction(5, 2)) / 100 for t in range(100)]
        assert_same(s.values(), expected)

    def test_stairs_of_a_share_that_is_not_whole(self) -> None:
        s = lehr.linear().every("15%").over(10)
        assert_same(s.values(), [1 - (t // 1.5 * 1.5) / 10 for t in range(10)])

    def test_it_keeps_the_length(self) -> None:
        assert lehr.linear(10).every(4).length == 10

    def test_the_level_that_is_left_is_that_of_the_last_stair(self) -> None:
        s = lehr.linear(6).every(4)
        assert s(5) == pytest.approx(1 - 4 / 6)


class TestClip:
    @given(
        strategies.schedules(),
        st.lists(strategies.levels(), min_size=2, max_size=2).map(sorted),
    )
    def test_it_is_numpys(self, s: Schedule, bounds: list[float]) -> None:
        low, high = bounds
        steps = np.asarray(samples(s))
        np.testing.assert_array_equal(s.clip(low, high)(steps), np.clip(s(steps), low, high))
        np.testing.assert_array_equal(s.clip(low=low)(steps), np.maximum(s(steps), low))
        np.testing.assert_array_equal(s.clip(high=high)(steps), np.minimum(s(steps), high))

    def test_what_follows_begins_at_the_clipped_level(self) -> None:
        s = lehr.linear(10).clip(low=0.25) >> lehr.linear(10, to=0.0)
        assert (s(10), s(15)) == (0.25, 0.125)


class TestEnds:
    @given(strategies.fixed())
    def test_past_its_end_it_holds(self, s: Schedule) -> None:
        end = math.ceil(s.length)
        assert s(end) == s(end + 1) == s(10**9) == s.end

    @given(strategies.steady_pieces(), strategies.levels())
    def test_at_a_boundary_the_next_piece_speaks(self, piece: Schedule, at: float) -> None:
        assume(float(piece.length).is_integer())
        assert (piece >> lehr.hold(5, at=at))(int(piece.length)) == at

    def test_a_piece_is_at_its_end_level_at_its_length(self) -> None:
        assert lehr.linear(10, to=0.25)(10) == 0.25

    def test_past_the_end_may_be_refused(self) -> None:
        run = lehr.linear(to=0.5).over(10, past="raise")
        assert run(10) == 0.5
        assert run(np.arange(11))[-1] == 0.5
        assert run(np.asarray([], dtype=np.int64)).size == 0
        for late in (11, 10.5, np.int64(11), np.float32(11), np.arange(12), np.asarray([[3, 11]])):
            with pytest.raises(PastEnd, match=r"after the run's 10 steps"):
                run(late)

    def test_where_past_is_refused_the_schedule_is_another_value(self) -> None:
        assert lehr.linear().over(10, past="raise") != lehr.linear().over(10)

    def test_what_has_no_end_says_so(self) -> None:
        with pytest.raises(
            ScheduleError, match=r"exponential\(0\.5\) has no end; .*\.over\(1000\)"
        ):
            lehr.exponential(0.5).values()
        assert lehr.exponential(0.5).length is None


class TestBounds:
    @given(strategies.schedules())
    def test_values_are_finite_and_inside(self, s: Schedule) -> None:
        low, high = s.bounds
        assert low <= high
        margin = 1e-13 * max(abs(x) for x in (low, high, 1.0) if math.isfinite(x))
        far = [10**6] if math.isfinite(high) else []  # what grows for ever may overflow
        for t in [*samples(s), 0.25, 3.7, 41.5, *far]:
            value = s(t)
            assert type(value) is float
            assert math.isfinite(value)
            assert low - margin <= value <= high + margin

    @given(strategies.steady_pieces())
    def test_a_piece_stays_between_its_levels_to_the_last_bit(self, s: Schedule) -> None:
        low, high = s.bounds
        values = [s(t) for t in samples(s)]
        assert min(values) >= low * (1 - 5e-16)
        assert max(values) <= high * (1 + 5e-16)

    @pytest.mark.parametrize("ease", strategies.EASES)
    def test_a_piece_begins_and_ends_at_its_levels_exactly(self, ease: str) -> None:
        for low, high in [(0.0, 1.0), (0.1, 0.7), (0.003, 0.0003)]:
            for start, to in [(low, high), (high, low)]:
                s = lehr.ramp(7, start=start, to=to, ease=ease)
                assert (s(0), s(7)) == (start, to)

    @pytest.mark.parametrize(
        ("schedule", "bounds"),
        [
            (lehr.linear(10, start=0.2, to=0.7), (0.2, 0.7)),
            (0.95 - 0.1 * lehr.linear(10), (0.85, 0.95)),
            (lehr.linear(10) * -2, (-2.0, 0.0)),
            (lehr.exponential(0.5), (0.0, 1.0)),
            (lehr.exponential(2.0), (1.0, math.inf)),
            (lehr.exponential(0.5).over(1), (0.5, 1.0)),
            (lehr.exponential(2.0, start=0.0), (0.0, 0.0)),
            (lehr.inverse(10), (0.0, 1.0)),
            (lehr.linear(10).repeat(scale=2.0), (0.0, math.inf)),
            (lehr.linear(10).repeat(3, scale=2.0), (0.0, 4.0)),
            (lehr.linear(10).repeat(3, scale=0.5), (0.0, 1.0)),
            (lehr.linear(10).clip(0.25, 0.5), (0.25, 0.5)),
            (lehr.formula(strategies.sawtooth), (-math.inf, math.inf)),
            (lehr.formula(strategies.sawtooth, low=0.0), (0.0, math.inf)),
            (lehr.table([3.0, 1.0, 2.0]), (1.0, 3.0)),
            (lehr.hold(5) >> lehr.hold(5, at=4.0), (1.0, 4.0)),
        ],
        ids=repr,
    )
    def test_of(self, schedule: Schedule, bounds: tuple[float, float]) -> None:
        assert schedule.bounds == pytest.approx(bounds, rel=1e-15)
