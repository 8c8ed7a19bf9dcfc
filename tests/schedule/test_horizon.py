"""Time: what people write, what it is exactly, and where it falls in a run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import lehr
from lehr import Duration, Horizon, NeedsHorizon, ScheduleError

units = st.sampled_from(["st", "%", "ep", "sa", "tok", "s"])
amounts = st.fractions(0, 10**6, max_denominator=10**6)


class TestDuration:
    @pytest.mark.parametrize(
        ("written", "amount", "unit"),
        [
            (500, 500, "st"),
            (0, 0, "st"),
            ("500", 500, "st"),
            ("500st", 500, "st"),
            ("10_000", 10_000, "st"),
            (" 20 % ", Fraction(1, 5), "%"),
            ("20%", Fraction(1, 5), "%"),
            ("150%", Fraction(3, 2), "%"),
            ("12.5%", Fraction(1, 8), "%"),
            ("0.1%", Fraction(1, 1_000), "%"),
            ("100/3%", Fraction(1, 3), "%"),
            (0.2, Fraction(1, 5), "%"),
            (1.0, 1, "%"),
            (0.1, Fraction(1, 10), "%"),
            (1e-7, Fraction(1, 10**7), "%"),
            (np.float64(0.7), Fraction(7, 10), "%"),
            (np.float32(0.1), Fraction(1, 10), "%"),
            (np.int32(7), 7, "st"),
            ("4.1st", Fraction(41, 10), "st"),
            ("1/3st", Fraction(1, 3), "st"),
            (Fraction(22, 7), Fraction(22, 7), "st"),
            ("3ep", 3, "ep"),
            ("1.5ep", Fraction(3, 2), "ep"),
            ("1/3ep", Fraction(1, 3), "ep"),
            ("10_000sa", 10_000, "sa"),
            ("1.28Msa", 1_280_000, "sa"),
            ("500ktok", 500_000, "tok"),
            ("500 Ktok", 500_000, "tok"),
            ("2Mtok", 2_000_000, "tok"),
            ("1.5Gtok", 1_500_000_000, "tok"),
            ("1.5Btok", 1_500_000_000, "tok"),
            ("15Ttok", 15 * 10**12, "tok"),
            ("1/3ktok", Fraction(1_000, 3), "tok"),
            ("10kst", 10_000, "st"),
            ("20s", 20, "s"),
            ("0.5s", Fraction(1, 2), "s"),
            ("90min", 5_400, "s"),
            ("1.5h", 5_400, "s"),
        ],
    )
    def test_what_is_written(
        self, written: int | float | str | Fraction, amount: Fraction | int, unit: str
    ) -> None:
        duration = Duration.of(written)
        assert (duration.amount, duration.unit) == (amount, unit)
        assert type(duration.amount) is Fraction

    @given(amounts, units)
    @example(Fraction(1, 3), "%")
    @example(Fraction(1, 10**15), "st")
    @example(Fraction(1, 2**30), "ep")
    @example(Fraction(10**15), "st")
    def test_its_text_reads_back(self, amount: Fraction, unit: str) -> None:
        duration = Duration(amount, unit)
        assert Duration.of(str(duration)) == duration
        assert hash(Duration.of(str(duration))) == hash(duration)

    @given(amounts, units)
    def test_its_code_reads_back(self, amount: Fraction, unit: str) -> None:
        duration = Duration(amount, unit)
        code = duration.code
        assert Duration.of(code.strip("'") if code.startswith("'") else int(code)) == duration

    @given(st.floats(1e-15, 1.0))
    def test_a_float_is_its_decimal_text(self, share: float) -> None:
        duration = Duration.of(share)
        assert duration.amount == Fraction(repr(share))
        assert Duration.of(str(duration)) == duration

    @pytest.mark.parametrize(
        ("written", "text"),
        [
            (500, "500"),
            ("1_000st", "1000"),
            (0.2, "20%"),
            (1.0, "100%"),
            ("4.10st", "4.1st"),
            ("1/3st", "1/3st"),
            (Fraction(1, 3), "1/3st"),
            ("3.0ep", "3ep"),
            ("1/3%", "1/3%"),
            (1 / 3, "33.33333333333333%"),
            (0, "0"),
            ("0%", "0%"),
            ("2Mtok", "2Mtok"),
            ("2_000_000tok", "2Mtok"),
            ("1500Mtok", "1.5Gtok"),
            ("500ktok", "500ktok"),
            ("4096tok", "4096tok"),
            ("2097152tok", "2097152tok"),
            ("10_000sa", "10ksa"),
            ("1.28Msa", "1.28Msa"),
            ("0tok", "0tok"),
            ("1/3tok", "1/3tok"),
            ("20s", "20s"),
            ("100s", "100s"),
            ("90min", "90min"),
            ("5400s", "90min"),
            ("7200s", "2h"),
            ("0.5s", "0.5s"),
            ("0s", "0s"),
        ],
    )
    def test_its_text(self, written: int | float | str | Fraction, text: str) -> None:
        assert str(Duration.of(written)) == text

    def test_one_step_is_not_the_whole_run(self) -> None:
        assert Duration.of(1) != Duration.of(1.0)
        assert Duration.of(1.0) == Duration.of("100%")
        assert Duration.of(1) == Duration.of("1") == Duration.of("1.0st")
        assert len({Duration.of(1), Duration.of(1.0), Duration.of("1ep")}) == 3

    def test_shares_are_summed_exactly(self) -> None:
        # The sum of the floats is 0.30000000000000004.
        assert Duration.of(0.1) + Duration.of(0.2) == Duration.of(0.3)
        whole = Duration.of(0.1) + Duration.of(0.2) + Duration.of(0.7)
        assert whole == Duration.of(1.0)
        assert whole - Duration.of("30%") == Duration.of(0.7)

    def test_a_duration_is_read_as_itself(self) -> None:
        duration = Duration.of("20%")
        assert Duration.of(duration) is duration


class TestHorizon:
    @pytest.mark.parametrize(
        ("horizon", "steps"),
        [
            (Horizon(1_000), 1_000),
            (Horizon("1_000"), 1_000),
            (Horizon("30ep", steps_per_epoch=118), 3_540),
            (Horizon("1.5ep", steps_per_epoch=3), 5),  # 4.5, half up
            (Horizon("0.5ep", steps_per_epoch=3), 2),  # 1.5, half up
            (Horizon("1/3ep", steps_per_epoch=100), 33),
            (Horizon("2/3ep", steps_per_epoch=100), 67),
            (Horizon("1_000sa", batch=32), 32),  # 31.25: enough to see them all
            (Horizon("1_024sa", batch=32), 32),
            (Horizon("2Gtok", batch=512, sequence=4096), 954),  # 953.67
            (Horizon("3ep", samples_per_epoch=50_000, batch=128), 1_172),  # 1171.9
            (Horizon("1_000sa", batch=[100, 200, 300]), 5),  # 100, 300, 600, 900
        ],
    )
    def test_steps(self, horizon: Horizon, steps: int) -> None:
        assert horizon.steps == steps
        assert lehr.linear().over(horizon).length == steps

    def test_it_is_a_value(self) -> None:
        assert Horizon("30ep", 118) == Horizon("30ep", steps_per_epoch=118)
        assert hash(Horizon(1_000)) == hash(Horizon("1000st"))
        assert Horizon("30ep", 118) != Horizon("30ep", 119)

    def test_over_takes_it_or_what_it_is_made_of(self) -> None:
        horizon = Horizon("30ep", steps_per_epoch=118)
        assert lehr.linear().over(horizon) == lehr.linear().over("30ep", steps_per_epoch=118)

    def test_its_text(self) -> None:
        assert str(Horizon("30ep", 118)) == "30ep of 118 steps"
        assert str(Horizon(1_000)) == "1000"
        assert repr(Horizon("2Gtok", batch=512)) == "Horizon('2Gtok', batch=512)"

    def test_a_unit_is_one_of_few(self) -> None:
        with pytest.raises(ScheduleError, match="unit='days'"):
            Duration(Fraction(3), "days")


def flags(*lengths: str | int | float) -> lehr.Schedule:
    """A path whose value is the number of the part that a step is in."""
    parts: Iterator[lehr.Schedule] = (
        lehr.hold(length, at=float(index)) for index, length in enumerate(lengths)
    )
    path = next(parts)
    for part in parts:
        path = path >> part
    return path


def boundaries(schedule: lehr.Schedule) -> list[int]:
    """Return the steps at which its value changes."""
    return (np.flatnonzero(np.diff(schedule.values())) + 1).tolist()


class TestPlacing:
    @pytest.mark.parametrize(
        ("lengths", "run", "expected"),
        [
            ((0.1, 0.2, 0.7), 1_000, [100, 300]),
            ((0.1, 0.2, 0.7), 7, [1, 2]),  # 0.7 and 2.1
            ((0.1, 0.2, 0.7), 15, [2, 5]),  # 1.5, half up, and 4.5, half up
            (("100/3%", "100/3%", "100/3%"), 10, [3, 7]),
            (("100/3%", "100/3%", "100/3%"), 2, [1]),  # 0.67 and 1.33, both 1
            ((100, "50%", 0.25), 1_000, [100, 600]),
            (
                ("4.1st", "50%", "25%"),
                20,
                [5, 14],
            ),  # 4.1 is never rounded: step 5 is the first after it
            (("4.1st", "4.2st", 5), 20, [5, 9]),
            (("2ep", "1ep"), 30, [20]),
        ],
    )
    def test_boundaries(
        self, lengths: tuple[str | int | float, ...], run: int, expected: list[int]
    ) -> None:
        placed = flags(*lengths).over(run, steps_per_epoch=10)
        assert boundaries(placed) == expected

    @given(st.lists(st.integers(1, 30), min_size=2, max_size=12), st.integers(1, 500))
    def test_a_rounded_boundary_is_half_a_step_off_at_most(
        self, weights: list[int], run: int
    ) -> None:
        total = sum(weights)
        placed = flags(*(f"{100 * weight}/{total}%" for weight in weights)).over(run)
        values = placed.values()
        for index in range(1, len(weights)):
            exact = Fraction(sum(weights[:index]) * run, total)
            first = int(np.count_nonzero(values < index))
            assert abs(first - exact) <= Fraction(1, 2)
            assert first == math.floor(exact + Fraction(1, 2))

    def test_epochs(self) -> None:
        s = lehr.warmup("3ep") >> lehr.cosine()
        run = s.over("30ep", steps_per_epoch=118)
        assert run.length == 30 * 118
        assert run(3 * 118) == 1.0
        assert run(3 * 59) == 0.5

    def test_epochs_in_a_run_of_steps(self) -> None:
        run = (lehr.warmup("3ep") >> lehr.cosine()).over(1_000, steps_per_epoch=100)
        assert run(300) == 1.0
        assert run.length == 1_000

    def test_a_run_inside_takes_the_epochs_of_the_outer_one(self) -> None:
        inner = (lehr.warmup("1ep") >> lehr.linear()).over("3ep")
        run = (inner >> lehr.hold()).over("10ep", steps_per_epoch=10)
        assert [run(t) for t in (0, 5, 10, 20, 30, 99)] == [0.0, 0.5, 1.0, 0.5, 0.0, 0.0]

    def test_a_run_inside_may_have_epochs_of_its_own(self) -> None:
        inner = (lehr.warmup("1ep") >> lehr.linear()).over("3ep", steps_per_epoch=4)
        run = (inner >> lehr.hold()).over("10ep", steps_per_epoch=10)
        assert [run(t) for t in (0, 2, 4, 8, 12, 99)] == [0.0, 0.5, 1.0, 0.5, 0.0, 0.0]

    def test_shares_of_shares(self) -> None:
        quarter = (lehr.warmup("50%") >> lehr.linear("50%")).over("50%")
        run = (quarter >> lehr.hold(at=7.0)).over("50%").over(800)
        assert [run(t) for t in (0, 50, 100, 150, 200, 399)] == [0.0, 0.5, 1.0, 0.5, 7.0, 7.0]

    def test_a_share_needs_a_run(self) -> None:
        with pytest.raises(NeedsHorizon):
            (lehr.warmup("20%") >> lehr.linear(10))(0)

    def test_real_steps_carry_the_peak_of_one_cycle(self) -> None:
        # torch's OneCycleLR has its peak at pct_start * total - 1 and its end at total - 1.
        run, pct = 17, 0.3
        peak = Fraction(str(pct)) * run - 1
        s = lehr.cosine(peak, start=0.04, to=1.0) >> lehr.cosine(run - 1 - peak, to=4e-6)
        for t in range(run):
            if t <= peak:
                share, start, to = float(t / peak), 0.04, 1.0
            else:
                share, start, to = float((t - peak) / (run - 1 - peak)), 1.0, 4e-6
            exact = to + (start - to) / 2 * (1 + math.cos(math.pi * share))
            assert s(t) == pytest.approx(exact, abs=1e-15)
